//! Results of a tiny job wait a moment for each other.

use std::collections::BTreeSet;

use cluster::Input;
use wire::{JobId, PeerMessage};

use super::completing::three_nodes;
use crate::support::device::Habit;
use crate::support::mesh::Mesh;
use crate::support::{millis, node, page, record, seconds, tiny};

/// Six devices, one of which takes its block and is silent.
fn one_of_six_is_silent(seed: u64) -> Mesh {
    let mut mesh = three_nodes(seed);
    mesh.change((node(3), page(3)), |device| {
        device.habit = Habit::NeverAnswers;
    });
    mesh
}

/// Results of other nodes that have left for the coordinator.
fn results_sent(mesh: &Mesh, job: JobId) -> usize {
    let is_result = |message: &PeerMessage| matches!(message, PeerMessage::Result { job: of, .. } if *of == job);
    let sent = mesh.sent.iter();
    sent.filter(|(.., message)| is_result(message)).count()
}

#[test]
fn results_of_a_tiny_job_are_stored_together() {
    let mut mesh = three_nodes(1);
    let job = mesh.submit(node(1), tiny(1, 6));
    mesh.run_until_complete(job, millis(500));
    let stored = mesh.stored(job);
    let moments = stored.done.values().map(|done| done.course.stored_us);
    let moments: BTreeSet<u64> = moments.collect();
    assert_eq!((stored.done.len(), moments.len()), (6, 1));
}

#[test]
fn one_that_does_not_come_holds_the_others_up_for_a_moment_only() {
    let mut mesh = one_of_six_is_silent(2);
    let job = mesh.submit(node(1), tiny(1, 6));
    mesh.run_for(millis(150));
    assert_eq!(mesh.stored(job).done.len(), 5);
    mesh.run_until_complete(job, seconds(10));
}

#[test]
fn results_of_other_jobs_do_not_wait() {
    let mut mesh = one_of_six_is_silent(3);
    let job = mesh.submit(node(1), record(1, 64));
    mesh.run_for(millis(40));
    assert!(!mesh.stored(job).done.is_empty());
}

#[test]
fn what_waits_is_stored_before_its_coordinator_leaves() {
    let mut mesh = one_of_six_is_silent(4);
    let job = mesh.submit(node(1), tiny(1, 6));
    let limit = mesh.clock + 500_000;
    mesh.run_while(limit, |mesh| results_sent(mesh, job) < 3);
    mesh.run_for(millis(10));
    assert_eq!(mesh.stored(job).done.len(), 0, "they wait");
    mesh.feed(node(1), Input::Resign);
    assert_eq!(mesh.stored(job).done.len(), 5);
    mesh.run_until_complete(job, seconds(20));
}

/// What a coordinator has not stored its devices still have.
#[test]
fn what_waits_where_a_plug_is_pulled_comes_again() {
    let mut mesh = one_of_six_is_silent(5);
    let job = mesh.submit(node(1), tiny(1, 6));
    let limit = mesh.clock + 500_000;
    mesh.run_while(limit, |mesh| results_sent(mesh, job) < 3);
    mesh.run_for(millis(10));
    assert_eq!(mesh.stored(job).done.len(), 0, "they wait");
    mesh.crash(node(1));
    mesh.run_until_complete(job, seconds(20));
}
