//! Who may say what: messages that any node on the network could send.

use cluster::{Input, NodeConfig};
use wire::{Arithmetic, BlockIndex, BlockTask, Epoch, JobId, PeerMessage, Seed, TaskInput};

use crate::support::device::Device;
use crate::support::mesh::Mesh;
use crate::support::{job, millis, native, node, record, seconds};

fn two_nodes(config: NodeConfig) -> Mesh {
    let mut mesh = Mesh::with_config(1, config);
    for number in 1..=2 {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(1, 1000.0));
    }
    mesh.link_all();
    mesh.run_for(millis(300));
    mesh
}

fn task(job: JobId, sides: [u32; 3]) -> BlockTask {
    let [rows, inner, cols] = sides;
    let input = TaskInput::Random {
        seed: Seed(1),
        matrix_cols: cols,
        row_start: 0,
        col_start: 0,
    };
    BlockTask {
        job,
        block: BlockIndex(0),
        row_start: 0,
        rows,
        inner,
        cols,
        arithmetic: Arithmetic::Reproducible,
        a: input.clone(),
        b: input,
    }
}

/// Node 2 gives node 1 a block.
fn lease(mesh: &mut Mesh, of: JobId, epoch: Epoch, task: BlockTask) {
    let from = node(2);
    let message = PeerMessage::Lease {
        job: of,
        epoch,
        worker: native(1),
        tasks: vec![task],
    };
    mesh.feed(node(1), Input::Peer { from, message });
}

fn given(mesh: &Mesh, of: JobId) -> usize {
    let device = &mesh.devices[&(node(1), native(1))];
    device
        .given
        .iter()
        .filter(|(given, _)| *given == of)
        .count()
}

#[test]
fn a_lease_of_a_job_that_nobody_knows_is_not_taken() {
    let mut mesh = two_nodes(NodeConfig::default());
    let epoch = Epoch {
        number: 1,
        coordinator: node(2),
        incarnation: 0,
    };
    lease(&mut mesh, job(9), epoch, task(job(9), [10, 1000, 1000]));
    assert_eq!(given(&mesh, job(9)), 0);
}

#[test]
fn only_the_coordinator_leases() {
    let mut mesh = two_nodes(NodeConfig::default());
    let of = mesh.submit(node(1), record(1, 3000));
    mesh.run_for(millis(100));
    let before = given(&mesh, of);
    let epoch = Epoch {
        number: 5,
        coordinator: node(1),
        incarnation: 0,
    };
    let mut other = task(of, [10, 1000, 1000]);
    other.block = BlockIndex(2999);
    lease(&mut mesh, of, epoch, other);
    assert_eq!(given(&mesh, of), before);
}

#[test]
fn a_task_that_is_no_block_of_its_job_is_not_taken() {
    let mut mesh = two_nodes(NodeConfig::default());
    let of = mesh.submit(node(2), record(1, 3000));
    mesh.run_for(millis(100));
    let epoch = mesh.node(node(2)).replica(of).unwrap().epoch();
    for sides in [
        [0, 1000, 1000],
        [10, 999, 1000],
        [10, 1000, 1001],
        [30_001, 1000, 1],
        [30_000, 1000, 1000],
        [u32::MAX, u32::MAX, u32::MAX],
    ] {
        let before = given(&mesh, of);
        let mut other = task(of, sides);
        other.block = BlockIndex(2999);
        lease(&mut mesh, of, epoch, other);
        assert_eq!(given(&mesh, of), before, "{sides:?}");
    }
    let mut good = task(of, [10, 1000, 1000]);
    (good.block, good.row_start) = (BlockIndex(2999), 29_990);
    let before = given(&mesh, of);
    lease(&mut mesh, of, epoch, good);
    assert_eq!(given(&mesh, of), before + 1, "a good one is");
}

#[test]
fn a_copy_of_a_job_beyond_the_largest_side_is_not_kept() {
    let config = NodeConfig {
        side_max: 10_000,
        ..NodeConfig::default()
    };
    let mut mesh = two_nodes(config);
    let small = mesh.submit(node(1), record(1, 50));
    let large = mesh.submit(node(1), record(2, 1001));
    mesh.run_for(seconds(3));
    assert!(mesh.stores[&node(2)].jobs.contains_key(&small));
    assert!(!mesh.stores[&node(2)].jobs.contains_key(&large));
}
