//! Copies that could talk to each other for a while are equal: the blocks and
//! their bits, and the end. Who has the credit for a block that both
//! sides of a cut network computed may differ between them.

use std::collections::BTreeSet;

use wire::{Epoch, JobId, JobStatus};

use crate::support::mesh::Mesh;

/// To be asked when all faults ended a while ago. A copy of a node that is not
/// on the list of holders any more is asked by nobody: it may be older; what is
/// done has the same bits in it, too.
pub(crate) fn check(mesh: &Mesh, job: JobId) {
    let united = mesh.stored(job);
    let copies = || {
        let stores = mesh.stores.iter();
        stores.filter_map(|(id, store)| Some((id, store.jobs.get(&job)?)))
    };
    for (id, copy) in copies() {
        for (block, done) in &copy.done {
            assert_eq!(done.hash, united.done[block].hash, "{job} at {id}");
        }
    }
    let mut listed = copies().filter(|(id, _)| united.holders().any(|holder| holder == **id));
    let (_, first) = listed
        .next()
        .unwrap_or_else(|| panic!("somebody holds it: {}", mesh.views_of(job)));
    for (id, copy) in listed {
        let leaders = mesh.leaders(job);
        assert_eq!(
            copy.status(),
            first.status(),
            "{job} at {id}, led by {leaders:?}: {}",
            mesh.views_of(job)
        );
        // Of a cancelled job nobody needs the blocks any more.
        if copy.status() == JobStatus::Complete {
            let blocks: Vec<_> = copy.done.keys().collect();
            assert!(first.done.keys().eq(blocks), "{job} at {id}");
        }
    }
    // Whom one asks is told the same epoch, also by those whose copy was whole
    // before another led.
    let told = mesh.hosts.values().filter_map(|host| host.node.job(job));
    let told: BTreeSet<Epoch> = told.map(|summary| summary.epoch).collect();
    assert!(told.len() <= 1, "{job}: {told:?}");
    let leaders = mesh.leaders(job);
    assert!(leaders.len() <= 1, "{job} is led by {leaders:?}");
}
