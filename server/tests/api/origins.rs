//! Who may ask: the rules for `Host` and `Origin`.

use reqwest::Method;

use crate::api_client::{client, problem_of, seeded_job, until};
use crate::running_node::{NodeOptions, RunningNode};
use crate::sockets::open_socket;

/// Waits until `node` has given up one other node.
async fn misses_one(node: &RunningNode) {
    until("a node is missed", || async {
        let nodes = node.get_json("/api/v1/nodes").await;
        let mut entries = nodes.as_array()?.iter();
        entries
            .any(|entry| entry["status"] == "unreachable")
            .then_some(())
    })
    .await;
}

/// The status of a request of a page of `origin`.
async fn status_of(node: &RunningNode, method: Method, path: &str, origin: &str) -> u16 {
    let request = client().request(method, format!("{}{path}", node.url));
    let request = request.header("origin", origin);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn only_names_that_cannot_be_rebound_are_served() {
    let node = NodeOptions::new()
        .with("--allow-host", "matrix.example.org")
        .start();
    let ask = async |host: &str| {
        let request = client()
            .get(format!("{}/healthz", node.url))
            .header("host", host);
        request.send().await.unwrap()
    };
    for host in [
        "127.0.0.1",
        "[::1]:80",
        "localhost",
        "laptop.local",
        "laptop:8080",
        "matrix.example.org",
    ] {
        assert_eq!(ask(host).await.status(), 200, "{host}");
    }
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "other.example.org:8080",
    ] {
        assert_eq!(problem_of(ask(host).await).await["status"], 403, "{host}");
    }
    // Pages too, not the API alone.
    let page = client()
        .get(&node.url)
        .header("host", "evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 403);
}

#[tokio::test]
async fn pages_of_strangers_change_nothing_and_read_nothing() {
    let node = NodeOptions::new().start();
    let job = node.submit(&seeded_job(2, 2, 2, 1)).await;
    let path = format!("/api/v1/jobs/{job}");
    for origin in [
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        "https://localhost",
        "file://",
    ] {
        let send = async |method: Method, path: &str| {
            let request = client().request(method, format!("{}{path}", node.url));
            request.header("origin", origin).send().await.unwrap()
        };
        assert_eq!(
            problem_of(send(Method::POST, "/api/v1/jobs").await).await["status"],
            403
        );
        assert_eq!(
            problem_of(send(Method::DELETE, &path).await).await["status"],
            403
        );
        assert_eq!(
            problem_of(send(Method::POST, "/nodes/register").await).await["status"],
            403
        );
        assert_eq!(
            problem_of(send(Method::GET, "/ws/worker").await).await["status"],
            403
        );
        let read = send(Method::GET, &path).await;
        assert_eq!(read.status(), 200, "a link from elsewhere opens");
        assert!(!read.headers().contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn no_page_at_all_opens_a_link_between_nodes() {
    let node = NodeOptions::new().start();
    let request = client()
        .get(format!("{}/ws/peer", node.url))
        .header("origin", &node.url);
    assert_eq!(
        problem_of(request.send().await.unwrap()).await["status"],
        403
    );
}

#[tokio::test]
async fn the_nodes_own_pages_may() {
    let node = NodeOptions::new().start();
    let request = client()
        .post(format!("{}/api/v1/jobs", node.url))
        .header("origin", &node.url);
    let response = request.json(&seeded_job(2, 2, 2, 1)).send().await.unwrap();
    assert_eq!(response.status(), 202);
    // Under another of its names.
    let request = client()
        .post(format!("{}/api/v1/jobs", node.url))
        .header("host", "laptop.local:81")
        .header("origin", "http://laptop.local:81");
    let response = request.json(&seeded_job(2, 2, 2, 1)).send().await.unwrap();
    assert_eq!(response.status(), 202);
}

#[tokio::test]
async fn pages_of_live_nodes_may_and_are_told_so() {
    let here = NodeOptions::new().start();
    let there = NodeOptions::new().linked_to(&here).start();
    here.sees(2).await;
    let url = format!("{}/api/v1/jobs", here.url);
    let request = client().post(&url).header("origin", &there.url);
    let response = request.json(&seeded_job(2, 2, 2, 1)).send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["access-control-allow-origin"], there.url);

    let preflight = |origin: &str| {
        client()
            .request(Method::OPTIONS, &url)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type")
            .send()
    };
    let allowed = preflight(&there.url).await.unwrap();
    assert_eq!(allowed.status(), 204);
    assert_eq!(allowed.headers()["access-control-allow-origin"], there.url);
    let methods = allowed.headers()["access-control-allow-methods"]
        .to_str()
        .unwrap();
    assert!(methods.contains("POST") && methods.contains("DELETE"));
    assert!(
        allowed
            .headers()
            .contains_key("access-control-allow-headers")
    );
    let refused = preflight("http://evil.example").await.unwrap();
    assert_eq!(problem_of(refused).await["status"], 403);
}

#[tokio::test]
async fn pages_of_a_node_that_died_move_and_read_and_change_nothing() {
    let here = NodeOptions::new().start();
    let there = NodeOptions::new().linked_to(&here).start();
    here.sees(2).await;
    let origin = there.url.clone();
    drop(there.kill());
    misses_one(&here).await;

    let path = format!(
        "/api/v1/jobs/{}",
        here.submit(&seeded_job(2, 2, 2, 1)).await
    );
    for (method, path) in [
        (Method::POST, "/api/v1/jobs"),
        (Method::POST, "/nodes/register"),
        (Method::DELETE, &path),
        (Method::POST, "/ws/worker"),
        (Method::GET, "/ws/peer"),
    ] {
        assert_eq!(
            status_of(&here, method.clone(), path, &origin).await,
            403,
            "{method} {path}"
        );
    }
    open_socket(&here, "/ws/worker", Some(&origin))
        .await
        .unwrap();
    let read = client()
        .get(format!("{}{path}", here.url))
        .header("origin", &origin);
    let read = read.send().await.unwrap();
    assert_eq!(read.status(), 200);
    assert_eq!(read.headers()["access-control-allow-origin"], origin);
    let preflight = client()
        .request(Method::OPTIONS, format!("{}{path}", here.url))
        .header("origin", &origin)
        .header("access-control-request-method", "DELETE");
    let preflight = preflight.send().await.unwrap();
    assert_eq!(
        preflight.headers()["access-control-allow-methods"],
        "GET, HEAD"
    );
}

#[tokio::test]
async fn pages_opened_under_a_name_of_a_node_compute_and_do_no_more() {
    let here = NodeOptions::new().start();
    let there = NodeOptions::new()
        .with("--name", "Laptop")
        .linked_to(&here)
        .start();
    here.sees(2).await;
    let (_, port) = there.address().rsplit_once(':').unwrap();
    for host in ["laptop.local", "laptop", "localhost"] {
        let origin = format!("http://{host}:{port}");
        open_socket(&here, "/ws/worker", Some(&origin))
            .await
            .unwrap();
        assert_eq!(
            status_of(&here, Method::POST, "/api/v1/jobs", &origin).await,
            403,
            "{origin}"
        );
        assert_eq!(
            status_of(&here, Method::GET, "/ws/peer", &origin).await,
            403
        );
        let read = client()
            .get(format!("{}/api/v1/nodes", here.url))
            .header("origin", &origin);
        let read = read.send().await.unwrap();
        assert!(!read.headers().contains_key("access-control-allow-origin"));
    }
    for origin in [
        "http://laptop.local",
        "http://desk.local:8080",
        "http://localhost:1",
    ] {
        let refused = open_socket(&here, "/ws/worker", Some(origin)).await;
        assert_eq!(refused.unwrap_err().status(), 403, "{origin}");
    }
}
