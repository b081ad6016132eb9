//! Jobs whose holders are gone, perhaps for good.

use cluster::{Input, NodeConfig};
use wire::{Ending, JobId, JobStatus, NodeId, WorkerId};

use crate::support::device::Device;
use crate::support::mesh::Mesh;
use crate::support::store::Snapshot;
use crate::support::{job, millis, native, node, of_files, record, seconds};

/// Nodes whose jobs have no backups.
fn without_backups(count: u8, seed: u64) -> Mesh {
    let config = NodeConfig {
        backups: 0,
        result_ttl: seconds(300),
        ..NodeConfig::default()
    };
    let mut mesh = Mesh::with_config(seed, config);
    for number in 1..=count {
        mesh.add_node(node(number));
    }
    mesh.link_all();
    mesh.run_for(millis(300));
    mesh
}

/// A job at node 1 of two, which died while it ran.
fn abandoned(seed: u64) -> (Mesh, JobId) {
    let mut mesh = without_backups(2, seed);
    mesh.attach(node(2), native(2), Device::native(1, 1000.0));
    let gone = mesh.submit(node(1), record(1, 20_000));
    mesh.run_for(millis(300));
    mesh.crash(node(1));
    mesh.run_for(seconds(5));
    (mesh, gone)
}

fn status_at(mesh: &Mesh, number: u8, job: JobId) -> Option<JobStatus> {
    mesh.node(node(number)).job(job).map(|told| told.status)
}

#[test]
fn a_device_that_keeps_results_of_jobs_nobody_takes_works_for_others() {
    for (threads, gone) in [(16, 1), (24, 1), (8, 3)] {
        let mut mesh = without_backups(5, 2);
        let fast = Device::native(threads, f64::from(threads) * 20_000.0);
        mesh.attach(node(5), native(5), fast);
        for number in 1..=gone {
            mesh.submit(node(number), record(number, 20_000));
            mesh.run_for(millis(600));
            mesh.crash(node(number));
            mesh.run_for(seconds(5));
        }
        let given = mesh.devices[&(node(5), native(5))].given.len();
        assert!(given > 100, "{given} blocks were begun for the others");
        let own = mesh.submit(node(5), record(9, 50));
        mesh.run_until_complete(own, seconds(10));
    }
}

#[test]
fn the_same_when_all_four_holders_left() {
    let mut mesh = Mesh::new(2);
    for number in 1..=5 {
        mesh.add_node(node(number));
    }
    mesh.link_all();
    mesh.run_for(millis(300));
    let gone = mesh.submit(node(1), record(1, 20_000));
    mesh.run_for(millis(100));
    let holders: Vec<NodeId> = mesh
        .node(node(1))
        .replica(gone)
        .unwrap()
        .holders()
        .collect();
    let other = (1..=5).map(node).find(|id| !holders.contains(id)).unwrap();
    mesh.attach(other, WorkerId::from(other), Device::native(16, 320_000.0));
    mesh.run_for(millis(800));
    holders.iter().for_each(|holder| mesh.crash(*holder));
    mesh.run_for(seconds(5));
    let own = mesh.submit(other, record(2, 50));
    mesh.run_until_complete(own, seconds(10));
}

#[test]
fn results_for_a_coordinator_that_comes_back_are_still_there() {
    let mut mesh = without_backups(2, 3);
    mesh.attach(node(2), native(2), Device::native(4, 80_000.0));
    let job = mesh.submit(node(1), record(1, 300));
    mesh.run_for(millis(100));
    mesh.crash(node(1));
    mesh.run_for(seconds(5));
    let begun = mesh.devices[&(node(2), native(2))].given.len();
    mesh.restart(node(1));
    mesh.run_until_complete(job, seconds(60));
    let given = mesh.devices[&(node(2), native(2))].given.len();
    assert!(
        begun > 0 && given <= 300,
        "{given} blocks were begun, {begun} of them before"
    );
}

#[test]
fn a_job_that_nobody_there_holds_can_be_cancelled_by_anybody() {
    let (mut mesh, gone) = abandoned(3);
    mesh.feed(node(2), Input::Cancel { job: gone });
    mesh.run_for(seconds(1));
    assert_eq!(status_at(&mesh, 2, gone), Some(JobStatus::Cancelled));
    assert!(mesh.devices[&(node(2), native(2))].tasks.is_empty());
    // Whoever comes back with a copy hears it, and stores it.
    mesh.restart(node(1));
    mesh.run_for(seconds(5));
    assert_eq!(status_at(&mesh, 1, gone), Some(JobStatus::Cancelled));
    let ended = mesh.stored(gone).ended.map(|ended| ended.ending);
    assert_eq!(ended, Some(Ending::Cancelled));
}

#[test]
fn a_job_that_nobody_held_for_its_time_to_live_has_failed_until_a_copy_comes_back() {
    let (mut mesh, gone) = abandoned(4);
    mesh.run_for(seconds(290));
    assert_eq!(status_at(&mesh, 2, gone), Some(JobStatus::Running));
    mesh.run_for(seconds(20));
    assert_eq!(status_at(&mesh, 2, gone), Some(JobStatus::Failed));
    assert!(mesh.node(node(2)).is_abandoned(gone));
    mesh.restart(node(1));
    mesh.run_for(seconds(2));
    assert_eq!(status_at(&mesh, 2, gone), Some(JobStatus::Running));
    mesh.run_until_complete(gone, seconds(1000));
}

#[test]
fn a_job_that_nobody_held_for_long_is_forgotten_and_known_again_with_its_copy() {
    let (mut mesh, gone) = abandoned(5);
    mesh.run_for(seconds(1000));
    assert_eq!(status_at(&mesh, 2, gone), None);
    assert!(!mesh.node(node(2)).is_expired(gone), "it never ended");
    mesh.restart(node(1));
    mesh.run_until_complete(gone, seconds(1000));
}

/// Two copies without inputs are left of a job that was never announced.
fn without_inputs(mesh: &mut Mesh) -> JobId {
    let job = mesh.submit(node(1), of_files(record(1, 60)));
    mesh.run_for(millis(6));
    assert!(!mesh.memory.acknowledged.has(job));
    let copies = mesh
        .stores
        .values()
        .filter(|store| store.jobs.contains_key(&job));
    assert!(copies.count() > 1, "its backups have heard of it");
    job
}

fn three_nodes(seed: u64) -> Mesh {
    let config = NodeConfig {
        result_ttl: seconds(300),
        ..NodeConfig::default()
    };
    let mut mesh = Mesh::with_config(seed, config);
    for number in 1..=3 {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(1, 1000.0));
    }
    mesh.link_all();
    mesh.run_for(millis(300));
    mesh
}

#[test]
fn a_job_whose_inputs_are_nowhere_is_given_up_after_its_time_to_live() {
    let mut mesh = three_nodes(10);
    let job = without_inputs(&mut mesh);
    mesh.crash(node(1));
    mesh.run_for(seconds(400));
    for number in 2..=3 {
        let told = status_at(&mesh, number, job);
        assert!(
            told.is_none_or(|told| told == JobStatus::Failed),
            "{told:?}"
        );
        assert!(!mesh.stores[&node(number)].jobs.contains_key(&job));
    }
}

#[test]
fn a_job_whose_inputs_are_nowhere_can_be_cancelled_at_any_node() {
    // Node 1 has lost its store, and with it all that it knew of the job.
    for asked in 2..=3 {
        let mut mesh = three_nodes(12);
        let lost = without_inputs(&mut mesh);
        assert_eq!(lost, job(1));
        mesh.crash(node(1));
        let store = mesh.stores.get_mut(&node(1)).unwrap();
        store.restore(Snapshot::default());
        mesh.run_for(seconds(10));
        mesh.restart(node(1));
        mesh.run_for(seconds(20));
        mesh.feed(node(asked), Input::Cancel { job: lost });
        mesh.run_for(seconds(5));
        for number in 1..=3 {
            let copy = mesh.node(node(number)).replica(lost);
            let is_over = copy.is_none_or(|copy| copy.ended.is_some());
            assert!(is_over, "asked at {asked}: {}", mesh.views_of(lost));
            let told = status_at(&mesh, number, lost);
            assert_ne!(
                told,
                Some(JobStatus::Running),
                "asked at {asked}, told at {number}"
            );
        }
    }
}
