//! Who leads next: this node's part in the elections of jobs of which it holds
//! copies.

use std::collections::BTreeSet;

use wire::{Epoch, JobId, JobStatus, Leadership, NodeId, PeerMessage, Refusal};

use super::Node;
use crate::coordinator::{Coordinator, HolderState};
use crate::effect::{Change, Event, Output};
use crate::election::{Election, Step};
use crate::follower::Follower;
use crate::limits::{COPY_REQUEST_PAUSE, LEADERLESS_LONG};
use crate::time::{Moment, Now};

impl Node {
    /// Stands where a coordinator is missed, and goes on where it stands.
    pub(super) fn tick_elections(&mut self, now: Now, outputs: &mut Vec<Output>) {
        for job in self.restless_jobs() {
            let newest = self.newest_epoch(job);
            self.look_for_leader(now.moment, job);
            let is_missed = self.is_missed(now.moment, job);
            let others = self.other_holders(job);
            if self.is_without_hope(now.moment, job) {
                self.give_up_copy(now.moment, job, outputs);
                continue;
            }
            let Some((follower, newest)) = self.followers.get_mut(&job).zip(newest) else {
                continue;
            };
            follower.fetch_inputs(now.moment, outputs);
            self.ask_for_end(now.moment, job, &others, outputs);
            let Some(follower) = self.followers.get_mut(&job) else {
                continue;
            };
            if !is_missed {
                // It is back, another leads, or the job has ended.
                follower.election = None;
                continue;
            }
            if follower.election.is_none() {
                self.stand(now, job, outputs);
                continue;
            }
            let election = follower.election.as_mut();
            let step = election.and_then(|it| it.on_tick(&others, newest, now.moment));
            if let Some(step) = step {
                self.take_step(now, job, step, outputs);
            }
        }
    }

    /// Copies that are not at rest.
    fn restless_jobs(&mut self) -> Vec<JobId> {
        let mut restless = std::mem::take(&mut self.restless);
        restless.on_reached(self.membership.reached(), &self.led_elsewhere);
        debug_assert!(
            (self.led_elsewhere.iter()).all(|job| restless.contains(*job) || self.is_at_rest(*job)),
            "a copy became restless unseen"
        );
        restless.retain(|job| self.led_elsewhere.contains(&job) && !self.is_at_rest(job));
        let jobs = restless.jobs().copied().collect();
        self.restless = restless;
        jobs
    }

    pub(super) fn follower_deadline(&self, follower: &Follower) -> Option<Moment> {
        let job = follower.job();
        let waits = follower.election.as_ref().map(Election::next_deadline);
        // A start's patience ends in an election where nobody leads by then.
        let patience = [follower.patient_until, follower.searches_until];
        let patience = patience
            .into_iter()
            .filter(|at| *at > self.last_handled)
            .min();
        let patience =
            patience.filter(|_| follower.election.is_none() && self.needs_leader(job, follower));
        waits
            .into_iter()
            .chain(patience)
            .chain(follower.next_deadline())
            .min()
    }

    /// Whether nothing can be due for a copy: it is whole, its job runs, and its
    /// coordinator is there.
    fn is_at_rest(&self, job: JobId) -> bool {
        let Some(follower) = self.followers.get(&job) else {
            return true;
        };
        let told = self.directory.get(job);
        let held = follower.epoch();
        let newest = told.map_or(held, |told| told.epoch.max(held));
        follower.is_at_rest()
            && newest == held
            && follower.resigned != Some(newest)
            && told.is_none_or(|told| told.status == JobStatus::Running)
            && self.membership.is_reached(newest.coordinator)
    }

    /// Whether nobody has led a job for its time to live, and this node cannot, because it never got the inputs.
    fn is_without_hope(&self, now: Moment, job: JobId) -> bool {
        let copy = self.followers.get(&job);
        let copy = copy.filter(|copy| !copy.has_inputs() && !copy.has_ended());
        let since = copy.and_then(|copy| copy.leaderless_since);
        since.is_some_and(|since| now.since(since) >= self.config.result_ttl)
    }

    /// Removes a copy that is of no use to anybody. Should another one come back, the job goes on with that.
    fn give_up_copy(&mut self, now: Moment, job: JobId, outputs: &mut Vec<Output>) {
        self.forget_copy(job);
        outputs.push(Output::Persist(Change::Withdrawn { job }));
        self.abandon(now, job, outputs);
    }

    /// Notes since when nobody leads.
    fn look_for_leader(&mut self, now: Moment, job: JobId) {
        let followers = self.followers.get(&job);
        let is_leaderless = followers.is_some_and(|it| self.is_leaderless(now, job, it));
        if let Some(follower) = self.followers.get_mut(&job) {
            let since = follower.leaderless_since.unwrap_or(now);
            follower.leaderless_since = is_leaderless.then_some(since);
        }
    }

    /// Whether the coordinator of a job is known to be gone, and this node is
    /// one of those who may follow it.
    fn is_missed(&self, now: Moment, job: JobId) -> bool {
        let Some(follower) = self.followers.get(&job) else {
            return false;
        };
        let may_lead = follower.has_inputs() && !self.is_resigning;
        let is_wanted = may_lead && self.needs_leader(job, follower);
        is_wanted && self.is_leaderless(now, job, follower) && self.is_first_to_stand(job, follower)
    }

    /// Whether the job is to go on: it has not ended, or the blocks with which it was complete are not here, or its
    /// end is not.
    fn needs_leader(&self, job: JobId, follower: &Follower) -> bool {
        let told = self.directory.get(job).map(|told| told.status);
        let is_cut_short =
            told == Some(JobStatus::Complete) && (follower.lacks_blocks() || !follower.has_ended());
        // Whoever has them gives them without an election.
        !self.is_over(job) || is_cut_short && self.is_long_leaderless(follower)
    }

    fn is_long_leaderless(&self, follower: &Follower) -> bool {
        let since = follower.leaderless_since;
        since.is_some_and(|since| self.last_handled.since(since) >= LEADERLESS_LONG)
    }

    fn is_leaderless(&self, now: Moment, job: JobId, follower: &Follower) -> bool {
        let Some(newest) = self.newest_epoch(job) else {
            return false;
        };
        let coordinator = newest.coordinator;
        if follower.resigned == Some(newest) || self.membership.is_dead(coordinator) {
            return true;
        }
        // This node led it before it started anew; or nobody has seen the
        // coordinator since then.
        let is_unheard = !self.membership.knows(coordinator);
        is_unheard && follower.patient_until <= now && !self.searches(now, job, follower)
    }

    /// Whether a holder is still looked for: one that led, or has more than this node, may answer in a moment.
    fn searches(&self, now: Moment, job: JobId, follower: &Follower) -> bool {
        let told = self.directory.get(job);
        let told = told
            .into_iter()
            .flat_map(|told| told.holders.iter().copied());
        let mut holders = follower.replica().holders().chain(told);
        let is_unexplored = |node: NodeId| node != self.id && self.membership.is_unexplored(node);
        follower.searches_until > now && holders.any(is_unexplored)
    }

    /// A copy that is on nobody's list stands only when none of the listed is
    /// there, or none of them has led for long.
    fn is_first_to_stand(&self, job: JobId, follower: &Follower) -> bool {
        let mut listed: BTreeSet<NodeId> = match self.directory.get(job) {
            Some(told) if told.epoch >= follower.epoch() => told.holders.iter().copied().collect(),
            _ => follower.replica().holders().collect(),
        };
        let is_listed = listed.remove(&self.id);
        let is_there = |node: &NodeId| self.membership.is_reached(*node);
        is_listed || !listed.iter().any(is_there) || self.is_long_leaderless(follower)
    }

    /// The other holders that answer.
    pub(super) fn other_holders(&self, job: JobId) -> BTreeSet<NodeId> {
        let held = self.followers.get(&job);
        let held = held.into_iter().flat_map(|copy| copy.replica().holders());
        let told = self.directory.get(job);
        let told = told
            .into_iter()
            .flat_map(|summary| summary.holders.iter().copied());
        held.chain(told)
            .filter(|node| *node != self.id && self.membership.is_reached(*node))
            .collect()
    }

    fn stand(&mut self, now: Now, job: JobId, outputs: &mut Vec<Output>) {
        let others = self.other_holders(job);
        let newest = self.newest_epoch(job);
        let Some((follower, newest)) = self.followers.get_mut(&job).zip(newest) else {
            return;
        };
        outputs.push(Output::Event(Event::ElectionStarted { job }));
        let (election, step) = Election::stand(
            (self.id, self.incarnation),
            self.config.election_timeout,
            &others,
            newest,
            now.moment,
        );
        follower.election = Some(election);
        self.take_step(now, job, step, outputs);
    }

    fn take_step(&mut self, now: Now, job: JobId, step: Step, outputs: &mut Vec<Output>) {
        self.disclaim(job, outputs);
        let Some(follower) = self.followers.get(&job) else {
            return;
        };
        match step {
            Step::Ask(higher) => {
                let epoch = follower.epoch();
                for to in higher {
                    let message = PeerMessage::Election { job, epoch };
                    outputs.push(Output::Send { to, message });
                }
            }
            Step::Collect(epoch, others) => {
                let have = follower.replica().done_set();
                for to in others {
                    let have = have.clone();
                    let message = PeerMessage::CopyRequest { job, epoch, have };
                    outputs.push(Output::Send { to, message });
                }
            }
            Step::Lead(epoch, united) => self.take_over(now, job, (epoch, united), outputs),
        }
    }

    /// This node led the newest epoch and does not lead any more, and everybody
    /// sees it alive: also those who only have to say so when they are asked.
    fn disclaim(&self, job: JobId, outputs: &mut Vec<Output>) {
        let newest = self.newest_epoch(job);
        if let Some(epoch) = newest.filter(|newest| newest.coordinator == self.id) {
            self.tell_all(&PeerMessage::Resign { job, epoch }, outputs);
        }
    }

    /// A holder with a lower id misses the coordinator.
    pub(super) fn on_election(
        &mut self,
        now: Now,
        from: NodeId,
        job: JobId,
        _missed: Epoch,
        outputs: &mut Vec<Output>,
    ) {
        let Some(refusal) = self.refusal(now, from, job, outputs) else {
            return;
        };
        let message = PeerMessage::Refused { job, refusal };
        outputs.push(Output::Send { to: from, message });
        if let Some(summary) = self.directory.get(job) {
            let message = PeerMessage::Job(summary.clone());
            outputs.push(Output::Send { to: from, message });
        }
    }

    /// Why another holder should not lead; this node then stands itself, or
    /// there is a coordinator.
    pub(super) fn refusal(
        &mut self,
        now: Now,
        from: NodeId,
        job: JobId,
        outputs: &mut Vec<Output>,
    ) -> Option<Refusal> {
        if let Some(own) = self.coordinators.get(&job) {
            return (!self.is_resigning).then(|| Refusal::CoordinatorLives(own.epoch()));
        }
        let newest = self.newest_epoch(job)?;
        let follower = self.followers.get(&job)?;
        if self.needs_leader(job, follower) && follower.disclaimed.is_none_or(|at| at <= now.moment)
        {
            // Who gives way takes no step of its own, and what it said before may not
            // have come to those who are asked, too.
            self.disclaim(job, outputs);
            let follower = self.followers.get_mut(&job)?;
            follower.disclaimed = Some(now.moment + COPY_REQUEST_PAUSE);
        }
        let follower = self.followers.get(&job)?;
        let coordinator = newest.coordinator;
        let is_there = coordinator != from && self.membership.is_reached(coordinator);
        if is_there && follower.resigned != Some(newest) {
            return Some(Refusal::CoordinatorLives(newest));
        }
        let may_lead = follower.has_inputs() && !self.is_resigning;
        if self.id > from && may_lead && self.is_first_to_stand(job, follower) {
            match self.followers.get_mut(&job).map(|copy| &mut copy.election) {
                Some(Some(election)) => election.hurry(now.moment),
                _ => self.stand(now, job, outputs),
            }
            return Some(Refusal::HigherStands);
        }
        None
    }

    pub(super) fn on_refused(&mut self, now: Now, from: NodeId, job: JobId, refusal: Refusal) {
        // Only who was asked has a say.
        let is_higher = from > self.id || !matches!(refusal, Refusal::HigherStands);
        if !is_higher || !self.other_holders(job).contains(&from) {
            return;
        }
        let Some(follower) = self.followers.get_mut(&job) else {
            return;
        };
        let Some(election) = &mut follower.election else {
            return;
        };
        match refusal {
            Refusal::HigherStands => election.give_way(now.moment),
            Refusal::CoordinatorLives(_) => {
                election.look_again(now.moment);
            }
        }
    }

    /// A holder tells what it has: a candidate may have waited for it.
    pub(super) fn on_holder_state(
        &mut self,
        now: Now,
        from: NodeId,
        job: JobId,
        state: &HolderState,
        outputs: &mut Vec<Output>,
    ) {
        let Some(follower) = self.followers.get_mut(&job) else {
            return;
        };
        let total = follower.cut().block_count();
        let done = &follower.replica().done;
        let lacks = state
            .blocks
            .iter(total)
            .any(|block| !done.contains_key(&block));
        let (have, here) = (follower.replica().done_set(), done.len());
        let Some(election) = &mut follower.election else {
            return;
        };
        let Some(epoch) = election.epoch().filter(|_| state.is_all) else {
            return;
        };
        if lacks {
            // More than fitted, or some were lost on the way.
            if !follower.asked.may(from, here, now.moment) {
                return;
            }
            let message = PeerMessage::CopyRequest { job, epoch, have };
            outputs.push(Output::Send { to: from, message });
        } else if election.on_united(from) {
            self.tick_elections(now, outputs);
        }
    }

    /// The election is won: what was united is led on from here.
    fn take_over(
        &mut self,
        now: Now,
        job: JobId,
        (epoch, united): (Epoch, Vec<NodeId>),
        outputs: &mut Vec<Output>,
    ) {
        let Some(follower) = self.forget_copy(job) else {
            return;
        };
        let age = follower.age(now.moment);
        let announced = follower.announced.clone();
        let mut replica = follower.into_replica();
        let leadership = Leadership {
            epoch,
            version: 0,
            backups: united.clone(),
        };
        replica.record_leadership(leadership.clone());
        outputs.push(Output::Persist(Change::Head {
            job,
            leadership,
            tallies: Vec::new(),
            ended: None,
        }));
        // Its summaries supersede the end, as those of its predecessor did.
        let known = self.directory.get(job);
        let was_over = self.is_over(job) || known.is_some_and(|known| known.reopened);
        let Ok(mut coordinator) = Coordinator::new(replica, &self.config, now, age) else {
            return;
        };
        if was_over {
            coordinator.reopen();
        }
        let (pending, done) = coordinator.pending_and_done();
        outputs.push(Output::Event(Event::ElectionWon {
            job,
            epoch,
            pending,
            done,
        }));
        let mut reached: BTreeSet<NodeId> = self.membership.reached().collect();
        reached.insert(self.id);
        coordinator.take_over(now, &united, reached, outputs);
        for (from, blocks) in announced {
            if self.membership.is_reached(from) {
                coordinator.on_inventory(now.moment, from, &blocks);
            }
        }
        self.lead(now.moment, coordinator, outputs);
        self.fill_backups(now, outputs);
    }

    /// The node is about to leave: its backups lead on.
    pub(super) fn resign(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        self.is_resigning = true;
        self.hand_over_ended(now);
        self.host.stop();
        for (job, coordinator) in &self.coordinators {
            // Its end may be stored and not yet told.
            if coordinator.told_status() != JobStatus::Running {
                continue;
            }
            let epoch = coordinator.epoch();
            for to in coordinator.replica().leadership.backups.clone() {
                let message = PeerMessage::Resign { job: *job, epoch };
                outputs.push(Output::Send { to, message });
            }
        }
    }

    /// Whether a job runs here that somebody else could lead on.
    #[must_use]
    pub fn has_duties(&self) -> bool {
        let mut led = self.coordinators.values();
        led.any(|coordinator| {
            let backups = &coordinator.replica().leadership.backups;
            let mut backups = backups.iter();
            let is_untold = coordinator.told_status() == JobStatus::Running;
            is_untold && backups.any(|node| self.membership.is_reached(*node))
        })
    }

    pub(super) fn on_resigned(&mut self, now: Moment, from: NodeId, job: JobId, epoch: Epoch) {
        if epoch.coordinator != from {
            return;
        }
        if self.directory.disown(job, epoch) {
            self.note_holders(now, job);
        }
        if let Some(follower) = self.followers.get_mut(&job) {
            follower.resigned = Some(epoch);
        }
    }
}
