//! The copies of a job on its backups: what each has, what is under way, what
//! it has not answered for.
//!
//! A backup joins when it has everything: record, inputs, blocks. From then on
//! nothing counts before it is stored there too. One that does not answer for
//! long is let go, so that it holds nothing up, and joins again when it has
//! caught up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wire::{BlockIndex, BlockSet, NodeId};

use crate::limits::{
    BACKUPS_MAX, COPIES_UNDER_WAY_MAX, COPY_BYTES_UNDER_WAY_MAX, COPY_PATIENCE, COPY_RETRY,
    COPY_RETRY_MAX,
};
use crate::time::Moment;

#[derive(Debug)]
struct Backup {
    has_joined: bool,
    has_inputs: bool,
    /// The last head that is stored there.
    head: u64,
    head_sent: Option<(u64, UnderWay)>,
    has: BTreeSet<BlockIndex>,
    waiting: BTreeSet<BlockIndex>,
    under_way: BTreeMap<BlockIndex, UnderWay>,
    /// Since when something is under way without any answer.
    silent_since: Option<Moment>,
}

/// A block on its way to a backup.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    sent: Moment,
    /// When it is sent again: later each time, for on a slow line what was sent
    /// first is still waiting to leave.
    again: Moment,
}

impl UnderWay {
    fn first(now: Moment) -> Self {
        Self {
            sent: now,
            again: now + COPY_RETRY,
        }
    }

    fn send_again(&mut self, now: Moment) {
        let waited = now.since(self.sent);
        self.again = now + (2 * waited).min(COPY_RETRY_MAX);
    }
}

impl Backup {
    fn is_up_to_date(&self, head: u64) -> bool {
        self.has_inputs && self.head >= head && self.waiting.is_empty() && self.under_way.is_empty()
    }

    /// Whether the head is to be sent now, or again.
    fn head_due(&mut self, now: Moment, number: u64) -> Option<()> {
        if self.head >= number {
            return None;
        }
        match &mut self.head_sent {
            None => self.head_sent = Some((number, UnderWay::first(now))),
            Some((_, under_way)) if under_way.again <= now => under_way.send_again(now),
            Some(_) => return None,
        }
        Some(())
    }

    fn has_something_under_way(&self) -> bool {
        !self.under_way.is_empty() || self.head_sent.is_some_and(|(number, _)| number > self.head)
    }
}

/// What is to be sent to a backup.
#[derive(Debug, PartialEq)]
pub(super) enum Shipment {
    Head { to: NodeId, number: u64 },
    Block { to: NodeId, block: BlockIndex },
}

/// Blocks of so many bytes that may be in flight to one holder.
pub(crate) fn blocks_at_once(block_bytes: u64) -> usize {
    let window = COPY_BYTES_UNDER_WAY_MAX / block_bytes.max(1);
    let window = usize::try_from(window).unwrap_or(COPIES_UNDER_WAY_MAX);
    window.clamp(2, COPIES_UNDER_WAY_MAX)
}

#[derive(Debug, Default)]
pub(super) struct Copies {
    /// Counts the changes of the head.
    head: u64,
    /// The head brings the end of the job: it goes behind the blocks.
    has_end: bool,
    backups: BTreeMap<NodeId, Backup>,
    /// So many backups are wanted.
    wanted: usize,
    /// Blocks that may be under way to one backup.
    window: usize,
}

impl Copies {
    /// Of blocks with at most so many bytes.
    pub(super) fn new(wanted: usize, block_bytes: u64) -> Self {
        Self {
            wanted: wanted.min(BACKUPS_MAX),
            window: blocks_at_once(block_bytes),
            ..Self::default()
        }
    }

    /// How many more backups are wanted.
    pub(super) fn room(&self) -> usize {
        self.wanted.saturating_sub(self.backups.len())
    }

    pub(super) fn contains(&self, node: NodeId) -> bool {
        self.backups.contains_key(&node)
    }

    /// Backups that have everything.
    pub(super) fn joined(&self) -> Vec<NodeId> {
        let joined = self.backups.iter().filter(|(_, backup)| backup.has_joined);
        joined.map(|(id, _)| *id).collect()
    }

    /// True when none of these backups is still on its way to joining.
    pub(super) fn all_joined(&self, nodes: &[NodeId]) -> bool {
        let mut backups = nodes.iter().filter_map(|node| self.backups.get(node));
        backups.all(|backup| backup.has_joined)
    }

    /// This node did not run for so long: nobody was silent meanwhile.
    pub(super) fn on_slept(&mut self, slept: Duration) {
        for backup in self.backups.values_mut() {
            backup.silent_since = backup.silent_since.map(|since| since + slept);
        }
    }

    pub(super) fn add(&mut self, node: NodeId, done: impl Iterator<Item = BlockIndex>) {
        if self.room() == 0 {
            return;
        }
        let backup = Backup {
            has_joined: false,
            has_inputs: false,
            head: 0,
            head_sent: None,
            has: BTreeSet::new(),
            waiting: done.collect(),
            under_way: BTreeMap::new(),
            silent_since: None,
        };
        self.backups.entry(node).or_insert(backup);
    }

    /// True when it had joined: those who hold copies are fewer now.
    pub(super) fn remove(&mut self, node: NodeId) -> bool {
        let removed = self.backups.remove(&node);
        removed.is_some_and(|backup| backup.has_joined)
    }

    /// A block is done.
    pub(super) fn on_done(&mut self, block: BlockIndex) {
        for backup in self.backups.values_mut() {
            if !backup.has.contains(&block) && !backup.under_way.contains_key(&block) {
                backup.waiting.insert(block);
            }
        }
    }

    /// A block that they may have is another's now.
    pub(super) fn on_replaced(&mut self, block: BlockIndex) {
        for backup in self.backups.values_mut() {
            backup.has.remove(&block);
            backup.under_way.remove(&block);
            backup.waiting.insert(block);
        }
    }

    /// The head changed.
    pub(super) fn on_head_changed(&mut self) {
        self.head += 1;
    }

    /// The head brings the end from now on, or no longer.
    pub(super) fn set_end(&mut self, has_end: bool) {
        self.has_end = has_end;
    }

    /// A backup tells what it has. True when it has joined by that.
    pub(super) fn on_state(
        &mut self,
        now: Moment,
        from: NodeId,
        head: u64,
        has_inputs: bool,
        blocks: &BlockSet,
        total: u32,
    ) -> bool {
        let Some(backup) = self.backups.get_mut(&from) else {
            return false;
        };
        backup.has_inputs |= has_inputs;
        // It cannot have what was not numbered yet.
        backup.head = backup.head.max(head.min(self.head));
        for block in blocks.iter(total) {
            backup.has.insert(block);
            backup.waiting.remove(&block);
            backup.under_way.remove(&block);
        }
        // The line works: what is still on it is not lost.
        for under_way in backup.under_way.values_mut() {
            under_way.again = under_way.again.max(now + COPY_RETRY);
        }
        backup.silent_since = backup.has_something_under_way().then_some(now);
        let joins = !backup.has_joined && backup.is_up_to_date(self.head);
        backup.has_joined |= joins;
        joins
    }

    /// The link to a backup is new: nothing is in flight any more, and what it had it may have lost with its
    /// store. It says what it has when it gets the head, and joins anew by that. True when it had joined.
    pub(super) fn on_link_up(&mut self, node: NodeId) -> bool {
        let Some(backup) = self.backups.get_mut(&node) else {
            return false;
        };
        let in_flight = std::mem::take(&mut backup.under_way);
        backup.waiting.extend(in_flight.into_keys());
        backup.waiting.append(&mut backup.has);
        backup.head_sent = None;
        (backup.head, backup.has_inputs) = (0, false);
        backup.silent_since = None;
        std::mem::take(&mut backup.has_joined)
    }

    /// Backups that have a block.
    pub(super) fn holders_of(&self, block: BlockIndex) -> impl Iterator<Item = NodeId> {
        let backups = self.backups.iter();
        let have = backups.filter(move |(_, backup)| backup.has.contains(&block));
        have.map(|(node, _)| *node)
    }

    /// Whether every backup that has joined has this block.
    pub(super) fn have(&self, block: BlockIndex) -> bool {
        let mut joined = self.backups.values().filter(|backup| backup.has_joined);
        joined.all(|backup| backup.has.contains(&block))
    }

    /// Whether every backup that has joined has the head as it is now.
    pub(super) fn have_head(&self) -> bool {
        let mut joined = self.backups.values().filter(|backup| backup.has_joined);
        joined.all(|backup| backup.head >= self.head)
    }

    /// Backups that had joined and did not answer for too long: they are not
    /// waited for any more.
    pub(super) fn let_go(&mut self, now: Moment) -> bool {
        let mut any = false;
        for backup in self.backups.values_mut() {
            let since = backup.silent_since.filter(|_| backup.has_joined);
            if since.is_some_and(|since| now.since(since) >= COPY_PATIENCE) {
                backup.has_joined = false;
                any = true;
            }
        }
        any
    }

    /// What is to be sent now, or again.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Shipment> {
        let mut shipments = Vec::new();
        for (to, backup) in &mut self.backups {
            let to = *to;
            let number = self.head;
            // Blocks mean nothing to a node that does not know the job.
            let is_known = backup.head > 0;
            let goes_behind = self.has_end && is_known;
            // One that was sent before is not worth sending again.
            let _ = backup.head_sent.take_if(|(sent, _)| *sent != number);
            if !goes_behind {
                shipments.extend(
                    backup
                        .head_due(now, number)
                        .map(|()| Shipment::Head { to, number }),
                );
            }
            if !is_known {
                continue;
            }
            for (block, under_way) in &mut backup.under_way {
                if under_way.again <= now {
                    under_way.send_again(now);
                    shipments.push(Shipment::Block { to, block: *block });
                }
            }
            while backup.under_way.len() < self.window
                && let Some(block) = backup.waiting.pop_first()
            {
                backup.under_way.insert(block, UnderWay::first(now));
                shipments.push(Shipment::Block { to, block });
            }
            if goes_behind && backup.waiting.is_empty() {
                shipments.extend(
                    backup
                        .head_due(now, number)
                        .map(|()| Shipment::Head { to, number }),
                );
            }
            if backup.silent_since.is_none() && backup.has_something_under_way() {
                backup.silent_since = Some(now);
            }
        }
        shipments
    }

    /// When something is to be sent again, or a backup let go.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        let deadlines = self.backups.values().flat_map(|backup| {
            let is_held_back = self.has_end && !backup.waiting.is_empty();
            let heads = backup.head_sent;
            let heads = heads.filter(|_| backup.head < self.head && !is_held_back);
            let blocks = backup.under_way.values().copied();
            let retries = heads.map(|(_, head)| head).into_iter().chain(blocks);
            let retries = retries.map(|under_way| under_way.again);
            let patience = backup.silent_since.filter(|_| backup.has_joined);
            retries.chain(patience.map(|since| since + COPY_PATIENCE))
        });
        deadlines.min()
    }
}
