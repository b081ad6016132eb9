//! Partial partitions that stay: two nodes never hear each other, and the others hear both.

use cluster::Input;
use wire::{Exchange, JobId, PeerMessage, WorkerKind};

use crate::support::device::Device;
use crate::support::mesh::Mesh;
use crate::support::store::Snapshot;
use crate::support::{millis, native, node, page, record, seconds};

fn nodes(numbers: &[u8], seed: u64) -> Mesh {
    let mut mesh = Mesh::new(seed);
    for number in numbers {
        mesh.add_node(node(*number));
        mesh.attach(node(*number), native(*number), Device::native(1, 1000.0));
    }
    mesh.link_all();
    mesh.run_for(millis(300));
    mesh
}

fn cut(mesh: &mut Mesh, one: u8, other: u8) {
    mesh.deaf.insert((node(one), node(other)));
    mesh.deaf.insert((node(other), node(one)));
}

/// A page of the first node wants work of the other, which it takes for the coordinator.
fn ask_for_work(mesh: &mut Mesh, job: JobId, from: u8, to: u8) {
    let exchange = Exchange {
        worker: page(1),
        kind: WorkerKind::Browser,
        name: String::new(),
        device: String::new(),
        threads: 1,
        mflops: 1000.0,
        slots: 1,
    };
    let message = PeerMessage::Pull { job, exchange };
    let from = node(from);
    mesh.feed(node(to), Input::Peer { from, message });
}

#[test]
fn a_coordinator_that_cannot_hear_its_successor_hears_of_it_from_others() {
    let mut mesh = Mesh::new(1);
    mesh.add_node(node(1));
    mesh.add_node(node(3));
    mesh.link_all();
    mesh.run_for(millis(300));
    // Nobody computes: nothing else tells node 1 that its epoch is over.
    let job = mesh.submit(node(1), record(1, 40));
    mesh.run_for(seconds(1));
    // Node 1 misses node 3 first, and takes node 2 for its backup. Node 3 knows of no holder but node 1.
    cut(&mut mesh, 1, 3);
    mesh.add_node(node(2));
    mesh.link(node(1), node(2));
    mesh.run_for(seconds(5));
    mesh.link(node(3), node(2));
    mesh.run_for(seconds(10));
    assert_eq!(mesh.leaders(job), [node(3)], "{}", mesh.views_of(job));
}

#[test]
fn a_node_that_asks_the_wrong_one_for_work_hears_who_coordinates_the_job() {
    let mut mesh = Mesh::new(2);
    for number in 1..=3 {
        mesh.add_node(node(number));
    }
    cut(&mut mesh, 1, 2);
    mesh.link_all();
    mesh.run_for(millis(300));
    let job = mesh.submit(node(1), record(1, 4000));
    mesh.run_for(seconds(1));
    assert_eq!(mesh.node(node(2)).job(job), None);
    ask_for_work(&mut mesh, job, 2, 3);
    mesh.run_for(millis(100));
    let known = mesh
        .node(node(2))
        .job(job)
        .map(|known| known.epoch.coordinator);
    assert_eq!(known, Some(node(1)));
}

#[test]
fn a_node_that_asks_for_work_of_a_job_that_expired_hears_that() {
    let mut mesh = nodes(&[1, 2], 3);
    let job = mesh.submit(node(1), record(1, 20));
    mesh.run_until_complete(job, seconds(60));
    mesh.run_for(seconds(3 * 7200));
    assert!(mesh.node(node(1)).is_expired(job));
    let before = mesh.sent.len();
    ask_for_work(&mut mesh, job, 2, 1);
    let answer = mesh.sent[before..].iter();
    let mut answer = answer.map(|(_, _, message)| message);
    assert!(answer.any(|it| matches!(it, PeerMessage::Expired { .. })));
}

#[test]
fn a_coordinator_that_lost_its_store_resigns_when_it_is_asked_for_work() {
    let mut mesh = nodes(&[1, 2], 4);
    let job = mesh.submit(node(1), record(1, 400));
    mesh.run_for(seconds(1));
    mesh.crash(node(1));
    mesh.stores
        .get_mut(&node(1))
        .unwrap()
        .restore(Snapshot::default());
    // What it says when the link is new is lost.
    mesh.lose(|message| matches!(message, PeerMessage::Resign { .. }));
    mesh.restart(node(1));
    mesh.run_for(seconds(10));
    mesh.lose_nothing();
    mesh.run_until_complete(job, seconds(100));
}
