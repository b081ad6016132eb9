//! What this node's own compute did since it started: its line in the panel
//! `My Node Contribution`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wire::{BlockIndex, BlockProof, BlockTask, JobId};

/// Jobs of which it is remembered which rows count already; blocks of older
/// ones are done long since.
const JOBS_MAX: usize = 256;

/// What counts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Rows of results, each once a job.
    pub rows: u64,
    /// Floating-point operations.
    pub operations: u64,
    /// Milliseconds of all threads.
    pub compute_ms: f64,
}

#[derive(Debug, Default)]
struct Ledger {
    total: Figures,
    /// Results that wait for the word of their coordinator.
    waiting: BTreeMap<(JobId, BlockIndex), (u32, Figures)>,
    /// The first rows of blocks that count, of the newest jobs.
    rows_of_jobs: Vec<(JobId, BTreeSet<u32>)>,
}

/// The account. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Account {
    ledger: Arc<Mutex<Ledger>>,
}

impl Account {
    /// A block was computed.
    pub fn computed(&self, task: &BlockTask, proof: &BlockProof) {
        let figures = Figures {
            rows: u64::from(task.rows),
            operations: proof.operations,
            compute_ms: proof.compute_ms,
        };
        let key = (task.job, task.block);
        self.ledger().waiting.insert(key, (task.row_start, figures));
    }

    /// The coordinator's word on it.
    pub fn counted(&self, job: JobId, block: BlockIndex, counted: bool) {
        let mut ledger = self.ledger();
        let Some((row_start, mut figures)) = ledger.waiting.remove(&(job, block)) else {
            return;
        };
        if !counted {
            return;
        }
        // Blocks side by side have the same rows; those count once.
        if !ledger.is_first_of_its_rows(job, row_start) {
            figures.rows = 0;
        }
        let total = &mut ledger.total;
        total.rows += figures.rows;
        total.operations += figures.operations;
        total.compute_ms += figures.compute_ms;
    }

    /// The job ended, or nobody needs these blocks: they never count.
    pub fn dropped(&self, job: JobId, block: Option<BlockIndex>) {
        self.ledger()
            .waiting
            .retain(|(of, index), _| *of != job || block.is_some_and(|block| block != *index));
    }

    /// All that counts so far.
    pub fn total(&self) -> Figures {
        self.ledger().total
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic while it was held cannot have left half an entry.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    fn is_first_of_its_rows(&mut self, job: JobId, row_start: u32) -> bool {
        let place = self.rows_of_jobs.iter().position(|(id, _)| *id == job);
        let (_, rows) = if let Some(place) = place {
            &mut self.rows_of_jobs[place]
        } else {
            if self.rows_of_jobs.len() >= JOBS_MAX {
                self.rows_of_jobs.remove(0);
            }
            self.rows_of_jobs.push((job, BTreeSet::new()));
            self.rows_of_jobs.last_mut().expect("just pushed")
        };
        rows.insert(row_start)
    }
}

#[cfg(test)]
mod tests {
    use wire::{Arithmetic, Seed, TaskInput};

    use super::*;

    fn task(block: u32, row_start: u32) -> BlockTask {
        let seeded = TaskInput::Random {
            seed: Seed(1),
            matrix_cols: 4,
            row_start: 0,
            col_start: 0,
        };
        BlockTask {
            job: JobId::from_bytes([1; 16]),
            block: BlockIndex(block),
            row_start,
            rows: 5,
            inner: 4,
            cols: 2,
            arithmetic: Arithmetic::Reproducible,
            a: seeded.clone(),
            b: seeded,
        }
    }

    fn compute(account: &Account, task: &BlockTask) {
        let proof = BlockProof {
            compute_ms: 2.0,
            receive_us: 0,
            wait_us: 0,
            operations: task.operations(),
            hash: None,
            bytes: task.result_bytes(),
        };
        account.computed(task, &proof);
    }

    #[test]
    fn only_what_counts_is_counted_and_rows_side_by_side_once() {
        let account = Account::default();
        let (left, beside, below) = (task(0, 0), task(1, 0), task(2, 5));
        for task in [&left, &beside, &below] {
            compute(&account, task);
        }
        account.counted(left.job, left.block, true);
        account.counted(left.job, left.block, true);
        account.counted(beside.job, beside.block, true);
        account.counted(below.job, below.block, false);
        let total = Figures {
            rows: 5,
            operations: 2 * 80,
            compute_ms: 4.0,
        };
        assert_eq!(account.total(), total);
    }

    #[test]
    fn what_was_dropped_never_counts() {
        let account = Account::default();
        compute(&account, &task(0, 0));
        account.dropped(task(0, 0).job, None);
        account.counted(task(0, 0).job, BlockIndex(0), true);
        assert_eq!(account.total(), Figures::default());
    }
}
