//! Which copies are to be looked at: a node may hold hundreds that wait for nothing but their
//! coordinators, and is asked what is due after every input.

use std::collections::BTreeSet;

use wire::{JobId, NodeId, PeerMessage};

use crate::effect::Input;

/// Copies of which something was heard since they were last at rest. A copy comes out of its rest by
/// what is heard of its job, and all may when somebody comes or goes.
#[derive(Debug, Default)]
pub(super) struct Restless {
    jobs: BTreeSet<JobId>,
    /// Who was reached when all were looked at.
    reached: Vec<NodeId>,
}

impl Restless {
    pub(super) fn jobs(&self) -> impl Iterator<Item = &JobId> {
        self.jobs.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(super) fn contains(&self, job: JobId) -> bool {
        self.jobs.contains(&job)
    }

    pub(super) fn add(&mut self, job: JobId) {
        self.jobs.insert(job);
    }

    pub(super) fn retain(&mut self, is_restless: impl Fn(JobId) -> bool) {
        self.jobs.retain(|job| is_restless(*job));
    }

    /// Adds `all` when others are reached than before.
    pub(super) fn on_reached(
        &mut self,
        reached: impl Iterator<Item = NodeId> + Clone,
        all: &BTreeSet<JobId>,
    ) {
        if !reached.clone().eq(self.reached.iter().copied()) {
            self.reached = reached.collect();
            self.jobs.clone_from(all);
        }
    }

    pub(super) fn on_input(&mut self, input: &Input) {
        match input {
            Input::Peer { message, .. } => self.on_message(message),
            Input::Submit(record) => self.add(record.id),
            Input::Restore(restored) => self.add(restored.replica.record.id),
            Input::Buried(expired) => self.add(expired.job),
            Input::Cancel { job }
            | Input::Delete { job }
            | Input::Withdraw { job, .. }
            | Input::ResultDamaged { job, .. }
            | Input::InputsStored { job }
            | Input::InputsMissing { job } => self.add(*job),
            // Of no copy, or of all that hang on who is reached.
            Input::Tick
            | Input::LinkUp { .. }
            | Input::LinkDown { .. }
            | Input::Refused { .. }
            | Input::Unreached { .. }
            | Input::OwnStatus(_)
            | Input::Fetched { .. }
            | Input::Worker { .. }
            | Input::WorkerLeft { .. }
            | Input::WorkerResult { .. }
            | Input::WorkerHolds { .. }
            | Input::WorkerGaveBack { .. }
            | Input::Resign
            | Input::Leave => {}
        }
    }

    pub(super) fn on_message(&mut self, message: &PeerMessage) {
        let job = match message {
            PeerMessage::Job(summary) => summary.id,
            PeerMessage::CopyHead { job, .. }
            | PeerMessage::CopyBlock { job, .. }
            | PeerMessage::CopyState { job, .. }
            | PeerMessage::CopyRequest { job, .. }
            | PeerMessage::Inventory { job, .. }
            | PeerMessage::Election { job, .. }
            | PeerMessage::Refused { job, .. }
            | PeerMessage::Resign { job, .. }
            | PeerMessage::Withdrawn { job, .. }
            | PeerMessage::Cancel { job } => *job,
            PeerMessage::Directory(summaries) => {
                self.jobs.extend(summaries.iter().map(|summary| summary.id));
                return;
            }
            PeerMessage::Expired { jobs } => {
                self.jobs.extend(jobs.iter().map(|expired| expired.job));
                return;
            }
            // Between coordinators and devices, and of no job.
            PeerMessage::Pull { .. }
            | PeerMessage::Lease { .. }
            | PeerMessage::NoWork { .. }
            | PeerMessage::WorkAvailable { .. }
            | PeerMessage::GiveBack { .. }
            | PeerMessage::Drop { .. }
            | PeerMessage::Result { .. }
            | PeerMessage::Counted { .. }
            | PeerMessage::Held { .. }
            | PeerMessage::Heartbeat { .. }
            | PeerMessage::Fetched { .. }
            | PeerMessage::Status(_)
            | PeerMessage::Acquaintances(_)
            | PeerMessage::Goodbye
            | PeerMessage::Missing { .. }
            | PeerMessage::Seen { .. }
            | PeerMessage::ChunkRequest { .. }
            | PeerMessage::Chunk { .. }
            | PeerMessage::ChunkMissing { .. }
            | PeerMessage::ChunkElsewhere { .. } => return,
        };
        self.add(job);
    }
}
