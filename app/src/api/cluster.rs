//! ssr: the cluster, as the server put it into the context.

use http::StatusCode;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use wire::Problem;

use crate::{AppError, ClusterHandle};

/// The cluster of the node that runs this server function.
pub(super) fn cluster() -> Result<ClusterHandle, AppError> {
    use_context::<ClusterHandle>().ok_or_else(|| {
        Problem::new(500, "the server did not provide its cluster to this page").into()
    })
}

/// Gives the page that is being rendered, or the answer, the status of the
/// error, so that a page about an unknown job is a 404 and not a 200.
///
/// Only for functions that read: a form's error travels as a redirect, which
/// has a status of its own.
pub(super) fn with_status<T>(answer: Result<T, Problem>) -> Result<T, AppError> {
    answer.map_err(|problem| {
        if let (Some(response), Ok(status)) = (
            use_context::<ResponseOptions>(),
            StatusCode::from_u16(problem.status),
        ) {
            response.set_status(status);
        }
        problem.into()
    })
}
