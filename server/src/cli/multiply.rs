//! `matmesh multiply A B -o C`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::StreamExt;
use kernel::format::OutputFormat;
use reqwest::Method;
use reqwest::multipart::Form;
use tokio::signal::unix::{SignalKind, signal};
use wire::{JobId, JobStatus, JobView};

use super::matrix_file::InputFile;
use super::node_client::{broke_off, send};
use super::progress;
use super::target_file::TargetFile;
use super::{Failure, NodeArgs, NodeClient};

/// After Ctrl-C a submission that was sent has this long to be answered.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Options of `matmesh multiply`.
#[derive(Debug, Clone, Args)]
pub struct MultiplyArgs {
    /// The left factor: .npy, .csv or .mtx; - is standard input
    a: PathBuf,
    /// The right factor
    b: PathBuf,
    /// Where the product goes, in the format of its suffix; - is standard output
    #[arg(short, long, value_name = "C")]
    output: PathBuf,
    /// The format of - and of files without a known suffix
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// How entries are summed
    #[arg(long, value_enum, default_value_t = ArithmeticName::Reproducible)]
    arithmetic: ArithmeticName,
    /// Which devices get work
    #[arg(long, value_enum, default_value_t = SpreadName::All)]
    spread: SpreadName,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    Npy,
    Csv,
    Mtx,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ArithmeticName {
    /// In order, every step rounded: the same bits from any crowd of devices
    Reproducible,
    /// Fused and in any order
    Fast,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SpreadName {
    /// Every device gets some rows
    All,
    /// Only the devices that shorten the job
    Fastest,
}

/// Uploads, waits, downloads. Interrupted, it cancels the job.
pub(super) async fn run(args: MultiplyArgs) -> Result<(), Failure> {
    let given = args.format.map(|name| match name {
        FormatName::Npy => OutputFormat::Npy,
        FormatName::Csv => OutputFormat::Csv,
        FormatName::Mtx => OutputFormat::MatrixMarket,
        FormatName::Json => OutputFormat::Json,
    });
    let target = TargetFile::of(&args.output, given)?;
    let a = InputFile::of(&args.a, given)?;
    let b = InputFile::of(&args.b, given)?;
    if a.is_standard_input() && b.is_standard_input() {
        return Err(Failure::Usage(
            "only one of the two factors can be standard input".to_owned(),
        ));
    }
    let mut interrupted = Interruption::watch()?;
    let node = NodeClient::find(&args.node).await?;
    let submitting = submit(&node, &args, &a, &b);
    tokio::pin!(submitting);
    let job = tokio::select! {
        submitted = &mut submitting => submitted?,
        () = interrupted.happened() => {
            // The node may have the job already, and be about to say so.
            let last_word = tokio::time::timeout(LAST_WORD, submitting).await;
            return Err(match last_word {
                Ok(Ok(job)) => cancelled(&node, job.id).await,
                _ => interruption("before the job began"),
            });
        }
    };
    let multiplied = tokio::select! {
        fetched = finish(&node, &job, &target) => fetched,
        () = interrupted.happened() => Err(cancelled(&node, job.id).await),
    };
    multiplied
}

/// Cancels a job that nobody waits for any longer, and says what came of it.
async fn cancelled(node: &NodeClient, job: JobId) -> Failure {
    match cancel(node, job).await {
        Ok(job) if job.status == JobStatus::Complete => interruption(&format!(
            "the job was complete; its result is kept for a while: job {}",
            job.id
        )),
        Ok(_) => interruption("the job is cancelled"),
        Err(failure) => interruption(&format!(
            "the job could not be cancelled ({failure}); it goes on when that node is back, \
             cancel it then with: matmesh cancel {job}"
        )),
    }
}

async fn submit(
    node: &NodeClient,
    args: &MultiplyArgs,
    a: &InputFile,
    b: &InputFile,
) -> Result<JobView, Failure> {
    let name_of = |value: Option<clap::builder::PossibleValue>| {
        value
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    };
    let form = Form::new()
        .text("arithmetic", name_of(args.arithmetic.to_possible_value()))
        .text("spread", name_of(args.spread.to_possible_value()))
        .part("a", a.open().await?)
        .part("b", b.open().await?);
    let bar = progress::waiting("Sending the matrices");
    let request = node.request(Method::POST, "/api/v1/jobs").multipart(form);
    let response = send(request).await?;
    let body = response.bytes().await.map_err(|error| broke_off(&error))?;
    bar.finish_and_clear();
    serde_json::from_slice(&body)
        .map_err(|error| Failure::Failed(format!("the node's answer was not understood: {error}")))
}

async fn finish(node: &NodeClient, job: &JobView, target: &TargetFile) -> Result<(), Failure> {
    let ended = progress::follow(node, job).await?;
    match ended.status {
        JobStatus::Complete => download(node, &ended, target).await,
        status => {
            let reason = ended
                .error
                .map(|reason| format!(": {reason}"))
                .unwrap_or_default();
            Err(Failure::Failed(format!(
                "job {} is {status}{reason}",
                ended.id
            )))
        }
    }
}

async fn download(node: &NodeClient, job: &JobView, target: &TargetFile) -> Result<(), Failure> {
    let path = format!(
        "/api/v1/jobs/{}/result?format={}",
        job.id,
        target.format.name()
    );
    let response = send(node.request(Method::GET, &path)).await?;
    let bar = progress::receiving(response.content_length());
    let mut file = target.create().await?;
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| broke_off(&error))?;
        file.write(&piece).await?;
        bar.inc(piece.len() as u64);
    }
    file.finish().await?;
    bar.finish_and_clear();
    eprintln!("{}", progress::summary(job));
    Ok(())
}

/// The person wants to leave: whether the node hears of it is not waited for
/// long.
async fn cancel(node: &NodeClient, job: JobId) -> Result<JobView, Failure> {
    // It may be complete by now: its result can still be fetched.
    let path = format!("/api/v1/jobs/{job}?only=running");
    let request = node.request(Method::DELETE, &path);
    let request = request.timeout(std::time::Duration::from_secs(3));
    let answer = send(request).await?;
    answer
        .json()
        .await
        .map_err(|error| Failure::Failed(format!("the node answered in other words: {error}")))
}

fn interruption(what: &str) -> Failure {
    Failure::Failed(format!("interrupted: {what}"))
}

/// Ctrl-C, or the system's request to end.
struct Interruption {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interruption {
    /// Watched from here on, so that it leaves nothing behind.
    fn watch() -> Result<Self, Failure> {
        let watch = |kind| {
            signal(kind).map_err(|error| Failure::Failed(format!("cannot watch signals: {error}")))
        };
        Ok(Self {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
        })
    }

    async fn happened(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
