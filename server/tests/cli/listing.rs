//! `matmesh jobs`, `job`, `cancel` and `nodes`

use std::path::Path;

use serde_json::Value;

use crate::api_client::seeded_job;
use crate::command::{Finished, matmesh, run};
use crate::running_node::{NodeOptions, RunningNode};

fn ask(node: &RunningNode, arguments: &[&str]) -> Finished {
    let mut all = arguments.to_vec();
    all.extend(["--node", &node.url]);
    run(Path::new("."), &all)
}

#[tokio::test]
async fn jobs_are_a_table_or_the_apis_json() {
    let node = NodeOptions::new().that_never_computes().start();
    let job = node.submit(&seeded_job(2, 3, 4, 1)).await;
    let table = ask(&node, &["jobs"]);
    table.assert_done();
    let lines: Vec<&str> = table.text().lines().collect();
    assert!(
        lines[0].starts_with("JOB ") && lines[0].contains("STATUS"),
        "{lines:?}"
    );
    assert!(lines[1].contains(&job) && lines[1].contains("running") && lines[1].contains("2×3×4"));
    assert_eq!(lines.len(), 2);
    let json: Value = serde_json::from_str(ask(&node, &["jobs", "--json"]).text()).unwrap();
    assert_eq!(json[0]["id"], *job);
    let none = ask(
        &node,
        &["jobs", "--json", "--status", "complete", "--limit", "5"],
    );
    assert_eq!(none.text(), "[]\n");
    ask(&node, &["jobs", "--status", "lost"]).assert_failed(2, "running");
    ask(&node, &["jobs", "--limit", "0"]).assert_failed(2, "--limit");
}

#[tokio::test]
async fn a_complete_job_is_deleted_and_that_is_said() {
    let node = NodeOptions::new().start();
    let job = node.submit(&seeded_job(100, 3, 1000, 1)).await;
    node.completed(&job).await;
    let table = ask(&node, &["jobs"]);
    assert!(table.text().contains("0.8 MB"), "{}", table.text());
    let deleted = ask(&node, &["cancel", &job]);
    deleted.assert_done();
    assert!(deleted.text().contains("its result are deleted"));
    ask(&node, &["job", &job]).assert_failed(1, "deleted");
}

#[tokio::test]
async fn one_job_is_shown_and_cancelled() {
    let node = NodeOptions::new().that_never_computes().start();
    let job = node.submit(&seeded_job(2, 3, 4, 1)).await;
    let shown = ask(&node, &["job", &job]);
    shown.assert_done();
    assert!(
        shown.text().contains("status       running"),
        "{}",
        shown.text()
    );
    let json: Value = serde_json::from_str(ask(&node, &["job", &job, "--json"]).text()).unwrap();
    assert_eq!(json["inner"], 3);
    let cancelled = ask(&node, &["cancel", &job]);
    cancelled.assert_done();
    assert!(cancelled.text().contains("cancelled"));
    let unknown = "0123456789abcdef0123456789abcdef";
    ask(&node, &["job", unknown]).assert_failed(1, unknown);
    ask(&node, &["cancel", unknown]).assert_failed(1, unknown);
    ask(&node, &["job", "../nodes"]).assert_failed(2, "not the id");
}

#[tokio::test]
async fn a_finished_job_shows_who_did_what() {
    let node = NodeOptions::new().start();
    let job = node.submit(&seeded_job(20, 20, 20, 1)).await;
    node.completed(&job).await;
    let shown = ask(&node, &["job", &job]);
    assert!(shown.text().contains("DEVICE") && shown.text().contains(&node.short_id));
}

#[tokio::test]
async fn nodes_are_a_table_or_the_apis_json() {
    let node = NodeOptions::new().with("--name", "laptop").start();
    let table = ask(&node, &["nodes"]);
    table.assert_done();
    assert!(table.text().contains(&node.short_id) && table.text().contains("laptop (asked)"));
    assert!(table.text().contains(node.address()) && table.text().contains("alive"));
    let json: Value = serde_json::from_str(ask(&node, &["nodes", "--json"]).text()).unwrap();
    assert_eq!(json[0]["name"], "laptop");
}

#[test]
fn a_node_that_is_not_there_is_3_and_an_address_that_is_none_2() {
    for command in ["jobs", "nodes"] {
        let there = Path::new(".");
        run(there, &[command, "--node", "127.0.0.1:1"]).assert_failed(3, "127.0.0.1:1");
        run(there, &[command, "--node", "https://127.0.0.1"]).assert_failed(2, "http://");
        run(there, &[command, "--nod"]).assert_failed(2, "--node");
    }
}

#[tokio::test]
async fn a_closed_output_is_no_panic() {
    let node = NodeOptions::new().start();
    let mut child = matmesh(Path::new("."), &["nodes", "--node", &node.url])
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(Finished::of(child.wait_with_output().unwrap()).code, 0);
}
