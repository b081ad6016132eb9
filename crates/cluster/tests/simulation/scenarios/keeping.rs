//! Results of ended jobs, while those who hold them come and go.

use cluster::Input;
use wire::{ChunkHash, JobId, NodeId};

use crate::support::device::Device;
use crate::support::mesh::Mesh;
use crate::support::{millis, native, node, of_files, record, seconds};

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

/// Nodes that live and have all of a complete job.
fn whole_at(mesh: &Mesh, job: JobId) -> Vec<NodeId> {
    let blocks = mesh.stored(job).done.len();
    let up = mesh.hosts.iter().filter(|(_, host)| host.is_up);
    let has_all = |id: &NodeId| {
        let copy = mesh.stores[id].jobs.get(&job);
        copy.is_some_and(|copy| copy.ended.is_some() && copy.done.len() == blocks)
    };
    up.map(|(id, _)| *id).filter(has_all).collect()
}

#[test]
fn a_result_outlives_its_first_holders() {
    for is_polite in [true, false] {
        let mut mesh = nodes(7, 15);
        let job = mesh.submit(node(1), of_files(record(1, 60)));
        mesh.run_until_complete(job, seconds(60));
        mesh.run_for(seconds(5));
        let first: Vec<NodeId> = mesh.node(node(1)).replica(job).unwrap().holders().collect();
        assert_eq!(first.len(), 4);
        for holder in &first {
            if is_polite {
                mesh.leave(*holder, seconds(2));
            } else {
                mesh.crash(*holder);
            }
            mesh.run_for(seconds(30));
        }
        let left = whole_at(&mesh, job);
        assert_eq!(left.len(), 3, "all that are left hold it");
        for holder in &left {
            assert!(mesh.stores[holder].inputs.contains(&job), "its inputs, too");
        }
        // Everybody knows where it is, also who was not there.
        mesh.add_node(node(9));
        mesh.link_all();
        mesh.run_for(seconds(1));
        let told = mesh.node(node(9)).holders(job);
        assert!(left.iter().all(|holder| told.contains(holder)), "{told:?}");
    }
}

#[test]
fn a_job_that_ended_alone_is_copied_when_others_come() {
    let mut mesh = nodes(1, 3);
    let job = mesh.submit(node(1), record(1, 20));
    mesh.run_until_complete(job, seconds(10));
    mesh.add_node(node(2));
    mesh.link_all();
    mesh.run_for(seconds(10));
    assert_eq!(whole_at(&mesh, job), [node(1), node(2)]);
}

#[test]
fn whoever_leaves_in_good_order_hands_over_what_has_ended() {
    let mut mesh = nodes(1, 4);
    let jobs: Vec<JobId> = (1..=80)
        .map(|number| {
            let job = mesh.submit(node(1), record(number, 3));
            mesh.run_until_complete(job, seconds(10));
            job
        })
        .collect();
    mesh.add_node(node(2));
    mesh.link_all();
    mesh.run_for(millis(100));
    mesh.feed(node(1), Input::Resign);
    assert_eq!(mesh.node(node(1)).results_to_hand_over(), 80);
    let mut waited = 0;
    while mesh.node(node(1)).results_to_hand_over() > 0 {
        mesh.run_for(millis(50));
        waited += 1;
        assert!(
            waited < 100,
            "{} are left",
            mesh.node(node(1)).results_to_hand_over()
        );
    }
    mesh.feed(node(1), Input::Leave);
    mesh.crash(node(1));
    for job in jobs {
        assert_eq!(whole_at(&mesh, job), [node(2)]);
    }
}

#[test]
fn a_holder_that_restarts_causes_no_copying() {
    let mut mesh = nodes(5, 5);
    let job = mesh.submit(node(1), record(1, 20));
    mesh.run_until_complete(job, seconds(10));
    mesh.run_for(seconds(10));
    let before = whole_at(&mesh, job);
    assert_eq!(before.len(), 4);
    mesh.crash(before[1]);
    mesh.run_for(seconds(2));
    mesh.restart(before[1]);
    mesh.run_for(seconds(20));
    assert_eq!(whole_at(&mesh, job), before);
}

#[test]
fn a_damaged_block_of_a_result_comes_from_another_holder() {
    let mut mesh = nodes(3, 6);
    let job = mesh.submit(node(1), record(1, 20));
    mesh.run_until_complete(job, seconds(10));
    mesh.run_for(seconds(1));
    let given = given_blocks(&mesh);
    for holder in whole_at(&mesh, job) {
        let block = wire::BlockIndex(7);
        mesh.feed(holder, Input::ResultDamaged { job, block });
        mesh.run_for(seconds(4));
        assert_eq!(
            whole_at(&mesh, job).len(),
            3,
            "damaged at {}",
            holder.short()
        );
    }
    assert_eq!(given_blocks(&mesh), given, "nothing was computed again");
}

#[test]
fn a_block_that_is_damaged_everywhere_is_computed_again() {
    let mut mesh = nodes(2, 7);
    let job = mesh.submit(node(1), record(1, 20));
    mesh.run_until_complete(job, seconds(10));
    mesh.run_for(seconds(1));
    let hash = |mesh: &Mesh| -> Option<ChunkHash> {
        let done = mesh.stored(job).done;
        done.get(&wire::BlockIndex(7)).map(|done| done.hash)
    };
    let before = hash(&mesh);
    for number in 1..=2 {
        let block = wire::BlockIndex(7);
        mesh.feed(node(number), Input::ResultDamaged { job, block });
    }
    mesh.run_for(seconds(30));
    assert_eq!(whole_at(&mesh, job).len(), 2, "{}", mesh.views_of(job));
    assert_eq!(hash(&mesh), before);
}

#[test]
fn a_block_damaged_at_the_coordinator_of_a_running_job_is_not_computed_again() {
    let mut mesh = nodes(2, 8);
    let job = mesh.submit(node(1), record(1, 200));
    mesh.run_for(millis(700));
    let done = mesh.stores[&node(1)].jobs[&job]
        .done
        .keys()
        .next()
        .copied()
        .unwrap();
    mesh.memory.done_work.is_asked = true;
    mesh.feed(node(1), Input::ResultDamaged { job, block: done });
    mesh.run_until_complete(job, seconds(60));
}

fn given_blocks(mesh: &Mesh) -> usize {
    mesh.devices.values().map(|device| device.given.len()).sum()
}
