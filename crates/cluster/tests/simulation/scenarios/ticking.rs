//! Deadlines: enough to never miss anything, and few enough to rest between.
//!
//! Every test of this suite checks after each input that the next deadline is
//! ahead, and wakes nodes at deadlines only; here the ticks are counted.

use crate::scenarios::completing::three_nodes;
use crate::support::device::{Device, Habit};
use crate::support::mesh::Mesh;
use crate::support::{fastest, millis, native, node, page, record, seconds};

fn ticks(mesh: &Mesh) -> u64 {
    mesh.hosts
        .values()
        .map(|host| host.ticks)
        .max()
        .expect("nodes")
}

#[test]
fn an_idle_mesh_ticks_at_its_heartbeats_only() {
    let mut mesh = three_nodes(1);
    let before = ticks(&mesh);
    mesh.run_for(seconds(60));
    let each_second = (ticks(&mesh) - before) / 60;
    assert!(each_second <= 6, "{each_second} ticks a second");
}

#[test]
fn a_mesh_with_a_job_that_nobody_can_do_rests() {
    let mut mesh = three_nodes(2);
    for at in mesh.devices.keys().copied().collect::<Vec<_>>() {
        mesh.change(at, |device| device.habit = Habit::NeverAnswers);
    }
    for number in 1..=10 {
        mesh.submit(node(1), record(number, 24));
    }
    let (before, sent) = (ticks(&mesh), mesh.sent.len());
    mesh.run_for(seconds(120));
    let each_second = (ticks(&mesh) - before) / 120;
    assert!(each_second <= 20, "{each_second} ticks a second");
    let each_second = (mesh.sent.len() - sent) / 120;
    assert!(each_second <= 200, "{each_second} messages a second");
}

#[test]
fn devices_that_are_not_wanted_ask_seldom() {
    let mut mesh = Mesh::new(3);
    mesh.add_node(node(1));
    mesh.attach(
        node(1),
        native(1),
        Device::native(2, 2000.0).with(Habit::NeverAnswers),
    );
    mesh.add_node(node(2));
    for number in 1..=20 {
        mesh.attach(node(2), page(number), Device::page(2, 1.0));
    }
    mesh.link_all();
    mesh.run_for(seconds(1));
    mesh.submit(node(1), fastest(1, 64));
    mesh.run_for(millis(100));
    let sent = mesh.sent.len();
    mesh.run_for(seconds(60));
    let each_second = (mesh.sent.len() - sent) / 60;
    assert!(each_second <= 40, "{each_second} messages a second");
}

#[test]
fn a_job_runs_on_deadlines_and_messages_alone_although_one_device_is_lost() {
    // The only device with room is one that was told to wait: nothing but a
    // deadline of the coordinator can wake it.
    let mut mesh = Mesh::new(4);
    mesh.add_node(node(1));
    mesh.attach(
        node(1),
        page(1),
        Device::page(1, 1000.0).with(Habit::NeverAnswers),
    );
    mesh.attach(node(1), page(2), Device::page(1, 1000.0));
    let job = mesh.submit(node(1), record(1, 4));
    mesh.run_until_complete(job, seconds(10));
}
