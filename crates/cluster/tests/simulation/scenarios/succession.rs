//! Coordinators that die, fall silent, sleep, leave, or are cut off: another
//! leads on, and nothing that counted is computed again.

use std::collections::BTreeSet;

use cluster::{Event, Input, NodeConfig};
use wire::{BlockIndex, JobId, JobStatus, NodeId, PeerMessage};

use crate::support::device::Device;
use crate::support::mesh::Mesh;
use crate::support::{job, millis, native, node, of_files, record, seconds};

/// So many nodes, each with a thread of 1000 MFLOPS: 20 ms a block.
fn nodes(count: u8, seed: u64) -> Mesh {
    let mut mesh = Mesh::new(seed);
    for number in 1..=count {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(1, 1000.0));
    }
    mesh.link_all();
    mesh.run_for(millis(300));
    mesh
}

/// The links between two halves of four nodes.
const BETWEEN_HALVES: [(u8, u8); 4] = [(1, 3), (1, 4), (2, 3), (2, 4)];

/// The one who leads, once somebody does.
fn leader(mesh: &mut Mesh, job: JobId) -> NodeId {
    for _ in 0..400 {
        if let [one] = mesh.leaders(job)[..] {
            return one;
        }
        mesh.run_for(millis(10));
    }
    panic!("nobody leads: {}", mesh.views_of(job));
}

fn counted(mesh: &Mesh) -> Vec<(u64, BlockIndex)> {
    let events = mesh.events.iter().zip(&mesh.event_times);
    let done = events.filter_map(|((_, event), at)| match event {
        Event::BlockDone { block, .. } => Some((*at, *block)),
        _ => None,
    });
    done.collect()
}

/// No block counts twice, and none that counted is begun again.
fn check_nothing_repeated(mesh: &Mesh) {
    let mut seen = BTreeSet::new();
    for (at, block) in counted(mesh) {
        assert!(seen.insert(block), "block {block} counted again at {at}");
    }
}

/// Milliseconds from a moment to the next block that counts.
fn until_next_block(mesh: &Mesh, from: u64) -> u64 {
    let next = counted(mesh).into_iter().find(|(at, _)| *at > from);
    (next.expect("a block counts").0 - from) / 1000
}

#[test]
fn a_killed_coordinator_is_followed_at_once() {
    for seed in 0..20 {
        let mut mesh = nodes(4, seed);
        let job = mesh.submit(node(1), record(1, 400));
        mesh.run_for(millis(800));
        mesh.crash(node(1));
        let killed = mesh.clock;
        mesh.run_until_complete(job, seconds(20));
        let took = until_next_block(&mesh, killed);
        assert!(took < 400, "seed {seed}: {took} ms");
        check_nothing_repeated(&mesh);
        let epoch = mesh.stored(job).epoch();
        assert_eq!(
            (epoch.number, epoch.coordinator),
            (2, node(4)),
            "seed {seed}"
        );
    }
}

#[test]
fn a_silent_coordinator_is_followed_after_the_time_out() {
    let mut mesh = nodes(4, 1);
    let job = mesh.submit(node(1), record(1, 400));
    mesh.run_for(millis(800));
    mesh.muted.insert(node(1));
    let silent = mesh.clock;
    mesh.run_until_complete(job, seconds(20));
    let own =
        |(id, event): &(NodeId, Event)| *id == node(1) && matches!(event, Event::BlockDone { .. });
    mesh.events_without(own);
    assert!(until_next_block(&mesh, silent) < 2_000);
}

#[test]
fn coordinators_die_one_after_the_other_and_the_last_node_finishes() {
    let mut mesh = nodes(4, 2);
    let job = mesh.submit(node(1), record(1, 400));
    mesh.run_for(millis(400));
    for _ in 0..3 {
        let one = leader(&mut mesh, job);
        mesh.crash(one);
        mesh.run_for(millis(600));
    }
    mesh.run_until_complete(job, seconds(60));
    check_nothing_repeated(&mesh);
}

#[test]
fn all_nodes_die_and_come_back_and_the_job_finishes() {
    let mut mesh = nodes(4, 3);
    let job = mesh.submit(node(2), record(1, 200));
    mesh.run_for(millis(700));
    for number in 1..=4 {
        mesh.crash(node(number));
    }
    mesh.run_for(seconds(1));
    for number in 1..=4 {
        mesh.restart(node(number));
    }
    mesh.run_until_complete(job, seconds(60));
    check_nothing_repeated(&mesh);
}

#[test]
fn a_coordinator_that_slept_steps_down_when_it_wakes() {
    let mut mesh = nodes(4, 4);
    let job = mesh.submit(node(1), record(1, 6000));
    mesh.run_for(millis(800));
    mesh.freeze(node(1));
    mesh.run_for(seconds(10));
    mesh.thaw(node(1));
    mesh.run_for(seconds(3));
    assert_eq!(mesh.leaders(job).len(), 1);
    let stepped = mesh.events.iter();
    let mut stepped = stepped.filter(|(_, event)| matches!(event, Event::SteppedDown { .. }));
    assert!(
        stepped.any(|(id, _)| *id == node(1)),
        "{}",
        mesh.views_of(job)
    );
    mesh.run_until_complete(job, seconds(200));
    mesh.run_for(seconds(2));
    for number in 1..=4 {
        let known = mesh.node(node(number)).job(job).expect("known");
        assert_eq!((known.status, known.epoch.number), (JobStatus::Complete, 2));
    }
}

#[test]
fn two_halves_of_a_cut_mesh_go_on_and_unite() {
    let mut mesh = nodes(4, 5);
    let job = mesh.submit(node(1), record(1, 6000));
    mesh.run_for(millis(500));
    for (one, other) in BETWEEN_HALVES {
        mesh.cut(node(one), node(other));
    }
    mesh.run_for(seconds(10));
    assert_eq!(mesh.leaders(job).len(), 2, "both sides go on");
    for (one, other) in BETWEEN_HALVES {
        mesh.link(node(one), node(other));
    }
    mesh.run_for(seconds(2));
    assert!(mesh.leaders(job).len() <= 1, "{}", mesh.views_of(job));
    mesh.run_until_complete(job, seconds(200));
    mesh.run_for(seconds(2));
    for number in 1..=4 {
        let known = mesh.node(node(number)).job(job).expect("known");
        assert_eq!(known.status, JobStatus::Complete, "{}", mesh.views_of(job));
    }
}

#[test]
fn of_two_ends_one_stands_also_where_the_first_question_is_lost() {
    let mut mesh = nodes(4, 23);
    let job = mesh.submit(node(1), record(1, 60));
    mesh.run_for(millis(100));
    for (one, other) in BETWEEN_HALVES {
        mesh.cut(node(one), node(other));
    }
    mesh.run_for(millis(100));
    mesh.feed(node(4), Input::Cancel { job });
    mesh.run_for(seconds(10));
    let status = |mesh: &Mesh, number| mesh.stores[&node(number)].jobs[&job].status();
    assert_eq!(status(&mesh, 1), JobStatus::Complete);
    assert_eq!(status(&mesh, 4), JobStatus::Cancelled);
    mesh.lose(|message| {
        let is_question = matches!(message, PeerMessage::CopyRequest { .. });
        is_question || matches!(message, PeerMessage::CopyState { .. })
    });
    for (one, other) in BETWEEN_HALVES {
        mesh.link(node(one), node(other));
    }
    mesh.run_for(seconds(1));
    mesh.lose_nothing();
    mesh.run_for(seconds(5));
    for number in 1..=4 {
        assert_eq!(status(&mesh, number), JobStatus::Complete, "at {number}");
    }
}

#[test]
fn a_copy_says_that_its_job_runs_before_the_mesh_has_told_of_it() {
    let mut mesh = nodes(4, 26);
    mesh.lose(|message| matches!(message, PeerMessage::Job(_)));
    let job = mesh.submit(node(1), record(1, 60));
    mesh.run_for(millis(200));
    let backup = mesh.node(node(2));
    assert!(backup.job(job).is_none(), "nobody told");
    assert!(backup.replica(job).is_some(), "{}", mesh.views_of(job));
    assert!(backup.is_running(job));
    mesh.lose_nothing();
    mesh.run_until_complete(job, seconds(200));
    mesh.run_for(seconds(2));
    assert!(!mesh.node(node(2)).is_running(job));
}

#[test]
fn an_end_that_was_stored_and_not_told_stands_above_a_cancel_elsewhere() {
    let mut mesh = nodes(4, 25);
    let job = mesh.submit(node(1), record(1, 60));
    mesh.run_for(millis(100));
    // The backup has every block and the end; nobody is told of it.
    mesh.lose(|message| matches!(message, PeerMessage::Job(_)));
    let is_stored = |mesh: &Mesh| {
        let copy = mesh.stores[&node(2)].jobs.get(&job);
        copy.is_some_and(|copy| copy.status() == JobStatus::Complete)
    };
    for number in 3..=4 {
        mesh.cut(node(1), node(number));
    }
    for _ in 0..20_000 {
        if is_stored(&mesh) {
            break;
        }
        mesh.run_for(millis(1));
    }
    assert!(is_stored(&mesh));
    mesh.crash(node(1));
    mesh.lose_nothing();
    mesh.feed(node(4), Input::Cancel { job });
    mesh.run_for(seconds(10));
    for number in 2..=4 {
        let known = mesh.node(node(number)).job(job).map(|job| job.status);
        assert_eq!(known, Some(JobStatus::Complete), "{}", mesh.views_of(job));
    }
}

#[test]
fn a_coordinator_learns_that_its_job_was_cancelled_whatever_its_calendar_says() {
    let mut mesh = nodes(2, 24);
    mesh.set_clock_back(node(1), 86_400_000);
    let job = mesh.submit(node(1), record(1, 6000));
    mesh.run_for(millis(300));
    mesh.cut(node(1), node(2));
    // Before the other leads itself.
    mesh.run_for(millis(10));
    mesh.feed(node(2), Input::Cancel { job });
    mesh.run_for(seconds(1));
    mesh.link(node(1), node(2));
    mesh.run_for(seconds(5));
    for number in 1..=2 {
        let known = mesh.node(node(number)).job(job).map(|job| job.status);
        assert_eq!(known, Some(JobStatus::Cancelled), "{}", mesh.views_of(job));
    }
}

#[test]
fn a_coordinator_that_leaves_hands_its_job_over() {
    let mut mesh = nodes(3, 6);
    let job = mesh.submit(node(3), record(1, 300));
    mesh.run_for(millis(500));
    mesh.feed(node(3), Input::Resign);
    mesh.run_for(millis(100));
    assert!(!mesh.node(node(3)).has_duties());
    assert_eq!(mesh.leaders(job), [node(2)]);
    mesh.run_until_complete(job, seconds(60));
    check_nothing_repeated(&mesh);
}

#[test]
fn a_lost_backup_is_replaced() {
    let mut mesh = nodes(5, 7);
    let job = mesh.submit(node(1), record(1, 400));
    mesh.run_for(millis(300));
    let before = mesh.stored(job).leadership.backups;
    assert_eq!(before.len(), 3);
    mesh.crash(before[0]);
    mesh.run_for(millis(500));
    let after = mesh.stored(job).leadership.backups;
    assert_eq!(after.len(), 3);
    assert!(!after.contains(&before[0]));
    mesh.run_until_complete(job, seconds(60));
    check_nothing_repeated(&mesh);
}

#[test]
fn a_busy_mesh_elects_nobody() {
    let mut mesh = nodes(4, 8);
    for number in 1..=4 {
        mesh.submit(node(number), record(number, 700));
    }
    mesh.run_for(seconds(60));
    let elections = mesh.events.iter();
    let elections = elections.filter(|(_, event)| matches!(event, Event::ElectionStarted { .. }));
    assert_eq!(elections.count(), 0);
    assert_eq!(mesh.stored_status(job(4)), JobStatus::Complete);
}

#[test]
fn a_copy_whose_inputs_are_not_all_there_does_not_lead_after_a_restart() {
    let mut mesh = nodes(3, 21);
    let job = mesh.submit(node(1), of_files(record(1, 400)));
    mesh.run_for(millis(2));
    // The highest id has the record, and dies while it fetches the inputs.
    assert!(!mesh.stores[&node(3)].inputs.contains(&job));
    mesh.run_for(millis(3));
    mesh.crash(node(3));
    mesh.run_for(seconds(2));
    mesh.crash(node(1));
    mesh.muted.insert(node(2));
    mesh.restart(node(3));
    mesh.run_for(seconds(4));
    let leaders = mesh.leaders(job);
    assert!(
        !leaders.contains(&node(3)),
        "it reaches nobody with the inputs"
    );
    mesh.muted.clear();
    mesh.run_until_complete(job, seconds(60));
}

#[test]
fn an_end_whose_blocks_died_with_its_coordinator_is_computed_again() {
    let mut mesh = nodes(3, 22);
    let job = mesh.submit(node(1), record(1, 60));
    mesh.run_for(millis(300));
    // From here on the backups get heads, and no blocks.
    mesh.lose(|message| matches!(message, PeerMessage::CopyBlock { .. }));
    mesh.run_until_ended(job, seconds(60));
    // All have been told that it is complete.
    mesh.run_for(millis(50));
    let told = |mesh: &Mesh| mesh.node(node(2)).job(job).map(|job| job.status);
    assert_eq!(told(&mesh), Some(JobStatus::Complete));
    mesh.crash(node(1));
    mesh.lose_nothing();
    mesh.run_for(seconds(20));
    for number in 2..=3 {
        let copy = &mesh.stores[&node(number)].jobs[&job];
        assert_eq!(copy.done.len(), 60, "at {number}");
        assert_eq!(
            mesh.node(node(number)).job(job).map(|job| job.status),
            Some(JobStatus::Complete)
        );
    }
}

#[test]
fn a_coordinator_that_lost_its_store_does_not_hold_its_jobs_up() {
    let mut mesh = nodes(3, 23);
    let job = mesh.submit(node(2), record(1, 400));
    mesh.run_for(millis(600));
    for number in 1..=3 {
        mesh.crash(node(number));
    }
    let store = mesh.stores.get_mut(&node(2)).unwrap();
    store.jobs.clear();
    store.inputs.clear();
    for number in 1..=3 {
        mesh.restart(node(number));
    }
    mesh.run_until_complete(job, seconds(60));
}

#[test]
fn a_job_whose_time_was_over_meanwhile_is_not_brought_back() {
    let config = NodeConfig {
        result_ttl: seconds(30),
        ..NodeConfig::default()
    };
    let mut mesh = Mesh::with_config(24, config);
    for number in 1..=3 {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(1, 1000.0));
    }
    mesh.link_all();
    mesh.run_for(millis(300));
    let job = mesh.submit(node(1), record(1, 100));
    mesh.run_for(millis(400));
    // The lid is closed; the others finish, and forget it in time.
    mesh.crash(node(1));
    mesh.run_for(seconds(60));
    assert!(mesh.node(node(2)).is_expired(job));
    let computed = counted(&mesh).len();
    mesh.restart(node(1));
    mesh.run_for(seconds(10));
    for number in 1..=3 {
        assert!(mesh.node(node(number)).is_expired(job), "at {number}");
    }
    assert_eq!(counted(&mesh).len(), computed, "nothing is computed again");
}

#[test]
fn jobs_that_have_ended_do_not_take_the_place_of_copies() {
    // More jobs than a node copies at once, one after the other.
    let mut mesh = nodes(2, 25);
    let most = cluster::limits::COPIES_MAX;
    for number in 0..=most {
        let mut record = record(1, 1);
        let number = u64::try_from(number).unwrap() + 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_le_bytes());
        record.id = JobId::from_bytes(id);
        let job = mesh.submit(node(1), record);
        mesh.run_until_ended(job, seconds(10));
        mesh.events.clear();
        mesh.event_times.clear();
        if number > u64::try_from(most).unwrap() {
            let copy = mesh.stores[&node(2)].jobs.get(&job);
            assert!(copy.is_some(), "no copy of the last");
        }
    }
}

#[test]
fn all_that_a_device_holds_of_short_blocks_is_adopted() {
    let mut mesh = Mesh::new(11);
    for number in 1..=3 {
        mesh.add_node(node(number));
    }
    // 16 blocks of a millisecond are on their way to one thread.
    mesh.attach(node(1), native(1), Device::native(1, 20_000.0));
    mesh.link_all();
    mesh.run_for(seconds(1));
    let before = mesh.submit(node(3), record(1, 100));
    mesh.run_until_complete(before, seconds(10));
    // They take long in this job, so that they are under way when the plug is pulled.
    let job = mesh.submit(node(3), record(2, 64));
    mesh.change((node(1), native(1)), |device| device.mflops = 10.0);
    mesh.run_for(millis(50));
    let held = mesh.devices[&(node(1), native(1))].tasks.len();
    assert!(held > 4, "{held}");
    let given = mesh.devices[&(node(1), native(1))].given.len();
    mesh.crash(node(3));
    mesh.run_for(seconds(1));
    // Of those that were not adopted it would be given some as if they were new.
    let blocks = mesh.progress_of(job).unwrap().blocks;
    let device = &mesh.devices[&(node(1), native(1))];
    let under_way = u32::try_from(device.tasks.len()).unwrap();
    assert_eq!((blocks.done, blocks.assigned), (0, under_way));
    assert_eq!(device.given.len(), given);
}
