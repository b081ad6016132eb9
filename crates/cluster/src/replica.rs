//! One copy of a job's state. It only grows: merging two copies is a union,
//! so it may happen in any order and any number of times.

use std::collections::BTreeMap;
use std::time::Duration;

use wire::{
    BlockIndex, BlockSet, CopyHead, DoneBlock, Ended, Epoch, JobRecord, JobStatus, Leadership,
    NodeId, Tally, WorkerKind,
};

use crate::limits::TALLIES_MAX;

/// One copy of a job's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Replica {
    /// What never changes.
    pub record: JobRecord,
    /// Who leads and who holds, as far as this copy knows.
    pub leadership: Leadership,
    /// Blocks that are done.
    pub done: BTreeMap<BlockIndex, DoneBlock>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// One tally an epoch.
    pub tallies: BTreeMap<Epoch, Tally>,
}

impl Replica {
    /// The state of a job that was just submitted.
    #[must_use]
    pub fn new(record: JobRecord, leadership: Leadership) -> Self {
        Self {
            record,
            leadership,
            done: BTreeMap::new(),
            ended: None,
            tallies: BTreeMap::new(),
        }
    }

    /// The highest epoch known.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.leadership.epoch
    }

    /// Takes over all that `other`, a copy of the same job, knows more.
    pub fn merge(&mut self, other: &Self) {
        self.record_leadership(other.leadership.clone());
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

    /// The same for a copy without its blocks. True when anything was new.
    pub fn merge_head(&mut self, head: &CopyHead) -> bool {
        let before = (
            self.leadership.clone(),
            self.tallies.clone(),
            self.ended.clone(),
        );
        self.record_leadership(head.leadership.clone());
        for (epoch, tally) in &head.tallies {
            self.raise_tally(*epoch, *tally);
        }
        if let Some(ended) = &head.ended {
            self.record_end(ended.clone());
        }
        before.0 != self.leadership || before.1 != self.tallies || before.2 != self.ended
    }

    /// The copy without its blocks. `age` is the time since the job ended, or
    /// since it was submitted.
    #[must_use]
    pub fn head(&self, age: Duration) -> CopyHead {
        CopyHead {
            record: self.record.clone(),
            leadership: self.leadership.clone(),
            tallies: self
                .tallies
                .iter()
                .map(|(epoch, tally)| (*epoch, *tally))
                .collect(),
            ended: self.ended.clone(),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Takes a newer leadership.
    pub fn record_leadership(&mut self, leadership: Leadership) {
        // The version counts within the epoch, and only its coordinator raises
        // it; that the nodes are compared too keeps copies alike should
        // somebody lie about it.
        let key = |it: &Leadership| (it.epoch, it.version, it.backups.clone());
        if key(&leadership) > key(&self.leadership) {
            self.leadership = leadership;
        }
    }

    /// Records that a block is done; the smaller of two records stands.
    pub fn record_done(&mut self, done: DoneBlock) {
        match self.done.get_mut(&done.block) {
            Some(known) if is_same(known, &done) => known.counted = known.counted.max(done.counted),
            Some(known) if !stands_against(&done, known) => {}
            _ => {
                self.done.insert(done.block, done);
            }
        }
    }

    /// Forgets a block whose bytes are damaged: the only way in which a copy shrinks. What other copies have of
    /// it is united with this one again. False when it was not done.
    pub(crate) fn forget_done(&mut self, block: BlockIndex) -> bool {
        self.done.remove(&block).is_some()
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
        if self.tallies.len() >= TALLIES_MAX && !self.tallies.contains_key(&epoch) {
            // Nobody wins so many elections: somebody made them up.
            return;
        }
        self.tallies.entry(epoch).or_default().raise(tally);
    }

    /// All epochs together.
    #[must_use]
    pub fn total_tally(&self) -> Tally {
        self.tallies
            .values()
            .fold(Tally::default(), |sum, tally| Tally {
                computed: sum.computed.saturating_add(tally.computed),
                rejected: sum.rejected.saturating_add(tally.rejected),
                reassigned: sum.reassigned.saturating_add(tally.reassigned),
                begun_us: sum.begun_us.max(tally.begun_us),
            })
    }

    /// Results that counted, as they were counted one by one.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.done.values().map(|done| u64::from(done.counted)).sum()
    }

    /// Where the job stands.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        JobStatus::from(self.ended.as_ref().map(|ended| &ended.ending))
    }

    /// The coordinator and the backups.
    pub fn holders(&self) -> impl Iterator<Item = NodeId> {
        let backups = self.leadership.backups.iter().copied();
        std::iter::once(self.epoch().coordinator).chain(backups)
    }

    /// The blocks that are done.
    #[must_use]
    pub fn done_set(&self) -> BlockSet {
        self.done.keys().copied().collect()
    }
}

/// Whether two records are of one and the same count.
fn is_same(one: &DoneBlock, other: &DoneBlock) -> bool {
    !stands_against(one, other) && !stands_against(other, one)
}

/// Of two records of one block the smaller stands, everywhere. Those that are
/// equal in what identifies them should be equal in the rest; that it is
/// compared too keeps copies alike when somebody lied about it.
fn stands_against(one: &DoneBlock, other: &DoneBlock) -> bool {
    let result = |done: &DoneBlock| {
        (
            done.hash,
            done.epoch,
            done.worker,
            done.compute_ms.to_bits(),
        )
    };
    let rest = |done: &DoneBlock| {
        (
            done.course,
            done.operations,
            done.kind == WorkerKind::Browser,
        )
    };
    let words = |done: &DoneBlock| (done.name.clone(), done.device.clone());
    result(one)
        .cmp(&result(other))
        .then_with(|| rest(one).cmp(&rest(other)))
        .then_with(|| words(one).cmp(&words(other)))
        .is_lt()
}
