//! From submission to expiry: waiting, cancelling, asking twice, starting again.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::api_client::{client, problem_of, seeded_job, until};
use crate::running_node::{NodeOptions, RunningNode, restart};

async fn cancel(node: &RunningNode, job: &str) -> Value {
    let request = client().delete(format!("{}/api/v1/jobs/{job}", node.url));
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_result_is_not_there_before_the_job_is_complete() {
    let node = NodeOptions::new().that_never_computes().start();
    let job = node.submit(&seeded_job(4, 4, 4, 1)).await;
    let path = format!("/api/v1/jobs/{job}/result");
    assert_eq!(problem_of(node.get(&path).await).await["status"], 409);
    assert_eq!(
        problem_of(node.get(&format!("{path}/corner")).await).await["status"],
        409
    );
    // Its inputs are.
    assert_eq!(
        node.entries(&format!("/api/v1/jobs/{job}/inputs/a"))
            .await
            .len(),
        16
    );
}

#[tokio::test]
async fn waiting_ends_with_the_time_or_with_the_job() {
    let node = NodeOptions::new().that_never_computes().start();
    let job = node.submit(&seeded_job(4, 4, 4, 1)).await;
    let path = format!("/api/v1/jobs/{job}");
    let started = Instant::now();
    let waited = node.get_json(&format!("{path}?wait=0.3")).await;
    assert_eq!(waited["status"], "running");
    assert!(started.elapsed() >= Duration::from_millis(300));
    let (waited, cancelled) = tokio::join!(
        async { node.get_json(&format!("{path}?wait=60")).await },
        cancel(&node, &job)
    );
    assert_eq!(waited["status"], "cancelled");
    assert_eq!(cancelled["status"], "cancelled");
    assert!(started.elapsed() < Duration::from_secs(30));
    for wait in ["soon", "-1", "NaN"] {
        let response = node.get(&format!("{path}?wait={wait}")).await;
        assert_eq!(problem_of(response).await["status"], 400, "{wait}");
    }
}

#[tokio::test]
async fn a_cancelled_job_stays_cancelled_and_has_no_result() {
    let node = NodeOptions::new().that_never_computes().start();
    let job = node.submit(&seeded_job(4, 4, 4, 1)).await;
    assert_eq!(cancel(&node, &job).await["status"], "cancelled");
    assert_eq!(cancel(&node, &job).await["status"], "cancelled");
    let shown = node.get_json(&format!("/api/v1/jobs/{job}")).await;
    assert!(shown["completed_at"].is_string());
    let problem = problem_of(node.get(&format!("/api/v1/jobs/{job}/result")).await).await;
    assert_eq!(problem["status"], 409);
    assert!(problem["detail"].as_str().unwrap().contains("cancelled"));
}

#[tokio::test]
async fn a_complete_job_cannot_be_cancelled_any_more() {
    let node = NodeOptions::new().start();
    let job = node.submit(&seeded_job(4, 4, 4, 1)).await;
    node.completed(&job).await;
    let only_running = format!("{job}?only=running");
    assert_eq!(cancel(&node, &only_running).await["status"], "complete");
    assert_eq!(
        node.get_json(&format!("/api/v1/jobs/{job}")).await["status"],
        "complete"
    );
}

#[tokio::test]
async fn a_job_that_is_deleted_at_any_node_is_gone_at_all_also_after_a_restart() {
    let here = NodeOptions::new().start();
    let there = NodeOptions::new().linked_to(&here).start();
    here.sees(2).await;
    there.sees(2).await;
    let job = here.submit(&seeded_job(4, 5, 6, 1)).await;
    let shown = here.completed(&job).await;
    assert_eq!(shown["disk_bytes"], 8 * 4 * 6);
    let path = &format!("/api/v1/jobs/{job}");
    let node = &there;
    until("the other node has heard of its end", || async move {
        let shown = node.get(path).await.json::<Value>().await.unwrap();
        (shown["status"] == "complete").then_some(())
    })
    .await;
    // Nothing that runs is deleted, and nothing that is deleted was anything else.
    assert_eq!(cancel(&there, &job).await["status"], "complete");
    for node in [&here, &there] {
        until("it is gone", || async move {
            (node.get(path).await.status() == 410).then_some(())
        })
        .await;
        let problem = problem_of(node.get(&format!("{path}/result")).await).await;
        assert_eq!(problem["status"], 410);
        assert!(problem["detail"].as_str().unwrap().contains("deleted"));
    }
    let here = restart(here.kill());
    assert_eq!(here.get(path).await.status(), 410);
}

#[tokio::test]
async fn only_what_has_ended_is_deleted_where_that_is_asked() {
    let node = NodeOptions::new().that_never_computes().start();
    let job = node.submit(&seeded_job(4, 4, 4, 1)).await;
    let only_ended = format!("{job}?only=ended");
    assert_eq!(cancel(&node, &only_ended).await["status"], 409);
    assert_eq!(cancel(&node, &job).await["status"], "cancelled");
    assert_eq!(cancel(&node, &only_ended).await["status"], "cancelled");
    let path = format!("/api/v1/jobs/{job}");
    assert_eq!(node.get(&path).await.status(), 410);
    assert_eq!(
        cancel(&node, &format!("{job}?only=some")).await["status"],
        400
    );
}

#[tokio::test]
async fn one_idempotency_key_is_one_job() {
    let node = NodeOptions::new().start();
    let submit = |key: &'static str| {
        let request = client().post(format!("{}/api/v1/jobs", node.url));
        let request = request
            .header("idempotency-key", key)
            .json(&seeded_job(30, 30, 30, 1));
        async {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 202);
            assert!(response.headers().contains_key("location"));
            response.json::<Value>().await.unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned()
        }
    };
    // Eight at once, and one long after.
    let mut at_once = join_all((0..8).map(|_| submit("first"))).await;
    at_once.push(submit("first").await);
    at_once.dedup();
    assert_eq!(at_once.len(), 1);
    assert_ne!(submit("second").await, at_once[0]);
    assert_eq!(
        node.get_json("/api/v1/jobs")
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );

    let long = "k".repeat(256);
    for key in ["", &long] {
        let request = client().post(format!("{}/api/v1/jobs", node.url));
        let request = request
            .header("idempotency-key", key)
            .json(&seeded_job(1, 1, 1, 1));
        assert_eq!(
            problem_of(request.send().await.unwrap()).await["status"],
            400
        );
    }
}

#[tokio::test]
async fn an_expired_job_is_gone_and_still_known_to_have_been() {
    let node = NodeOptions::new().with("--result-ttl-s", 1).start();
    let body =
        json!({"a": {"rows": 1, "cols": 1, "data": [2]}, "b": {"rows": 1, "cols": 1, "data": [3]}});
    let job = node.submit(&body).await;
    node.completed(&job).await;
    let path = &format!("/api/v1/jobs/{job}");
    let node = &node;
    until("the job expires", || async move {
        (node.get(path).await.status() == 410).then_some(())
    })
    .await;
    for path in [
        path.clone(),
        format!("{path}/result"),
        format!("{path}/inputs/a"),
        format!("{path}/course"),
    ] {
        assert_eq!(
            problem_of(node.get(&path).await).await["status"],
            410,
            "{path}"
        );
    }
    assert_eq!(node.get_json("/api/v1/jobs").await, json!([]));
}

#[tokio::test]
async fn a_restarted_node_has_its_results_and_knows_what_expired() {
    let node = NodeOptions::new().start();
    let id = node.short_id.clone();
    let body = json!({"a": {"rows": 1, "cols": 2, "data": [2, 3]}, "b": {"rows": 2, "cols": 1, "data": [5, 7]}});
    let job = node.submit(&body).await;
    let done = node.completed(&job).await;
    let node = restart(node.kill());
    assert_eq!(node.short_id, id);
    assert_eq!(node.result(&job).await, [31.0]);
    assert_eq!(
        node.entries(&format!("/api/v1/jobs/{job}/inputs/b")).await,
        [5.0, 7.0]
    );
    let again = node.get_json(&format!("/api/v1/jobs/{job}")).await;
    for field in [
        "completed_at",
        "elapsed_ms",
        "expires_at",
        "contributions",
        "accepted_results",
    ] {
        assert_eq!(again[field], done[field], "{field}");
    }
}
