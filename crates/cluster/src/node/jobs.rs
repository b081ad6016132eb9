//! The life of a job, from submission to expiry.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::Duration;

use wire::{
    BlockIndex, Epoch, JobId, JobRecord, JobStatus, JobSummary, Leadership, NodeId, PeerMessage,
    WorkerId,
};

use super::Node;
use crate::coordinator::Coordinator;
use crate::effect::{Change, Event, Output, Restored};
use crate::follower::Follower;
use crate::limits::{BACKUPS_MAX, ENDED_COPIES_MAX, HOLDER_SEARCH, HOLDERS_MAX};
use crate::replica::Replica;
use crate::tasks::is_given_unasked;
use crate::time::{Moment, Now};

impl Node {
    pub(super) fn on_submit(&mut self, now: Now, record: JobRecord, outputs: &mut Vec<Output>) {
        let job = record.id;
        if self.replica(job).is_some() || self.expired.contains(job) {
            // The same key came to two nodes at once, and the other's copy was
            // faster than this one's submission.
            return;
        }
        let backups = self.nearest(job, self.config.backups.min(BACKUPS_MAX));
        let leadership = Leadership {
            epoch: Epoch {
                number: 1,
                coordinator: self.id,
                incarnation: self.incarnation,
            },
            version: 0,
            backups: backups.clone(),
        };
        let replica = Replica::new(record.clone(), leadership.clone());
        let coordinator = Coordinator::new(replica, &self.config, now, Duration::ZERO);
        // The driver cuts by `Cut::plan`, whose cuts are always valid.
        let mut coordinator = coordinator.expect("a planned cut is a cut");
        outputs.push(Output::Persist(Change::Accepted {
            record: Box::new(record),
            leadership,
        }));
        coordinator.reserve(self.candidates(), now.moment);
        coordinator.open(now, &backups, outputs);
        if coordinator.is_safe() {
            self.lead(now.moment, coordinator, outputs);
            self.hand_out(now.moment, job, outputs);
        } else {
            // It is told when it is safe: devices that heard of it before would ask
            // in vain.
            self.coordinators.insert(job, coordinator);
        }
    }

    /// A job that was submitted here was never announced: it goes, or where others have a copy by now, it goes
    /// on with them. It is not cancelled: its submitter may have brought it to another node meanwhile.
    pub(super) fn on_withdraw(
        &mut self,
        job: JobId,
        submitted_at_unix_ms: u64,
        outputs: &mut Vec<Output>,
    ) {
        let own = self.coordinators.get(&job);
        let Some(own) = own.filter(|own| {
            own.replica().record.submitted_at_unix_ms == submitted_at_unix_ms && own.is_running()
        }) else {
            return;
        };
        let epoch = own.epoch();
        self.coordinators.remove(&job);
        outputs.push(Output::Persist(Change::Withdrawn { job }));
        self.directory.remove(job);
        self.abandoned.forget(job);
        self.host.on_job_ended(job, outputs);
        self.tell_all(&PeerMessage::Withdrawn { job, epoch }, outputs);
        outputs.push(Output::Event(Event::JobChanged { job }));
    }

    /// The coordinator of a job drops it. A copy of it goes on: it may have been shown to its submitter.
    pub(super) fn on_withdrawn(
        &mut self,
        now: Now,
        from: NodeId,
        job: JobId,
        epoch: Epoch,
        outputs: &mut Vec<Output>,
    ) {
        if self.followers.contains_key(&job) {
            self.on_resigned(now.moment, from, job, epoch);
        } else if epoch.coordinator == from && self.newest_epoch(job) == Some(epoch) {
            self.directory.remove(job);
            self.note_holders(now.moment, job);
            self.host.on_job_ended(job, outputs);
            outputs.push(Output::Event(Event::JobChanged { job }));
        }
    }

    /// A job from this node's store.
    pub(super) fn on_restore(&mut self, now: Now, restored: Restored, outputs: &mut Vec<Output>) {
        let Restored {
            replica,
            ended_ago,
            has_inputs,
        } = restored;
        // The steady clock knows nothing from before the start.
        let submitted = replica.record.submitted_at_unix_ms;
        let age = match &replica.ended {
            Some(_) => ended_ago,
            None => Duration::from_millis(now.unix_ms.saturating_sub(submitted)),
        };
        let is_alone = replica.holders().eq([self.id]);
        if replica.ended.is_none() && is_alone && has_inputs {
            // Nobody else can have led it meanwhile. Each life of a process leads in an epoch of its own: what others
            // acknowledge of an earlier one is not taken for an answer to this one.
            let leadership = Leadership {
                epoch: Epoch {
                    number: replica.epoch().number.saturating_add(1),
                    coordinator: self.id,
                    incarnation: self.incarnation,
                },
                version: 0,
                backups: Vec::new(),
            };
            let mut replica = replica;
            replica.record_leadership(leadership.clone());
            let job = replica.record.id;
            if let Ok(mut coordinator) = Coordinator::new(replica, &self.config, now, age) {
                outputs.push(Output::Persist(Change::Head {
                    job,
                    leadership,
                    tallies: Vec::new(),
                    ended: None,
                }));
                coordinator.end_if_done(now, outputs);
                self.lead(now.moment, coordinator, outputs);
                self.fill_backups(now, outputs);
            }
        } else if let Ok(mut follower) = Follower::new(replica, now.moment, age) {
            // The others are heard first: one of them may lead by now.
            follower.patient_until = now.moment + self.config.heartbeat_timeout;
            follower.searches_until = now.moment + HOLDER_SEARCH;
            follower.on_inputs(now.moment, has_inputs);
            let summary = follower.summary();
            self.keep(follower, outputs);
            self.on_summary(now.moment, summary, outputs);
        }
    }

    /// Tells the end of a job in the place of its coordinator, which may have
    /// died before it could: an end is stored on the backups first.
    pub(super) fn announce_end(&mut self, now: Now, job: JobId, outputs: &mut Vec<Output>) {
        self.announce_end_above(now.moment, job, now.unix_ms, outputs);
    }

    fn announce_end_above(
        &mut self,
        now: Moment,
        job: JobId,
        version: u64,
        outputs: &mut Vec<Output>,
    ) {
        let Some(follower) = self.followers.get(&job) else {
            return;
        };
        let mut summary = follower.summary();
        let told = self.directory.get(job).map_or(0, |told| told.version);
        summary.epoch = self.newest_epoch(job).unwrap_or(summary.epoch);
        summary.version = told.max(version).saturating_add(1);
        self.tell_summary(now, summary, outputs);
    }

    /// The same for all jobs of a coordinator that is gone.
    pub(super) fn announce_ends_of(
        &mut self,
        now: Now,
        coordinator: NodeId,
        outputs: &mut Vec<Output>,
    ) {
        let ended = self.expiries.iter().map(|(_, job)| *job);
        let untold = ended.filter(|job| {
            let led_by = self.newest_epoch(*job).map(|epoch| epoch.coordinator);
            led_by == Some(coordinator) && self.has_better_end(*job)
        });
        for job in untold.collect::<Vec<_>>() {
            self.announce_end(now, job, outputs);
        }
    }

    /// The end of the copy here beside what was told of the job; the smaller stands.
    pub(super) fn end_beside_told(&self, job: JobId) -> Option<Ordering> {
        let held = self.followers.get(&job).filter(|copy| copy.has_ended())?;
        let told = self.directory.get(job).map(|told| told.status);
        let told = told.unwrap_or(JobStatus::Running).precedence();
        Some(held.replica().status().precedence().cmp(&told))
    }

    /// Whether the end of the copy here stands above what was told of the job.
    pub(super) fn has_better_end(&self, job: JobId) -> bool {
        self.end_beside_told(job) == Some(Ordering::Less)
    }

    pub(super) fn lead(
        &mut self,
        now: Moment,
        mut coordinator: Coordinator,
        outputs: &mut Vec<Output>,
    ) {
        let summary = coordinator.next_summary();
        self.coordinators.insert(summary.id, coordinator);
        self.tell_summary(now, summary, outputs);
    }

    /// Keeps a copy that this node does not lead.
    pub(super) fn keep(&mut self, mut follower: Follower, outputs: &mut Vec<Output>) {
        let job = follower.job();
        self.forget_copy(job);
        follower.listed_until = follower.expires_at(self.config.result_ttl);
        match follower.listed_until {
            None => {
                self.led_elsewhere.insert(job);
            }
            Some(at) => {
                if self.expiries.len() >= ENDED_COPIES_MAX
                    && let Some((_, oldest)) = self.expiries.first().copied()
                {
                    self.expire(at, oldest, outputs);
                }
                self.expiries.insert((at, job));
            }
        }
        self.followers.insert(job, follower);
        self.restless.add(job);
        self.note_dispute(job);
    }

    /// Takes the copy out of every list.
    pub(super) fn forget_copy(&mut self, job: JobId) -> Option<Follower> {
        let mut follower = self.followers.remove(&job)?;
        self.led_elsewhere.remove(&job);
        self.disputed.remove(&job);
        if let Some(at) = follower.listed_until.take() {
            self.expiries.remove(&(at, job));
        }
        Some(follower)
    }

    /// What is due of a job that this node leads.
    pub(super) fn tick_coordinator(&mut self, now: Now, job: JobId, outputs: &mut Vec<Output>) {
        let patience = self.config.result_ttl;
        let Some(coordinator) = self.coordinators.get_mut(&job) else {
            return;
        };
        let stalls_at = coordinator.stalls_at(patience);
        if stalls_at.is_some_and(|stalls_at| stalls_at <= now.moment) {
            let reason = format!(
                "no result came for {} s; submit it again when devices are there",
                patience.as_secs()
            );
            coordinator.fail(now, reason, outputs);
        }
        coordinator.on_tick(now, outputs);
        if let Some(summary) = coordinator.take_due_summary(now.moment) {
            self.tell_summary(now.moment, summary, outputs);
            self.hand_out(now.moment, job, outputs);
        }
        let coordinator = self.coordinators.get(&job);
        if coordinator.is_some_and(Coordinator::is_settled)
            && let Some(coordinator) = self.coordinators.remove(&job)
        {
            let (age, is_backed) = (coordinator.age(now.moment), coordinator.is_backed());
            let whole_at: BTreeSet<NodeId> = coordinator.joined().into_iter().collect();
            let replica = coordinator.into_replica();
            if let Ok(mut follower) = Follower::new(replica, now.moment, age) {
                follower.is_alone = !is_backed;
                follower.whole_at = whole_at;
                self.keep(follower, outputs);
                self.keeping.on_ended(now.moment, job);
            }
        }
    }

    /// What is to be told at once is told now, not at the next tick.
    pub(super) fn tell_due_summaries(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        let coordinators = self.coordinators.values_mut();
        let due: Vec<JobSummary> = coordinators
            .filter_map(|coordinator| coordinator.take_due_summary(now))
            .collect();
        for summary in due {
            let job = summary.id;
            self.tell_summary(now, summary, outputs);
            self.hand_out(now, job, outputs);
        }
    }

    /// The mesh has just been told of a job.
    fn hand_out(&mut self, now: Moment, job: JobId, outputs: &mut Vec<Output>) {
        if let Some(coordinator) = self.coordinators.get_mut(&job) {
            coordinator.hand_out(now, outputs);
        }
    }

    pub(super) fn tell_summary(
        &mut self,
        now: Moment,
        summary: JobSummary,
        outputs: &mut Vec<Output>,
    ) {
        self.tell_all(&PeerMessage::Job(summary.clone()), outputs);
        self.on_summary(now, summary, outputs);
    }

    /// Somebody tells where a job stands.
    pub(super) fn on_told(
        &mut self,
        now: Now,
        from: NodeId,
        summary: JobSummary,
        outputs: &mut Vec<Output>,
    ) {
        if from == self.id {
            // This node's own word that the job has ended. It comes this way
            // so that answers to results, which were said before, are first. Meanwhile
            // the job may have been reopened, and its results are wanted again.
            if self.is_over(summary.id) {
                self.host.on_job_ended(summary.id, outputs);
            }
            return;
        }
        let own = self.coordinators.get_mut(&summary.id);
        let Some(own) = own else {
            let job = summary.id;
            let is_cancelled = is_cancelled_out_of_reach(&summary);
            self.on_summary(now.moment, summary, outputs);
            if is_cancelled && let Some(mut copy) = self.forget_copy(job) {
                copy.cancel(now, outputs);
                self.keep(copy, outputs);
            }
            return;
        };
        if summary.epoch > own.epoch() {
            self.step_down(now, summary.id, summary.epoch, outputs);
            self.on_summary(now.moment, summary, outputs);
            return;
        }
        if own.is_running() && is_cancelled_out_of_reach(&summary) {
            own.on_cancel(now, outputs);
        }
        if summary.status == JobStatus::Complete {
            own.on_complete_elsewhere(now.moment);
        }
        if own.is_running() && summary.status != JobStatus::Running {
            // It ended on the other side of a cut: that copy is united with
            // this one, which then has ended too.
            let message = PeerMessage::CopyRequest {
                job: summary.id,
                epoch: own.epoch(),
                have: own.replica().done_set(),
            };
            let holders = summary.holders.iter().copied().take(HOLDERS_MAX);
            let holders: BTreeSet<NodeId> = holders.chain([from]).collect();
            for to in holders {
                if self.membership.is_reached(to) && own.may_ask(now.moment, to) {
                    let message = message.clone();
                    outputs.push(Output::Send { to, message });
                }
            }
        }
        if summary.epoch == own.epoch() && own.outbid(summary.version) {
            // What this node says itself stands above what others heard.
            let summary = own.next_summary();
            self.tell_summary(now.moment, summary, outputs);
        } else if !own.is_running() {
            // Of two ends, here and on the other side of a cut, one stands.
            self.on_summary(now.moment, summary, outputs);
        }
    }

    pub(super) fn on_summary(
        &mut self,
        now: Moment,
        summary: JobSummary,
        outputs: &mut Vec<Output>,
    ) {
        let (job, epoch, status) = (summary.id, summary.epoch, summary.status);
        let given_unasked = is_given_unasked(summary.shape, summary.options.spread);
        if self.expired.contains(job) {
            return;
        }
        let before = self.directory.get(job).map(|known| known.epoch);
        let holders = std::iter::once(&epoch.coordinator).chain(&summary.holders);
        let is_there = |node: &NodeId| *node == self.id || self.membership.is_reached(*node);
        let is_held = holders.into_iter().any(is_there);
        if !self.make_room(now, job, outputs)
            || !self.directory.learn(summary.clone(), is_held, now)
        {
            return;
        }
        self.relay_to_superseded(before, &summary, outputs);
        self.note_holders(now, job);
        // First what is here, then what is under way here: a new coordinator that
        // has heard both gives work away.
        self.on_led(job, epoch, outputs);
        self.note_dispute(job);
        if status != JobStatus::Running && self.has_better_end(job) {
            // Somebody ended it who did not know that it had ended already.
            self.announce_end_above(now, job, 0, outputs);
            return;
        }
        if status == JobStatus::Running {
            if before.is_some_and(|before| before < epoch) || before.is_none() && epoch.number > 1 {
                self.host.on_new_coordinator(job, epoch, outputs);
            }
            if before.is_none() && epoch.number == 1 && given_unasked {
                self.host.on_new_tiny_job(now, job);
            }
        } else {
            let message = PeerMessage::Job(summary);
            let to = self.id;
            outputs.push(Output::Send { to, message });
        }
        outputs.push(Output::Event(Event::JobChanged { job }));
    }

    /// A coordinator that lives may not hear its successor, or whoever ended the job, on a partial partition: a node
    /// that hears both relays it.
    fn relay_to_superseded(
        &self,
        before: Option<Epoch>,
        summary: &JobSummary,
        outputs: &mut Vec<Output>,
    ) {
        let superseded = before.map(|before| before.coordinator);
        let Some(to) = superseded.filter(|before| *before != summary.epoch.coordinator) else {
            return;
        };
        if to != self.id && self.membership.is_reached(to) {
            let message = PeerMessage::Job(summary.clone());
            outputs.push(Output::Send { to, message });
        }
    }

    /// `may_pass_on` when a person asked for it here, and not another node.
    pub(super) fn on_cancel(
        &mut self,
        now: Now,
        job: JobId,
        may_pass_on: bool,
        outputs: &mut Vec<Output>,
    ) {
        if let Some(coordinator) = self.coordinators.get_mut(&job) {
            coordinator.on_cancel(now, outputs);
            self.tell_due_summaries(now.moment, outputs);
            return;
        }
        let Some(newest) = self.newest_epoch(job) else {
            return;
        };
        let to = newest.coordinator;
        let copy = self.followers.get(&job);
        let has_resigned = copy.is_some_and(|copy| copy.resigned == Some(newest));
        if self.membership.is_reached(to) && !has_resigned {
            if may_pass_on {
                let message = PeerMessage::Cancel { job };
                outputs.push(Output::Send { to, message });
            }
        } else if self.is_over(job) && !self.directory.is_abandoned(job) {
            // It stays as it ended.
        } else if let Some(mut follower) = self.forget_copy(job) {
            // Nobody leads it. An end may be recorded in any copy: whoever leads
            // next unites them, and a job that is complete meanwhile stays so.
            follower.cancel(now, outputs);
            self.keep(follower, outputs);
            self.announce_end(now, job, outputs);
        } else if let Some(to) = self.other_holders(job).first().copied() {
            if may_pass_on {
                let message = PeerMessage::Cancel { job };
                outputs.push(Output::Send { to, message });
            }
        } else {
            self.cancel_out_of_reach(now, job, outputs);
        }
    }

    /// No reachable node has a copy: this node announces that the job is cancelled, and a copy that comes back
    /// hears it from any node.
    fn cancel_out_of_reach(&mut self, now: Now, job: JobId, outputs: &mut Vec<Output>) {
        let Some(told) = self.directory.get(job) else {
            return;
        };
        let mut summary = told.clone();
        summary.status = JobStatus::Cancelled;
        summary.holders.clear();
        summary.version = told.version.max(now.unix_ms).saturating_add(1);
        self.abandoned.forget(job);
        self.tell_summary(now.moment, summary, outputs);
    }

    /// The holders of a job that has ended are others now.
    pub(super) fn announce_holders(&mut self, now: Moment, job: JobId, outputs: &mut Vec<Output>) {
        let copy = self.followers.get(&job);
        if let Some((told, copy)) = self.directory.get(job).zip(copy) {
            let mut summary = told.clone();
            summary.holders = copy.replica().holders().collect();
            // It has ended here, whatever was announced.
            summary.status = copy.replica().status();
            summary.epoch = told.epoch.max(copy.epoch());
            summary.version = told.version.saturating_add(1);
            self.tell_summary(now, summary, outputs);
        }
    }

    /// Whether a job has ended, as far as is known here.
    pub(super) fn is_over(&self, job: JobId) -> bool {
        let told = self.directory.get(job);
        self.expired.contains(job)
            || told.is_some_and(|summary| summary.status != JobStatus::Running)
    }

    /// Whether a device has the credit for a block, by the copy that is here.
    pub(super) fn has_credit(&self, job: JobId, block: BlockIndex, worker: WorkerId) -> bool {
        let done = self.followers.get(&job);
        let done = done.and_then(|copy| copy.replica().done.get(&block));
        self.is_over(job) && done.is_some_and(|done| done.worker == worker)
    }
}

/// Whether nobody who has a copy was there when the job was cancelled: no copy has that end yet.
fn is_cancelled_out_of_reach(summary: &JobSummary) -> bool {
    summary.status == JobStatus::Cancelled && summary.holders.is_empty()
}
