//! Results and inputs as files.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use kernel::format::OutputFormat;
use wire::{JobId, Problem};

use super::Api;
use super::forward::{Question, is_forwarded};
use super::jobs::{at_coordinator, from_any_holder};
use super::negotiation::output_format;
use super::parameters::{JobPath, Parameters};
use super::problem::ApiProblem;
use crate::jobs::matrices::{self, InputName};
use crate::jobs::unknown;
use crate::matrix_rows::MatrixRows;
use crate::matrix_rows::body::{self, MatrixBody};
use crate::services::Services;

/// `GET /api/v1/jobs/ID/result`
pub(super) async fn result(
    State(api): State<Api>,
    JobPath(job): JobPath,
    request: Parts,
) -> Result<Response, ApiProblem> {
    send(&api.services, job, &request, Wanted::Result).await
}

/// `GET /api/v1/jobs/ID/inputs/a`
pub(super) async fn input_a(
    State(api): State<Api>,
    JobPath(job): JobPath,
    request: Parts,
) -> Result<Response, ApiProblem> {
    send(&api.services, job, &request, Wanted::Input(InputName::A)).await
}

/// `GET /api/v1/jobs/ID/inputs/b`
pub(super) async fn input_b(
    State(api): State<Api>,
    JobPath(job): JobPath,
    request: Parts,
) -> Result<Response, ApiProblem> {
    send(&api.services, job, &request, Wanted::Input(InputName::B)).await
}

/// `GET /api/v1/jobs/ID/result/corner?side=N`: what a page shows of a large
/// result. Our own addition; between nodes too.
pub(super) async fn corner(
    State(api): State<Api>,
    JobPath(job): JobPath,
    request: Parts,
) -> Result<Response, ApiProblem> {
    let parameters = Parameters::of(&request.uri)?;
    let side = parameters
        .read("side", "a whole number", |text| text.parse().ok())?
        .unwrap_or(15);
    let question = Question::same_as(&request, std::time::Duration::ZERO);
    let services = &api.services;
    if at_coordinator(services, job, &request.headers)
        .await?
        .is_some()
    {
        let answer = from_any_holder(services, job, &question).await;
        return Ok(answer.unwrap_or_else(|| Err(unknown(&job.to_string())))?);
    }
    let preview = match matrices::preview_here(services, job, side).await {
        Err(problem) if is_bad_copy(&problem, &request) => {
            let answer = from_any_holder(services, job, &question).await;
            return Ok(answer.unwrap_or(Err(problem))?);
        }
        preview => preview?,
    };
    Ok(Json(preview).into_response())
}

#[derive(Debug, Clone, Copy)]
enum Wanted {
    Result,
    Input(InputName),
}

impl Wanted {
    fn suffix(self) -> &'static str {
        match self {
            Self::Result => "",
            Self::Input(InputName::A) => "-a",
            Self::Input(InputName::B) => "-b",
        }
    }

    async fn open(self, services: &Services, job: JobId) -> Result<MatrixRows, Problem> {
        match self {
            Self::Result => matrices::result_here(services, job).await,
            Self::Input(name) => matrices::input_here(services, job, name).await,
        }
    }
}

async fn send(
    services: &Services,
    job: JobId,
    request: &Parts,
    wanted: Wanted,
) -> Result<Response, ApiProblem> {
    // A format that nobody can send is refused before anything is looked for.
    let parameters = Parameters::of(&request.uri)?;
    let format = output_format(&parameters, &request.headers)?;
    let question = Question::same_as(request, std::time::Duration::ZERO);
    if at_coordinator(services, job, &request.headers)
        .await?
        .is_some()
    {
        let answer = from_any_holder(services, job, &question).await;
        return Ok(answer.unwrap_or_else(|| Err(unknown(&job.to_string())))?);
    }
    let opened = match wanted.open(services, job).await {
        Ok(matrix) => body::open(services.clone(), matrix, format).await,
        Err(problem) => Err(problem),
    };
    let MatrixBody { body, length } = match opened {
        Err(problem) if is_bad_copy(&problem, request) => {
            let answer = from_any_holder(services, job, &question).await;
            return Ok(answer.unwrap_or(Err(problem))?);
        }
        opened => opened?,
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    // JSON is for programs and for looking at in a browser, the others are files.
    if format != OutputFormat::Json || parameters.has("download") {
        let file_name = format!(
            "matmesh-{}{}.{}",
            &job.to_string()[..8],
            wanted.suffix(),
            format.name()
        );
        insert_text(
            headers,
            CONTENT_DISPOSITION,
            &format!("attachment; filename=\"{file_name}\""),
        );
    }
    Ok(response)
}

/// Whether another holder may give what the copy here does not.
fn is_bad_copy(problem: &Problem, request: &Parts) -> bool {
    problem.status >= 500 && !is_forwarded(&request.headers)
}

fn insert_text(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    let value =
        HeaderValue::from_str(text).expect("hexadecimal digits and a suffix are plain text");
    headers.insert(name, value);
}
