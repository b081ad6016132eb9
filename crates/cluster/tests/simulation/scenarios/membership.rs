//! Who knows whom.

use wire::{Exchange, HeldLease, JobStatus, NodeId, PeerMessage, WorkerKind};

use cluster::limits::NAME_CHARS_MAX;
use cluster::{Input, Liveness};

use crate::support::device::Device;
use crate::support::mesh::Mesh;
use crate::support::{job, millis, native, node, page, record, seconds, tiny};

fn liveness(mesh: &Mesh, of: NodeId, at: NodeId) -> Option<Liveness> {
    let peers = mesh.node(at).membership().peers();
    let mut found = peers.filter(|(id, _)| *id == of);
    found.next().map(|(_, peer)| peer.liveness)
}

fn all_linked(mesh: &Mesh) -> bool {
    let count = mesh.hosts.len();
    mesh.hosts.values().all(|host| {
        let peers = host.node.membership().peers();
        peers.filter(|(_, peer)| peer.linked).count() == count - 1
    })
}

#[test]
fn a_newcomer_who_knows_one_node_comes_to_know_all_nodes_and_jobs() {
    let mut mesh = Mesh::new(1);
    for number in 1..=3 {
        mesh.add_node(node(number));
    }
    mesh.link_all();
    mesh.run_for(seconds(1));
    let done = mesh.submit(node(2), record(1, 2));
    mesh.attach(node(2), native(2), Device::native(1, 1000.0));
    mesh.run_until_complete(done, seconds(5));
    mesh.detach(node(2), native(2));
    let running = mesh.submit(node(3), record(2, 2));
    mesh.run_for(seconds(1));
    mesh.add_node(node(4));
    mesh.link(node(4), node(1));
    mesh.run_for(millis(200));
    assert!(all_linked(&mesh));
    let newcomer = mesh.node(node(4));
    assert_eq!(newcomer.job(done).unwrap().status, JobStatus::Complete);
    assert_eq!(newcomer.job(running).unwrap().status, JobStatus::Running);
    assert_eq!(
        newcomer.jobs().next().map(|first| first.id),
        Some(job(2)),
        "newest first"
    );
}

#[test]
fn two_newcomers_at_the_same_moment_come_to_know_each_other() {
    for seed in 0..20 {
        let mut mesh = Mesh::new(seed);
        for number in 1..=4 {
            mesh.add_node(node(number));
        }
        // All come to node 1 at once, and nobody tells of the others but it.
        for number in 2..=4 {
            mesh.link(node(1), node(number));
        }
        mesh.run_for(seconds(1));
        assert!(all_linked(&mesh), "seed {seed}");
    }
}

#[test]
fn a_silent_peer_is_unreachable_after_the_timeout_and_alive_when_back() {
    let mut mesh = Mesh::new(2);
    mesh.add_node(node(1));
    mesh.add_node(node(2));
    mesh.link_all();
    mesh.run_for(seconds(1));
    assert_eq!(liveness(&mesh, node(2), node(1)), Some(Liveness::Alive));
    mesh.muted.insert(node(2));
    mesh.run_for(millis(700));
    assert_eq!(liveness(&mesh, node(2), node(1)), Some(Liveness::Alive));
    mesh.run_for(millis(400));
    assert_eq!(
        liveness(&mesh, node(2), node(1)),
        Some(Liveness::Unreachable)
    );
    mesh.muted.clear();
    mesh.run_for(millis(700));
    assert_eq!(liveness(&mesh, node(2), node(1)), Some(Liveness::Alive));
}

#[test]
fn a_broken_line_makes_a_suspect_and_a_new_one_an_alive_peer() {
    let mut mesh = Mesh::new(3);
    mesh.add_node(node(1));
    mesh.add_node(node(2));
    mesh.link_all();
    mesh.run_for(seconds(1));
    mesh.jolt(node(1), node(2));
    mesh.run_for(millis(10));
    assert_eq!(liveness(&mesh, node(2), node(1)), Some(Liveness::Suspect));
    mesh.run_for(millis(400));
    assert_eq!(liveness(&mesh, node(2), node(1)), Some(Liveness::Alive));
}

#[test]
fn a_node_that_said_goodbye_stays_gone_until_it_links_again() {
    let mut mesh = Mesh::new(4);
    mesh.add_node(node(1));
    mesh.add_node(node(2));
    mesh.attach(node(2), native(2), Device::native(1, 1000.0));
    mesh.link_all();
    mesh.run_for(seconds(1));
    mesh.feed(node(2), Input::Leave);
    // Its process takes a while to end; meanwhile it still sends.
    mesh.run_for(millis(700));
    assert_eq!(
        liveness(&mesh, node(2), node(1)),
        Some(Liveness::Unreachable)
    );
    assert_eq!(mesh.node(node(1)).workforce().devices, 0);
    mesh.crash(node(2));
    mesh.run_for(seconds(3));
    mesh.restart(node(2));
    mesh.run_for(millis(700));
    assert_eq!(liveness(&mesh, node(2), node(1)), Some(Liveness::Alive));
}

#[test]
fn a_node_that_leaves_takes_no_more_work_and_does_not_spin() {
    let mut mesh = Mesh::new(5);
    mesh.add_node(node(1));
    mesh.add_node(node(2));
    mesh.attach(node(1), native(1), Device::native(1, 1000.0));
    mesh.attach(node(2), native(2), Device::native(2, 2000.0));
    mesh.link_all();
    mesh.run_for(seconds(1));
    let job = mesh.submit(node(1), record(1, 400));
    mesh.run_for(millis(500));
    // Also when the answer to a pull never comes.
    mesh.lose(|message| matches!(message, PeerMessage::Lease { .. }));
    mesh.run_for(millis(200));
    mesh.feed(node(2), Input::Leave);
    let given = mesh.devices[&(node(2), native(2))].given.len();
    mesh.lose_nothing();
    mesh.run_for(seconds(3));
    let now_given = mesh.devices[&(node(2), native(2))].given.len();
    assert!(now_given <= given + 4, "{given} and then {now_given}");
    mesh.run_until_complete(job, seconds(20));
}

#[test]
fn devices_are_counted_over_the_whole_mesh() {
    let mut mesh = crate::scenarios::completing::three_nodes(6);
    for number in 1..=3 {
        let workforce = mesh.node(node(number)).workforce();
        assert_eq!((workforce.devices, workforce.threads), (6, 19));
        assert!(workforce.has_pages);
    }
    mesh.crash(node(3));
    mesh.run_for(seconds(2));
    assert_eq!(mesh.node(node(1)).workforce().devices, 4);
}

#[test]
fn pages_of_a_node_that_died_are_not_counted() {
    let mut mesh = Mesh::new(6);
    for number in 1..=2 {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(4, 4000.0));
    }
    mesh.attach(node(2), page(2), Device::page(4, 2000.0));
    mesh.link_all();
    mesh.run_for(seconds(1));
    assert!(mesh.node(node(1)).workforce().has_pages);
    mesh.crash(node(2));
    mesh.run_for(seconds(2));
    let workforce = mesh.node(node(1)).workforce();
    assert_eq!((workforce.devices, workforce.has_pages), (1, false));
}

#[test]
fn more_peers_than_the_limit_are_turned_away() {
    let mut mesh = Mesh::new(7);
    mesh.add_node(node(1));
    let mut closed = 0;
    let too_many = u16::try_from(cluster::limits::PEERS_MAX).expect("few") + 144;
    for number in 0..too_many {
        let mut bytes = [7; 16];
        bytes[..2].copy_from_slice(&number.to_le_bytes());
        let peer = NodeId::from_bytes(bytes);
        let now = mesh.now(node(1));
        let host = mesh.hosts.get_mut(&node(1)).unwrap();
        let outputs = host.node.handle(now, Input::LinkUp { peer });
        let turned_away = cluster::Output::CloseLink { peer };
        closed += usize::from(outputs.contains(&turned_away));
    }
    let known = mesh.node(node(1)).membership().peers().count();
    assert_eq!(known, cluster::limits::PEERS_MAX);
    assert_eq!(closed, 144);
}

#[test]
fn a_new_link_brings_a_directory_of_ten_thousand_jobs_in_few_messages() {
    let mut mesh = Mesh::new(9);
    mesh.add_node(node(1));
    mesh.attach(node(1), native(1), Device::native(8, 100_000.0));
    for number in 0..6000_u32 {
        let mut tiny = tiny(1, 1);
        let mut bytes = [7; 16];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        tiny.id = wire::JobId::from_bytes(bytes);
        mesh.submit(node(1), tiny);
        mesh.run_for(millis(5));
    }
    mesh.run_for(seconds(5));
    assert_eq!(mesh.node(node(1)).jobs().count(), 6000);
    let small = mesh.small_messages_of_a_new_link(node(1), node(2));
    assert!(small < 10, "{small} small messages wait for a new link");
    mesh.add_node(node(3));
    mesh.link(node(1), node(3));
    mesh.run_for(millis(100));
    assert_eq!(mesh.node(node(3)).jobs().count(), 6000);
}

#[test]
fn names_are_cut_and_cleaned_whatever_message_brings_them() {
    let mut mesh = Mesh::new(8);
    mesh.add_node(node(1));
    mesh.add_node(node(2));
    mesh.link_all();
    mesh.run_for(millis(300));
    let job = mesh.submit(node(1), record(1, 3000));
    mesh.run_for(seconds(1));
    let name = format!("\u{1b}[2J\n{}", "x".repeat(1 << 20));
    let exchange = |number| Exchange {
        worker: page(number),
        kind: WorkerKind::Browser,
        name: name.clone(),
        device: name.clone(),
        threads: 1,
        mflops: 1000.0,
        slots: 1,
    };
    let epoch = mesh.node(node(1)).replica(job).unwrap().epoch();
    let held = HeldLease {
        exchange: exchange(2),
        blocks: vec![wire::BlockIndex(1)],
    };
    let messages = [
        PeerMessage::Pull {
            job,
            exchange: exchange(1),
        },
        PeerMessage::Held {
            job,
            epoch,
            leases: vec![held],
        },
    ];
    for message in messages {
        let from = node(2);
        mesh.feed(node(1), Input::Peer { from, message });
    }
    let now = mesh.now(node(1)).moment;
    let course = mesh.node(node(1)).course(job, now).unwrap();
    assert!(course.devices.len() >= 2);
    for device in &course.devices {
        assert!(device.name.chars().count() <= NAME_CHARS_MAX);
        assert!(!device.name.contains(char::is_control), "{:?}", device.name);
    }
}

#[test]
fn a_partial_partition_is_quiet() {
    let mut mesh = Mesh::new(14);
    for number in 1..=3 {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(1, 1000.0));
    }
    mesh.link_all();
    mesh.run_for(millis(300));
    for number in 1..=50 {
        mesh.submit(node(1), record(number, 4000));
    }
    mesh.run_for(seconds(2));
    mesh.deaf.insert((node(1), node(3)));
    mesh.deaf.insert((node(3), node(1)));
    mesh.run_for(seconds(10));
    let before = mesh.sent.len();
    mesh.run_for(seconds(20));
    let of_three = mesh.sent[before..].iter();
    let of_three = of_three.filter(|(from, to, _)| *from == node(3) || *to == node(3));
    let is_of_an_election = |message: &PeerMessage| {
        matches!(
            message,
            PeerMessage::Election { .. }
                | PeerMessage::CopyRequest { .. }
                | PeerMessage::Refused { .. }
                | PeerMessage::Job(_)
        )
    };
    let count = of_three.filter(|(_, _, it)| is_of_an_election(it)).count();
    // Each job is asked for every five seconds, and answered; and its progress is announced four times a second.
    assert!(count < 50 * 20, "{count} messages in 20 s");
}
