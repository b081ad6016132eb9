//! One job, led: which blocks are pending, leased and done.
//!
//! A block goes from pending to done, once. On its way it may be leased to one
//! device, or to two when the first is late; whichever answers first has the
//! credit, and a result counts whatever lease it came from. What is done is in
//! the [`Replica`], which is stored and will be copied; leases are this
//! coordinator's own and die with it.

mod progress;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel::cut::{Cut, CutError};
use wire::{
    BlockIndex, BlockProof, Ending, Epoch, Exchange, JobId, JobSummary, NodeId, PeerMessage,
    Spread, WorkerId,
};

use crate::effect::{Change, Event, Output};
use crate::limits::{
    BLOCK_TIMEOUT_PART, LEASE_BLOCKS_MAX, LEASES_PER_BLOCK_MAX, PATIENCE, SUMMARY_INTERVAL,
};
use crate::placement::{Speed, share_of, shortens};
use crate::replica::{DoneBlock, Ended, Replica, Tally};
use crate::tasks::{cut_of, task_of};
use crate::time::{Moment, Now};

pub use progress::JobProgress;

/// How long a device that gave a block back is left alone: what it lacks
/// (memory, a chunk whose holder is away) does not come in an instant.
const GAVE_BACK_PAUSE: Duration = Duration::from_millis(500);

/// A device that this job has heard of.
#[derive(Debug)]
struct Participant {
    home: NodeId,
    exchange: Exchange,
    speed: Speed,
    leased: u32,
    /// It asked and there was nothing: to be told when there is.
    hungry: bool,
    paused_until: Option<Moment>,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    worker: WorkerId,
    /// From here on a second device may compute the block too.
    overdue_at: Moment,
    /// From here on the block is pending again.
    expires_at: Moment,
    overdue_told: bool,
}

#[derive(Debug, Clone, Copy)]
struct Reservation {
    worker: WorkerId,
    until: Moment,
}

/// A device that was attached when the job was submitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) worker: WorkerId,
    pub(crate) threads: u32,
    pub(crate) mflops: f64,
}

/// One job and the devices that work at it.
#[derive(Debug)]
pub struct Coordinator {
    replica: Replica,
    cut: Cut,
    block_timeout: Duration,
    started: Moment,
    pending: BTreeSet<BlockIndex>,
    reserved: BTreeMap<BlockIndex, Reservation>,
    leases: BTreeMap<BlockIndex, Vec<Lease>>,
    /// Blocks that somebody had and lost: the next lease is a reassignment.
    lost: BTreeSet<BlockIndex>,
    participants: BTreeMap<WorkerId, Participant>,
    summary_version: u64,
    /// When changed progress is to be told to the other nodes.
    summary_due: Option<Moment>,
    ended_at: Option<Moment>,
}

impl Coordinator {
    /// Leads a job: a new one, or one from the store.
    ///
    /// # Errors
    /// When the record's cut is not one.
    pub fn new(replica: Replica, block_timeout: Duration, now: Now) -> Result<Self, CutError> {
        let cut = cut_of(&replica.record)?;
        let all = (0..cut.block_count()).map(BlockIndex);
        let pending = all
            .filter(|block| !replica.done.contains_key(block))
            .collect();
        let age_ms = now
            .unix_ms
            .saturating_sub(replica.record.submitted_at_unix_ms);
        let since_end = replica.ended.as_ref().map(|ended| {
            now.moment - Duration::from_millis(now.unix_ms.saturating_sub(ended.at_unix_ms))
        });
        Ok(Self {
            cut,
            block_timeout,
            started: now.moment - Duration::from_millis(age_ms),
            pending,
            reserved: BTreeMap::new(),
            leases: BTreeMap::new(),
            lost: BTreeSet::new(),
            participants: BTreeMap::new(),
            // A coordinator that starts again must not count below what it
            // told before; milliseconds since 1970 rise with every start.
            summary_version: now.unix_ms,
            summary_due: None,
            ended_at: since_end,
            replica,
        })
    }

    /// The job's state.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The cut of C.
    #[must_use]
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    pub(crate) fn is_running(&self) -> bool {
        self.replica.ended.is_none()
    }

    /// When it ended, if it has.
    pub(crate) fn ended_at(&self) -> Option<Moment> {
        self.ended_at
    }

    fn job(&self) -> JobId {
        self.replica.record.id
    }

    fn epoch(&self) -> Epoch {
        self.replica.epoch
    }

    /// Keeps one block back for each device, so that all of them have a part
    /// in a job that one of them could finish before the others have asked.
    pub(crate) fn reserve(&mut self, candidates: &[Candidate], now: Moment) {
        if self.replica.record.options.spread != Spread::All {
            return;
        }
        let free: Vec<BlockIndex> = self.pending.iter().copied().collect();
        for (candidate, block) in candidates.iter().zip(free) {
            let speed = Speed::claimed(candidate.mflops, candidate.threads);
            if self.is_too_slow(speed, block) {
                continue;
            }
            let until = now + self.expected(speed, block, 0) * PATIENCE;
            self.reserved.insert(
                block,
                Reservation {
                    worker: candidate.worker,
                    until,
                },
            );
        }
    }

    /// A device has room.
    pub(crate) fn on_pull(
        &mut self,
        now: Moment,
        home: NodeId,
        exchange: Exchange,
        outputs: &mut Vec<Output>,
    ) {
        let worker = exchange.worker;
        let slots = exchange.slots;
        self.meet(home, exchange);
        if slots == 0 {
            return;
        }
        let blocks = if self.is_running() {
            self.choose(now, worker, slots)
        } else {
            Vec::new()
        };
        let tasks: Vec<_> = blocks
            .iter()
            .filter_map(|block| task_of(&self.replica.record, &self.cut, *block))
            .collect();
        let job = self.job();
        if tasks.is_empty() {
            if let Some(participant) = self.participants.get_mut(&worker) {
                participant.hungry = true;
            }
            outputs.push(Output::Send {
                to: home,
                message: PeerMessage::NoWork { job, worker },
            });
            return;
        }
        for task in &tasks {
            self.lease(now, worker, task.block, outputs);
        }
        let message = PeerMessage::Lease {
            job,
            epoch: self.epoch(),
            worker,
            tasks,
        };
        outputs.push(Output::Send { to: home, message });
    }

    /// A block came back.
    pub(crate) fn on_result(
        &mut self,
        now: Now,
        home: NodeId,
        block: BlockIndex,
        exchange: Exchange,
        proof: BlockProof,
        outputs: &mut Vec<Output>,
    ) {
        let worker = exchange.worker;
        self.meet(home, exchange.clone());
        let held = self.end_lease(block, worker);
        let mut tally = self.tally();
        tally.computed += 1;
        let fault = self.fault_of(block, &proof);
        let counted = fault.is_none() && self.is_running() && self.pending_or_leased(block);
        if let Some(reason) = fault {
            tally.rejected += 1;
            self.set_tally(tally);
            self.put_back(block, held);
            outputs.push(Output::Event(Event::ResultRefused {
                job: self.job(),
                block,
                worker,
                reason,
            }));
        } else if counted {
            tally.accepted += 1;
            self.set_tally(tally);
            self.count(now, block, &exchange, proof, outputs);
        } else {
            self.set_tally(tally);
        }
        let message = PeerMessage::Counted {
            job: self.job(),
            block,
            worker,
            counted,
        };
        outputs.push(Output::Send { to: home, message });
        if counted && self.pending.is_empty() && self.leases.is_empty() {
            self.end(now, Ending::Complete, outputs);
        } else if !self.pending.is_empty() {
            self.wake_hungry(outputs);
        }
        if exchange.slots > 0 {
            self.on_pull(now.moment, home, exchange, outputs);
        }
    }

    /// A device gives blocks back; none named are all that it has.
    pub(crate) fn on_give_back(
        &mut self,
        now: Moment,
        worker: WorkerId,
        blocks: &[BlockIndex],
        gone: bool,
        outputs: &mut Vec<Output>,
    ) {
        let held: Vec<BlockIndex> = if blocks.is_empty() {
            self.leased_by(worker)
        } else {
            blocks.to_vec()
        };
        for block in held {
            if self.end_lease(block, worker) {
                self.put_back(block, true);
            }
        }
        if gone {
            self.participants.remove(&worker);
            self.reserved
                .retain(|_, reservation| reservation.worker != worker);
        } else if let Some(participant) = self.participants.get_mut(&worker) {
            participant.paused_until = Some(now + GAVE_BACK_PAUSE);
            participant.hungry = true;
        }
        if self.is_running() {
            self.wake_hungry(outputs);
        }
    }

    /// A node is gone, and with it all devices that computed through it.
    pub(crate) fn on_node_gone(&mut self, now: Moment, home: NodeId, outputs: &mut Vec<Output>) {
        let gone: Vec<WorkerId> = self
            .participants
            .iter()
            .filter(|(_, participant)| participant.home == home)
            .map(|(worker, _)| *worker)
            .collect();
        for worker in gone {
            self.on_give_back(now, worker, &[], true, outputs);
        }
        self.reserved
            .retain(|_, reservation| reservation.worker != WorkerId::from(home));
    }

    /// Somebody cancels the job; one that has ended stays as it is.
    pub(crate) fn on_cancel(&mut self, now: Now, outputs: &mut Vec<Output>) {
        if self.is_running() {
            self.end(now, Ending::Cancelled, outputs);
        }
    }

    /// Does what is due: reservations and leases that ran out, late blocks,
    /// progress to tell. True when the other nodes should get a summary.
    pub(crate) fn on_tick(&mut self, now: Moment, outputs: &mut Vec<Output>) -> bool {
        let mut wake = false;
        self.reserved.retain(|_, reservation| {
            let keep = reservation.until > now;
            wake |= !keep;
            keep
        });
        let mut expired = Vec::new();
        for (block, leases) in &mut self.leases {
            for lease in leases {
                if lease.expires_at <= now {
                    expired.push((*block, lease.worker));
                } else if lease.overdue_at <= now && !lease.overdue_told {
                    lease.overdue_told = true;
                    wake = true;
                }
            }
        }
        for (block, worker) in expired {
            self.end_lease(block, worker);
            self.put_back(block, true);
            wake = true;
        }
        for participant in self.participants.values_mut() {
            if participant.paused_until.is_some_and(|until| until <= now) {
                participant.paused_until = None;
                wake = true;
            }
        }
        if wake && self.is_running() {
            self.wake_hungry(outputs);
        }
        let tell = self.summary_due.is_some_and(|due| due <= now);
        if tell {
            self.summary_due = None;
        }
        tell
    }

    /// When [`Self::on_tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let reservations = self.reserved.values().map(|reservation| reservation.until);
        let leases = self.leases.values().flatten().map(|lease| {
            if lease.overdue_told {
                lease.expires_at
            } else {
                lease.overdue_at.min(lease.expires_at)
            }
        });
        let pauses = self
            .participants
            .values()
            .filter_map(|participant| participant.paused_until);
        reservations
            .chain(leases)
            .chain(pauses)
            .chain(self.summary_due)
            .min()
    }

    /// The job in short, newer than every summary before.
    pub(crate) fn next_summary(&mut self) -> JobSummary {
        self.summary_version += 1;
        let record = &self.replica.record;
        JobSummary {
            id: record.id,
            status: self.replica.status(),
            epoch: self.epoch(),
            version: self.summary_version,
            holders: vec![self.epoch().coordinator],
            shape: record.shape,
            options: record.options,
            blocks_total: self.cut.block_count(),
            blocks_done: u32::try_from(self.replica.done.len()).unwrap_or(u32::MAX),
            submitted_at_unix_ms: record.submitted_at_unix_ms,
            idempotency_key: record.idempotency_key.clone(),
        }
    }

    // ----- choosing ------------------------------------------------------

    /// The blocks that a device is given now.
    fn choose(&self, now: Moment, worker: WorkerId, slots: u32) -> Vec<BlockIndex> {
        let Some(participant) = self.participants.get(&worker) else {
            return Vec::new();
        };
        if participant.paused_until.is_some_and(|until| until > now) {
            return Vec::new();
        }
        let speed = participant.speed;
        let mine = self
            .reserved
            .iter()
            .filter(|(_, reservation)| reservation.worker == worker);
        let mut chosen: Vec<BlockIndex> = mine.map(|(block, _)| *block).collect();
        let free: Vec<BlockIndex> = self
            .pending
            .iter()
            .filter(|block| !self.reserved.contains_key(block) && !self.is_too_slow(speed, **block))
            .copied()
            .collect();
        let others = self.mflops_of_others(worker);
        let fastest_only = self.replica.record.options.spread == Spread::Fastest;
        let welcome = |block: &BlockIndex| {
            !fastest_only || shortens(speed, others, self.operations(*block), free.len())
        };
        if free.first().is_some_and(welcome) {
            let share = share_of(free.len(), speed.mflops(), speed.mflops() + others, slots);
            chosen.extend(free.iter().take(share as usize));
        }
        chosen.truncate(LEASE_BLOCKS_MAX.min(slots as usize));
        if chosen.is_empty() {
            chosen.extend(self.late_block(now, worker, speed));
        }
        chosen
    }

    /// A block that somebody else should have returned by now and that nobody
    /// has doubled yet; the most overdue first.
    fn late_block(&self, now: Moment, worker: WorkerId, speed: Speed) -> Option<BlockIndex> {
        self.leases
            .iter()
            .filter(|(block, leases)| {
                leases.len() < LEASES_PER_BLOCK_MAX
                    && leases
                        .iter()
                        .all(|lease| lease.worker != worker && lease.overdue_at <= now)
                    && !self.is_too_slow(speed, **block)
            })
            .min_by_key(|(_, leases)| leases.iter().map(|lease| lease.overdue_at).min())
            .map(|(block, _)| *block)
    }

    fn is_too_slow(&self, speed: Speed, block: BlockIndex) -> bool {
        speed.compute_time(self.operations(block)) > self.block_timeout / BLOCK_TIMEOUT_PART
    }

    fn expected(&self, speed: Speed, block: BlockIndex, blocks_ahead: u32) -> Duration {
        let bytes = self.cut.block(block.0).map_or(0, |found| {
            let sides = u64::from(found.rows.end - found.rows.start)
                + u64::from(found.cols.end - found.cols.start);
            8 * sides * u64::from(self.replica.record.shape.inner)
        });
        speed.expected_time(self.operations(block), bytes, blocks_ahead)
    }

    fn operations(&self, block: BlockIndex) -> u64 {
        let inner = self.replica.record.shape.inner;
        self.cut
            .block(block.0)
            .map_or(0, |found| found.operations(inner))
    }

    fn mflops_of_others(&self, worker: WorkerId) -> f64 {
        let others = self.participants.iter().filter(|(id, _)| **id != worker);
        others
            .map(|(_, participant)| participant.speed.mflops())
            .sum()
    }

    // ----- leases --------------------------------------------------------

    fn lease(
        &mut self,
        now: Moment,
        worker: WorkerId,
        block: BlockIndex,
        outputs: &mut Vec<Output>,
    ) {
        let doubled = self.leases.contains_key(&block);
        if self.lost.remove(&block) || doubled {
            let mut tally = self.tally();
            tally.reassigned += 1;
            self.set_tally(tally);
            outputs.push(Output::Event(Event::BlockReassigned {
                job: self.job(),
                block,
            }));
        }
        self.pending.remove(&block);
        self.reserved.remove(&block);
        let Some(participant) = self.participants.get_mut(&worker) else {
            return;
        };
        let (speed, ahead) = (participant.speed, participant.leased);
        participant.leased += 1;
        participant.hungry = false;
        let expected = self.expected(speed, block, ahead);
        let lease = Lease {
            worker,
            overdue_at: now + expected * PATIENCE,
            expires_at: now + self.block_timeout,
            overdue_told: false,
        };
        self.leases.entry(block).or_default().push(lease);
    }

    /// True when the device had a lease of the block.
    fn end_lease(&mut self, block: BlockIndex, worker: WorkerId) -> bool {
        let Some(leases) = self.leases.get_mut(&block) else {
            return false;
        };
        let before = leases.len();
        leases.retain(|lease| lease.worker != worker);
        let ended = leases.len() < before;
        if leases.is_empty() {
            self.leases.remove(&block);
            if !self.replica.done.contains_key(&block) {
                self.pending.insert(block);
            }
        }
        if ended && let Some(participant) = self.participants.get_mut(&worker) {
            participant.leased = participant.leased.saturating_sub(1);
        }
        ended
    }

    /// A block that was leased is pending again: its next lease is a
    /// reassignment.
    fn put_back(&mut self, block: BlockIndex, was_leased: bool) {
        if was_leased && self.pending.contains(&block) {
            self.lost.insert(block);
        }
    }

    fn leased_by(&self, worker: WorkerId) -> Vec<BlockIndex> {
        let leases = self.leases.iter();
        leases
            .filter(|(_, leases)| leases.iter().any(|lease| lease.worker == worker))
            .map(|(block, _)| *block)
            .collect()
    }

    fn pending_or_leased(&self, block: BlockIndex) -> bool {
        self.pending.contains(&block) || self.leases.contains_key(&block)
    }

    /// Tells the nodes of all devices that found nothing to ask again.
    fn wake_hungry(&mut self, outputs: &mut Vec<Output>) {
        let mut homes = BTreeSet::new();
        for participant in self.participants.values_mut() {
            if participant.hungry && participant.paused_until.is_none() {
                participant.hungry = false;
                homes.insert(participant.home);
            }
        }
        let job = self.job();
        for to in homes {
            outputs.push(Output::Send {
                to,
                message: PeerMessage::WorkAvailable { job },
            });
        }
    }

    // ----- results -------------------------------------------------------

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

    fn count(
        &mut self,
        now: Now,
        block: BlockIndex,
        exchange: &Exchange,
        proof: BlockProof,
        outputs: &mut Vec<Output>,
    ) {
        let job = self.job();
        self.pending.remove(&block);
        self.reserved.remove(&block);
        self.lost.remove(&block);
        self.drop_others(block, outputs);
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
            operations,
            epoch: self.epoch(),
        };
        self.replica.record_done(done.clone());
        if let Some(participant) = self.participants.get_mut(&exchange.worker) {
            participant.speed.observe(operations, proof.compute_ms);
        }
        let tally = self.tally();
        outputs.push(Output::Persist(Change::Done {
            job,
            done,
            epoch: self.epoch(),
            tally,
        }));
        outputs.push(Output::Event(Event::BlockDone {
            job,
            block,
            worker: exchange.worker,
            compute_ms: proof.compute_ms,
        }));
        outputs.push(Output::Event(Event::JobChanged { job }));
        if self.summary_due.is_none() {
            self.summary_due = Some(now.moment + SUMMARY_INTERVAL);
        }
    }

    /// Devices that compute a block which somebody else has just returned.
    fn drop_others(&mut self, block: BlockIndex, outputs: &mut Vec<Output>) {
        let job = self.job();
        for lease in self.leases.remove(&block).unwrap_or_default() {
            let Some(participant) = self.participants.get_mut(&lease.worker) else {
                continue;
            };
            participant.leased = participant.leased.saturating_sub(1);
            let message = PeerMessage::Drop {
                job,
                worker: lease.worker,
                blocks: vec![block],
            };
            outputs.push(Output::Send {
                to: participant.home,
                message,
            });
        }
    }

    fn end(&mut self, now: Now, ending: Ending, outputs: &mut Vec<Output>) {
        let elapsed = now.moment.since(self.started);
        let ended = Ended {
            ending,
            at_unix_ms: now.unix_ms,
            elapsed_ms: elapsed.as_secs_f64() * 1e3,
        };
        self.replica.record_end(ended.clone());
        self.ended_at = Some(now.moment);
        self.pending.clear();
        self.reserved.clear();
        self.leases.clear();
        self.summary_due = Some(now.moment);
        let (job, epoch, tally) = (self.job(), self.epoch(), self.tally());
        outputs.push(Output::Persist(Change::Ended {
            job,
            ended: ended.clone(),
            epoch,
            tally,
        }));
        outputs.push(Output::Event(Event::JobEnded {
            job,
            ended,
            elapsed,
        }));
        outputs.push(Output::Event(Event::JobChanged { job }));
    }

    // ----- people --------------------------------------------------------

    fn meet(&mut self, home: NodeId, exchange: Exchange) {
        let claimed = Speed::claimed(exchange.mflops, exchange.threads);
        let participant = self
            .participants
            .entry(exchange.worker)
            .or_insert_with(|| Participant {
                home,
                exchange: exchange.clone(),
                speed: claimed,
                leased: 0,
                hungry: false,
                paused_until: None,
            });
        participant.home = home;
        participant.exchange = exchange;
    }

    fn tally(&self) -> Tally {
        self.replica
            .tallies
            .get(&self.epoch())
            .copied()
            .unwrap_or_default()
    }

    fn set_tally(&mut self, tally: Tally) {
        let epoch = self.epoch();
        self.replica.raise_tally(epoch, tally);
    }
}
