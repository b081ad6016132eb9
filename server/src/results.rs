//! The bytes of results on their way: from a worker to the store or to the
//! node that coordinates. The cluster decides how long they are kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wire::{BlockIndex, ChunkHash, JobId, WorkerId};

/// Whose result of what.
pub type ResultKey = (JobId, BlockIndex, WorkerId);

#[derive(Debug)]
struct Kept {
    bytes: Bytes,
    /// How often it came: each time it is released again.
    times: u32,
}

/// Results that are not stored yet. Cloning it is cheap.
///
/// Each is found by its hash as well: a wrong result that is refused does not
/// take the right one along that came behind it. It needs no bound of its own:
/// what comes is released as soon as the cluster has looked at it, unless it
/// was leased; of a tiny job no more wait for each other than it has blocks.
#[derive(Debug, Clone, Default)]
pub struct ResultsUnderWay {
    kept: Arc<Mutex<BTreeMap<(ResultKey, ChunkHash), Kept>>>,
}

impl ResultsUnderWay {
    /// Keeps the bytes of a result, whose hash is this.
    pub fn keep(&self, key: ResultKey, hash: ChunkHash, bytes: Bytes) {
        let mut kept = self.lock();
        let entry = kept.entry((key, hash));
        entry.or_insert(Kept { bytes, times: 0 }).times += 1;
    }

    /// The bytes of a result, if they are kept.
    pub fn get(&self, key: ResultKey, hash: ChunkHash) -> Option<Bytes> {
        let kept = self.lock();
        kept.get(&(key, hash)).map(|kept| kept.bytes.clone())
    }

    /// One that came with this hash is not needed any longer.
    pub fn release(&self, key: ResultKey, hash: ChunkHash) {
        let mut all = self.lock();
        if let Some(kept) = all.get_mut(&(key, hash)) {
            kept.times -= 1;
            if kept.times == 0 {
                all.remove(&(key, hash));
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(ResultKey, ChunkHash), Kept>> {
        // A panic while it was held cannot have left half an entry.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ResultKey = (
        JobId::from_bytes([1; 16]),
        BlockIndex(0),
        WorkerId::from_bytes([2; 16]),
    );

    fn keep(results: &ResultsUnderWay, bytes: &'static [u8]) -> ChunkHash {
        let hash = ChunkHash::of(bytes);
        results.keep(KEY, hash, Bytes::from_static(bytes));
        hash
    }

    #[test]
    fn a_refused_result_does_not_take_the_right_one_along() {
        let results = ResultsUnderWay::default();
        let wrong = keep(&results, b"wrong");
        let right = keep(&results, b"right");
        results.release(KEY, wrong);
        assert_eq!(results.get(KEY, right), Some(Bytes::from_static(b"right")));
    }

    #[test]
    fn what_came_twice_is_there_until_it_is_released_twice() {
        let results = ResultsUnderWay::default();
        let hash = keep(&results, b"right");
        keep(&results, b"right");
        results.release(KEY, hash);
        assert!(results.get(KEY, hash).is_some());
        results.release(KEY, hash);
        assert_eq!(results.get(KEY, hash), None);
    }
}
