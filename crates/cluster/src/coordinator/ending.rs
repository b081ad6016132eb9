//! How a job ends, when that is told, and when it is forgotten.

use std::time::Duration;

use wire::{Ended, Ending, JobStatus};

use super::{Coordinator, has_all, milliseconds};
use crate::effect::{Change, Event, Output};
use crate::time::{Moment, Now};

impl Coordinator {
    /// When it fails, if it runs and nothing becomes of it until then.
    pub(crate) fn stalls_at(&self, patience: Duration) -> Option<Moment> {
        self.is_running().then(|| self.moved_at + patience)
    }

    /// Whether nothing has become of it for so long.
    pub(crate) fn has_stalled(&self, now: Moment, patience: Duration) -> bool {
        now.since(self.moved_at) + self.age_at_start >= patience
    }

    /// Where the job stands, as far as that may be told: its end is first
    /// stored on the backups.
    pub(crate) fn told_status(&self) -> JobStatus {
        if self.is_end_told {
            self.replica.status()
        } else {
            JobStatus::Running
        }
    }

    /// Ends a job of which every block is stored here. The end goes to the backups behind the last
    /// block, so that both cost one round; it is told when they have both.
    pub(crate) fn end_if_done(&mut self, now: Now, outputs: &mut Vec<Output>) {
        if self.is_running() && has_all(&self.replica, &self.cut) {
            self.end(now, Ending::Complete, outputs);
        }
    }

    /// Gives the job up.
    pub(crate) fn fail(&mut self, now: Now, reason: String, outputs: &mut Vec<Output>) {
        if self.is_running() {
            self.end(now, Ending::Failed(reason), outputs);
        }
    }

    /// Somebody cancels the job; one that has ended stays as it is.
    pub(crate) fn on_cancel(&mut self, now: Now, outputs: &mut Vec<Output>) {
        if self.is_running() {
            self.end(now, Ending::Cancelled, outputs);
        }
    }

    fn end(&mut self, now: Now, ending: Ending, outputs: &mut Vec<Output>) {
        let ended = Ended {
            ending,
            at_unix_ms: now.unix_ms,
            elapsed_ms: milliseconds(self.age(now.moment)),
        };
        self.replica.record_end(ended);
        self.wind_up(now, Duration::ZERO, outputs);
    }

    /// The job has ended, here or at another coordinator whose state was
    /// united with this one, `age` ago.
    pub(super) fn wind_up(&mut self, now: Now, age: Duration, outputs: &mut Vec<Output>) {
        self.ended_at = Some((now.moment, age));
        self.is_end_told = false;
        self.pending.clear();
        self.reserved.clear();
        self.leases.clear();
        self.awaited.clear();
        self.awaited_until = None;
        self.complete_elsewhere_since = None;
        self.adoption = None;
        for participant in self.participants.values_mut() {
            participant.paused_until = None;
            participant.away_until = None;
            participant.leased = 0;
        }
        outputs.push(Output::Persist(Change::Head {
            job: self.job(),
            leadership: self.replica.leadership.clone(),
            tallies: vec![(self.epoch(), self.tally())],
            ended: self.replica.ended.clone().map(|ended| (ended, age)),
        }));
        self.copies.on_head_changed();
        self.ship(now.moment, outputs);
        self.tell_end(now.moment, outputs);
    }

    /// Tells the end once every backup has it.
    pub(super) fn tell_end(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        let Some(ended) = self.replica.ended.clone() else {
            return;
        };
        let waits = self.copies_awaited.is_some() || !self.uncommitted.is_empty();
        if self.is_end_told || waits || !self.copies.have_head() {
            return;
        }
        self.is_end_told = true;
        self.summary_due = Some(now);
        let job = self.job();
        let elapsed = Duration::try_from_secs_f64(ended.elapsed_ms / 1e3).unwrap_or_default();
        outputs.push(Output::Event(Event::JobEnded {
            job,
            ended,
            elapsed,
        }));
        outputs.push(Output::Event(Event::JobChanged { job }));
    }
}
