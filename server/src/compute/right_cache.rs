//! B, packed: once for each content, then used for every block that needs it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

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

#[derive(Debug, Default)]
struct Entry {
    slot: Slot,
    bytes: u64,
    last_used: u64,
}

/// The packed factors of all threads.
#[derive(Debug, Default)]
pub(super) struct RightCache {
    entries: Mutex<(BTreeMap<Key, Entry>, u64)>,
}

impl RightCache {
    /// Whether the factor of a task is packed, or being packed.
    pub(super) fn has(&self, task: &BlockTask) -> bool {
        let guard = self.lock();
        let entry = guard.0.get(&key_of(task));
        entry.is_some_and(|entry| entry.slot.get().is_some_and(Option::is_some))
    }

    /// Whether somebody packs the factor of a task at this moment, or is about to.
    pub(super) fn is_being_packed(&self, task: &BlockTask) -> bool {
        let guard = self.lock();
        let entry = guard.0.get(&key_of(task));
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
            self.lock().0.remove(&key);
        }
        factor
    }

    fn slot(&self, key: &Key, bytes: u64) -> Slot {
        let mut guard = self.lock();
        let (entries, clock) = &mut *guard;
        *clock += 1;
        if !entries.contains_key(key) {
            make_room(entries, bytes);
        }
        let entry = entries.entry(key.clone()).or_default();
        entry.last_used = *clock;
        entry.bytes = bytes;
        Arc::clone(&entry.slot)
    }

    fn lock(&self) -> MutexGuard<'_, (BTreeMap<Key, Entry>, u64)> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(entries: &mut BTreeMap<Key, Entry>, bytes: u64) {
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
