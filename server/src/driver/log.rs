//! What a node did, in the words of the log.

use std::time::Duration;

use cluster::Event;
use wire::{JobId, NodeId};

/// Writes a line where there is something to say; `own` is this node.
pub(super) fn log_event(own: NodeId, event: &Event) {
    match event {
        Event::ElectionStarted { job } => {
            tracing::info!("Election for job {job}: starting, I am {own}");
        }
        Event::ElectionWon {
            job,
            epoch,
            pending,
            done,
        } => {
            tracing::info!("Election for job {job}: I WON, epoch {}", epoch.number);
            tracing::info!(
                "Resuming job {job}: {pending} pending blocks to reassign, {done} already done"
            );
        }
        Event::SteppedDown { job, from, to } => tracing::warn!(
            "Job {job}: stepped down from epoch {}, node {} leads in epoch {}",
            from.number,
            to.coordinator,
            to.number
        ),
        Event::PeerLost { peer, silent } => {
            let why = if *silent {
                "it is silent"
            } else {
                "nothing listens there any more"
            };
            tracing::warn!("node {peer} is taken for dead: {why}");
        }
        Event::BlockDone {
            job,
            block,
            worker,
            compute_ms,
        } => {
            tracing::info!("Block {block} of job {job} done by {worker} in {compute_ms:.1} ms");
        }
        Event::JobEnded {
            job,
            ended,
            elapsed,
        } => log_end(*job, &ended.ending, *elapsed),
        Event::ResultRefused {
            job,
            block,
            worker,
            reason,
        } => {
            tracing::warn!("Block {block} of job {job} from {worker} refused: {reason}");
        }
        Event::BlockReassigned { job, block } => {
            tracing::info!("Block {block} of job {job} goes to another worker");
        }
        Event::JobSafe { .. } | Event::JobChanged { .. } | Event::MeshChanged => {}
    }
}

fn log_end(job: JobId, ending: &wire::Ending, elapsed: Duration) {
    let ms = elapsed.as_secs_f64() * 1e3;
    match ending {
        wire::Ending::Complete => tracing::info!("Job {job} complete in {ms:.1} ms"),
        wire::Ending::Cancelled => tracing::info!("Job {job} cancelled after {ms:.1} ms"),
        wire::Ending::Failed(reason) => tracing::error!("Job {job} failed: {reason}"),
    }
}
