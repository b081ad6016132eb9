//! One job.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use wire::{JobId, NodeId, Problem};

use super::Api;
use super::forward::{self, Question, is_forwarded};
use super::parameters::{JobPath, Parameters};
use super::problem::ApiProblem;
use crate::jobs::{self, Place, Removal};
use crate::services::Services;

/// A request that waits costs a connection and nothing else; still, nobody is
/// kept for longer than a person would look.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// `GET /api/v1/jobs/ID`, with `?wait=S` when it has ended or S seconds passed.
pub(super) async fn show(
    State(Api { services, .. }): State<Api>,
    JobPath(job): JobPath,
    request: Parts,
) -> Result<Response, ApiProblem> {
    let wait = Parameters::of(&request.uri)?.read("wait", "seconds, such as 30", seconds)?;
    let wait = wait.unwrap_or_default();
    if is_forwarded(&request.headers) {
        at_coordinator(&services, job, &request.headers).await?;
        return Ok(Json(jobs::view_here(&services, job).await?).into_response());
    }
    Ok(Json(jobs::view_after(&services, job, wait).await?).into_response())
}

/// `DELETE /api/v1/jobs/ID`: cancels a job that runs, deletes one that is complete. With `?only=running` or
/// `?only=ended` nothing but that, our own addition: a job may end while its person presses the button.
pub(super) async fn remove(
    State(Api { services, .. }): State<Api>,
    JobPath(job): JobPath,
    request: Parts,
) -> Result<Response, ApiProblem> {
    let only = "running or ended";
    let removal = Parameters::of(&request.uri)?.read("only", only, Removal::named)?;
    // Nobody who has a copy is there: whoever is asked says that it is cancelled.
    if !jobs::is_out_of_reach(&services, job).await?
        && let Some(node) = at_coordinator(&services, job, &request.headers).await?
    {
        let question = Question::same_as(&request, Duration::ZERO);
        return Ok(forward::forward(&services, node, &question).await?);
    }
    let removal = removal.unwrap_or(Removal::Any);
    Ok(Json(jobs::remove_here(&services, job, removal).await?).into_response())
}

/// `GET /api/v1/jobs/ID/course`: which block is where, who has it and when. Our
/// own addition.
pub(super) async fn course(
    State(Api { services, .. }): State<Api>,
    JobPath(job): JobPath,
    request: Parts,
) -> Result<Response, ApiProblem> {
    if let Some(node) = at_coordinator(&services, job, &request.headers).await? {
        let question = Question::same_as(&request, Duration::ZERO);
        return Ok(forward::forward(&services, node, &question).await?);
    }
    Ok(Json(jobs::course_here(&services, job).await?).into_response())
}

/// The other node that answers for a job; `None` when it is this one.
pub(super) async fn at_coordinator(
    services: &Services,
    job: JobId,
    headers: &HeaderMap,
) -> Result<Option<NodeId>, Problem> {
    match jobs::locate(services, job).await? {
        Place::Here => Ok(None),
        Place::At(node) if is_forwarded(headers) => {
            // Whoever asked believes that this node knows; a copy does, though
            // its coordinator knows better.
            let look = move |own: &cluster::Node, _| own.replica(job).is_some();
            if services.driver.look(look).await? {
                Ok(None)
            } else {
                Err(forward::away(node, ""))
            }
        }
        Place::At(node) => Ok(Some(node)),
    }
}

/// Lets the first holder answer that can: one may have damaged bytes, another
/// may not have all of them yet. `None` when nobody else has a copy.
pub(super) async fn from_any_holder(
    services: &Services,
    job: JobId,
    question: &Question,
) -> Option<Result<Response, Problem>> {
    let mut first = None;
    for node in services.holders(job, None).await {
        let answer = forward::forward(services, node, question).await;
        let is_in_vain = match &answer {
            Ok(answer) => matches!(answer.status().as_u16(), 404 | 409 | 500..),
            Err(_) => true,
        };
        if !is_in_vain {
            return Some(answer);
        }
        first.get_or_insert(answer);
    }
    first
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    let wait = Duration::try_from_secs_f64(seconds).ok()?;
    Some(wait.min(WAIT_MAX))
}
