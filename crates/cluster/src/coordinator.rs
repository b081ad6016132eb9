//! One job, led: which blocks are pending, leased and done.
//!
//! A block goes from pending to done, once. On its way it may be leased to one
//! device, or to two when the first is late; whichever answers first has the
//! credit, and a result counts whatever lease it came from. What is done is in
//! the [`Replica`], which is stored and will be copied; leases are this
//! coordinator's own and die with it.

mod choosing;
mod counting;
mod leasing;
mod participants;
mod progress;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel::cut::{Cut, CutError};
use wire::{
    BlockIndex, BlockProof, Ending, Epoch, Exchange, JobId, JobSummary, NodeId, PeerMessage,
    Spread, WorkerId,
};

use crate::effect::{Change, Event, Output};
use crate::limits::{FASTEST_WAIT, NAME_CHARS_MAX, PARTICIPANTS_MAX, PATIENCE};
use crate::placement::Speed;
use crate::replica::{Ended, Replica};
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
    speed: Speed,
    leased: u32,
    /// It asked and there was nothing: to be told when there is.
    hungry: bool,
    heard_at: Moment,
    paused_until: Option<Moment>,
    /// A lease of it ran out and it has returned nothing since: it is not
    /// counted on, and whatever it still returns is welcome.
    lapsed: bool,
    /// Results that were wrong and leases that ran out, less those that counted.
    failures: u32,
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
    /// How old the job was when this coordinator started.
    age_at_start: Duration,
    /// When something last became of the job: it is given up when nothing does.
    moved_at: Moment,
    pending: BTreeSet<BlockIndex>,
    reserved: BTreeMap<BlockIndex, Reservation>,
    leases: BTreeMap<BlockIndex, Vec<Lease>>,
    /// Blocks that somebody had and lost: the next lease is a reassignment.
    lost: BTreeSet<BlockIndex>,
    participants: BTreeMap<WorkerId, Participant>,
    /// Devices that were there at the submission of a job for the fastest and
    /// have not asked yet: until the moment, slower ones wait for them.
    awaited: BTreeMap<WorkerId, Speed>,
    awaited_until: Option<Moment>,
    summary_version: u64,
    /// When changed progress is to be told to the other nodes.
    summary_due: Option<Moment>,
    /// When it ended, and how long ago that was when this coordinator started:
    /// the steady clock of a node knows nothing from before its start.
    ended_at: Option<(Moment, Duration)>,
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
        let since = |unix_ms| Duration::from_millis(now.unix_ms.saturating_sub(unix_ms));
        let age_at_start = since(replica.record.submitted_at_unix_ms);
        let ended_at = replica.ended.as_ref();
        let ended_at = ended_at.map(|ended| (now.moment, since(ended.at_unix_ms)));
        Ok(Self {
            cut,
            block_timeout,
            started: now.moment,
            age_at_start,
            moved_at: now.moment,
            pending,
            reserved: BTreeMap::new(),
            leases: BTreeMap::new(),
            lost: BTreeSet::new(),
            participants: BTreeMap::new(),
            awaited: BTreeMap::new(),
            awaited_until: None,
            // A coordinator that starts again must not count below what it
            // told before; milliseconds since 1970 rise with every start.
            summary_version: now.unix_ms,
            summary_due: None,
            ended_at,
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

    /// When it is to be forgotten, if it has ended.
    pub(crate) fn expires_at(&self, time_to_live: Duration) -> Option<Moment> {
        let (ended_at, age) = self.ended_at?;
        Some(ended_at + time_to_live.saturating_sub(age))
    }

    /// When it fails, if it runs and nothing becomes of it until then.
    pub(crate) fn stalls_at(&self, patience: Duration) -> Option<Moment> {
        self.is_running().then(|| self.moved_at + patience)
    }

    /// From submission until now.
    fn age(&self, now: Moment) -> Duration {
        now.since(self.started) + self.age_at_start
    }

    fn job(&self) -> JobId {
        self.replica.record.id
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.replica.epoch
    }

    /// Keeps one block back for each device, so that all of them have a part
    /// in a job that one of them could finish before the others have asked.
    pub(crate) fn reserve(&mut self, candidates: &[Candidate], now: Moment) {
        if self.replica.record.options.spread != Spread::All {
            let speeds = candidates.iter().map(|candidate| {
                let speed = Speed::claimed(candidate.mflops, candidate.threads);
                (candidate.worker, speed)
            });
            self.awaited = speeds.take(PARTICIPANTS_MAX).collect();
            self.awaited_until = Some(now + FASTEST_WAIT);
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
        self.meet(now, home, &exchange);
        if slots == 0 {
            return;
        }
        self.release_too_slow(worker);
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
        mut proof: BlockProof,
        outputs: &mut Vec<Output>,
    ) {
        let exchange = clip(exchange);
        let worker = exchange.worker;
        self.meet(now.moment, home, &exchange);
        self.moved_at = now.moment;
        let held = self.end_lease(block, worker);
        let mut tally = self.tally();
        tally.computed += 1;
        let fault = self.fault_of(block, &proof);
        let counted = fault.is_none() && self.is_running() && self.pending_or_leased(block);
        if let Some(reason) = fault {
            tally.rejected += 1;
            self.set_tally(tally);
            self.put_back(block, held);
            self.set_aside(now.moment, worker);
            outputs.push(Output::Event(Event::ResultRefused {
                job: self.job(),
                block,
                worker,
                reason,
            }));
        } else if counted {
            tally.accepted += 1;
            self.set_tally(tally);
            // Nobody computed for longer than the job is old.
            proof.compute_ms = proof.compute_ms.min(milliseconds(self.age(now.moment)));
            self.count(now, block, &exchange, proof, outputs);
        } else {
            self.set_tally(tally);
        }
        // One whose answer was lost asks again, and has the credit already.
        let credit = self.replica.done.get(&block);
        let has_credit =
            credit.is_some_and(|done| done.worker == worker && Some(done.hash) == proof.hash);
        let message = PeerMessage::Counted {
            job: self.job(),
            block,
            worker,
            counted: has_credit,
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
        from: NodeId,
        worker: WorkerId,
        blocks: &[BlockIndex],
        gone: bool,
        outputs: &mut Vec<Output>,
    ) {
        let home = self.participants.get(&worker).map(|known| known.home);
        if home.is_some_and(|home| home != from) {
            // The page has moved, and its old node noticed late.
            return;
        }
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
            self.awaited.remove(&worker);
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
            self.on_give_back(now, home, worker, &[], true, outputs);
        }
        let native = WorkerId::from(home);
        let before = self.reserved.len();
        self.reserved
            .retain(|_, reservation| reservation.worker != native);
        let was_awaited = self.awaited.remove(&native).is_some();
        if (was_awaited || self.reserved.len() < before) && self.is_running() {
            self.wake_hungry(outputs);
        }
    }

    /// Ends a job of which every block counts, though its end was not stored:
    /// the node died in between.
    pub(crate) fn end_if_done(&mut self, now: Now, outputs: &mut Vec<Output>) {
        if self.is_running() && self.pending.is_empty() && self.leases.is_empty() {
            self.end(now, Ending::Complete, outputs);
        }
    }

    /// Gives the job up.
    pub(crate) fn fail(&mut self, now: Now, reason: String, outputs: &mut Vec<Output>) {
        if self.is_running() {
            self.end(now, Ending::Failed(reason), outputs);
        }
    }

    /// Another node has a summary of this very epoch, told before this node
    /// started again with a clock that went back. True when the next one must
    /// be told to be newer than that.
    pub(crate) fn outbid(&mut self, version: u64) -> bool {
        let is_behind = version > self.summary_version;
        self.summary_version = self.summary_version.max(version);
        is_behind
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
        if self.awaited_until.is_some_and(|until| until <= now) {
            self.awaited_until = None;
            self.awaited.clear();
            wake = true;
        }
        wake |= self.look_at_leases(now, outputs);
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
            .chain(self.awaited_until)
            .min()
    }

    /// The job in short, newer than every summary before.
    pub(crate) fn next_summary(&mut self) -> JobSummary {
        self.summary_version = self.summary_version.saturating_add(1);
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

    fn end(&mut self, now: Now, ending: Ending, outputs: &mut Vec<Output>) {
        let elapsed = self.age(now.moment);
        let ended = Ended {
            ending,
            at_unix_ms: now.unix_ms,
            elapsed_ms: milliseconds(elapsed),
        };
        self.replica.record_end(ended.clone());
        self.ended_at = Some((now.moment, Duration::ZERO));
        self.pending.clear();
        self.reserved.clear();
        self.leases.clear();
        self.awaited.clear();
        self.awaited_until = None;
        for participant in self.participants.values_mut() {
            participant.paused_until = None;
        }
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
}

/// Names are stored with every block; they come from elsewhere.
fn clip(mut exchange: Exchange) -> Exchange {
    for text in [&mut exchange.name, &mut exchange.device] {
        if let Some((end, _)) = text.char_indices().nth(NAME_CHARS_MAX) {
            text.truncate(end);
        }
    }
    exchange
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
