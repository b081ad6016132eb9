//! Jobs from JSON, and what comes out of them.

use futures_util::future::join_all;
use serde_json::json;
use wire::CourseView;

use crate::api_client::{client, problem_of, seeded_job, until};
use crate::matrices::{TestMatrix, assert_same_bits};
use crate::running_node::NodeOptions;

#[tokio::test]
async fn two_by_two_gives_19_22_43_50() {
    let node = NodeOptions::new().start();
    let body = json!({
        "a": {"rows": 2, "cols": 2, "data": [1, 2, 3, 4]},
        "b": {"rows": 2, "cols": 2, "data": [5, 6, 7, 8]},
    });
    let response = node.post(&body).await;
    assert_eq!(response.status(), 202);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let accepted: serde_json::Value = response.json().await.unwrap();
    let job = accepted["id"].as_str().unwrap();
    assert_eq!(location, format!("/api/v1/jobs/{job}"));

    let done = node.completed(job).await;
    assert_eq!(done["blocks"]["done"], done["blocks"]["total"]);
    assert_eq!(done["accepted_results"], done["blocks"]["done"]);
    assert_eq!(done["contributions"][0]["operations"], 16);
    assert_eq!(done["contributions"][0]["rows"], 2);
    assert_eq!(
        done["options"],
        json!({"arithmetic": "reproducible", "spread": "all"})
    );
    assert!(done["completed_at"].is_string() && done["expires_at"].is_string());

    let result = node.get_json(&format!("{location}/result")).await;
    assert_eq!(
        result,
        json!({"rows": 2, "cols": 2, "data": [19, 22, 43, 50]})
    );
    let course: CourseView = node.get_as(&format!("{location}/course")).await;
    assert_eq!(course.block_count(), 1, "one device, one block");
    for block in &course.blocks {
        let stored_us = block.stored_us.expect("every block is done");
        let spent_us = block.receive_us + block.wait_us;
        assert!(block.leased_us + spent_us <= stored_us, "{block:?}");
    }
    assert_eq!(course.blocks.len(), 1);
    assert_eq!(course.epochs.len(), 1);
}

#[tokio::test]
async fn a_tiny_product_for_the_fastest_is_one_block_however_many_devices_there_are() {
    let node = NodeOptions::new().start();
    let other = NodeOptions::new().linked_to(&node).start();
    node.sees(2).await;
    until("both devices are known", || async {
        let nodes = node.get_json("/api/v1/nodes").await;
        let nodes = nodes.as_array().unwrap().iter();
        let mut speeds = nodes.map(|node| node["mflops"].as_f64());
        speeds.all(|speed| speed > Some(0.0)).then_some(())
    })
    .await;
    for (spread, blocks) in [("fastest", 1), ("all", 2)] {
        let matrix = json!({"rows": 2, "cols": 2, "random": {"seed": 7}});
        let options = json!({"spread": spread});
        let body = json!({"a": matrix, "b": matrix, "options": options});
        let done = node.completed(&node.submit(&body).await).await;
        assert_eq!(done["blocks"]["total"], blocks, "{spread}");
    }
    drop(other);
}

#[tokio::test]
async fn data_may_be_written_row_by_row() {
    let node = NodeOptions::new().start();
    let body = json!({
        "a": {"rows": 2, "cols": 2, "data": [[1, 2], [3, 4]]},
        "b": {"rows": 2, "cols": 1, "data": [[1], [10]]},
    });
    let job = node.submit(&body).await;
    node.completed(&job).await;
    assert_eq!(node.result(&job).await, [21.0, 43.0]);
}

#[tokio::test]
async fn seeded_inputs_are_numpys_numbers() {
    let node = NodeOptions::new().start();
    let job = node
        .submit(&json!({
            "a": {"rows": 3, "cols": 5, "random": {"seed": 7}},
            "b": {"rows": 5, "cols": 1, "data": [0, 0, 0, 0, 0]},
        }))
        .await;
    // np.random.Generator(np.random.Philox(key=7)).random((3, 5)).ravel().tolist()
    let expected = [
        0.8720734548204873,
        0.29536538151378355,
        0.4200976785072422,
        0.4053922457839946,
        0.0828426870273763,
        0.6966328926282271,
        0.2963575925326176,
        0.6205620114540453,
        0.014107696329258346,
        0.786863611755331,
        0.8353505536784598,
        0.5331062674595619,
        0.44205212947108785,
        0.8445679063131062,
        0.6363025248640954,
    ];
    let found = node.entries(&format!("/api/v1/jobs/{job}/inputs/a")).await;
    assert_same_bits(&found, &expected);
    let zeros = node.entries(&format!("/api/v1/jobs/{job}/inputs/b")).await;
    assert_eq!(zeros, [0.0; 5]);
}

#[tokio::test]
async fn the_largest_seed_is_a_number_or_its_digits() {
    let node = NodeOptions::new().start();
    // np.random.Generator(np.random.Philox(key=2**64-1)).random((2, 2)).ravel().tolist()
    let expected = [
        0.23494158814525556,
        0.7173107484541781,
        0.41117733204481477,
        0.7161435204444477,
    ];
    for seed in [json!(u64::MAX), json!(u64::MAX.to_string())] {
        let matrix = json!({"rows": 2, "cols": 2, "random": {"seed": seed}});
        let job = node.submit(&json!({"a": matrix, "b": matrix})).await;
        let found = node.entries(&format!("/api/v1/jobs/{job}/inputs/b")).await;
        assert_same_bits(&found, &expected);
    }
}

#[tokio::test]
async fn a_result_has_the_bits_of_the_textbook_sum() {
    let node = NodeOptions::new().start();
    let (a, b) = (TestMatrix::uneven(37, 41), TestMatrix::uneven(41, 29));
    let job = node.submit(&json!({"a": a.json(), "b": b.json()})).await;
    node.completed(&job).await;
    assert_same_bits(&node.result(&job).await, &a.times(&b).entries);
    let path = format!("/api/v1/jobs/{job}/inputs");
    assert_same_bits(&node.entries(&format!("{path}/a")).await, &a.entries);
    assert_same_bits(&node.entries(&format!("{path}/b")).await, &b.entries);
}

#[tokio::test]
async fn fast_arithmetic_is_within_the_usual_bound() {
    let node = NodeOptions::new().start();
    let (a, b) = (TestMatrix::uneven(20, 30), TestMatrix::uneven(30, 10));
    let options = json!({"arithmetic": "fast", "spread": "fastest"});
    let job = node
        .submit(&json!({"a": a.json(), "b": b.json(), "options": options}))
        .await;
    let done = node.completed(&job).await;
    assert_eq!(done["options"], options);
    let size = |matrix: &TestMatrix| TestMatrix {
        entries: matrix.entries.iter().map(|entry| entry.abs()).collect(),
        ..matrix.clone()
    };
    let bound = size(&a).times(&size(&b));
    for ((found, exact), bound) in node
        .result(&job)
        .await
        .iter()
        .zip(&a.times(&b).entries)
        .zip(&bound.entries)
    {
        assert!(
            (found - exact).abs() <= 60.0 * f64::EPSILON * bound,
            "{found} and {exact}"
        );
    }
}

#[tokio::test]
async fn ten_jobs_of_ten_clients_at_once_are_all_right() {
    let node = NodeOptions::new().start();
    let jobs = (0..10).map(|index| {
        let (a, b) = (
            TestMatrix::uneven(3 + index, 5 * index + 1),
            TestMatrix::uneven(5 * index + 1, 17 - index),
        );
        let node = &node;
        async move {
            let job = node.submit(&json!({"a": a.json(), "b": b.json()})).await;
            node.completed(&job).await;
            assert_same_bits(&node.result(&job).await, &a.times(&b).entries);
            job
        }
    });
    let mut submitted = join_all(jobs).await;
    let listed = node.get_json("/api/v1/jobs").await;
    let mut listed: Vec<String> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["id"].as_str().unwrap().to_owned())
        .collect();
    submitted.sort();
    listed.sort();
    assert_eq!(submitted, listed);
}

#[tokio::test]
async fn jobs_are_listed_newest_first_limited_and_by_status() {
    let node = NodeOptions::new().that_never_computes().start();
    let mut submitted = Vec::new();
    for seed in 0..3 {
        submitted.push(node.submit(&seeded_job(2, 2, 2, seed)).await);
        let answered = unix_ms();
        // Jobs of one millisecond have no order.
        until("the clock moves on", || async {
            (unix_ms() > answered).then_some(())
        })
        .await;
    }
    let ids = |list: serde_json::Value| -> Vec<String> {
        let jobs = list.as_array().unwrap().iter();
        jobs.map(|job| job["id"].as_str().unwrap().to_owned())
            .collect()
    };
    submitted.reverse();
    assert_eq!(ids(node.get_json("/api/v1/jobs").await), submitted);
    assert_eq!(
        ids(node.get_json("/api/v1/jobs?limit=2").await),
        submitted[..2]
    );
    let cancelled = client().delete(format!("{}/api/v1/jobs/{}", node.url, submitted[1]));
    assert_eq!(cancelled.send().await.unwrap().status(), 200);
    assert_eq!(
        ids(node.get_json("/api/v1/jobs?status=cancelled").await),
        submitted[1..2]
    );
    assert_eq!(
        ids(node.get_json("/api/v1/jobs?status=running&limit=1").await),
        submitted[..1]
    );
    for query in ["limit=x", "limit=-1", "limit=0", "limit=1.5", "status=lost"] {
        let response = node.get(&format!("/api/v1/jobs?{query}")).await;
        assert_eq!(response.status(), 400, "{query}");
        problem_of(response).await;
    }
}

fn unix_ms() -> u128 {
    let since = std::time::UNIX_EPOCH.elapsed();
    since.unwrap().as_millis()
}
