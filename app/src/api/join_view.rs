//! both: how another device joins.

use leptos::prelude::*;
use wire::JoinView;

use crate::AppError;

/// The addresses of the serving node, and the best one as a QR code.
///
/// # Errors
/// 503 while the node shuts down.
#[server(ReadJoinView, prefix = "/pages", endpoint = "join_view")]
pub async fn join_view() -> Result<JoinView, AppError> {
    use super::cluster::{cluster, with_status};
    use crate::Command;

    let answer = cluster()?.ask(Command::Join).await;
    with_status(answer)
}
