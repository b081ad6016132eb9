//! `POST /api/v1/jobs`

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use kernel::format::ReadError;
use wire::{JobView, Problem};

use super::form_answer::{lead_to, problem_page, wants_page};
use super::problem::ApiProblem;
use super::upload::{self, ContentType};
use super::{Api, json_submission, multipart_submission};
use crate::submission::Product;

/// The limit that the contract names.
const JSON_BYTES_MAX: usize = 64 << 20;

/// Keys travel with the job's summary to every node.
const KEY_BYTES_MAX: usize = 255;

/// How long a submission waits for those before it.
const TURN_TIMEOUT: Duration = Duration::from_secs(20);

/// Takes a job from JSON or from files.
pub(super) async fn submit(State(api): State<Api>, request: Request) -> Response {
    let content_type = upload::content_type(request.headers());
    let is_form = content_type == Some(ContentType::Multipart) && wants_page(request.headers());
    match (read_and_submit(&api, content_type, request).await, is_form) {
        (Ok(view), true) => lead_to(view.id),
        (Ok(view), false) => accepted(view),
        (Err(problem), true) => problem_page(&problem),
        (Err(problem), false) => ApiProblem(problem).into_response(),
    }
}

/// A reader's error, with the matrix it is about.
pub(super) fn read_failed(matrix: &str, error: &ReadError) -> Problem {
    let status = match error {
        ReadError::Unacceptable { .. } => 422,
        ReadError::TooLarge { .. } => 413,
        // A kind of error that is added later is about the file's form.
        _ => 400,
    };
    Problem::new(status, format!("matrix {matrix}: {error}"))
}

fn accepted(view: JobView) -> Response {
    let location = format!("/api/v1/jobs/{}", view.id);
    let mut response = (StatusCode::ACCEPTED, Json(view)).into_response();
    let location = HeaderValue::from_str(&location).expect("an id is hexadecimal digits");
    response.headers_mut().insert(LOCATION, location);
    response
}

async fn read_and_submit(
    api: &Api,
    content_type: Option<ContentType>,
    request: Request,
) -> Result<JobView, Problem> {
    let key = match idempotency_key(request.headers()) {
        Ok(key) => key,
        Err(problem) => {
            upload::discard(request);
            return Err(problem);
        }
    };
    // A job that is there already needs no room; whether this is the same one its matrices say.
    let is_known = match &key {
        Some(key) => api.submissions.knows_key(key).await?,
        None => false,
    };
    let room = match is_known {
        true => Ok(()),
        false => api.submissions.check_room().await,
    };
    let may_start = match room {
        Ok(()) => tokio::time::timeout(TURN_TIMEOUT, api.turns.acquire())
            .await
            .map_err(|_| {
                Problem::new(
                    503,
                    "too many jobs are being submitted to this node: try again",
                )
            }),
        Err(problem) => Err(problem),
    };
    let _turn = match may_start {
        Ok(turn) => turn,
        Err(problem) => {
            upload::discard(request);
            return Err(problem);
        }
    };
    let mut submission = read(api, content_type, request).await?;
    submission.idempotency_key = key;
    api.submissions.submit(submission).await
}

async fn read(
    api: &Api,
    content_type: Option<ContentType>,
    request: Request,
) -> Result<Product, Problem> {
    let side_max = api.services.config.max_dim;
    match content_type {
        Some(ContentType::Json) => {
            let body = upload::read_whole(request, JSON_BYTES_MAX).await?;
            let reading =
                tokio::task::spawn_blocking(move || json_submission::read(&body, side_max));
            let read = reading
                .await
                .map_err(|_| Problem::new(500, "reading the body failed"))?;
            read.map(Product::from)
        }
        Some(ContentType::Multipart) => {
            let folder = api.services.store.folder();
            multipart_submission::read(request, side_max, folder).await
        }
        None => {
            upload::discard(request);
            let detail = "expected application/json, or multipart/form-data with the files a and b";
            Err(Problem::new(415, detail))
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str().map(str::trim) {
        Ok(key) if !key.is_empty() && key.len() <= KEY_BYTES_MAX => Ok(Some(key.to_owned())),
        _ => {
            let detail = format!("Idempotency-Key: expected 1 to {KEY_BYTES_MAX} plain letters");
            Err(Problem::new(400, detail))
        }
    }
}
