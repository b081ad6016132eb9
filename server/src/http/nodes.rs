//! Nodes of the mesh, and whether this one is well.

use axum::Json;
use axum::extract::{Request, State};
use serde_json::{Value, json};
use wire::{NodeView, Problem};

use super::Api;
use super::problem::ApiProblem;
use super::upload::{self, ContentType};
use crate::views;

/// An address is short; everything longer is something else.
const REGISTER_BYTES_MAX: usize = 64 << 10;

/// `GET /api/v1/nodes`
pub(super) async fn list(
    State(Api { services, .. }): State<Api>,
) -> Result<Json<Vec<NodeView>>, ApiProblem> {
    Ok(Json(
        services
            .driver
            .look(|node, _| views::node_views(node))
            .await?,
    ))
}

/// `POST /nodes/register`: links to a node that discovery does not show.
pub(super) async fn register(
    State(Api { services, .. }): State<Api>,
    request: Request,
) -> Result<Json<Value>, ApiProblem> {
    if upload::content_type(request.headers()) != Some(ContentType::Json) {
        let detail = "expected application/json, such as {\"address\": \"192.168.1.7:8080\"}";
        return Err(Problem::new(415, detail).into());
    }
    let body = upload::read_whole(request, REGISTER_BYTES_MAX).await?;
    let address = read_address(&body)?;
    let node = services.links.register(&address).await?;
    Ok(Json(json!({ "id": node })))
}

/// `GET /healthz`: the process lives.
pub(super) async fn is_alive(State(Api { services, .. }): State<Api>) -> Json<Value> {
    Json(json!({ "status": "ok", "node": services.node }))
}

/// `GET /readyz`: the store is open and the node takes part in the cluster.
pub(super) async fn is_ready(
    State(Api { services, .. }): State<Api>,
) -> Result<Json<Value>, ApiProblem> {
    if !services.store.is_open().await {
        return Err(Problem::new(503, "the store does not answer").into());
    }
    if !services
        .driver
        .look(|node, _| node.own_status().is_some())
        .await?
    {
        return Err(Problem::new(503, "the node is still starting").into());
    }
    Ok(Json(json!({ "status": "ready", "node": services.node })))
}

fn read_address(body: &[u8]) -> Result<String, Problem> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Problem::new(400, format!("the body is not JSON: {error}")))?;
    match body.get("address").and_then(Value::as_str).map(str::trim) {
        Some(address) if !address.is_empty() => Ok(address.to_owned()),
        _ => {
            let detail = "expected {\"address\": \"HOST:PORT\"}, such as \"192.168.1.7:8080\"";
            Err(Problem::new(422, detail))
        }
    }
}
