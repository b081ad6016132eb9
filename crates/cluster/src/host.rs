//! The devices that compute through this node: its own threads and its pages.
//!
//! Each pulls: one request at a time, at the running job of which it has the
//! fewest blocks, so that many jobs share a device. What a device has finished
//! is kept until the coordinator says that it need not be; `offers` holds what
//! coordinators are told of that, and of what is still being computed.

mod offers;

use std::collections::{BTreeMap, BTreeSet};

use wire::{
    BlockIndex, BlockProof, BlockTask, JobId, JobStatus, JobSummary, NodeId, PeerMessage, Shape,
    WorkerId, WorkerKind,
};

use self::offers::offer;
use crate::directory::Directory;
use crate::effect::{Output, WorkerCommand, WorkerProfile};
use crate::limits::{
    BLOCKS_PER_THREAD, BLOCKS_PER_THREAD_MAX, IDLE_RETRY, PAGE_LEASES_MAX, PULL_TIMEOUT,
    RESULTS_KEPT_MAX, THREADS_MAX, UNASKED_WAIT, WORK_AHEAD_MS,
};
use crate::placement::to_f64;
use crate::time::Moment;

/// A result that its coordinator has not yet answered for.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    proof: BlockProof,
}

#[derive(Debug)]
struct LocalWorker {
    profile: WorkerProfile,
    leased: BTreeMap<(JobId, BlockIndex), NodeId>,
    kept: BTreeMap<(JobId, BlockIndex), Kept>,
    /// The pull that is not answered yet: at most one.
    asked: Option<(JobId, Moment)>,
    /// Jobs whose coordinator had nothing for this device, and when to ask
    /// again if it says nothing until then.
    idle_at: BTreeMap<JobId, Moment>,
    /// What a thread of it took for an operation of its last block.
    ms_per_operation: Option<f64>,
}

impl LocalWorker {
    /// Blocks that it may have at once when it asks for some of a job. Short ones are held
    /// in greater number; a page's memory is too small for that.
    fn room(&self, job: &JobSummary) -> usize {
        let blocks = match (self.profile.kind, self.ms_per_operation) {
            (WorkerKind::Native, Some(ms)) => blocks_ahead(ms * operations_of_block(job)),
            _ => BLOCKS_PER_THREAD,
        };
        self.with_each_thread(blocks)
    }

    /// Blocks that it may have when they are as short as can be.
    fn room_max(&self) -> usize {
        self.with_each_thread(match self.profile.kind {
            WorkerKind::Native => BLOCKS_PER_THREAD_MAX,
            WorkerKind::Browser => BLOCKS_PER_THREAD,
        })
    }

    /// Twice its room is what two coordinators may send when the first was late, and blocks of
    /// tiny jobs come unasked; nobody honest sends more.
    fn leases_max(&self, unasked_max: usize) -> usize {
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

    fn learn_from(&mut self, proof: &BlockProof) {
        let ms = proof.compute_ms / to_f64(proof.operations);
        self.ms_per_operation = Some(ms).filter(|ms| ms.is_finite());
    }

    /// Blocks of a job that it can take now.
    fn slots(&self, job: &JobSummary) -> u32 {
        if self.kept.len() >= RESULTS_KEPT_MAX {
            return 0;
        }
        let free = self.room(job).saturating_sub(self.leased.len());
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    /// Whether it could take blocks, were there any that are short enough.
    fn could_take(&self) -> bool {
        self.kept.len() < RESULTS_KEPT_MAX && self.leased.len() < self.room_max()
    }
}

/// Blocks that came for a device.
#[derive(Debug)]
pub(crate) struct Leases {
    pub(crate) from: NodeId,
    pub(crate) job: JobId,
    pub(crate) worker: WorkerId,
    pub(crate) tasks: Vec<BlockTask>,
    /// So many the device takes without having asked.
    pub(crate) unasked_max: usize,
}

/// All devices of this node.
#[derive(Debug, Default)]
pub(crate) struct WorkerHost {
    workers: BTreeMap<WorkerId, LocalWorker>,
    /// The node is about to leave: what is there is finished, nothing is asked.
    stopped: bool,
}

impl WorkerHost {
    pub(crate) fn profiles(&self) -> impl Iterator<Item = (WorkerId, &WorkerProfile)> {
        self.workers
            .iter()
            .map(|(id, worker)| (*id, &worker.profile))
    }

    /// The node is about to leave.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    /// A device is new, or its profile changed.
    pub(crate) fn on_worker(
        &mut self,
        worker: WorkerId,
        profile: WorkerProfile,
        directory: &Directory,
        outputs: &mut Vec<Output>,
    ) {
        let Some(known) = self.workers.get_mut(&worker) else {
            let fresh = LocalWorker {
                profile,
                leased: BTreeMap::new(),
                kept: BTreeMap::new(),
                asked: None,
                idle_at: BTreeMap::new(),
                ms_per_operation: None,
            };
            self.workers.insert(worker, fresh);
            return;
        };
        let stops = known.profile.contributing && !profile.contributing;
        known.profile = profile;
        // Whoever had nothing for it may see that otherwise now.
        known.idle_at.clear();
        if stops {
            known.asked = None;
            drop_all(worker, known, outputs);
            part(worker, known, directory, outputs);
        }
    }

    /// A device is gone: its blocks go elsewhere at once.
    pub(crate) fn on_worker_left(
        &mut self,
        worker: WorkerId,
        directory: &Directory,
        outputs: &mut Vec<Output>,
    ) {
        if let Some(mut gone) = self.workers.remove(&worker) {
            part(worker, &mut gone, directory, outputs);
            for (key, kept) in gone.kept {
                release(worker, key, &kept.proof, outputs);
            }
        }
    }

    /// A tiny job is new: its coordinator gives blocks to the devices that it knows without being asked.
    pub(crate) fn on_new_tiny_job(&mut self, now: Moment, job: JobId) {
        for worker in self.workers.values_mut() {
            worker.idle_at.entry(job).or_insert(now + UNASKED_WAIT);
        }
    }

    /// Blocks came for a device.
    pub(crate) fn on_lease(&mut self, now: Moment, leases: Leases, outputs: &mut Vec<Output>) {
        let Leases {
            from,
            job,
            worker,
            tasks,
            unasked_max,
        } = leases;
        let stopped = self.stopped;
        let known = self.workers.get_mut(&worker);
        // The device left, or was switched off, while its lease was under way.
        let known = known.filter(|known| known.profile.contributing && !stopped);
        let Some(known) = known else {
            let blocks = tasks.iter().map(|task| task.block).collect();
            give_back(from, job, worker, blocks, true, outputs);
            return;
        };
        if known.asked.is_some_and(|(asked, _)| asked == job) {
            known.asked = None;
        }
        // What it waited for unasked has come. It asks for more, unless it was told that there is none.
        let waited = known.idle_at.get(&job);
        if waited.is_some_and(|until| *until <= now + UNASKED_WAIT) {
            known.idle_at.remove(&job);
        }
        let mut too_many = Vec::new();
        for task in tasks.into_iter().filter(|task| task.job == job) {
            let key = (job, task.block);
            if known.kept.contains_key(&key) {
                // Done already: offer the result instead of computing again.
                offer(worker, known, key, from, 0, outputs);
            } else if known.leased.contains_key(&key) {
                known.leased.insert(key, from);
            } else if known.leased.len() >= known.leases_max(unasked_max) {
                too_many.push(task.block);
            } else {
                known.leased.insert(key, from);
                let command = WorkerCommand::Task {
                    task,
                    coordinator: from,
                };
                outputs.push(Output::ToWorker { worker, command });
            }
        }
        if !too_many.is_empty() {
            give_back(from, job, worker, too_many, false, outputs);
        }
    }

    /// The coordinator has nothing for this device.
    pub(crate) fn on_no_work(&mut self, now: Moment, job: JobId, worker: WorkerId) {
        if let Some(known) = self.workers.get_mut(&worker) {
            known.asked = known.asked.filter(|(asked, _)| *asked != job);
            known.idle_at.insert(job, now + IDLE_RETRY);
        }
    }

    /// A job has blocks for everybody (again).
    pub(crate) fn on_work_available(&mut self, job: JobId) {
        for worker in self.workers.values_mut() {
            worker.idle_at.remove(&job);
        }
    }

    /// The coordinator does not need these blocks from the device; none named
    /// are all that it has of the job.
    pub(crate) fn on_drop(
        &mut self,
        job: JobId,
        worker: WorkerId,
        blocks: &[BlockIndex],
        outputs: &mut Vec<Output>,
    ) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        if blocks.is_empty() && forget_leases(known, job) {
            let command = WorkerCommand::Drop { job, block: None };
            outputs.push(Output::ToWorker { worker, command });
        }
        for block in blocks {
            if known.leased.remove(&(job, *block)).is_some() {
                let command = WorkerCommand::Drop {
                    job,
                    block: Some(*block),
                };
                outputs.push(Output::ToWorker { worker, command });
            }
        }
    }

    /// A job ended: nobody computes for it any longer, nor keeps a result.
    pub(crate) fn on_job_ended(&mut self, job: JobId, outputs: &mut Vec<Output>) {
        for (worker, known) in &mut self.workers {
            let worker = *worker;
            let keys = known.kept.keys().filter(|(kept, _)| *kept == job);
            let kept: Vec<_> = keys.copied().collect();
            if forget_leases(known, job) || !kept.is_empty() {
                let command = WorkerCommand::Drop { job, block: None };
                outputs.push(Output::ToWorker { worker, command });
            }
            for key in kept {
                if let Some(kept) = known.kept.remove(&key) {
                    release(worker, key, &kept.proof, outputs);
                }
            }
            known.idle_at.remove(&job);
            known.asked = known.asked.filter(|(asked, _)| *asked != job);
        }
    }

    /// A device finished a block. The result is a pull as well when the next
    /// pull would go to the same coordinator: that saves a round trip.
    pub(crate) fn on_result(
        &mut self,
        now: Moment,
        worker: WorkerId,
        key: (JobId, BlockIndex),
        proof: BlockProof,
        directory: &Directory,
        outputs: &mut Vec<Output>,
    ) {
        let (job, block) = key;
        let Some(known) = self.workers.get_mut(&worker) else {
            release(worker, key, &proof, outputs);
            return;
        };
        known.leased.remove(&key);
        known.learn_from(&proof);
        let running = directory.get(job);
        let running = running.filter(|summary| summary.status == JobStatus::Running);
        let has_room = known.kept.len() < RESULTS_KEPT_MAX + known.room_max();
        let Some(summary) = running.filter(|_| has_room) else {
            // It ended, or it is one of a flood of results that nobody asked
            // for: nobody waits for this one.
            let command = WorkerCommand::Counted {
                job,
                block,
                counted: false,
            };
            outputs.push(Output::ToWorker { worker, command });
            release(worker, key, &proof, outputs);
            return;
        };
        let coordinator = summary.epoch.coordinator;
        if let Some(earlier) = known.kept.insert(key, Kept { proof }) {
            release(worker, key, &earlier.proof, outputs);
        }
        let mut slots = 0;
        if !self.stopped
            && known.asked.is_none()
            && let Some(next) = next_job(known, directory).filter(|next| next.id == job)
        {
            slots = known.slots(next);
            known.asked = Some((job, now));
        }
        offer(worker, known, key, coordinator, slots, outputs);
    }

    /// A device cannot compute a block.
    pub(crate) fn on_gave_back(
        &mut self,
        now: Moment,
        worker: WorkerId,
        key: (JobId, BlockIndex),
        outputs: &mut Vec<Output>,
    ) {
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        if let Some(coordinator) = known.leased.remove(&key) {
            let (job, block) = key;
            // Not asked again for this job until something changes there: the
            // same block would only come back.
            known.idle_at.insert(job, now + IDLE_RETRY);
            give_back(coordinator, job, worker, vec![block], false, outputs);
        }
    }

    /// A peer is gone; what it was asked will not be answered.
    pub(crate) fn on_peer_gone(&mut self, peer: NodeId, directory: &Directory) {
        for worker in self.workers.values_mut() {
            worker.asked = worker.asked.filter(|(job, _)| {
                directory
                    .get(*job)
                    .is_some_and(|job| job.epoch.coordinator != peer)
            });
        }
    }

    /// Lets every device with room ask for more.
    pub(crate) fn pull(
        &mut self,
        now: Moment,
        directory: &Directory,
        is_reachable: impl Fn(NodeId) -> bool,
        outputs: &mut Vec<Output>,
    ) {
        if self.stopped {
            return;
        }
        for (worker, known) in &mut self.workers {
            known.idle_at.retain(|_, until| *until > now);
            if let Some((job, since)) = known.asked {
                if now.since(since) < PULL_TIMEOUT {
                    continue;
                }
                // The answer was lost; try the others first.
                known.asked = None;
                known.idle_at.insert(job, now + PULL_TIMEOUT);
            }
            while let Some(next) = next_job(known, directory) {
                let (job, to) = (next.id, next.epoch.coordinator);
                if !is_reachable(to) {
                    known.idle_at.insert(job, now + IDLE_RETRY);
                    continue;
                }
                known.asked = Some((job, now));
                let exchange = known.profile.exchange(*worker, known.slots(next));
                let message = PeerMessage::Pull { job, exchange };
                outputs.push(Output::Send { to, message });
                break;
            }
        }
    }

    /// When a pull has waited too long, or a device asks again unbidden.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        if self.stopped {
            return None;
        }
        let workers = self
            .workers
            .values()
            .filter_map(|worker| match worker.asked {
                Some((_, since)) => Some(since + PULL_TIMEOUT),
                None if worker.could_take() => worker.idle_at.values().min().copied(),
                None => None,
            });
        workers.min()
    }
}

/// The running job of which the device has the fewest blocks, among those that
/// may have some for it; of equals the oldest.
fn next_job<'d>(worker: &LocalWorker, directory: &'d Directory) -> Option<&'d JobSummary> {
    let leased_of = |job: JobId| {
        worker
            .leased
            .keys()
            .filter(|(leased, _)| *leased == job)
            .count()
    };
    directory
        .running()
        .filter(|job| !worker.idle_at.contains_key(&job.id) && worker.slots(job) > 0)
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

/// The bytes of a result are not needed any longer.
fn release(
    worker: WorkerId,
    (job, block): (JobId, BlockIndex),
    proof: &BlockProof,
    outputs: &mut Vec<Output>,
) {
    if let Some(hash) = proof.hash {
        outputs.push(Output::ReleaseResult {
            job,
            block,
            worker,
            hash,
        });
    }
}

/// Forgets what the device was to compute of a job. True when that was something.
fn forget_leases(known: &mut LocalWorker, job: JobId) -> bool {
    let before = known.leased.len();
    known.leased.retain(|(leased, _), _| *leased != job);
    known.leased.len() < before
}

/// The device stops what it computes.
fn drop_all(worker: WorkerId, known: &LocalWorker, outputs: &mut Vec<Output>) {
    let jobs: BTreeSet<JobId> = known.leased.keys().map(|(job, _)| *job).collect();
    for job in jobs {
        let command = WorkerCommand::Drop { job, block: None };
        outputs.push(Output::ToWorker { worker, command });
    }
}

/// The device takes no more part: said to the coordinators of all running jobs,
/// because each may count on it or hold a block back for it.
fn part(
    worker: WorkerId,
    known: &mut LocalWorker,
    directory: &Directory,
    outputs: &mut Vec<Output>,
) {
    let running = directory.running();
    let mut told: BTreeSet<(JobId, NodeId)> =
        running.map(|job| (job.id, job.epoch.coordinator)).collect();
    let leased = std::mem::take(&mut known.leased);
    told.extend(leased.into_iter().map(|((job, _), from)| (job, from)));
    for (job, coordinator) in told {
        give_back(coordinator, job, worker, Vec::new(), true, outputs);
    }
}

fn give_back(
    to: NodeId,
    job: JobId,
    worker: WorkerId,
    blocks: Vec<BlockIndex>,
    gone: bool,
    outputs: &mut Vec<Output>,
) {
    let message = PeerMessage::GiveBack {
        job,
        worker,
        blocks,
        gone,
    };
    outputs.push(Output::Send { to, message });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(kind: WorkerKind) -> LocalWorker {
        LocalWorker {
            profile: WorkerProfile {
                kind,
                name: String::new(),
                device: String::new(),
                threads: 3,
                mflops: 1000.0,
                contributing: true,
                visible: true,
            },
            leased: BTreeMap::new(),
            kept: BTreeMap::new(),
            asked: None,
            idle_at: BTreeMap::new(),
            ms_per_operation: None,
        }
    }

    /// Of 100 blocks, each of two operations a column.
    fn job_of(cols: u32) -> JobSummary {
        JobSummary {
            id: JobId::from_bytes([1; 16]),
            status: JobStatus::Running,
            epoch: wire::Epoch {
                number: 1,
                coordinator: NodeId::from_bytes([2; 16]),
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
