//! Jobs from files, and results as files.

use kernel::format::OutputFormat;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::api_client::{client, problem_of, read_npy};
use crate::matrices::{TestMatrix, assert_same_bits};
use crate::running_node::{NodeOptions, RunningNode};

pub(crate) fn part(matrix: &TestMatrix, format: OutputFormat) -> Part {
    Part::bytes(matrix.file(format)).file_name(format!("matrix.{}", format.name()))
}

fn part_of_unknown_length(matrix: &TestMatrix, format: OutputFormat) -> Part {
    let piece = std::io::Result::Ok(matrix.file(format));
    let stream = futures_util::stream::iter([piece]);
    Part::stream(reqwest::Body::wrap_stream(stream)).file_name(format!("matrix.{}", format.name()))
}

pub(crate) async fn submit_form(node: &RunningNode, form: Form) -> reqwest::Response {
    client()
        .post(format!("{}/api/v1/jobs", node.url))
        .multipart(form)
        .send()
        .await
        .unwrap()
}

async fn submit_files(node: &RunningNode, form: Form) -> String {
    let response = submit_form(node, form).await;
    let status = response.status();
    let job: Value = response.json().await.unwrap();
    assert_eq!(status, 202, "{job}");
    job["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_format_goes_in_and_comes_out() {
    let node = NodeOptions::new().start();
    let (a, b) = (TestMatrix::uneven(5, 7), TestMatrix::uneven(7, 3));
    let product = a.times(&b);
    for format in [
        OutputFormat::Npy,
        OutputFormat::Csv,
        OutputFormat::MatrixMarket,
    ] {
        // Read where they arrive, and, where nobody says how long they are, by a thread beside.
        for make in [part, part_of_unknown_length] {
            let form = Form::new()
                .part("a", make(&a, format))
                .part("b", make(&b, format));
            let job = submit_files(&node, form).await;
            node.completed(&job).await;
            assert_same_bits(&node.result(&job).await, &product.entries);
            let inputs = node.entries(&format!("/api/v1/jobs/{job}/inputs/b")).await;
            assert_same_bits(&inputs, &b.entries);
            for format in [
                OutputFormat::Npy,
                OutputFormat::Csv,
                OutputFormat::MatrixMarket,
                OutputFormat::Json,
            ] {
                assert_is_file(&node, &job, format, &product.file(format)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_mistake_in_a_file_is_found_whichever_way_it_is_read() {
    let node = NodeOptions::new().start();
    let text = b"1,2\n3,x\n".to_vec();
    let file = || Part::bytes(text.clone()).file_name("matrix.csv");
    let streamed = || {
        let pieces = [&text[..5], &text[5..]].map(|piece| std::io::Result::Ok(piece.to_vec()));
        let stream = futures_util::stream::iter(pieces);
        Part::stream(reqwest::Body::wrap_stream(stream)).file_name("matrix.csv")
    };
    for part in [file(), streamed()] {
        let answer = submit_form(&node, Form::new().part("a", part)).await;
        assert_eq!(answer.status(), 422);
        let detail = problem_of(answer).await["detail"].to_string();
        assert!(detail.contains("matrix A: row 2, column 2"), "{detail}");
    }
}

async fn assert_is_file(node: &RunningNode, job: &str, format: OutputFormat, expected: &[u8]) {
    let path = format!("/api/v1/jobs/{job}/result");
    let by_name = node
        .get(&format!("{path}?format={}&download", format.name()))
        .await;
    assert_eq!(by_name.headers()["content-type"], format.media_type());
    let disposition = by_name.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    let name = format!("matmesh-{}.{}", &job[..8], format.name());
    assert_eq!(disposition, format!("attachment; filename=\"{name}\""));
    assert_eq!(by_name.bytes().await.unwrap(), expected, "{format:?}");
    let request = client().get(format!("{}{path}", node.url));
    let by_accept = request
        .header("accept", format.media_type())
        .send()
        .await
        .unwrap();
    assert_eq!(by_accept.bytes().await.unwrap(), expected, "{format:?}");
}

#[tokio::test]
async fn a_file_without_a_known_name_is_read_by_its_content_type() {
    let node = NodeOptions::new().start();
    let typed = |text: &'static str, media_type: &str| {
        Part::bytes(text.as_bytes())
            .file_name("matrix")
            .mime_str(media_type)
            .unwrap()
    };
    let form = Form::new()
        .part("a", typed("1,2\r\n3,4\r\n", "text/csv; charset=utf-8"))
        .part(
            "b",
            Part::text("%%MatrixMarket matrix array real general\n2 1\n1\n10\n").file_name("B.MTX"),
        )
        .text("options", r#"{"arithmetic": "fast", "spread": "fastest"}"#);
    let job = submit_files(&node, form).await;
    let done = node.completed(&job).await;
    assert_eq!(
        done["options"],
        json!({"arithmetic": "fast", "spread": "fastest"})
    );
    assert_eq!(node.result(&job).await, [21.0, 43.0]);
}

#[tokio::test]
async fn b_too_large_for_one_device_is_cut_into_columns_and_comes_back_whole() {
    let node = NodeOptions::new().start();
    // 4300 rows of 2000 columns are over 64 MiB, so this is two columns of
    // blocks, of different widths: their chunks do not end at the same rows.
    let (inner, cols) = (4300, 2000);
    let a = TestMatrix::uneven(3, inner);
    let entries = (0..inner * cols).map(|index| (index % 1009) as f64 * 0.1 - 50.0);
    let b = TestMatrix {
        rows: inner,
        cols,
        entries: entries.collect(),
    };
    let form = Form::new()
        .part("a", part(&a, OutputFormat::Npy))
        .part("b", part(&b, OutputFormat::Npy));
    let job = submit_files(&node, form).await;
    node.completed(&job).await;
    let course = node.get_json(&format!("/api/v1/jobs/{job}/course")).await;
    assert!(course["cols_per_block"].as_u64() < course["cols"].as_u64());
    assert_same_bits(&node.result(&job).await, &a.times(&b).entries);
    let path = format!("/api/v1/jobs/{job}/inputs/b?format=npy");
    let returned = node.get(&path).await.bytes().await.unwrap();
    assert_same_bits(&read_npy(&returned), &b.entries);
}

#[tokio::test]
async fn a_matrix_too_large_for_the_memory_is_cut_from_the_disk() {
    let node = NodeOptions::new().start();
    let side = 5800;
    let a = TestMatrix::uneven(2, side);
    let entries = (0..side * side).map(|index| (index % 1009) as f64 * 0.1 - 50.0);
    let b = TestMatrix {
        rows: side,
        cols: side,
        entries: entries.collect(),
    };
    let form = Form::new()
        .part("a", part(&a, OutputFormat::Npy))
        .part("b", part(&b, OutputFormat::Npy));
    let job = submit_files(&node, form).await;
    node.completed(&job).await;
    assert_same_bits(&node.result(&job).await, &a.times(&b).entries);
    let lines = node.log_lines();
    let said = |line: &&String| line.contains("is kept on the disk until it is cut");
    assert_eq!(lines.iter().filter(said).count(), 1, "{lines:#?}");
}

#[tokio::test]
async fn what_is_infinite_is_written_as_a_word() {
    let node = NodeOptions::new().start();
    let body = json!({
        "a": {"rows": 2, "cols": 2, "data": [1e300, 0, 1e300, -1e300]},
        "b": {"rows": 2, "cols": 2, "data": [1e300, -1e300, 1e300, 1]},
    });
    let job = node.submit(&body).await;
    node.completed(&job).await;
    let path = format!("/api/v1/jobs/{job}/result");
    let csv = node
        .get(&format!("{path}?format=csv"))
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(csv, "inf,-inf\nnan,-inf\n");
    let json = node.get_json(&path).await;
    assert_eq!(json["data"], json!(["inf", "-inf", "nan", "-inf"]));
    assert_eq!(node.result(&job).await[2].to_bits(), 0x7ff8_0000_0000_0000);
    let corner = node.get_json(&format!("{path}/corner?side=1")).await;
    assert_eq!(corner, json!({"rows": 2, "cols": 2, "corner": [["inf"]]}));
}

#[tokio::test]
async fn formats_that_nobody_sends_are_refused_by_name() {
    let node = NodeOptions::new().start();
    let body =
        json!({"a": {"rows": 1, "cols": 1, "data": [2]}, "b": {"rows": 1, "cols": 1, "data": [3]}});
    let job = node.submit(&body).await;
    node.completed(&job).await;
    let path = format!("/api/v1/jobs/{job}/result");
    let unknown = problem_of(node.get(&format!("{path}?format=xlsx")).await).await;
    assert_eq!(unknown["status"], 400);
    assert!(
        unknown["detail"]
            .as_str()
            .unwrap()
            .contains("npy, csv, mtx or json")
    );
    let request = client()
        .get(format!("{}{path}", node.url))
        .header("accept", "image/png");
    assert_eq!(
        problem_of(request.send().await.unwrap()).await["status"],
        406
    );
}

#[tokio::test]
async fn a_reader_who_leaves_in_the_middle_disturbs_nobody() {
    let node = NodeOptions::new().start();
    let job = node
        .submit(&json!({
            "a": {"rows": 3000, "cols": 1, "random": {"seed": 1}},
            "b": {"rows": 1, "cols": 3000, "random": {"seed": 2}},
        }))
        .await;
    node.completed(&job).await;
    for _ in 0..5 {
        let mut response = node
            .get(&format!("/api/v1/jobs/{job}/result?format=csv"))
            .await;
        assert!(response.chunk().await.unwrap().is_some());
    }
    node.assert_healthy().await;
    assert_eq!(node.result(&job).await.len(), 9_000_000);
}
