//! The devices that compute through this node: its own threads and its pages.
//!
//! Each pulls: one request at a time, at the running job of which it has the
//! fewest blocks, so that many jobs share a device. What a device has finished
//! is kept until the coordinator says that it need not be. `local_worker` is one
//! device and the room that it has; `offers` holds what coordinators are told of that, and of what is still being computed.

mod local_worker;
mod offers;

use std::collections::{BTreeMap, BTreeSet};

use wire::{
    BlockIndex, BlockProof, BlockTask, ChunkHash, JobId, JobStatus, NodeId, PeerMessage, WorkerId,
};

use self::local_worker::{Kept, LocalWorker, next_job};
use self::offers::offer;
use crate::directory::Directory;
use crate::effect::{Output, WorkerCommand, WorkerProfile};
use crate::limits::{IDLE_RETRY, PULL_TIMEOUT, RESULTS_KEPT_MAX, UNASKED_WAIT};
use crate::time::Moment;

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
            self.workers.insert(worker, LocalWorker::new(profile));
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
        let has_room = known.stranded.contains(&job)
            || known.kept_for_the_living() < RESULTS_KEPT_MAX + known.room_max();
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

    /// Whether this very result of a device is still kept here.
    pub(crate) fn keeps(
        &self,
        worker: WorkerId,
        key: (JobId, BlockIndex),
        hash: Option<ChunkHash>,
    ) -> bool {
        let known = self.workers.get(&worker);
        let kept = known.and_then(|known| known.kept.get(&key));
        kept.is_some_and(|kept| kept.proof.hash == hash)
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
            if !known.kept.is_empty() || !known.stranded.is_empty() {
                let dropped = known.note_stranded(|job| {
                    let told = directory.get(job);
                    told.is_some_and(|told| is_reachable(told.epoch.coordinator))
                });
                for ((job, block), kept) in dropped {
                    let command = WorkerCommand::Counted {
                        job,
                        block,
                        counted: false,
                    };
                    outputs.push(Output::ToWorker {
                        worker: *worker,
                        command,
                    });
                    release(*worker, (job, block), &kept.proof, outputs);
                }
            }
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
                if !is_reachable(to) || directory.is_disowned(job) {
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

    /// Whether a device keeps results that nobody has taken yet.
    pub(crate) fn keeps_results(&self) -> bool {
        let mut workers = self.workers.values();
        workers.any(|known| !known.kept.is_empty() || !known.stranded.is_empty())
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
