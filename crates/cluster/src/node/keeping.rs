//! Copies of jobs that have ended, while their holders come and go.
//!
//! A result is kept for its time to live, also when its holders leave.
//! A job that has ended has no coordinator, so one of its reachable holders is responsible: the last coordinator,
//! else the holder nearest to the job's id.
//! It waits a little after a node left, because most come back.
//! Then it names further holders and sends them what it has, a few jobs at a time.
//! A node that leaves in good order does the same, and waits until the others have everything.

use std::collections::{BTreeMap, BTreeSet};

use wire::{JobId, JobStatus, NodeId};

use super::Node;
use super::copies::request_of;
use crate::coordinator::{HolderState, distance};
use crate::effect::{Change, Output};
use crate::follower::Follower;
use crate::limits::{
    BACKUPS_MAX, INPUTS_RETRY, KEEPING_AT_ONCE, KEEPING_BYTES_MAX, KEEPING_LOOKS_MAX,
    KEEPING_PAUSE, KEEPING_TIMEOUT, KEEPING_WAIT,
};
use crate::time::Moment;

/// What is under way for one job.
#[derive(Debug)]
struct Copying {
    /// Nodes that have not yet said that they have everything.
    awaited: BTreeSet<NodeId>,
    until: Moment,
    /// Of its result.
    bytes: u64,
}

/// Ended jobs that are to have more holders.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// When all of them are looked through, because nodes came or went.
    look_at: Option<Moment>,
    waiting: BTreeSet<JobId>,
    copying: BTreeMap<JobId, Copying>,
    /// When the next ones are taken from those that wait.
    next_at: Option<Moment>,
}

impl Keeping {
    /// Nodes came or went.
    pub(super) fn on_nodes_changed(&mut self, now: Moment) {
        self.look_at.get_or_insert(now + KEEPING_WAIT);
    }

    /// A job has ended, perhaps with fewer holders than it should have.
    pub(super) fn on_ended(&mut self, now: Moment, job: JobId) {
        self.waiting.insert(job);
        self.next_at.get_or_insert(now + KEEPING_WAIT);
    }

    /// A holder has all of a job.
    pub(super) fn on_whole(&mut self, holder: NodeId, job: JobId) {
        if let Some(copying) = self.copying.get_mut(&job) {
            copying.awaited.remove(&holder);
            if copying.awaited.is_empty() {
                self.copying.remove(&job);
            }
        }
    }

    pub(super) fn on_peer_gone(&mut self, now: Moment, peer: NodeId) {
        self.on_nodes_changed(now);
        self.copying.retain(|_, copying| {
            copying.awaited.remove(&peer);
            !copying.awaited.is_empty()
        });
    }

    /// Whether another job may be begun.
    fn has_room(&self) -> bool {
        let bytes: u64 = self.copying.values().map(|copying| copying.bytes).sum();
        self.copying.len() < KEEPING_AT_ONCE && bytes < KEEPING_BYTES_MAX
    }

    /// A node that is waited for asks for more: it works at it.
    pub(super) fn on_asked(&mut self, now: Moment, by: NodeId, job: JobId) {
        if let Some(copying) = self.copying.get_mut(&job)
            && copying.awaited.contains(&by)
        {
            copying.until = now + KEEPING_TIMEOUT;
        }
    }

    /// The inputs of an ended job could not be had: they are tried again.
    pub(super) fn on_inputs_missing(&mut self, now: Moment, job: JobId) {
        self.waiting.insert(job);
        self.next_at.get_or_insert(now + INPUTS_RETRY);
    }

    /// Jobs that are still to be handed over.
    pub(super) fn left(&self) -> usize {
        self.waiting.len() + self.copying.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        let timeouts = self.copying.values().map(|copying| copying.until);
        let waiting = self.next_at.filter(|_| !self.waiting.is_empty());
        timeouts.chain(self.look_at).chain(waiting).min()
    }
}

impl Node {
    /// All jobs that have ended here are given to others before this node leaves.
    pub(super) fn hand_over_ended(&mut self, now: Moment) {
        let ended = self.expiries.iter().map(|(_, job)| *job);
        self.keeping.waiting = ended.collect();
        self.keeping.next_at = Some(now);
    }

    pub(super) fn tick_keeping(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        if self.keeping.look_at.is_some_and(|at| at <= now) {
            self.keeping.look_at = None;
            let ended = self.expiries.iter().map(|(_, job)| *job);
            self.keeping.waiting.extend(ended);
            self.keeping.next_at.get_or_insert(now);
        }
        self.keeping.copying.retain(|_, it| it.until > now);
        if self.keeping.next_at.is_none_or(|at| at > now) {
            return;
        }
        let mut without_inputs = Vec::new();
        for _ in 0..KEEPING_LOOKS_MAX {
            if !self.keeping.has_room() {
                break;
            }
            let Some(job) = self.keeping.waiting.pop_first() else {
                break;
            };
            if let Some(follower) = self.followers.get_mut(&job) {
                follower.fetch_inputs(now, outputs);
                if follower.next_deadline().is_some() {
                    without_inputs.push(job);
                }
            }
            let awaited = self.add_holders(now, job, outputs);
            if !awaited.is_empty() {
                let until = now + KEEPING_TIMEOUT;
                let bytes = self.followers.get(&job).map_or(0, Follower::result_bytes);
                let copying = Copying {
                    awaited,
                    until,
                    bytes,
                };
                self.keeping.copying.insert(job, copying);
            }
        }
        let pause = if self.keeping.waiting.is_empty() {
            INPUTS_RETRY
        } else {
            KEEPING_PAUSE
        };
        self.keeping.waiting.extend(without_inputs);
        let has_more = !self.keeping.waiting.is_empty();
        self.keeping.next_at = has_more.then_some(now + pause);
    }

    /// Names further holders of a job that has ended, if it has too few and this node is the one to do so.
    /// Those that have not yet said that they have everything are returned.
    fn add_holders(
        &mut self,
        now: Moment,
        job: JobId,
        outputs: &mut Vec<Output>,
    ) -> BTreeSet<NodeId> {
        let mut others = self.other_holders(job);
        let Some(follower) = self.followers.get(&job).filter(|copy| copy.has_ended()) else {
            return BTreeSet::new();
        };
        others.retain(|node| !follower.lacked_at.contains(node));
        let coordinator = follower.epoch().coordinator;
        let wanted = self.config.backups.min(BACKUPS_MAX) + usize::from(!self.is_resigning);
        let there = others.len() + usize::from(!self.is_resigning);
        let keeper = self.keeper_of(job, &others, coordinator);
        if keeper != self.id && !self.is_resigning {
            // It may have lost its store since, and with it what it is to look after.
            let unsure = BTreeSet::from([keeper]);
            return ask_unsure(follower, &unsure, outputs);
        }
        let mut free: Vec<NodeId> = self.membership.reached().collect();
        free.retain(|node| !others.contains(node) && !follower.declined_by.contains(node));
        free.sort_by_key(|node| distance(*node, job));
        free.truncate(wanted.saturating_sub(there));
        let mut awaited = ask_unsure(follower, &others, outputs);
        if free.is_empty() {
            return awaited;
        }
        let mut backups: Vec<NodeId> = others.iter().copied().chain(free.iter().copied()).collect();
        if !self.is_resigning {
            backups.push(self.id);
        }
        backups.retain(|backup| *backup != coordinator);
        backups.sort_unstable();
        let Some(follower) = self.followers.get_mut(&job) else {
            return awaited;
        };
        follower.relist(backups);
        outputs.push(Output::Persist(Change::Head {
            job,
            leadership: follower.replica().leadership.clone(),
            tallies: Vec::new(),
            ended: None,
        }));
        let all = follower.replica().done_set();
        for to in free.iter().chain(&others) {
            // The others learn who holds it besides them; the new ones ask for what they lack.
            follower.answer_request(now, *to, &all, outputs);
        }
        awaited.extend(free);
        self.announce_holders(now, job, outputs);
        awaited
    }

    /// Who looks after a job that has ended: its last coordinator, else the nearest of the holders that are there.
    fn keeper_of(&self, job: JobId, others: &BTreeSet<NodeId>, coordinator: NodeId) -> NodeId {
        if coordinator == self.id || others.contains(&coordinator) {
            return coordinator;
        }
        let holders = others.iter().copied().chain([self.id]);
        let nearest = holders.min_by_key(|node| distance(*node, job));
        nearest.unwrap_or(self.id)
    }

    /// A holder says what it has of a job that has ended.
    pub(super) fn note_whole(&mut self, from: NodeId, job: JobId, state: &HolderState) {
        let Some(follower) = self.followers.get_mut(&job) else {
            return;
        };
        let mut done = follower.replica().done.keys();
        let has_all = done.all(|block| state.blocks.contains(*block));
        // Of one without a result nobody asks for the inputs.
        let has_inputs = state.has_inputs || follower.replica().status() != JobStatus::Complete;
        let is_whole = state.is_all && state.has_end && has_all && has_inputs;
        if is_whole && follower.has_ended() {
            follower.whole_at.insert(from);
            follower.lacked_at.remove(&from);
            self.keeping.on_whole(from, job);
        }
    }

    /// A node has forgotten a job that is kept here for its own time: it holds it no more.
    pub(super) fn note_declined(&mut self, now: Moment, from: NodeId, job: JobId) {
        if let Some(follower) = self.followers.get_mut(&job) {
            follower.declined_by.insert(from);
        }
        self.note_lacked(now, from, job);
    }

    /// A holder that is named has nothing of a job that has ended: others are to hold it.
    pub(super) fn note_lacked(&mut self, now: Moment, from: NodeId, job: JobId) {
        if let Some(follower) = self.followers.get_mut(&job)
            && follower.has_ended()
            && follower.lacked_at.insert(from)
        {
            follower.whole_at.remove(&from);
            self.keeping.on_whole(from, job);
            self.keeping.waiting.insert(job);
            self.keeping.next_at.get_or_insert(now + KEEPING_PAUSE);
        }
    }

    /// Ended jobs that this node still hands over before it leaves.
    #[must_use]
    pub fn results_to_hand_over(&self) -> usize {
        if self.is_resigning {
            self.keeping.left()
        } else {
            0
        }
    }
}

/// Asks holders that have not said since their last link that they have everything.
fn ask_unsure(
    follower: &Follower,
    holders: &BTreeSet<NodeId>,
    outputs: &mut Vec<Output>,
) -> BTreeSet<NodeId> {
    let unsure = holders
        .iter()
        .filter(|node| !follower.whole_at.contains(*node));
    let unsure: BTreeSet<NodeId> = unsure.copied().collect();
    for to in &unsure {
        let message = request_of(follower);
        outputs.push(Output::Send { to: *to, message });
    }
    unsure
}
