//! Coordinators that are killed, paused, asked to stop: the job goes on, ends
//! with the right bits, and nothing that counted is computed again.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::api_client::{client, seeded_job, until};
use crate::matrices::{TestMatrix, assert_same_bits};
use crate::running_node::{NodeOptions, RunningNode, restart};

/// So many nodes that all see each other, the lowest id first: among those
/// that are left the last leads next.
async fn mesh(count: usize) -> Vec<RunningNode> {
    let first = NodeOptions::new().start();
    let mut nodes = vec![first];
    for _ in 1..count {
        let next = NodeOptions::new().linked_to(&nodes[0]).start();
        nodes.push(next);
    }
    for node in &nodes {
        node.sees_computing(count).await;
    }
    nodes.sort_by(|one, other| one.short_id.cmp(&other.short_id));
    nodes
}

/// Long enough to be disturbed, on one thread each.
fn long_job() -> Value {
    seeded_job(1500, 12_000, 1500, 1)
}

/// Waits until so many blocks are done; the job as it is then.
async fn progressed(node: &RunningNode, job: &str, done: u64) -> Value {
    until("blocks are done", || async {
        let job = node.get_json(&format!("/api/v1/jobs/{job}")).await;
        (job["blocks"]["done"].as_u64()? >= done).then_some(job)
    })
    .await
}

fn check(job: &Value) {
    assert_eq!(job["status"], "complete", "{job}");
    assert_eq!(job["accepted_results"], job["blocks"]["done"], "{job}");
    assert_eq!(job["blocks"]["done"], job["blocks"]["total"], "{job}");
}

/// What an undisturbed node makes of it; computed once.
async fn undisturbed() -> &'static [f64] {
    static RESULT: OnceCell<Vec<f64>> = OnceCell::const_new();
    let compute = || async {
        let node = NodeOptions::new().start();
        let job = node.submit(&long_job()).await;
        node.completed(&job).await;
        node.result(&job).await
    };
    RESULT.get_or_init(compute).await
}

/// How often each block was begun, over all nodes.
fn begun(nodes: &[RunningNode], job: &str) -> BTreeMap<u32, usize> {
    let mut begun = BTreeMap::new();
    for line in nodes.iter().flat_map(RunningNode::log_lines) {
        let rest = line.split("Computing block ").nth(1);
        let words = rest.and_then(|rest| rest.split_once(" of job "));
        if let Some((block, _)) = words.filter(|(_, of)| of.trim() == job) {
            *begun.entry(block.parse().unwrap()).or_default() += 1;
        }
    }
    begun
}

#[tokio::test]
async fn a_killed_coordinator_is_followed_and_nothing_that_counted_is_repeated() {
    let mut nodes = mesh(4).await;
    let job = nodes[0].submit(&long_job()).await;
    let before = progressed(&nodes[0], &job, 10).await;
    assert_eq!(before["backups"].as_array().unwrap().len(), 3, "{before}");
    let counted_before = nodes[0].counted_blocks(&job);
    nodes[0].pull_the_plug();

    let after = nodes[1].completed(&job).await;
    check(&after);
    assert_eq!(after["epoch"], 2, "{after}");
    let highest = &nodes[3].short_id;
    assert!(after["coordinator"].as_str().unwrap().starts_with(highest));
    assert_eq!(nodes[2].result(&job).await, undisturbed().await);
    // A block that counted was begun once, wherever.
    let begun = begun(&nodes, &job);
    for block in counted_before {
        assert_eq!(begun[&block], 1, "block {block} was computed again");
    }
    let log = nodes[3].log_lines();
    let has = |words: &str| log.iter().any(|line| line.contains(words));
    assert!(has(&format!("Election for job {job}: I WON, epoch 2")));
    assert!(has(&format!("Resuming job {job}: ")));
}

#[tokio::test]
async fn one_coordinator_after_the_other_dies_and_the_last_node_finishes() {
    let mut nodes = mesh(4).await;
    let job = nodes[0].submit(&long_job()).await;
    progressed(&nodes[0], &job, 3).await;
    nodes[0].pull_the_plug();
    for dies in [3, 2] {
        // It leads, and some more is done under it.
        let led = until("the next one leads", || async {
            let job = nodes[1].get_json(&format!("/api/v1/jobs/{job}")).await;
            let leader = job["coordinator"].as_str()?;
            leader.starts_with(&nodes[dies].short_id).then_some(job)
        });
        let done = led.await["blocks"]["done"].as_u64().unwrap();
        progressed(&nodes[1], &job, done + 2).await;
        nodes[dies].pull_the_plug();
    }
    check(&nodes[1].completed(&job).await);
    assert_eq!(nodes[1].result(&job).await, undisturbed().await);
}

#[tokio::test]
async fn all_are_killed_and_started_again_and_the_job_finishes() {
    let nodes = mesh(3).await;
    let job = nodes[0].submit(&long_job()).await;
    progressed(&nodes[0], &job, 5).await;
    let folders: Vec<_> = nodes.into_iter().map(RunningNode::kill).collect();
    let nodes: Vec<RunningNode> = folders.into_iter().map(restart).collect();
    for node in &nodes[1..] {
        node.register(&nodes[0]).await;
    }
    check(&nodes[2].completed(&job).await);
    assert_eq!(nodes[1].result(&job).await, undisturbed().await);
}

#[tokio::test]
async fn a_coordinator_that_is_paused_steps_down_when_it_runs_on() {
    let nodes = mesh(3).await;
    let job = nodes[0].submit(&long_job()).await;
    progressed(&nodes[0], &job, 5).await;
    nodes[0].pause();
    until("another leads", || async {
        let job = nodes[1].get_json(&format!("/api/v1/jobs/{job}")).await;
        (job["epoch"].as_u64()? >= 2).then_some(())
    })
    .await;
    nodes[0].run_on();
    check(&nodes[1].completed(&job).await);
    let mut epochs = Vec::new();
    for node in &nodes {
        let job = node.completed(&job).await;
        epochs.push((job["epoch"].clone(), job["coordinator"].clone()));
    }
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{epochs:?}");
    until("the old one stepped down", || async {
        let mut lines = nodes[0].log_lines().into_iter();
        let words = format!("Job {job}: stepped down");
        lines.any(|line| line.contains(&words)).then_some(())
    })
    .await;
    assert_eq!(nodes[0].result(&job).await, undisturbed().await);
}

#[tokio::test]
async fn a_node_that_is_asked_to_stop_hands_its_jobs_over() {
    let mut nodes = mesh(3).await;
    let job = nodes[0].submit(&long_job()).await;
    progressed(&nodes[0], &job, 5).await;
    assert!(nodes[0].stop_gently().success());
    check(&nodes[1].completed(&job).await);
    assert_eq!(nodes[1].result(&job).await, undisturbed().await);
}

/// Entries that travel with the submission.
fn shipped(rows: usize, cols: usize) -> TestMatrix {
    TestMatrix::uneven(rows, cols)
}

#[tokio::test]
async fn inputs_come_from_another_holder_when_the_coordinator_is_gone() {
    let mut nodes = mesh(4).await;
    let (a, b) = (shipped(300, 900), shipped(900, 300));
    let body = json!({ "a": a.json(), "b": b.json() });
    let job = nodes[0].submit(&body).await;
    nodes[0].pull_the_plug();
    check(&nodes[1].completed(&job).await);
    assert_same_bits(&nodes[2].result(&job).await, &a.times(&b).entries);
    // So does an input that somebody reads.
    let path = format!("/api/v1/jobs/{job}/inputs/b");
    assert_same_bits(&nodes[3].entries(&path).await, &b.entries);
}

#[tokio::test]
async fn a_backup_has_small_inputs_on_its_own_disk_as_soon_as_the_job_is_accepted() {
    let mut nodes = mesh(2).await;
    let (a, b) = (shipped(7, 5), shipped(5, 3));
    let body = json!({ "a": a.json(), "b": b.json() });
    let job = nodes[0].submit(&body).await;
    nodes[0].pull_the_plug();
    let backup = nodes.pop().expect("there are two");
    let backup = restart(backup.kill());
    for (name, expected) in [("a", &a), ("b", &b)] {
        let path = format!("/api/v1/jobs/{job}/inputs/{name}");
        assert_same_bits(&backup.entries(&path).await, &expected.entries);
    }
    check(&backup.completed(&job).await);
    assert_same_bits(&backup.result(&job).await, &a.times(&b).entries);
}

#[tokio::test]
async fn a_copy_answers_what_another_node_asks_it_without_asking_further() {
    let nodes = mesh(3).await;
    let job = nodes[0].submit(&long_job()).await;
    progressed(&nodes[0], &job, 5).await;
    // It answers nobody, and nobody knows yet.
    nodes[0].pause();
    let url = format!("http://{}/api/v1/jobs/{job}/course", nodes[1].address());
    let asked = client().get(url).header("matmesh-forwarded", "1").send();
    let answer = asked.await.unwrap();
    assert_eq!(answer.status(), 200);
    let course: Value = answer.json().await.unwrap();
    assert!(!course["blocks"].as_array().unwrap().is_empty());
    nodes[0].run_on();
    check(&nodes[2].completed(&job).await);
}
