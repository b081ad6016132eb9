//! both: the whole mesh: nodes and jobs.

use leptos::prelude::*;
use wire::MeshView;

use crate::AppError;

/// The mesh as the serving node sees it.
///
/// # Errors
/// 500 where the server provides no cluster.
#[server(ReadMeshView, prefix = "/pages", endpoint = "mesh_view")]
pub async fn mesh_view() -> Result<MeshView, AppError> {
    Ok(super::cluster::cluster()?.mesh())
}
