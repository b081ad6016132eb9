//! both: the upper left corner of a result.

use leptos::prelude::*;
use wire::{JobId, ResultPreview};

use crate::AppError;

/// A result, or its upper left corner where it is larger than 15×15.
///
/// # Errors
/// 409 while the job runs; 410 once it expired.
#[server(ReadResultPreview, prefix = "/pages", endpoint = "result_preview")]
pub async fn result_preview(id: JobId) -> Result<ResultPreview, AppError> {
    use super::cluster::{cluster, with_status};
    use crate::Command;
    use crate::job_form::GRID_SIDE_MAX;

    let answer = cluster()?
        .ask(|answer| Command::Preview(id, GRID_SIDE_MAX, answer))
        .await;
    with_status(answer)
}
