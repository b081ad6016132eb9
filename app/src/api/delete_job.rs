//! both: deletes a job that has ended.

use leptos::prelude::*;
use wire::{JobId, JobView};

use crate::AppError;

/// Deletes a job and its result at all nodes. With script the list of jobs is shown then, without the job's
/// page, which says that it is gone.
///
/// # Errors
/// 404 for a job that nobody knows, 409 for one that still runs, 410 for one that is gone.
#[server(prefix = "/pages", endpoint = "delete_job")]
pub async fn delete_job(id: JobId) -> Result<JobView, AppError> {
    use super::cluster::{cluster, with_status};
    use crate::Command;

    let answer = cluster()?.ask(|answer| Command::Delete(id, answer)).await;
    with_status(answer)
}
