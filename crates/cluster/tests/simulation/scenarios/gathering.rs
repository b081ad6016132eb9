//! Results of a tiny job wait a moment for each other.

use std::collections::BTreeSet;

use cluster::Input;
use wire::{BlockIndex, JobId, PeerMessage};

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

/// Blocks that devices of the other nodes have returned.
fn blocks_returned(mesh: &Mesh) -> BTreeSet<BlockIndex> {
    let devices = mesh.devices.iter();
    let others = devices.filter(|((home, _), _)| *home != node(1));
    let returned = others.flat_map(|(_, device)| {
        let given = device.given.iter();
        given.filter(|key| !device.tasks.contains_key(key))
    });
    returned.map(|(_, block)| *block).collect()
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

/// Its bytes go with it.
#[test]
fn what_waits_is_stored_before_its_device_leaves() {
    let mut mesh = one_of_six_is_silent(6);
    let job = mesh.submit(node(1), tiny(1, 6));
    let limit = mesh.clock + 500_000;
    mesh.run_while(limit, |mesh| results_sent(mesh, job) < 3);
    mesh.run_for(millis(10));
    assert_eq!(mesh.stored(job).done.len(), 0, "they wait");
    mesh.detach(node(1), page(1));
    assert_eq!(mesh.stored(job).done.len(), 5);
    mesh.run_until_complete(job, seconds(20));
    let reassigned: u64 = mesh
        .stored(job)
        .tallies
        .values()
        .map(|tally| tally.reassigned)
        .sum();
    assert_eq!(reassigned, 1, "the silent one's");
}

#[test]
fn whoever_answers_twice_while_others_are_awaited_is_counted_once() {
    let mut mesh = one_of_six_is_silent(7);
    for at in [(node(1), page(1)), (node(2), page(2))] {
        mesh.change(at, |device| device.habit = Habit::AnswersTwice);
    }
    let job = mesh.submit(node(1), tiny(1, 6));
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
    let returned = blocks_returned(&mesh);
    assert_eq!(returned.len(), 3);
    for device in mesh.devices.values_mut() {
        device.given.clear();
    }
    mesh.run_until_complete(job, seconds(20));
    let given = mesh.devices.values().flat_map(|device| &device.given);
    let again: BTreeSet<_> = given.map(|(_, block)| *block).collect();
    assert!(again.is_disjoint(&returned), "{again:?}, {returned:?}");
}
