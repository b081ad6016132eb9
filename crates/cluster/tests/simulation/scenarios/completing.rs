//! Jobs come to their end, and every block counts once.

use wire::{JobStatus, PeerMessage};

use crate::invariants::nothing_is_left_over;
use crate::support::device::{Device, Habit};
use crate::support::mesh::Mesh;
use crate::support::{fastest, job, millis, native, node, page, record, seconds, tiny, two_by_two};

/// Three nodes, each with its own threads, and three pages.
pub(crate) fn three_nodes(seed: u64) -> Mesh {
    let mut mesh = Mesh::new(seed);
    for number in 1..=3 {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(4, 4000.0));
    }
    mesh.attach(node(1), page(1), Device::page(2, 500.0));
    mesh.attach(node(2), page(2), Device::page(4, 2000.0));
    mesh.attach(node(3), page(3), Device::page(1, 100.0));
    mesh.link_all();
    mesh.run_for(seconds(1));
    mesh
}

#[test]
fn a_job_over_three_nodes_and_pages_completes_with_each_block_counted_once() {
    let mut mesh = three_nodes(1);
    let job = mesh.submit(node(1), record(1, 64));
    mesh.run_until_complete(job, seconds(10));
    mesh.run_for(seconds(2));
    nothing_is_left_over::check(&mesh);
    for number in 1..=3 {
        let known = mesh.node(node(number)).job(job).unwrap();
        assert_eq!(known.status, wire::JobStatus::Complete);
        assert_eq!((known.blocks_done, known.blocks_total), (64, 64));
    }
}

/// The pages give a device its colour by its place.
#[test]
fn devices_have_the_same_places_on_every_node_in_the_order_of_their_first_blocks() {
    let mut mesh = three_nodes(4);
    let job = mesh.submit(node(1), record(1, 64));
    mesh.run_until_complete(job, seconds(10));
    mesh.run_for(seconds(2));
    let course = |number: u8| {
        let now = mesh.now(node(number)).moment;
        mesh.node(node(number)).course(job, now).unwrap()
    };
    let devices = course(1).devices;
    assert_eq!(devices.len(), 6);
    for number in 2..=3 {
        assert_eq!(course(number).devices, devices);
    }
    let course = course(1);
    let first_leases = (0..6).map(|place| {
        let blocks = course.blocks.iter().filter(|block| block.device == place);
        blocks.map(|block| block.leased_us).min().unwrap()
    });
    assert!(first_leases.is_sorted());
}

#[test]
fn every_attached_device_gets_a_block_also_when_one_is_much_faster() {
    let mut mesh = three_nodes(2);
    mesh.change((node(1), native(1)), |device| {
        device.mflops = 1e6;
        device.profile.mflops = 1e6;
    });
    mesh.run_for(millis(100));
    let job = mesh.submit(node(1), record(1, 16));
    mesh.run_until_complete(job, seconds(10));
    let shares = mesh.shares(job);
    assert_eq!(shares.len(), 6, "{shares:?}");
}

#[test]
fn two_by_two_with_three_devices_ends() {
    let mut mesh = Mesh::new(3);
    for number in 1..=3 {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(4, 4000.0));
    }
    mesh.link_all();
    mesh.run_for(seconds(1));
    let job = mesh.submit(node(1), two_by_two(1));
    let took = mesh.run_until_complete(job, seconds(5));
    assert!(took < millis(100), "{took:?}");
}

#[test]
fn a_node_alone_without_devices_waits_for_one() {
    let mut mesh = Mesh::new(4);
    mesh.add_node(node(1));
    let job = mesh.submit(node(1), record(1, 8));
    mesh.run_for(seconds(60));
    assert_eq!(mesh.stored_status(job), wire::JobStatus::Running);
    mesh.attach(node(1), page(1), Device::page(2, 1000.0));
    mesh.run_until_complete(job, seconds(5));
}

#[test]
fn ten_jobs_at_once_all_complete_and_none_starves() {
    let mut mesh = three_nodes(5);
    let jobs: Vec<_> = (1..=10)
        .map(|number| mesh.submit(node(1 + number % 3), record(number, 24)))
        .collect();
    // Alone, each takes about 50 ms; the devices together have work for 0.6 s.
    mesh.run_for(millis(300));
    for job in &jobs {
        let done = mesh.stored(*job).done.len();
        assert!(done >= 3, "job {job} has {done} blocks of 24");
    }
    for job in jobs {
        mesh.run_until_complete(job, seconds(10));
    }
}

#[test]
fn a_device_that_answers_twice_is_counted_once() {
    let mut mesh = three_nodes(6);
    mesh.change((node(2), native(2)), |device| {
        device.habit = Habit::AnswersTwice
    });
    mesh.change((node(1), page(1)), |device| {
        device.habit = Habit::AnswersTwice
    });
    let job = mesh.submit(node(1), record(1, 64));
    mesh.run_until_complete(job, seconds(10));
    mesh.run_for(seconds(1));
    let progress = mesh.progress_of(job).unwrap();
    assert_eq!(progress.accepted, 64);
    assert!(progress.tally.computed > 64, "{:?}", progress.tally);
    nothing_is_left_over::check(&mesh);
}

#[test]
fn the_fastest_only_leaves_slow_devices_out() {
    for submitter in 1..=2 {
        let mut mesh = Mesh::new(7);
        mesh.add_node(node(1));
        mesh.add_node(node(2));
        mesh.attach(node(1), native(1), Device::native(4, 100_000.0));
        mesh.attach(node(2), page(2), Device::page(1, 5.0));
        mesh.link_all();
        mesh.run_for(seconds(1));
        let job = mesh.submit(node(submitter), fastest(1, 32));
        mesh.run_until_complete(job, seconds(5));
        let shares = mesh.shares(job);
        assert_eq!(shares.get(&page(2)), None, "submitted at {submitter}");
        let phone = &mesh.devices[&(node(2), page(2))];
        assert_eq!(phone.given, [], "submitted at {submitter}");
    }
}

#[test]
fn equal_devices_finish_a_job_for_the_fastest() {
    for blocks in [1, 2, 3, 16] {
        let mut mesh = Mesh::new(12);
        for number in 1..=3 {
            mesh.add_node(node(number));
            mesh.attach(node(number), native(number), Device::native(4, 400.0));
        }
        mesh.link_all();
        mesh.run_for(seconds(1));
        let job = mesh.submit(node(1), fastest(1, blocks));
        let took = mesh.run_until_complete(job, seconds(20));
        assert!(took < seconds(1), "{blocks} blocks took {took:?}");
    }
}

#[test]
fn a_lone_slow_device_finishes_a_job_for_the_fastest() {
    let mut mesh = Mesh::new(8);
    mesh.add_node(node(1));
    mesh.attach(node(1), page(1), Device::page(1, 50.0));
    let job = mesh.submit(node(1), fastest(1, 8));
    mesh.run_until_complete(job, seconds(10));
}

#[test]
fn a_slow_device_finishes_for_the_fastest_when_the_fast_one_stops() {
    let stops: [fn(&mut Mesh); 4] = [
        |mesh| drop(mesh.detach(node(2), native(2))),
        |mesh| {
            mesh.change((node(2), native(2)), |device| {
                device.profile.contributing = false
            })
        },
        |mesh| {
            mesh.change((node(2), native(2)), |device| {
                device.habit = Habit::NeverAnswers
            })
        },
        |mesh| {
            mesh.change((node(2), native(2)), |device| {
                device.habit = Habit::GivesBack(u32::MAX);
            });
        },
    ];
    for (which, stop) in stops.into_iter().enumerate() {
        let mut mesh = Mesh::new(9);
        mesh.add_node(node(1));
        mesh.add_node(node(2));
        mesh.attach(node(1), page(1), Device::page(1, 50.0));
        mesh.attach(node(2), native(2), Device::native(4, 4000.0));
        mesh.link_all();
        mesh.run_for(seconds(1));
        let job = mesh.submit(node(1), fastest(1, 40));
        mesh.run_for(millis(50));
        stop(&mut mesh);
        mesh.run_until_complete(job, seconds(120));
        assert!(mesh.shares(job).contains_key(&page(1)), "stop {which}");
    }
}

#[test]
fn a_cancel_ends_the_job_everywhere_also_from_another_node() {
    for canceller in 1..=3 {
        let mut mesh = three_nodes(10);
        let job = mesh.submit(node(1), record(1, 600));
        mesh.run_for(millis(300));
        mesh.feed(node(canceller), cluster::Input::Cancel { job });
        mesh.run_for(millis(100));
        for number in 1..=3 {
            let known = mesh.node(node(number)).job(job).unwrap();
            assert_eq!(known.status, wire::JobStatus::Cancelled, "{number}");
        }
        for (at, device) in &mesh.devices {
            assert!(device.tasks.is_empty(), "{at:?} still computes");
        }
        let done = mesh.stored(job).done.len();
        mesh.run_for(seconds(5));
        assert_eq!(mesh.stored(job).done.len(), done);
        nothing_is_left_over::check(&mesh);
    }
}

#[test]
fn a_second_job_is_computed_while_a_long_one_runs() {
    let mut mesh = three_nodes(11);
    let long = mesh.submit(node(1), record(1, 2000));
    mesh.run_for(seconds(1));
    let short = mesh.submit(node(2), record(2, 8));
    let took = mesh.run_until_complete(short, seconds(10));
    assert!(took < seconds(2), "{took:?}");
    mesh.run_until_complete(long, seconds(60));
    assert_eq!(job(1), long);
}

#[test]
fn blocks_of_a_tiny_job_are_given_without_being_asked_for() {
    let mut mesh = three_nodes(5);
    mesh.lose(|message| matches!(message, PeerMessage::Pull { .. }));
    let job = mesh.submit(node(1), tiny(1, 6));
    let took = mesh.run_until_complete(job, millis(500));
    assert!(took < millis(200), "{took:?}");
    assert_eq!(mesh.shares(job).len(), 6, "a block for each device");
}

/// So a device that has its block asks for no other, when there is none.
#[test]
fn who_is_given_the_last_blocks_is_told_so() {
    let mut mesh = three_nodes(6);
    let job = mesh.submit(node(1), tiny(1, 6));
    mesh.run_until_complete(job, millis(500));
    let asks =
        |message: &PeerMessage| matches!(message, PeerMessage::Pull { job: of, .. } if *of == job);
    let asked = mesh.sent.iter().filter(|(.., message)| asks(message));
    assert_eq!(asked.count(), 0);
}

#[test]
fn a_device_that_comes_behind_a_tiny_job_asks_for_its_blocks() {
    let mut mesh = Mesh::new(7);
    for number in 1..=2 {
        mesh.add_node(node(number));
    }
    mesh.link_all();
    mesh.run_for(seconds(1));
    let job = mesh.submit(node(1), tiny(1, 6));
    mesh.run_for(millis(100));
    mesh.attach(node(2), page(9), Device::page(2, 500.0));
    mesh.run_until_complete(job, seconds(1));
}

/// One round to the backups for both, not two.
#[test]
fn the_end_of_a_job_leaves_with_its_last_block() {
    let mut mesh = three_nodes(8);
    let job = mesh.submit(node(1), tiny(1, 6));
    mesh.run_until_complete(job, millis(500));
    let place = |wanted: &dyn Fn(&PeerMessage) -> bool| {
        mesh.sent.iter().position(|(.., message)| wanted(message))
    };
    let end = place(
        &|message| matches!(message, PeerMessage::CopyHead { head, .. } if head.ended.is_some()),
    );
    let all_stored = place(
        &|message| matches!(message, PeerMessage::CopyState { blocks, .. } if blocks.iter(6).count() == 6),
    );
    let last_block = mesh
        .sent
        .iter()
        .rposition(|(.., message)| matches!(message, PeerMessage::CopyBlock { .. }));
    assert!(last_block < end, "{last_block:?}, {end:?}");
    assert!(all_stored.is_none_or(|stored| end < Some(stored)));
}

/// One disk less on the way of a job: its backups have it when it is told.
#[test]
fn a_job_is_synced_here_only_when_no_backup_has_it() {
    let mut mesh = three_nodes(9);
    let job = mesh.submit(node(1), tiny(1, 6));
    mesh.run_until_complete(job, millis(500));
    assert!(mesh.stores[&node(1)].unsynced.contains(&job));

    mesh.lose(|message| matches!(message, PeerMessage::CopyHead { .. }));
    let alone = mesh.submit(node(1), tiny(2, 6));
    assert!(mesh.stores[&node(1)].unsynced.contains(&alone));
    mesh.run_for(seconds(2));
    assert!(!mesh.stores[&node(1)].unsynced.contains(&alone));
    assert!(
        mesh.node(node(1))
            .coordinator(alone)
            .is_none_or(|led| led.is_safe())
    );
}

#[test]
fn an_end_that_no_backup_has_is_synced_before_it_is_told() {
    let mut mesh = three_nodes(10);
    let job = mesh.submit(node(1), tiny(1, 6));
    mesh.lose(
        |message| matches!(message, PeerMessage::CopyHead { head, .. } if head.ended.is_some()),
    );
    let limit = mesh.clock + 200_000;
    mesh.run_while(limit, |mesh| mesh.stored_status(job) == JobStatus::Running);
    assert!(!mesh.is_end_told(job) && mesh.stores[&node(1)].unsynced.contains(&job));
    mesh.crash(node(2));
    mesh.crash(node(3));
    mesh.run_until_complete(job, seconds(5));
    assert!(!mesh.stores[&node(1)].unsynced.contains(&job));
}
