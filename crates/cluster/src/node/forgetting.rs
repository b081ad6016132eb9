//! Jobs that go: their time to live is over, somebody deleted them, or the directory is full.
//!
//! Of each a tombstone is left, so that a copy which comes back later finds out.
//! A full directory drops jobs whose results were fetched or that have none, those that ended first before the others.
//! When there is none, submissions are refused: a result that nobody has fetched is kept for its time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wire::{ExpiredJob, JobId, JobStatus, NodeId, PeerMessage};

use super::Node;
use crate::effect::{Change, Event, Output};
use crate::follower::Follower;
use crate::limits::{
    DIRECTORY_JOBS_MAX, DIRECTORY_RESERVE, FETCHED_INTERVAL, SUMMARIES_PER_PAGE, TOMBSTONES_MAX,
};
use crate::time::{Moment, Now};

/// What is remembered of jobs that are gone.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    jobs: BTreeMap<JobId, Tombstone>,
    /// The oldest go first.
    by_time: BTreeSet<(Moment, JobId)>,
}

#[derive(Debug, Clone, Copy)]
struct Tombstone {
    since: Moment,
    expired: ExpiredJob,
}

impl Tombstones {
    pub(super) fn contains(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    pub(super) fn get(&self, job: JobId) -> Option<ExpiredJob> {
        self.jobs.get(&job).map(|tombstone| tombstone.expired)
    }

    fn insert(&mut self, since: Moment, expired: ExpiredJob) {
        if self.jobs.len() >= TOMBSTONES_MAX
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.jobs.remove(&oldest);
        }
        let tombstone = Tombstone { since, expired };
        if let Some(before) = self.jobs.insert(expired.job, tombstone) {
            self.by_time.remove(&(before.since, expired.job));
        }
        self.by_time.insert((since, expired.job));
    }
}

/// Jobs whose results were fetched here, as long as the others have not heard of it.
#[derive(Debug, Default)]
pub(super) struct FetchedHere {
    jobs: BTreeSet<JobId>,
    tell_at: Option<Moment>,
}

impl FetchedHere {
    fn add(&mut self, now: Moment, job: JobId) {
        self.jobs.insert(job);
        self.tell_at.get_or_insert(now + FETCHED_INTERVAL);
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.tell_at
    }
}

impl Node {
    /// Whether the job was here and is gone: its time to live was over, or somebody deleted it.
    #[must_use]
    pub fn is_expired(&self, job: JobId) -> bool {
        self.expired.contains(job)
    }

    /// How long no job can be submitted, because the directory is full of jobs whose results nobody has fetched.
    #[must_use]
    pub fn is_full_for(&self, now: Moment) -> Option<Duration> {
        let is_full = self.directory.len() >= DIRECTORY_JOBS_MAX;
        if !is_full || self.directory.disposable().next().is_some() {
            return None;
        }
        let time_to_live = self.config.result_ttl;
        let heard = self.directory.first_ended_at();
        let heard = heard.map(|ended| ended + time_to_live);
        // Of what was here before a start only its copy knows how old it is.
        let kept = self.expiries.first().map(|(at, _)| *at);
        let first = heard.into_iter().chain(kept).min();
        Some(first.map_or(time_to_live, |first| first.since(now)))
    }

    /// Drops a job for one that is new, where there are too many. False when none may go.
    pub(super) fn make_room(&mut self, now: Moment, job: JobId, outputs: &mut Vec<Output>) -> bool {
        let known = self.directory.len();
        if known < DIRECTORY_JOBS_MAX || self.directory.get(job).is_some() {
            return true;
        }
        let mut disposable = self.directory.disposable();
        // What this node coordinates goes nowhere: its end may not be told yet.
        let oldest = disposable.find(|job| !self.coordinators.contains_key(job));
        drop(disposable);
        let Some(oldest) = oldest else {
            // Other nodes have accepted it before they knew that they are full.
            return known < DIRECTORY_JOBS_MAX + DIRECTORY_RESERVE;
        };
        self.expire(now, oldest, outputs);
        true
    }

    /// Somebody was sent all of a result by this node.
    pub(super) fn on_fetched_here(&mut self, now: Moment, job: JobId) {
        if self.directory.note_fetched(job) {
            self.fetched_here.add(now, job);
        }
    }

    /// Somebody was sent all of these results by another node.
    pub(super) fn on_fetched(&mut self, jobs: Vec<JobId>) {
        for job in jobs.into_iter().take(SUMMARIES_PER_PAGE) {
            self.directory.note_fetched(job);
        }
    }

    pub(super) fn tick_fetched(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        if self.fetched_here.tell_at.is_none_or(|at| at > now) {
            return;
        }
        self.fetched_here.tell_at = None;
        let jobs = std::mem::take(&mut self.fetched_here.jobs);
        let jobs: Vec<JobId> = jobs.into_iter().collect();
        for page in jobs.chunks(SUMMARIES_PER_PAGE) {
            let jobs = page.to_vec();
            self.tell_all(&PeerMessage::Fetched { jobs }, outputs);
        }
    }

    /// Somebody deletes a job. One that runs is cancelled, and can be deleted then.
    pub(super) fn on_delete(&mut self, now: Now, job: JobId, outputs: &mut Vec<Output>) {
        let led = self.coordinators.get(&job);
        let runs = led.map_or_else(
            || self.is_running(job),
            |own| own.told_status() == JobStatus::Running,
        );
        if runs {
            self.on_cancel(now, job, true, outputs);
            return;
        }
        if self.newest_epoch(job).is_none() {
            return;
        }
        self.give_up(now.moment, job, true, outputs);
        for to in self.membership.linked() {
            self.tell_expired(to, [job], outputs);
        }
    }

    /// Jobs whose time is over, here and as far as this node has heard.
    pub(super) fn tick_expiries(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        while let Some((at, job)) = self.expiries.first().copied() {
            if at > now {
                break;
            }
            self.expire(now, job, outputs);
        }
        let time_to_live = self.config.result_ttl;
        for job in self.directory.ended_for(time_to_live, now) {
            if self.directory.is_abandoned(job) {
                // It may come back, and then it is known again.
                self.directory.remove(job);
                continue;
            }
            // A copy is kept for its own time, which may end later.
            let copy = self.followers.get(&job);
            if copy.is_some_and(|copy| copy.listed_until.is_some()) {
                self.directory.keep_longer(job, now);
            } else {
                self.expire(now, job, outputs);
            }
        }
    }

    /// The others have forgotten a job that is still here: this node slept, or
    /// was off, for longer than its time to live.
    ///
    /// A copy is given up on that word when it is of the same submission, whatever the calendars say: nobody
    /// forgets a job before it ended. Where that is not known it must have been here for its time to live. True
    /// when it was given up.
    pub(super) fn on_expired(
        &mut self,
        now: Now,
        from: NodeId,
        expired: ExpiredJob,
        outputs: &mut Vec<Output>,
    ) -> bool {
        let job = expired.job;
        let Some(newest) = self.newest_epoch(job) else {
            return false;
        };
        // Of a job that another leads, the other has the say; any holder may have deleted one that has ended.
        let leader = newest.coordinator;
        let has_ended =
            self.is_over(job) || self.followers.get(&job).is_some_and(Follower::has_ended);
        let is_deletion = expired.is_deleted && has_ended && self.is_holder(from, job);
        let may_say = leader == from || is_deletion;
        if !may_say && self.membership.is_reached(leader) {
            if self.replica(job).is_none()
                && let Some(told) = self.directory.get(job)
            {
                // It says itself whether it has forgotten it.
                let message = PeerMessage::Job(told.clone());
                outputs.push(Output::Send {
                    to: leader,
                    message,
                });
            }
            return false;
        }
        let time_to_live = self.config.result_ttl;
        // No job that moves here is given up on anybody's word.
        let led = self.coordinators.get(&job);
        let moves = led.is_some_and(|own| !own.has_stalled(now.moment, time_to_live));
        let copy = self.followers.get(&job);
        let is_kept = copy.is_some_and(|copy| {
            let submitted = copy.replica().record.submitted_at_unix_ms;
            let is_same = submitted == expired.submitted_at_unix_ms;
            // What has ended here is kept for its own time, unless somebody has deleted it.
            let is_its_time_over = copy.time_here(now.moment) >= time_to_live;
            let is_wanted = copy.has_ended() && !is_deletion;
            (is_wanted || !is_same) && !is_its_time_over
        });
        if is_kept {
            self.note_declined(now.moment, from, job);
        }
        if moves || is_kept {
            return false;
        }
        self.give_up(now.moment, job, expired.is_deleted, outputs);
        true
    }

    /// Whether a node is among those that hold a job, as far as is known here.
    fn is_holder(&self, node: NodeId, job: JobId) -> bool {
        let told = self.directory.get(job);
        let told =
            told.is_some_and(|told| told.epoch.coordinator == node || told.holders.contains(&node));
        let copy = self.followers.get(&job);
        told || copy.is_some_and(|copy| copy.replica().holders().any(|holder| holder == node))
    }

    /// A job goes, whatever this node had to do with it.
    fn give_up(&mut self, now: Moment, job: JobId, is_deleted: bool, outputs: &mut Vec<Output>) {
        if let Some(own) = self.coordinators.remove(&job) {
            let age = own.age(now);
            if let Ok(follower) = Follower::new(own.into_replica(), now, age) {
                self.keep(follower, outputs);
            }
        }
        self.bring_to_an_end(now, job, is_deleted, outputs);
        self.host.on_job_ended(job, outputs);
    }

    /// A job's time is over: only its id is remembered.
    pub(super) fn expire(&mut self, now: Moment, job: JobId, outputs: &mut Vec<Output>) {
        self.bring_to_an_end(now, job, false, outputs);
    }

    fn bring_to_an_end(
        &mut self,
        now: Moment,
        job: JobId,
        is_deleted: bool,
        outputs: &mut Vec<Output>,
    ) {
        let copy = self.followers.get(&job);
        let copy = copy.map(|copy| copy.replica().record.submitted_at_unix_ms);
        let told = || {
            self.directory
                .get(job)
                .map(|told| told.submitted_at_unix_ms)
        };
        let expired = ExpiredJob {
            job,
            submitted_at_unix_ms: copy.or_else(told).unwrap_or(0),
            is_deleted,
        };
        // Also where there was no copy: after a restart the answer is the same.
        outputs.push(Output::Persist(Change::Expired(expired)));
        self.forget_copy(job);
        self.directory.remove(job);
        self.abandoned.forget(job);
        self.bury(now, expired);
        outputs.push(Output::Event(Event::JobChanged { job }));
    }

    /// Remembers a job that is gone.
    pub(super) fn bury(&mut self, now: Moment, expired: ExpiredJob) {
        self.expired.insert(now, expired);
    }
}
