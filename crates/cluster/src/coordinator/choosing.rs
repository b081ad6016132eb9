//! Which blocks a device is given: reserved ones first, then a share of the
//! free ones by speed, else one that somebody else is late with.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use wire::{BlockIndex, Spread, WorkerId};

use super::{Coordinator, Lease};
use crate::limits::{
    BLOCK_TIMEOUT_PART, IDLE_RETRY, LATE, LEASE_BLOCKS_MAX, LEASES_PER_BLOCK_MAX, SOONER_MIN,
};
use crate::placement::{Others, Speed, share_of, shortens};
use crate::time::Moment;

impl Coordinator {
    /// The blocks that a device is given now.
    pub(super) fn choose(&self, now: Moment, worker: WorkerId, slots: u32) -> Vec<BlockIndex> {
        let Some(participant) = self.participants.get(&worker) else {
            return Vec::new();
        };
        if participant.paused_until.is_some_and(|until| until > now) {
            return Vec::new();
        }
        let (speed, ahead) = (participant.speed, participant.leased);
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
        let others = self.others(now, worker, |_| true);
        // For what a device says of itself nobody else is sent away, unless that was asked for.
        let (is_owed_one, better) = match self.replica.record.options.spread {
            Spread::All => (
                !participant.took_part && chosen.is_empty(),
                self.others(now, worker, Speed::is_measured),
            ),
            Spread::Fastest => (false, others),
        };
        let helps = |block: BlockIndex| {
            shortens((speed, ahead), better, self.operations(block), free.len())
        };
        if free
            .first()
            .is_some_and(|block| is_owed_one || helps(*block))
        {
            let all_mflops = speed.mflops() + others.mflops();
            let share = share_of(free.len(), speed.mflops(), all_mflops, slots);
            chosen.extend(free.iter().take(share as usize));
        }
        chosen.truncate(LEASE_BLOCKS_MAX.min(slots as usize));
        if chosen.is_empty() {
            let double = self.block_to_double(now, worker, speed);
            chosen.extend(double.filter(|block| helps(*block)));
        }
        chosen
    }

    /// A block that somebody else has, that nobody has doubled yet, and that this
    /// device would return sooner: one whose holder is late, the latest first, else
    /// the one that the job would wait for longest.
    pub(super) fn block_to_double(
        &self,
        now: Moment,
        worker: WorkerId,
        speed: Speed,
    ) -> Option<BlockIndex> {
        let is_worth_it = |block: BlockIndex, lease: &Lease| {
            let own = speed.compute_time(self.operations(block));
            let holder = self.participants.get(&lease.worker);
            // The first block of each device is its own, however long it takes.
            let has_returned = holder.is_some_and(|holder| holder.speed.is_measured());
            let is_sooner = lease.due_at > now + own * LATE + SOONER_MIN;
            lease.late_at <= now || (has_returned && is_sooner)
        };
        self.leases
            .iter()
            .filter(|(block, leases)| {
                leases.len() < LEASES_PER_BLOCK_MAX
                    && leases
                        .iter()
                        .all(|lease| lease.worker != worker && is_worth_it(**block, lease))
                    && !self.is_too_slow(speed, **block)
            })
            .min_by_key(|(_, leases)| {
                let late_at = leases.iter().map(|lease| lease.late_at).min();
                let late_at = late_at.filter(|at| *at <= now);
                let due_at = leases.iter().map(|lease| lease.due_at).max();
                (late_at.is_none(), late_at, Reverse(due_at))
            })
            .map(|(block, _)| *block)
    }

    pub(super) fn is_too_slow(&self, speed: Speed, block: BlockIndex) -> bool {
        speed.compute_time(self.operations(block)) > self.block_timeout / BLOCK_TIMEOUT_PART
    }

    pub(super) fn expected(&self, speed: Speed, block: BlockIndex, blocks_ahead: u32) -> Duration {
        let bytes = self.cut.block(block.0).map_or(0, |found| {
            let sides = u64::from(found.rows.end - found.rows.start)
                + u64::from(found.cols.end - found.cols.start);
            8 * sides * u64::from(self.replica.record.shape.inner)
        });
        speed.expected_time(self.operations(block), bytes, blocks_ahead)
    }

    pub(super) fn operations(&self, block: BlockIndex) -> u64 {
        let inner = self.replica.record.shape.inner;
        self.cut
            .block(block.0)
            .map_or(0, |found| found.operations(inner))
    }

    /// Who beside a device can be counted on: those that compute for this job,
    /// and those that would, which ask again and again. Not one that is full
    /// of other jobs' blocks, for whose sake nothing must wait, nor one that is late.
    pub(super) fn others(
        &self,
        now: Moment,
        worker: WorkerId,
        counts: impl Fn(Speed) -> bool,
    ) -> Others {
        let leases = self.leases.values().flatten();
        let late = leases.filter(|lease| lease.late_at <= now);
        let late: BTreeSet<WorkerId> = late.map(|lease| lease.worker).collect();
        let others = self.participants.iter().filter(|(id, participant)| {
            let asked_at = participant.asked_at;
            let asks = asked_at.is_some_and(|at| now.since(at) <= 2 * IDLE_RETRY);
            **id != worker
                && !late.contains(id)
                && !participant.lapsed
                && participant.paused_until.is_none()
                && (participant.leased > 0 || asks)
        });
        let awaited = self.awaited.iter().filter(|(id, _)| **id != worker);
        let others = others.map(|(_, participant)| participant.speed);
        let others = others.chain(awaited.map(|(_, speed)| *speed));
        others.filter(|speed| counts(*speed)).collect()
    }

    /// A device that turns out to be slower than it was known to be at submit
    /// does not keep its reserved block from others.
    pub(super) fn release_too_slow(&mut self, worker: WorkerId) {
        let Some(speed) = self.participants.get(&worker).map(|known| known.speed) else {
            return;
        };
        let mut reserved = std::mem::take(&mut self.reserved);
        reserved.retain(|block, reservation| {
            reservation.worker != worker || !self.is_too_slow(speed, *block)
        });
        self.reserved = reserved;
    }
}
