//! Many nodes: what each of them sends, and how long news take to come to all of them.
//!
//! A few in every run of the tests; `cargo xtask sim --nodes N` asks for more, and prints the figures.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::{Event, Liveness, NodeConfig};
use wire::{JobId, NodeId, WorkerId};

use crate::support::device::Device;
use crate::support::mesh::{Mesh, Sent};
use crate::support::random::Random;
use crate::support::{millis, record, seconds};

const NODES: u16 = 24;

/// Jobs that are submitted, evenly over the time.
const JOBS: u8 = 20;

/// Of its clock.
const LASTS: Duration = seconds(600);

/// From here on a node says less often that it lives: all of them together would send millions of heartbeats a
/// second.
const NODES_AT_FULL_RATE: u16 = 256;

fn numbered(number: u16) -> NodeId {
    let mut bytes = [1; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    NodeId::from_bytes(bytes)
}

fn config(count: u16) -> NodeConfig {
    let mut config = NodeConfig::default();
    if count > NODES_AT_FULL_RATE {
        config.heartbeat_interval *= 10;
        config.heartbeat_timeout *= 10;
    }
    config
}

/// Runs until all nodes are as wanted; how long that took.
fn until_all(mesh: &mut Mesh, nodes: &[NodeId], is_so: impl Fn(&Mesh, NodeId) -> bool) -> Duration {
    let begun = mesh.clock;
    while !nodes.iter().all(|id| is_so(mesh, *id)) {
        assert!(mesh.clock - begun < 60_000_000, "not within a minute");
        mesh.run_for(millis(5));
    }
    Duration::from_micros(mesh.clock - begun)
}

#[test]
fn each_node_sends_in_proportion_to_their_number() {
    let asked = std::env::var("MATMESH_NODES").ok();
    let count = asked.map_or(NODES, |text| text.parse().expect("a number"));
    let nodes: Vec<NodeId> = (1..=count).map(numbered).collect();
    let mut mesh = Mesh::with_config(u64::from(count), config(count));
    mesh.notes_sent = false;
    mesh.sent_by = Some(BTreeMap::new());
    for id in &nodes {
        mesh.add_node(*id);
        mesh.attach(*id, WorkerId::from(*id), Device::native(1, 1000.0));
    }
    mesh.link_all();
    let others = nodes.len() - 1;
    let met = until_all(&mut mesh, &nodes, |mesh, id| {
        let peers = mesh.node(id).membership().peers();
        let alive = peers.filter(|(_, peer)| peer.liveness == Liveness::Alive);
        alive.filter(|(_, peer)| peer.status.is_some()).count() == others
    });
    let at_start = all_sent(&mesh);
    let begun = mesh.clock;
    let mut random = Random::new(1);
    let mut told = Vec::new();
    let mut jobs: Vec<JobId> = Vec::new();
    for number in 1..=JOBS {
        let at = *random.pick(&nodes);
        let job = mesh.submit(at, record(number, 200));
        jobs.push(job);
        told.push(until_all(&mut mesh, &nodes, |mesh, id| {
            mesh.node(id).job(job).is_some()
        }));
        // One coordinator in five dies, and comes back.
        if number % 5 == 0 {
            mesh.crash(at);
            mesh.run_for(seconds(5));
            mesh.restart(at);
        }
        let next = begun + u64::from(number) * micros(LASTS) / u64::from(JOBS);
        mesh.run_for(Duration::from_micros(next.saturating_sub(mesh.clock)));
    }
    for job in &jobs {
        let stored = mesh.stored_status(*job);
        assert_eq!(stored, wire::JobStatus::Complete, "{job}");
    }
    let seconds = Duration::from_micros(mesh.clock - begun).as_secs_f64();
    let won = mesh.events.iter();
    let won = won
        .filter(|(_, event)| matches!(event, Event::ElectionWon { .. }))
        .count();
    let all = all_sent(&mesh);
    let each = |total: u64, before: u64| (total - before) as f64 / f64::from(count) / seconds;
    let heartbeats = each(all.heartbeats, at_start.heartbeats);
    let others = each(all.others, at_start.others);
    let bytes = each(all.bytes, at_start.bytes);
    println!(
        "{count} nodes, {seconds:.0} s, {JOBS} jobs: all know all after {} ms, a job after {} ms; a second each node \
         sends {heartbeats:.1} heartbeats, {others:.2} other messages, {:.1} kB; {won} elections; {} MiB of memory a \
         node",
        met.as_millis(),
        told.iter().max().expect("there are jobs").as_millis(),
        bytes / 1e3,
        memory_bytes() / u64::from(count) / (1 << 20),
    );
    assert_eq!(
        won,
        usize::from(JOBS / 5),
        "one for each coordinator that died"
    );
    let peers = f64::from(count - 1);
    let beats = 1.0 / config(count).heartbeat_interval.as_secs_f64();
    assert!(heartbeats <= 1.05 * peers * beats);
    // A job costs each node some messages to each other one, and its coordinator and holders some more.
    assert!(others <= 0.4 * peers + 20.0, "{others}");
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("short")
}

fn all_sent(mesh: &Mesh) -> Sent {
    let by_node = mesh.sent_by.as_ref().expect("it was asked for");
    by_node.values().fold(Sent::default(), |all, one| Sent {
        heartbeats: all.heartbeats + one.heartbeats,
        others: all.others + one.others,
        bytes: all.bytes + one.bytes,
    })
}

/// Of this process; nothing where the system does not say.
fn memory_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = pages
        .split_whitespace()
        .nth(1)
        .and_then(|text| text.parse::<u64>().ok());
    4096 * resident.unwrap_or(0)
}
