//! A simulated disk. It checks every change that it is given.

use std::collections::{BTreeMap, BTreeSet};

use cluster::{Change, Replica};
use wire::{BlockIndex, ChunkHash, Ending, JobId, JobStatus, JobSummary, WorkerId};

use super::device::result_hash;

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) jobs: BTreeMap<JobId, Replica>,
    pub(crate) expired: BTreeSet<JobId>,
    /// Bytes of results that still count for somebody; in memory only.
    kept: BTreeMap<(JobId, BlockIndex, WorkerId, ChunkHash), u32>,
}

impl Store {
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Accepted { record, epoch } => {
                let job = record.id;
                let known = self.jobs.insert(job, Replica::new(*record, epoch));
                assert_eq!(known, None, "job {job} was accepted twice");
            }
            Change::Done {
                job,
                done,
                epoch,
                tally,
            } => {
                let key = (job, done.block, done.worker);
                assert!(self.keeps(key, done.hash), "{key:?} has no bytes to store");
                assert_eq!(done.hash, result_hash(job, done.block));
                let replica = self.jobs.get_mut(&job).expect("accepted before done");
                assert!(
                    !replica.done.contains_key(&done.block),
                    "block {} counted twice",
                    done.block
                );
                assert!(replica.ended.is_none(), "counted after the end");
                replica.record_done(done);
                replica.raise_tally(epoch, tally);
                assert_eq!(accepted(replica), done_blocks(replica));
            }
            Change::Ended {
                job,
                ended,
                epoch,
                tally,
            } => {
                let replica = self.jobs.get_mut(&job).expect("accepted before ended");
                assert_eq!(replica.ended, None, "ended twice");
                if ended.ending == Ending::Complete {
                    assert_eq!(done_blocks(replica), blocks_of(replica));
                }
                replica.record_end(ended);
                replica.raise_tally(epoch, tally);
            }
            Change::Expired { job } => {
                let known = self.jobs.remove(&job);
                assert!(known.is_some_and(|replica| replica.ended.is_some()));
                self.expired.insert(job);
            }
        }
    }

    /// A coordinator may tell only what is stored.
    pub(crate) fn check_summary(&self, summary: &JobSummary) {
        let replica = self.jobs.get(&summary.id).expect("told before accepted");
        assert!(u64::from(summary.blocks_done) <= done_blocks(replica));
        if summary.status != JobStatus::Running {
            assert_eq!(replica.status(), summary.status, "told before stored");
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
    replica.total_tally().accepted
}

pub(crate) fn done_blocks(replica: &Replica) -> u64 {
    u64::try_from(replica.done.len()).expect("a usize fits")
}

pub(crate) fn blocks_of(replica: &Replica) -> u64 {
    let (shape, cut) = (replica.record.shape, replica.record.cut);
    u64::from(shape.rows.div_ceil(cut.rows_per_block))
        * u64::from(shape.cols.div_ceil(cut.cols_per_block))
}
