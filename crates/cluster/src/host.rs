//! The devices that compute through this node: its own threads and its pages.
//!
//! Each pulls: one request at a time, at the running job of which it has the
//! fewest blocks, so that many jobs share a device. What a device has finished
//! is kept until the coordinator says that it need not be.

use std::collections::{BTreeMap, BTreeSet};

use wire::{BlockIndex, BlockProof, BlockTask, JobId, JobSummary, NodeId, PeerMessage, WorkerId};

use crate::directory::Directory;
use crate::effect::{Output, WorkerCommand, WorkerProfile};
use crate::limits::{BLOCKS_PER_THREAD, PULL_TIMEOUT, THREADS_MAX};
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
    /// Jobs whose coordinator had nothing for this device.
    idle_at: BTreeSet<JobId>,
}

impl LocalWorker {
    fn slots(&self) -> u32 {
        if !self.profile.contributing {
            return 0;
        }
        let room = self.profile.threads.min(THREADS_MAX) * BLOCKS_PER_THREAD;
        let taken = u32::try_from(self.leased.len()).unwrap_or(u32::MAX);
        room.saturating_sub(taken)
    }
}

/// All devices of this node.
#[derive(Debug, Default)]
pub(crate) struct WorkerHost {
    workers: BTreeMap<WorkerId, LocalWorker>,
}

impl WorkerHost {
    pub(crate) fn profiles(&self) -> impl Iterator<Item = (WorkerId, &WorkerProfile)> {
        self.workers
            .iter()
            .map(|(id, worker)| (*id, &worker.profile))
    }

    /// A device is new, or its profile changed.
    pub(crate) fn on_worker(
        &mut self,
        worker: WorkerId,
        profile: WorkerProfile,
        outputs: &mut Vec<Output>,
    ) {
        let stopped = !profile.contributing;
        match self.workers.get_mut(&worker) {
            Some(known) => {
                known.profile = profile;
                if stopped {
                    give_all_back(worker, known, false, outputs);
                }
            }
            None => {
                let fresh = LocalWorker {
                    profile,
                    leased: BTreeMap::new(),
                    kept: BTreeMap::new(),
                    asked: None,
                    idle_at: BTreeSet::new(),
                };
                self.workers.insert(worker, fresh);
            }
        }
    }

    /// A device is gone: its blocks go elsewhere at once.
    pub(crate) fn on_worker_left(&mut self, worker: WorkerId, outputs: &mut Vec<Output>) {
        if let Some(mut gone) = self.workers.remove(&worker) {
            give_all_back(worker, &mut gone, true, outputs);
            for (job, block) in gone.kept.into_keys() {
                outputs.push(Output::ReleaseResult { job, block, worker });
            }
        }
    }

    /// Blocks came for a device.
    pub(crate) fn on_lease(
        &mut self,
        from: NodeId,
        job: JobId,
        worker: WorkerId,
        tasks: Vec<BlockTask>,
        outputs: &mut Vec<Output>,
    ) {
        let Some(known) = self.workers.get_mut(&worker) else {
            // The device left while its lease was under way.
            let blocks = tasks.iter().map(|task| task.block).collect();
            let message = PeerMessage::GiveBack {
                job,
                worker,
                blocks,
                gone: true,
            };
            outputs.push(Output::Send { to: from, message });
            return;
        };
        if known.asked.is_some_and(|(asked, _)| asked == job) {
            known.asked = None;
        }
        for task in tasks {
            let key = (job, task.block);
            if known.kept.contains_key(&key) {
                // Done already: offer the result instead of computing again.
                known.leased.insert(key, from);
                offer(worker, known, key, from, 0, outputs);
            } else if known.leased.insert(key, from).is_none() {
                let command = WorkerCommand::Task {
                    task,
                    coordinator: from,
                };
                outputs.push(Output::ToWorker { worker, command });
            }
        }
    }

    /// The coordinator has nothing for this device.
    pub(crate) fn on_no_work(&mut self, job: JobId, worker: WorkerId) {
        if let Some(known) = self.workers.get_mut(&worker) {
            known.idle_at.insert(job);
            if known.asked.is_some_and(|(asked, _)| asked == job) {
                known.asked = None;
            }
        }
    }

    /// A job has blocks for everybody (again).
    pub(crate) fn on_work_available(&mut self, job: JobId) {
        for worker in self.workers.values_mut() {
            worker.idle_at.remove(&job);
        }
    }

    /// The coordinator does not need these blocks from the device.
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

    /// A job ended: nobody computes for it any longer.
    pub(crate) fn on_job_ended(&mut self, job: JobId, outputs: &mut Vec<Output>) {
        for (worker, known) in &mut self.workers {
            let worker = *worker;
            let before = known.leased.len();
            known.leased.retain(|(leased, _), _| *leased != job);
            if known.leased.len() < before {
                let command = WorkerCommand::Drop { job, block: None };
                outputs.push(Output::ToWorker { worker, command });
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
            outputs.push(Output::ReleaseResult { job, block, worker });
            return;
        };
        let leased_by = known.leased.remove(&key);
        let Some(summary) = directory.get(job) else {
            outputs.push(Output::ReleaseResult { job, block, worker });
            return;
        };
        let coordinator = leased_by.unwrap_or(summary.epoch.coordinator);
        known.kept.insert(key, Kept { proof });
        let mut slots = 0;
        if known.asked.is_none() && next_job(known, directory).is_some_and(|next| next.id == job) {
            slots = known.slots();
            known.asked = Some((job, now));
        }
        offer(worker, known, key, coordinator, slots, outputs);
    }

    /// A device cannot compute a block.
    pub(crate) fn on_gave_back(
        &mut self,
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
            known.idle_at.insert(job);
            let message = PeerMessage::GiveBack {
                job,
                worker,
                blocks: vec![block],
                gone: false,
            };
            outputs.push(Output::Send {
                to: coordinator,
                message,
            });
        }
    }

    /// The coordinator has recorded the result, or does not need it.
    pub(crate) fn on_counted(
        &mut self,
        worker: WorkerId,
        key: (JobId, BlockIndex),
        counted: bool,
        outputs: &mut Vec<Output>,
    ) {
        let (job, block) = key;
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        if known.kept.remove(&key).is_some() {
            let command = WorkerCommand::Counted {
                job,
                block,
                counted,
            };
            outputs.push(Output::ToWorker { worker, command });
            outputs.push(Output::ReleaseResult { job, block, worker });
        }
    }

    /// A peer is back: what it has not answered for is offered again.
    pub(crate) fn offer_kept(
        &self,
        peer: NodeId,
        directory: &Directory,
        outputs: &mut Vec<Output>,
    ) {
        for (worker, known) in &self.workers {
            for key in known.kept.keys() {
                let coordinator = directory.get(key.0).map(|job| job.epoch.coordinator);
                if coordinator == Some(peer) {
                    offer(*worker, known, *key, peer, 0, outputs);
                }
            }
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
        for (worker, known) in &mut self.workers {
            if let Some((job, since)) = known.asked {
                if now.since(since) < PULL_TIMEOUT {
                    continue;
                }
                // The answer was lost; try the others first.
                known.asked = None;
                known.idle_at.insert(job);
            }
            let slots = known.slots();
            if slots == 0 {
                continue;
            }
            let Some(next) = next_job(known, directory) else {
                continue;
            };
            let coordinator = next.epoch.coordinator;
            if !is_reachable(coordinator) {
                known.idle_at.insert(next.id);
                continue;
            }
            known.asked = Some((next.id, now));
            let exchange = known.profile.exchange(*worker, slots);
            let message = PeerMessage::Pull {
                job: next.id,
                exchange,
            };
            outputs.push(Output::Send {
                to: coordinator,
                message,
            });
        }
    }

    /// When a pull has waited too long.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let asked = self.workers.values().filter_map(|worker| worker.asked);
        asked.map(|(_, since)| since + PULL_TIMEOUT).min()
    }
}

/// The running job of which the device has the fewest blocks, among those that
/// may have some for it; of equals the oldest.
fn next_job<'d>(worker: &LocalWorker, directory: &'d Directory) -> Option<&'d JobSummary> {
    if worker.slots() == 0 {
        return None;
    }
    let leased_of = |job: JobId| {
        worker
            .leased
            .keys()
            .filter(|(leased, _)| *leased == job)
            .count()
    };
    directory
        .running()
        .into_iter()
        .filter(|job| !worker.idle_at.contains(&job.id))
        .min_by_key(|job| leased_of(job.id))
}

fn offer(
    worker: WorkerId,
    known: &LocalWorker,
    (job, block): (JobId, BlockIndex),
    coordinator: NodeId,
    slots: u32,
    outputs: &mut Vec<Output>,
) {
    let Some(kept) = known.kept.get(&(job, block)) else {
        return;
    };
    let exchange = known.profile.exchange(worker, slots);
    let message = PeerMessage::Result {
        job,
        block,
        exchange,
        proof: kept.proof,
    };
    outputs.push(Output::Send {
        to: coordinator,
        message,
    });
}

fn give_all_back(worker: WorkerId, known: &mut LocalWorker, gone: bool, outputs: &mut Vec<Output>) {
    let mut by_job: BTreeMap<(JobId, NodeId), Vec<BlockIndex>> = BTreeMap::new();
    for ((job, block), coordinator) in std::mem::take(&mut known.leased) {
        by_job.entry((job, coordinator)).or_default().push(block);
    }
    for ((job, coordinator), blocks) in by_job {
        if !gone {
            let command = WorkerCommand::Drop { job, block: None };
            outputs.push(Output::ToWorker { worker, command });
        }
        let message = PeerMessage::GiveBack {
            job,
            worker,
            blocks,
            gone,
        };
        outputs.push(Output::Send {
            to: coordinator,
            message,
        });
    }
}
