//! Results: what is wrong with one, and when it counts.
//!
//! A result is stored here, sent to the backups, and counts when all of them
//! have it. Only then is its device told to forget it.

use std::time::Duration;

use wire::{
    BlockCourse, BlockIndex, BlockProof, DoneBlock, Exchange, NodeId, PeerMessage, Tally, WorkerId,
};

use super::{Coordinator, clip, microseconds, milliseconds};
use crate::effect::{Change, Event, Output};
use crate::limits::{PARTICIPANTS_MAX, RESULTS_WAIT, SUMMARY_INTERVAL};
use crate::tasks::is_given_unasked;
use crate::time::{Moment, Now};

impl Coordinator {
    /// A block came back.
    pub(crate) fn on_result(
        &mut self,
        now: Now,
        home: NodeId,
        block: BlockIndex,
        exchange: Exchange,
        mut proof: BlockProof,
        outputs: &mut Vec<Output>,
    ) {
        let exchange = clip(exchange);
        let worker = exchange.worker;
        self.meet(home, &exchange);
        self.moved_at = now.moment;
        let leased_at = self.leased_at(block, worker);
        let held = self.end_lease(block, worker);
        let mut tally = self.tally();
        tally.computed = tally.computed.saturating_add(1);
        let fault = self.fault_of(block, &proof);
        let is_news = fault.is_none() && self.is_running() && self.pending_or_leased(block);
        if fault.is_some() {
            tally.rejected = tally.rejected.saturating_add(1);
        }
        self.set_tally(tally);
        if let Some(reason) = fault {
            if held {
                self.put_back(block, worker);
            }
            self.set_aside(now.moment, worker);
            outputs.push(Output::Event(Event::ResultRefused {
                job: self.job(),
                block,
                worker,
                reason,
            }));
            self.answer(home, block, worker, outputs);
        } else if is_news {
            // Nobody computed for longer than the job is old.
            proof.compute_ms = proof.compute_ms.min(milliseconds(self.age(now.moment)));
            let course = self.course_of_result(now.moment, block, worker, leased_at, &proof);
            self.record(now, home, block, &exchange, (proof, course), outputs);
        } else if let Some(awaiting) = self.uncommitted.get_mut(&block) {
            // One whose answer was lost asks again; another device is told at
            // once that it was not the first.
            if self
                .replica
                .done
                .get(&block)
                .is_some_and(|done| done.worker == worker)
            {
                *awaiting = Some((home, worker));
            } else {
                self.answer(home, block, worker, outputs);
            }
        } else {
            self.answer_when_safe(home, block, worker, outputs);
        }
        if !self.pending.is_empty() {
            self.wake_hungry(outputs);
        }
        if exchange.slots > 0 {
            self.on_pull(now.moment, home, exchange, outputs);
        }
    }

    /// Whether a result may wait for others: nothing is wrong with it, all blocks were given away at the same
    /// time, and nobody else is given this one meanwhile.
    pub(crate) fn may_wait(
        &self,
        now: Moment,
        block: BlockIndex,
        worker: WorkerId,
        proof: &BlockProof,
    ) -> bool {
        let record = &self.replica.record;
        let until = now + RESULTS_WAIT;
        let leases = self.leases.get(&block);
        let mut leases = leases.into_iter().flatten();
        let lease = leases.find(|lease| lease.worker == worker);
        self.is_running()
            && self.adoption.is_none()
            && is_given_unasked(record.shape, record.options.spread)
            && lease.is_some_and(|lease| lease.late_at.min(lease.expires_at) > until)
            && self.fault_of(block, proof).is_none()
    }

    /// A device returned something, which is looked at later.
    pub(crate) fn on_sign_of_life(&mut self, now: Moment, home: NodeId, exchange: &Exchange) {
        self.meet(home, &clip(exchange.clone()));
        self.moved_at = now;
    }

    /// Blocks that are not done.
    pub(crate) fn lacking(&self) -> usize {
        let total = usize::try_from(self.cut.block_count()).unwrap_or(usize::MAX);
        total.saturating_sub(self.replica.done.len())
    }

    /// What is wrong in form with a result, as a sentence for the log.
    fn fault_of(&self, block: BlockIndex, proof: &BlockProof) -> Option<String> {
        let Some(found) = self.cut.block(block.0) else {
            return Some(format!("the job has no block {block}"));
        };
        let (rows, cols) = (
            found.rows.end - found.rows.start,
            found.cols.end - found.cols.start,
        );
        let bytes = 8 * u64::from(rows) * u64::from(cols);
        if proof.bytes != bytes {
            return Some(format!(
                "{} bytes came, {rows} × {cols} numbers take {bytes}",
                proof.bytes
            ));
        }
        if proof.hash.is_none() {
            return Some("the result has no hash".to_owned());
        }
        if !proof.compute_ms.is_finite() || proof.compute_ms < 0.0 {
            return Some(format!("{} is no compute time", proof.compute_ms));
        }
        None
    }

    /// How the block of a result went, with the device's own figures bounded by the time that it had.
    fn course_of_result(
        &self,
        now: Moment,
        block: BlockIndex,
        worker: WorkerId,
        leased_at: Option<Moment>,
        proof: &BlockProof,
    ) -> BlockCourse {
        let stored_us = microseconds(self.age(now));
        let compute_us = microseconds(Duration::from_secs_f64(proof.compute_ms / 1e3));
        // Its lease may have been another coordinator's.
        let had_us = leased_at.map_or_else(
            || {
                let claimed = proof.receive_us.saturating_add(proof.wait_us);
                claimed.saturating_add(compute_us)
            },
            |at| microseconds(now.since(at)),
        );
        let had_us = had_us.min(stored_us);
        let receive_us = proof.receive_us.min(had_us);
        let taken_from = self.taken_from.get(&block).copied();
        BlockCourse {
            leased_us: stored_us - had_us,
            stored_us,
            receive_us,
            wait_us: proof.wait_us.min(had_us - receive_us),
            taken_from: taken_from.filter(|before| *before != worker),
        }
    }

    /// Stores a result here and sends it to the backups.
    fn record(
        &mut self,
        now: Now,
        home: NodeId,
        block: BlockIndex,
        exchange: &Exchange,
        (proof, course): (BlockProof, BlockCourse),
        outputs: &mut Vec<Output>,
    ) {
        let operations = self.operations(block);
        let done = DoneBlock {
            block,
            hash: proof
                .hash
                .expect("a result without a hash was refused before"),
            worker: exchange.worker,
            kind: exchange.kind,
            name: exchange.name.clone(),
            device: exchange.device.clone(),
            compute_ms: proof.compute_ms,
            course,
            operations,
            epoch: self.epoch(),
            counted: 1,
        };
        if let Some(participant) = self.participants.get_mut(&exchange.worker) {
            participant.speed.observe(operations, proof.compute_ms);
            participant.lapsed = false;
            participant.failures = participant.failures.saturating_sub(1);
        }
        self.expect_anew(now.moment, exchange.worker);
        self.take_in(now, done, Some((home, exchange.worker)), outputs);
    }

    /// A block is done: it is no longer anybody's work. It counts when all
    /// backups have it.
    pub(super) fn take_in(
        &mut self,
        now: Now,
        done: DoneBlock,
        awaiting: Option<(NodeId, WorkerId)>,
        outputs: &mut Vec<Output>,
    ) {
        let (job, block) = (self.job(), done.block);
        self.pending.remove(&block);
        self.reserved.remove(&block);
        self.lost.remove(&block);
        self.taken_from.remove(&block);
        self.drop_others(block, outputs);
        self.replica.record_done(done.clone());
        let tally = self.replica.tallies.get(&done.epoch).copied();
        outputs.push(Output::Persist(Change::Done {
            job,
            done: Box::new(done),
            tally: tally.unwrap_or_default(),
        }));
        self.uncommitted.insert(block, awaiting);
        self.copies.on_done(block);
        self.ship(now.moment, outputs);
        self.commit(now, outputs);
    }

    /// Counts what all backups have; ends the job when that was the last.
    pub(super) fn commit(&mut self, now: Now, outputs: &mut Vec<Output>) {
        if self.copies_awaited.is_some() {
            return;
        }
        let owed = std::mem::take(&mut self.owed);
        for (block, home, worker) in owed {
            self.answer_when_safe(home, block, worker, outputs);
        }
        let stored = self
            .uncommitted
            .keys()
            .filter(|block| self.copies.have(**block));
        let stored: Vec<BlockIndex> = stored.copied().collect();
        for block in stored {
            let awaiting = self.uncommitted.remove(&block).flatten();
            self.tell_counted(now.moment, block, outputs);
            if let Some((home, worker)) = awaiting {
                self.answer(home, block, worker, outputs);
            }
        }
        self.end_if_done(now, outputs);
        self.tell_end(now.moment, outputs);
    }

    fn tell_counted(&mut self, now: Moment, block: BlockIndex, outputs: &mut Vec<Output>) {
        let job = self.job();
        if let Some(done) = self.replica.done.get(&block) {
            outputs.push(Output::Event(Event::BlockDone {
                job,
                block,
                worker: done.worker,
                compute_ms: done.compute_ms,
            }));
        }
        outputs.push(Output::Event(Event::JobChanged { job }));
        if self.summary_due.is_none() {
            self.summary_due = Some(now + SUMMARY_INTERVAL);
        }
    }

    /// A device offers what is done already. It may forget its result when the
    /// backups have it, too: they are others than when it was counted.
    fn answer_when_safe(
        &mut self,
        home: NodeId,
        block: BlockIndex,
        worker: WorkerId,
        outputs: &mut Vec<Output>,
    ) {
        let credit = self.replica.done.get(&block);
        let has_credit = credit.is_some_and(|done| done.worker == worker);
        let is_safe = self.copies_awaited.is_none() && self.copies.have(block);
        if is_safe || !has_credit || self.owed.len() >= PARTICIPANTS_MAX {
            self.answer(home, block, worker, outputs);
        } else {
            self.owed.insert((block, home, worker));
        }
    }

    /// Tells a device what became of its result. One whose answer was lost
    /// asks again, and has the credit already.
    fn answer(&self, home: NodeId, block: BlockIndex, worker: WorkerId, outputs: &mut Vec<Output>) {
        let credit = self.replica.done.get(&block);
        let message = PeerMessage::Counted {
            job: self.job(),
            block,
            worker,
            counted: credit.is_some_and(|done| done.worker == worker),
        };
        outputs.push(Output::Send { to: home, message });
    }

    /// Blocks that count.
    pub(super) fn committed(&self) -> u32 {
        let committed = self.replica.done.len() - self.uncommitted.len();
        u32::try_from(committed).unwrap_or(u32::MAX)
    }

    pub(super) fn tally(&self) -> Tally {
        let tally = self.replica.tallies.get(&self.epoch());
        tally.copied().unwrap_or_default()
    }

    pub(super) fn set_tally(&mut self, tally: Tally) {
        let epoch = self.epoch();
        self.replica.raise_tally(epoch, tally);
    }
}
