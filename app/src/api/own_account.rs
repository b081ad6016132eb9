//! both: what the serving node itself has computed.

use leptos::prelude::*;
use wire::DeviceView;

use crate::AppError;

/// What the compute of the serving node has done.
///
/// # Errors
/// 503 while the node shuts down.
#[server(prefix = "/pages", endpoint = "own_account")]
pub async fn own_account() -> Result<DeviceView, AppError> {
    use super::cluster::{cluster, with_status};
    use crate::Command;

    let answer = cluster()?.ask(Command::OwnAccount).await;
    with_status(answer)
}
