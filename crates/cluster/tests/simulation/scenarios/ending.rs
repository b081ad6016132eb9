//! Jobs that are over: kept for their time, then forgotten everywhere.

use cluster::{Input, NodeConfig};
use wire::JobStatus;

use crate::invariants::nothing_is_left_over;
use crate::support::device::Device;
use crate::support::mesh::Mesh;
use crate::support::{job, millis, native, node, record, seconds};

fn short_lived(seed: u64) -> Mesh {
    let config = NodeConfig {
        result_ttl: seconds(10),
        ..NodeConfig::default()
    };
    let mut mesh = Mesh::with_config(seed, config);
    for number in 1..=2 {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(1, 1000.0));
    }
    mesh.link_all();
    mesh.run_for(seconds(1));
    mesh
}

#[test]
fn an_expired_job_leaves_the_directory_and_is_known_as_expired() {
    let mut mesh = short_lived(1);
    let job = mesh.submit(node(1), record(1, 8));
    mesh.run_until_complete(job, seconds(5));
    mesh.run_for(millis(9_900));
    assert!(mesh.node(node(1)).job(job).is_some());
    assert!(!mesh.node(node(1)).is_expired(job));
    mesh.run_for(millis(200));
    let coordinator = mesh.node(node(1));
    assert_eq!(coordinator.job(job), None);
    assert!(coordinator.coordinator(job).is_none());
    assert!(coordinator.is_expired(job));
    assert!(mesh.stores[&node(1)].expired.contains_key(&job));
}

#[test]
fn an_expired_job_leaves_the_directory_of_the_other_nodes_too() {
    let mut mesh = short_lived(2);
    let job = mesh.submit(node(1), record(1, 8));
    mesh.run_until_complete(job, seconds(5));
    mesh.run_for(seconds(11));
    assert_eq!(mesh.node(node(2)).job(job), None);
    assert!(mesh.node(node(2)).is_expired(job));
}

#[test]
fn an_expired_job_does_not_come_back_with_a_node_that_was_away() {
    let mut mesh = short_lived(3);
    let id = mesh.submit(node(1), record(1, 8));
    mesh.run_until_complete(id, seconds(5));
    mesh.run_for(millis(50));
    mesh.cut(node(1), node(2));
    mesh.run_for(seconds(11));
    mesh.link(node(1), node(2));
    mesh.run_for(seconds(1));
    assert!(mesh.node(node(1)).is_expired(id));
    assert_eq!(mesh.node(node(1)).job(id), None);
    assert_eq!(mesh.node(node(1)).jobs().count(), 0);
    assert_eq!(id, job(1));
}

#[test]
fn a_restart_does_not_prolong_the_life_of_a_result() {
    let mut mesh = short_lived(4);
    let job = mesh.submit(node(1), record(1, 8));
    mesh.run_until_complete(job, seconds(5));
    for _ in 0..4 {
        mesh.run_for(seconds(2));
        mesh.crash(node(1));
        mesh.run_for(millis(100));
        mesh.restart(node(1));
    }
    mesh.run_for(seconds(3));
    assert!(mesh.node(node(1)).is_expired(job));
}

#[test]
fn a_result_kept_for_a_job_that_ended_is_released() {
    let mut mesh = short_lived(5);
    mesh.detach(node(1), native(1));
    let job = mesh.submit(node(1), record(1, 40));
    mesh.lose(|message| matches!(message, wire::PeerMessage::Counted { .. }));
    mesh.run_for(millis(200));
    mesh.feed(node(1), Input::Cancel { job });
    mesh.run_for(millis(100));
    assert_eq!(
        mesh.node(node(2)).job(job).unwrap().status,
        JobStatus::Cancelled
    );
    nothing_is_left_over::check(&mesh);
}

#[test]
fn a_cancelled_job_stays_cancelled_when_a_result_comes_late() {
    let mut mesh = short_lived(6);
    let job = mesh.submit(node(1), record(1, 400));
    mesh.run_for(millis(500));
    mesh.feed(node(1), Input::Cancel { job });
    let done = mesh.stored(job).done.len();
    mesh.run_for(seconds(1));
    assert_eq!(mesh.stored_status(job), JobStatus::Cancelled);
    assert_eq!(mesh.stored(job).done.len(), done);
}

#[test]
fn the_cancel_of_an_unknown_job_is_nothing() {
    let mut mesh = short_lived(7);
    mesh.feed(node(1), Input::Cancel { job: job(9) });
    mesh.run_for(seconds(1));
    assert_eq!(mesh.node(node(1)).job(job(9)), None);
}

#[test]
fn a_job_of_which_nothing_becomes_for_the_time_to_live_fails() {
    let mut mesh = short_lived(8);
    for number in 1..=2 {
        mesh.detach(node(number), native(number));
    }
    let job = mesh.submit(node(1), record(1, 8));
    mesh.run_for(millis(9_900));
    assert_eq!(mesh.stored_status(job), JobStatus::Running);
    mesh.run_for(millis(200));
    assert_eq!(mesh.stored_status(job), JobStatus::Failed);
    let known = mesh.node(node(2)).job(job).unwrap();
    assert_eq!(known.status, JobStatus::Failed);
}

#[test]
fn a_slow_job_does_not_fail_while_results_come() {
    let mut mesh = short_lived(9);
    for number in 1..=2 {
        mesh.detach(node(number), native(number));
    }
    mesh.attach(node(2), native(2), Device::native(1, 2.5));
    let job = mesh.submit(node(1), record(1, 5));
    let took = mesh.run_until_complete(job, seconds(60));
    assert!(took > seconds(30), "{took:?}");
}
