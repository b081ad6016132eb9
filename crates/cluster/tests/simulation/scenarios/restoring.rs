//! What a node makes of its store when it starts again.

use std::rc::Rc;

use cluster::{Event, Input};
use wire::{Ending, JobStatus};

use crate::invariants::nothing_is_left_over;
use crate::scenarios::completing::three_nodes;
use crate::support::device::Device;
use crate::support::mesh::Mesh;
use crate::support::store::done_blocks;
use crate::support::{job, millis, native, node, record, seconds};

#[test]
fn a_half_done_job_is_restored_and_only_its_pending_blocks_are_computed() {
    let mut mesh = three_nodes(1);
    let job = mesh.submit(node(1), record(1, 600));
    mesh.run_for(millis(300));
    mesh.crash(node(1));
    let done = done_blocks(&mesh.stored(job));
    assert!(done > 20 && done < 580, "{done}");
    mesh.run_for(millis(700));
    let finished: Vec<_> = mesh.stored(job).done.keys().copied().collect();
    for device in mesh.devices.values_mut() {
        device.given.clear();
    }
    mesh.restart(node(1));
    mesh.run_until_complete(job, seconds(60));
    for (at, device) in &mesh.devices {
        for (_, block) in &device.given {
            assert!(!finished.contains(block), "{at:?} repeats {block}");
        }
    }
    mesh.run_for(seconds(1));
    nothing_is_left_over::check(&mesh);
}

#[test]
fn a_job_of_which_only_the_end_was_not_stored_ends_when_restored() {
    let mut mesh = Mesh::new(2);
    mesh.add_node(node(1));
    mesh.attach(node(1), native(1), Device::native(2, 2000.0));
    let job = mesh.submit(node(1), record(1, 8));
    mesh.run_until_complete(job, seconds(5));
    mesh.crash(node(1));
    // As if the process had died between the last block and the end.
    let store = mesh.stores.get_mut(&node(1)).unwrap();
    Rc::make_mut(store.jobs.get_mut(&job).unwrap()).ended = None;
    mesh.restart(node(1));
    mesh.run_for(millis(1));
    assert_eq!(mesh.stored_status(job), JobStatus::Complete);
    assert_eq!(
        mesh.node(node(1)).job(job).unwrap().status,
        JobStatus::Complete
    );
}

#[test]
fn an_ended_job_stays_ended_when_restored() {
    let mut mesh = three_nodes(3);
    let done = mesh.submit(node(1), record(1, 16));
    mesh.run_until_complete(done, seconds(5));
    let cancelled = mesh.submit(node(1), record(2, 600));
    mesh.run_for(millis(50));
    mesh.feed(node(1), Input::Cancel { job: cancelled });
    mesh.run_for(millis(50));
    mesh.crash(node(1));
    mesh.run_for(seconds(2));
    mesh.restart(node(1));
    mesh.run_for(seconds(2));
    for number in 1..=3 {
        let status = |job| mesh.node(node(number)).job(job).unwrap().status;
        assert_eq!(status(done), JobStatus::Complete);
        assert_eq!(status(cancelled), JobStatus::Cancelled);
    }
    let ended = mesh.stored(cancelled).ended.clone();
    assert_eq!(ended.unwrap().ending, Ending::Cancelled);
}

#[test]
fn the_time_a_job_took_counts_from_its_submission_over_a_restart() {
    let mut mesh = Mesh::new(4);
    mesh.add_node(node(1));
    let job = mesh.submit(node(1), record(1, 8));
    mesh.run_for(seconds(10));
    mesh.crash(node(1));
    mesh.run_for(seconds(20));
    mesh.restart(node(1));
    mesh.attach(node(1), native(1), Device::native(2, 2000.0));
    mesh.run_until_complete(job, seconds(5));
    let elapsed_ms = mesh.stored(job).ended.as_ref().unwrap().elapsed_ms;
    assert!((30_000.0..31_000.0).contains(&elapsed_ms), "{elapsed_ms}");
    let events = mesh.events.iter();
    let mut told = events.filter_map(|(_, event)| match event {
        Event::JobEnded { elapsed, .. } => Some(*elapsed),
        _ => None,
    });
    assert!(told.next_back().unwrap() >= seconds(30));
}

#[test]
fn the_summaries_of_a_restarted_node_count_although_its_clock_went_back() {
    let mut mesh = three_nodes(5);
    let job = mesh.submit(node(1), record(1, 2000));
    mesh.run_for(seconds(1));
    mesh.crash(node(1));
    // A board without a battery: it starts in the past.
    mesh.set_clock_back(node(1), 3_600_000);
    mesh.run_for(seconds(2));
    mesh.restart(node(1));
    mesh.run_until_complete(job, seconds(60));
    mesh.run_for(seconds(1));
    for number in 1..=3 {
        let known = mesh.node(node(number)).job(job).unwrap();
        assert_eq!(known.status, JobStatus::Complete, "at {number}");
    }
}

#[test]
fn a_restored_record_that_is_no_job_is_left_alone() {
    let mut mesh = Mesh::new(6);
    mesh.add_node(node(1));
    let mut bad = record(1, 8);
    bad.cut.rows_per_block = 0;
    let leadership = wire::Leadership {
        epoch: wire::Epoch {
            number: 1,
            coordinator: node(1),
            incarnation: 0,
        },
        version: 0,
        backups: Vec::new(),
    };
    let restored = cluster::Restored {
        replica: cluster::Replica::new(bad, leadership),
        ended_ago: millis(0),
        has_inputs: true,
    };
    mesh.feed(node(1), Input::Restore(Box::new(restored)));
    assert_eq!(mesh.node(node(1)).job(job(1)), None);
}
