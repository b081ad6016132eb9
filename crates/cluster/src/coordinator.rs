//! One job, led: which blocks are pending, leased and done.
//!
//! A block goes from pending to done, once. On its way it may be leased to one
//! device, or to two when the first is late; whichever answers first has the
//! credit, and a result counts whatever lease it came from. What is done is in
//! the [`Replica`], which is stored here and on the backups before it counts;
//! leases are this coordinator's own and die with it: the next one asks the
//! devices what they are computing.
//!
//! | module | holds |
//! | --- | --- |
//! | `choosing` | which blocks a device is given |
//! | `leasing` | blocks in the hands of devices |
//! | `counting` | results: what is wrong with one, when it counts |
//! | `copies` | what each backup has and is sent |
//! | `succession` | taking over from another coordinator, and uniting with one |
//! | `ending` | how a job ends and when that is told |
//! | `participants` | the devices that the job has heard of |
//! | `progress` | what is to be told of the job |

mod choosing;
mod copies;
mod counting;
mod ending;
mod leasing;
mod participants;
mod progress;
mod succession;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel::cut::{Cut, CutError};
use wire::{BlockIndex, Epoch, Exchange, JobId, JobStatus, NodeId, Spread, WorkerId, WorkerKind};

use self::copies::Copies;
use self::succession::Adoption;
use crate::NodeConfig;
use crate::effect::Output;
use crate::limits::{
    FASTEST_WAIT, LEADERLESS_LONG, NAME_CHARS_MAX, PAGE_RETURN_WAIT, PARTICIPANTS_MAX, PATIENCE,
};
use crate::placement::Speed;
use crate::replica::Replica;
use crate::tasks::{cut_of, is_given_unasked};
use crate::time::{Moment, Now};

pub(crate) use copies::blocks_at_once;
pub use progress::JobProgress;
pub(crate) use progress::{course_of, progress_of};
pub(crate) use succession::{Exchanges, HolderState, block_message, distance, is_block_of};

/// A device that this job has heard of.
#[derive(Debug)]
struct Participant {
    home: NodeId,
    kind: WorkerKind,
    /// For people.
    name: String,
    /// A page whose node died: its leases stay open until then, for it to come
    /// back through another node.
    away_until: Option<Moment>,
    speed: Speed,
    leased: u32,
    /// Whether it was given a block of this job since this node leads it.
    took_part: bool,
    /// It asked and there was nothing: to be told when there is.
    hungry: bool,
    /// When it last asked for blocks.
    asked_at: Option<Moment>,
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
    /// Shown only.
    leased_at: Moment,
    /// When it should be computed, if nothing but computing takes time.
    due_at: Moment,
    /// From here on a second device may compute the block too, and its holder is
    /// not counted on.
    late_at: Moment,
    late_told: bool,
    /// From here on it may have been lost on the way.
    overdue_at: Moment,
    overdue_told: bool,
    /// From here on the block is pending again.
    expires_at: Moment,
}

#[derive(Debug, Clone, Copy)]
struct Reservation {
    worker: WorkerId,
    until: Moment,
}

/// A device that was attached when the job was submitted, as it would ask for blocks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) home: NodeId,
    pub(crate) exchange: Exchange,
}

impl Candidate {
    fn speed(&self) -> Speed {
        Speed::claimed(self.exchange.mflops, self.exchange.threads)
    }
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
    copies: Copies,
    /// Nothing counts before these backups have joined, or until then.
    copies_awaited: Option<(Vec<NodeId>, Moment)>,
    /// Devices that offered a block again that this node has, but not yet every
    /// backup: told that it counts when it does.
    owed: BTreeSet<(BlockIndex, NodeId, WorkerId)>,
    /// Requests for what other copies have.
    asked: Exchanges,
    /// The job was submitted here and is not yet called safe.
    is_opening: bool,
    /// Nothing is leased before the devices have said what they compute.
    adoption: Option<Adoption>,
    /// Blocks that are stored here, and not yet on all backups; with the device
    /// that waits for the answer, and the node it computes through.
    uncommitted: BTreeMap<BlockIndex, Option<(NodeId, WorkerId)>>,
    pending: BTreeSet<BlockIndex>,
    reserved: BTreeMap<BlockIndex, Reservation>,
    leases: BTreeMap<BlockIndex, Vec<Lease>>,
    /// Blocks that somebody had and lost: the next lease is a reassignment.
    lost: BTreeSet<BlockIndex>,
    /// Who had a block last that another device has now, or had it too; shown only.
    taken_from: BTreeMap<BlockIndex, WorkerId>,
    participants: BTreeMap<WorkerId, Participant>,
    /// Devices that were there at the submission of a tiny job: they are given blocks unasked as soon
    /// as the mesh has been told of it.
    candidates: Vec<Candidate>,
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
    /// Its end is stored on all backups and was told.
    is_end_told: bool,
    /// It was complete elsewhere, and not all of it could be had.
    is_reopened: bool,
    /// Nodes that have announced blocks that lack here: how many were done then, and since when no more are.
    announced: BTreeMap<NodeId, (usize, Moment)>,
    /// Since when others have said that it is complete: whoever has the blocks that lack here sends them.
    complete_elsewhere_since: Option<Moment>,
}

impl Coordinator {
    /// Leads a job: a new one, one from the store, or another coordinator's.
    /// `age` is the time since the job ended, or since it was submitted.
    ///
    /// # Errors
    /// When the record's cut is not one.
    pub fn new(
        replica: Replica,
        config: &NodeConfig,
        now: Now,
        age: Duration,
    ) -> Result<Self, CutError> {
        let cut = cut_of(&replica.record)?;
        let mut replica = replica;
        let mut is_reopened = false;
        if replica.status() == JobStatus::Complete && !has_all(&replica, &cut) {
            // It was complete elsewhere, and nobody is left to give what lacks
            // here: that is computed again.
            replica.ended = None;
            is_reopened = true;
        }
        let all = (0..cut.block_count()).map(BlockIndex);
        let pending = all
            .filter(|block| replica.ended.is_none() && !replica.done.contains_key(block))
            .collect();
        let has_ended = replica.ended.is_some();
        Ok(Self {
            block_timeout: config.block_timeout,
            started: now.moment,
            age_at_start: age,
            moved_at: now.moment,
            copies: Copies::new(config.backups, largest_block_bytes(&cut)),
            copies_awaited: None,
            owed: BTreeSet::new(),
            asked: Exchanges::default(),
            is_opening: false,
            adoption: None,
            uncommitted: BTreeMap::new(),
            pending,
            reserved: BTreeMap::new(),
            leases: BTreeMap::new(),
            lost: BTreeSet::new(),
            taken_from: BTreeMap::new(),
            participants: BTreeMap::new(),
            candidates: Vec::new(),
            awaited: BTreeMap::new(),
            awaited_until: None,
            // A coordinator that starts again must not count below what it
            // told before; milliseconds since 1970 rise with every start.
            summary_version: now.unix_ms,
            summary_due: None,
            ended_at: has_ended.then_some((now.moment, age)),
            is_end_told: has_ended,
            is_reopened,
            announced: BTreeMap::new(),
            complete_elsewhere_since: None,
            cut,
            replica,
        })
    }

    /// A job that was submitted here: it waits for its backups.
    pub(crate) fn open(&mut self, now: Now, backups: &[NodeId], outputs: &mut Vec<Output>) {
        self.is_opening = true;
        self.copy_to(now, backups, outputs);
        self.await_copies(now, backups, outputs);
    }

    /// This node did not run for so long: what it waits for may have come
    /// meanwhile, and is waiting to be read.
    pub(crate) fn on_slept(&mut self, slept: Duration) {
        self.copies.on_slept(slept);
        self.moved_at = self.moved_at + slept;
        if let Some((_, until)) = &mut self.copies_awaited {
            *until = *until + slept;
        }
        if let Some(adoption) = &mut self.adoption {
            adoption.until = adoption.until + slept;
            adoption.latest = adoption.latest + slept;
        }
        for lease in self.leases.values_mut().flatten() {
            lease.due_at = lease.due_at + slept;
            lease.late_at = lease.late_at + slept;
            lease.overdue_at = lease.overdue_at + slept;
            lease.expires_at = lease.expires_at + slept;
        }
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

    /// Whether it is stored here and on all backups that it names.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        !self.is_opening
    }

    /// The mesh was told that it is complete; it is led on all the same.
    pub(crate) fn reopen(&mut self) {
        self.is_reopened = true;
    }

    /// Another node says that it is complete.
    pub(crate) fn on_complete_elsewhere(&mut self, now: Moment) {
        if self.is_running() && !self.is_reopened {
            self.complete_elsewhere_since.get_or_insert(now);
        }
    }

    /// Nobody has sent the blocks that lack here for long: whoever had them is gone, and they are computed again.
    fn reopen_if_nobody_has_it(&mut self, now: Moment) {
        let since = self.complete_elsewhere_since;
        if since.is_some_and(|since| now.since(since) >= LEADERLESS_LONG) && self.is_running() {
            self.complete_elsewhere_since = None;
            self.is_reopened = true;
            self.summary_due = Some(now);
        }
    }

    /// Whether a backup has joined, or one is waited for before anybody hears of the job: should none
    /// join, this node stores the job as its only holder before it tells of it.
    pub(crate) fn is_backed(&self) -> bool {
        let mut awaited = self.copies_awaited.iter();
        let is_hoped_for = self.is_opening && awaited.any(|(nodes, _)| !nodes.is_empty());
        is_hoped_for || !self.copies.joined().is_empty()
    }

    /// From submission until now; of a job that has ended, from its end.
    pub(crate) fn age(&self, now: Moment) -> Duration {
        match self.ended_at {
            Some((since, before)) => now.since(since) + before,
            None => now.since(self.started) + self.age_at_start,
        }
    }

    fn job(&self) -> JobId {
        self.replica.record.id
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.replica.epoch()
    }

    /// Keeps one block back for each device, so that all of them have a part
    /// in a job that one of them could finish before the others have asked.
    pub(crate) fn reserve(&mut self, candidates: Vec<Candidate>, now: Moment) {
        if self.replica.record.options.spread != Spread::All {
            let speeds = candidates.iter().map(|candidate| {
                let worker = candidate.exchange.worker;
                (worker, candidate.speed())
            });
            self.awaited = speeds.take(PARTICIPANTS_MAX).collect();
            self.awaited_until = Some(now + FASTEST_WAIT);
            return;
        }
        let free: Vec<BlockIndex> = self.pending.iter().copied().collect();
        for (candidate, block) in candidates.iter().zip(free) {
            let speed = candidate.speed();
            if self.is_too_slow(speed, block) {
                continue;
            }
            let until = now + self.expected(speed, block, 0) * PATIENCE;
            self.reserved.insert(
                block,
                Reservation {
                    worker: candidate.exchange.worker,
                    until,
                },
            );
        }
        if is_given_unasked(self.replica.record.shape, Spread::All) {
            self.candidates = candidates;
            self.candidates.truncate(PARTICIPANTS_MAX);
        }
    }

    /// A node is gone, and with it all devices that computed through it; its
    /// pages may come back through another.
    pub(crate) fn on_node_gone(&mut self, now: Now, home: NodeId, outputs: &mut Vec<Output>) {
        let mut gone = Vec::new();
        for (worker, participant) in &mut self.participants {
            if participant.home != home {
                continue;
            }
            if participant.kind == WorkerKind::Browser && participant.leased > 0 {
                participant.away_until = Some(now.moment + PAGE_RETURN_WAIT);
            } else {
                gone.push(*worker);
            }
        }
        for worker in gone {
            self.on_give_back(now.moment, home, worker, &[], true, outputs);
        }
        self.candidates.retain(|candidate| candidate.home != home);
        let native = WorkerId::from(home);
        let before = self.reserved.len();
        self.reserved
            .retain(|_, reservation| reservation.worker != native);
        let was_awaited = self.awaited.remove(&native).is_some();
        if (was_awaited || self.reserved.len() < before) && self.is_running() {
            self.wake_hungry(outputs);
        }
        self.drop_copy(now, home, outputs);
        self.adopt_without(now, home, outputs);
    }

    /// Another node has a summary of this very epoch, told before this node
    /// started again with a clock that went back. True when the next one must
    /// be told to be newer than that.
    pub(crate) fn outbid(&mut self, version: u64) -> bool {
        let is_behind = version > self.summary_version;
        self.summary_version = self.summary_version.max(version);
        is_behind
    }

    /// Does what is due: waits that are over, reservations and leases that ran
    /// out, late blocks.
    pub(crate) fn on_tick(&mut self, at: Now, outputs: &mut Vec<Output>) {
        let now = at.moment;
        self.reopen_if_nobody_has_it(now);
        let mut wake = self.end_waits(at, outputs);
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
        wake |= self.give_up_pages(now, outputs);
        for participant in self.participants.values_mut() {
            if participant.paused_until.is_some_and(|until| until <= now) {
                participant.paused_until = None;
                wake = true;
            }
        }
        if wake && self.is_running() {
            self.wake_hungry(outputs);
        }
    }

    /// The job has ended and everybody has heard: nothing is left to lead.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_end_told && self.summary_due.is_none()
    }

    /// Backups that have everything.
    #[must_use]
    pub fn joined(&self) -> Vec<NodeId> {
        self.copies.joined()
    }

    /// What is left when it leads no more.
    pub(crate) fn into_replica(self) -> Replica {
        self.replica
    }

    /// Blocks to be computed, and blocks that are done.
    pub(crate) fn pending_and_done(&self) -> (u32, u32) {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        (count(self.pending.len()), count(self.replica.done.len()))
    }

    /// When [`Self::on_tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let reservations = self.reserved.values().map(|reservation| reservation.until);
        let leases = self.leases.values().flatten().flat_map(|lease| {
            let late = (!lease.late_told).then_some(lease.late_at);
            let overdue = (!lease.overdue_told).then_some(lease.overdue_at);
            [late, overdue, Some(lease.expires_at)]
                .into_iter()
                .flatten()
        });
        let pauses = self.participants.values().flat_map(|participant| {
            let times = [participant.paused_until, participant.away_until];
            times.into_iter().flatten()
        });
        let adoption = self.adoption.as_ref().map(|adoption| adoption.until);
        reservations
            .chain(leases)
            .chain(pauses)
            .chain(self.summary_due)
            .chain(self.awaited_until)
            .chain(
                self.complete_elsewhere_since
                    .map(|since| since + LEADERLESS_LONG),
            )
            .chain(self.copies_awaited.as_ref().map(|(_, until)| *until))
            .chain(adoption)
            .chain(self.copies.next_deadline())
            .min()
    }
}

/// The first block of a cut is as large as any.
pub(crate) fn largest_block_bytes(cut: &Cut) -> u64 {
    let sides = cut.block(0).map(|block| {
        let rows = block.rows.end - block.rows.start;
        u64::from(rows) * u64::from(block.cols.end - block.cols.start)
    });
    8 * sides.unwrap_or(0)
}

/// Whether every block is done.
fn has_all(replica: &Replica, cut: &Cut) -> bool {
    let total = usize::try_from(cut.block_count()).unwrap_or(usize::MAX);
    replica.done.len() >= total
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

/// As times are shown in the course of a job.
fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
