//! Errors as the API tells them: RFC 9457, `application/problem+json`.

use serde::{Deserialize, Serialize};

/// An error that a person can act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// The kind, as a short phrase: the same for all errors of that kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, where, and what to do.
    pub detail: String,
    /// Seconds after which it is worth trying again, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// An error with the standard phrase of its status as the title.
    #[must_use]
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self {
            title: title_of(status).to_owned(),
            status,
            detail: detail.into(),
            retry_after_s: None,
        }
    }

    /// The same, worth another try after so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after_s: Some(seconds),
            ..self
        }
    }
}

fn title_of(status: u16) -> &'static str {
    match status {
        400 => "Malformed input",
        403 => "Not allowed from there",
        404 => "Not found",
        405 => "Method not allowed",
        406 => "No such format",
        408 => "Too slow",
        409 => "Not complete yet",
        410 => "Expired",
        413 => "Too large",
        415 => "Unsupported content type",
        422 => "Input that cannot be multiplied",
        502 => "The other node does not answer",
        503 => "Not now",
        507 => "No room on the disk",
        _ => "Internal error",
    }
}
