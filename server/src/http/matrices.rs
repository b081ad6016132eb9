//! Results and inputs as files.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use cluster::Input;
use futures_util::{StreamExt, stream};
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
    let body = match wanted {
        Wanted::Result => {
            // Where there is no room for others, what somebody has may go.
            let driver = services.driver.clone();
            when_sent(body, length, async move {
                driver.tell(Input::Fetched { job }).await;
            })
        }
        Wanted::Input(_) => body,
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

/// The same body; `then` begins when its last byte is taken.
fn when_sent(
    body: Body,
    length: Option<u64>,
    then: impl Future<Output = ()> + Send + 'static,
) -> Body {
    let state = (body.into_data_stream(), length, Some(Box::pin(then)));
    Body::from_stream(stream::unfold(
        state,
        move |(mut parts, mut left, mut then)| async move {
            let part = parts.next().await;
            let size = part.as_ref().and_then(|part| part.as_ref().ok());
            let size = size.map_or(0, |part| part.len() as u64);
            left = left.map(|left| left.saturating_sub(size));
            // Behind the last byte of a known length nothing is asked for any more.
            let is_all = part.is_none() || left == Some(0);
            if is_all && let Some(then) = then.take() {
                // Whoever reads does not wait for it.
                tokio::spawn(then);
            }
            part.map(|part| (part, (parts, left, then)))
        },
    ))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn a_result_is_fetched_when_its_last_byte_is_taken_and_not_before() {
        for (length, broken) in [
            (Some(4), false),
            (None, false),
            (Some(4), true),
            (None, true),
        ] {
            let second = match broken {
                true => Err(std::io::Error::other("the holder died")),
                false => Ok(Bytes::from("cd")),
            };
            let parts = stream::iter([Ok(Bytes::from("ab")), second]);
            let is_fetched = Arc::new(AtomicBool::new(false));
            let noted = Arc::clone(&is_fetched);
            let then = async move { noted.store(true, Ordering::Relaxed) };
            let body = when_sent(Body::from_stream(parts), length, then);
            let mut parts = body.into_data_stream();
            assert!(parts.next().await.unwrap().is_ok());
            tokio::task::yield_now().await;
            assert!(!is_fetched.load(Ordering::Relaxed));
            assert_eq!(parts.next().await.unwrap().is_err(), broken);
            // A connection that knows the length asks no further, and one that broke off cannot.
            if length.is_none() && !broken {
                assert!(parts.next().await.is_none());
            }
            tokio::task::yield_now().await;
            assert_eq!(is_fetched.load(Ordering::Relaxed), !broken);
        }
    }
}
