//! The cluster's state in the words that people and programs are shown.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cluster::{JobProgress, Liveness, Node};
use fast_qr::QRBuilder;
use fast_qr::convert::svg::SvgBuilder;
use wire::{
    BlockCounts, BrowserView, Ending, JobStatus, JobSummary, JobView, JoinView, NodeId,
    NodeLiveness, NodeStatus, NodeView,
};

/// The last moment that RFC 3339 can write, 9999-12-31T23:59:59Z: a time to
/// live may be set to reach beyond it.
const UNIX_MS_MAX: u64 = 253_402_300_799_000;

/// A job of which everything is known.
pub(crate) fn job_view(job: &JobProgress, time_to_live: Duration) -> JobView {
    let (replica, tally) = (&job.replica, job.tally);
    let record = &replica.record;
    // An end is told once it is stored on the backups.
    let is_over = job.status != JobStatus::Running;
    let ended = replica.ended.as_ref().filter(|_| is_over);
    let time_to_live_ms = u64::try_from(time_to_live.as_millis()).unwrap_or(u64::MAX);
    JobView {
        id: record.id,
        status: job.status,
        rows: record.shape.rows,
        inner: record.shape.inner,
        cols: record.shape.cols,
        options: record.options,
        coordinator: job.epoch.coordinator,
        epoch: job.epoch.number,
        backups: job.backups.clone(),
        blocks: job.blocks,
        accepted_results: job.accepted,
        computed_results: tally.computed,
        rejected_results: tally.rejected,
        reassigned_blocks: tally.reassigned,
        submitted_at: rfc3339(record.submitted_at_unix_ms),
        completed_at: ended.map(|ended| rfc3339(ended.at_unix_ms)),
        elapsed_ms: job.elapsed_ms,
        expires_at: ended.map(|ended| rfc3339(ended.at_unix_ms.saturating_add(time_to_live_ms))),
        contributions: job.contributions.clone(),
        disk_bytes: Some(job.disk_bytes),
        error: ended.and_then(|ended| match &ended.ending {
            Ending::Failed(reason) => Some(reason.clone()),
            Ending::Complete | Ending::Cancelled => None,
        }),
    }
}

/// What every node knows of a job.
#[derive(Debug, Clone)]
pub(crate) struct KnownJob {
    pub(crate) summary: JobSummary,
    /// None of its holders was there for its time to live.
    is_abandoned: bool,
}

impl KnownJob {
    pub(crate) fn of(node: &Node, summary: &JobSummary) -> Self {
        Self {
            is_abandoned: node.is_abandoned(summary.id),
            summary: summary.clone(),
        }
    }
}

/// A job whose coordinator is away: what every node knows of it.
pub(crate) fn summary_view(known: &KnownJob) -> JobView {
    let job = &known.summary;
    let left = job.blocks_total.saturating_sub(job.blocks_done);
    let is_running = job.status == JobStatus::Running;
    JobView {
        id: job.id,
        status: job.status,
        rows: job.shape.rows,
        inner: job.shape.inner,
        cols: job.shape.cols,
        options: job.options,
        coordinator: job.epoch.coordinator,
        epoch: job.epoch.number,
        backups: job
            .holders
            .iter()
            .copied()
            .filter(|id| *id != job.epoch.coordinator)
            .collect(),
        blocks: BlockCounts {
            total: job.blocks_total,
            pending: left,
            assigned: 0,
            done: job.blocks_done,
        },
        accepted_results: u64::from(job.blocks_done),
        computed_results: u64::from(job.blocks_done),
        rejected_results: 0,
        reassigned_blocks: 0,
        submitted_at: rfc3339(job.submitted_at_unix_ms),
        completed_at: None,
        elapsed_ms: if is_running {
            since_ms(job.submitted_at_unix_ms)
        } else {
            0.0
        },
        expires_at: None,
        contributions: Vec::new(),
        disk_bytes: None,
        error: known.is_abandoned.then(|| {
            "no node that holds this job was here for its time to live: it goes on when one comes back"
                .to_owned()
        }),
    }
}

/// Every node that this one knows, itself first.
pub(crate) fn node_views(node: &Node) -> Vec<NodeView> {
    let own = node_view(node.id(), node.own_status(), NodeLiveness::Alive, true);
    let peers = node.membership().peers().map(|(id, peer)| {
        let liveness = match peer.liveness {
            Liveness::Alive => NodeLiveness::Alive,
            Liveness::Suspect => NodeLiveness::Suspect,
            Liveness::Unreachable => NodeLiveness::Unreachable,
        };
        NodeView {
            seen_by: peer.seen_by().collect(),
            ..node_view(id, peer.status.as_ref(), liveness, false)
        }
    });
    std::iter::once(own).chain(peers).collect()
}

/// How another device joins: this node's addresses, the best as a QR code.
pub(crate) fn join_view(own_addresses: Vec<SocketAddr>) -> JoinView {
    let addresses: Vec<String> = own_addresses
        .into_iter()
        .map(|address| format!("http://{address}"))
        .collect();
    let qr_svg = addresses
        .first()
        .map(|address| qr_svg(address))
        .unwrap_or_default();
    JoinView { addresses, qr_svg }
}

/// Milliseconds since 1970 as people and programs write them.
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(unix_ms.min(UNIX_MS_MAX));
    humantime::format_rfc3339_millis(time).to_string()
}

/// A moment that is to come.
pub(crate) fn rfc3339_in(wait: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let then = now.unwrap_or_default().saturating_add(wait);
    rfc3339(u64::try_from(then.as_millis()).unwrap_or(u64::MAX))
}

fn node_view(
    id: NodeId,
    status: Option<&NodeStatus>,
    liveness: NodeLiveness,
    is_self: bool,
) -> NodeView {
    let browsers = status
        .map(|status| &status.browsers[..])
        .unwrap_or_default();
    let browsers = browsers.iter().map(|page| BrowserView {
        id: page.worker,
        device: page.device.clone(),
        threads: page.threads,
        mflops: page.mflops,
        operations: page.operations,
        visible: page.visible,
        contributing: page.contributing,
    });
    NodeView {
        id,
        // A link is open a moment before its other end has introduced itself.
        name: status.map_or_else(|| id.short(), |status| status.name.clone()),
        address: status
            .and_then(|status| status.addresses.first())
            .map(SocketAddr::to_string)
            .unwrap_or_default(),
        status: liveness,
        is_self,
        cores: status.map_or(0, |status| status.cores),
        mflops: status.map_or(0.0, |status| status.mflops),
        operations: status.map_or(0, |status| status.operations),
        device: status
            .map(|status| status.device.clone())
            .unwrap_or_default(),
        seen_by: Vec::new(),
        browsers: browsers.collect(),
    }
}

fn qr_svg(text: &str) -> String {
    match QRBuilder::new(text).build() {
        Ok(code) => SvgBuilder::default().to_str(&code),
        // An address is a few dozen letters, a code holds thousands.
        Err(_) => String::new(),
    }
}

/// By clocks that may differ; shown to people only.
#[expect(clippy::cast_precision_loss, reason = "shown to people")]
fn since_ms(unix_ms: u64) -> f64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    now.saturating_sub(unix_ms) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds_and_never_beyond_what_can_be_written() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-12-31"));
    }

    #[test]
    fn the_best_address_is_in_the_code() {
        let join = join_view(vec![
            "192.168.1.7:8080".parse().unwrap(),
            "10.0.0.1:8080".parse().unwrap(),
        ]);
        assert_eq!(
            join.addresses,
            ["http://192.168.1.7:8080", "http://10.0.0.1:8080"]
        );
        assert!(join.qr_svg.contains("<svg"));
    }
}
