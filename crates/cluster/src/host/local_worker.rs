//! One device that computes through this node: what it has, and how much more it has room for.

use std::collections::{BTreeMap, BTreeSet};

use wire::{BlockIndex, BlockProof, JobId, JobSummary, NodeId, Shape, WorkerKind};

use crate::directory::Directory;
use crate::effect::WorkerProfile;
use crate::limits::{
    BLOCKS_PER_THREAD, BLOCKS_PER_THREAD_MAX, PAGE_LEASES_MAX, RESULTS_KEPT_MAX, THREADS_MAX,
    WORK_AHEAD_MS,
};
use crate::placement::to_f64;
use crate::time::Moment;

/// A result that its coordinator has not yet answered for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) proof: BlockProof,
}

/// One device.
#[derive(Debug)]
pub(super) struct LocalWorker {
    pub(super) profile: WorkerProfile,
    pub(super) leased: BTreeMap<(JobId, BlockIndex), NodeId>,
    pub(super) kept: BTreeMap<(JobId, BlockIndex), Kept>,
    /// Jobs with kept results whose coordinators are not there: these results do not count against what the
    /// device may do for other jobs.
    pub(super) stranded: BTreeSet<JobId>,
    /// The pull that is not answered yet: at most one.
    pub(super) asked: Option<(JobId, Moment)>,
    /// Jobs whose coordinator had nothing for this device, and when to ask
    /// again if it says nothing until then.
    pub(super) idle_at: BTreeMap<JobId, Moment>,
    /// What a thread of it took for an operation of its last block.
    ms_per_operation: Option<f64>,
}

impl LocalWorker {
    /// One that has nothing yet.
    pub(super) fn new(profile: WorkerProfile) -> Self {
        Self {
            profile,
            leased: BTreeMap::new(),
            kept: BTreeMap::new(),
            stranded: BTreeSet::new(),
            asked: None,
            idle_at: BTreeMap::new(),
            ms_per_operation: None,
        }
    }

    /// Blocks that it may have at once when it asks for some of a job. Short ones are held
    /// in greater number; a page's memory is too small for that.
    pub(super) fn room(&self, job: &JobSummary) -> usize {
        let blocks = match (self.profile.kind, self.ms_per_operation) {
            (WorkerKind::Native, Some(ms)) => blocks_ahead(ms * operations_of_block(job)),
            _ => BLOCKS_PER_THREAD,
        };
        self.with_each_thread(blocks)
    }

    /// Blocks that it may have when they are as short as can be.
    pub(super) fn room_max(&self) -> usize {
        self.with_each_thread(match self.profile.kind {
            WorkerKind::Native => BLOCKS_PER_THREAD_MAX,
            WorkerKind::Browser => BLOCKS_PER_THREAD,
        })
    }

    /// Twice its room is what two coordinators may send when the first was late, and blocks of
    /// tiny jobs come unasked; nobody honest sends more.
    pub(super) fn leases_max(&self, unasked_max: usize) -> usize {
        let leases_max = 2 * self.room_max() + unasked_max;
        match self.profile.kind {
            WorkerKind::Native => leases_max,
            WorkerKind::Browser => leases_max.min(PAGE_LEASES_MAX),
        }
    }

    fn with_each_thread(&self, blocks: u32) -> usize {
        if !self.profile.contributing {
            return 0;
        }
        usize::try_from(self.profile.threads.min(THREADS_MAX) * blocks).unwrap_or(usize::MAX)
    }

    pub(super) fn learn_from(&mut self, proof: &BlockProof) {
        let ms = proof.compute_ms / to_f64(proof.operations);
        self.ms_per_operation = Some(ms).filter(|ms| ms.is_finite());
    }

    /// Blocks of a job that it can take now.
    pub(super) fn slots(&self, job: &JobSummary) -> u32 {
        if self.kept_for_the_living() >= RESULTS_KEPT_MAX {
            return 0;
        }
        let free = self.room(job).saturating_sub(self.leased.len());
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    /// Results that wait for a coordinator that is there.
    pub(super) fn kept_for_the_living(&self) -> usize {
        if self.stranded.is_empty() || self.kept.len() < RESULTS_KEPT_MAX {
            // As many at most, which is all that is asked.
            return self.kept.len();
        }
        let kept = self.kept.keys();
        kept.filter(|(job, _)| !self.stranded.contains(job)).count()
    }

    /// Notes which coordinators are there. Of the results that wait for others the most are returned that there
    /// are too many of: their blocks are computed again should those come back.
    pub(super) fn note_stranded(
        &mut self,
        is_there: impl Fn(JobId) -> bool,
    ) -> Vec<((JobId, BlockIndex), Kept)> {
        let jobs: BTreeSet<JobId> = self.kept.keys().map(|(job, _)| *job).collect();
        self.stranded = jobs.into_iter().filter(|job| !is_there(*job)).collect();
        let stranded = self.kept.keys();
        let stranded = stranded.filter(|(job, _)| self.stranded.contains(job));
        let stranded: Vec<_> = stranded.copied().collect();
        let too_many = stranded
            .len()
            .saturating_sub(RESULTS_KEPT_MAX + self.room_max());
        let dropped = stranded.into_iter().take(too_many);
        dropped
            .filter_map(|key| Some((key, self.kept.remove(&key)?)))
            .collect()
    }

    /// Whether it could take blocks, were there any that are short enough.
    pub(super) fn could_take(&self) -> bool {
        self.kept_for_the_living() < RESULTS_KEPT_MAX && self.leased.len() < self.room_max()
    }
}

/// The running job of which the device has the fewest blocks, among those that
/// may have some for it; of equals the oldest.
pub(super) fn next_job<'d>(
    worker: &LocalWorker,
    directory: &'d Directory,
) -> Option<&'d JobSummary> {
    let leased_of = |job: JobId| {
        worker
            .leased
            .keys()
            .filter(|(leased, _)| *leased == job)
            .count()
    };
    directory
        .running_but(|job| worker.idle_at.contains_key(&job))
        .filter(|job| worker.slots(job) > 0)
        .min_by_key(|job| leased_of(job.id))
}

/// Operations of most of a job's blocks.
fn operations_of_block(job: &JobSummary) -> f64 {
    let Shape { rows, inner, cols } = job.shape;
    2.0 * f64::from(rows) * f64::from(inner) * f64::from(cols) / f64::from(job.blocks_total.max(1))
}

/// How many blocks that take so long are work enough for one thread.
fn blocks_ahead(compute_ms: f64) -> u32 {
    let blocks = (WORK_AHEAD_MS / compute_ms).ceil();
    // What is no number becomes 0, and is raised like every small one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is clamped"
    )]
    let blocks = blocks as u32;
    blocks.clamp(BLOCKS_PER_THREAD, BLOCKS_PER_THREAD_MAX)
}

#[cfg(test)]
mod tests {
    use wire::JobStatus;

    use super::*;

    fn device(kind: WorkerKind) -> LocalWorker {
        LocalWorker::new(WorkerProfile {
            kind,
            name: String::new(),
            device: String::new(),
            threads: 3,
            mflops: 1000.0,
            contributing: true,
            visible: true,
        })
    }

    /// Of 100 blocks, each of two operations a column.
    fn job_of(cols: u32) -> JobSummary {
        JobSummary {
            id: JobId::from_bytes([1; 16]),
            status: JobStatus::Running,
            epoch: wire::Epoch {
                number: 1,
                coordinator: NodeId::from_bytes([2; 16]),
                incarnation: 0,
            },
            version: 1,
            holders: Vec::new(),
            shape: Shape {
                rows: 100,
                inner: 1,
                cols,
            },
            options: wire::JobOptions::default(),
            blocks_total: 100,
            blocks_done: 0,
            submitted_at_unix_ms: 0,
            idempotency_key: None,
            reopened: false,
            fetched: false,
        }
    }

    /// Room of a device of three threads that took so long for a block of 2000 operations.
    fn slots_after(kind: WorkerKind, compute_ms: f64, next: &JobSummary) -> u32 {
        let mut device = device(kind);
        assert_eq!(device.slots(next), 6);
        device.learn_from(&BlockProof {
            compute_ms,
            receive_us: 0,
            wait_us: 0,
            operations: 2000,
            hash: None,
            bytes: 8,
        });
        assert!(device.room(next) <= device.room_max());
        device.slots(next)
    }

    #[test]
    fn a_node_holds_more_of_short_blocks() {
        for (compute_ms, blocks) in [
            (1000.0, 2),
            (20.0, 2),
            (5.0, 8),
            (0.001, 16),
            (0.0, 16),
            (-1.0, 2),
            (f64::NAN, 2),
        ] {
            let slots = slots_after(WorkerKind::Native, compute_ms, &job_of(1000));
            assert_eq!(slots, 3 * blocks, "{compute_ms} ms");
        }
    }

    #[test]
    fn what_counts_are_the_blocks_of_the_job_that_is_asked() {
        // Half a millisecond for the last block, 20 ms for one that is forty times as large.
        assert_eq!(slots_after(WorkerKind::Native, 0.5, &job_of(40_000)), 6);
        assert_eq!(slots_after(WorkerKind::Native, 20.0, &job_of(25)), 3 * 16);
    }

    #[test]
    fn a_page_holds_two_blocks_a_thread_however_short_they_are() {
        assert_eq!(slots_after(WorkerKind::Browser, 0.001, &job_of(1000)), 6);
    }
}
