//! Everything that can be wrong with a request, row by row of the contract's
//! table, and the node well after each. The table is in `bad_input_table`.

use reqwest::multipart::{Form, Part};
use reqwest::{Body, Response};
use serde_json::{Value, json};

use crate::api_client::{client, problem_of, seeded_job};
use crate::bad_input_table::{BadInput, Sent, TABLE};
use crate::running_node::{NodeOptions, RunningNode};

async fn send(node: &RunningNode, bad: &BadInput) -> Response {
    let request = client().post(format!("{}/api/v1/jobs", node.url));
    let request = match &bad.sent {
        Sent::Json(body) => request
            .header("content-type", "application/json")
            .body(*body),
        Sent::File(name, content) => request.multipart(form(name, content.to_vec())),
        Sent::Npy { header, entries } => {
            request.multipart(form("a.npy", npy_file(header, entries)))
        }
        Sent::Typed {
            content_type: "",
            body,
        } => request.body(*body),
        Sent::Typed { content_type, body } => {
            request.header("content-type", *content_type).body(*body)
        }
    };
    request.send().await.unwrap()
}

/// B is good.
fn form(name: &'static str, content: Vec<u8>) -> Form {
    let a = Part::bytes(content).file_name(name);
    let b = Part::bytes(&b"1,2\n3,4\n"[..]).file_name("b.csv");
    Form::new().part("a", a).part("b", b)
}

fn npy_file(header: &str, entries: &[u8]) -> Vec<u8> {
    const HEADER_BYTES: u8 = 118;
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend([HEADER_BYTES, 0]);
    file.extend(format!("{header:117}\n").into_bytes());
    file.extend(entries);
    file
}

fn name_of(bad: &BadInput) -> String {
    match &bad.sent {
        Sent::Json(body) => (*body).to_owned(),
        Sent::File(name, content) => format!("{name}: {}", String::from_utf8_lossy(content)),
        Sent::Npy { header, .. } => format!("NPY {header}"),
        Sent::Typed { content_type, body } => format!("{content_type}: {body}"),
    }
}

async fn send_all(node: &RunningNode) {
    for bad in TABLE {
        let response = send(node, bad).await;
        let name = name_of(bad);
        assert_eq!(
            response.status(),
            bad.status,
            "{name}: {}",
            response.text().await.unwrap()
        );
        let problem = problem_of(response).await;
        let detail = problem["detail"].as_str().unwrap();
        for words in bad.says {
            assert!(
                detail.contains(words),
                "{name}: {detail:?} does not say {words:?}"
            );
        }
    }
}

#[tokio::test]
async fn every_row_of_the_table_is_answered_as_it_says() {
    let node = NodeOptions::new().start();
    send_all(&node).await;
    node.assert_healthy().await;
    assert_eq!(node.get_json("/api/v1/jobs").await, json!([]));
}

#[tokio::test]
async fn a_hundred_rounds_of_the_table_leave_the_memory_as_it_was() {
    let node = NodeOptions::new().start();
    send_all(&node).await;
    let after_first = node.resident_bytes();
    for _ in 1..100 {
        send_all(&node).await;
    }
    node.assert_healthy().await;
    let grown = node.resident_bytes().saturating_sub(after_first);
    assert!(grown < 16 << 20, "grown by {} KiB", grown >> 10);
}

#[tokio::test]
async fn a_body_over_its_limit_is_refused_even_to_one_who_sends_before_listening() {
    let node = NodeOptions::new().start();
    let url = format!("{}/api/v1/jobs", node.url);
    let blanks = vec![b' '; (64 << 20) + 1];
    let request = client()
        .post(&url)
        .header("content-type", "application/json");
    let problem = problem_of(request.body(blanks.clone()).send().await.unwrap()).await;
    assert_eq!(problem["status"], 413);
    assert!(problem["detail"].as_str().unwrap().contains("64 MiB"));
    // Without a length that is stated beforehand.
    let pieces = blanks
        .chunks(1 << 20)
        .map(|piece| Ok(piece.to_vec()))
        .collect::<Vec<_>>();
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> = pieces;
    let body = Body::wrap_stream(futures_util::stream::iter(pieces));
    let request = client()
        .post(&url)
        .header("content-type", "application/json");
    let problem = problem_of(request.body(body).send().await.unwrap()).await;
    assert_eq!(problem["status"], 413);
    node.assert_healthy().await;
}

#[tokio::test]
async fn a_file_over_what_the_largest_matrix_needs_is_refused() {
    let node = NodeOptions::new().with("--max-dim", 10).start();
    let endless_comment = format!(
        "%%MatrixMarket matrix array real general\n{}",
        "% …\n".repeat(1 << 19)
    );
    let a = Part::text(endless_comment).file_name("a.mtx");
    let form = Form::new().part("a", a);
    let request = client()
        .post(format!("{}/api/v1/jobs", node.url))
        .multipart(form);
    let problem = problem_of(request.send().await.unwrap()).await;
    assert_eq!(problem["status"], 413);
    let wide = Part::text("1,2,3,4,5,6,7,8,9,10,11\n").file_name("a.csv");
    let request = client()
        .post(format!("{}/api/v1/jobs", node.url))
        .multipart(Form::new().part("a", wide));
    let problem = problem_of(request.send().await.unwrap()).await;
    assert_eq!(problem["status"], 413);
    assert!(problem["detail"].as_str().unwrap().contains("10"));
}

#[tokio::test]
async fn a_part_header_without_an_end_is_not_kept() {
    let node = NodeOptions::new().start();
    let body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"{}",
        "a".repeat(8 << 20)
    );
    let request = client()
        .post(format!("{}/api/v1/jobs", node.url))
        .header("content-type", "multipart/form-data; boundary=x")
        .body(body);
    assert_eq!(
        problem_of(request.send().await.unwrap()).await["status"],
        400
    );
    node.assert_healthy().await;
}

#[tokio::test]
async fn unknown_jobs_and_paths_are_not_found_and_wrong_methods_not_allowed() {
    let node = NodeOptions::new().start();
    let unknown = "0123456789abcdef0123456789abcdef";
    for path in [
        format!("/api/v1/jobs/{unknown}"),
        format!("/api/v1/jobs/{unknown}/result"),
        format!("/api/v1/jobs/{unknown}/result/corner"),
        format!("/api/v1/jobs/{unknown}/inputs/a"),
        format!("/api/v1/jobs/{unknown}/inputs/c"),
        format!("/api/v1/jobs/{unknown}/course"),
        "/api/v1/jobs/short".to_owned(),
        "/api/v1/jobs/%ff".to_owned(),
        "/api/v1/nothing".to_owned(),
        "/api/v2/jobs".to_owned(),
        "/api".to_owned(),
    ] {
        assert_eq!(
            problem_of(node.get(&path).await).await["status"],
            404,
            "{path}"
        );
    }
    let url = &node.url;
    for request in [
        client().put(format!("{url}/api/v1/jobs")),
        client().delete(format!("{url}/api/v1/jobs")),
        client().post(format!("{url}/api/v1/nodes")),
        client().get(format!("{url}/nodes/register")),
        client().delete(format!("{url}/api/v1/jobs/{unknown}/result")),
    ] {
        let response = request.send().await.unwrap();
        assert!(response.headers().contains_key("allow"));
        assert_eq!(problem_of(response).await["status"], 405);
    }
    let delete = client().delete(format!("{url}/api/v1/jobs/{unknown}"));
    assert_eq!(
        problem_of(delete.send().await.unwrap()).await["status"],
        404
    );
}

#[tokio::test]
async fn addresses_that_are_none_cannot_be_registered() {
    let node = NodeOptions::new().start();
    let register = |body: Value| {
        let request = client()
            .post(format!("{}/nodes/register", node.url))
            .json(&body);
        async { problem_of(request.send().await.unwrap()).await }
    };
    assert_eq!(register(json!({})).await["status"], 422);
    assert_eq!(register(json!({"address": 7})).await["status"], 422);
    let request = client().post(format!("{}/nodes/register", node.url));
    let request = request.header("content-type", "application/json").body("{");
    assert_eq!(
        problem_of(request.send().await.unwrap()).await["status"],
        400
    );
    let request = client()
        .post(format!("{}/nodes/register", node.url))
        .body("127.0.0.1:1");
    assert_eq!(
        problem_of(request.send().await.unwrap()).await["status"],
        415
    );
    // Nobody listens there.
    assert_eq!(
        register(json!({"address": "127.0.0.1:1"})).await["status"],
        502
    );
}

#[tokio::test]
async fn a_node_with_too_many_running_jobs_asks_to_come_again() {
    let node = NodeOptions::new().that_never_computes().start();
    for seed in 0..256 {
        node.submit(&seeded_job(1, 1, 1, seed)).await;
    }
    let response = node.post(&seeded_job(1, 1, 1, 256)).await;
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(problem_of(response).await["status"], 503);
}
