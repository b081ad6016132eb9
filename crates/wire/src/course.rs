//! How a job goes, block by block: what the map and the time line of its page show.
//!
//! A view holds the blocks that are, or were, in a device's hands; all others are pending. It is
//! sent whole once; after that only what [`changed`](CourseView::since) travels, and whoever watches
//! [`merges`](CourseView::merge) it.

use serde::{Deserialize, Serialize};

use crate::{BlockIndex, NodeId, WorkerId, WorkerKind};

/// A device of a course, named once however many blocks it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CourseDevice {
    /// The device.
    pub worker: WorkerId,
    /// What it is.
    pub kind: WorkerKind,
    /// Its name.
    pub name: String,
}

/// An epoch of a job: from here on that node coordinated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochView {
    /// Its number.
    pub number: u64,
    /// Who won it.
    pub coordinator: NodeId,
    /// When, in microseconds since the submission.
    pub begun_us: u64,
}

/// One block in a device's hands: computed, or on its way. Times are microseconds, those of the
/// clock since the submission of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct BlockView {
    /// Which.
    pub block: BlockIndex,
    /// Whose it is: a place in [`CourseView::devices`].
    pub device: u32,
    /// When it was given to the device.
    pub leased_us: u64,
    /// How long its inputs were on the way.
    pub receive_us: u64,
    /// How long it waited for a thread.
    pub wait_us: u64,
    /// How long it was computed.
    pub compute_us: u64,
    /// When its result was stored; nothing while it is on its way.
    pub stored_us: Option<u64>,
    /// The number of the epoch in which it was counted, or leased.
    pub epoch: u64,
    /// Whether its result was checked.
    pub is_verified: bool,
    /// The device that had it before: a place in [`CourseView::devices`].
    pub taken_from: Option<u32>,
}

/// The same without names, because there are thousands.
type Row = (
    u32,
    u32,
    u64,
    u64,
    u64,
    u64,
    Option<u64>,
    u64,
    bool,
    Option<u32>,
);

impl From<Row> for BlockView {
    fn from(row: Row) -> Self {
        Self {
            block: BlockIndex(row.0),
            device: row.1,
            leased_us: row.2,
            receive_us: row.3,
            wait_us: row.4,
            compute_us: row.5,
            stored_us: row.6,
            epoch: row.7,
            is_verified: row.8,
            taken_from: row.9,
        }
    }
}

impl From<BlockView> for Row {
    fn from(block: BlockView) -> Self {
        (
            block.block.0,
            block.device,
            block.leased_us,
            block.receive_us,
            block.wait_us,
            block.compute_us,
            block.stored_us,
            block.epoch,
            block.is_verified,
            block.taken_from,
        )
    }
}

impl BlockView {
    /// Names its devices as another view does: `places` has the new place of each old one.
    fn move_devices(&mut self, places: &[u32]) {
        for place in [Some(&mut self.device), self.taken_from.as_mut()]
            .into_iter()
            .flatten()
        {
            *place = places.get(*place as usize).copied().unwrap_or(u32::MAX);
        }
    }
}

/// Where a block lies in C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockPlace {
    /// Its first row.
    pub row: u32,
    /// Its first column.
    pub col: u32,
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub cols: u32,
}

/// How a job goes, or what of that has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CourseView {
    /// Rows of C.
    pub rows: u32,
    /// Columns of C.
    pub cols: u32,
    /// Rows of a block, less for the last one.
    pub rows_per_block: u32,
    /// Columns of a block, less for the last one.
    pub cols_per_block: u32,
    /// Microseconds from the submission until now, or until the end.
    pub age_us: u64,
    /// Every epoch, the first one first.
    pub epochs: Vec<EpochView>,
    /// Every device that the blocks speak of.
    pub devices: Vec<CourseDevice>,
    /// In the order of their numbers.
    pub blocks: Vec<BlockView>,
    /// Among changes: blocks that nobody has any longer, in the order of their numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending_again: Vec<BlockIndex>,
    /// Who was last seen to have a block that is pending again: a place in `devices`. Whoever
    /// watches keeps this for itself.
    #[serde(skip)]
    pub had_last: Vec<(BlockIndex, u32)>,
}

impl CourseView {
    /// Blocks of the whole job.
    #[must_use]
    pub fn block_count(&self) -> u32 {
        self.row_blocks()
            .saturating_mul(blocks_of(self.cols, self.cols_per_block))
    }

    /// Where a block lies. Blocks are numbered down the rows first, as they are cut.
    #[must_use]
    pub fn place(&self, block: BlockIndex) -> Option<BlockPlace> {
        let row_blocks = self.row_blocks();
        if block.0 >= self.block_count() {
            return None;
        }
        let row = block.0 % row_blocks * self.rows_per_block;
        let col = block.0 / row_blocks * self.cols_per_block;
        Some(BlockPlace {
            row,
            col,
            rows: self.rows_per_block.min(self.rows - row),
            cols: self.cols_per_block.min(self.cols - col),
        })
    }

    /// The block that covers an entry of C.
    #[must_use]
    pub fn block_at(&self, row: u32, col: u32) -> Option<BlockIndex> {
        if row >= self.rows || col >= self.cols {
            return None;
        }
        let across = col.checked_div(self.cols_per_block)?;
        let down = row.checked_div(self.rows_per_block)?;
        Some(BlockIndex(across * self.row_blocks() + down))
    }

    /// A block that somebody has or had.
    #[must_use]
    pub fn find(&self, block: BlockIndex) -> Option<&BlockView> {
        let found = self.blocks.binary_search_by_key(&block, |it| it.block);
        Some(&self.blocks[found.ok()?])
    }

    /// A device by its place.
    #[must_use]
    pub fn device(&self, place: u32) -> Option<&CourseDevice> {
        self.devices.get(place as usize)
    }

    /// The place of a device, which is named if it was not before.
    pub fn place_of(&mut self, device: &CourseDevice) -> u32 {
        let known = self
            .devices
            .iter()
            .position(|it| it.worker == device.worker);
        let place = known.unwrap_or_else(|| {
            self.devices.push(device.clone());
            self.devices.len() - 1
        });
        as_place(place)
    }

    /// What is new in `self` to somebody who knows `before`; [`Self::merge`] takes it in. Whoever
    /// knows no device is named all, so that each has the same place for everybody; after that, those
    /// of blocks that have changed.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let is_news = |it: &&BlockView| {
            let known = before.find(it.block);
            known.is_none_or(|known| !self.is_same(it, before, known))
        };
        let mut blocks: Vec<BlockView> = self.blocks.iter().filter(is_news).copied().collect();
        let known = before.blocks.iter().map(|it| it.block);
        let gone = known.filter(|block| self.find(*block).is_none());
        let mut is_named = vec![before.devices.is_empty(); self.devices.len()];
        for place in blocks
            .iter()
            .flat_map(|it| [Some(it.device), it.taken_from])
            .flatten()
        {
            if let Some(is_named) = is_named.get_mut(place as usize) {
                *is_named = true;
            }
        }
        let mut devices = Vec::new();
        let places = self.devices.iter().zip(is_named).map(|(device, is_named)| {
            if !is_named {
                return u32::MAX;
            }
            devices.push(device.clone());
            as_place(devices.len() - 1)
        });
        let places: Vec<u32> = places.collect();
        for block in &mut blocks {
            block.move_devices(&places);
        }
        Self {
            epochs: self.epochs.clone(),
            devices,
            blocks,
            pending_again: gone.collect(),
            had_last: Vec::new(),
            ..*self
        }
    }

    /// How C is cut, and nothing else.
    #[must_use]
    pub fn cut(&self) -> Self {
        Self {
            rows: self.rows,
            cols: self.cols,
            rows_per_block: self.rows_per_block,
            cols_per_block: self.cols_per_block,
            ..Self::default()
        }
    }

    /// Takes changes in. A block that is seen to go from one device to another is marked, though
    /// its coordinator may not know: it died with the leases that it had given.
    pub fn merge(&mut self, changes: Self) {
        let places: Vec<u32> = changes
            .devices
            .iter()
            .map(|device| self.place_of(device))
            .collect();
        let gone = |it: &&BlockView| changes.pending_again.binary_search(&it.block).is_ok();
        for lost in self.blocks.iter().filter(gone) {
            let had = (lost.block, lost.device);
            match place_among(&self.had_last, lost.block) {
                Ok(known) => self.had_last[known] = had,
                Err(place) => self.had_last.insert(place, had),
            }
        }
        self.blocks.retain(|it| !gone(&it));
        for mut block in changes.blocks {
            block.move_devices(&places);
            let found = self
                .blocks
                .binary_search_by_key(&block.block, |it| it.block);
            let known = found.ok().map(|found| self.blocks[found]);
            let held = known.filter(|known| known.stored_us.is_none());
            let had_last = place_among(&self.had_last, block.block);
            let before = held
                .map(|held| held.device)
                .filter(|before| *before != block.device)
                .or(known.and_then(|known| known.taken_from))
                .or(had_last.ok().map(|had| self.had_last[had].1));
            let before = before.filter(|before| *before != block.device);
            block.taken_from = block.taken_from.or(before);
            match found {
                Ok(found) => self.blocks[found] = block,
                // Mostly the end.
                Err(place) => self.blocks.insert(place, block),
            }
        }
        *self = Self {
            devices: std::mem::take(&mut self.devices),
            had_last: std::mem::take(&mut self.had_last),
            blocks: std::mem::take(&mut self.blocks),
            pending_again: Vec::new(),
            ..changes
        };
    }

    fn row_blocks(&self) -> u32 {
        blocks_of(self.rows, self.rows_per_block)
    }

    /// Whether two views say the same of a block, each with its own list of devices.
    fn is_same(&self, one: &BlockView, other_view: &Self, other: &BlockView) -> bool {
        let worker = |view: &Self, place: u32| view.device(place).map(|device| device.worker);
        let places = |block: &BlockView| BlockView {
            device: 0,
            taken_from: None,
            ..*block
        };
        let taken_from =
            |view: &Self, block: &BlockView| block.taken_from.and_then(|place| worker(view, place));
        places(one) == places(other)
            && worker(self, one.device) == worker(other_view, other.device)
            && taken_from(self, one) == taken_from(other_view, other)
    }
}

fn place_among(had_last: &[(BlockIndex, u32)], block: BlockIndex) -> Result<usize, usize> {
    had_last.binary_search_by_key(&block, |(block, _)| *block)
}

fn as_place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// How many blocks a side is cut into; none where the view is still empty.
fn blocks_of(side: u32, per_block: u32) -> u32 {
    match per_block {
        0 => 0,
        per_block => side.div_ceil(per_block),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(number: u8) -> CourseDevice {
        CourseDevice {
            worker: WorkerId::from_bytes([number; 16]),
            kind: WorkerKind::Native,
            name: format!("device {number}"),
        }
    }

    fn block(number: u32, device: u32, stored_us: Option<u64>) -> BlockView {
        BlockView {
            block: BlockIndex(number),
            device,
            leased_us: 5,
            receive_us: 1,
            wait_us: 0,
            compute_us: 3,
            stored_us,
            epoch: 1,
            is_verified: false,
            taken_from: None,
        }
    }

    fn view(devices: &[u8], blocks: Vec<BlockView>) -> CourseView {
        CourseView {
            rows: 10,
            cols: 5,
            rows_per_block: 4,
            cols_per_block: 3,
            devices: devices.iter().copied().map(device).collect(),
            blocks,
            ..CourseView::default()
        }
    }

    #[test]
    fn every_entry_lies_in_the_block_that_covers_it() {
        let view = view(&[], Vec::new());
        assert_eq!(view.block_count(), 6);
        for row in 0..10 {
            for col in 0..5 {
                let block = view.block_at(row, col).unwrap();
                let place = view.place(block).unwrap();
                assert!((place.row..place.row + place.rows).contains(&row));
                assert!((place.col..place.col + place.cols).contains(&col));
            }
        }
        assert_eq!(view.block_at(10, 0), None);
        assert_eq!(view.place(BlockIndex(6)), None);
        assert_eq!(CourseView::default().block_at(0, 0), None);
    }

    #[test]
    fn what_changed_makes_the_old_view_the_new_one() {
        let before = view(
            &[1, 2],
            vec![block(0, 0, Some(9)), block(1, 1, None), block(2, 0, None)],
        );
        // The same devices in another order, as another coordinator names them.
        let after = view(
            &[3, 2, 1],
            vec![
                block(0, 2, Some(9)),
                block(1, 1, Some(11)),
                block(3, 0, None),
            ],
        );
        let changes = after.since(&before);
        assert_eq!(changes.blocks.len(), 2, "block 0 has not changed");
        assert_eq!(changes.pending_again, [BlockIndex(2)]);
        let spoken_of = [device(3), device(2)];
        assert_eq!(changes.devices, spoken_of, "not of device 1");
        let whole = after.since(&CourseView::default());
        assert_eq!(whole.devices, after.devices, "the same places for all");
        let mut merged = before;
        merged.merge(changes);
        assert_eq!(merged.since(&after).blocks, []);
        assert_eq!(after.since(&merged).blocks, []);
    }

    #[test]
    fn a_block_that_is_seen_to_change_hands_says_from_whom() {
        let mut watched = view(&[1, 2], vec![block(0, 0, None)]);
        watched.merge(view(&[2], vec![block(0, 0, None)]));
        assert_eq!(watched.find(BlockIndex(0)).unwrap().device, 1);
        assert_eq!(watched.find(BlockIndex(0)).unwrap().taken_from, Some(0));
        // It stays marked when it is done.
        watched.merge(view(&[2], vec![block(0, 0, Some(9))]));
        assert_eq!(watched.find(BlockIndex(0)).unwrap().taken_from, Some(0));
    }

    #[test]
    fn a_block_says_from_whom_also_when_nobody_had_it_in_between() {
        let mut watched = view(&[1, 2], vec![block(0, 0, None), block(1, 0, None)]);
        let mut lost = view(&[], Vec::new());
        lost.pending_again = vec![BlockIndex(0), BlockIndex(1)];
        watched.merge(lost);
        watched.merge(view(&[2, 1], vec![block(0, 0, None), block(1, 1, None)]));
        assert_eq!(watched.find(BlockIndex(0)).unwrap().taken_from, Some(0));
        // Whoever gets its own block again has it from nobody.
        assert_eq!(watched.find(BlockIndex(1)).unwrap().taken_from, None);
        watched.merge(view(&[2], vec![block(0, 0, Some(9))]));
        assert_eq!(watched.find(BlockIndex(0)).unwrap().taken_from, Some(0));
    }

    #[test]
    fn a_view_survives_json_with_one_short_row_a_block() {
        let view = view(&[1], vec![block(7, 0, Some(12))]);
        let text = serde_json::to_string(&view).unwrap();
        assert!(text.contains("[7,0,5,1,0,3,12,1,false,null]"), "{text}");
        assert_eq!(serde_json::from_str::<CourseView>(&text).unwrap(), view);
    }

    #[test]
    fn places_that_no_device_has_do_no_harm() {
        let mut watched = view(&[], Vec::new());
        watched.merge(view(&[], vec![block(0, 99, None)]));
        assert!(watched.device(watched.blocks[0].device).is_none());
    }
}
