//! Each block counts once, over all epochs and all copies: the results that
//! were counted one by one come out as the blocks that are done.

use cluster::Replica;
use wire::JobId;

use crate::support::mesh::Mesh;
use crate::support::store::{accepted, blocks_of, done_blocks};

/// While the job runs.
pub(crate) fn check_copy(replica: &Replica) {
    assert_eq!(accepted(replica), done_blocks(replica));
}

/// When the job is complete.
pub(crate) fn check_complete(mesh: &Mesh, job: JobId) {
    let replica = &mesh.stored(job);
    let numbers = (accepted(replica), done_blocks(replica));
    assert_eq!(numbers, (blocks_of(replica), blocks_of(replica)));
    assert!(replica.total_tally().computed >= accepted(replica));
}
