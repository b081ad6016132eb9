//! One job's state as it is copied from node to node. What two copies unite to
//! is decided in `cluster`.

use serde::{Deserialize, Serialize};

use crate::{BlockIndex, ChunkHash, Ending, Epoch, JobRecord, NodeId, WorkerId, WorkerKind};

/// A block that counts, and who has the credit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DoneBlock {
    /// Which.
    pub block: BlockIndex,
    /// BLAKE3 of its bytes.
    pub hash: ChunkHash,
    /// Who computed it.
    pub worker: WorkerId,
    /// What the worker is.
    pub kind: WorkerKind,
    /// The worker's name.
    pub name: String,
    /// The worker's processor or browser.
    pub device: String,
    /// Milliseconds it computed.
    pub compute_ms: f64,
    /// When and after what; shown only.
    pub course: BlockCourse,
    /// Floating-point operations.
    pub operations: u64,
    /// The epoch in which it was counted.
    pub epoch: Epoch,
    /// How often the coordinator of that epoch counted it: once, or the
    /// coordinator is broken and the sum over all blocks shows it.
    pub counted: u32,
}

/// How a block went, for people to look at: nothing is decided by it. Microseconds, so that blocks
/// of a small job are told apart; since the submission of the job, by its coordinator's clock.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct BlockCourse {
    /// When its device was given it.
    pub leased_us: u64,
    /// When its result was stored; 0 before.
    pub stored_us: u64,
    /// From the lease until the device had the inputs, by the device's clock.
    pub receive_us: u64,
    /// From then until it began to compute, likewise.
    pub wait_us: u64,
    /// The device that had it before, and did not return it first.
    pub taken_from: Option<WorkerId>,
}

/// What one coordinator saw in its epoch. Each number only rises, and only
/// that coordinator raises it, so the larger of two copies is the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Results that came.
    pub computed: u64,
    /// Results that were wrong.
    pub rejected: u64,
    /// Blocks that went from one worker to another.
    pub reassigned: u64,
    /// When the epoch began, in microseconds since the submission; shown only.
    pub begun_us: u64,
}

impl Tally {
    /// Of two tallies of one epoch the larger numbers stand.
    pub fn raise(&mut self, other: Self) {
        self.computed = self.computed.max(other.computed);
        self.rejected = self.rejected.max(other.rejected);
        self.reassigned = self.reassigned.max(other.reassigned);
        self.begun_us = self.begun_us.max(other.begun_us);
    }
}

/// How and when a job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// Milliseconds since 1970 by the clock of who ended it; shown only.
    pub at_unix_ms: u64,
    /// Milliseconds from submission to the end.
    pub elapsed_ms: f64,
}

/// Who leads a job, and who else holds it: one register, of which the copy
/// with the higher `(epoch, version)` stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leadership {
    /// The coordinator and its epoch.
    pub epoch: Epoch,
    /// Counts the changes of `backups` within the epoch.
    pub version: u64,
    /// The nodes that hold a copy beside the coordinator.
    pub backups: Vec<NodeId>,
}

/// Everything of a copy but its blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CopyHead {
    /// What never changes.
    pub record: JobRecord,
    /// Who leads, who holds.
    pub leadership: Leadership,
    /// One tally an epoch.
    pub tallies: Vec<(Epoch, Tally)>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// Milliseconds since it ended, or since it was submitted. Clocks differ
    /// between nodes: only durations travel.
    pub age_ms: u64,
}

/// Some blocks of a job: runs of neighbours, as `(first, count)`, in rising
/// order with gaps between them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Runs")]
pub struct BlockSet {
    runs: Vec<(u32, u32)>,
}

/// A set of blocks as it came, which may be anything.
#[derive(Deserialize)]
struct Runs {
    runs: Vec<(u32, u32)>,
}

impl TryFrom<Runs> for BlockSet {
    type Error = &'static str;

    fn try_from(Runs { runs }: Runs) -> Result<Self, Self::Error> {
        let mut free_from = Some(0);
        for (first, count) in &runs {
            let is_right = *count > 0 && free_from.is_some_and(|from| *first >= from);
            if !is_right {
                return Err("runs of blocks must rise and not touch");
            }
            free_from = first.checked_add(*count).and_then(|end| end.checked_add(1));
        }
        Ok(Self { runs })
    }
}

impl BlockSet {
    /// Whether the block is one of them.
    #[must_use]
    pub fn contains(&self, block: BlockIndex) -> bool {
        let above = self.runs.partition_point(|(first, _)| *first <= block.0);
        let run = above.checked_sub(1).map(|index| self.runs[index]);
        run.is_some_and(|(first, count)| block.0 - first < count)
    }

    /// Every block below `total` that is one of them.
    pub fn iter(&self, total: u32) -> impl Iterator<Item = BlockIndex> {
        let runs = self
            .runs
            .iter()
            .take_while(move |(first, _)| *first < total);
        runs.flat_map(move |(first, count)| {
            (*first..first.saturating_add(*count).min(total)).map(BlockIndex)
        })
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

impl FromIterator<BlockIndex> for BlockSet {
    /// Of blocks in rising order.
    fn from_iter<I: IntoIterator<Item = BlockIndex>>(blocks: I) -> Self {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for block in blocks {
            match runs.last_mut() {
                Some((first, count)) if first.checked_add(*count) == Some(block.0) => *count += 1,
                _ => runs.push((block.0, 1)),
            }
        }
        Self { runs }
    }
}
