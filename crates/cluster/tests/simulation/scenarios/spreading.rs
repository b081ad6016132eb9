//! Who is given work, by speed and by wish.

use crate::support::device::{Device, Habit};
use crate::support::mesh::Mesh;
use crate::support::{millis, native, node, page, record, seconds};

fn with_phone(phone: Device, home: u8) -> Mesh {
    let mut mesh = Mesh::new(1);
    mesh.add_node(node(1));
    mesh.add_node(node(2));
    mesh.attach(node(1), native(1), Device::native(4, 4000.0));
    mesh.attach(node(home), page(9), phone);
    mesh.link_all();
    mesh.run_for(seconds(1));
    mesh
}

#[test]
fn a_device_too_slow_for_a_third_of_the_block_timeout_gets_none() {
    // 20 million operations at 1.9 MFLOPS are 10.5 s, at 2.1 they are 9.5 s.
    for home in 1..=2 {
        let mut mesh = with_phone(Device::page(1, 1.9), home);
        let job = mesh.submit(node(1), record(1, 32));
        mesh.run_until_complete(job, seconds(10));
        assert_eq!(mesh.devices[&(node(home), page(9))].given, []);
        let mut mesh = with_phone(Device::page(1, 2.1), home);
        let job = mesh.submit(node(1), record(1, 32));
        mesh.run_until_complete(job, seconds(20));
        assert_ne!(mesh.devices[&(node(home), page(9))].given, []);
    }
}

#[test]
fn a_device_that_turns_out_too_slow_does_not_get_its_reserved_block() {
    // Its speed was not known at submit; when it asks, it is.
    let mut mesh = with_phone(Device::page(1, 1.0).claiming(0.0), 2);
    mesh.muted.insert(node(2));
    let job = mesh.submit(node(1), record(1, 32));
    mesh.muted.clear();
    mesh.change((node(2), page(9)), |device| device.profile.mflops = 1.0);
    mesh.run_for(millis(300));
    let took = mesh.run_until_complete(job, seconds(10));
    assert!(took < seconds(1), "{took:?}");
    assert_eq!(mesh.devices[&(node(2), page(9))].given, []);
}

#[test]
fn a_device_whose_speed_becomes_known_is_judged_anew() {
    let mut mesh = with_phone(Device::page(1, 1000.0).claiming(1.0), 2);
    mesh.detach(node(1), native(1));
    let job = mesh.submit(node(1), record(1, 8));
    mesh.run_for(seconds(1));
    assert_eq!(mesh.devices[&(node(2), page(9))].given, []);
    mesh.change((node(2), page(9)), |device| device.profile.mflops = 1000.0);
    mesh.run_until_complete(job, seconds(20));
}

#[test]
fn a_device_that_is_switched_off_gets_nothing_and_gives_back() {
    for home in 1..=2 {
        let mut mesh = with_phone(Device::page(2, 50.0), home);
        let job = mesh.submit(node(1), record(1, 64));
        mesh.run_for(millis(100));
        let at = (node(home), page(9));
        mesh.change(at, |device| device.profile.contributing = false);
        let given = mesh.devices[&at].given.len();
        assert!(given > 0);
        assert!(mesh.devices[&at].tasks.is_empty());
        let took = mesh.run_until_complete(job, seconds(10));
        assert!(took < seconds(1), "{took:?}");
        assert_eq!(mesh.devices[&at].given.len(), given);
    }
}

#[test]
fn a_device_that_is_switched_on_again_works_again() {
    let mut mesh = with_phone(Device::page(2, 500.0), 2);
    mesh.detach(node(1), native(1));
    let job = mesh.submit(node(1), record(1, 16));
    mesh.run_for(millis(30));
    let at = (node(2), page(9));
    mesh.change(at, |device| device.profile.contributing = false);
    mesh.run_for(seconds(5));
    mesh.change(at, |device| device.profile.contributing = true);
    let took = mesh.run_until_complete(job, seconds(10));
    assert!(took < seconds(2), "{took:?}");
}

#[test]
fn a_device_that_comes_later_takes_part() {
    let mut mesh = with_phone(Device::page(2, 500.0), 2);
    let job = mesh.submit(node(1), record(1, 400));
    mesh.run_for(millis(200));
    mesh.add_node(node(3));
    mesh.attach(node(3), native(3), Device::native(4, 4000.0));
    mesh.link(node(3), node(1));
    mesh.run_until_complete(job, seconds(20));
    let shares = mesh.shares(job);
    assert!(shares[&native(3)] > 100, "{shares:?}");
}

#[test]
fn a_page_that_claims_any_speed_and_never_answers_keeps_nobody_from_the_blocks() {
    let mut mesh = with_phone(Device::page(1, 1000.0), 2);
    mesh.detach(node(1), native(1));
    let liar = Device::page(1, 1000.0).claiming(1e12);
    mesh.attach(node(1), page(8), liar.with(Habit::NeverAnswers));
    mesh.run_for(millis(100));
    let job = mesh.submit(node(1), record(1, 64));
    // 62 blocks of 20 ms.
    mesh.run_for(seconds(2));
    assert_eq!(mesh.stored(job).done.len(), 62);
}

#[test]
fn devices_of_unequal_speed_end_together() {
    let mut mesh = with_phone(Device::page(1, 1000.0), 2);
    let job = mesh.submit(node(1), record(1, 200));
    let took = mesh.run_until_complete(job, seconds(20));
    // 200 blocks of 20 ms over five equal threads are 800 ms.
    assert!(took < millis(1000), "{took:?}");
}
