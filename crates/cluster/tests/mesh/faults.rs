//! Chance: a few nodes and devices, several jobs, and whatever can go wrong.
//! Then the faults end, and every accepted job must complete with each block
//! counted once. A seed that fails is replayed with
//! `MATMESH_SEED=n cargo test -p cluster --test mesh faults`.

use wire::{JobId, NodeId};

use crate::support::device::{Device, Habit};
use crate::support::mesh::{Faults, Mesh};
use crate::support::random::Random;
use crate::support::{fastest, millis, native, node, page, record, seconds};

/// `MATMESH_RUNS` asks for more.
const RUNS: u64 = 300;

#[derive(Debug, Default)]
struct Seen {
    jolts: u64,
    mutes: u64,
    crashes: u64,
    leaves: u64,
    joins: u64,
    cancels: u64,
}

#[test]
fn accepted_jobs_complete_with_each_block_counted_once_whatever_happens() {
    let mut seen = Seen::default();
    if let Ok(seed) = std::env::var("MATMESH_SEED") {
        run(seed.parse().expect("a number"), &mut seen);
        return;
    }
    let runs = std::env::var("MATMESH_RUNS").map_or(RUNS, |runs| runs.parse().expect("a number"));
    for seed in 0..runs {
        let outcome = std::panic::catch_unwind(|| {
            let mut seen = Seen::default();
            run(seed, &mut seen);
            seen
        });
        match outcome {
            Ok(run) => seen.add(&run),
            Err(_) => panic!("seed {seed} fails; replay it with MATMESH_SEED={seed}"),
        }
    }
    println!("{seen:?}");
    let counts = [
        seen.jolts,
        seen.mutes,
        seen.crashes,
        seen.leaves,
        seen.joins,
        seen.cancels,
    ];
    assert!(counts.iter().all(|count| *count > 0), "{seen:?}");
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.jolts += other.jolts;
        self.mutes += other.mutes;
        self.crashes += other.crashes;
        self.leaves += other.leaves;
        self.joins += other.joins;
        self.cancels += other.cancels;
    }
}

fn run(seed: u64, seen: &mut Seen) {
    let mut chance = Random::new(seed ^ 0x5eed);
    let mut mesh = Mesh::new(seed);
    let nodes: Vec<NodeId> = (1..=2 + u8::try_from(seed % 4).expect("small"))
        .map(node)
        .collect();
    for (index, id) in nodes.iter().enumerate() {
        mesh.add_node(*id);
        if index == 0 || chance.chance(700) {
            let number = u8::try_from(index + 1).expect("small");
            mesh.attach(*id, native(number), device(&mut chance, true));
        }
    }
    mesh.link_all();
    mesh.run_for(millis(chance.within(0..800)));
    mesh.faults = Faults {
        loss: *chance.pick(&[0, 0, 20, 150]),
        duplication: *chance.pick(&[0, 20, 150]),
        reordering: *chance.pick(&[0, 20, 150]),
        crash: *chance.pick(&[0, 0, 1, 4]),
    };
    let mut jobs = Vec::new();
    for step in 0..chance.within(5..25) {
        if jobs.len() < 4 && (step == 0 || chance.chance(200)) {
            jobs.extend(submit(&mut mesh, &mut chance, &nodes, jobs.len()));
        }
        disturb(&mut mesh, &mut chance, &nodes, seen);
        mesh.run_for(millis(chance.within(0..600)));
    }
    finish(&mut mesh, &nodes, &jobs, seen);
}

fn device(chance: &mut Random, is_native: bool) -> Device {
    let threads = u32::try_from(chance.within(1..6)).expect("small");
    let mflops = *chance.pick(&[50.0, 500.0, 4000.0, 50_000.0]);
    let device = if is_native {
        Device::native(threads, mflops)
    } else {
        Device::page(threads, mflops)
    };
    let few = u32::try_from(chance.within(1..5)).expect("small");
    let habits = [
        Habit::Honest,
        Habit::Honest,
        Habit::Honest,
        Habit::NeverAnswers,
        Habit::LeavesAfter(few),
        Habit::GivesBack(few),
        Habit::AnswersTwice,
        Habit::WrongLength(few),
    ];
    // A node's own threads do not leave while it runs.
    match *chance.pick(&habits) {
        Habit::LeavesAfter(_) if is_native => device,
        habit => device.with(habit),
    }
}

fn submit(mesh: &mut Mesh, chance: &mut Random, nodes: &[NodeId], number: usize) -> Option<JobId> {
    let at = *chance.pick(nodes);
    let number = u8::try_from(number + 1).expect("small");
    let blocks = u32::try_from(chance.within(1..60)).expect("small");
    let record = if chance.chance(300) {
        fastest(number, blocks)
    } else {
        record(number, blocks)
    };
    let job = mesh.submit(at, record);
    // A node that died in between never said 202.
    mesh.stores[&at].jobs.contains_key(&job).then_some(job)
}

fn disturb(mesh: &mut Mesh, chance: &mut Random, nodes: &[NodeId], seen: &mut Seen) {
    let (one, other) = (*chance.pick(nodes), *chance.pick(nodes));
    let number = u8::try_from(chance.within(1..9)).expect("small");
    match chance.within(0..7) {
        0 if one != other => {
            mesh.jolt(one, other);
            seen.jolts += 1;
        }
        1 => {
            mesh.muted.insert(one);
            seen.mutes += 1;
        }
        2 => mesh.muted.clear(),
        3 => {
            mesh.crash(one);
            let pause = chance.within(0..3_000);
            mesh.run_for(millis(pause));
            mesh.restart(one);
            seen.crashes += 1;
        }
        4 => {
            let left = mesh.detach(one, page(number)).is_some();
            seen.leaves += u64::from(left);
        }
        5 if !mesh
            .devices
            .keys()
            .any(|(_, worker)| *worker == page(number)) =>
        {
            let device = device(chance, false);
            mesh.attach(one, page(number), device);
            seen.joins += 1;
        }
        6 if chance.chance(100) => {
            let number = u8::try_from(chance.within(1..5)).expect("small");
            let job = crate::support::job(number);
            mesh.feed(one, cluster::Input::Cancel { job });
            seen.cancels += 1;
        }
        _ => {}
    }
}

/// The faults end, and one good device is there.
fn finish(mesh: &mut Mesh, nodes: &[NodeId], jobs: &[JobId], seen: &mut Seen) {
    mesh.faults = Faults::default();
    mesh.muted.clear();
    for id in nodes {
        mesh.restart(*id);
    }
    // A real line loses nothing but by breaking; that of a summary, which is
    // told once, is mended when the line is there again.
    for (index, one) in nodes.iter().enumerate() {
        for other in &nodes[index + 1..] {
            mesh.jolt(*one, *other);
        }
    }
    mesh.attach(nodes[nodes.len() - 1], page(99), Device::page(2, 1000.0));
    seen.joins += 1;
    for job in jobs {
        mesh.run_until_ended(*job, seconds(400));
    }
    mesh.run_for(seconds(5));
    for id in nodes {
        for job in jobs {
            let known = mesh.node(*id).job(*job).map(|known| known.status);
            assert_eq!(known, Some(mesh.stored_status(*job)), "{job} at {id}");
        }
    }
    mesh.check_nothing_kept();
}
