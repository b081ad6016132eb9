//! Blocks that devices hold: late, lost, returned, refused.

use cluster::{Event, Input};
use wire::{BlockIndex, BlockProof, Epoch, JobStatus, PeerMessage};

use crate::invariants::{blocks_count_once, nothing_is_left_over};
use crate::support::device::{Device, Habit, result_hash};
use crate::support::mesh::Mesh;
use crate::support::{job, millis, native, node, page, record, seconds};

/// What a block costs beside computing, and the patience with a late one.
const OVERHEAD: std::time::Duration = cluster::limits::OVERHEAD_EXPECTED;
const PATIENCE: u32 = cluster::limits::PATIENCE;

/// A coordinator with a good device of its own, and a second node for others.
fn two_nodes(seed: u64) -> Mesh {
    let mut mesh = Mesh::new(seed);
    mesh.add_node(node(1));
    mesh.add_node(node(2));
    mesh.attach(node(1), native(1), Device::native(4, 4000.0));
    mesh.link_all();
    mesh.run_for(seconds(1));
    mesh
}

#[test]
fn a_device_that_never_answers_holds_the_job_no_longer_than_patience() {
    for home in 1..=2 {
        let mut mesh = two_nodes(home.into());
        let mute = Device::page(1, 1000.0).with(Habit::NeverAnswers);
        mesh.attach(node(home), page(9), mute);
        mesh.run_for(millis(100));
        let job = mesh.submit(node(1), record(1, 32));
        let took = mesh.run_until_complete(job, seconds(10));
        assert!(!mesh.devices[&(node(home), page(9))].given.is_empty());
        // 8 MB of B at 5 MB/s and 20 ms to compute, two blocks in a row; then
        // the double's own time.
        let expected = OVERHEAD + millis(1620) + 2 * millis(20);
        assert!(took <= expected * PATIENCE + millis(100), "{took:?}");
    }
}

#[test]
fn a_reserved_block_that_nobody_pulls_is_released() {
    let mut mesh = two_nodes(3);
    // Node 2 says that it has a page, which never asks for anything.
    mesh.attach(node(2), page(9), Device::page(1, 1000.0));
    mesh.run_for(millis(100));
    mesh.lose(|message| matches!(message, PeerMessage::Pull { .. }));
    let job = mesh.submit(node(1), record(1, 32));
    mesh.run_for(millis(500));
    assert_eq!(mesh.stored(job).done.len(), 31);
    let took = mesh.run_until_complete(job, seconds(10));
    assert!(took <= (OVERHEAD + millis(1640)) * PATIENCE, "{took:?}");
    assert_eq!(mesh.shares(job).len(), 1);
}

#[test]
fn the_reserved_block_of_a_page_that_leaves_is_released_at_once() {
    for home in 1..=2 {
        let mut mesh = two_nodes(4);
        mesh.attach(node(home), page(9), Device::page(1, 1000.0));
        mesh.run_for(millis(100));
        // It has all it can take of another job, so it does not ask yet.
        mesh.change((node(home), page(9)), |device| device.mflops = 0.1);
        mesh.submit(node(1), record(1, 600));
        mesh.run_for(millis(100));
        let second = mesh.submit(node(1), record(2, 8));
        mesh.run_for(millis(10));
        mesh.detach(node(home), page(9));
        let took = mesh.run_until_complete(second, seconds(10));
        assert!(took < seconds(1), "{took:?} with the page at {home}");
    }
}

#[test]
fn a_lease_that_runs_out_gives_the_block_to_another() {
    let mut mesh = two_nodes(5);
    mesh.detach(node(1), native(1));
    let mute = || Device::page(1, 1000.0).with(Habit::NeverAnswers);
    mesh.attach(node(1), page(8), mute());
    mesh.attach(node(2), page(9), mute());
    let job = mesh.submit(node(1), record(1, 4));
    // Both hold blocks, and each is also the double of the other.
    mesh.run_for(seconds(29));
    mesh.attach(node(2), native(2), Device::native(4, 4000.0));
    let took = mesh.run_until_complete(job, seconds(60));
    assert!(took < seconds(20), "{took:?}");
    let tally = mesh.progress_of(job).unwrap().tally;
    assert!(tally.reassigned >= 4, "{tally:?}");
}

#[test]
fn a_late_result_of_a_pending_block_counts() {
    let mut mesh = two_nodes(6);
    mesh.detach(node(1), native(1));
    // Claims to be quick and takes 40 s for a block; nobody else is there.
    let late = Device::page(1, 0.5).claiming(1000.0);
    mesh.attach(node(2), page(9), late);
    mesh.run_for(millis(100));
    let job = mesh.submit(node(1), record(1, 1));
    mesh.run_for(seconds(35));
    let progress = mesh.progress_of(job).unwrap();
    assert_eq!((progress.blocks.done, progress.tally.reassigned), (0, 1));
    mesh.run_until_complete(job, seconds(10));
    mesh.run_for(seconds(1));
    assert_eq!(mesh.devices[&(node(2), page(9))].counted.len(), 1);
    nothing_is_left_over::check(&mesh);
}

#[test]
fn a_late_second_result_is_counted_as_computed_only() {
    let mut mesh = two_nodes(7);
    mesh.attach(node(2), page(9), Device::page(1, 2.0).claiming(1000.0));
    mesh.run_for(millis(100));
    let job = mesh.submit(node(1), record(1, 32));
    // Its end is stored and not yet told: it is led on until then.
    let limit = mesh.clock + 10_000_000;
    mesh.run_while(limit, |mesh| mesh.stored_status(job) == JobStatus::Running);
    let before = mesh.progress_of(job).unwrap();
    let (late, _) = (BlockIndex(0), mesh.devices[&(node(2), page(9))].given[0]);
    let exchange = Device::page(1, 2.0).profile.exchange(page(9), 0);
    let proof = BlockProof {
        compute_ms: 1.0,
        receive_us: 0,
        wait_us: 0,
        operations: 1,
        hash: Some(result_hash(job, late)),
        bytes: 80_000,
    };
    let message = PeerMessage::Result {
        job,
        block: late,
        exchange,
        proof,
    };
    mesh.feed(
        node(1),
        Input::Peer {
            from: node(2),
            message,
        },
    );
    let after = mesh.progress_of(job).unwrap();
    assert_eq!(after.tally.computed, before.tally.computed + 1);
    assert_eq!(after.accepted, before.accepted);
    blocks_count_once::check_complete(&mesh, job);
}

#[test]
fn the_blocks_of_a_device_that_leaves_go_elsewhere_at_once() {
    for home in 1..=2 {
        let mut mesh = two_nodes(8);
        mesh.attach(node(home), page(9), Device::page(4, 2.0).claiming(4000.0));
        mesh.run_for(millis(100));
        let job = mesh.submit(node(1), record(1, 32));
        mesh.run_for(millis(300));
        assert!(mesh.progress_of(job).unwrap().blocks.assigned > 0);
        mesh.detach(node(home), page(9));
        let took = mesh.run_until_complete(job, seconds(10));
        assert!(took < millis(300), "{took:?}");
        nothing_is_left_over::check(&mesh);
    }
}

#[test]
fn a_device_that_leaves_in_the_middle_is_no_harm() {
    let mut mesh = two_nodes(9);
    for number in 1..=6 {
        let leaving = Device::page(2, 500.0).with(Habit::LeavesAfter(number));
        let home = node(1 + u8::from(number % 2 == 0));
        mesh.attach(home, page(u8::try_from(number).unwrap()), leaving);
    }
    let job = mesh.submit(node(1), record(1, 128));
    mesh.run_until_complete(job, seconds(5));
    mesh.run_for(seconds(1));
    nothing_is_left_over::check(&mesh);
}

#[test]
fn the_blocks_of_a_silent_node_go_elsewhere_after_the_heartbeat_timeout() {
    let mut mesh = two_nodes(10);
    mesh.attach(node(2), native(2), Device::native(4, 2.0).claiming(4000.0));
    mesh.run_for(millis(100));
    let job = mesh.submit(node(1), record(1, 32));
    mesh.run_for(millis(300));
    assert!(mesh.progress_of(job).unwrap().blocks.assigned > 0);
    mesh.muted.insert(node(2));
    let took = mesh.run_until_complete(job, seconds(10));
    assert!(took > millis(700) && took < millis(1400), "{took:?}");
}

#[test]
fn a_device_that_gives_back_is_left_alone_and_asked_again() {
    for home in 1..=2 {
        let mut mesh = two_nodes(11);
        mesh.detach(node(1), native(1));
        let without_memory = Device::page(2, 1000.0).with(Habit::GivesBack(6));
        mesh.attach(node(home), page(9), without_memory);
        mesh.run_for(millis(100));
        let job = mesh.submit(node(1), record(1, 8));
        mesh.run_until_complete(job, seconds(20));
    }
}

#[test]
fn a_block_that_one_device_gives_back_is_computed_by_another() {
    let mut mesh = two_nodes(12);
    let without_memory = Device::page(2, 1000.0).with(Habit::GivesBack(u32::MAX));
    mesh.attach(node(2), page(9), without_memory);
    mesh.run_for(millis(100));
    let job = mesh.submit(node(1), record(1, 32));
    let took = mesh.run_until_complete(job, seconds(10));
    assert!(took < seconds(1), "{took:?}");
    assert!(mesh.devices[&(node(2), page(9))].given.len() < 20);
}

#[test]
fn wrong_bytes_are_refused_and_computed_again() {
    let mut mesh = two_nodes(13);
    mesh.attach(
        node(2),
        page(9),
        Device::page(2, 1000.0).with(Habit::WrongLength(2)),
    );
    mesh.run_for(millis(100));
    let job = mesh.submit(node(1), record(1, 64));
    mesh.run_until_complete(job, seconds(10));
    let progress = mesh.progress_of(job).unwrap();
    assert_eq!((progress.tally.rejected, progress.accepted), (2, 64));
    let refusals = mesh.events.iter();
    let refusals = refusals.filter(|(_, event)| matches!(event, Event::ResultRefused { .. }));
    assert_eq!(refusals.count(), 2);
    nothing_is_left_over::check(&mesh);
}

#[test]
fn a_device_that_is_always_wrong_does_not_keep_the_job_from_others() {
    // The wrong one sits at the coordinator and always asks first.
    let mut mesh = two_nodes(14);
    mesh.detach(node(1), native(1));
    let wrong = Device::native(1, 1e6).with(Habit::WrongLength(u32::MAX));
    mesh.attach(node(1), native(1), wrong);
    mesh.attach(node(2), native(2), Device::native(1, 1000.0));
    mesh.run_for(millis(100));
    let job = mesh.submit(node(1), record(1, 8));
    mesh.run_until_complete(job, seconds(10));
    let tally = mesh.progress_of(job).unwrap().tally;
    assert!(tally.rejected < 20, "{tally:?}");
}

#[test]
fn results_that_claim_the_impossible_are_refused() {
    let mut mesh = two_nodes(15);
    mesh.detach(node(1), native(1));
    let job = mesh.submit(node(1), record(1, 8));
    let good = BlockProof {
        compute_ms: 1.0,
        receive_us: 0,
        wait_us: 0,
        operations: 20_000_000,
        hash: Some(result_hash(job, BlockIndex(0))),
        bytes: 80_000,
    };
    let bad = [
        (BlockIndex(8), good),
        (BlockIndex(u32::MAX), good),
        (BlockIndex(0), BlockProof { hash: None, ..good }),
        (
            BlockIndex(0),
            BlockProof {
                bytes: u64::MAX,
                ..good
            },
        ),
        (
            BlockIndex(0),
            BlockProof {
                compute_ms: f64::NAN,
                ..good
            },
        ),
        (
            BlockIndex(0),
            BlockProof {
                compute_ms: -1.0,
                ..good
            },
        ),
        (
            BlockIndex(0),
            BlockProof {
                compute_ms: f64::INFINITY,
                ..good
            },
        ),
    ];
    for (block, proof) in bad {
        let exchange = Device::page(1, 2.0).profile.exchange(page(9), 0);
        let message = PeerMessage::Result {
            job,
            block,
            exchange,
            proof,
        };
        let from = node(2);
        mesh.feed(node(1), Input::Peer { from, message });
    }
    let progress = mesh.progress_of(job).unwrap();
    assert_eq!((progress.tally.rejected, progress.accepted), (7, 0));
    assert_eq!(mesh.stored(job).done.len(), 0);
}

#[test]
fn a_smaller_epoch_leases_nothing() {
    let mut mesh = two_nodes(16);
    mesh.detach(node(1), native(1));
    let job = mesh.submit(node(1), record(1, 8));
    mesh.attach(node(2), page(9), Device::page(1, 1000.0));
    mesh.run_for(millis(50));
    let sent = mesh.sent.iter().find_map(|(_, _, message)| match message {
        PeerMessage::Lease { tasks, .. } => Some(tasks.clone()),
        _ => None,
    });
    let given = mesh.devices[&(node(2), page(9))].given.len();
    let message = PeerMessage::Lease {
        job,
        epoch: Epoch {
            number: 0,
            coordinator: node(9),
            incarnation: 0,
        },
        worker: page(9),
        tasks: sent
            .unwrap()
            .into_iter()
            .map(|mut task| {
                task.block = BlockIndex(7);
                task
            })
            .collect(),
    };
    let from = node(1);
    mesh.feed(node(2), Input::Peer { from, message });
    assert_eq!(mesh.devices[&(node(2), page(9))].given.len(), given);
}

#[test]
fn a_pull_whose_answer_was_lost_is_asked_again() {
    let answers: [fn(&PeerMessage) -> bool; 3] = [
        |message| matches!(message, PeerMessage::Pull { .. }),
        |message| matches!(message, PeerMessage::NoWork { .. }),
        |message| matches!(message, PeerMessage::WorkAvailable { .. }),
    ];
    for is_lost in answers {
        let mut mesh = two_nodes(17);
        mesh.detach(node(1), native(1));
        // Holds all blocks for a time, so that the other is told to wait.
        mesh.attach(node(1), page(8), Device::page(8, 1.0).claiming(8000.0));
        let job = mesh.submit(node(1), record(1, 4));
        mesh.lose(is_lost);
        mesh.attach(node(2), page(9), Device::page(1, 1000.0));
        mesh.run_for(millis(1500));
        mesh.detach(node(1), page(8));
        mesh.run_for(millis(1500));
        mesh.lose_nothing();
        mesh.run_until_complete(job, seconds(10));
    }
}

#[test]
fn a_lease_that_was_lost_runs_out_and_is_given_again() {
    let mut mesh = two_nodes(18);
    mesh.detach(node(1), native(1));
    mesh.attach(node(2), page(9), Device::page(1, 1000.0));
    mesh.run_for(millis(100));
    mesh.lose(|message| matches!(message, PeerMessage::Lease { .. }));
    let job = mesh.submit(node(1), record(1, 4));
    mesh.run_for(millis(900));
    mesh.lose_nothing();
    mesh.run_until_complete(job, seconds(60));
}

#[test]
fn a_result_that_was_lost_with_its_line_is_offered_again() {
    let mut mesh = two_nodes(19);
    mesh.detach(node(1), native(1));
    mesh.attach(node(2), page(9), Device::page(1, 100.0));
    mesh.run_for(millis(100));
    let job = mesh.submit(node(1), record(1, 4));
    mesh.run_for(millis(100));
    // Each block takes 200 ms: some results fall into the gaps.
    for _ in 0..4 {
        mesh.jolt(node(1), node(2));
        mesh.run_for(millis(700));
    }
    mesh.run_until_complete(job, seconds(60));
    let phone = &mesh.devices[&(node(2), page(9))];
    let distinct: std::collections::BTreeSet<_> = phone.given.iter().collect();
    assert_eq!(
        phone.given.len(),
        distinct.len(),
        "a block was computed twice"
    );
    nothing_is_left_over::check(&mesh);
}

#[test]
fn a_device_whose_credit_was_lost_with_the_line_hears_of_it_again() {
    let mut mesh = two_nodes(23);
    mesh.detach(node(1), native(1));
    mesh.attach(node(2), page(9), Device::page(1, 100.0));
    mesh.run_for(millis(100));
    let job = mesh.submit(node(1), record(1, 8));
    mesh.lose(|message| matches!(message, PeerMessage::Counted { .. }));
    mesh.run_for(millis(700));
    mesh.lose_nothing();
    let done = mesh.stored(job).done.len();
    assert!(done > 0 && mesh.devices[&(node(2), page(9))].counted.is_empty());
    mesh.jolt(node(1), node(2));
    mesh.run_for(millis(500));
    assert!(mesh.devices[&(node(2), page(9))].counted.len() >= done);
    mesh.run_until_complete(job, seconds(20));
}

#[test]
fn a_block_that_is_leased_again_while_its_result_is_kept_takes_no_room() {
    let mut mesh = two_nodes(20);
    mesh.detach(node(1), native(1));
    mesh.attach(node(2), page(9), Device::page(1, 1000.0));
    mesh.run_for(millis(100));
    mesh.lose(|message| matches!(message, PeerMessage::Result { .. }));
    let job = mesh.submit(node(1), record(1, 40));
    // Two blocks are computed and their results lost; their leases run out and
    // the device is given the same blocks again.
    mesh.run_for(seconds(25));
    mesh.lose_nothing();
    mesh.run_until_complete(job, seconds(120));
}

#[test]
fn a_page_that_moves_to_another_node_brings_its_results() {
    let mut mesh = two_nodes(21);
    mesh.detach(node(1), native(1));
    mesh.attach(node(2), page(9), Device::page(1, 1000.0));
    mesh.run_for(millis(100));
    mesh.lose(|message| matches!(message, PeerMessage::Result { .. }));
    let id = mesh.submit(node(1), record(1, 2));
    mesh.run_for(millis(500));
    mesh.lose_nothing();
    let device = mesh.detach(node(2), page(9)).unwrap();
    let given = device.given.clone();
    mesh.attach(
        node(1),
        page(9),
        Device::page(1, 1000.0).with(Habit::NeverAnswers),
    );
    for (job, block) in given {
        mesh.answer((node(1), page(9)), job, block);
    }
    // Their copies reach the other node first.
    mesh.run_until_complete(id, millis(100));
    assert_eq!(id, job(1));
}

#[test]
fn a_late_farewell_from_a_pages_old_node_does_not_end_its_new_leases() {
    let mut mesh = two_nodes(22);
    mesh.detach(node(1), native(1));
    mesh.attach(node(1), page(9), Device::page(2, 20.0));
    let job = mesh.submit(node(1), record(1, 4));
    mesh.run_for(millis(100));
    let message = PeerMessage::GiveBack {
        job,
        worker: page(9),
        blocks: Vec::new(),
        gone: true,
    };
    let from = node(2);
    mesh.feed(node(1), Input::Peer { from, message });
    let blocks = mesh.progress_of(job).unwrap().blocks;
    assert!(blocks.assigned > 0, "{blocks:?}");
}
