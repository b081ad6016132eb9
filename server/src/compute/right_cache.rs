//! B, packed: once for each content, then used for every block that needs it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use kernel::{Multiplier, RightFactor};
use wire::{Arithmetic, BlockTask, TaskInput};

use super::inputs::RightInput;

/// Packed factors kept: sixteen panels of the largest size. Blocks come in runs
/// that share a panel, so few of them are in use at a time.
const BYTES_MAX: u64 = 1 << 30;

type Slot = Arc<OnceLock<Option<Arc<RightFactor>>>>;

/// What makes two packed factors the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    input: TaskInput,
    inner: u32,
    cols: u32,
    fast: bool,
}

#[derive(Debug)]
struct Entry {
    slot: Slot,
    bytes: u64,
    last_used: Instant,
}

type Entries = BTreeMap<Key, Entry>;

/// The packed factors of all threads.
#[derive(Debug, Default)]
pub(super) struct RightCache {
    entries: Mutex<Entries>,
}

impl RightCache {
    /// Whether the factor of a task is packed, or being packed.
    pub(super) fn has(&self, task: &BlockTask) -> bool {
        let guard = self.lock();
        let entry = guard.get(&key_of(task));
        entry.is_some_and(|entry| entry.slot.get().is_some_and(Option::is_some))
    }

    /// Whether somebody packs the factor of a task at this moment, or is about to.
    pub(super) fn is_being_packed(&self, task: &BlockTask) -> bool {
        let guard = self.lock();
        let entry = guard.get(&key_of(task));
        entry.is_some_and(|entry| entry.slot.get().is_none())
    }

    /// The packed factor. Of several threads that need it at once one packs
    /// and the others wait. `None` when nobody has its bytes any longer.
    pub(super) fn get(
        &self,
        task: &BlockTask,
        multiplier: &Multiplier,
        input: RightInput,
    ) -> Option<Arc<RightFactor>> {
        let key = key_of(task);
        let slot = self.slot(&key, 8 * u64::from(task.inner) * u64::from(task.cols));
        let factor = slot
            .get_or_init(|| input.pack(task, multiplier).map(Arc::new))
            .clone();
        if factor.is_none() {
            // Not to be found empty by the next one, who may have the bytes.
            self.lock().remove(&key);
        }
        factor
    }

    fn slot(&self, key: &Key, bytes: u64) -> Slot {
        let mut entries = self.lock();
        if !entries.contains_key(key) {
            make_room(&mut entries, bytes);
        }
        let now = Instant::now();
        let entry = entries.entry(key.clone()).or_insert_with(|| Entry {
            slot: Slot::default(),
            bytes,
            last_used: now,
        });
        entry.last_used = now;
        Arc::clone(&entry.slot)
    }

    /// Drops what no block needed for so long: the jobs that it was for are over. True when nothing is left.
    pub(super) fn drop_unused(&self, long: Duration) -> bool {
        let mut entries = self.lock();
        entries.retain(|_, entry| entry.last_used.elapsed() < long);
        entries.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(entries: &mut Entries, bytes: u64) {
    let mut held: u64 = entries.values().map(|entry| entry.bytes).sum();
    while held + bytes > BYTES_MAX {
        let oldest = entries.iter().min_by_key(|(_, entry)| entry.last_used);
        let Some(key) = oldest.map(|(key, _)| key.clone()) else {
            return;
        };
        // Threads that compute with it hold it until they are done.
        held -= entries.remove(&key).map_or(0, |entry| entry.bytes);
    }
}

fn key_of(task: &BlockTask) -> Key {
    Key {
        input: task.b.clone(),
        inner: task.inner,
        cols: task.cols,
        fast: task.arithmetic == Arithmetic::Fast,
    }
}

#[cfg(test)]
mod tests {
    use wire::Seed;

    use super::*;

    fn key(seed: u64) -> Key {
        let input = TaskInput::Random {
            seed: Seed(seed),
            matrix_cols: 8,
            row_start: 0,
            col_start: 0,
        };
        Key {
            input,
            inner: 8,
            cols: 8,
            fast: false,
        }
    }

    #[test]
    fn what_no_block_needs_any_longer_is_dropped() {
        let cache = RightCache::default();
        cache.slot(&key(1), 512);
        assert!(!cache.drop_unused(Duration::from_secs(60)), "it is in use");
        assert!(cache.drop_unused(Duration::ZERO));
        assert!(cache.lock().is_empty());
    }

    #[test]
    fn the_one_that_was_used_last_stays_where_there_is_no_room() {
        let cache = RightCache::default();
        for seed in 1..=3 {
            cache.slot(&key(seed), BYTES_MAX / 2);
            cache.slot(&key(1), BYTES_MAX / 2);
        }
        let kept: Vec<Key> = cache.lock().keys().cloned().collect();
        assert_eq!(kept, [key(1), key(3)]);
    }
}
