//! The API as these tests use it. Waiting is always for a condition.

use std::future::Future;
use std::time::{Duration, Instant};

use reqwest::{Client, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::running_node::RunningNode;

/// Everything that is waited for happens within seconds, even on a machine
/// that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that follows no redirect.
pub(crate) fn client() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// Asks until the answer is there: the one place where tests wait for a condition
/// that only asking shows, and the sleep is the pause between two questions.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited too long: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl RunningNode {
    pub(crate) async fn get(&self, path: &str) -> Response {
        client()
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        self.get_as(path).await
    }

    pub(crate) async fn get_as<T: DeserializeOwned>(&self, path: &str) -> T {
        let response = self.get(path).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn post(&self, body: &Value) -> Response {
        client()
            .post(format!("{}/api/v1/jobs", self.url))
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// Submits and gives the job's id.
    pub(crate) async fn submit(&self, body: &Value) -> String {
        let response = self.post(body).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, StatusCode::ACCEPTED, "{text}");
        let job: Value = serde_json::from_str(&text).unwrap();
        job["id"].as_str().unwrap().to_owned()
    }

    /// Waits for a job's end and gives the job.
    pub(crate) async fn completed(&self, job: &str) -> Value {
        let path = format!("/api/v1/jobs/{job}?wait=60");
        let job = self.get_json(&path).await;
        assert_eq!(job["status"], "complete", "{job}");
        job
    }

    /// The entries of a result or an input, bit for bit.
    pub(crate) async fn entries(&self, path: &str) -> Vec<f64> {
        let response = self.get(&format!("{path}?format=npy")).await;
        let status = response.status();
        let bytes = response.bytes().await.unwrap();
        assert_eq!(
            status,
            StatusCode::OK,
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        read_npy(&bytes)
    }

    pub(crate) async fn result(&self, job: &str) -> Vec<f64> {
        self.entries(&format!("/api/v1/jobs/{job}/result")).await
    }

    /// Links this node to another.
    pub(crate) async fn register(&self, other: &RunningNode) {
        let request = client().post(format!("{}/nodes/register", self.url));
        let body = serde_json::json!({ "address": other.address() });
        let response = request.json(&body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }

    pub(crate) async fn assert_healthy(&self) {
        assert_eq!(self.get("/healthz").await.status(), StatusCode::OK);
    }

    /// Waits until this node sees `count` nodes alive, itself included.
    pub(crate) async fn sees(&self, count: usize) {
        self.sees_where(count, |node| node["address"] != "").await;
    }

    /// Waits until this node sees `count` nodes that compute: speed is measured
    /// first.
    pub(crate) async fn sees_computing(&self, count: usize) {
        self.sees_where(count, |node| node["mflops"] != 0.0).await;
    }

    async fn sees_where(&self, count: usize, is_ready: fn(&Value) -> bool) {
        until("nodes see each other", || async move {
            let nodes = self.get_json("/api/v1/nodes").await;
            let alive = nodes.as_array()?.iter();
            let ready = alive.filter(|node| node["status"] == "alive" && is_ready(node));
            (ready.count() == count).then_some(())
        })
        .await;
    }
}

/// The body of a seeded job.
pub(crate) fn seeded_job(rows: u32, inner: u32, cols: u32, seed: u64) -> Value {
    json!({
        "a": {"rows": rows, "cols": inner, "random": {"seed": seed}},
        "b": {"rows": inner, "cols": cols, "random": {"seed": seed + 1}},
    })
}

/// What an error says; every one is of the contract's form.
pub(crate) async fn problem_of(response: Response) -> Value {
    let status = response.status();
    let content_type = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let text = response.text().await.unwrap();
    assert_eq!(content_type, "application/problem+json", "{status}: {text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], status.as_u16(), "{text}");
    assert!(!problem["detail"].as_str().unwrap().is_empty(), "{text}");
    problem
}

/// The entries of an NPY file as the server writes them.
pub(crate) fn read_npy(bytes: &[u8]) -> Vec<f64> {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (entries, rest) = bytes[10 + header..].as_chunks::<8>();
    assert!(rest.is_empty());
    entries.iter().copied().map(f64::from_le_bytes).collect()
}
