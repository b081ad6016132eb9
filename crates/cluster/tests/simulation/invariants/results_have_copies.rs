//! A result has all the copies that it should have, as long as there are nodes to hold them, and for its whole time
//! to live.

use wire::{JobId, JobStatus};

use crate::support::mesh::Mesh;

/// To be asked when all faults ended a while ago.
pub(crate) fn check(mesh: &Mesh, job: JobId) {
    let united = mesh.stored(job);
    if united.status() != JobStatus::Complete {
        return;
    }
    let is_whole = |id| {
        let copy = mesh.stores[id].jobs.get(&job);
        copy.is_some_and(|copy| copy.ended.is_some() && copy.done.len() == united.done.len())
    };
    let nodes = mesh.hosts.keys().filter(|id| mesh.hosts[id].is_up);
    let wanted = (mesh.config().backups + 1).min(nodes.clone().count());
    let whole = nodes.filter(|id| is_whole(id)).count();
    assert!(
        whole >= wanted,
        "{job} has {whole} copies of {wanted}: {}",
        mesh.views_of(job)
    );
}
