//! both: how a server function's error crosses to the page.

use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};
use wire::Problem;

/// Why a page did not get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AppError {
    /// The cluster's own answer.
    #[error("{0}")]
    Problem(Problem),
    /// The node that served the page did not answer at all.
    #[error("this node does not answer: it is looked for again")]
    Unreachable,
}

impl From<Problem> for AppError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) => Self::Unreachable,
            ServerFnErrorErr::Args(detail) | ServerFnErrorErr::MissingArg(detail) => {
                Problem::new(400, format!("the form was not understood: {detail}")).into()
            }
            other => Problem::new(500, other.to_string()).into(),
        }
    }
}
