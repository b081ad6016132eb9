//! The upload form of the first page, sent by a browser without script.

use kernel::format::OutputFormat;
use reqwest::Response;
use reqwest::multipart::{Form, Part};

use crate::api_client::client;
use crate::files::part;
use crate::matrices::TestMatrix;
use crate::running_node::{NodeOptions, RunningNode};

async fn send_as_browser(node: &RunningNode, form: Form) -> Response {
    let request = client()
        .post(format!("{}/api/v1/jobs", node.url))
        .header(
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        )
        .header("origin", &node.url);
    request.multipart(form).send().await.unwrap()
}

/// A file field in which nothing was chosen.
fn nothing_chosen() -> Part {
    Part::bytes(&b""[..])
        .file_name("")
        .mime_str("application/octet-stream")
        .unwrap()
}

#[tokio::test]
async fn a_form_leads_to_the_page_of_its_job() {
    let node = NodeOptions::new().start();
    let form = Form::new()
        .part("a", part(&TestMatrix::uneven(3, 2), OutputFormat::Csv))
        .part("b", part(&TestMatrix::uneven(2, 4), OutputFormat::Npy))
        .text("arithmetic", "fast")
        .text("spread", "fastest");
    let response = send_as_browser(&node, form).await;
    assert_eq!(response.status(), 303);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let job = location.strip_prefix("/jobs/").unwrap();
    let done = node.completed(job).await;
    assert_eq!(done["options"]["arithmetic"], "fast");
}

#[tokio::test]
async fn a_form_without_files_is_answered_with_a_page_that_says_so() {
    let node = NodeOptions::new().start();
    let form = Form::new()
        .part("a", nothing_chosen())
        .part("b", nothing_chosen());
    let response = send_as_browser(&node, form).await;
    assert_eq!(response.status(), 422);
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    let page = response.text().await.unwrap();
    assert!(
        page.contains("matrix A is missing") && page.contains("href=\"/\""),
        "{page}"
    );
}

#[tokio::test]
async fn a_file_name_is_shown_as_text() {
    let node = NodeOptions::new().start();
    let form = Form::new().part("a", Part::bytes(&b"1"[..]).file_name("<b>.exe"));
    let response = send_as_browser(&node, form).await;
    assert_eq!(response.status(), 415);
    let page = response.text().await.unwrap();
    assert!(
        page.contains("&lt;b&gt;.exe") && !page.contains("<b>"),
        "{page}"
    );
}
