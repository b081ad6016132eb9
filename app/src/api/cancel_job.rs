//! both: ends a job.

use leptos::prelude::*;
use wire::{JobId, JobView};

use crate::AppError;

/// Ends a job and leads back to its page.
///
/// # Errors
/// 404 for a job that nobody knows.
#[server(prefix = "/pages", endpoint = "cancel_job")]
pub async fn cancel_job(id: JobId) -> Result<JobView, AppError> {
    use super::cluster::{cluster, with_status};
    use crate::Command;

    let answer = cluster()?.ask(|answer| Command::Cancel(id, answer)).await;
    with_status(answer)
}
