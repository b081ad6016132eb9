//! Any request about a job works at any node.

use kernel::format::OutputFormat;
use serde_json::{Value, json};

use crate::api_client::{client, problem_of, seeded_job, until};
use crate::matrices::{TestMatrix, assert_same_bits};
use crate::running_node::{NodeOptions, RunningNode};

/// Two nodes that see each other.
async fn pair(first: NodeOptions, second: NodeOptions) -> (RunningNode, RunningNode) {
    let first = first.start();
    let second = second.linked_to(&first).start();
    first.sees(2).await;
    second.sees(2).await;
    (first, second)
}

/// Waits until `node` has heard of a job that another one coordinates.
async fn hears_of(node: &RunningNode, job: &str) {
    let path = &format!("/api/v1/jobs/{job}");
    until("the other node hears of the job", || async move {
        (node.get(path).await.status() != 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_other_node_answers_everything_about_a_job() {
    let (here, there) = pair(NodeOptions::new(), NodeOptions::new()).await;
    let (a, b) = (TestMatrix::uneven(40, 30), TestMatrix::uneven(30, 20));
    let job = here.submit(&json!({"a": a.json(), "b": b.json()})).await;
    hears_of(&there, &job).await;
    let path = format!("/api/v1/jobs/{job}");
    let done = there.completed(&job).await;
    assert!(
        done["coordinator"]
            .as_str()
            .unwrap()
            .starts_with(&here.short_id)
    );
    assert_eq!(done, here.get_json(&path).await);
    assert_same_bits(&there.result(&job).await, &a.times(&b).entries);
    assert_same_bits(
        &there.entries(&format!("{path}/inputs/a")).await,
        &a.entries,
    );
    for rest in ["/course", "/result/corner?side=3"] {
        let path = format!("{path}{rest}");
        assert_eq!(there.get_json(&path).await, here.get_json(&path).await);
    }
    let file = there.get(&format!("{path}/result?format=csv")).await;
    assert_eq!(file.headers()["content-type"], "text/csv");
    assert!(file.headers().contains_key("content-disposition"));
    assert_eq!(
        file.bytes().await.unwrap(),
        a.times(&b).file(OutputFormat::Csv)
    );
    assert_eq!(
        there.get_json("/api/v1/jobs").await,
        here.get_json("/api/v1/jobs").await
    );
    let refused = there.get(&format!("{path}/result?format=xlsx")).await;
    assert_eq!(problem_of(refused).await["status"], 400);
}

#[tokio::test]
async fn the_other_node_cancels_and_waits() {
    let (here, there) = pair(
        NodeOptions::new().that_never_computes(),
        NodeOptions::new().that_never_computes(),
    )
    .await;
    let job = here.submit(&seeded_job(4, 4, 4, 1)).await;
    hears_of(&there, &job).await;
    let path = format!("/api/v1/jobs/{job}?wait=60");
    let cancel = async {
        let request = client().delete(format!("{}/api/v1/jobs/{job}", there.url));
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let (waited, cancelled) = tokio::join!(there.get_json(&path), cancel);
    assert_eq!(waited["status"], "cancelled");
    assert_eq!(cancelled["status"], "cancelled");
    let there = &there;
    until("the list shows the end", || async move {
        let list = there.get_json("/api/v1/jobs?status=cancelled").await;
        (list.as_array().unwrap().len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_idempotency_key_is_one_job_at_the_other_node_too() {
    let (here, there) = pair(NodeOptions::new(), NodeOptions::new()).await;
    let submit = async |node: &RunningNode| {
        let request = client().post(format!("{}/api/v1/jobs", node.url));
        let request = request
            .header("idempotency-key", "same")
            .json(&seeded_job(9, 9, 9, 1));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 202);
        response.json::<Value>().await.unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    // At once, before the other node can have heard of it.
    let job = submit(&here).await;
    assert_eq!(submit(&there).await, job);
    assert_eq!(
        here.get_json("/api/v1/jobs")
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn spread_all_gives_both_nodes_rows() {
    let (here, there) = pair(NodeOptions::new(), NodeOptions::new()).await;
    here.sees_computing(2).await;
    let job = here.submit(&seeded_job(200, 200, 200, 3)).await;
    let done = here.completed(&job).await;
    let contributions = done["contributions"].as_array().unwrap();
    let rows_of = |node: &RunningNode| {
        let own = contributions
            .iter()
            .find(|one| one["worker"].as_str().unwrap().starts_with(&node.short_id));
        own.map_or(0, |own| own["rows"].as_u64().unwrap())
    };
    assert!(
        rows_of(&here) > 0 && rows_of(&there) > 0,
        "{contributions:?}"
    );
    assert_eq!(rows_of(&here) + rows_of(&there), 200);
    assert_eq!(done["accepted_results"], done["blocks"]["done"]);
}

#[tokio::test]
async fn a_job_whose_node_is_away_is_known_and_asked_for_again() {
    let alone = || NodeOptions::new().with("--num-backup-nodes", 0);
    let (here, there) = pair(alone(), alone()).await;
    let job = here.submit(&seeded_job(8, 8, 8, 1)).await;
    here.completed(&job).await;
    hears_of(&there, &job).await;
    let id = here.short_id.clone();
    drop(here);
    let path = format!("/api/v1/jobs/{job}/result");
    let response = there.get(&path).await;
    assert!(response.headers().contains_key("retry-after"));
    let problem = problem_of(response).await;
    assert_eq!(problem["status"], 503);
    assert!(
        problem["detail"].as_str().unwrap().contains(&id),
        "{problem}"
    );
    let list = there.get_json("/api/v1/jobs").await;
    assert_eq!(list[0]["id"], *job);
    assert_eq!(list[0]["contributions"], json!([]));
}

#[tokio::test]
async fn a_registered_node_is_linked() {
    let (here, there) = (NodeOptions::new().start(), NodeOptions::new().start());
    let request = client().post(format!("{}/nodes/register", here.url));
    let response = request
        .json(&json!({"address": there.address()}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let answer: Value = response.json().await.unwrap();
    assert!(answer["id"].as_str().unwrap().starts_with(&there.short_id));
    here.sees(2).await;
    there.sees(2).await;
    let nodes = there.get_json("/api/v1/nodes").await;
    assert_eq!(nodes[0]["self"], true);
    assert_eq!(nodes[1]["address"], here.address());
}
