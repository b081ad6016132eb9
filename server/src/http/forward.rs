//! Requests that another node answers, because it coordinates the job.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    ACCEPT, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;
use bytes::Bytes;
use cluster::Liveness;
use futures_util::{Stream, StreamExt, stream};
use serde::de::DeserializeOwned;
use wire::{NodeId, Problem};

use crate::services::Services;

/// Says that a node asks for somebody else: the one who is asked does not ask
/// further. Two nodes that each believe the other to be the coordinator would
/// otherwise go on for ever.
const FORWARDED: &str = "matmesh-forwarded";

/// From request to the head of the answer: a coordinator answers from memory,
/// or reads one band of a result first. Waiting that was asked for comes on top.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read whole: the list of all jobs of a full directory.
const JSON_BYTES_MAX: usize = 64 << 20;

/// How long the next part of a body may take.
const PART_TIMEOUT: Duration = Duration::from_secs(30);

/// Headers of an answer that are passed on; the others belong to the
/// connection they came on.
const PASSED_ON: [axum::http::HeaderName; 6] = [
    CONTENT_TYPE,
    CONTENT_DISPOSITION,
    CONTENT_LENGTH,
    LOCATION,
    RETRY_AFTER,
    VARY,
];

/// What is asked of the other node.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) accept: Option<HeaderValue>,
    /// How long the other node was asked to wait before it answers.
    pub(crate) waiting: Duration,
}

impl Question {
    /// A plain GET.
    pub(crate) fn read(target: String) -> Self {
        Self {
            method: Method::GET,
            target,
            accept: None,
            waiting: Duration::ZERO,
        }
    }

    /// The same that was asked here.
    pub(super) fn same_as(request: &Parts, waiting: Duration) -> Self {
        Self {
            method: request.method.clone(),
            target: request
                .uri
                .path_and_query()
                .map_or("/", |target| target.as_str())
                .to_owned(),
            accept: request.headers.get(ACCEPT).cloned(),
            waiting,
        }
    }
}

/// Whether another node asks this for somebody else.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED)
}

/// Asks `node` at each of its addresses in turn, until one answers.
pub(crate) async fn ask(
    services: &Services,
    node: NodeId,
    question: &Question,
) -> Result<reqwest::Response, Problem> {
    let known = services.driver.look(move |own, _| {
        let (_, peer) = own.membership().peers().find(|(id, _)| *id == node)?;
        let is_away = peer.liveness == Liveness::Unreachable;
        let status = peer.status.as_ref()?;
        Some((
            status.name.clone(),
            if is_away {
                Vec::new()
            } else {
                status.addresses.clone()
            },
        ))
    });
    let (name, mut addresses) = known.await?.unwrap_or_default();
    // First where a link to it worked; where nothing answers each takes a second.
    let proven = services.links.last_remote(node);
    addresses.sort_by_key(|address| Some(address.ip()) != proven);
    for address in addresses {
        let url = format!("http://{address}{}", question.target);
        let mut request = services.client.request(question.method.clone(), url);
        request = request.header(FORWARDED, "1");
        if let Some(accept) = &question.accept {
            request = request.header(ACCEPT, accept.clone());
        }
        match tokio::time::timeout(ANSWER_TIMEOUT + question.waiting, request.send()).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => tracing::debug!(%node, %address, %error, "a node does not answer"),
            Err(_) => tracing::debug!(%node, %address, "a node does not answer in time"),
        }
    }
    Err(away(node, &name))
}

/// Asks `node` and reads its answer as JSON.
pub(crate) async fn ask_json<T: DeserializeOwned>(
    services: &Services,
    node: NodeId,
    question: &Question,
) -> Result<T, Problem> {
    let response = ask(services, node, question).await?;
    let status = response.status();
    let body = tokio::time::timeout(ANSWER_TIMEOUT, read_bounded(response));
    let body = body.await.ok().flatten().ok_or_else(|| away(node, ""))?;
    if status.is_success() {
        serde_json::from_slice(&body).map_err(|_| {
            Problem::new(
                502,
                format!("node {} answered in other words", node.short()),
            )
        })
    } else {
        Err(serde_json::from_slice(&body).unwrap_or_else(|_| {
            Problem::new(
                502,
                format!("node {} answered with status {status}", node.short()),
            )
        }))
    }
}

/// The body of an answer, unless it is longer than any honest one.
async fn read_bounded(mut response: reqwest::Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.ok()? {
        if body.len() + part.len() > JSON_BYTES_MAX {
            return None;
        }
        body.extend_from_slice(&part);
    }
    Some(body)
}

/// The kinds of content that a node answers with. Any other would be shown by a browser under this node's name.
fn known_content_type(told: &HeaderValue) -> HeaderValue {
    const KNOWN: [&str; 7] = [
        "application/x-matrix-market",
        "application/json",
        "application/problem+json",
        "application/x-npy",
        "text/csv",
        "text/plain",
        "text/event-stream",
    ];
    let kind = told.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if KNOWN.contains(&kind) {
        told.clone()
    } else {
        HeaderValue::from_static("application/octet-stream")
    }
}

/// Lets `node` answer in this node's place. The body streams; when it breaks
/// off, so does the answer.
pub(super) async fn forward(
    services: &Services,
    node: NodeId,
    question: &Question,
) -> Result<Response, Problem> {
    let answer = ask(services, node, question).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    for name in PASSED_ON {
        for value in answer.headers().get_all(&name) {
            let value = match name {
                CONTENT_TYPE => known_content_type(value),
                _ => value.clone(),
            };
            response.headers_mut().append(name.clone(), value);
        }
    }
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    // It is never held here, and a node that falls silent in the middle ends it.
    let parts = in_time(answer.bytes_stream());
    *response.body_mut() = Body::from_stream(parts);
    Ok(response)
}

/// The parts of a body, each in time.
fn in_time<E: std::error::Error + Send + Sync + 'static>(
    parts: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static {
    stream::unfold(Some(Box::pin(parts)), async |parts| {
        let mut parts = parts?;
        match tokio::time::timeout(PART_TIMEOUT, parts.next()).await {
            Ok(Some(Ok(part))) => Some((Ok(part), Some(parts))),
            Ok(Some(Err(error))) => Some((Err(Box::new(error) as BodyError), None)),
            Ok(None) => None,
            Err(late) => Some((Err(Box::new(late) as BodyError), None)),
        }
    })
}

type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The answer while the node that could answer is away.
pub(crate) fn away(node: NodeId, name: &str) -> Problem {
    let name = if name.is_empty() {
        String::new()
    } else {
        format!(" ({name})")
    };
    let detail = format!(
        "node {}{name} coordinates this job and does not answer: try again when it is back",
        node.short()
    );
    Problem::new(503, detail)
}
