//! The way to a socket, as far as it is plain HTTP.

use cluster::limits::PAGES_MAX;
use reqwest::Method;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, http::Response};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::api_client::{client, problem_of, until};
use crate::fake_page::FakePage;
use crate::running_node::{NodeOptions, RunningNode};

pub(crate) type ClientSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a socket as a page of `origin` does, or gives the answer that was none.
pub(crate) async fn open_socket(
    node: &RunningNode,
    path: &str,
    origin: Option<&str>,
) -> Result<ClientSocket, Response<Option<Vec<u8>>>> {
    let url = format!("ws://{}{path}", node.address());
    let mut request = url.into_client_request().unwrap();
    if let Some(origin) = origin {
        let headers = request.headers_mut();
        headers.insert("origin", origin.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => Err(*response),
        Err(error) => panic!("{path}: {error}"),
    }
}

#[tokio::test]
async fn what_asks_for_no_socket_is_told_what_is_wrong() {
    let node = NodeOptions::new().start();
    for path in ["/ws/worker", "/ws/peer"] {
        let url = format!("{}{path}", node.url);
        let plain = problem_of(client().get(&url).send().await.unwrap()).await;
        assert_eq!(plain["status"], 400);
        assert!(plain["detail"].as_str().unwrap().contains("WebSocket"));
        for method in [Method::PUT, Method::POST, Method::DELETE] {
            let response = client().request(method, &url).send().await.unwrap();
            assert!(response.headers().contains_key("allow"));
            let problem = problem_of(response).await;
            assert_eq!(problem["status"], 405);
            assert!(problem["detail"].as_str().unwrap().contains("GET"));
        }
        let old = client()
            .get(&url)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "8");
        assert_eq!(problem_of(old.send().await.unwrap()).await["status"], 400);
    }
}

#[tokio::test]
async fn one_socket_too_many_is_refused_before_it_opens_and_a_closed_one_makes_room() {
    let node = NodeOptions::new().that_never_computes().start();
    let mut silent = Vec::new();
    let refused = loop {
        // A silent socket is closed after some seconds, so on a slow machine it
        // takes a few more than there are places.
        assert!(silent.len() <= 2 * PAGES_MAX, "sockets are not bounded");
        match open_socket(&node, "/ws/worker", None).await {
            Ok(socket) => silent.push(socket),
            Err(response) => break response,
        }
    };
    assert!(silent.len() >= PAGES_MAX, "only {}", silent.len());
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(
        refused.headers()["content-type"],
        "application/problem+json"
    );
    // The places of pages are not those of nodes.
    open_socket(&node, "/ws/peer", None).await.unwrap();

    drop(silent);
    until("there is room again", || async {
        open_socket(&node, "/ws/worker", None).await.ok().map(drop)
    })
    .await;
    FakePage::open(node.address()).await;
}
