//! The node's own compute: threads that do nothing else.
//!
//! They are plain threads at a lower priority, so that links and heartbeats
//! get a core whenever they want one. Inputs are fetched beside them: while
//! one block is computed the next is on its way. A block that takes less time
//! than waking a thread is computed where its inputs arrive, and does not wait
//! behind long ones.

mod calibration;
mod inputs;
mod left_cache;
mod right_cache;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use cluster::{Input, WorkerCommand, WorkerProfile};
use kernel::entry_bytes::EntryBytes;
use kernel::{Kernel, Multiplier};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use wire::{BlockIndex, BlockProof, BlockTask, ChunkHash, JobId, NodeId, WorkerId, WorkerKind};

use crate::services::Services;

use inputs::{LeftInput, RightInput};
use left_cache::LeftCache;
use right_cache::RightCache;

pub use calibration::measure_thread_mflops;

/// Compute gives way to everything else by this much (Unix niceness).
const NICENESS: i32 = 5;

/// Operations of a block that is computed where its inputs arrive: some ten microseconds, and half a
/// millisecond on a processor without vector instructions.
const IN_PLACE_OPERATIONS_MAX: u64 = 1_000_000;

/// Entries of its inputs, which may have to be made from a seed and packed: as long again.
const IN_PLACE_ENTRIES_MAX: u64 = 1 << 16;

/// Factors that no block needed for so long are dropped.
const UNUSED_MAX: Duration = Duration::from_secs(20);

const NO_INPUTS: &str = "its inputs are not to be had";

/// A block with everything that it needs.
struct ReadyBlock {
    task: BlockTask,
    left: LeftInput,
    right: RightInput,
    /// How long its inputs were on the way, and since when it waits for a thread.
    receive_us: u64,
    ready_at: Instant,
}

/// What the threads share.
struct Pool {
    services: Services,
    worker: WorkerId,
    kernel: Kernel,
    rights: RightCache,
    lefts: LeftCache,
    /// A place for each thread, for blocks that are computed without one.
    in_place: Semaphore,
    /// Blocks that are still wanted; one that was dropped is not begun.
    wanted: Mutex<BTreeSet<(JobId, BlockIndex)>>,
    runtime: Handle,
}

/// Starts `threads` compute threads and attaches them as this node's worker.
/// With none the node never computes.
pub async fn start(services: &Services, threads: u32, device: &str) {
    if threads == 0 {
        return;
    }
    let worker = WorkerId::from(services.node);
    let pool = Arc::new(Pool {
        services: services.clone(),
        worker,
        kernel: Kernel::detect(),
        rights: RightCache::default(),
        lefts: LeftCache::default(),
        in_place: Semaphore::new(threads as usize),
        wanted: Mutex::default(),
        runtime: Handle::current(),
    });
    let (ready_sender, ready) = mpsc::channel();
    let ready = Arc::new(Mutex::new(ready));
    for number in 0..threads {
        let (pool, ready) = (Arc::clone(&pool), Arc::clone(&ready));
        std::thread::Builder::new()
            .name(format!("compute-{number}"))
            .spawn(move || compute_blocks(&pool, &ready))
            .expect("the system has room for a thread");
    }
    let commands = services.workers.attach(worker);
    tokio::spawn(drop_unused(Arc::downgrade(&pool)));
    tokio::spawn(take_commands(pool, commands, ready_sender));
    let measured = tokio::task::spawn_blocking(measure_thread_mflops)
        .await
        .unwrap_or(0.0);
    let mflops = measured * f64::from(threads);
    services.own_status.set_mflops(mflops).await;
    let profile = WorkerProfile {
        kind: WorkerKind::Native,
        name: services.config.display_name(),
        device: device.to_owned(),
        threads,
        mflops,
        contributing: true,
        visible: true,
    };
    services
        .driver
        .tell(Input::Worker { worker, profile })
        .await;
}

/// What was made for jobs that are over is not kept: a node may do nothing for days.
async fn drop_unused(pool: Weak<Pool>) {
    let mut interval = tokio::time::interval(UNUSED_MAX / 2);
    loop {
        interval.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.rights.drop_unused(UNUSED_MAX) {
            pool.lefts.clear();
        }
    }
}

async fn take_commands(
    pool: Arc<Pool>,
    mut commands: tokio::sync::mpsc::UnboundedReceiver<WorkerCommand>,
    ready: mpsc::Sender<ReadyBlock>,
) {
    while let Some(command) = commands.recv().await {
        match command {
            WorkerCommand::Task { task, coordinator } => {
                pool.wanted().insert((task.job, task.block));
                tokio::spawn(fetch(Arc::clone(&pool), task, coordinator, ready.clone()));
            }
            WorkerCommand::Drop { job, block } => {
                pool.wanted().retain(|(wanted, index)| {
                    *wanted != job || block.is_some_and(|block| block != *index)
                });
                pool.services.account.dropped(job, block);
            }
            WorkerCommand::Counted {
                job,
                block,
                counted,
            } => pool.services.account.counted(job, block, counted),
        }
    }
}

/// Brings a block's inputs here and hands it to the threads.
async fn fetch(
    pool: Arc<Pool>,
    task: BlockTask,
    coordinator: NodeId,
    ready: mpsc::Sender<ReadyBlock>,
) {
    let services = &pool.services;
    let asked_at = Instant::now();
    let left = LeftInput::fetch(&task, services, coordinator).await;
    let right = if pool.rights.has(&task) {
        // Packed already: its bytes are not needed again.
        Some(RightInput::packed_before(&task))
    } else {
        RightInput::fetch(&task, services, coordinator).await
    };
    let (job, block) = (task.job, task.block);
    let Some((left, right)) = left.zip(right) else {
        let input = pool.give_back(job, block, NO_INPUTS);
        services.driver.tell(input).await;
        return;
    };
    let block = ReadyBlock {
        task,
        left,
        right,
        receive_us: micros_since(asked_at),
        ready_at: Instant::now(),
    };
    if is_short(&block.task)
        && !pool.rights.is_being_packed(&block.task)
        && let Ok(_place) = pool.in_place.try_acquire()
    {
        if let Some(input) = compute_or_give_back(&pool, block, &mut Arc::default()) {
            services.driver.tell(input).await;
        }
        return;
    }
    // An error means that the threads are gone: the node stops.
    let _ = ready.send(block);
}

/// Whether computing a block takes less time than waking a thread for it.
fn is_short(task: &BlockTask) -> bool {
    let [rows, inner, cols] = [task.rows, task.inner, task.cols].map(u64::from);
    let entries = inner.saturating_mul(rows.saturating_add(cols));
    task.operations() <= IN_PLACE_OPERATIONS_MAX && entries <= IN_PLACE_ENTRIES_MAX
}

fn compute_blocks(pool: &Pool, ready: &Mutex<mpsc::Receiver<ReadyBlock>>) {
    // Without the right to it the threads compute at normal priority.
    let _ = rustix::process::nice(NICENESS);
    // Kept from block to block: the system is slow to give fresh memory.
    let mut memory = Arc::default();
    loop {
        let next = ready.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(block) = next else { return };
        if let Some(input) = compute_or_give_back(pool, block, &mut memory) {
            pool.runtime.block_on(pool.services.driver.tell(input));
        }
    }
}

/// The same, also where computing panics: a block that cannot be computed is one block less, not one thread.
fn compute_or_give_back(
    pool: &Pool,
    ready: ReadyBlock,
    memory: &mut Arc<Vec<f64>>,
) -> Option<Input> {
    let (job, block) = (ready.task.job, ready.task.block);
    let computing = AssertUnwindSafe(|| compute_block(pool, ready, memory));
    match catch_unwind(computing) {
        Ok(input) => input,
        Err(_) => {
            // Whatever it was in the middle of.
            *memory = Arc::default();
            Some(pool.give_back(job, block, "computing it failed"))
        }
    }
}

/// What the node is to hear of it; `None` when the block is not wanted any longer.
fn compute_block(pool: &Pool, ready: ReadyBlock, memory: &mut Arc<Vec<f64>>) -> Option<Input> {
    let ReadyBlock {
        task,
        left,
        right,
        receive_us,
        ready_at,
    } = ready;
    let (job, block) = (task.job, task.block);
    if !pool.wanted().remove(&(job, block)) {
        return None;
    }
    tracing::info!("Computing block {block} of job {job}");
    let multiplier = Multiplier::new(pool.kernel, inputs::arithmetic_of(task.arithmetic));
    let Some(factor) = pool.rights.get(&task, &multiplier, right) else {
        return Some(pool.give_back(job, block, NO_INPUTS));
    };
    let left = left.parts(&task, &pool.lefts, memory);
    let rows: Vec<&[f64]> = left
        .iter()
        .flat_map(|part| part.chunks_exact(task.inner as usize))
        .collect();
    let mut product = vec![0.0; task.rows as usize * task.cols as usize];
    let wait_us = micros_since(ready_at);
    let started = Instant::now();
    multiplier.multiply(&rows, &factor, &mut product);
    let compute_ms = started.elapsed().as_secs_f64() * 1e3;
    let bytes = Bytes::from_owner(EntryBytes::new(product));
    let hash = ChunkHash::of(&bytes);
    let proof = BlockProof {
        compute_ms,
        receive_us,
        wait_us,
        operations: task.operations(),
        hash: Some(hash),
        bytes: task.result_bytes(),
    };
    let worker = pool.worker;
    pool.services.account.computed(&task, &proof);
    let key = (job, block, worker);
    pool.services.results.keep(key, hash, bytes);
    Some(Input::WorkerResult {
        worker,
        job,
        block,
        proof,
    })
}

fn micros_since(earlier: Instant) -> u64 {
    u64::try_from(earlier.elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl Pool {
    fn wanted(&self) -> MutexGuard<'_, BTreeSet<(JobId, BlockIndex)>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, job: JobId, block: BlockIndex, reason: &str) -> Input {
        tracing::warn!("Block {block} of job {job} given back: {reason}");
        self.wanted().remove(&(job, block));
        let worker = self.worker;
        Input::WorkerGaveBack { worker, job, block }
    }
}

#[cfg(test)]
mod tests {
    use wire::{Seed, TaskInput};

    use super::*;

    fn is_short_with(rows: u32, inner: u32, cols: u32) -> bool {
        let seeded = TaskInput::Random {
            seed: Seed(1),
            matrix_cols: 1,
            row_start: 0,
            col_start: 0,
        };
        is_short(&BlockTask {
            job: JobId::from_bytes([1; 16]),
            block: BlockIndex(0),
            row_start: 0,
            rows,
            inner,
            cols,
            arithmetic: wire::Arithmetic::Reproducible,
            a: seeded.clone(),
            b: seeded,
        })
    }

    #[test]
    fn a_block_is_short_when_its_inputs_are_small_too() {
        assert!(is_short_with(1, 1, 1) && is_short_with(25, 100, 100));
        assert!(!is_short_with(64, 4000, 2000), "many operations");
        assert!(!is_short_with(1, 20_000, 25), "a large B for one row");
        assert!(!is_short_with(25, 20_000, 1), "a large A for one column");
        // A task comes from elsewhere.
        assert!(!is_short_with(0, 20_000, 20_000), "nothing to compute");
        assert!(!is_short_with(u32::MAX, u32::MAX, u32::MAX));
    }
}
