//! Faults that never heal: nodes that stay away for good, a cut that stays, two nodes that never hear each other
//! again while the others hear both.
//!
//! Each group of nodes that can talk ends every job that one of them can end, and none of them believes for ever
//! that another job runs.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use cluster::NodeConfig;
use wire::{JobId, JobStatus, NodeId};

use super::{Kind, all_end_or_expire, can_end, heal};
use crate::invariants::no_device_is_idle::Idle;
use crate::support::device::Device;
use crate::support::mesh::Mesh;
use crate::support::random::Random;
use crate::support::{page, seconds};

/// `MATMESH_SEEDS=first..end` asks for others.
pub(super) const SEEDS: Range<u64> = 0..100;

/// What 100 runs do besides the faults before.
pub(super) const SEEN: [&str; 5] = [
    "node gone for good",
    "cut that stays",
    "partial partition that stays",
    "job ended by those who are left",
    "job gone after its time",
];

/// Longer than any group needs for its jobs.
const TIME_TO_LIVE: Duration = seconds(150);

/// Microseconds after which it is looked at who is idle.
const SAMPLE: u64 = 1_000_000;

/// How long a group has for its jobs.
const LIMIT: Duration = seconds(120);

/// Jobs live as long as it takes to see their end, and not for hours.
pub(super) fn adapt(kinds: &mut BTreeSet<Kind>, config: &mut NodeConfig) {
    kinds.remove(&Kind::ShortLives);
    config.result_ttl = TIME_TO_LIVE;
    config.block_timeout = config.block_timeout.min(seconds(5));
}

pub(super) fn finish(mesh: &mut Mesh, more: &mut Random, nodes: &[NodeId], jobs: &[JobId]) {
    let survivor = *more.pick(nodes);
    for id in nodes {
        if *id != survivor && more.chance(300) {
            mesh.count("node gone for good");
            mesh.gone.insert(*id);
            mesh.crash(*id);
        }
    }
    let left: Vec<NodeId> = (nodes.iter().copied())
        .filter(|id| !mesh.gone.contains(id))
        .collect();
    heal(mesh, &left);
    cut_for_good(mesh, more, &left);
    let mut pages = Vec::new();
    for (number, id) in (90..).zip(&left) {
        mesh.attach(*id, page(number), Device::page(2, 1000.0));
        pages.push((*id, page(number)));
    }
    let mut idle = Idle::default();
    for group in groups(mesh, &left) {
        let of_group = |mesh: &Mesh, job| group.iter().any(|id| can_end(&mesh.stores[id], job));
        let owed: Vec<JobId> = (jobs.iter().copied())
            .filter(|job| of_group(mesh, *job))
            .collect();
        let end = mesh.clock + u64::try_from(LIMIT.as_micros()).expect("short");
        for job in owed {
            while mesh.clock < end && !has_ended(mesh, &group, job) {
                let next = (mesh.clock + SAMPLE).min(end);
                mesh.run_while(next, |mesh| !has_ended(mesh, &group, job));
                if !has_ended(mesh, &group, job) {
                    mesh.clock = next;
                    idle.check(mesh, jobs, &pages);
                }
            }
            assert!(
                has_ended(mesh, &group, job),
                "{job} does not end in {group:?}: {}",
                mesh.views_of(job)
            );
            mesh.count("job ended by those who are left");
        }
    }
    all_end_or_expire(mesh, &left, jobs);
}

/// One of the group has stored an end, or knows that it was cancelled or has failed, or the job's time was over.
fn has_ended(mesh: &Mesh, group: &[NodeId], job: JobId) -> bool {
    let mut copies = group.iter().filter_map(|id| mesh.stores[id].jobs.get(&job));
    let is_known = copies.clone().next().is_some();
    let known = group.iter().filter_map(|id| mesh.node(*id).job(job));
    let mut known = known.map(|known| known.status);
    let is_given_up = |status| matches!(status, JobStatus::Cancelled | JobStatus::Failed);
    !is_known || copies.any(|copy| copy.ended.is_some()) || known.any(is_given_up)
}

fn cut_for_good(mesh: &mut Mesh, more: &mut Random, left: &[NodeId]) {
    let mut cut = |one: NodeId, other: NodeId| {
        mesh.deaf.extend([(one, other), (other, one)]);
        mesh.jolt(one, other);
    };
    match more.within(0..3) {
        0 if left.len() > 1 => {
            let (here, there): (Vec<NodeId>, Vec<NodeId>) =
                left.iter().partition(|_| more.chance(500));
            for one in &here {
                for other in &there {
                    cut(*one, *other);
                }
            }
            mesh.count("cut that stays");
        }
        1 if left.len() > 2 => {
            cut(left[0], left[1]);
            mesh.count("partial partition that stays");
        }
        _ => {}
    }
}

/// Nodes that can talk to each other, also over others.
fn groups(mesh: &Mesh, left: &[NodeId]) -> Vec<Vec<NodeId>> {
    let mut groups: Vec<Vec<NodeId>> = Vec::new();
    for id in left {
        let hears = |other: &NodeId| !mesh.deaf.contains(&(*id, *other));
        let (mut mine, others): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .partition(|group: &Vec<NodeId>| group.iter().any(hears));
        mine.push(vec![*id]);
        groups = others;
        groups.push(mine.concat());
    }
    groups
}
