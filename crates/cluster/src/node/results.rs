//! Results that come here: from the devices of jobs that this node leads.
//!
//! The blocks of a tiny job come within a moment of each other. Stored and copied one by one they would
//! be as many transactions here and on every backup; so those that come first wait for the others, as
//! if they had taken longer on their way.
//!
//! A result waits only if its lease outlasts the wait, so that nobody else is given its block. And
//! whatever could end the lease, or have a device of this node forget the bytes, ends the wait first.

use std::collections::BTreeMap;

use wire::{BlockIndex, BlockProof, Exchange, JobId, NodeId, PeerMessage, WorkerId};

use super::Node;
use crate::coordinator::Coordinator;
use crate::effect::{Input, Output};
use crate::limits::RESULTS_WAIT;
use crate::time::{Moment, Now};

/// A device's result of a block.
#[derive(Debug)]
pub(super) struct Returned {
    pub(super) from: NodeId,
    pub(super) block: BlockIndex,
    pub(super) exchange: Exchange,
    pub(super) proof: BlockProof,
}

/// Results of tiny jobs that wait for the others of their job.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    jobs: BTreeMap<JobId, (Moment, Vec<Returned>)>,
}

impl Gathered {
    /// Keeps one more; how many there are of its job now.
    fn add(&mut self, now: Moment, job: JobId, returned: Returned) -> usize {
        let (_, of_job) = (self.jobs.entry(job)).or_insert((now + RESULTS_WAIT, Vec::new()));
        of_job.push(returned);
        of_job.len()
    }

    fn has(&self, job: JobId, block: BlockIndex, worker: WorkerId) -> bool {
        let of_job = self.jobs.get(&job).map(|(_, of_job)| of_job);
        let mut of_job = of_job.into_iter().flatten();
        of_job.any(|returned| returned.block == block && returned.exchange.worker == worker)
    }

    fn take(&mut self, job: JobId) -> Vec<Returned> {
        self.jobs
            .remove(&job)
            .map_or_else(Vec::new, |(_, of_job)| of_job)
    }

    /// When the next ones have waited long enough.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.jobs.values().map(|(until, _)| *until).min()
    }
}

impl Node {
    /// A result came: of a tiny job it waits until the last of those that lack is there.
    pub(super) fn on_returned(
        &mut self,
        now: Now,
        job: JobId,
        mut returned: Returned,
        outputs: &mut Vec<Output>,
    ) {
        let is_genuine = !self.is_impostor(returned.from, &returned.exchange);
        let Returned {
            from,
            block,
            ref exchange,
            ref proof,
        } = returned;
        // A device of this node may have replaced it by another one meanwhile.
        let is_kept = from != self.id || self.host.keeps(exchange.worker, (job, block), proof.hash);
        let led = self
            .coordinators
            .get_mut(&job)
            .filter(|_| is_genuine && is_kept);
        let may_wait =
            |led: &&mut Coordinator| led.may_wait(now.moment, block, exchange.worker, proof);
        let Some(coordinator) = led.filter(may_wait) else {
            self.take_result(now, job, returned, outputs);
            return;
        };
        let lacking = coordinator.lacking();
        coordinator.on_sign_of_life(now.moment, from, exchange);
        if exchange.slots > 0 {
            // Whoever asks for more by it does not wait for the others.
            coordinator.on_pull(now.moment, from, exchange.clone(), outputs);
            returned.exchange.slots = 0;
        }
        if self.gathered.add(now.moment, job, returned) >= lacking {
            self.take_gathered(now, job, outputs);
        }
    }

    /// Those that have waited long enough for the others.
    pub(super) fn tick_gathered(&mut self, now: Now, outputs: &mut Vec<Output>) {
        let jobs = self.gathered.jobs.iter();
        let due = jobs.filter(|(_, (until, _))| *until <= now.moment);
        for job in due.map(|(job, _)| *job).collect::<Vec<_>>() {
            self.take_gathered(now, job, outputs);
        }
    }

    /// What an input could take the ground from.
    pub(super) fn take_gathered_before_input(
        &mut self,
        now: Now,
        input: &Input,
        outputs: &mut Vec<Output>,
    ) {
        match input {
            Input::WorkerResult {
                worker, job, block, ..
            } => {
                if self.gathered.has(*job, *block, *worker) {
                    self.take_gathered(now, *job, outputs);
                }
            }
            Input::Cancel { job }
            | Input::Delete { job }
            | Input::Withdraw { job, .. }
            | Input::ResultDamaged { job, .. } => {
                self.take_gathered(now, *job, outputs);
            }
            Input::Worker { .. }
            | Input::WorkerLeft { .. }
            | Input::WorkerHolds { .. }
            | Input::WorkerGaveBack { .. }
            | Input::LinkDown { .. }
            | Input::Resign
            | Input::Leave => self.take_all_gathered(now, outputs),
            // Messages are looked at one by one, and the others are of no result.
            Input::Peer { .. }
            | Input::Tick
            | Input::LinkUp { .. }
            | Input::Refused { .. }
            | Input::Unreached { .. }
            | Input::OwnStatus(_)
            | Input::Submit(_)
            | Input::Restore(_)
            | Input::Buried(_)
            | Input::Fetched { .. }
            | Input::InputsStored { .. }
            | Input::InputsMissing { .. } => {}
        }
    }

    /// The same for a message.
    pub(super) fn take_gathered_before_message(
        &mut self,
        now: Now,
        message: &PeerMessage,
        outputs: &mut Vec<Output>,
    ) {
        let job = match message {
            PeerMessage::Job(summary) => summary.id,
            PeerMessage::GiveBack { job, .. }
            | PeerMessage::Drop { job, .. }
            | PeerMessage::Counted { job, .. }
            | PeerMessage::Held { job, .. }
            | PeerMessage::CopyHead { job, .. }
            | PeerMessage::CopyRequest { job, .. }
            | PeerMessage::Election { job, .. }
            | PeerMessage::Refused { job, .. }
            | PeerMessage::Resign { job, .. }
            | PeerMessage::Withdrawn { job, .. }
            | PeerMessage::Cancel { job } => *job,
            PeerMessage::Goodbye | PeerMessage::Directory(_) | PeerMessage::Expired { .. } => {
                return self.take_all_gathered(now, outputs);
            }
            // Other results, what backups have, and what gives devices work or none.
            PeerMessage::Result { .. }
            | PeerMessage::CopyBlock { .. }
            | PeerMessage::CopyState { .. }
            | PeerMessage::Inventory { .. }
            | PeerMessage::Pull { .. }
            | PeerMessage::Lease { .. }
            | PeerMessage::NoWork { .. }
            | PeerMessage::WorkAvailable { .. }
            | PeerMessage::Heartbeat { .. }
            | PeerMessage::Fetched { .. }
            | PeerMessage::Status(_)
            | PeerMessage::Acquaintances(_)
            | PeerMessage::Missing { .. }
            | PeerMessage::Seen { .. }
            | PeerMessage::ChunkRequest { .. }
            | PeerMessage::Chunk { .. }
            | PeerMessage::ChunkMissing { .. }
            | PeerMessage::ChunkElsewhere { .. } => return,
        };
        self.take_gathered(now, job, outputs);
    }

    pub(super) fn take_all_gathered(&mut self, now: Now, outputs: &mut Vec<Output>) {
        for job in self.gathered.jobs.keys().copied().collect::<Vec<_>>() {
            self.take_gathered(now, job, outputs);
        }
    }

    fn take_gathered(&mut self, now: Now, job: JobId, outputs: &mut Vec<Output>) {
        for returned in self.gathered.take(job) {
            self.take_result(now, job, returned, outputs);
        }
    }

    fn take_result(&mut self, now: Now, job: JobId, returned: Returned, outputs: &mut Vec<Output>) {
        let Returned {
            from,
            block,
            exchange,
            proof,
        } = returned;
        let worker = exchange.worker;
        let is_genuine = !self.is_impostor(from, &exchange);
        match self.coordinators.get_mut(&job).filter(|_| is_genuine) {
            Some(coordinator) => {
                coordinator.on_result(now, from, block, exchange, proof, outputs);
            }
            None => {
                // The job may have ended, or be led elsewhere by now.
                let counted = is_genuine && self.has_credit(job, block, worker);
                let message = PeerMessage::Counted {
                    job,
                    block,
                    worker,
                    counted,
                };
                if counted || self.is_over(job) {
                    outputs.push(Output::Send { to: from, message });
                }
            }
        }
        if let Some(hash) = proof.hash.filter(|_| from != self.id) {
            outputs.push(Output::ReleaseResult {
                job,
                block,
                worker,
                hash,
            });
        }
    }
}
