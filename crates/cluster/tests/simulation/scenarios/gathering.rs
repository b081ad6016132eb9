//! Results of a tiny job wait a moment for each other.

use std::collections::BTreeSet;

use cluster::{Change, Input, NodeConfig, Output};
use wire::{BlockIndex, ChunkHash, JobId, PeerMessage};

use super::completing::three_nodes;
use crate::support::device::{Device, Habit};
use crate::support::mesh::Mesh;
use crate::support::{millis, native, node, page, record, seconds, tiny};

/// Six devices, one of which takes its block and is silent.
fn one_of_six_is_silent(seed: u64) -> Mesh {
    let mut mesh = three_nodes(seed);
    mesh.change((node(3), page(3)), |device| {
        device.habit = Habit::NeverAnswers;
    });
    mesh
}

/// A mesh in which all results but that one have come to the coordinator, and wait there.
fn five_wait(seed: u64) -> (Mesh, JobId) {
    let mut mesh = one_of_six_is_silent(seed);
    let job = mesh.submit(node(1), tiny(1, 6));
    let limit = mesh.clock + 500_000;
    mesh.run_while(limit, |mesh| results_sent(mesh, job) < 3);
    mesh.run_for(millis(10));
    assert_eq!(mesh.stored(job).done.len(), 0, "they wait");
    (mesh, job)
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
    let (mut mesh, job) = five_wait(4);
    mesh.feed(node(1), Input::Resign);
    assert_eq!(mesh.stored(job).done.len(), 5);
    mesh.run_until_complete(job, seconds(20));
}

/// Its bytes go with it.
#[test]
fn what_waits_is_stored_before_its_device_leaves() {
    let (mut mesh, job) = five_wait(6);
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
    let (mut mesh, job) = five_wait(5);
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

/// The second one takes the place of the first, whose bytes are then gone.
#[test]
fn of_two_results_at_once_the_first_does_not_wait() {
    let mut mesh = one_of_six_is_silent(8);
    mesh.change((node(1), page(1)), |device| {
        device.habit = Habit::NeverAnswers
    });
    let job = mesh.submit(node(1), tiny(1, 6));
    let is_given = |mesh: &Mesh| !mesh.devices[&(node(1), page(1))].tasks.is_empty();
    let limit = mesh.clock + 500_000;
    mesh.run_while(limit, |mesh| !is_given(mesh));
    let device = &mesh.devices[&(node(1), page(1))];
    let ((_, block), task) = device.tasks.first_key_value().expect("it was given one");
    let results = [1, 2].map(|fill: u8| {
        let mut proof = device.proof(task);
        proof.hash = Some(ChunkHash::of(&[fill]));
        Input::WorkerResult {
            worker: page(1),
            job,
            block: *block,
            proof,
        }
    });
    let now = mesh.now(node(1));
    let host = mesh.hosts.get_mut(&node(1)).expect("it was added");
    let outputs = host.node.handle_all(now, results);
    let stored = outputs.iter().find_map(|output| match output {
        Output::Persist(Change::Done { done, .. }) => Some(done.hash),
        _ => None,
    });
    assert_eq!(stored, Some(ChunkHash::of(&[1])));
}

/// Here every lease is shorter than the wait.
#[test]
fn nothing_waits_for_longer_than_its_lease() {
    let config = NodeConfig {
        block_timeout: millis(40),
        ..NodeConfig::default()
    };
    let mut mesh = Mesh::with_config(9, config);
    for number in 1..=3 {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(4, 4000.0));
    }
    mesh.link_all();
    mesh.run_for(seconds(1));
    mesh.change((node(3), native(3)), |device| {
        device.habit = Habit::NeverAnswers;
    });
    let job = mesh.submit(node(1), tiny(1, 3));
    mesh.run_for(millis(30));
    assert_eq!(mesh.stored(job).done.len(), 2);
}
