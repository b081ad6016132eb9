//! A simulated disk. It checks every change that it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use cluster::{Change, Replica};
use wire::{BlockIndex, ChunkHash, ExpiredJob, JobId, WorkerId};

use super::device::result_hash;
use crate::invariants::blocks_count_once;

#[derive(Debug, Default)]
pub(crate) struct Store {
    /// Shared with the snapshots that have the same of them.
    pub(crate) jobs: BTreeMap<JobId, Rc<Replica>>,
    /// With the times of their submissions.
    pub(crate) expired: BTreeMap<JobId, ExpiredJob>,
    /// When each job ended, by how long this node has been running.
    pub(crate) ended_at_ms: BTreeMap<JobId, u64>,
    /// Jobs of which the inputs are here, too.
    pub(crate) inputs: BTreeSet<JobId>,
    /// Jobs whose last change went to the system, and not yet to the disk: another node has it, or will.
    pub(crate) unsynced: BTreeSet<JobId>,
    /// Bytes of results that still count for somebody; in memory only.
    kept: BTreeMap<(JobId, BlockIndex, WorkerId, ChunkHash), u32>,
}

/// What is on a disk.
#[derive(Debug, Default, Clone)]
pub(crate) struct Snapshot {
    jobs: BTreeMap<JobId, Rc<Replica>>,
    expired: BTreeMap<JobId, ExpiredJob>,
    ended_at_ms: BTreeMap<JobId, u64>,
    inputs: BTreeSet<JobId>,
}

impl Store {
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            jobs: self.jobs.clone(),
            expired: self.expired.clone(),
            ended_at_ms: self.ended_at_ms.clone(),
            inputs: self.inputs.clone(),
        }
    }

    pub(crate) fn restore(&mut self, snapshot: Snapshot) {
        let Snapshot {
            jobs,
            expired,
            ended_at_ms,
            inputs,
        } = snapshot;
        (self.jobs, self.expired, self.ended_at_ms, self.inputs) =
            (jobs, expired, ended_at_ms, inputs);
        self.unsynced.clear();
        self.kept.clear();
    }

    pub(crate) fn apply(&mut self, change: Change, running_ms: u64) {
        match change {
            Change::Accepted { record, leadership } => {
                let job = record.id;
                let replica = Rc::new(Replica::new(*record, leadership));
                let known = self.jobs.insert(job, replica);
                assert_eq!(known, None, "job {job} was accepted twice");
            }
            Change::Done { job, done, tally } => {
                let key = (job, done.block, done.worker);
                assert!(self.keeps(key, done.hash), "{key:?} has no bytes to store");
                assert_eq!(done.hash, result_hash(job, done.block));
                let replica = self.jobs.get_mut(&job).expect("accepted before done");
                let replica = Rc::make_mut(replica);
                let known = replica.done.get(&done.block).cloned();
                let epoch = done.epoch;
                replica.record_done((*done).clone());
                assert_ne!(replica.done.get(&done.block), known.as_ref(), "no news");
                replica.raise_tally(epoch, tally);
                blocks_count_once::check_copy(replica);
            }
            Change::Head {
                job,
                leadership,
                tallies,
                ended,
            } => {
                let replica = self.jobs.get_mut(&job).expect("accepted before changed");
                let replica = Rc::make_mut(replica);
                assert!(leadership.epoch >= replica.epoch(), "an epoch goes back");
                replica.record_leadership(leadership);
                for (epoch, tally) in tallies {
                    replica.raise_tally(epoch, tally);
                }
                if let Some((ended, ago)) = ended {
                    replica.record_end(ended);
                    let ago = u64::try_from(ago.as_millis()).expect("short");
                    self.ended_at_ms.insert(job, running_ms.saturating_sub(ago));
                }
            }
            Change::Lost { job, block } => {
                let replica = self.jobs.get_mut(&job).expect("accepted before damaged");
                let replica = Rc::make_mut(replica);
                assert!(replica.done.remove(&block).is_some(), "it was not there");
            }
            Change::Withdrawn { job } => {
                self.jobs.remove(&job);
                self.inputs.remove(&job);
            }
            Change::Expired(expired) => {
                let job = expired.job;
                // Or only heard of.
                self.jobs.remove(&job);
                self.inputs.remove(&job);
                let known = self.expired.insert(job, expired);
                assert_eq!(known, None, "job {job} expired twice");
            }
        }
    }

    /// The bytes of a result came.
    pub(crate) fn keep(&mut self, key: (JobId, BlockIndex, WorkerId), hash: ChunkHash) {
        *self.kept.entry((key.0, key.1, key.2, hash)).or_default() += 1;
    }

    pub(crate) fn keeps(&self, key: (JobId, BlockIndex, WorkerId), hash: ChunkHash) -> bool {
        self.kept.contains_key(&(key.0, key.1, key.2, hash))
    }

    /// One that came is not needed any longer.
    pub(crate) fn release(&mut self, key: (JobId, BlockIndex, WorkerId), hash: ChunkHash) {
        let key = (key.0, key.1, key.2, hash);
        if let Some(times) = self.kept.get_mut(&key) {
            *times -= 1;
            if *times == 0 {
                self.kept.remove(&key);
            }
        }
    }

    pub(crate) fn forget_kept(&mut self) {
        self.kept.clear();
    }

    pub(crate) fn check_nothing_kept(&self) {
        assert!(self.kept.is_empty(), "it keeps {:?}", self.kept);
    }

    pub(crate) fn credit(&self, job: JobId, block: BlockIndex) -> Option<WorkerId> {
        let replica = self.jobs.get(&job)?;
        replica.done.get(&block).map(|done| done.worker)
    }
}

pub(crate) fn accepted(replica: &Replica) -> u64 {
    replica.accepted()
}

pub(crate) fn done_blocks(replica: &Replica) -> u64 {
    u64::try_from(replica.done.len()).expect("a usize fits")
}

pub(crate) fn blocks_of(replica: &Replica) -> u64 {
    let (shape, cut) = (replica.record.shape, replica.record.cut);
    u64::from(shape.rows.div_ceil(cut.rows_per_block))
        * u64::from(shape.cols.div_ceil(cut.cols_per_block))
}
