//! Jobs and nodes: as tables for people, or the API's own JSON.

use std::io::{self, Write};

use reqwest::Method;
use wire::{JobStatus, JobView, NodeView};

use super::table::write_table;
use super::{Failure, JobArgs, JobsArgs, NodeClient, NodesArgs};

/// `matmesh jobs`
pub(super) async fn jobs(args: JobsArgs) -> Result<(), Failure> {
    let limit = args.limit.map(|limit| format!("limit={limit}"));
    let status = args.status.map(|status| format!("status={status}"));
    let query: Vec<String> = limit.into_iter().chain(status).collect();
    let path = format!("/api/v1/jobs?{}", query.join("&"));
    let node = NodeClient::find(&args.node).await?;
    if args.json {
        return print(&node.ask_text(Method::GET, &path).await?);
    }
    let jobs: Vec<JobView> = node.ask(Method::GET, &path).await?;
    let rows: Vec<[String; 7]> = jobs.iter().map(job_row).collect();
    let titles = [
        "JOB",
        "STATUS",
        "SIZE",
        "BLOCKS",
        "TIME",
        "DISK",
        "SUBMITTED",
    ];
    print_with(|out| write_table(out, titles, &[3, 4, 5], &rows))
}

/// `matmesh job ID`
pub(super) async fn job(args: JobArgs) -> Result<(), Failure> {
    one_job(&args, Method::GET).await
}

/// `matmesh cancel ID`
pub(super) async fn cancel(args: JobArgs) -> Result<(), Failure> {
    one_job(&args, Method::DELETE).await
}

/// `matmesh nodes`
pub(super) async fn nodes(args: NodesArgs) -> Result<(), Failure> {
    let node = NodeClient::find(&args.node).await?;
    if args.json {
        return print(&node.ask_text(Method::GET, "/api/v1/nodes").await?);
    }
    let nodes: Vec<NodeView> = node.ask(Method::GET, "/api/v1/nodes").await?;
    let rows: Vec<[String; 7]> = nodes.iter().map(node_row).collect();
    let titles = [
        "NODE", "NAME", "ADDRESS", "STATUS", "CORES", "MFLOPS", "BROWSERS",
    ];
    print_with(|out| {
        write_table(out, titles, &[4, 5, 6], &rows)?;
        for node in nodes.iter().filter(|node| !node.seen_by.is_empty()) {
            writeln!(
                out,
                "\n{} is reached by others ({}), and not by the node that was asked: the network keeps the two apart.",
                node.name,
                node.seen_by.len()
            )?;
        }
        Ok(())
    })
}

async fn one_job(args: &JobArgs, method: Method) -> Result<(), Failure> {
    // Anything else would lead to another place of the API.
    let is_id = !args.id.is_empty() && args.id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_id {
        return Err(Failure::Usage(format!(
            "{:?} is not the id of a job",
            args.id
        )));
    }
    let path = format!("/api/v1/jobs/{}", args.id);
    let node = NodeClient::find(&args.node).await?;
    let mut target = path.clone();
    let mut is_deletion = false;
    if method == Method::DELETE {
        // What is to happen is said, so that a job that ends meanwhile is not deleted by mistake.
        let now: JobView = node.ask(Method::GET, &path).await?;
        is_deletion = now.status == JobStatus::Complete;
        target += if is_deletion {
            "?only=ended"
        } else {
            "?only=running"
        };
    }
    if args.json {
        return print(&node.ask_text(method, &target).await?);
    }
    let job: JobView = node.ask(method, &target).await?;
    print_with(|out| {
        write_job(out, &job)?;
        if is_deletion {
            writeln!(
                out,
                "\nThe job was complete: it and its result are deleted."
            )?;
        }
        Ok(())
    })
}

fn write_job(out: &mut impl Write, job: &JobView) -> io::Result<()> {
    let blocks = job.blocks;
    writeln!(out, "job          {}", job.id)?;
    writeln!(out, "status       {}", job.status)?;
    writeln!(out, "size         {}", size(job))?;
    writeln!(
        out,
        "blocks       {} done, {} assigned, {} pending of {}",
        blocks.done, blocks.assigned, blocks.pending, blocks.total
    )?;
    writeln!(out, "submitted    {}", job.submitted_at)?;
    if let Some(completed) = &job.completed_at {
        writeln!(out, "ended        {completed}")?;
    }
    writeln!(out, "time         {}", seconds(job.elapsed_ms))?;
    if let Some(expires) = &job.expires_at {
        writeln!(out, "kept until   {expires}")?;
    }
    writeln!(
        out,
        "coordinator  {}, epoch {}",
        job.coordinator.short(),
        job.epoch
    )?;
    writeln!(out, "disk         {} on each holder", disk(job))?;
    if let Some(error) = &job.error {
        writeln!(out, "error        {error}")?;
    }
    if job.contributions.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let rows: Vec<[String; 6]> = job
        .contributions
        .iter()
        .map(|one| {
            [
                one.worker.short(),
                one.name.clone(),
                one.blocks.to_string(),
                one.rows.to_string(),
                format!("{:.1} ms", one.compute_ms),
                one.mflops
                    .map_or_else(|| "-".to_owned(), |mflops| format!("{mflops:.0}")),
            ]
        })
        .collect();
    let titles = ["DEVICE", "NAME", "BLOCKS", "ROWS", "COMPUTE", "MFLOPS"];
    write_table(out, titles, &[2, 3, 4, 5], &rows)
}

fn job_row(job: &JobView) -> [String; 7] {
    [
        job.id.to_string(),
        job.status.to_string(),
        size(job),
        format!("{}/{}", job.blocks.done, job.blocks.total),
        seconds(job.elapsed_ms),
        disk(job),
        job.submitted_at.clone(),
    ]
}

fn node_row(node: &NodeView) -> [String; 7] {
    let name = if node.is_self {
        format!("{} (asked)", node.name)
    } else {
        node.name.clone()
    };
    let status = match node.status {
        wire::NodeLiveness::Alive => "alive",
        wire::NodeLiveness::Suspect => "suspect",
        wire::NodeLiveness::Unreachable => "unreachable",
    };
    [
        node.id.short(),
        name,
        node.address.clone(),
        status.to_owned(),
        node.cores.to_string(),
        format!("{:.0}", node.mflops),
        node.browsers.len().to_string(),
    ]
}

fn size(job: &JobView) -> String {
    format!("{}×{}×{}", job.rows, job.inner, job.cols)
}

/// On each of its holders.
fn disk(job: &JobView) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown to people")]
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    job.disk_bytes.map_or_else(|| "-".to_owned(), megabytes)
}

fn seconds(elapsed_ms: f64) -> String {
    format!("{:.3} s", elapsed_ms / 1e3)
}

fn print(text: &str) -> Result<(), Failure> {
    print_with(|out| writeln!(out, "{}", text.trim_end()))
}

fn print_with(
    write: impl FnOnce(&mut io::StdoutLock<'static>) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    write(&mut out)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::of_output(&error))
}
