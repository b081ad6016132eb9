//! Nobody is elected while the holders reach the coordinator.
//!
//! Asked where lines lose nothing but by breaking: on others a coordinator may be there and yet not be heard.

use wire::{Epoch, JobId, NodeId};

use crate::support::mesh::Mesh;

/// In microseconds: whoever has heard a coordinator for so long does not miss it.
const HEARD_FOR: u64 = 5_000_000;

/// A node has won an election.
pub(crate) fn check(mesh: &Mesh, winner: NodeId, job: JobId, epoch: Epoch) {
    if !mesh.memory.done_work.is_asked {
        return;
    }
    let since = mesh.clock.saturating_sub(HEARD_FOR);
    for leader in mesh.leaders(job) {
        let Some(led) = mesh.node(leader).coordinator(job) else {
            continue;
        };
        let holders = led.replica().holders().filter(|holder| *holder != leader);
        let is_heard = |holder: NodeId| {
            let talks = mesh.talking_since(holder, leader);
            talks.is_some_and(|opened| opened <= since) && !mesh.was_apart_since(holder, since)
        };
        let mut heard = holders.chain([winner]).filter(|holder| *holder != leader);
        let are_all = heard.all(is_heard) && !mesh.was_apart_since(leader, since);
        assert!(
            leader == winner || !are_all || led.replica().epoch() >= epoch || mesh.leaves(leader),
            "{winner} wins {epoch:?} of {job}, which {leader} leads: {}",
            mesh.views_of(job)
        );
    }
}
