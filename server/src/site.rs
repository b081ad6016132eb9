//! The pages and their files. A page is made from what [`crate::live`] has gathered for its address;
//! everything else at the root is a file of the built site.

mod files;

use std::collections::BTreeMap;
use std::sync::Arc;

use any_spawner::Executor;
use app::{ClusterHandle, PageMaterial, is_page, read_form_error, shell};
use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use leptos::config::LeptosOptions;
use leptos::context::provide_context;
use tower_http::compression::CompressionLayer;
use wire::{Problem, Shown};

use crate::live::{Live, Subject};
use crate::sockets::refuse;

use files::Kept;
pub use files::{EmbeddedSite, ReadFile, SiteFiles};

/// The style sheet, as the built site names it.
const STYLES: &str = "pkg/matmesh.css";

/// What making a page needs.
#[derive(Debug, Clone)]
struct Pages {
    files: SiteFiles,
    /// What the files are known by, where they do not change.
    version: Option<Arc<str>>,
    options: LeptosOptions,
    cluster: ClusterHandle,
    live: Live,
}

/// Pages, server functions, files.
pub fn pages_router(files: SiteFiles, cluster: ClusterHandle, live: Live) -> Router {
    // Effects of a page that is made run as tasks. An error means that they do already.
    let _ = Executor::init_tokio();
    let pages = Pages {
        version: files.version().map(Arc::from),
        files,
        options: LeptosOptions::builder().output_name("matmesh").build(),
        cluster,
        live,
    };
    Router::new()
        .route("/assets/{version}/{*path}", get(send_asset))
        .route("/pages/{function}", post(submit_form))
        .route("/jobs/{id}/report", get(send_report))
        .fallback_service(get(file_or_page).with_state(pages.clone()))
        .with_state(pages)
        // Pages, and files that were not compressed ahead.
        .layer(CompressionLayer::new().gzip(true))
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
    let styles = pages.files.read_text(STYLES).await;
    let problem = shown.problem.clone();
    match app::report(shown.whole(&path), &styles) {
        Some(html) => Html(html).into_response(),
        None => refuse(&problem.unwrap_or_else(|| Problem::new(404, "there is no such job"))),
    }
}

/// A file under the version that the page names. Another version is that of another node, or of a
/// page from before an upgrade: it gets what there is, and does not keep it.
async fn send_asset(
    State(pages): State<Pages>,
    Path((version, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let kept = match pages.version.as_deref() {
        Some(own) if own == version => Kept::ForGood,
        own => Kept::UntilAsked(own),
    };
    match pages.files.read(&path).await {
        Some(file) => file.into_response(&path, kept, &headers),
        None => refuse(&Problem::new(404, "the pages have no such file")),
    }
}

async fn file_or_page(State(pages): State<Pages>, uri: Uri, request: Request) -> Response {
    let path = uri.path();
    if let Some(file) = pages.files.read(path.trim_start_matches('/')).await {
        let kept = Kept::UntilAsked(pages.version.as_deref());
        return file.into_response(path, kept, request.headers());
    }
    let mut shown = pages.live.gather(Subject::of(path)).await;
    shown.form_problem = form_problem(&uri);
    let status = status_of(path, &shown);
    let material = PageMaterial::new(shown.whole(path));
    let options = pages.options;
    let version = pages.version.as_deref();
    let assets = version.map(|version| format!("/assets/{version}"));
    let assets = assets.unwrap_or_default();
    let render = leptos_axum::render_app_async_with_context(
        move || provide_context(material.clone()),
        move || shell(options.clone(), &assets),
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
