//! The bytes of results on their way: from a worker to the store or to the
//! node that coordinates. The cluster decides how long they are kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wire::{BlockIndex, JobId, WorkerId};

type Key = (JobId, BlockIndex, WorkerId);

/// Results that are not stored yet. Cloning it is cheap.
///
/// It needs no bound of its own: a worker's results are bounded by its leases,
/// for what was not leased is not taken in.
#[derive(Debug, Clone, Default)]
pub struct ResultsUnderWay {
    kept: Arc<Mutex<BTreeMap<Key, Bytes>>>,
}

impl ResultsUnderWay {
    /// Keeps the bytes of a result.
    pub fn keep(&self, job: JobId, block: BlockIndex, worker: WorkerId, bytes: Bytes) {
        self.lock().insert((job, block, worker), bytes);
    }

    /// The bytes of a result, if they are kept.
    pub fn get(&self, job: JobId, block: BlockIndex, worker: WorkerId) -> Option<Bytes> {
        self.lock().get(&(job, block, worker)).cloned()
    }

    /// The bytes are not needed any longer.
    pub fn release(&self, job: JobId, block: BlockIndex, worker: WorkerId) {
        self.lock().remove(&(job, block, worker));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Bytes>> {
        // A panic while it was held cannot have left half an entry.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
