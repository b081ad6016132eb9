//! both: the blocks of a job, for its map.

use leptos::prelude::*;
use wire::{BlockView, JobId};

use crate::AppError;

/// Every block of a job and who computed it.
///
/// # Errors
/// 404 for a job that nobody knows.
#[server(prefix = "/pages", endpoint = "job_blocks")]
pub async fn job_blocks(id: JobId) -> Result<Vec<BlockView>, AppError> {
    use super::cluster::{cluster, with_status};
    use crate::Command;

    let answer = cluster()?.ask(|answer| Command::Blocks(id, answer)).await;
    with_status(answer)
}
