//! Pages that compute, well or badly, against real nodes: the socket of
//! `/ws/worker` as a program on the network meets it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api_client::{client, seeded_job, until};
use crate::fake_page::FakePage;
use crate::matrices::{TestMatrix, assert_same_bits};
use crate::running_node::{NodeOptions, RunningNode};

/// Waits until a node lists `count` pages.
async fn lists_pages(node: &RunningNode, count: usize) {
    until("pages are listed", || async move {
        let nodes = node.get_json("/api/v1/nodes").await;
        let own = nodes
            .as_array()?
            .iter()
            .find(|entry| entry["self"] == true)?;
        (own["browsers"].as_array()?.len() == count).then_some(())
    })
    .await;
}

fn contribution<'j>(job: &'j Value, worker: &str) -> Option<&'j Value> {
    job["contributions"]
        .as_array()?
        .iter()
        .find(|entry| entry["worker"] == worker)
}

#[tokio::test]
async fn a_page_computes_all_of_a_job_when_nobody_else_does() {
    let node = NodeOptions::new().that_never_computes().start();
    let mut page = FakePage::open(node.address()).await;
    lists_pages(&node, 1).await;
    let (a, b) = (TestMatrix::uneven(33, 21), TestMatrix::uneven(21, 17));
    let job = node.submit(&json!({"a": a.json(), "b": b.json()})).await;
    let finished = page.compute_until(node.completed(&job)).await;
    assert_same_bits(&node.result(&job).await, &a.times(&b).entries);
    let own = contribution(&finished, &page.worker()).unwrap();
    assert_eq!(own["kind"], "browser");
    assert_eq!(own["rows"], 33);
    assert_eq!(own["operations"], 2 * 33 * 21 * 17);
    assert_eq!(finished["accepted_results"], finished["blocks"]["done"]);
}

#[tokio::test]
async fn every_attached_device_has_rows_of_a_job_that_one_could_do_at_once() {
    let one = NodeOptions::new().start();
    let two = NodeOptions::new().linked_to(&one).start();
    one.sees_computing(2).await;
    let mut page = FakePage::open(two.address()).await;
    lists_pages(&two, 1).await;
    until("the coordinator knows the page", || async {
        let nodes = one.get_json("/api/v1/nodes").await;
        let mut entries = nodes.as_array()?.iter();
        entries
            .any(|entry| entry["browsers"] != json!([]))
            .then_some(())
    })
    .await;
    let job = one.submit(&seeded_job(200, 200, 200, 3)).await;
    let finished = page.compute_until(one.completed(&job)).await;
    let contributions = finished["contributions"].as_array().unwrap();
    assert_eq!(contributions.len(), 3, "{finished:#}");
    let rows: u64 = contributions
        .iter()
        .filter_map(|entry| entry["rows"].as_u64())
        .sum();
    assert_eq!(rows, 200);
}

#[tokio::test]
async fn a_page_that_takes_its_block_and_never_answers_does_not_hold_the_job_up() {
    // The block time-out is far away: it is not what ends the wait.
    let node = NodeOptions::new()
        .with("--block-timeout-ms", 600_000)
        .start();
    node.sees_computing(1).await;
    let mut page = FakePage::open(node.address()).await;
    lists_pages(&node, 1).await;
    let job = node.submit(&seeded_job(200, 200, 200, 5)).await;
    let finished = page.ignore_until(node.completed(&job)).await;
    assert!(
        page.tasks_seen() > 0,
        "the page was given nothing to ignore"
    );
    assert!(
        contribution(&finished, &page.worker()).is_none(),
        "{finished:#}"
    );
    assert!(
        finished["reassigned_blocks"].as_u64().unwrap() > 0,
        "{finished:#}"
    );
}

#[tokio::test]
async fn the_blocks_of_a_page_that_closes_go_elsewhere() {
    let node = NodeOptions::new()
        .with("--block-timeout-ms", 600_000)
        .start();
    node.sees_computing(1).await;
    let mut page = FakePage::open(node.address()).await;
    lists_pages(&node, 1).await;
    let job = node.submit(&seeded_job(300, 300, 300, 7)).await;
    page.wait_for_task().await;
    drop(page);
    let finished = node.completed(&job).await;
    assert_eq!(finished["blocks"]["done"], finished["blocks"]["total"]);
    lists_pages(&node, 0).await;
}

#[tokio::test]
async fn a_page_that_is_switched_off_is_given_nothing() {
    let node = NodeOptions::new().start();
    node.sees_computing(1).await;
    let mut page = FakePage::open_with(node.address(), |status| status.contributing = false).await;
    let job = node.submit(&seeded_job(100, 100, 100, 9)).await;
    page.ignore_until(node.completed(&job)).await;
    assert_eq!(page.tasks_seen(), 0);
}

#[tokio::test]
async fn nonsense_closes_the_socket_with_a_reason_and_disturbs_nothing_else() {
    let node = NodeOptions::new().start();
    for nonsense in [
        vec![],
        vec![0xff; 3],
        vec![0xff; 64],
        [2_u32.to_le_bytes(), 0_u32.to_le_bytes()].concat(),
        [1_u32.to_le_bytes(), u32::MAX.to_le_bytes()].concat(),
    ] {
        let mut page = FakePage::open(node.address()).await;
        page.send_raw(nonsense.clone()).await;
        if nonsense.is_empty() {
            // An empty frame says nothing and is as good as a ping.
            continue;
        }
        let reason = tokio::time::timeout(Duration::from_secs(20), page.closed()).await;
        assert!(!reason.expect("the socket closes").is_empty());
        node.assert_healthy().await;
    }
}

#[tokio::test]
async fn a_result_of_another_length_closes_the_socket_and_is_computed_again() {
    let node = NodeOptions::new().start();
    node.sees_computing(1).await;
    let mut page = FakePage::open(node.address()).await;
    lists_pages(&node, 1).await;
    let job = node.submit(&seeded_job(200, 200, 200, 11)).await;
    let task = page.wait_for_task().await;
    page.send_result(&task, &[1.0]).await;
    assert!(page.closed().await.contains("bytes"));
    let finished = node.completed(&job).await;
    assert!(contribution(&finished, &page.worker()).is_none());
}

#[tokio::test]
async fn a_second_page_with_the_same_id_takes_the_place_of_the_first() {
    let node = NodeOptions::new().start();
    let mut first = FakePage::open(node.address()).await;
    let _second = first.open_again(node.address()).await;
    assert!(first.was_superseded().await);
    lists_pages(&node, 1).await;
}

#[tokio::test]
async fn a_page_cannot_take_the_id_of_a_nodes_own_compute() {
    let node = NodeOptions::new().start();
    node.sees_computing(1).await;
    let nodes = node.get_json("/api/v1/nodes").await;
    let id = nodes[0]["id"].as_str().unwrap().parse().unwrap();
    let reason = FakePage::refused(node.address(), id).await;
    assert!(reason.contains("belongs to a node"), "{reason}");
    let job = node.submit(&seeded_job(20, 20, 20, 1)).await;
    assert_eq!(node.completed(&job).await["status"], "complete");
}

#[tokio::test]
async fn a_wrong_result_does_not_take_the_right_one_behind_it_along() {
    let node = NodeOptions::new().that_never_computes().start();
    let mut page = FakePage::open_with(node.address(), |status| status.threads = 32).await;
    // Whether the node looks at both at once is chance: many tries.
    for seed in 0..12 {
        let job = node.submit(&seeded_job(1, 3, 3, seed)).await;
        let task = page.wait_for_task().await;
        let product = page.product_of(&task).await;
        page.send_result_after(&task, &product, -1.0).await;
        page.send_result_after(&task, &product, 1.0).await;
        let ended = page.compute_until(node.completed(&job)).await;
        assert_eq!(ended["status"], "complete", "seed {seed}");
    }
}

#[tokio::test]
async fn where_pages_take_part_b_is_cut_into_columns_that_fit_them() {
    let node = NodeOptions::new().that_never_computes().start();
    let bytes_of_columns = async || {
        let job = node.submit(&seeded_job(6000, 6000, 6000, 1)).await;
        let course = node.get_json(&format!("/api/v1/jobs/{job}/course")).await;
        let cancel = client().delete(format!("{}/api/v1/jobs/{job}", node.url));
        assert_eq!(cancel.send().await.unwrap().status(), 200);
        8 * 6000 * course["cols_per_block"].as_u64().unwrap()
    };
    let alone = bytes_of_columns().await;
    let _page = FakePage::open(node.address()).await;
    lists_pages(&node, 1).await;
    let with_page = bytes_of_columns().await;
    assert!(with_page <= 32 << 20, "{with_page}");
    assert!((32 << 20..=64 << 20).contains(&alone), "{alone}");
}
