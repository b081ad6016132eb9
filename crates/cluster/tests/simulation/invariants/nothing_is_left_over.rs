//! When all jobs have ended nobody holds the bytes of a result that nobody needs, and nobody has anything to say.

use crate::support::mesh::Mesh;
use crate::support::store::Store;

pub(crate) fn check(mesh: &Mesh) {
    mesh.stores.values().for_each(Store::check_nothing_kept);
}

/// Of what was sent since all jobs have ended long ago.
pub(crate) fn check_silence(mesh: &Mesh) {
    assert!(
        mesh.sent.is_empty(),
        "they still speak: {:?}",
        &mesh.sent[..mesh.sent.len().min(8)]
    );
}
