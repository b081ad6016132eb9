//! Errors on their way out: RFC 9457.

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use wire::Problem;

/// When a person or program should try again what cannot be done now. What is
/// away for longer is asked for again that often, which costs nobody anything.
const RETRY_AFTER_S: u64 = 1;

/// A [`Problem`] as an answer.
#[derive(Debug)]
pub(crate) struct ApiProblem(pub(crate) Problem);

impl From<Problem> for ApiProblem {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let body = serde_json::to_vec(&problem).expect("a problem is plain text and a number");
        let mut response = (status_of(&problem), body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        add_retry_after(&problem, &mut response);
        response
    }
}

/// The status of a problem, which came from this program or another node.
pub(super) fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Says when to try again, where that helps.
pub(super) fn add_retry_after(problem: &Problem, response: &mut Response) {
    if problem.status == 503 {
        let seconds = problem.retry_after_s.unwrap_or(RETRY_AFTER_S);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// Nothing is at this path of the API.
pub(super) async fn unknown_path(request: Request) -> ApiProblem {
    let path = request.uri().path();
    Problem::new(
        404,
        format!("the API has nothing at {path}: jobs are at /api/v1/jobs"),
    )
    .into()
}

/// The path is right and the method is not; axum adds `Allow`.
pub(super) async fn wrong_method(request: Request) -> ApiProblem {
    let (method, path) = (request.method(), request.uri().path());
    Problem::new(
        405,
        format!("{method} means nothing at {path}: see the Allow header"),
    )
    .into()
}
