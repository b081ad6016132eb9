//! The devices that a job has heard of.

use wire::{Exchange, NodeId, WorkerId};

use super::{Coordinator, Participant};
use crate::limits::{FAILURE_PAUSE, FAILURES_DOUBLED_MAX, PARTICIPANTS_MAX};
use crate::placement::Speed;
use crate::time::Moment;

impl Coordinator {
    /// Remembers a device; one more than there may be is not.
    pub(super) fn meet(&mut self, home: NodeId, exchange: &Exchange) {
        let (worker, mflops, threads) = (exchange.worker, exchange.mflops, exchange.threads);
        self.awaited.remove(&worker);
        if let Some(participant) = self.participants.get_mut(&worker) {
            participant.speed.claim_again(mflops, threads);
            participant.home = home;
            participant.away_until = None;
            return;
        }
        if self.participants.len() >= PARTICIPANTS_MAX && !self.forget_one_idle() {
            return;
        }
        let participant = Participant {
            home,
            kind: exchange.kind,
            name: exchange.name.clone(),
            away_until: None,
            speed: Speed::claimed(mflops, threads),
            leased: 0,
            took_part: false,
            hungry: false,
            asked_at: None,
            paused_until: None,
            lapsed: false,
            failures: 0,
        };
        self.participants.insert(worker, participant);
    }

    fn forget_one_idle(&mut self) -> bool {
        let mut idle = self.participants.iter();
        let idle = idle.find(|(_, participant)| participant.leased == 0);
        let idle = idle.map(|(worker, _)| *worker);
        idle.is_some_and(|worker| self.participants.remove(&worker).is_some())
    }

    /// A device sent a wrong result, or none: the block goes to others first.
    pub(super) fn set_aside(&mut self, now: Moment, worker: WorkerId) {
        if let Some(participant) = self.participants.get_mut(&worker) {
            let doubled = participant.failures.min(FAILURES_DOUBLED_MAX);
            participant.failures = participant.failures.saturating_add(1);
            participant.paused_until = Some(now + FAILURE_PAUSE * (1 << doubled));
            participant.hungry = true;
        }
    }
}
