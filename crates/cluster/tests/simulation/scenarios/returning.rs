//! Nodes that were away come back: late, without their store, or in another year.

use cluster::{Event, Input, NodeConfig};
use wire::{JobStatus, PeerMessage};

use crate::support::device::Device;
use crate::support::mesh::Mesh;
use crate::support::store::Snapshot;
use crate::support::{millis, native, node, record, seconds};

fn nodes_with(config: NodeConfig, count: u8, seed: u64) -> Mesh {
    let mut mesh = Mesh::with_config(seed, config);
    for number in 1..=count {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(1, 1000.0));
    }
    mesh.link_all();
    mesh.run_for(millis(300));
    mesh
}

fn nodes(count: u8, seed: u64) -> Mesh {
    nodes_with(NodeConfig::default(), count, seed)
}

#[test]
fn the_status_of_a_node_whose_calendar_went_back_stands() {
    let mut mesh = nodes(3, 1);
    mesh.has_real_versions = true;
    mesh.crash(node(2));
    mesh.run_for(seconds(5));
    mesh.set_clock_back(node(2), 3_600_000);
    mesh.restart(node(2));
    mesh.change((node(2), native(2)), |device| device.profile.threads = 9);
    mesh.run_for(seconds(1));
    for number in [1, 3] {
        let mut peers = mesh.node(node(number)).membership().peers();
        let (_, known) = peers.find(|(id, _)| *id == node(2)).unwrap();
        assert_eq!(known.status.as_ref().unwrap().threads, 9);
    }
}

#[test]
fn a_backup_that_restarts_and_finds_the_others_late_does_not_take_over() {
    let mut mesh = nodes(4, 4);
    let job = mesh.submit(node(1), record(1, 3000));
    mesh.run_for(seconds(2));
    for other in 1..=3 {
        mesh.cut(node(4), node(other));
    }
    mesh.crash(node(4));
    mesh.run_for(seconds(10));
    mesh.restart(node(4));
    mesh.run_for(seconds(3));
    for other in 1..=3 {
        mesh.link(node(4), node(other));
    }
    mesh.run_for(seconds(2));
    assert_eq!(mesh.leaders(job), [node(1)]);
    let won = |(_, event): &&(_, Event)| matches!(event, Event::ElectionWon { .. });
    assert_eq!(mesh.events.iter().filter(won).count(), 0);
    mesh.memory.done_work.is_asked = true;
    mesh.run_until_complete(job, seconds(400));
}

/// Whoever looked everywhere in vain takes over without waiting for the rest of the search.
#[test]
fn a_backup_that_restarts_alone_takes_over_when_all_others_refuse() {
    let mut mesh = nodes(3, 5);
    let job = mesh.submit(node(1), record(1, 3000));
    mesh.run_for(seconds(1));
    (1..=3).for_each(|number| mesh.crash(node(number)));
    mesh.run_for(seconds(5));
    mesh.restart(node(2));
    mesh.run_for(seconds(2));
    assert_eq!(mesh.leaders(job), [node(2)]);
}

#[test]
fn a_backup_that_lost_its_store_and_restarted_at_once_gets_its_copy_again() {
    let mut mesh = nodes(2, 5);
    mesh.checks_joined = true;
    let job = mesh.submit(node(1), record(1, 300));
    mesh.run_for(seconds(1));
    assert!(mesh.stores[&node(2)].jobs.contains_key(&job));
    mesh.crash(node(2));
    let store = mesh.stores.get_mut(&node(2)).unwrap();
    store.restore(Snapshot::default());
    mesh.restart(node(2));
    mesh.run_for(seconds(3));
    let there = mesh.stores[&node(1)].jobs[&job].done.len();
    let copied = mesh.stores[&node(2)].jobs[&job].done.len();
    assert!(copied + 10 > there, "{copied} of {there} blocks are copied");
    mesh.crash(node(1));
    mesh.run_until_complete(job, seconds(400));
}

#[test]
fn what_an_earlier_life_of_a_coordinator_sent_acknowledges_nothing() {
    let mut mesh = nodes(2, 6);
    let job = mesh.submit(node(1), record(1, 3000));
    mesh.run_for(millis(200));
    // Headers are numbered: backups come and go.
    for _ in 0..4 {
        mesh.muted.insert(node(2));
        mesh.run_for(seconds(2));
        mesh.muted.clear();
        mesh.run_for(seconds(2));
    }
    // The lid of 2 is closed: it is dropped, and elects nobody.
    mesh.freeze(node(2));
    mesh.run_for(seconds(3));
    mesh.crash(node(1));
    mesh.run_for(millis(10));
    mesh.restart(node(1));
    mesh.run_for(seconds(1));
    mesh.thaw(node(2));
    mesh.run_for(seconds(3));
    mesh.lose(|message| matches!(message, PeerMessage::CopyHead { .. }));
    mesh.feed(node(1), Input::Cancel { job });
    mesh.run_for(millis(1000));
    let is_stored = mesh.stores[&node(2)].jobs[&job].ended.is_some();
    let is_joined = mesh.node(node(1)).is_backed(job);
    assert!(!mesh.is_end_told(job) || is_stored || !is_joined);
}

#[test]
fn a_copy_that_comes_back_after_its_job_expired_is_buried_whatever_its_calendar_says() {
    for (behind, ahead) in [(3_600_000, 0), (0, 0), (0, 86_400_000)] {
        let config = NodeConfig {
            result_ttl: seconds(30),
            ..NodeConfig::default()
        };
        let mut mesh = nodes_with(config, 3, 11);
        let job = mesh.submit(node(1), record(1, 100));
        mesh.run_for(millis(200));
        mesh.crash(node(2));
        mesh.run_for(seconds(120));
        assert!(mesh.node(node(1)).is_expired(job));
        mesh.set_clock_back(node(2), behind);
        mesh.set_clock_ahead(node(2), ahead);
        mesh.restart(node(2));
        mesh.run_for(seconds(10));
        let told = mesh.node(node(2)).job(job).map(|told| told.status);
        assert_eq!(told, None, "{behind} ms behind, {ahead} ms ahead");
        assert!(mesh.node(node(2)).is_expired(job));
        assert!(!mesh.stores[&node(2)].jobs.contains_key(&job));
    }
}

#[test]
fn a_submission_that_failed_here_does_not_end_its_retry_elsewhere() {
    let mut mesh = Mesh::new(7);
    for number in 1..=2 {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(1, 1000.0));
    }
    mesh.run_for(millis(300));
    let job = mesh.submit(node(2), record(1, 500));
    mesh.run_for(seconds(1));
    // Node 1 gets its disk back: what waited there is stored, and was never announced.
    mesh.submit(node(1), record(1, 500));
    let failed = mesh.node(node(1)).replica(job).unwrap();
    let submitted_at_unix_ms = failed.record.submitted_at_unix_ms;
    let withdraw = |submitted_at_unix_ms| Input::Withdraw {
        job,
        submitted_at_unix_ms,
    };
    mesh.feed(node(1), withdraw(submitted_at_unix_ms));
    assert_eq!(mesh.stores[&node(1)].jobs.get(&job), None);
    mesh.link_all();
    mesh.run_for(seconds(3));
    assert_eq!(
        mesh.node(node(2)).job(job).unwrap().status,
        JobStatus::Running
    );
    // The word on another submission of the same key changes nothing.
    mesh.feed(node(2), withdraw(submitted_at_unix_ms));
    mesh.run_until_complete(job, seconds(60));
}

#[test]
fn a_withdrawn_job_of_which_others_have_copies_goes_on_with_them() {
    let mut mesh = nodes(3, 8);
    let job = mesh.submit(node(1), record(1, 300));
    mesh.run_for(millis(500));
    let record = &mesh.node(node(1)).replica(job).unwrap().record;
    let submitted_at_unix_ms = record.submitted_at_unix_ms;
    mesh.feed(
        node(1),
        Input::Withdraw {
            job,
            submitted_at_unix_ms,
        },
    );
    mesh.run_until_complete(job, seconds(60));
}
