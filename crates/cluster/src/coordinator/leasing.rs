//! Blocks in the hands of devices, until they return, run out or are not
//! needed any longer.

use std::collections::BTreeSet;
use std::time::Duration;

use wire::{BlockIndex, Exchange, NodeId, PeerMessage, WorkerId};

use super::{Candidate, Coordinator, Lease, clip};
use crate::effect::{Event, Output};
use crate::limits::{LATE, OVERHEAD_EXPECTED, PATIENCE};
use crate::tasks::task_of;
use crate::time::Moment;

/// How long a device that gave a block back is left alone: what it lacks
/// (memory, a chunk whose holder is away) does not come in an instant.
const GAVE_BACK_PAUSE: Duration = Duration::from_millis(500);

impl Lease {
    /// Its device needs so long, with all that it has to compute before.
    fn expect(&mut self, now: Moment, compute: Duration) {
        self.due_at = now + compute;
        let late_at = now + OVERHEAD_EXPECTED + compute * LATE;
        self.late_at = late_at.min(self.overdue_at);
    }
}

impl Coordinator {
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
        self.meet(home, &exchange);
        if slots == 0 {
            return;
        }
        if let Some(participant) = self.participants.get_mut(&worker) {
            participant.asked_at = Some(now);
        }
        if !self.give(now, worker, slots, outputs) {
            self.tell_no_work(home, worker, outputs);
        }
    }

    /// Gives blocks of a tiny job to the devices that were there at the submission, as if they had
    /// asked: they wait for that, and it saves each a round trip. The job is told before, or they
    /// would not know what they are given.
    pub(crate) fn hand_out(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        if self.is_opening || self.summary_due.is_some() {
            return;
        }
        for Candidate { home, exchange } in std::mem::take(&mut self.candidates) {
            let (worker, slots) = (exchange.worker, exchange.slots);
            if !self.participants.contains_key(&worker) {
                self.meet(home, &clip(exchange));
                self.give(now, worker, slots, outputs);
            }
        }
    }

    /// Leases blocks to a device that has room for so many. False when there is none for it.
    fn give(
        &mut self,
        now: Moment,
        worker: WorkerId,
        slots: u32,
        outputs: &mut Vec<Output>,
    ) -> bool {
        self.release_too_slow(worker);
        let Some(home) = self.participants.get(&worker).map(|known| known.home) else {
            return false;
        };
        let may_lease = self.is_running() && !self.is_opening && self.adoption.is_none();
        if !may_lease {
            return false;
        }
        let blocks = self.choose(now, worker, slots);
        let tasks: Vec<_> = blocks
            .iter()
            .filter_map(|block| task_of(&self.replica.record, &self.cut, *block))
            .collect();
        if tasks.is_empty() {
            return false;
        }
        for task in &tasks {
            self.lease(now, worker, task.block, outputs);
        }
        let given = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
        let room = slots.saturating_sub(given);
        if room > 0 && self.choose(now, worker, room).is_empty() {
            // It need not ask only to hear that.
            self.tell_no_work(home, worker, outputs);
        }
        let message = PeerMessage::Lease {
            job: self.job(),
            epoch: self.epoch(),
            worker,
            tasks,
        };
        outputs.push(Output::Send { to: home, message });
        true
    }

    /// Nothing for a device now; it is told when there is.
    fn tell_no_work(&mut self, home: NodeId, worker: WorkerId, outputs: &mut Vec<Output>) {
        if let Some(participant) = self.participants.get_mut(&worker) {
            participant.hungry = true;
        }
        let job = self.job();
        outputs.push(Output::Send {
            to: home,
            message: PeerMessage::NoWork { job, worker },
        });
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
                self.put_back(block, worker);
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

    /// Ends leases that ran out, and repeats those that are overdue to their
    /// holders: the lease or its result may have been lost on the way. True
    /// when a block is there for others, also one that its holder is late with.
    pub(super) fn look_at_leases(&mut self, now: Moment, outputs: &mut Vec<Output>) -> bool {
        let mut overdue = Vec::new();
        let mut expired = Vec::new();
        let mut is_one_late = false;
        for (block, leases) in &mut self.leases {
            for lease in leases {
                if lease.late_at <= now && !lease.late_told {
                    lease.late_told = true;
                    is_one_late = true;
                }
                if lease.expires_at <= now {
                    expired.push((*block, lease.worker));
                } else if lease.overdue_at <= now && !lease.overdue_told {
                    lease.overdue_told = true;
                    overdue.push((*block, lease.worker));
                }
            }
        }
        for (block, worker) in &overdue {
            self.repeat_lease(*block, *worker, outputs);
        }
        for (block, worker) in &expired {
            self.end_lease(*block, *worker);
            self.put_back(*block, *worker);
            self.set_aside(now, *worker);
            if let Some(participant) = self.participants.get_mut(worker) {
                participant.lapsed = true;
            }
        }
        is_one_late || !overdue.is_empty() || !expired.is_empty()
    }

    pub(super) fn repeat_lease(
        &self,
        block: BlockIndex,
        worker: WorkerId,
        outputs: &mut Vec<Output>,
    ) {
        let task = task_of(&self.replica.record, &self.cut, block);
        let home = self.participants.get(&worker).map(|known| known.home);
        if let (Some(task), Some(to)) = (task, home) {
            let message = PeerMessage::Lease {
                job: self.job(),
                epoch: self.epoch(),
                worker,
                tasks: vec![task],
            };
            outputs.push(Output::Send { to, message });
        }
    }

    pub(super) fn lease(
        &mut self,
        now: Moment,
        worker: WorkerId,
        block: BlockIndex,
        outputs: &mut Vec<Output>,
    ) {
        if !self.participants.contains_key(&worker) {
            return;
        }
        let doubled = self.leases.contains_key(&block);
        if let Some(first) = self.leases.get(&block).and_then(|leases| leases.first()) {
            self.taken_from.insert(block, first.worker);
        }
        if self.lost.remove(&block) || doubled {
            let mut tally = self.tally();
            tally.reassigned = tally.reassigned.saturating_add(1);
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
        participant.took_part = true;
        participant.hungry = false;
        let compute = speed.queue_time(self.operations(block), ahead);
        let overdue_at = now + self.expected(speed, block, ahead) * PATIENCE;
        let mut lease = Lease {
            worker,
            leased_at: now,
            due_at: now + compute,
            late_at: overdue_at,
            late_told: false,
            overdue_at,
            overdue_told: false,
            expires_at: now + self.block_timeout,
        };
        // Of one that has returned nothing it is not known what it lacks of the inputs.
        if speed.is_measured() {
            lease.expect(now, compute);
        }
        self.leases.entry(block).or_default().push(lease);
    }

    /// A device has shown how fast it is: when its other blocks should come.
    pub(super) fn expect_anew(&mut self, now: Moment, worker: WorkerId) {
        let Some(speed) = self.participants.get(&worker).map(|known| known.speed) else {
            return;
        };
        let mut held: Vec<(Moment, BlockIndex)> = self
            .leases
            .iter()
            .flat_map(|(block, leases)| leases.iter().map(move |lease| (lease, *block)))
            .filter(|(lease, _)| lease.worker == worker)
            .map(|(lease, block)| (lease.leased_at, block))
            .collect();
        held.sort_unstable();
        for ((_, block), ahead) in held.into_iter().zip(0..) {
            let compute = speed.queue_time(self.operations(block), ahead);
            let leases = self.leases.get_mut(&block).into_iter().flatten();
            for lease in leases.filter(|lease| lease.worker == worker) {
                lease.expect(now, compute);
            }
        }
    }

    /// True when the device had a lease of the block.
    pub(super) fn end_lease(&mut self, block: BlockIndex, worker: WorkerId) -> bool {
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

    /// A device has a block no longer. When it is pending again its next lease
    /// is a reassignment.
    pub(super) fn put_back(&mut self, block: BlockIndex, worker: WorkerId) {
        if self.pending.contains(&block) {
            self.lost.insert(block);
        }
        if self.pending_or_leased(block) {
            self.taken_from.insert(block, worker);
        }
    }

    pub(super) fn leased_at(&self, block: BlockIndex, worker: WorkerId) -> Option<Moment> {
        let mut leases = self.leases.get(&block)?.iter();
        Some(leases.find(|lease| lease.worker == worker)?.leased_at)
    }

    pub(super) fn has_lease(&self, block: BlockIndex, worker: WorkerId) -> bool {
        let leases = self.leases.get(&block);
        leases.is_some_and(|leases| leases.iter().any(|lease| lease.worker == worker))
    }

    /// Pages that have not come back in time: their blocks go elsewhere.
    pub(super) fn give_up_pages(&mut self, now: Moment, outputs: &mut Vec<Output>) -> bool {
        let participants = self.participants.iter();
        let late = participants.filter(|(_, known)| known.away_until.is_some_and(|at| at <= now));
        let late: Vec<_> = late.map(|(worker, known)| (*worker, known.home)).collect();
        for (worker, home) in &late {
            self.on_give_back(now, *home, *worker, &[], true, outputs);
        }
        !late.is_empty()
    }

    pub(super) fn leased_by(&self, worker: WorkerId) -> Vec<BlockIndex> {
        let leases = self.leases.iter();
        leases
            .filter(|(_, leases)| leases.iter().any(|lease| lease.worker == worker))
            .map(|(block, _)| *block)
            .collect()
    }

    pub(super) fn pending_or_leased(&self, block: BlockIndex) -> bool {
        self.pending.contains(&block) || self.leases.contains_key(&block)
    }

    /// Devices that compute a block which somebody else has just returned.
    pub(super) fn drop_others(&mut self, block: BlockIndex, outputs: &mut Vec<Output>) {
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

    /// Tells the nodes of all devices that found nothing to ask again.
    pub(super) fn wake_hungry(&mut self, outputs: &mut Vec<Output>) {
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
}
