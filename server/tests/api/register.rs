//! `POST /nodes/register` with addresses where there is no good node.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::Response;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use crate::api_client::{client, problem_of};
use crate::running_node::{NodeOptions, RunningNode};

/// What the contract allows, and what a busy machine adds to it.
const IN_ALL: Duration = Duration::from_secs(2);
const SLACK: Duration = Duration::from_secs(1);

async fn register(node: &RunningNode, address: &str) -> Response {
    let request = client().post(format!("{}/nodes/register", node.url));
    let request = request.json(&json!({ "address": address }));
    request.send().await.unwrap()
}

#[tokio::test]
async fn addresses_that_are_not_of_the_local_network_are_not_dialled() {
    let node = NodeOptions::new().start();
    for address in [
        "8.8.8.8:80",
        "192.0.2.1:8080",
        "198.51.100.1:8080",
        "203.0.113.1:8080",
        "198.18.0.1:8080",
        "[2001:db8::1]:8080",
        "0.0.0.0:8080",
    ] {
        if is_on_an_own_network(address) {
            continue;
        }
        let problem = problem_of(register(&node, address).await).await;
        assert_eq!(problem["status"], 502);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("only private"), "{address}: {detail}");
    }
}

/// The machine that runs the tests may be on a network of such addresses, and then they are local.
fn is_on_an_own_network(address: &str) -> bool {
    let address: std::net::SocketAddr = address.parse().unwrap();
    let first_three = |ip: std::net::IpAddr| match ip {
        std::net::IpAddr::V4(ip) => Some(ip.octets()[..3].to_vec()),
        std::net::IpAddr::V6(_) => None,
    };
    let own = if_addrs::get_if_addrs().unwrap_or_default();
    let wanted = first_three(address.ip());
    wanted.is_some() && own.iter().any(|own| first_three(own.ip()) == wanted)
}

#[tokio::test]
async fn a_slow_and_then_silent_address_is_given_up_after_two_seconds_in_all() {
    let node = NodeOptions::new().start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let silent = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // Slow, not silent: each part of registering has time enough by itself. The slowness
        // is what is tested, so it is slept.
        tokio::time::sleep(IN_ALL * 3 / 4).await;
        let mut socket = accept_async(stream).await.unwrap();
        let greeted = matches!(socket.next().await, Some(Ok(Message::Binary(_))));
        // Held open until the test is over.
        (greeted, listener, socket)
    });
    let started = Instant::now();
    let problem = problem_of(register(&node, &address).await).await;
    let taken = started.elapsed();
    assert_eq!(problem["status"], 502);
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("does not answer as a matmesh node"),
        "{detail}"
    );
    assert!(taken < IN_ALL + SLACK, "{taken:?}");

    let (greeted, listener, _socket) = silent.await.unwrap();
    assert!(greeted, "no handshake was tried");
    let again = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(again.is_err(), "there was a second handshake");
}

#[tokio::test]
async fn a_name_with_addresses_of_both_kinds_leads_to_the_node() {
    let (here, there) = (NodeOptions::new().start(), NodeOptions::new().start());
    let (_, port) = there.address().rsplit_once(':').unwrap();
    let response = register(&here, &format!("localhost:{port}")).await;
    assert_eq!(response.status(), 200);
    here.sees(2).await;
}
