//! The API for programs, version 1: `interface.md` section 2 is its contract.
//!
//! | module | holds |
//! | --- | --- |
//! | [`guard`] | who may ask at all: the rules for `Host` and `Origin` |
//! | [`submit`] | `POST /api/v1/jobs`, from JSON or from files |
//! | [`jobs`], [`job_list`] | one job; all jobs of the mesh |
//! | [`matrices`] | results and inputs as streams |
//! | [`nodes`] | nodes, and whether this one is well |
//! | [`forward`] | requests that another node answers |
//! | [`problem`] | every error, as `application/problem+json` |
//!
//! Handlers read a request, ask [`crate::jobs`] or [`crate::submission`], and
//! put the answer into words of HTTP; nothing is decided here. A job that
//! another node coordinates is asked of that node, once: a forwarded request is
//! never forwarded again.

mod guard;
mod hosts;
mod origins;

mod submit;

mod form_answer;
mod json_submission;
mod multipart_submission;
mod upload;

mod job_list;
mod jobs;
mod matrices;
mod negotiation;
mod nodes;

pub mod forward;
mod parameters;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use tokio::sync::Semaphore;

use crate::services::Services;
use crate::submission::Submissions;

pub use guard::guarded;

/// Submissions that are read at once. Each may hold its matrices in memory
/// until they are stored; further ones wait for their turn.
const SUBMISSIONS_AT_ONCE_MAX: usize = 32;

/// What handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    services: Services,
    submissions: Submissions,
    turns: Arc<Semaphore>,
}

/// Everything under `/api`, and the few paths of programs beside it.
pub fn api_router(services: Services) -> Router {
    let api = Api {
        submissions: Submissions::new(services.clone()),
        turns: Arc::new(Semaphore::new(SUBMISSIONS_AT_ONCE_MAX)),
        services,
    };
    Router::new()
        .route("/api/v1/jobs", get(job_list::list).post(submit::submit))
        .route("/api/v1/jobs/{id}", get(jobs::show).delete(jobs::remove))
        .route("/api/v1/jobs/{id}/course", get(jobs::course))
        .route("/api/v1/jobs/{id}/result", get(matrices::result))
        .route("/api/v1/jobs/{id}/result/corner", get(matrices::corner))
        .route("/api/v1/jobs/{id}/inputs/a", get(matrices::input_a))
        .route("/api/v1/jobs/{id}/inputs/b", get(matrices::input_b))
        .route("/api/v1/nodes", get(nodes::list))
        .route("/nodes/register", post(nodes::register))
        .route("/healthz", get(nodes::is_alive))
        .route("/readyz", get(nodes::is_ready))
        .route("/api", any(problem::unknown_path))
        .route("/api/{*path}", any(problem::unknown_path))
        .method_not_allowed_fallback(problem::wrong_method)
        // Each handler that takes a body has a limit of its own.
        .layer(DefaultBodyLimit::disable())
        .with_state(api)
}
