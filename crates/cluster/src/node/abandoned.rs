//! Running jobs of which no reachable node has a copy.
//!
//! A reachable holder may have lost its copy, too.
//! But a coordinator announces each job at least once in its time to live, because one without progress for that
//! long has failed.
//!
//! While their holders are away such jobs wait.
//! After their time to live each node shows them as failed, for itself: that is what this node observes, not the
//! state of the job, so it announces nothing, and the job goes on when a copy comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wire::{JobId, JobStatus, NodeId};

use super::Node;
use crate::effect::{Event, Output};
use crate::time::Moment;

/// The announcement of a job may be late by this part of its time to live.
const SILENCE_PARTS: u32 = 4;

/// Looking through all running jobs takes a fraction of a millisecond.
const SWEEP_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Jobs without a holder that is there.
#[derive(Debug, Default)]
pub(super) struct Abandoned {
    since: BTreeMap<JobId, Moment>,
    /// The same by time.
    by_time: BTreeSet<(Moment, JobId)>,
    /// Who was reached when all jobs were looked through.
    reached: Vec<NodeId>,
    /// When it is looked for those of which nothing is heard any more.
    sweep_at: Moment,
}

impl Abandoned {
    fn add(&mut self, now: Moment, job: JobId) {
        let since = *self.since.entry(job).or_insert(now);
        self.by_time.insert((since, job));
    }

    pub(super) fn forget(&mut self, job: JobId) {
        if let Some(since) = self.since.remove(&job) {
            self.by_time.remove(&(since, job));
        }
    }

    /// When the first of them has waited for its time to live.
    pub(super) fn next_deadline(&self, time_to_live: Duration) -> Option<Moment> {
        let waiting = self.by_time.first().map(|(first, _)| *first + time_to_live);
        waiting.into_iter().chain([self.sweep_at]).min()
    }
}

impl Node {
    /// Whether a node that has a copy of the job answers.
    pub(super) fn is_held(&self, job: JobId) -> bool {
        let told = self.directory.get(job);
        let holders = told.into_iter().flat_map(|told| {
            let coordinator = told.epoch.coordinator;
            std::iter::once(coordinator).chain(told.holders.iter().copied())
        });
        let disowned_by = told.filter(|_| self.directory.is_disowned(job));
        let disowned_by = disowned_by.map(|told| told.epoch.coordinator);
        let mut holders =
            holders.filter(|holder| *holder != self.id && Some(*holder) != disowned_by);
        holders.any(|holder| self.membership.is_reached(holder))
    }

    /// Notes whether anybody who is there holds a job.
    pub(super) fn note_holders(&mut self, now: Moment, job: JobId) {
        let told = self.directory.get(job);
        let is_running = told.is_some_and(|told| told.status == JobStatus::Running);
        if is_running && self.is_out_of_reach(job) {
            self.abandoned.add(now, job);
        } else {
            self.abandoned.forget(job);
        }
    }

    /// Gives up what waited too long.
    pub(super) fn tick_abandoned(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        let reached = self.membership.reached();
        if !reached.eq(self.abandoned.reached.iter().copied()) {
            self.abandoned.reached = self.membership.reached().collect();
            let running: Vec<JobId> = self.directory.running().map(|job| job.id).collect();
            for job in running {
                self.note_holders(now, job);
            }
        }
        let time_to_live = self.config.result_ttl;
        let waiting = self.abandoned.by_time.iter();
        let due = waiting.take_while(|(since, _)| *since + time_to_live <= now);
        let mut due: Vec<JobId> = due.map(|(_, job)| *job).collect();
        if self.abandoned.sweep_at <= now {
            let interval = (time_to_live / SILENCE_PARTS).max(SWEEP_INTERVAL_MIN);
            self.abandoned.sweep_at = now + interval;
            let silent = self.directory.silent_for(time_to_live + interval, now);
            due.extend(
                silent
                    .into_iter()
                    .filter(|job| self.replica(*job).is_none()),
            );
        }
        for job in due {
            self.abandon(now, job, outputs);
        }
    }

    /// Nobody will take what is computed for the job, as far as this node can see.
    pub(super) fn abandon(&mut self, now: Moment, job: JobId, outputs: &mut Vec<Output>) {
        self.abandoned.forget(job);
        self.directory.abandon(job, now);
        self.host.on_job_ended(job, outputs);
        outputs.push(Output::Event(Event::JobChanged { job }));
    }
}
