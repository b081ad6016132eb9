//! both: the whole mesh: nodes and jobs.
#![cfg_attr(
    feature = "ssr",
    expect(
        clippy::unused_async,
        reason = "a server function is async, also where its body waits for nothing"
    )
)]

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
