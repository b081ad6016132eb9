//! The pages and their files: Leptos routes, the built site, the modules that
//! browsers compute with. And the sockets, up to the moment when they are open:
//! what is no socket, or one too many, is told so in HTTP; what is said through
//! them is the business of [`crate::links`].

use std::collections::BTreeMap;
use std::sync::Arc;

use any_spawner::Executor;
use app::{ClusterHandle, PageMaterial, is_page, read_form_error, shell};
use axum::Router;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, Query, Request, State, WebSocketUpgrade};
use axum::http::header::{self, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use cluster::limits::{PAGES_MAX, PEERS_MAX};
use futures_util::{Stream, StreamExt};
use leptos::config::LeptosOptions;
use leptos::context::provide_context;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::compression::CompressionLayer;
use wire::{FRAME_BYTES_MAX, Problem, Shown};

use crate::identity::Identity;
use crate::links::{Socket, page, peer};
use crate::live::{Live, Subject};
use crate::services::Services;

/// Where the built site is.
#[derive(Debug, Clone)]
pub enum SiteFiles {
    /// The folder where cargo-leptos left it.
    Folder(String),
    /// Within the binary: what gives the bytes of a path.
    Embedded(fn(&str) -> Option<Vec<u8>>),
}

impl SiteFiles {
    async fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self {
            Self::Folder(root) => {
                // No way out of the folder.
                if path.split('/').any(|part| part.is_empty() || part == "..") {
                    return None;
                }
                let file = std::path::Path::new(root).join(path);
                tokio::fs::read(file).await.ok()
            }
            Self::Embedded(read) => read(path),
        }
    }

    /// The names under which cargo-leptos builds the site.
    fn leptos_options(&self) -> LeptosOptions {
        let root = match self {
            Self::Folder(root) => root.as_str(),
            Self::Embedded(_) => "",
        };
        LeptosOptions::builder()
            .output_name("matmesh")
            .site_root(root)
            .site_pkg_dir("pkg")
            .build()
    }
}

/// The style sheet, as the built site names it.
const STYLES: &str = "pkg/matmesh.css";

/// Sockets of nodes that are open at once. Two nodes that hear of each other
/// dial at the same time, so for a moment there are two to a peer.
const PEER_SOCKETS_MAX: usize = 2 * PEERS_MAX;

/// When it is worth trying again: a silent socket gives its place back within
/// seconds.
const RETRY_AFTER_S: u16 = 2;

static COMPUTE_SIMD: &[u8] = include_bytes!(env!("COMPUTE_SIMD_WASM"));
static COMPUTE_SCALAR: &[u8] = include_bytes!(env!("COMPUTE_SCALAR_WASM"));

/// What making a page needs.
#[derive(Debug, Clone)]
struct Pages {
    files: SiteFiles,
    options: LeptosOptions,
    cluster: ClusterHandle,
    live: Live,
}

/// Pages, server functions, files.
pub fn pages_router(files: SiteFiles, cluster: ClusterHandle, live: Live) -> Router {
    // Effects of a page that is made run as tasks. An error means that they do already.
    let _ = Executor::init_tokio();
    let options = files.leptos_options();
    let pages = Pages {
        files,
        options,
        cluster,
        live,
    };
    Router::new()
        .route("/compute/simd.wasm", get(|| async { wasm(COMPUTE_SIMD) }))
        .route(
            "/compute/scalar.wasm",
            get(|| async { wasm(COMPUTE_SCALAR) }),
        )
        .route("/pages/{function}", post(submit_form))
        .route("/jobs/{id}/report", get(send_report))
        .fallback_service(get(file_or_page).with_state(pages.clone()))
        .with_state(pages)
        // The script of the pages is megabytes, a third of that when packed.
        .layer(CompressionLayer::new().gzip(true))
}

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

async fn open_peer_socket(State(sockets): State<Sockets>, upgrade: Upgrade) -> Response {
    let place = Arc::clone(&sockets.peer_places).try_acquire_owned();
    open_socket(upgrade, place.ok(), |socket| async move {
        let Sockets {
            services, identity, ..
        } = sockets;
        if let Err(error) = peer::open(&services, &identity, socket, false).await {
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

fn refuse(problem: &Problem) -> Response {
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

fn wasm(bytes: &'static [u8]) -> Response {
    let kept = (header::CACHE_CONTROL, "no-cache");
    ([(header::CONTENT_TYPE, "application/wasm"), kept], bytes).into_response()
}

/// A form of a page, sent by its script or without.
async fn submit_form(State(pages): State<Pages>, request: Request) -> Response {
    let provide = move || provide_context(pages.cluster.clone());
    let answer = leptos_axum::handle_server_fns_with_context(provide, request);
    answer.await.into_response()
}

/// A job as one file.
async fn send_report(State(pages): State<Pages>, Path(id): Path<String>) -> Response {
    let path = format!("/jobs/{id}");
    let shown = pages.live.gather(Subject::of(&path)).await;
    let styles = pages.files.read(STYLES).await.unwrap_or_default();
    let styles = String::from_utf8_lossy(&styles);
    let problem = shown.problem.clone();
    match app::report(shown.whole(&path), &styles) {
        Some(html) => Html(html).into_response(),
        None => refuse(&problem.unwrap_or_else(|| Problem::new(404, "there is no such job"))),
    }
}

async fn file_or_page(State(pages): State<Pages>, uri: Uri, request: Request) -> Response {
    let path = uri.path();
    if let Some(bytes) = pages.files.read(path.trim_start_matches('/')).await {
        let kept = (header::CACHE_CONTROL, "no-cache");
        return ([(header::CONTENT_TYPE, media_type(path)), kept], bytes).into_response();
    }
    let mut shown = pages.live.gather(Subject::of(path)).await;
    shown.form_problem = form_problem(&uri);
    let status = status_of(path, &shown);
    let material = PageMaterial::new(shown.whole(path));
    let options = pages.options;
    let render = leptos_axum::render_app_async_with_context(
        move || provide_context(material.clone()),
        move || shell(options.clone()),
    );
    let mut response = render(request).await.into_response();
    *response.status_mut() = status;
    // What a page says is true at the moment it is made.
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A form that was sent without script and did not work leads back to its page, with the reason in
/// the address.
fn form_problem(uri: &Uri) -> Option<(String, String)> {
    let Query(query) = Query::<BTreeMap<String, String>>::try_from_uri(uri).ok()?;
    let error = read_form_error(query.get("__err")?);
    Some((query.get("__path")?.clone(), error))
}

/// A page about something that is not there says so, and so does its status.
fn status_of(path: &str, shown: &Shown) -> StatusCode {
    let problem = shown.problem.as_ref().map(|problem| problem.status);
    let is_there = is_page(path) && problem.is_none();
    let status = problem.unwrap_or(if is_there { 200 } else { 404 });
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("webmanifest") => "application/manifest+json",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
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
