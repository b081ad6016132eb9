//! Who may ask at all. Stands before everything the node serves: API, pages,
//! server functions and sockets.
//!
//! The mesh has no passwords: whoever is on the network may use it. What must
//! not be able to is a page of some website that a person on the network
//! happens to have open; browsers give it away by `Host` and `Origin`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN, UPGRADE, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use wire::Problem;

use super::hosts::HostNames;
use super::origins::{Origin, Sender, sender_of};
use super::problem::ApiProblem;
use crate::services::Services;

/// Where only nodes connect; no browser's page has any business there.
const PEER_SOCKET: &str = "/ws/peer";

/// Where pages connect that compute, from whichever node they were opened.
const PAGE_SOCKET: &str = "/ws/worker";

/// What pages of live nodes do here, and what pages whose node is gone do.
const METHODS_OF_LIVE: &str = "GET, HEAD, POST, DELETE";
const METHODS_OF_BEREAVED: &str = "GET, HEAD";

const ALLOW_ORIGIN: HeaderName = HeaderName::from_static("access-control-allow-origin");

#[derive(Debug, Clone)]
struct Guard {
    services: Services,
    hosts: Arc<HostNames>,
}

/// Puts the guard before all of `app`.
pub fn guarded(app: Router, services: Services) -> Router {
    let hosts = Arc::new(HostNames::new(&services.config.allow_host));
    let guard = Guard { services, hosts };
    app.layer(from_fn_with_state(guard, check))
}

async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let host = match host_of(&request, &guard.hosts) {
        Ok(host) => host,
        Err(problem) => return ApiProblem(problem).into_response(),
    };
    if request.uri().path() == PEER_SOCKET && request.headers().contains_key(ORIGIN) {
        return refusal("links between nodes are not for pages").into_response();
    }
    let sender = sender_of(&guard.services, request.headers(), &host).await;
    if is_preflight(&request) {
        return answer_preflight(&request, &sender);
    }
    if changes_something(&request) && !may_change(&sender, &request) {
        return refuse_stranger().into_response();
    }
    let mut response = next.run(request).await;
    if let Sender::Mesh(origin) | Sender::Bereaved(origin) = sender {
        add_cors(response.headers_mut(), &origin);
    }
    response
}

/// The host that is asked for, if this node goes by it.
fn host_of(request: &Request, hosts: &HostNames) -> Result<String, Problem> {
    let in_address = request
        .uri()
        .authority()
        .map(|authority| authority.as_str().to_owned());
    let in_headers = request.headers().get_all(HOST).iter();
    let in_headers = in_headers.map(|value| value.to_str().unwrap_or_default().to_owned());
    let stated: Vec<String> = in_address.into_iter().chain(in_headers).collect();
    if stated.is_empty() && request.version() >= Version::HTTP_11 {
        return Err(Problem::new(400, "the request has no Host header"));
    }
    match stated.iter().find(|host| !hosts.allow(host)) {
        None => Ok(stated.into_iter().next().unwrap_or_default()),
        Some(host) => {
            let detail = format!(
                "this node does not go by the name {host:?}: open it by its address, or start it \
                 with --allow-host NAME"
            );
            Err(Problem::new(403, detail))
        }
    }
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key("access-control-request-method")
}

/// Whether a request does more than open a page. A socket is opened by GET.
fn changes_something(request: &Request) -> bool {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    !reads || request.headers().contains_key(UPGRADE) || request.uri().path().starts_with("/ws/")
}

/// Whether this request, which does more than open a page, may come from there.
fn may_change(sender: &Sender, request: &Request) -> bool {
    match sender {
        Sender::Unsaid | Sender::Own | Sender::Mesh(_) => true,
        // Such pages come to go on computing; people do the rest on a page of
        // a node that lives, under its address.
        Sender::Bereaved(_) | Sender::Named => {
            request.method() == Method::GET && request.uri().path() == PAGE_SOCKET
        }
        Sender::Stranger => false,
    }
}

fn refuse_stranger() -> ApiProblem {
    refusal(
        "the page that sent this belongs to neither this node nor a live node of the mesh \
         (its Origin): open a page of the node itself",
    )
}

fn refusal(detail: &str) -> ApiProblem {
    ApiProblem(Problem::new(403, detail))
}

fn add_cors(headers: &mut HeaderMap, origin: &Origin) {
    headers.insert(ALLOW_ORIGIN, origin.text.clone());
    headers.append(VARY, HeaderValue::from_static("origin"));
    let exposed = HeaderValue::from_static("location, retry-after, content-disposition");
    headers.insert("access-control-expose-headers", exposed);
}

fn answer_preflight(request: &Request, sender: &Sender) -> Response {
    let (origin, methods) = match sender {
        Sender::Mesh(origin) => (origin, METHODS_OF_LIVE),
        Sender::Bereaved(origin) => (origin, METHODS_OF_BEREAVED),
        _ => return refuse_stranger().into_response(),
    };
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    add_cors(headers, origin);
    for (name, value) in [
        ("access-control-allow-methods", methods),
        (
            "access-control-allow-headers",
            "accept, content-type, idempotency-key",
        ),
        ("access-control-max-age", "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Chromium asks for this when a page reaches into a more private network.
    if request
        .headers()
        .contains_key("access-control-request-private-network")
    {
        let value = HeaderValue::from_static("true");
        headers.insert("access-control-allow-private-network", value);
    }
    response
}
