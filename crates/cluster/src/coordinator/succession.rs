//! Taking over from another coordinator, copying to backups, and uniting with
//! what other copies know.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel::cut::Cut;
use wire::{
    BlockIndex, BlockSet, CopyHead, DoneBlock, Ending, HeldLease, NodeId, PeerMessage, Tally,
    WorkerKind,
};

use super::copies::Shipment;
use super::{Coordinator, clip, has_all, microseconds};
use crate::effect::{Change, Event, Output};
use crate::limits::{
    ADOPTION_WAIT, ANNOUNCED_IN_VAIN, BLOCKS_PER_THREAD_MAX, COPIES_WAIT, COPY_REQUEST_PAUSE,
    ELECTION_COLLECT_MAX, NAME_CHARS_MAX, RESULTS_KEPT_MAX, THREADS_MAX,
};
use crate::replica::Replica;
use crate::time::{Moment, Now};

/// A new coordinator waits for the devices to say what they compute, and for
/// what holders have that took no part in the election.
#[derive(Debug)]
pub(super) struct Adoption {
    /// Nodes that have not answered.
    awaited: BTreeSet<NodeId>,
    /// Holders that have something which is not here.
    uniting: BTreeSet<NodeId>,
    /// A little later each time that a block of theirs comes.
    pub(super) until: Moment,
    pub(super) latest: Moment,
}

impl Adoption {
    /// Nobody is waited for yet.
    fn of_nobody(now: Moment) -> Self {
        Self {
            awaited: BTreeSet::new(),
            uniting: BTreeSet::new(),
            until: now + ADOPTION_WAIT,
            latest: now + ELECTION_COLLECT_MAX,
        }
    }

    fn is_over(&self, now: Moment) -> bool {
        let have_answered = self.awaited.is_empty() && self.uniting.is_empty();
        have_answered || self.until <= now
    }

    /// A block came from another holder.
    fn on_progress(&mut self, now: Moment) {
        if !self.uniting.is_empty() {
            self.until = self.until.max(now + ADOPTION_WAIT).min(self.latest);
        }
    }
}

impl Coordinator {
    /// Leads on from where the copies were united. `backups` have all of it.
    pub(crate) fn take_over(
        &mut self,
        now: Now,
        backups: &[NodeId],
        reached: BTreeSet<NodeId>,
        outputs: &mut Vec<Output>,
    ) {
        let begun_us = microseconds(self.age(now.moment));
        let tally = self.tally();
        self.set_tally(Tally { begun_us, ..tally });
        self.copy_to(now, backups, outputs);
        if self.is_running() {
            let until = now.moment + ADOPTION_WAIT;
            self.adoption = Some(Adoption {
                awaited: reached,
                uniting: BTreeSet::new(),
                until,
                latest: now.moment + ELECTION_COLLECT_MAX,
            });
        }
        // Its end may not have been told: the one before died in between.
        self.is_end_told = false;
        self.await_copies(now, backups, outputs);
    }

    /// Makes these nodes backups.
    pub(super) fn copy_to(&mut self, now: Now, nodes: &[NodeId], outputs: &mut Vec<Output>) {
        for node in nodes {
            self.copies.add(*node, self.replica.done.keys().copied());
        }
        self.copies.on_head_changed();
        self.ship(now.moment, outputs);
    }

    /// Nothing counts before these backups have joined, for a while.
    pub(super) fn await_copies(&mut self, now: Now, backups: &[NodeId], outputs: &mut Vec<Output>) {
        self.copies_awaited = Some((backups.to_vec(), now.moment + COPIES_WAIT));
        self.end_waits(now, outputs);
    }

    /// Ends the waits that are over. True when devices can be given work now.
    pub(super) fn end_waits(&mut self, now: Now, outputs: &mut Vec<Output>) -> bool {
        let mut wake = false;
        if self.copies.let_go(now.moment) {
            self.store_as_only_holder(outputs);
            self.commit(now, outputs);
        }
        self.ship(now.moment, outputs);
        let is_over = |until: Moment| until <= now.moment;
        if let Some((nodes, _)) = self
            .copies_awaited
            .take_if(|(nodes, until)| is_over(*until) || self.copies.all_joined(nodes))
        {
            if self.is_opening {
                self.is_opening = false;
                if !nodes.is_empty() && self.copies.joined().is_empty() {
                    self.store_as_only_holder(outputs);
                }
                self.summary_due = Some(now.moment);
                wake = true;
                let job = self.job();
                outputs.push(Output::Event(Event::JobSafe { job }));
            }
            self.commit(now, outputs);
        }
        let adoption = self.adoption.as_ref();
        if adoption.is_some_and(|it| it.is_over(now.moment)) {
            self.adoption = None;
            wake = true;
        }
        wake
    }

    /// What no backup has acknowledged must be on this disk before anything of it is told: a change of a
    /// job without backups is synced, and all before it.
    fn store_as_only_holder(&self, outputs: &mut Vec<Output>) {
        outputs.push(Output::Persist(Change::Head {
            job: self.job(),
            leadership: self.replica.leadership.clone(),
            tallies: Vec::new(),
            ended: None,
        }));
    }

    /// A node tells what its devices compute.
    pub(crate) fn on_held(
        &mut self,
        now: Now,
        from: NodeId,
        leases: Vec<HeldLease>,
        outputs: &mut Vec<Output>,
    ) {
        for held in leases {
            let exchange = clip(held.exchange);
            self.meet(from, &exchange);
            let participant = self.participants.get(&exchange.worker);
            if participant.is_none_or(|known| known.paused_until.is_some()) {
                continue;
            }
            // No device computes or keeps more than this.
            let most = exchange.threads.clamp(1, THREADS_MAX) * BLOCKS_PER_THREAD_MAX;
            let most = 2 * usize::try_from(most).unwrap_or(usize::MAX) + RESULTS_KEPT_MAX;
            for block in held.blocks.into_iter().take(most) {
                if self.pending.contains(&block) {
                    // It was under way all the time: nothing is given again.
                    self.lost.remove(&block);
                    self.lease(now.moment, exchange.worker, block, outputs);
                }
                // A page that moved: its new node does not know the block.
                if exchange.kind == WorkerKind::Browser && self.has_lease(block, exchange.worker) {
                    self.repeat_lease(block, exchange.worker, outputs);
                }
            }
        }
        if let Some(adoption) = &mut self.adoption {
            adoption.awaited.remove(&from);
        }
        self.wake_after_waits(now, outputs);
    }

    /// Ends the waits that are over; devices that wait then get work.
    fn wake_after_waits(&mut self, now: Now, outputs: &mut Vec<Output>) {
        if self.end_waits(now, outputs) && self.is_running() {
            self.wake_hungry(outputs);
        }
    }

    /// This node is not waited for any more.
    pub(super) fn adopt_without(&mut self, now: Now, node: NodeId, outputs: &mut Vec<Output>) {
        if let Some(adoption) = &mut self.adoption {
            adoption.awaited.remove(&node);
            adoption.uniting.remove(&node);
            self.wake_after_waits(now, outputs);
        }
    }

    /// Nodes that could hold copies: as many become backups as there is room
    /// for. Which ones differs from job to job, so that copies spread.
    pub(crate) fn fill_backups(
        &mut self,
        now: Now,
        reached: impl Iterator<Item = NodeId>,
        outputs: &mut Vec<Output>,
    ) {
        let room = self.copies.room();
        if room == 0 || !self.is_running() {
            return;
        }
        let own = self.epoch().coordinator;
        let free = reached.filter(|node| *node != own && !self.copies.contains(*node));
        let mut free: Vec<NodeId> = free.collect();
        if free.is_empty() {
            return;
        }
        let job = self.job();
        free.sort_by_key(|node| distance(*node, job));
        free.truncate(room);
        for node in &free {
            self.copies.add(*node, self.replica.done.keys().copied());
        }
        self.replica.leadership.backups.extend(free);
        self.lead_on(now, outputs);
    }

    /// A node is gone: it holds no copy any more.
    pub(super) fn drop_copy(&mut self, now: Now, node: NodeId, outputs: &mut Vec<Output>) {
        if !self.copies.contains(node) {
            return;
        }
        self.copies.remove(node);
        if self.is_running() {
            let backups = &mut self.replica.leadership.backups;
            backups.retain(|backup| *backup != node);
            self.lead_on(now, outputs);
        } else if self.copies.joined().is_empty() {
            // Its end may still be untold.
            self.store_as_only_holder(outputs);
        }
        self.commit(now, outputs);
    }

    /// The backups are others now.
    fn lead_on(&mut self, now: Now, outputs: &mut Vec<Output>) {
        self.replica.leadership.version += 1;
        outputs.push(Output::Persist(Change::Head {
            job: self.job(),
            leadership: self.replica.leadership.clone(),
            tallies: Vec::new(),
            ended: None,
        }));
        self.copies.on_head_changed();
        self.summary_due = Some(now.moment);
        self.ship(now.moment, outputs);
    }

    /// Sends the backups what they lack.
    pub(super) fn ship(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        self.copies.set_end(self.replica.ended.is_some());
        for shipment in self.copies.due(now) {
            match shipment {
                Shipment::Head { to, number } => {
                    let head = Box::new(self.replica.head(self.age(now)));
                    let job = self.job();
                    let message = PeerMessage::CopyHead {
                        job,
                        number,
                        head,
                        // Whoever has their bytes adds them.
                        inputs: Vec::new(),
                    };
                    outputs.push(Output::Send { to, message });
                }
                Shipment::Block { to, block } => {
                    outputs.extend(block_message(&self.replica, &self.cut, to, block));
                }
            }
        }
    }

    /// The link to a node is new: what was under way is sent again.
    pub(crate) fn on_link_up(&mut self, now: Now, node: NodeId, outputs: &mut Vec<Output>) {
        let had_joined = self.copies.on_link_up(node);
        if had_joined {
            self.announced.remove(&node);
        }
        self.asked.forget(node);
        self.ship(now.moment, outputs);
        if had_joined {
            if self.copies.joined().is_empty() {
                self.store_as_only_holder(outputs);
            }
            self.commit(now, outputs);
        }
    }

    /// A holder tells what it has.
    pub(crate) fn on_copy_state(
        &mut self,
        now: Now,
        from: NodeId,
        state: &HolderState,
        outputs: &mut Vec<Output>,
    ) {
        let total = self.cut.block_count();
        let is_ours = state.epoch == self.epoch();
        let head = if is_ours { state.head } else { 0 };
        self.copies.on_state(
            now.moment,
            from,
            head,
            state.has_inputs,
            &state.blocks,
            total,
        );
        let mut unknown = state.blocks.iter(total);
        let lacks_end = state.has_end && self.is_running();
        let lacks = lacks_end || unknown.any(|block| !self.replica.done.contains_key(&block));
        if let Some(adoption) = self.adoption.as_mut().filter(|_| state.is_all) {
            // What it has is not computed again while it is on its way here.
            if lacks {
                adoption.uniting.insert(from);
            } else {
                adoption.uniting.remove(&from);
            }
        }
        if state.is_all && lacks && self.may_ask(now.moment, from) {
            let message = PeerMessage::CopyRequest {
                job: self.job(),
                epoch: self.epoch(),
                have: self.replica.done_set(),
            };
            outputs.push(Output::Send { to: from, message });
        }
        self.wake_after_waits(now, outputs);
        self.commit(now, outputs);
    }

    /// A block's bytes are damaged here. A backup that has it is asked for it, and waited for; else it is
    /// computed again.
    pub(crate) fn on_lost(&mut self, now: Now, block: BlockIndex, outputs: &mut Vec<Output>) {
        if !self.replica.forget_done(block) {
            return;
        }
        let job = self.job();
        outputs.push(Output::Persist(Change::Lost { job, block }));
        self.uncommitted.remove(&block);
        if !self.is_running() {
            // It was complete: the blocks that are left are, too.
            self.replica.ended = None;
            self.ended_at = None;
            self.is_end_told = false;
            self.is_reopened = true;
        }
        self.pending.insert(block);
        self.lost.insert(block);
        let holders: BTreeSet<NodeId> = self.copies.holders_of(block).collect();
        for to in &holders {
            let message = PeerMessage::CopyRequest {
                job,
                epoch: self.epoch(),
                have: self.replica.done_set(),
            };
            outputs.push(Output::Send { to: *to, message });
        }
        if !holders.is_empty() {
            let adoption = self
                .adoption
                .get_or_insert_with(|| Adoption::of_nobody(now.moment));
            adoption.uniting.extend(holders);
        }
        self.wake_after_waits(now, outputs);
        self.wake_hungry(outputs);
    }

    /// A holder that asks says what it has: where some of it is not here, no device is given
    /// work before it has come, though what its own devices compute is known already.
    pub(crate) fn hear_request(&mut self, from: NodeId, have: &BlockSet) {
        let mut unknown = have.iter(self.cut.block_count());
        let lacks = unknown.any(|block| !self.replica.done.contains_key(&block));
        if let Some(adoption) = self.adoption.as_mut().filter(|_| lacks) {
            adoption.uniting.insert(from);
        }
    }

    /// A holder says what it has, and sends it: nobody is given that meanwhile.
    ///
    /// Anyone may: a coordinator that was away is in no list. One that never sends what it announces is waited
    /// for once.
    pub(crate) fn on_inventory(&mut self, now: Moment, from: NodeId, blocks: &BlockSet) {
        let mut unknown = blocks.iter(self.cut.block_count());
        let lacks = unknown.any(|block| !self.replica.done.contains_key(&block));
        let is_awaited = lacks && self.is_running() && !self.is_opening;
        if !is_awaited || self.is_announced_in_vain(now, from) {
            return;
        }
        // One that was away may come with it long after this node took over.
        let adoption = self
            .adoption
            .get_or_insert_with(|| Adoption::of_nobody(now));
        adoption.uniting.insert(from);
        adoption.until = adoption.latest;
    }

    /// A holder that announces for long what it never sends holds nobody up for ever.
    fn is_announced_in_vain(&mut self, now: Moment, from: NodeId) -> bool {
        let done = self.replica.done.len();
        let announced = self.announced.entry(from).or_insert((done, now));
        if announced.0 < done {
            *announced = (done, now);
        }
        now.since(announced.1) >= ANNOUNCED_IN_VAIN
    }

    /// Whether a holder is to be asked for what it has.
    pub(crate) fn may_ask(&mut self, now: Moment, whom: NodeId) -> bool {
        self.asked.may(whom, self.replica.done.len(), now)
    }

    /// Another copy of the job, of an epoch that is not newer.
    pub(crate) fn on_copy_head(&mut self, now: Now, head: &CopyHead, outputs: &mut Vec<Output>) {
        let was_running = self.is_running();
        let mut theirs = head.clone();
        theirs.leadership = self.replica.leadership.clone();
        let is_complete = theirs
            .ended
            .as_ref()
            .is_some_and(|ended| ended.ending == Ending::Complete);
        if is_complete && !has_all(&self.replica, &self.cut) {
            // Its blocks are asked for; with the last of them it ends here, too.
            theirs.ended = None;
        }
        if !self.replica.merge_head(&theirs) {
            return;
        }
        if was_running && !self.is_running() {
            self.wind_up(now, Duration::from_millis(head.age_ms), outputs);
        } else {
            self.lead_on(now, outputs);
        }
    }

    /// A block that another coordinator counted.
    pub(crate) fn on_copy_block(
        &mut self,
        now: Now,
        done: DoneBlock,
        tally: Tally,
        bytes: u64,
        outputs: &mut Vec<Output>,
    ) {
        if !is_block_of(&self.cut, &done, bytes) {
            return;
        }
        let (block, epoch) = (done.block, done.epoch);
        let before = self.replica.done.get(&block).cloned();
        self.replica.raise_tally(epoch, tally);
        self.replica.record_done(done);
        let after = self.replica.done.get(&block).cloned();
        let Some(after) = after.filter(|after| before.as_ref() != Some(after)) else {
            return;
        };
        self.moved_at = now.moment;
        if let Some(adoption) = &mut self.adoption {
            adoption.on_progress(now.moment);
        }
        if before.is_none() {
            self.take_in(now, after, None, outputs);
            return;
        }
        // It counts already; only whose it is changed.
        self.copies.on_replaced(block);
        let tally = self.replica.tallies.get(&epoch).copied();
        outputs.push(Output::Persist(Change::Done {
            job: self.job(),
            done: Box::new(after),
            tally: tally.unwrap_or_default(),
        }));
        self.ship(now.moment, outputs);
    }
}

/// What was exchanged with each holder last: with how much here, and when.
#[derive(Debug, Default)]
pub(crate) struct Exchanges(BTreeMap<NodeId, (usize, Moment)>);

impl Exchanges {
    /// The line was broken: what was said may not have come.
    pub(crate) fn forget(&mut self, with: NodeId) {
        self.0.remove(&with);
    }

    /// Whether it is time to speak to a holder of what it has or lacks: not at
    /// once for the same again, which would go back and forth for ever where a
    /// disk does not give a block, or two copies are not of one job.
    pub(crate) fn may(&mut self, with: NodeId, here: usize, now: Moment) -> bool {
        let last = self.0.get(&with);
        let is_again =
            last.is_some_and(|(had, at)| *had == here && now.since(*at) < COPY_REQUEST_PAUSE);
        if !is_again {
            self.0.insert(with, (here, now));
        }
        !is_again
    }
}

/// A block of a copy, for another holder.
pub(crate) fn block_message(
    replica: &Replica,
    cut: &Cut,
    to: NodeId,
    block: BlockIndex,
) -> Option<Output> {
    let done = replica.done.get(&block)?.clone();
    let tally = replica.tallies.get(&done.epoch).copied();
    let message = PeerMessage::CopyBlock {
        job: replica.record.id,
        epoch: replica.epoch(),
        done: Box::new(done),
        tally: tally.unwrap_or_default(),
        bytes: bytes_of(cut, block)?,
    };
    Some(Output::Send { to, message })
}

fn bytes_of(cut: &Cut, block: BlockIndex) -> Option<u64> {
    let found = cut.block(block.0)?;
    let rows = u64::from(found.rows.end - found.rows.start);
    Some(8 * rows * u64::from(found.cols.end - found.cols.start))
}

/// Whether a block that came from elsewhere is one of the cut, in size and
/// words.
pub(crate) fn is_block_of(cut: &Cut, done: &DoneBlock, bytes: u64) -> bool {
    let is_short = |text: &str| text.len() <= 4 * NAME_CHARS_MAX;
    let is_time = done.compute_ms.is_finite() && done.compute_ms >= 0.0;
    bytes_of(cut, done.block) == Some(bytes)
        && is_time
        && is_short(&done.name)
        && is_short(&done.device)
}

/// What a holder says of its copy.
#[derive(Debug)]
pub(crate) struct HolderState {
    pub(crate) epoch: wire::Epoch,
    pub(crate) head: u64,
    pub(crate) has_inputs: bool,
    pub(crate) has_end: bool,
    pub(crate) blocks: BlockSet,
    pub(crate) is_all: bool,
}

/// Different for each job, the same at each node.
pub(crate) fn distance(node: NodeId, job: wire::JobId) -> [u8; 16] {
    let (node, job) = (node.as_bytes(), job.as_bytes());
    std::array::from_fn(|index| node[index] ^ job[index])
}
