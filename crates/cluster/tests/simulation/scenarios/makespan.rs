//! How long a job takes on devices of very different speed, against what all of them could do if
//! nobody ever waited: its operations, divided by the sum of the speeds.

use std::collections::BTreeMap;

use wire::JobRecord;

use crate::support::device::{Device, DeviceKey, Habit};
use crate::support::mesh::Mesh;
use crate::support::{millis, native, node, page, record, seconds};

/// 4096 × 4000 × 4000 in 512 blocks of 256 million operations, as it is cut: 5 ms for a core of a
/// laptop, a quarter of a second for a phone.
const BLOCKS: u32 = 512;
const MEGA_OPERATIONS: f64 = 256.0 * BLOCKS as f64;

const LAPTOP: f64 = 50_000.0;
const PHONE: f64 = 1000.0;

/// The most that a job may take of what it would take if nobody ever waited.
const MAKESPAN_MAX: f64 = 1.15;
/// The part of all blocks that may be given to a second device.
const TWICE_MAX: f64 = 0.05;

fn large(number: u8) -> JobRecord {
    let mut record = record(number, BLOCKS);
    record.shape.rows = 8 * BLOCKS;
    (record.shape.inner, record.shape.cols) = (4000, 4000);
    (record.cut.rows_per_block, record.cut.cols_per_block) = (8, 4000);
    record
}

/// Two nodes with these devices, which know of each other.
fn mesh_of(seed: u64, devices: &[(u8, Device)]) -> (Mesh, Vec<DeviceKey>) {
    let mut mesh = Mesh::new(seed);
    mesh.add_node(node(1));
    mesh.add_node(node(2));
    mesh.link_all();
    let mut keys = Vec::new();
    for (number, (home, device)) in (10..).zip(devices) {
        let worker = match device.profile.kind {
            wire::WorkerKind::Native => native(*home),
            wire::WorkerKind::Browser => page(number),
        };
        mesh.attach(node(*home), worker, device.clone());
        keys.push((node(*home), worker));
    }
    mesh.run_for(seconds(1));
    (mesh, keys)
}

/// Of all blocks the part that was given more than once.
fn twice(mesh: &Mesh) -> f64 {
    let mut times = BTreeMap::new();
    for device in mesh.devices.values() {
        for block in &device.given {
            *times.entry(*block).or_insert(0_u32) += 1;
        }
    }
    let more: u32 = times.values().map(|given| given - 1).sum();
    f64::from(more) / f64::from(BLOCKS)
}

fn check(mesh: &Mesh, took_ms: f64, ideal_ms: f64) {
    let (makespan, twice) = (took_ms / ideal_ms, twice(mesh));
    let told = format!(
        "{makespan:.3} of {ideal_ms:.0} ms, {:.1} % twice",
        100.0 * twice
    );
    assert!(makespan <= MAKESPAN_MAX, "{told}");
    assert!(twice <= TWICE_MAX, "{told}");
}

#[test]
fn a_phone_fifty_times_slower_than_a_laptop_helps_and_holds_nobody_up() {
    for (seed, phones) in [(1, 1), (2, 4), (3, 20)] {
        let mut devices = vec![
            (1, Device::native(1, LAPTOP)),
            (2, Device::native(1, LAPTOP / 2.0)),
        ];
        devices.extend((0..phones).map(|number| (1 + number % 2, Device::page(1, PHONE))));
        let (mut mesh, keys) = mesh_of(seed, &devices);
        let job = mesh.submit(node(1), large(1));
        let took = mesh.run_until_complete(job, seconds(60));
        let speeds = 1.5 * LAPTOP + f64::from(phones) * PHONE;
        check(
            &mesh,
            took.as_secs_f64() * 1e3,
            1e3 * MEGA_OPERATIONS / speeds,
        );
        let shares = mesh.shares(job);
        for (_, worker) in keys {
            assert!(shares.contains_key(&worker), "{worker} helped: {shares:?}");
        }
    }
}

#[test]
fn a_device_that_falls_asleep_and_one_that_comes_at_half_cost_little() {
    let tablet = Device::page(2, 10_000.0);
    let (mut mesh, keys) = mesh_of(
        4,
        &[
            (1, Device::native(1, LAPTOP)),
            (1, Device::page(1, PHONE)),
            (2, tablet.clone()),
        ],
    );
    let job = mesh.submit(node(1), large(1));
    // At 700 ms the tablet's lid is closed; at 1100 ms somebody opens a second laptop.
    let before = LAPTOP + PHONE;
    mesh.run_for(millis(700));
    mesh.change(keys[2], |device| {
        device.habit = Habit::NeverAnswers;
        device.tasks.clear();
    });
    mesh.run_for(millis(400));
    mesh.attach(node(2), native(2), Device::native(1, LAPTOP));
    let took = mesh.run_until_complete(job, seconds(60));
    let done_before = 0.7 * (before + tablet.mflops) + 0.4 * before;
    let ideal = 1.1 + (MEGA_OPERATIONS - done_before) / (before + LAPTOP);
    check(&mesh, 1100.0 + took.as_secs_f64() * 1e3, 1e3 * ideal);
    assert!(mesh.shares(job)[&native(2)] > BLOCKS / 8);
}

#[test]
fn a_device_that_has_become_slow_gives_back_what_it_cannot_do_in_time() {
    let (mut mesh, keys) = mesh_of(
        5,
        &[
            (1, Device::native(1, LAPTOP)),
            (2, Device::native(1, LAPTOP)),
        ],
    );
    // What it holds is judged by blocks of a millisecond, what it says of itself is from its start.
    let before = mesh.submit(node(1), record(1, 100));
    mesh.run_until_complete(before, seconds(10));
    mesh.change(keys[1], |device| device.mflops = PHONE);
    let job = mesh.submit(node(1), large(2));
    let took = mesh.run_until_complete(job, seconds(60));
    let ideal = MEGA_OPERATIONS / (LAPTOP + PHONE);
    check(&mesh, took.as_secs_f64() * 1e3, 1e3 * ideal);
}
