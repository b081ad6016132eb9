//! A block counts when every backup that has joined has it, too.

use wire::{BlockIndex, JobId, NodeId};

use crate::support::mesh::Mesh;

/// A block counts at its coordinator.
pub(crate) fn check(mesh: &Mesh, at: NodeId, job: JobId, block: BlockIndex) {
    let Some(led) = mesh.node(at).coordinator(job) else {
        return;
    };
    for backup in led.joined() {
        let copy = mesh.stores[&backup].jobs.get(&job);
        // One that lost its store since, or its power, is a backup until it is heard of again.
        if let Some(copy) = copy.filter(|_| mesh.hosts[&backup].is_up) {
            assert!(
                copy.done.contains_key(&block),
                "{job}: block {block} counts at {at}, and {backup} lacks it"
            );
        }
    }
}
