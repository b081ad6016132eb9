//! Which machine a message is for.

use wire::{Epoch, Exchange, JobId, JobStatus, NodeId, PeerMessage, WorkerId, WorkerKind};

use super::Node;
use super::results::Returned;
use crate::coordinator::HolderState;
use crate::effect::Output;
use crate::host::Leases;
use crate::limits::{EPOCHS_AHEAD_MAX, LEASES_UNASKED_MAX};
use crate::tasks::is_given_unasked;
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
        if let Some(job) = subject_of(&message).filter(|job| self.expired.contains_key(job)) {
            if from != self.id {
                let message = PeerMessage::Expired { job };
                outputs.push(Output::Send { to: from, message });
            }
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
            PeerMessage::Job(summary) => {
                if summary.status == JobStatus::Running {
                    self.disown(from, summary.id, summary.epoch, outputs);
                }
                self.on_told(now, from, summary, outputs);
            }
            PeerMessage::Pull { job, exchange } => {
                let is_genuine = !self.is_impostor(from, &exchange);
                match self.coordinators.get_mut(&job).filter(|_| is_genuine) {
                    Some(coordinator) => coordinator.on_pull(now.moment, from, exchange, outputs),
                    None => {
                        let message = PeerMessage::NoWork {
                            job,
                            worker: exchange.worker,
                        };
                        outputs.push(Output::Send { to: from, message });
                    }
                }
            }
            PeerMessage::Lease {
                job,
                epoch,
                worker,
                tasks,
            } => {
                // A smaller epoch is a coordinator that was replaced.
                if self.newest_epoch(job).is_none_or(|newest| epoch >= newest) {
                    let known = self.directory.get(job);
                    let is_unasked = known
                        .is_some_and(|known| is_given_unasked(known.shape, known.options.spread));
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
                self.host.on_drop(job, worker, &blocks, outputs);
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
                if let Some(coordinator) = self.coordinators.get_mut(&job) {
                    coordinator.on_cancel(now, outputs);
                }
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
            } => self.on_copy_block(now, from, (job, epoch), (done, tally, bytes), outputs),
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
            PeerMessage::Election { job, epoch } => {
                self.on_election(now, from, job, epoch, outputs);
            }
            PeerMessage::Refused { job, refusal } => {
                self.on_refused(now, from, job, refusal);
            }
            PeerMessage::Resign { job, epoch } => self.on_resigned(from, job, epoch),
            PeerMessage::Expired { job } => self.on_expired(now, from, job, outputs),
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
            | PeerMessage::CopyRequest { job, .. } => *job,
            _ => return false,
        };
        self.foreign.contains(&(job, from))
    }

    /// This node is taken for the coordinator of a job that it does not know:
    /// it has lost its store. Its backups would wait for it for ever.
    fn disown(&self, from: NodeId, job: JobId, epoch: Epoch, outputs: &mut Vec<Output>) {
        let knows = self.replica(job).is_some() || self.expired.contains_key(&job);
        if epoch.coordinator == self.id && from != self.id && !knows {
            let message = PeerMessage::Resign { job, epoch };
            outputs.push(Output::Send { to: from, message });
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
        | PeerMessage::Resign { job, epoch } => Some((*job, *epoch)),
        _ => None,
    }
}

/// The job whose copies a message is about.
fn subject_of(message: &PeerMessage) -> Option<JobId> {
    match message {
        PeerMessage::Job(summary) => Some(summary.id),
        PeerMessage::CopyHead { job, .. }
        | PeerMessage::CopyState { job, .. }
        | PeerMessage::CopyRequest { job, .. }
        | PeerMessage::Election { job, .. } => Some(*job),
        _ => None,
    }
}
