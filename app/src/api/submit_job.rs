//! both: starts the multiplication that a person entered in the form.

use leptos::prelude::*;
use wire::JobId;

use super::SubmissionForm;
use crate::AppError;

/// Starts a job and leads to its page.
///
/// # Errors
/// 422 names the field that cannot be used; the others are the cluster's.
#[server(prefix = "/pages", endpoint = "submit_job")]
pub async fn submit_job(submission: SubmissionForm) -> Result<JobId, AppError> {
    use super::cluster::{cluster, with_status};
    use super::submission_reader::read_submission;
    use crate::Command;

    let submission = with_status(read_submission(&submission))?;
    let answer = cluster()?
        .ask(|answer| Command::Submit(Box::new(submission), answer))
        .await;
    let job = with_status(answer)?;
    leptos_axum::redirect(&format!("/jobs/{}", job.id));
    Ok(job.id)
}
