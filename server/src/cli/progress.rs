//! What a person sees on standard error while a job runs. Where that is no
//! terminal there is no bar.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use wire::{JobStatus, JobView};

use super::Failure;
use super::node_client::NodeClient;

/// Ten times a second looks smooth. The node holds each answer for that long,
/// unless the job ends before.
const WAIT_S: &str = "0.1";

/// A node that does not answer is asked again for this long: its job may
/// already be looked after elsewhere, or it is just restarting.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(250);

/// Follows a job to its end.
pub(super) async fn follow(node: &NodeClient, job: &JobView) -> Result<JobView, Failure> {
    let bar = ProgressBar::new(u64::from(job.rows));
    bar.set_style(style("{bar:30} {pos}/{len} rows  {msg}"));
    let path = format!("/api/v1/jobs/{}?wait={WAIT_S}", job.id);
    let mut answered = Instant::now();
    let mut seen = job.clone();
    while seen.status == JobStatus::Running {
        show(&bar, &seen);
        match node.ask::<JobView>(Method::GET, &path).await {
            Ok(view) => {
                seen = view;
                answered = Instant::now();
            }
            Err(failure) if answered.elapsed() > PATIENCE => {
                return Err(Failure::Failed(format!("job {}: {failure}", job.id)));
            }
            // Nothing tells when a node is back but asking it again.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    bar.finish_and_clear();
    Ok(seen)
}

/// A bar for something of unknown length.
pub(super) fn waiting(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// A bar for a download, whose length some formats tell beforehand.
pub(super) fn receiving(length: Option<u64>) -> ProgressBar {
    let bar = match length {
        Some(length) => ProgressBar::new(length),
        None => ProgressBar::no_length(),
    };
    bar.set_style(style("Receiving {bytes} at {bytes_per_sec}"));
    bar
}

/// One line about a job that is complete.
pub(super) fn summary(job: &JobView) -> String {
    let devices = job.contributions.len();
    let plural = if devices == 1 { "" } else { "s" };
    format!(
        "{} × {} in {:.3} s by {devices} device{plural}, {}",
        job.rows,
        job.cols,
        job.elapsed_ms / 1e3,
        rate(operations(job), job.elapsed_ms)
    )
}

fn show(bar: &ProgressBar, job: &JobView) {
    let (done, total) = (
        f64::from(job.blocks.done),
        f64::from(job.blocks.total.max(1)),
    );
    let share = done / total;
    // Blocks side by side share their rows: the share of blocks is what is done.
    bar.set_position(whole(f64::from(job.rows) * share));
    let message = if done > 0.0 {
        let left_s = job.elapsed_ms / 1e3 * (total - done) / done;
        format!(
            "{}, {} left",
            rate(operations(job) * share, job.elapsed_ms),
            duration(left_s)
        )
    } else {
        "waiting for the first block".to_owned()
    };
    bar.set_message(message);
}

fn operations(job: &JobView) -> f64 {
    2.0 * f64::from(job.rows) * f64::from(job.inner) * f64::from(job.cols)
}

fn rate(operations: f64, elapsed_ms: f64) -> String {
    let gigaflops = operations / elapsed_ms.max(1e-3) / 1e6;
    if gigaflops >= 0.1 {
        format!("{gigaflops:.1} GFLOP/s")
    } else {
        format!("{:.1} MFLOP/s", gigaflops * 1e3)
    }
}

fn duration(seconds: f64) -> String {
    let seconds = whole(seconds.ceil());
    if seconds < 60 {
        format!("{seconds} s")
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shown to people; a float saturates"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are written above")
}
