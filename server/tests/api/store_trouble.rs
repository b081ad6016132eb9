//! A disk that does not take what a node wants to keep.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use crate::api_client::{problem_of, seeded_job, until};
use crate::running_node::{NodeOptions, RunningNode, restart};

/// Another program holds the file: whatever the node writes fails.
pub(crate) async fn block_store(node: &RunningNode) -> SqliteConnection {
    let path = node.folder().join("matmesh.sqlite");
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    let begin = sqlx::raw_sql("BEGIN EXCLUSIVE");
    begin.execute(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn a_node_that_cannot_write_says_so_and_goes_on_when_it_can() {
    let node = NodeOptions::new().start();
    let before = node.submit(&seeded_job(8, 8, 8, 1)).await;
    node.completed(&before).await;

    let mut blocked = block_store(&node).await;
    let refused = node.post(&seeded_job(8, 8, 8, 2)).await;
    let problem = problem_of(refused).await;
    assert_eq!(problem["status"], 500, "{problem}");
    // It is up, and says the same to everybody until it can write again.
    assert_eq!(node.get("/healthz").await.status(), 200);
    assert!(!node.get("/readyz").await.status().is_success());

    let rollback = sqlx::raw_sql("ROLLBACK");
    rollback.execute(&mut blocked).await.unwrap();
    until("the node is ready again", || async {
        let ready = node.get("/readyz").await.status().is_success();
        ready.then_some(())
    })
    .await;
    let after = node.submit(&seeded_job(8, 8, 8, 3)).await;
    node.completed(&after).await;
    // Nobody was told that the refused job runs, so it does not.
    let jobs = node.get_json("/api/v1/jobs").await;
    let statuses = jobs.as_array().unwrap().iter().map(|job| &job["status"]);
    assert!(statuses.clone().all(|status| status != "running"), "{jobs}");
    assert_eq!(statuses.filter(|status| *status == "complete").count(), 2);
}

#[tokio::test]
async fn a_node_whose_file_is_damaged_starts_empty_and_gets_its_jobs_back() {
    let other = NodeOptions::new().start();
    let node = NodeOptions::new().linked_to(&other).start();
    node.sees(2).await;
    let job = node.submit(&seeded_job(30, 30, 30, 5)).await;
    node.completed(&job).await;
    let right = node.result(&job).await;

    let folder = node.kill();
    let path = folder.path().join("matmesh.sqlite");
    std::fs::write(&path, "no database").unwrap();
    let node = restart(folder);
    node.register(&other).await;
    node.sees(2).await;
    assert_eq!(node.result(&job).await, right);
    let names = std::fs::read_dir(node.folder()).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.any(|name| name.starts_with("matmesh.sqlite.damaged-")));
}

#[tokio::test]
async fn the_others_go_on_without_a_node_that_cannot_write() {
    let first = NodeOptions::new().start();
    let second = NodeOptions::new().linked_to(&first).start();
    let third = NodeOptions::new().linked_to(&first).start();
    for node in [&first, &second, &third] {
        node.sees_computing(3).await;
    }
    let job = first.submit(&seeded_job(1500, 12_000, 1500, 1)).await;
    let look = format!("/api/v1/jobs/{job}");
    until("blocks are done", || async {
        let job = second.get_json(&look).await;
        (job["blocks"]["done"].as_u64()? > 3).then_some(())
    })
    .await;
    let mut blocked = block_store(&first).await;
    until("another leads", || async {
        let job = second.get_json(&look).await;
        (job["epoch"].as_u64()? >= 2).then_some(())
    })
    .await;
    let done = second.completed(&job).await;
    assert_eq!(done["status"], "complete", "{done}");
    // It does not come and go meanwhile.
    let lines = second.log_lines();
    let lost =
        |line: &&String| line.contains(&first.short_id) && line.contains("is taken for dead");
    let times = lines.iter().filter(lost).count();
    assert!(times <= 2, "{times} times: {lines:#?}");

    let rollback = sqlx::raw_sql("ROLLBACK");
    rollback.execute(&mut blocked).await.unwrap();
    until("it is ready again", || async {
        let ready = first.get("/readyz").await.status().is_success();
        ready.then_some(())
    })
    .await;
    first.sees(3).await;
    until("it says what the others say", || async {
        let own = first.get_json(&look).await;
        (own["status"] == "complete" && own["epoch"] == done["epoch"]).then_some(())
    })
    .await;
}
