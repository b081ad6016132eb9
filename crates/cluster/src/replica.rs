//! One copy of a job's state. It only grows: merging two copies is a union,
//! so it may happen in any order and any number of times.

use std::collections::BTreeMap;

use wire::{BlockIndex, ChunkHash, Ending, Epoch, JobRecord, JobStatus, WorkerId, WorkerKind};

/// A block that counts, and who has the credit.
#[derive(Debug, Clone, PartialEq)]
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
    /// Floating-point operations.
    pub operations: u64,
    /// The epoch in which it was counted.
    pub epoch: Epoch,
}

impl DoneBlock {
    /// Of two records of one block the smaller stands, everywhere. Those that
    /// are equal in what identifies them should be equal in the rest; that it
    /// is compared too keeps copies alike when somebody lied about it.
    fn stands_against(&self, other: &Self) -> bool {
        let result = |done: &Self| {
            (
                done.hash,
                done.epoch,
                done.worker,
                done.compute_ms.to_bits(),
            )
        };
        let rest = |done: &Self| (done.operations, done.kind == WorkerKind::Browser);
        let words = |done: &Self| (done.name.clone(), done.device.clone());
        result(self)
            .cmp(&result(other))
            .then_with(|| rest(self).cmp(&rest(other)))
            .then_with(|| words(self).cmp(&words(other)))
            .is_lt()
    }
}

/// What one coordinator counted in its epoch. Each number only rises, and only
/// that coordinator raises it, so the larger of two copies is the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Results that were counted, one by one.
    pub accepted: u64,
    /// Results that came.
    pub computed: u64,
    /// Results that were wrong.
    pub rejected: u64,
    /// Blocks that went from one worker to another.
    pub reassigned: u64,
}

impl Tally {
    fn merge(self, other: Self) -> Self {
        Self {
            accepted: self.accepted.max(other.accepted),
            computed: self.computed.max(other.computed),
            rejected: self.rejected.max(other.rejected),
            reassigned: self.reassigned.max(other.reassigned),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            accepted: self.accepted.saturating_add(other.accepted),
            computed: self.computed.saturating_add(other.computed),
            rejected: self.rejected.saturating_add(other.rejected),
            reassigned: self.reassigned.saturating_add(other.reassigned),
        }
    }
}

/// How and when a job ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// Milliseconds since 1970 by the clock of who ended it; shown only.
    pub at_unix_ms: u64,
    /// Milliseconds from submission to the end.
    pub elapsed_ms: f64,
}

/// One copy of a job's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Replica {
    /// What never changes.
    pub record: JobRecord,
    /// The highest epoch known.
    pub epoch: Epoch,
    /// Blocks that count.
    pub done: BTreeMap<BlockIndex, DoneBlock>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// One tally an epoch.
    pub tallies: BTreeMap<Epoch, Tally>,
}

impl Replica {
    /// The state of a job that was just submitted.
    #[must_use]
    pub fn new(record: JobRecord, epoch: Epoch) -> Self {
        Self {
            record,
            epoch,
            done: BTreeMap::new(),
            ended: None,
            tallies: BTreeMap::new(),
        }
    }

    /// Takes over all that `other`, a copy of the same job, knows more.
    pub fn merge(&mut self, other: &Self) {
        self.epoch = self.epoch.max(other.epoch);
        for done in other.done.values() {
            self.record_done(done.clone());
        }
        for (epoch, tally) in &other.tallies {
            self.raise_tally(*epoch, *tally);
        }
        if let Some(ended) = &other.ended {
            self.record_end(ended.clone());
        }
    }

    /// Records that a block counts; the smaller of two records stands.
    pub fn record_done(&mut self, done: DoneBlock) {
        match self.done.get(&done.block) {
            Some(known) if !done.stands_against(known) => {}
            _ => {
                self.done.insert(done.block, done);
            }
        }
    }

    /// Records an ending: complete before cancelled before failed, and of two
    /// equal ones the earlier.
    pub fn record_end(&mut self, ended: Ended) {
        let key = |ended: &Ended| {
            (
                ended.ending.clone(),
                ended.at_unix_ms,
                ended.elapsed_ms.to_bits(),
            )
        };
        match &self.ended {
            Some(known) if key(known) <= key(&ended) => {}
            _ => self.ended = Some(ended),
        }
    }

    /// Raises the tally of an epoch.
    pub fn raise_tally(&mut self, epoch: Epoch, tally: Tally) {
        let known = self.tallies.entry(epoch).or_default();
        *known = known.merge(tally);
    }

    /// All epochs together.
    #[must_use]
    pub fn total_tally(&self) -> Tally {
        self.tallies
            .values()
            .fold(Tally::default(), |sum, tally| sum.plus(*tally))
    }

    /// Where the job stands.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        JobStatus::from(self.ended.as_ref().map(|ended| &ended.ending))
    }
}
