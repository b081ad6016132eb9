//! What happens in meshes that live for days: holders that never come back, keys used again, restarts.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::api_client::{client, problem_of, seeded_job, until};
use crate::matrices::assert_same_bits;
use crate::running_node::{NodeOptions, RunningNode, restart};
use crate::store_trouble::block_store;

async fn post_with_key(node: &RunningNode, key: &str, body: &Value) -> reqwest::Response {
    let request = client().post(format!("{}/api/v1/jobs", node.url));
    let request = request.header("idempotency-key", key).json(body);
    request.send().await.unwrap()
}

async fn id_of(response: reqwest::Response) -> String {
    assert_eq!(response.status(), 202);
    let job: Value = response.json().await.unwrap();
    job["id"].as_str().unwrap().to_owned()
}

async fn delete(node: &RunningNode, job: &str) -> reqwest::Response {
    let request = client().delete(format!("{}/api/v1/jobs/{job}", node.url));
    request.send().await.unwrap()
}

async fn status_of(node: &RunningNode, job: &str) -> String {
    let job = node.get_json(&format!("/api/v1/jobs/{job}")).await;
    job["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_that_was_used_for_other_matrices_is_refused_at_any_node() {
    let here = NodeOptions::new().start();
    let there = NodeOptions::new().linked_to(&here).start();
    here.sees(2).await;
    there.sees(2).await;
    let body = json!({"a": {"rows": 1, "cols": 2, "data": [2, 3]}, "b": {"rows": 2, "cols": 1, "data": [5, 7]}});
    let job = id_of(post_with_key(&here, "mine", &body).await).await;
    // The same again is the same job, also written in another way.
    let again = json!({"a": {"rows": 1, "cols": 2, "data": [[2, 3]]}, "b": {"rows": 2, "cols": 1, "data": [5.0, 7.0]}});
    assert_eq!(id_of(post_with_key(&here, "mine", &again).await).await, job);
    let node = &there;
    let path = &format!("/api/v1/jobs/{job}");
    until("the other node has heard of it", || async move {
        (node.get(path).await.status() == 200).then_some(())
    })
    .await;
    let others = [
        json!({"a": {"rows": 1, "cols": 2, "data": [2, 4]}, "b": {"rows": 2, "cols": 1, "data": [5, 7]}}),
        json!({"a": {"rows": 1, "cols": 2, "data": [2, 3]}, "b": {"rows": 2, "cols": 1, "data": [5, 7]},
               "options": {"arithmetic": "fast"}}),
        seeded_job(3, 3, 3, 1),
    ];
    for node in [&here, &there] {
        for other in &others {
            let problem = problem_of(post_with_key(node, "mine", other).await).await;
            assert_eq!(problem["status"], 422, "{problem}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(&job), "{detail}");
        }
        assert_eq!(id_of(post_with_key(node, "mine", &body).await).await, job);
    }
    let jobs = here.get_json("/api/v1/jobs").await;
    assert_eq!(jobs.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_submission_that_failed_at_one_node_does_not_cancel_its_retry_at_another() {
    let first = NodeOptions::new().that_never_computes().start();
    let second = NodeOptions::new()
        .that_never_computes()
        .linked_to(&first)
        .start();
    first.sees(2).await;
    second.sees(2).await;
    let mut blocked = block_store(&first).await;
    let body = seeded_job(40, 40, 40, 1);
    let failed = problem_of(post_with_key(&first, "retried", &body).await).await;
    assert!(failed["status"].as_u64().unwrap() >= 500, "{failed}");
    let job = id_of(post_with_key(&second, "retried", &body).await).await;
    let rollback = sqlx::raw_sql("ROLLBACK");
    rollback.execute(&mut blocked).await.unwrap();
    until("the first is ready again", || async {
        let ready = first.get("/readyz").await.status().is_success();
        ready.then_some(())
    })
    .await;
    first.sees(2).await;
    second.sees(2).await;
    until("the first has heard of the job", || async {
        (first.get(&format!("/api/v1/jobs/{job}")).await.status() == 200).then_some(())
    })
    .await;
    for node in [&first, &second] {
        assert_eq!(status_of(node, &job).await, "running");
    }
}

#[tokio::test]
async fn a_job_whose_only_holder_is_gone_is_shown_and_can_be_cancelled() {
    let options = || {
        NodeOptions::new()
            .that_never_computes()
            .with("--num-backup-nodes", 0)
    };
    let here = options().start();
    let there = options().linked_to(&here).start();
    here.sees(2).await;
    there.sees(2).await;
    let job = here.submit(&seeded_job(40, 40, 40, 1)).await;
    let path = &format!("/api/v1/jobs/{job}");
    let node = &there;
    until("the other node has heard of it", || async move {
        (node.get(path).await.status() == 200).then_some(())
    })
    .await;
    let folder = here.kill();
    until("its node is missed", || async move {
        let nodes = node.get_json("/api/v1/nodes").await;
        (nodes[1]["status"] == "unreachable").then_some(())
    })
    .await;
    assert_eq!(status_of(&there, &job).await, "running");
    let response = delete(&there, &job).await;
    assert_eq!(response.status(), 200);
    let cancelled: Value = response.json().await.unwrap();
    assert_eq!(cancelled["status"], "cancelled");
    // The copy that comes back hears of it.
    let here = options().in_folder(folder).start();
    here.register(&there).await;
    let back = &here;
    until("its holder cancels it, too", || async move {
        (status_of(back, path.rsplit('/').next().unwrap()).await == "cancelled").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_job_that_nobody_held_for_its_time_to_live_is_shown_as_failed_with_the_reason() {
    let options = || {
        let options = NodeOptions::new().that_never_computes();
        options
            .with("--num-backup-nodes", 0)
            .with("--result-ttl-s", 2)
    };
    let here = options().start();
    let there = options().linked_to(&here).start();
    here.sees(2).await;
    there.sees(2).await;
    let job = here.submit(&seeded_job(40, 40, 40, 1)).await;
    let path = &format!("/api/v1/jobs/{job}");
    let node = &there;
    until("the other node has heard of it", || async move {
        (node.get(path).await.status() == 200).then_some(())
    })
    .await;
    drop(here);
    let failed = until("it has failed", || async move {
        let job = node.get_json(path).await;
        (job["status"] == "failed").then_some(job)
    })
    .await;
    let reason = failed["error"].as_str().unwrap();
    assert!(reason.contains("comes back"), "{reason}");
    let list = there.get_json("/api/v1/jobs?status=failed").await;
    assert_eq!(list[0]["error"], failed["error"]);
}

#[tokio::test]
async fn a_damaged_result_comes_from_another_holder() {
    let here = NodeOptions::new().start();
    let there = NodeOptions::new().linked_to(&here).start();
    here.sees(2).await;
    there.sees(2).await;
    let job = here.submit(&seeded_job(60, 60, 60, 3)).await;
    here.completed(&job).await;
    let right = here.result(&job).await;
    let path = here.folder().join("matmesh.sqlite");
    // A small result that was just stored is still in memory: the node starts again.
    let folder = here.kill();
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = options.connect().await.unwrap();
    let damage = "UPDATE results SET bytes = zeroblob(length(bytes)) WHERE block % 2 = 0";
    let damaged = sqlx::query(damage).execute(&mut connection).await.unwrap();
    assert!(damaged.rows_affected() > 0);
    sqlx::Connection::close(connection).await.unwrap();
    let here = restart(folder);
    here.register(&there).await;
    here.sees(2).await;
    let (node, job) = (&here, &job);
    let found = until("the result is right again", || async move {
        let response = node
            .get(&format!("/api/v1/jobs/{job}/result?format=json"))
            .await;
        response
            .status()
            .is_success()
            .then_some(job_entries(response).await?)
    });
    assert_eq!(found.await, right);
}

/// The entries of a result in JSON; `None` where it breaks off, as one does whose block is found damaged.
async fn job_entries(response: reqwest::Response) -> Option<Vec<f64>> {
    let body: Value = response.json().await.ok()?;
    let data = body["data"].as_array()?;
    let rows = data
        .iter()
        .flat_map(|row| row.as_array().cloned().unwrap_or(vec![row.clone()]));
    Some(rows.filter_map(|entry| entry.as_f64()).collect())
}

#[tokio::test]
async fn results_are_handed_over_when_a_node_leaves_in_good_order() {
    let mut here = NodeOptions::new().start();
    let job = here.submit(&seeded_job(60, 60, 60, 4)).await;
    here.completed(&job).await;
    let right = here.result(&job).await;
    let there = NodeOptions::new().linked_to(&here).start();
    there.sees(2).await;
    assert!(here.stop_gently().success());
    assert_eq!(there.result(&job).await, right);
}

#[tokio::test]
async fn a_node_that_a_person_named_is_found_again_after_both_start_anew() {
    let mut here = NodeOptions::new().start();
    let there = NodeOptions::new().start();
    here.register(&there).await;
    here.sees(2).await;
    assert!(here.stop_gently().success());
    let here = restart(here.kill());
    here.sees(2).await;
    there.sees(2).await;
    drop(there);
}

#[tokio::test]
async fn a_node_that_is_alone_says_how_to_name_another() {
    let node = NodeOptions::new().start();
    let hint = |line: &String| line.contains("--peer HOST:PORT") && line.contains("/nodes");
    let node = &node;
    until("it says what its person can do", || async move {
        node.log_lines().iter().any(hint).then_some(())
    })
    .await;
}

#[tokio::test]
async fn thousands_of_jobs_do_not_keep_a_newcomer_away() {
    const JOBS: usize = 5000;
    let here = NodeOptions::new().start();
    let body =
        json!({"a": {"rows": 1, "cols": 1, "data": [2]}, "b": {"rows": 1, "cols": 1, "data": [3]}});
    let url = format!("{}/api/v1/jobs", here.url);
    let client = client();
    let submitting = (0..50).map(|_| async {
        for _ in 0..JOBS / 50 {
            let response = client.post(&url).json(&body).send().await.unwrap();
            assert_eq!(response.status(), 202);
        }
    });
    futures_util::future::join_all(submitting).await;
    let there = NodeOptions::new().linked_to(&here).start();
    there.sees(2).await;
    let node = &there;
    until("it knows all jobs", || async move {
        let jobs = node.get_json("/api/v1/jobs?local=1&limit=1").await;
        let known = node.get_json("/api/v1/jobs").await;
        (jobs.is_array() && known.as_array()?.len() == JOBS).then_some(())
    })
    .await;
    // They share work.
    there.sees_computing(2).await;
    let job = here.submit(&seeded_job(200, 200, 200, 3)).await;
    let done = here.completed(&job).await;
    assert_eq!(done["contributions"].as_array().unwrap().len(), 2);
    let links = there
        .log_lines()
        .iter()
        .filter(|line| line.contains("link open"))
        .count();
    assert_eq!(links, 1, "{:#?}", there.log_lines());
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// As the README says it: stop the node, copy the folder, start with the copy. On another machine the node has
/// another identity, and goes on with the jobs all the same.
#[tokio::test]
async fn a_copied_data_folder_has_the_results_and_goes_on_with_the_jobs() {
    let mut node = NodeOptions::new().start();
    let id = node.get_json("/api/v1/nodes").await[0]["id"].clone();
    // Its blocks are so large that they lie beside the store.
    let ended = node.submit(&seeded_job(300, 20, 300, 1)).await;
    node.completed(&ended).await;
    let result = node.result(&ended).await;
    assert!(node.stop_gently().success());
    let mut node = NodeOptions::new()
        .in_folder(node.kill())
        .that_never_computes()
        .start();
    let running = node.submit(&seeded_job(40, 40, 40, 2)).await;
    assert!(node.stop_gently().success());
    let folder = node.kill();
    for is_other_machine in [false, true] {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), copy.path());
        if is_other_machine {
            fs::write(copy.path().join("machine"), "0".repeat(64)).unwrap();
        }
        let node = restart(copy);
        let nodes = node.get_json("/api/v1/nodes").await;
        assert_eq!(nodes[0]["id"] != id, is_other_machine, "{nodes}");
        assert_same_bits(&node.result(&ended).await, &result);
        let done = node.completed(&running).await;
        assert_eq!(done["blocks"]["done"], done["blocks"]["total"], "{done}");
    }
}

#[tokio::test]
async fn the_key_of_a_job_that_was_deleted_is_not_used_again() {
    let node = NodeOptions::new().start();
    let body = seeded_job(3, 3, 3, 1);
    let job = id_of(post_with_key(&node, "mine", &body).await).await;
    node.completed(&job).await;
    assert_eq!(delete(&node, &job).await.status(), 200);
    let refused = post_with_key(&node, "mine", &body).await;
    let problem = problem_of(refused).await;
    assert_eq!(problem["status"], 410);
    assert!(problem["detail"].as_str().unwrap().contains("another key"));
    id_of(post_with_key(&node, "another", &body).await).await;
}
