//! Sockets up to the moment when they are open: what is no socket, or one too many, is told so in
//! HTTP; what is said through them is the business of [`crate::links`].

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, Request, State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cluster::limits::{PAGES_MAX, PEERS_MAX};
use futures_util::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::{FRAME_BYTES_MAX, Problem};

use crate::identity::Identity;
use crate::links::{Socket, page, peer};
use crate::listener::Remote;
use crate::live::Live;
use crate::services::Services;

/// Sockets of nodes that are open at once. Two nodes that hear of each other
/// dial at the same time, so for a moment there are two to a peer.
const PEER_SOCKETS_MAX: usize = 2 * PEERS_MAX;

/// When it is worth trying again: a silent socket gives its place back within
/// seconds.
const RETRY_AFTER_S: u16 = 2;

/// What opening a socket needs.
#[derive(Debug, Clone)]
struct Sockets {
    services: Services,
    live: Live,
    identity: Identity,
    page_places: Arc<Semaphore>,
    peer_places: Arc<Semaphore>,
}

/// `/ws/worker` for pages, `/ws/peer` for nodes.
pub fn sockets_router(services: Services, live: Live, identity: Identity) -> Router {
    let sockets = Sockets {
        services,
        live,
        identity,
        page_places: Arc::new(Semaphore::new(PAGES_MAX)),
        peer_places: Arc::new(Semaphore::new(PEER_SOCKETS_MAX)),
    };
    Router::new()
        .route("/ws/worker", get(open_page_socket))
        .route("/ws/peer", get(open_peer_socket))
        .method_not_allowed_fallback(wrong_method)
        .with_state(sockets)
}

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

async fn open_page_socket(State(sockets): State<Sockets>, upgrade: Upgrade) -> Response {
    let place = Arc::clone(&sockets.page_places).try_acquire_owned();
    open_socket(upgrade, place.ok(), |socket| {
        page::serve(sockets.services, sockets.live, socket)
    })
}

async fn open_peer_socket(
    State(sockets): State<Sockets>,
    ConnectInfo(Remote(remote)): ConnectInfo<Remote>,
    upgrade: Upgrade,
) -> Response {
    let place = Arc::clone(&sockets.peer_places).try_acquire_owned();
    open_socket(upgrade, place.ok(), move |socket| async move {
        let Sockets {
            services, identity, ..
        } = sockets;
        if let Err(error) = peer::open(&services, &identity, socket, Some(remote), false).await {
            tracing::debug!(%error, "a link did not come to be");
        }
    })
}

/// Answers a request for a socket; `serve` has it once it is open.
fn open_socket<F: Future<Output = ()> + Send + 'static>(
    upgrade: Upgrade,
    place: Option<OwnedSemaphorePermit>,
    serve: impl FnOnce(Socket) -> F + Send + 'static,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return refuse(&not_a_socket(&rejection)),
    };
    let Some(place) = place else {
        let detail = "too many sockets to this node are open: try again in a few seconds, or \
                      another node of the mesh";
        return refuse(&Problem::new(503, detail));
    };
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .on_upgrade(|socket| {
            let Socket { sink, stream } = Socket::accepted(socket);
            let stream = Box::pin(holding(place, stream));
            serve(Socket { sink, stream })
        })
}

/// The same stream with a place that is given back when it is dropped, whoever
/// has it by then: a link runs on in a task of its own.
fn holding<S: Stream>(place: OwnedSemaphorePermit, stream: S) -> impl Stream<Item = S::Item> {
    stream.inspect(move |_| {
        let _held = &place;
    })
}

fn not_a_socket(rejection: &WebSocketUpgradeRejection) -> Problem {
    let reason = rejection.body_text();
    let detail = format!(
        "here is a WebSocket, and this request does not ask for one properly ({reason}): pages \
         and nodes open it by themselves, people open /"
    );
    Problem::new(rejection.status().as_u16(), detail)
}

/// axum adds `Allow`.
async fn wrong_method(request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let detail = format!("{method} means nothing at {path}: a WebSocket is opened with GET");
    refuse(&Problem::new(405, detail))
}

pub(crate) fn refuse(problem: &Problem) -> Response {
    let status =
        StatusCode::from_u16(problem.status).expect("this file gives only statuses that there are");
    let body = serde_json::to_vec(problem).expect("a problem is plain text and a number");
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, kind);
    if problem.status == 503 {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_held_as_long_as_the_stream_of_its_socket() {
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).try_acquire_owned().unwrap();
        let stream = holding(place, futures_util::stream::pending::<()>());
        assert_eq!(places.available_permits(), 0);
        drop(stream);
        assert_eq!(places.available_permits(), 1);
    }
}
