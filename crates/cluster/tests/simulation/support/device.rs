//! A simulated device: it computes at its speed and has its habits.

use std::collections::{BTreeMap, BTreeSet};

use cluster::WorkerProfile;
use wire::{BlockIndex, BlockProof, BlockTask, ChunkHash, JobId, WorkerId, WorkerKind};

use super::profile;

/// How a device behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Habit {
    Honest,
    /// Takes blocks and is never heard of again.
    NeverAnswers,
    /// Leaves when it has been given so many blocks.
    LeavesAfter(u32),
    /// Gives back the first so many blocks.
    GivesBack(u32),
    AnswersTwice,
    /// Its first so many results are eight bytes short.
    WrongLength(u32),
}

#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) profile: WorkerProfile,
    /// What it really does, over all threads.
    pub(crate) mflops: f64,
    pub(crate) habit: Habit,
    pub(crate) tasks: BTreeMap<(JobId, BlockIndex), BlockTask>,
    /// Every block it was ever given, and those that counted.
    pub(crate) given: Vec<(JobId, BlockIndex)>,
    pub(crate) counted: BTreeSet<(JobId, BlockIndex)>,
    busy_until: Vec<u64>,
}

impl Device {
    pub(crate) fn native(threads: u32, mflops: f64) -> Self {
        Self::new(profile(WorkerKind::Native, threads, mflops), mflops)
    }

    pub(crate) fn page(threads: u32, mflops: f64) -> Self {
        Self::new(profile(WorkerKind::Browser, threads, mflops), mflops)
    }

    fn new(profile: WorkerProfile, mflops: f64) -> Self {
        let threads = usize::try_from(profile.threads).expect("few");
        Self {
            profile,
            mflops,
            habit: Habit::Honest,
            tasks: BTreeMap::new(),
            given: Vec::new(),
            counted: BTreeSet::new(),
            busy_until: vec![0; threads.max(1)],
        }
    }

    pub(crate) fn with(mut self, habit: Habit) -> Self {
        self.habit = habit;
        self
    }

    /// What it says of itself, where that is not the truth.
    pub(crate) fn claiming(mut self, mflops: f64) -> Self {
        self.profile.mflops = mflops;
        self
    }

    /// Takes a block; when it will be done, in microseconds.
    pub(crate) fn take(&mut self, now: u64, task: BlockTask) -> u64 {
        let key = (task.job, task.block);
        let threads = f64::from(self.profile.threads);
        let done_in = millis_of(&task, self.mflops / threads) * 1e3;
        self.tasks.insert(key, task);
        self.given.push(key);
        let thread = self
            .busy_until
            .iter_mut()
            .min()
            .expect("at least one thread");
        *thread = (*thread).max(now) + to_micros(done_in).max(1);
        *thread
    }

    pub(crate) fn given_blocks(&self) -> u32 {
        u32::try_from(self.given.len()).expect("few")
    }

    /// An honest result of a block.
    pub(crate) fn proof(&self, task: &BlockTask) -> BlockProof {
        let threads = f64::from(self.profile.threads);
        BlockProof {
            compute_ms: millis_of(task, self.mflops / threads),
            receive_us: 0,
            wait_us: 0,
            operations: task.operations(),
            hash: Some(result_hash(task.job, task.block)),
            bytes: task.result_bytes(),
        }
    }

    pub(crate) fn forget_all(&mut self) {
        self.tasks.clear();
        self.busy_until.fill(0);
    }
}

/// The one right result of a block.
pub(crate) fn result_hash(job: JobId, block: BlockIndex) -> ChunkHash {
    let mut bytes = job.as_bytes().to_vec();
    bytes.extend_from_slice(&block.0.to_le_bytes());
    ChunkHash::of(&bytes)
}

/// What the device is called where it is not at home.
pub(crate) type DeviceKey = (wire::NodeId, WorkerId);

#[expect(clippy::cast_precision_loss, reason = "simulated blocks are small")]
fn millis_of(task: &BlockTask, thread_mflops: f64) -> f64 {
    task.operations() as f64 / thread_mflops / 1e3
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and saturates"
)]
fn to_micros(micros: f64) -> u64 {
    micros as u64
}
