//! both: a job as it is now.

use leptos::prelude::*;
use wire::JobView;

use crate::AppError;

/// A job as it is now, from whichever node knows. The id is text: one that is
/// no id belongs to no job, which is the same 404 to a reader.
///
/// # Errors
/// 404 for a job that nobody knows.
#[server(ReadJobView, prefix = "/pages", endpoint = "job_view")]
pub async fn job_view(id: String) -> Result<JobView, AppError> {
    use super::cluster::{cluster, with_status};
    use crate::Command;
    use wire::Problem;

    let Ok(id) = id.parse() else {
        let detail = "no job has this id: a job's id is 32 digits from 0 to f";
        return with_status(Err(Problem::new(404, detail)));
    };
    with_status(cluster()?.ask(|answer| Command::Job(id, answer)).await)
}
