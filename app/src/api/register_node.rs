//! both: links to a node that discovery does not show.

use leptos::prelude::*;
use wire::NodeId;

use crate::AppError;

/// Links to the node at `address`, `HOST:PORT`.
///
/// # Errors
/// 502 with the reason when it does not answer.
#[server(prefix = "/pages", endpoint = "register_node")]
pub async fn register_node(address: String) -> Result<NodeId, AppError> {
    use super::cluster::{cluster, with_status};
    use crate::Command;
    use wire::Problem;

    // As it stands in a browser's address bar, too.
    let address = address.trim().trim_start_matches("http://");
    let address = address.split('/').next().unwrap_or_default().to_owned();
    if address.is_empty() {
        let detail = "type the node's address, like 192.168.1.20:8080";
        return with_status(Err(Problem::new(422, detail)));
    }
    let answer = cluster()?
        .ask(|answer| Command::Register(address, answer))
        .await;
    with_status(answer)
}
