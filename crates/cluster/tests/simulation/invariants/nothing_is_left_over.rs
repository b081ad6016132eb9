//! Nobody holds the bytes of a result that nobody needs.

use crate::support::mesh::Mesh;
use crate::support::store::Store;

pub(crate) fn check(mesh: &Mesh) {
    mesh.stores.values().for_each(Store::check_nothing_kept);
}
