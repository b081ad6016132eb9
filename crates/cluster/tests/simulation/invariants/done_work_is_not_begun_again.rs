//! Completed work is never repeated: no device begins a block that a holder has
//! on its disk, if the coordinator could have asked that holder.
//!
//! Asked where lines lose nothing but by breaking: on others a holder may be
//! there and yet not be heard.

use std::collections::BTreeMap;

use wire::{BlockIndex, JobId, NodeId};

use crate::support::mesh::Mesh;

/// In microseconds: what holders knew so long ago, a coordinator that talks to
/// them knows.
const KNOWN_AFTER: u64 = 2_000_000;

#[derive(Debug, Default)]
pub(crate) struct DoneWork {
    pub(crate) is_asked: bool,
    /// Who has a block, and since when.
    stored: BTreeMap<(JobId, BlockIndex), BTreeMap<NodeId, u64>>,
}

impl DoneWork {
    /// A disk lost what it does not have any more.
    pub(crate) fn forget(&mut self, at: NodeId, has: impl Fn(JobId, BlockIndex) -> bool) {
        for ((job, block), holders) in &mut self.stored {
            if !has(*job, *block) {
                holders.remove(&at);
            }
        }
    }

    pub(crate) fn on_stored(&mut self, at: NodeId, job: JobId, block: BlockIndex, clock: u64) {
        let holders = self.stored.entry((job, block)).or_default();
        holders.entry(at).or_insert(clock);
    }
}

/// A device is told to compute a block.
pub(crate) fn check_task(mesh: &Mesh, coordinator: NodeId, job: JobId, block: BlockIndex) {
    let memory = &mesh.memory.done_work;
    if !memory.is_asked {
        return;
    }
    let known = mesh.clock.saturating_sub(KNOWN_AFTER);
    let stored = memory.stored.get(&(job, block));
    // A line may seem open while neither hears the other.
    let was_apart = |id| mesh.was_apart_since(id, known);
    for (holder, since) in stored.into_iter().flatten() {
        let talking_since = mesh.talking_since(coordinator, *holder);
        let talks = *holder == coordinator
            || talking_since.is_some_and(|since| since <= known)
                && !was_apart(coordinator)
                && !was_apart(*holder);
        assert!(
            !talks || *since > known,
            "{job}: block {block} is begun again for {coordinator}, and {holder} has it"
        );
    }
}
