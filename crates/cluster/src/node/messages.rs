//! Which machine a message is for.

use wire::{
    BlockTask, Epoch, Exchange, ExpiredJob, JobId, JobStatus, JobSummary, NodeId, PeerMessage,
    WorkerId, WorkerKind,
};

use super::Node;
use super::results::Returned;
use crate::coordinator::HolderState;
use crate::effect::Output;
use crate::host::Leases;
use crate::limits::{EPOCHS_AHEAD_MAX, LEASE_BLOCKS_MAX, LEASES_UNASKED_MAX, SUMMARIES_PER_PAGE};
use crate::tasks::{is_given_unasked, is_task_of};
use crate::time::Now;

impl Node {
    pub(super) fn on_message(
        &mut self,
        now: Now,
        from: NodeId,
        message: PeerMessage,
        outputs: &mut Vec<Output>,
    ) {
        let epoch = epoch_in(&message);
        let is_made_up = epoch.is_some_and(|(job, epoch)| !self.is_believable(job, epoch));
        let is_foreign = self.is_foreign(from, &message);
        if is_made_up || is_foreign {
            if let PeerMessage::CopyBlock { job, done, .. } = message {
                outputs.push(Output::ReleaseResult {
                    job,
                    block: done.block,
                    worker: done.worker,
                    hash: done.hash,
                });
            }
            return;
        }
        if let Some(job) = subject_of(&message).filter(|job| self.expired.contains(*job)) {
            self.tell_expired(from, [job], outputs);
            return;
        }
        self.take_gathered_before_message(now, &message, outputs);
        match message {
            PeerMessage::Heartbeat { .. } => {}
            PeerMessage::Status(status) => self.on_status(from, status, outputs),
            PeerMessage::Acquaintances(nodes) => self.on_acquaintances(nodes, outputs),
            PeerMessage::Goodbye => {
                self.membership.on_goodbye(from);
                self.on_peer_gone(now, from, outputs);
            }
            PeerMessage::Job(summary) => self.on_job(now, from, summary, outputs),
            PeerMessage::Directory(summaries) => self.on_directory(now, from, summaries, outputs),
            PeerMessage::Pull { job, exchange } => {
                let is_genuine = !self.is_impostor(from, &exchange);
                match self.coordinators.get_mut(&job).filter(|_| is_genuine) {
                    Some(coordinator) => coordinator.on_pull(now.moment, from, exchange, outputs),
                    None => {
                        let worker = exchange.worker;
                        let message = PeerMessage::NoWork { job, worker };
                        outputs.push(Output::Send { to: from, message });
                        self.correct(from, job, outputs);
                    }
                }
            }
            PeerMessage::Lease {
                job,
                epoch,
                worker,
                tasks,
            } => {
                self.on_lease(now, from, (job, epoch), (worker, tasks), outputs);
            }
            PeerMessage::NoWork { job, worker } => {
                // Nobody else has a say in it.
                let led_by = self.newest_epoch(job).map(|epoch| epoch.coordinator);
                if led_by == Some(from) {
                    self.host.on_no_work(now.moment, job, worker);
                }
            }
            PeerMessage::WorkAvailable { job } => self.host.on_work_available(job),
            PeerMessage::GiveBack {
                job,
                worker,
                blocks,
                gone,
            } => {
                if let Some(coordinator) = self.coordinators.get_mut(&job) {
                    coordinator.on_give_back(now.moment, from, worker, &blocks, gone, outputs);
                }
            }
            PeerMessage::Drop {
                job,
                worker,
                blocks,
            } => {
                if self.is_its_coordinator(from, job) {
                    self.host.on_drop(job, worker, &blocks, outputs);
                }
            }
            PeerMessage::Result {
                job,
                block,
                exchange,
                proof,
            } => {
                let returned = Returned {
                    from,
                    block,
                    exchange,
                    proof,
                };
                self.on_returned(now, job, returned, outputs);
            }
            PeerMessage::Counted {
                job,
                block,
                worker,
                counted,
            } => {
                self.host.on_counted(worker, (job, block), counted, outputs);
            }
            PeerMessage::Cancel { job } => {
                // Not passed on again: two nodes that each believe the other to lead would never end.
                self.on_cancel(now, job, false, outputs);
            }
            PeerMessage::Held { job, epoch, leases } => {
                let mut leases = leases;
                leases.retain(|held| !self.is_impostor(from, &held.exchange));
                let coordinator = self.coordinators.get_mut(&job);
                let coordinator = coordinator.filter(|own| own.epoch() == epoch);
                if let Some(coordinator) = coordinator {
                    coordinator.on_held(now, from, leases, outputs);
                }
            }
            PeerMessage::CopyHead {
                job, number, head, ..
            } => {
                if head.record.id == job {
                    self.on_copy_head(now, from, number, &head, outputs);
                }
            }
            PeerMessage::CopyBlock {
                job,
                epoch,
                done,
                tally,
                bytes,
            } => self.on_copy_block(now, from, (job, epoch), (*done, tally, bytes), outputs),
            PeerMessage::CopyState {
                job,
                epoch,
                head,
                has_inputs,
                has_end,
                blocks,
                is_all,
            } => {
                self.disown(from, job, epoch, outputs);
                let state = HolderState {
                    epoch,
                    head,
                    has_inputs,
                    has_end,
                    blocks,
                    is_all,
                };
                self.on_copy_state(now, from, job, &state, outputs);
            }
            PeerMessage::CopyRequest { job, epoch, have } => {
                self.on_copy_request(now, from, (job, epoch), &have, outputs);
            }
            PeerMessage::Inventory { job, blocks } => {
                self.on_inventory(now.moment, from, job, &blocks);
            }
            PeerMessage::Election { job, epoch } => {
                self.on_election(now, from, job, epoch, outputs);
            }
            PeerMessage::Refused { job, refusal } => {
                self.on_refused(now, from, job, refusal);
            }
            PeerMessage::Resign { job, epoch } => self.on_resigned(now.moment, from, job, epoch),
            PeerMessage::Expired { jobs } => {
                self.on_all_expired(now, from, jobs, outputs);
            }
            PeerMessage::Fetched { jobs } => self.on_fetched(jobs),
            PeerMessage::Withdrawn { job, epoch } => {
                self.on_withdrawn(now, from, job, epoch, outputs);
            }
            PeerMessage::Missing { node } => {
                self.membership.on_missed(from, node);
                let alive = self.membership.is_reached(node);
                let message = PeerMessage::Seen { node, alive };
                outputs.push(Output::Send { to: from, message });
            }
            PeerMessage::Seen { node, alive } => self.membership.on_seen(from, node, alive),
            // The chunks themselves never come here: links answer them.
            PeerMessage::ChunkRequest { .. }
            | PeerMessage::Chunk { .. }
            | PeerMessage::ChunkMissing { .. }
            | PeerMessage::ChunkElsewhere { .. } => {}
        }
        self.tell_due_summaries(now.moment, outputs);
    }

    fn on_job(&mut self, now: Now, from: NodeId, summary: JobSummary, outputs: &mut Vec<Output>) {
        if summary.status == JobStatus::Running {
            self.disown(from, summary.id, summary.epoch, outputs);
        }
        self.on_told(now, from, summary, outputs);
    }

    /// What another node knows of all jobs, in parts. Those that have expired here are named together.
    fn on_directory(
        &mut self,
        now: Now,
        from: NodeId,
        summaries: Vec<JobSummary>,
        outputs: &mut Vec<Output>,
    ) {
        let summaries = summaries.into_iter().take(SUMMARIES_PER_PAGE);
        let mut expired = Vec::new();
        for summary in summaries {
            if self.expired.contains(summary.id) {
                expired.push(summary.id);
            } else if self.is_believable(summary.id, summary.epoch) {
                self.on_job(now, from, summary, outputs);
            }
        }
        self.tell_expired(from, expired, outputs);
    }

    /// Another node has forgotten these jobs. Others may have heard from this node that one of them runs.
    fn on_all_expired(
        &mut self,
        now: Now,
        from: NodeId,
        mut jobs: Vec<ExpiredJob>,
        outputs: &mut Vec<Output>,
    ) {
        jobs.truncate(SUMMARIES_PER_PAGE);
        // Whoever deletes a job tells all nodes itself.
        jobs.retain(|expired| self.on_expired(now, from, *expired, outputs) && !expired.is_deleted);
        let given_up: Vec<JobId> = jobs.into_iter().map(|expired| expired.job).collect();
        for to in self.membership.linked() {
            if to != from {
                self.tell_expired(to, given_up.iter().copied(), outputs);
            }
        }
    }

    /// Whoever speaks of a job whose time to live is over hears that.
    pub(super) fn tell_expired(
        &self,
        to: NodeId,
        jobs: impl IntoIterator<Item = JobId>,
        outputs: &mut Vec<Output>,
    ) {
        let jobs = jobs.into_iter().filter_map(|job| self.expired.get(job));
        let jobs: Vec<ExpiredJob> = jobs.collect();
        if to != self.id && !jobs.is_empty() {
            let message = PeerMessage::Expired { jobs };
            outputs.push(Output::Send { to, message });
        }
    }

    /// Blocks came for a device. Only the coordinator of a job that is known here gives them, and each is
    /// checked before anybody makes room for it.
    fn on_lease(
        &mut self,
        now: Now,
        from: NodeId,
        (job, epoch): (JobId, Epoch),
        (worker, mut tasks): (WorkerId, Vec<BlockTask>),
        outputs: &mut Vec<Output>,
    ) {
        // A smaller epoch is a coordinator that was replaced.
        let newest = self.newest_epoch(job);
        let is_current = newest.is_some_and(|newest| epoch >= newest) && epoch.coordinator == from;
        let Some(known) = self.directory.get(job).filter(|_| is_current) else {
            return;
        };
        let (shape, spread) = (known.shape, known.options.spread);
        tasks.truncate(LEASE_BLOCKS_MAX);
        tasks.retain(|task| is_task_of(shape, self.config.side_max, task));
        let is_unasked = is_given_unasked(shape, spread);
        let unasked_max = if is_unasked { LEASES_UNASKED_MAX } else { 0 };
        let leases = Leases {
            from,
            job,
            worker,
            tasks,
            unasked_max,
        };
        self.host.on_lease(now.moment, leases, outputs);
    }

    /// Whether a node is the last that is known to coordinate a job.
    fn is_its_coordinator(&self, node: NodeId, job: JobId) -> bool {
        let newest = self.newest_epoch(job);
        newest.is_some_and(|epoch| epoch.coordinator == node)
    }

    /// Epochs are won one by one: one far beyond what is known was made up, and
    /// nobody could stand for a greater.
    fn is_believable(&self, job: JobId, epoch: Epoch) -> bool {
        let known = self.newest_epoch(job).map_or(0, |epoch| epoch.number);
        epoch.number <= known.saturating_add(EPOCHS_AHEAD_MAX)
    }

    /// Whether it speaks of another job that has the same id.
    fn is_foreign(&self, from: NodeId, message: &PeerMessage) -> bool {
        let job = match message {
            PeerMessage::CopyBlock { job, .. }
            | PeerMessage::CopyState { job, .. }
            | PeerMessage::CopyRequest { job, .. }
            | PeerMessage::Inventory { job, .. } => *job,
            _ => return false,
        };
        self.foreign.contains(&(job, from))
    }

    /// This node is taken for the coordinator of a job that it does not know:
    /// it has lost its store. Its backups would wait for it for ever.
    fn disown(&self, from: NodeId, job: JobId, epoch: Epoch, outputs: &mut Vec<Output>) {
        let knows = self.replica(job).is_some() || self.expired.contains(job);
        if epoch.coordinator == self.id && from != self.id && !knows {
            let message = PeerMessage::Resign { job, epoch };
            outputs.push(Output::Send { to: from, message });
        }
    }

    /// A node takes this one for the coordinator of a job: it gets what is known of it here. On a partial partition
    /// it may not hear whoever coordinates the job now.
    pub(super) fn correct(&self, from: NodeId, job: JobId, outputs: &mut Vec<Output>) {
        let Some(known) = self.directory.get(job) else {
            return;
        };
        if known.epoch.coordinator != self.id {
            let message = PeerMessage::Job(known.clone());
            outputs.push(Output::Send { to: from, message });
        } else if known.status == JobStatus::Running {
            self.disown(from, job, known.epoch, outputs);
        }
    }

    /// Whether a device goes by the id of a node that it is not.
    pub(super) fn is_impostor(&self, home: NodeId, exchange: &Exchange) -> bool {
        let is_of = |node: NodeId| exchange.worker == WorkerId::from(node);
        match exchange.kind {
            WorkerKind::Native => !is_of(home),
            WorkerKind::Browser => {
                is_of(self.id) || self.membership.peers().any(|(peer, _)| is_of(peer))
            }
        }
    }
}

/// The job and epoch of which a message speaks.
fn epoch_in(message: &PeerMessage) -> Option<(JobId, Epoch)> {
    match message {
        PeerMessage::Job(summary) => Some((summary.id, summary.epoch)),
        PeerMessage::CopyHead { job, head, .. } => Some((*job, head.leadership.epoch)),
        PeerMessage::CopyBlock {
            job, epoch, done, ..
        } => Some((*job, done.epoch.max(*epoch))),
        PeerMessage::Lease { job, epoch, .. }
        | PeerMessage::CopyState { job, epoch, .. }
        | PeerMessage::CopyRequest { job, epoch, .. }
        | PeerMessage::Election { job, epoch }
        | PeerMessage::Withdrawn { job, epoch }
        | PeerMessage::Resign { job, epoch } => Some((*job, *epoch)),
        _ => None,
    }
}

/// The job that whoever sends the message takes for one that lives.
fn subject_of(message: &PeerMessage) -> Option<JobId> {
    match message {
        PeerMessage::Job(summary) => Some(summary.id),
        PeerMessage::CopyHead { job, .. }
        | PeerMessage::CopyState { job, .. }
        | PeerMessage::CopyRequest { job, .. }
        | PeerMessage::Election { job, .. }
        | PeerMessage::Pull { job, .. } => Some(*job),
        _ => None,
    }
}
