//! What stands in a request's address.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use wire::{JobId, Problem};

use super::problem::ApiProblem;

/// The job that a path names. What cannot be a job's id names no job.
#[derive(Debug)]
pub(super) struct JobPath(pub(super) JobId);

impl<S: Send + Sync> FromRequestParts<S> for JobPath {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiProblem> {
        let text = match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => text,
            Err(_) => return Err(crate::jobs::unknown("of these bytes").into()),
        };
        let id = text.to_ascii_lowercase().parse();
        id.map(Self).map_err(|_| crate::jobs::unknown(&text).into())
    }
}

/// The parameters behind the question mark; of a repeated one the last counts.
#[derive(Debug)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(super) fn of(uri: &Uri) -> Result<Self, Problem> {
        Query::try_from_uri(uri)
            .map(|Query(named)| Self(named))
            .map_err(|_| {
                Problem::new(
                    400,
                    "the part of the address behind ? is not name=value&name=value",
                )
            })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A parameter that must be readable when it is there; `expected` says what
    /// it may be.
    pub(super) fn read<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match read(text) {
            Some(value) => Ok(Some(value)),
            None => {
                let detail = format!("{name}={text}: expected {expected}");
                Err(Problem::new(400, detail))
            }
        }
    }
}
