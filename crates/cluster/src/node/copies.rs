//! Copies of jobs that others lead, and backups for those that are led here.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use wire::{
    BlockIndex, BlockSet, CopyHead, DoneBlock, Epoch, JobId, JobRecord, JobStatus, MatrixSource,
    NodeId, PeerMessage, Refusal, Tally,
};

use super::Node;
use crate::coordinator::{Coordinator, HolderState, distance};
use crate::effect::{Change, Event, Output};
use crate::follower::{Follower, inventory_of, send_copy};
use crate::limits::{
    BACKUPS_MAX, COPIES_MAX, END_QUESTION_INTERVAL, FOREIGN_MAX, HOLDERS_MAX,
    IDEMPOTENCY_KEY_BYTES_MAX, LEFT_BEHIND_INTERVAL, TALLIES_MAX,
};
use crate::tasks::cut_of;
use crate::time::{Moment, Now};

impl Node {
    /// Nodes that could hold a copy of this job; the same ones seen from
    /// everywhere, and others for another job.
    pub(super) fn nearest(&self, job: JobId, count: usize) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = self.membership.reached().collect();
        nodes.sort_by_key(|node| distance(*node, job));
        nodes.truncate(count);
        nodes
    }

    /// Nodes came or went: jobs with too few backups get others.
    pub(super) fn fill_backups(&mut self, now: Now, outputs: &mut Vec<Output>) {
        let reached: Vec<NodeId> = self.membership.reached().collect();
        for coordinator in self.coordinators.values_mut() {
            coordinator.fill_backups(now, reached.iter().copied(), outputs);
        }
    }

    /// A peer is back: what is here of its jobs is told, what it missed of the
    /// jobs led here is sent.
    pub(super) fn bring_copies_together(
        &mut self,
        now: Now,
        peer: NodeId,
        outputs: &mut Vec<Output>,
    ) {
        for coordinator in self.coordinators.values_mut() {
            coordinator.on_link_up(now, peer, outputs);
        }
        for follower in self.followers.values_mut() {
            follower.asked.forget(peer);
            follower.answered.forget(peer);
            follower.whole_at.remove(&peer);
            follower.lacked_at.remove(&peer);
            follower.announced.remove(&peer);
        }
        for follower in self.followers.values() {
            let (job, epoch) = (follower.job(), follower.epoch());
            if epoch.coordinator == self.id && !follower.has_ended() {
                // It led before it started anew; the others, who see it alive,
                // would wait for it. Who they are it may not know exactly.
                let message = PeerMessage::Resign { job, epoch };
                outputs.push(Output::Send { to: peer, message });
            }
            let told = self.directory.get(job);
            let is_holder = follower.replica().holders().any(|holder| holder == peer)
                || told.is_some_and(|told| told.holders.contains(&peer));
            if !is_holder || follower.has_ended() {
                continue;
            }
            for message in [follower.inventory(), follower.state(None)] {
                outputs.push(Output::Send { to: peer, message });
            }
        }
    }

    /// The newest epoch of a job that is known here.
    pub(super) fn newest_epoch(&self, job: JobId) -> Option<Epoch> {
        let told = self.directory.get(job).map(|summary| summary.epoch);
        let held = self.replica(job).map(crate::Replica::epoch);
        told.max(held)
    }

    /// A job is led in this epoch, or was when it ended: whoever holds a copy
    /// says what it has.
    pub(super) fn on_led(&mut self, job: JobId, epoch: Epoch, outputs: &mut Vec<Output>) {
        let has_ended = self.is_over(job);
        let Some(follower) = self.followers.get_mut(&job) else {
            return;
        };
        if epoch > follower.epoch() || has_ended {
            follower.election = None;
        }
        let lacks_end = has_ended && !follower.has_ended();
        if epoch > follower.epoch() || lacks_end {
            // The one who led may be this node itself, before it started anew.
            let told = self.directory.get(job).filter(|_| lacks_end);
            let holders = told.into_iter().flat_map(|told| told.holders.clone());
            let mut to: BTreeSet<NodeId> = holders.chain([epoch.coordinator]).collect();
            to.remove(&self.id);
            for to in to {
                // Who has ended asks outright: nobody could tell from its state
                // what it lacks.
                if follower.has_ended() {
                    let message = request_of(follower);
                    outputs.push(Output::Send { to, message });
                } else {
                    for message in [follower.inventory(), follower.state(None)] {
                        outputs.push(Output::Send { to, message });
                    }
                }
            }
        }
    }

    pub(super) fn on_copy_head(
        &mut self,
        now: Now,
        from: NodeId,
        number: u64,
        head: &CopyHead,
        outputs: &mut Vec<Output>,
    ) {
        let (job, epoch) = (head.record.id, head.leadership.epoch);
        let known = self.replica(job).map(|replica| &replica.record);
        let is_other = known.is_some_and(|known| !is_same_job(known, &head.record));
        let is_acceptable = is_within_limits(head, self.config.side_max);
        if self.expired.contains(job) || !is_acceptable {
            return;
        }
        if is_other {
            if self.foreign.len() >= FOREIGN_MAX {
                self.foreign.pop_first();
            }
            self.foreign.insert((job, from));
            return;
        }
        self.foreign.remove(&(job, from));
        if let Some(own) = self.coordinators.get_mut(&job) {
            if epoch <= own.epoch() {
                own.on_copy_head(now, head, outputs);
                if epoch < own.epoch() && number > 0 {
                    // Whoever numbers heads leads, and is not the newest.
                    let message = own.state();
                    outputs.push(Output::Send { to: from, message });
                }
                return;
            }
            self.step_down(now, job, epoch, outputs);
        }
        if !self.followers.contains_key(&job) && !self.begin_copy(now, from, head, outputs) {
            return;
        }
        let Some(mut follower) = self.forget_copy(job) else {
            return;
        };
        let before = follower.epoch().coordinator;
        follower.on_head(now.moment, number, head, outputs);
        let after = follower.epoch().coordinator;
        if before != after && before != from && self.membership.is_reached(before) {
            // It lives, and may not hear who leads now.
            let message = follower.state(None);
            outputs.push(Output::Send {
                to: before,
                message,
            });
        }
        if epoch == follower.epoch() && number > 0 {
            follower.election = None;
        }
        follower.fetch_inputs(now.moment, outputs);
        if number > 0 || follower.has_ended() && from != self.id {
            let message = follower.state(None);
            outputs.push(Output::Send { to: from, message });
        }
        self.keep(follower, outputs);
        outputs.push(Output::Event(Event::JobChanged { job }));
    }

    /// The first that comes of a job, from its coordinator.
    fn begin_copy(
        &mut self,
        now: Now,
        from: NodeId,
        head: &CopyHead,
        outputs: &mut Vec<Output>,
    ) -> bool {
        let is_its = head.leadership.epoch.coordinator == from;
        // Of a job that has ended any holder may name further ones.
        let is_listed = |node: NodeId| {
            let leadership = &head.leadership;
            leadership.epoch.coordinator == node || leadership.backups.contains(&node)
        };
        let is_passed_on = head.ended.is_some() && is_listed(from) && is_listed(self.id);
        if !is_its && !is_passed_on || self.led_elsewhere.len() >= COPIES_MAX || self.is_resigning {
            return false;
        }
        let Ok(follower) = Follower::from_head(head, now.moment) else {
            return false;
        };
        outputs.push(Output::Persist(Change::Accepted {
            record: Box::new(head.record.clone()),
            leadership: head.leadership.clone(),
        }));
        self.keep(follower, outputs);
        true
    }

    pub(super) fn on_copy_block(
        &mut self,
        now: Now,
        from: NodeId,
        (job, epoch): (JobId, Epoch),
        (done, tally, bytes): (DoneBlock, Tally, u64),
        outputs: &mut Vec<Output>,
    ) {
        let (block, worker, hash) = (done.block, done.worker, done.hash);
        // Of a job that has ended whoever lacks something asks.
        let copy = self.followers.get(&job).filter(|_| !self.is_over(job));
        let is_news = copy.is_some_and(|copy| !copy.replica().done.contains_key(&block));
        if let Some(own) = self.coordinators.get_mut(&job) {
            own.on_copy_block(now, done, tally, bytes, outputs);
        } else if let Some(follower) = self.followers.get_mut(&job)
            && follower.on_block(done, tally, bytes, outputs)
        {
            let message = follower.state(Some(block));
            let leader = follower.epoch().coordinator;
            // On a partial partition it may not hear whoever sent the block.
            let news =
                (is_news && leader != from && leader != self.id).then(|| follower.state(None));
            // Whoever sends it has more: nobody need take over for what is on its way, and no other holder be asked.
            follower.next_question = follower
                .next_question
                .map(|_| now.moment + END_QUESTION_INTERVAL);
            follower.leaderless_since = follower.leaderless_since.map(|_| now.moment);
            if let Some(election) = &mut follower.election {
                election.on_progress(now.moment);
            }
            let is_ended = follower.has_ended();
            // Of an older epoch the answer says so, and its coordinator steps
            // down; the block is a block all the same.
            if epoch.coordinator == from {
                outputs.push(Output::Send { to: from, message });
            }
            let to = leader;
            outputs.extend(news.map(|message| Output::Send { to, message }));
            if is_ended && self.led_elsewhere.contains(&job) {
                self.end_copy(now, job, outputs);
            }
        }
        outputs.push(Output::ReleaseResult {
            job,
            block,
            worker,
            hash,
        });
    }

    /// The job has ended, and its end or blocks of it are not here: what was
    /// sent may have been lost. The other holders are told what is here, again
    /// and again.
    pub(super) fn ask_for_end(
        &mut self,
        now: Moment,
        job: JobId,
        others: &BTreeSet<NodeId>,
        outputs: &mut Vec<Output>,
    ) {
        let is_over = self.is_over(job);
        let newest = self.newest_epoch(job);
        let Some(follower) = self.followers.get_mut(&job) else {
            return;
        };
        let lacks_end = is_over || follower.replica().ended.is_some();
        let leader = newest.filter(|newest| *newest > follower.epoch());
        let is_left_behind = leader.is_some();
        let is_due = follower.next_question.is_none_or(|at| at <= now);
        if !(lacks_end || is_left_behind) || !is_due {
            return;
        }
        let interval = if lacks_end {
            END_QUESTION_INTERVAL
        } else {
            LEFT_BEHIND_INTERVAL
        };
        let is_first = follower.next_question.replace(now + interval);
        // One that its coordinator left behind may be on no list: it would not even hear of the end.
        let is_asked =
            |node: &NodeId| lacks_end || leader.is_some_and(|leader| leader.coordinator == *node);
        // The first time the answer is on its way already.
        for to in others
            .iter()
            .filter(|to| is_first.is_some() && is_asked(to))
        {
            let message = follower.state(None);
            outputs.push(Output::Send { to: *to, message });
        }
    }

    /// Notes whether a copy has ended otherwise than the mesh.
    pub(super) fn note_dispute(&mut self, job: JobId) {
        // Where the end here stands above the one that was told, this node says so.
        if self.end_beside_told(job) == Some(Ordering::Greater) {
            self.disputed.insert(job);
        } else {
            self.disputed.remove(&job);
        }
    }

    /// Asks for the end that stands, again and again: whoever was asked first may
    /// have been gone before the answer.
    pub(super) fn ask_for_other_ends(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        for job in &self.disputed {
            let follower = self.followers.get(job);
            let is_due = follower.is_some_and(|it| it.next_question.is_none_or(|at| at <= now));
            if !is_due {
                continue;
            }
            let others = self.other_holders(*job);
            let Some(follower) = self.followers.get_mut(job) else {
                continue;
            };
            follower.next_question = Some(now + END_QUESTION_INTERVAL);
            let message = request_of(follower);
            for to in others {
                let message = message.clone();
                outputs.push(Output::Send { to, message });
            }
        }
    }

    /// The last block of a job whose end was known has come.
    fn end_copy(&mut self, now: Now, job: JobId, outputs: &mut Vec<Output>) {
        if let Some(mut follower) = self.forget_copy(job) {
            follower.election = None;
            self.keep(follower, outputs);
            self.keeping.on_ended(now.moment, job);
            // Its coordinator tells of it itself, when all backups have it.
            if self.has_better_end(job) && !self.is_led(job) {
                self.announce_end(now, job, outputs);
            }
            if let Some(follower) = self.followers.get(&job) {
                // Somebody may wait for it before it leaves.
                for to in self.other_holders(job) {
                    let message = follower.state(None);
                    outputs.push(Output::Send { to, message });
                }
            }
            outputs.push(Output::Event(Event::JobChanged { job }));
        }
    }

    /// Whether whoever led the job last is there.
    pub(super) fn is_led(&self, job: JobId) -> bool {
        let newest = self.newest_epoch(job);
        newest.is_some_and(|epoch| self.membership.is_reached(epoch.coordinator))
    }

    pub(super) fn on_copy_state(
        &mut self,
        now: Now,
        from: NodeId,
        job: JobId,
        state: &HolderState,
        outputs: &mut Vec<Output>,
    ) {
        if let Some(own) = self.coordinators.get_mut(&job) {
            if state.epoch > own.epoch() {
                self.step_down(now, job, state.epoch, outputs);
            } else {
                own.on_copy_state(now, from, state, outputs);
            }
            return;
        }
        self.on_holder_state(now, from, job, state, outputs);
        self.note_whole(from, job, state);
        let Some(follower) = self.followers.get(&job) else {
            // Whoever says what it has believes that there is a copy here; it may have been lost.
            self.say_that_nothing_is_here(from, job, outputs);
            return;
        };
        if !state.is_all || !follower.has_ended() && !self.is_over(job) {
            let newest = self.newest_epoch(job);
            if state.is_all && newest.is_some_and(|newest| state.epoch < newest) {
                self.correct(from, job, outputs);
            }
            return;
        }
        // Of a job that has ended whoever has more gives it.
        let total = follower.cut().block_count();
        let has = |block| follower.replica().done.contains_key(&block);
        let lacks_end = state.has_end && !follower.has_ended();
        if lacks_end || state.blocks.iter(total).any(|block| !has(block)) {
            let message = request_of(follower);
            let here = follower.replica().done.len();
            let follower = self.followers.get_mut(&job);
            if follower.is_some_and(|it| it.asked.may(from, here, now.moment)) {
                outputs.push(Output::Send { to: from, message });
            }
        } else if follower.has_ended() && self.lacks_something(job, state) {
            let Some(follower) = self.followers.get_mut(&job) else {
                return;
            };
            // Something is news when it has more, or there is more here.
            let known = follower.replica().done.len() + state.blocks.iter(total).count();
            if follower.answered.may(from, known, now.moment) {
                follower.answer_request(now.moment, from, &state.blocks, outputs);
            }
        }
    }

    /// A holder says what it has, before it sends it.
    pub(super) fn on_inventory(
        &mut self,
        now: Moment,
        from: NodeId,
        job: JobId,
        blocks: &BlockSet,
    ) {
        if let Some(own) = self.coordinators.get_mut(&job) {
            own.on_inventory(now, from, blocks);
        } else if let Some(follower) = self.followers.get_mut(&job) {
            let mut unknown = blocks.iter(follower.cut().block_count());
            let lacks = unknown.any(|block| !follower.replica().done.contains_key(&block));
            if let Some(election) = follower.election.as_mut().filter(|_| lacks) {
                election.on_inventory(from, now);
            }
            follower.announced.remove(&from);
            if lacks && follower.announced.len() < HOLDERS_MAX {
                follower.announced.insert(from, blocks.clone());
            }
            if blocks.is_empty() {
                self.note_lacked(now, from, job);
                self.note_lost_by_coordinator(now, from, job);
            }
        }
    }

    /// Whoever led a job to its end has nothing of it: somebody else has to go on.
    fn note_lost_by_coordinator(&mut self, now: Moment, from: NodeId, job: JobId) {
        let told = self.directory.get(job);
        let is_complete = told.is_some_and(|told| told.status == JobStatus::Complete);
        let newest = self.newest_epoch(job);
        if let Some(newest) = newest.filter(|newest| is_complete && newest.coordinator == from) {
            self.on_resigned(now, from, job, newest);
        }
    }

    fn lacks_something(&self, job: JobId, state: &HolderState) -> bool {
        let Some(replica) = self.replica(job) else {
            return false;
        };
        let mut done = replica.done.keys();
        state.epoch < replica.epoch()
            || replica.ended.is_some() && !state.has_end
            || done.any(|block| !state.blocks.contains(*block))
    }

    /// Somebody wants what is here: a candidate, or a holder that was away.
    pub(super) fn on_copy_request(
        &mut self,
        now: Now,
        from: NodeId,
        (job, epoch): (JobId, Epoch),
        have: &BlockSet,
        outputs: &mut Vec<Output>,
    ) {
        // Of a job that has ended everybody may have everything.
        let stands = epoch.coordinator == from
            && !self.is_over(job)
            && self.newest_epoch(job).is_some_and(|newest| epoch > newest);
        if stands && let Some(refusal) = self.refusal(now, from, job, outputs) {
            let message = PeerMessage::Refused { job, refusal };
            outputs.push(Output::Send { to: from, message });
            if let Refusal::CoordinatorLives(_) = refusal
                && let Some(summary) = self.directory.get(job)
            {
                let message = PeerMessage::Job(summary.clone());
                outputs.push(Output::Send { to: from, message });
            }
            return;
        }
        if let Some(own) = self.coordinators.get_mut(&job) {
            own.hear_request(from, have);
            own.answer_request(now.moment, from, have, outputs);
        } else if let Some(follower) = self.followers.get_mut(&job) {
            self.keeping.on_asked(now.moment, from, job);
            if stands && let Some(election) = &mut follower.election {
                election.give_way(now.moment);
            }
            follower.answer_request(now.moment, from, have, outputs);
        } else {
            // Whoever asks believes that there is a copy here, too.
            self.say_that_nothing_is_here(from, job, outputs);
        }
    }

    fn say_that_nothing_is_here(&self, to: NodeId, job: JobId, outputs: &mut Vec<Output>) {
        if to != self.id {
            let blocks = BlockSet::default();
            let message = PeerMessage::Inventory { job, blocks };
            outputs.push(Output::Send { to, message });
        }
    }

    pub(super) fn on_inputs(
        &mut self,
        now: Now,
        job: JobId,
        are_stored: bool,
        outputs: &mut Vec<Output>,
    ) {
        let Some(follower) = self.followers.get_mut(&job) else {
            return;
        };
        follower.on_inputs(now.moment, are_stored);
        let has_ended = follower.has_ended();
        if !are_stored {
            if has_ended {
                self.keeping.on_inputs_missing(now.moment, job);
            }
            return;
        }
        let message = follower.state(None);
        let mut to = BTreeSet::from([follower.epoch().coordinator]);
        if has_ended {
            // Somebody may wait for it before it leaves.
            to.extend(self.other_holders(job));
        }
        to.remove(&self.id);
        for to in to {
            let message = message.clone();
            outputs.push(Output::Send { to, message });
        }
    }

    /// The stored bytes of a block are not what its hash says. It is removed: another holder gives it again, and
    /// where none has it, it is computed again.
    pub(super) fn on_result_damaged(
        &mut self,
        now: Now,
        job: JobId,
        block: BlockIndex,
        outputs: &mut Vec<Output>,
    ) {
        if let Some(own) = self.coordinators.get_mut(&job) {
            own.on_lost(now, block, outputs);
            return;
        }
        let Some(mut follower) = self.forget_copy(job) else {
            return;
        };
        let is_lost = follower.on_lost(block, outputs);
        self.keep(follower, outputs);
        if is_lost {
            let others = self.other_holders(job);
            if let Some(follower) = self.followers.get(&job) {
                for to in others {
                    let message = request_of(follower);
                    outputs.push(Output::Send { to, message });
                }
            }
            outputs.push(Output::Event(Event::JobChanged { job }));
        }
    }

    /// Another leads this job in a newer epoch.
    pub(super) fn step_down(&mut self, now: Now, job: JobId, to: Epoch, outputs: &mut Vec<Output>) {
        let Some(own) = self.coordinators.remove(&job) else {
            return;
        };
        let (from, age) = (own.epoch(), own.age(now.moment));
        outputs.push(Output::Event(Event::SteppedDown { job, from, to }));
        if let Ok(mut follower) = Follower::new(own.into_replica(), now.moment, age) {
            follower.patient_until = now.moment + self.config.heartbeat_timeout;
            let message = follower.state(None);
            let to = to.coordinator;
            self.keep(follower, outputs);
            outputs.push(Output::Send { to, message });
        }
    }
}

impl Coordinator {
    /// What this node has of the job that it leads.
    fn state(&self) -> PeerMessage {
        PeerMessage::CopyState {
            job: self.replica().record.id,
            epoch: self.epoch(),
            head: 0,
            has_inputs: true,
            has_end: !self.is_running(),
            blocks: self.replica().done_set(),
            is_all: true,
        }
    }

    fn answer_request(&self, now: Moment, to: NodeId, have: &BlockSet, outputs: &mut Vec<Output>) {
        let (replica, age) = (self.replica(), self.age(now));
        if self.is_running() {
            let message = inventory_of(replica);
            outputs.push(Output::Send { to, message });
        }
        send_copy(replica, self.cut(), age, (to, have), outputs);
        let message = self.state();
        outputs.push(Output::Send { to, message });
    }
}

/// Whether two records are of one product: what differs is when and where it
/// was submitted.
fn is_same_job(one: &JobRecord, other: &JobRecord) -> bool {
    let product = |it: &JobRecord| (it.shape, it.options, it.cut);
    product(one) == product(other) && one.a == other.a && one.b == other.b
}

/// What a head may cost the node that stores it and passes it on.
fn is_within_limits(head: &CopyHead, side_max: u32) -> bool {
    let CopyHead {
        record,
        leadership,
        tallies,
        ..
    } = head;
    let key = record.idempotency_key.as_ref();
    let wire::Shape { rows, inner, cols } = record.shape;
    let sides = [rows, inner, cols].into_iter();
    // Of files every chunk is named, so the frame itself bounds how many there are.
    let has = |source: &MatrixSource, wanted: &dyn Fn() -> usize| match source {
        MatrixSource::Random(_) => true,
        MatrixSource::Chunks(hashes) => hashes.len() == wanted(),
    };
    sides.max().is_some_and(|side| side <= side_max)
        && cut_of(record).is_ok_and(|cut| {
            has(&record.a, &|| cut.all_left_chunks().len())
                && has(&record.b, &|| cut.all_right_chunks().len())
        })
        && leadership.backups.len() <= BACKUPS_MAX
        && tallies.len() <= TALLIES_MAX
        && key.is_none_or(|key| key.len() <= IDEMPOTENCY_KEY_BYTES_MAX)
}

pub(super) fn request_of(follower: &Follower) -> PeerMessage {
    PeerMessage::CopyRequest {
        job: follower.job(),
        epoch: follower.epoch(),
        have: follower.replica().done_set(),
    }
}
