//! ssr: the cluster, as the server put it into the context.

use http::header::ACCEPT;
use http::request::Parts;
use http::{Method, StatusCode};
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

/// Gives the answer, or the page that is being rendered, the status of the
/// error, so that a page about an unknown job is a 404 and not a 200.
///
/// A form that is posted without script is left alone: its error travels as a
/// redirect back to the form, which has a status of its own.
pub(super) fn with_status<T>(answer: Result<T, Problem>) -> Result<T, AppError> {
    answer.map_err(|problem| {
        if let (false, Some(response), Ok(status)) = (
            is_plain_form_post(),
            use_context::<ResponseOptions>(),
            StatusCode::from_u16(problem.status),
        ) {
            response.set_status(status);
        }
        problem.into()
    })
}

fn is_plain_form_post() -> bool {
    use_context::<Parts>().is_some_and(|request| {
        let accept = request
            .headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok());
        request.method == Method::POST && accept.is_some_and(|accept| accept.contains("text/html"))
    })
}
