//! The pages and their files: Leptos routes, the built site, the modules that
//! browsers compute with.

use app::{App, ClusterHandle, shell};
use axum::Router;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use leptos::config::LeptosOptions;
use leptos::context::provide_context;
use leptos_axum::{LeptosRoutes, generate_route_list};
use tower_http::compression::CompressionLayer;
use wire::FRAME_BYTES_MAX;

use crate::identity::Identity;
use crate::links::{Socket, page, peer};
use crate::services::Services;

#[cfg(feature = "embed")]
mod files {
    //! The built site from within the binary.

    #[derive(rust_embed::RustEmbed)]
    #[folder = "../target/site"]
    struct Site;

    pub(super) async fn read(_site_root: &str, path: &str) -> Option<Vec<u8>> {
        Site::get(path).map(|file| file.data.into_owned())
    }
}

#[cfg(not(feature = "embed"))]
mod files {
    //! The built site from the folder where cargo-leptos left it.

    pub(super) async fn read(site_root: &str, path: &str) -> Option<Vec<u8>> {
        // No way out of the folder.
        let inside = path.split('/').all(|part| !part.is_empty() && part != "..");
        if !inside {
            return None;
        }
        tokio::fs::read(std::path::Path::new(site_root).join(path))
            .await
            .ok()
    }
}

static COMPUTE_SIMD: &[u8] = include_bytes!(env!("COMPUTE_SIMD_WASM"));
static COMPUTE_SCALAR: &[u8] = include_bytes!(env!("COMPUTE_SCALAR_WASM"));

/// The names under which cargo-leptos builds the site.
pub fn leptos_options(site_root: String) -> LeptosOptions {
    LeptosOptions::builder()
        .output_name("matmesh")
        .site_root(site_root)
        .site_pkg_dir("pkg")
        .build()
}

/// Pages, server functions, files.
pub fn pages_router(options: LeptosOptions, cluster: ClusterHandle) -> Router {
    let routes = generate_route_list(App);
    let shell_options = options.clone();
    let page_cluster = cluster.clone();
    Router::new()
        .route("/compute/simd.wasm", get(|| async { wasm(COMPUTE_SIMD) }))
        .route(
            "/compute/scalar.wasm",
            get(|| async { wasm(COMPUTE_SCALAR) }),
        )
        .leptos_routes_with_context(
            &options,
            routes,
            move || provide_context(page_cluster.clone()),
            move || shell(shell_options.clone()),
        )
        .with_state(options.clone())
        .fallback_service(get(file_or_not_found).with_state((options, cluster)))
        // The script of the pages is megabytes, a third of that when packed.
        .layer(CompressionLayer::new().gzip(true))
}

/// The sockets of pages and of other nodes.
pub fn sockets_router(services: Services, identity: Identity) -> Router {
    Router::new()
        .route("/ws/worker", get(open_page_socket))
        .route("/ws/peer", get(open_peer_socket))
        .with_state((services, identity))
}

async fn open_page_socket(
    State((services, _)): State<(Services, Identity)>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .on_upgrade(|socket| page::serve(services, Socket::accepted(socket)))
}

async fn open_peer_socket(
    State((services, identity)): State<(Services, Identity)>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .on_upgrade(move |socket| async move {
            let socket = Socket::accepted(socket);
            if let Err(error) = peer::open(&services, &identity, socket, false).await {
                tracing::debug!(%error, "a link did not come to be");
            }
        })
}

fn wasm(bytes: &'static [u8]) -> Response {
    let kept = (header::CACHE_CONTROL, "no-cache");
    ([(header::CONTENT_TYPE, "application/wasm"), kept], bytes).into_response()
}

async fn file_or_not_found(
    State((options, cluster)): State<(LeptosOptions, ClusterHandle)>,
    uri: Uri,
    request: axum::extract::Request,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    if let Some(bytes) = files::read(&options.site_root, path).await {
        let kept = (header::CACHE_CONTROL, "no-cache");
        return ([(header::CONTENT_TYPE, media_type(path)), kept], bytes).into_response();
    }
    // The page that says so has the look of all others.
    let render = leptos_axum::render_app_async_with_context(
        move || provide_context(cluster.clone()),
        move || shell(options.clone()),
    );
    let mut response = render(request).await.into_response();
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
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
