//! Chance: 2 to 7 nodes and their devices, several jobs, and whatever can go
//! wrong, at least five times. Then the faults end, and every acknowledged job
//! must end, complete unless it was cancelled, with each block counted once.
//!
//! Every other seed draws kinds of faults besides that last longer, or that lie around the core: batches of
//! inputs, lanes that lag, power cuts, lost stores, late links ([`Kind`]).
//!
//! There are two modes. In *safety* all faults end. In *liveness* some never do ([`liveness`]).
//!
//! Every number of a run comes from its seed. A seed that fails is replayed with
//! `MATMESH_SEED=n cargo test -p cluster --test simulation chance::acknowledged`, or `chance::jobs_end` for liveness.

mod liveness;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use cluster::NodeConfig;
use wire::{JobId, JobStatus, NodeId, WorkerId};

use crate::invariants::{
    acknowledged_jobs_are_kept, copies_agree, nothing_is_left_over, results_have_copies,
};
use crate::support::device::{Device, Habit};
use crate::support::mesh::{Faults, Mesh};
use crate::support::random::Random;
use crate::support::store::Store;
use crate::support::{
    fastest, is_seeded, job, millis, native, node, of_files, page, record, seconds, tiny,
};

/// `MATMESH_SEEDS=first..end` asks for others.
const SEEDS: Range<u64> = 0..300;

/// Faults that a run has at least.
const FAULTS_LEAST: u64 = 5;

/// What 300 runs do: a kind that none of them has is one that is not tested.
const SEEN: [&str; 46] = [
    // Faults
    "line broken",
    "node silent",
    "node deaf to another",
    "mesh cut in halves",
    "node killed",
    "node paused",
    "clock set back",
    "page closed",
    "crash between two outputs",
    "message lost",
    "message twice",
    "message overtaken",
    "lane late",
    "link late",
    "power cut",
    "unsynced writes lost",
    "store lost",
    "older image put back",
    "clock set forward",
    "node left",
    "page moved",
    "line replaced",
    "partial partition",
    "calendar of a status went back",
    "long wait",
    "short time to live",
    "other number of backups",
    "device that is always wrong",
    "batch of inputs",
    // What people do
    "page opened",
    "job submitted",
    "job cancelled",
    // What the nodes did about them
    "job acknowledged",
    "block done",
    "block reassigned",
    "result refused",
    "election started",
    "election won",
    "stepped down",
    "peer lost, silent",
    "peer lost, refusing",
    "job ended",
    "inputs copied",
    "inputs not to be had",
    "block damaged",
    "job gone after its time",
];

#[test]
fn acknowledged_jobs_end_with_each_block_counted_once_whatever_happens() {
    run_all(Mode::Safety, SEEDS, &SEEN);
}

#[test]
fn jobs_end_or_are_reported_when_some_faults_never_heal() {
    run_all(Mode::Liveness, liveness::SEEDS, &liveness::SEEN);
}

/// Which faults end before the jobs must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Safety,
    Liveness,
}

/// One seed if the environment names it, else all of them: what they must have had is `expected`.
#[expect(
    clippy::print_stdout,
    reason = "`cargo xtask sim` reads the counts of a run"
)]
fn run_all(mode: Mode, usual: Range<u64>, expected: &[&str]) {
    if let Ok(seed) = std::env::var("MATMESH_SEED") {
        let seed = seed.parse().expect("a number");
        println!("{:?}", kinds_of(seed, &mut further_chance(seed)));
        let counts = run(seed, mode);
        println!("{counts:?}");
        return;
    }
    let seeds = seeds(usual.clone());
    // Fewer runs may lack a kind by chance.
    let are_many = seeds.clone().count() >= usual.count();
    let mut seen = BTreeMap::new();
    for seed in seeds {
        let Ok(counts) = std::panic::catch_unwind(|| run(seed, mode)) else {
            panic!("seed {seed} fails; replay it with MATMESH_SEED={seed}");
        };
        for (what, count) in counts {
            *seen.entry(what).or_insert(0) += count;
        }
    }
    println!("{seen:?}");
    for what in expected {
        assert!(!are_many || seen.contains_key(what), "no run had: {what}");
    }
}

fn seeds(usual: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("MATMESH_SEEDS") else {
        return usual;
    };
    let (first, end) = text.split_once("..").expect("a range");
    first.parse().expect("a number")..end.parse().expect("a number")
}

/// A kind of faults that a run has from its beginning, or again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The driver hands inputs over together, and stores before it sends.
    Batches,
    /// Results and copies are up to seconds behind.
    LateLanes,
    /// A machine loses what it had not synced.
    PowerCuts,
    /// A store is damaged, and its node begins with an empty one.
    LostStores,
    /// A disk is put back from an image of it.
    OldImages,
    /// After a restart a node finds the others late.
    LateLinks,
    ClocksAhead,
    /// Nodes leave in good order.
    Leaves,
    /// Pages go from node to node.
    MovingPages,
    /// Another link takes the place of one that is there.
    ReplacedLines,
    /// Devices that never return anything right.
    BadDevices,
    /// Other numbers of backups, other time-outs.
    Configs,
    /// Jobs expire while the faults go on.
    ShortLives,
    /// Versions of statuses follow calendars.
    RealVersions,
    /// Two nodes do not hear each other for long, and all others hear both.
    PartialCuts,
    /// Stored blocks rot.
    Damage,
}

const KINDS: [Kind; 16] = [
    Kind::Batches,
    Kind::LateLanes,
    Kind::PowerCuts,
    Kind::LostStores,
    Kind::OldImages,
    Kind::LateLinks,
    Kind::ClocksAhead,
    Kind::Leaves,
    Kind::MovingPages,
    Kind::ReplacedLines,
    Kind::BadDevices,
    Kind::Configs,
    Kind::ShortLives,
    Kind::RealVersions,
    Kind::PartialCuts,
    Kind::Damage,
];

/// One to five kinds for every other seed; `MATMESH_KINDS` names them by number, for whoever looks for one.
fn kinds_of(seed: u64, more: &mut Random) -> BTreeSet<Kind> {
    if let Ok(chosen) = std::env::var("MATMESH_KINDS") {
        let numbers = chosen.split(',').filter(|text| !text.is_empty());
        return numbers
            .map(|number| KINDS[number.parse::<usize>().expect("a number")])
            .collect();
    }
    if seed.is_multiple_of(2) {
        return BTreeSet::new();
    }
    let count = more.within(1..6);
    (0..count).map(|_| *more.pick(&KINDS)).collect()
}

/// Of its own, so that seeds without further kinds stay what they were.
fn further_chance(seed: u64) -> Random {
    Random::new(seed ^ 0xfeed_beef)
}

/// One run; what happened in it, by kind.
fn run(seed: u64, mode: Mode) -> BTreeMap<&'static str, u64> {
    let mut chance = Random::new(seed ^ 0x5eed);
    let mut more = further_chance(seed);
    let mut kinds = kinds_of(seed, &mut more);
    let mut config = config_of(&kinds, &mut more);
    if mode == Mode::Liveness {
        liveness::adapt(&mut kinds, &mut config);
    }
    let mut mesh = Mesh::with_config(seed, config);
    mesh.notes_sent = false;
    set_up(&mut mesh, &kinds, &mut more);
    let nodes: Vec<NodeId> = (1..=2 + u8::try_from(seed % 6).expect("small"))
        .map(node)
        .collect();
    for (index, id) in nodes.iter().enumerate() {
        mesh.add_node(*id);
        if index == 0 || chance.chance(700) {
            let number = u8::try_from(index + 1).expect("small");
            let device = device(&mut mesh, &mut chance, &mut more, true, &kinds);
            mesh.attach(*id, native(number), device);
        }
    }
    mesh.link_all();
    mesh.run_for(millis(chance.within(0..800)));
    // Where lines lose nothing but by breaking, more can be asked.
    let is_orderly = chance.chance(400);
    mesh.memory.done_work.is_asked = is_orderly && !kinds.contains(&Kind::Damage);
    mesh.faults = faults(&mut chance, is_orderly);
    let mut jobs = Vec::new();
    let steps = chance.within(5..25);
    let mut disturbed = 0;
    let mut step = 0;
    while step < steps || disturbed < FAULTS_LEAST {
        if jobs.len() < 4 && (step == 0 || chance.chance(200)) {
            jobs.extend(submit(&mut mesh, &mut chance, &nodes, jobs.len()));
        }
        if !kinds.is_empty() && more.chance(400) {
            disturbed += u64::from(disturb_more(&mut mesh, &mut more, &nodes, &kinds));
        } else {
            disturbed += u64::from(disturb(
                &mut mesh,
                &mut chance,
                (&nodes, &kinds),
                is_orderly,
            ));
        }
        mesh.run_for(millis(chance.within(0..600)));
        step += 1;
    }
    match mode {
        Mode::Safety => finish(&mut mesh, &nodes, &jobs, &kinds),
        Mode::Liveness => liveness::finish(&mut mesh, &mut more, &nodes, &jobs),
    }
    *mesh.counts.entry("virtual ms").or_default() += mesh.clock / 1000;
    *mesh.counts.entry("protocol events").or_default() += mesh.handled;
    mesh.counts
}

fn config_of(kinds: &BTreeSet<Kind>, more: &mut Random) -> NodeConfig {
    let mut config = NodeConfig::default();
    if kinds.contains(&Kind::Configs) {
        config.backups = *more.pick(&[0, 1, 2, 3, 5]);
        config.heartbeat_timeout = millis(*more.pick(&[600, 1000, 3000]));
        config.block_timeout = millis(*more.pick(&[2_000, 5_000, 30_000]));
    }
    if kinds.contains(&Kind::ShortLives) {
        config.result_ttl = seconds(*more.pick(&[20, 60]));
    }
    config
}

fn set_up(mesh: &mut Mesh, kinds: &BTreeSet<Kind>, more: &mut Random) {
    mesh.checks_joined = !kinds.contains(&Kind::Damage);
    for kind in kinds {
        match kind {
            Kind::Batches => mesh.has_batches = true,
            Kind::LateLanes => mesh.lane_delay = *more.pick(&[300_000, 3_000_000]),
            Kind::PowerCuts => mesh.has_power_cuts = true,
            Kind::LateLinks => mesh.late_links = 6_000_000,
            Kind::RealVersions => mesh.has_real_versions = true,
            Kind::Configs => mesh.count("other number of backups"),
            Kind::ShortLives => mesh.count("short time to live"),
            _ => {}
        }
    }
}

/// Something of the further kinds goes wrong; true if it is a fault.
fn disturb_more(
    mesh: &mut Mesh,
    more: &mut Random,
    nodes: &[NodeId],
    kinds: &BTreeSet<Kind>,
) -> bool {
    let (one, other) = (*more.pick(nodes), *more.pick(nodes));
    let kinds: Vec<Kind> = kinds.iter().copied().collect();
    match *more.pick(&kinds) {
        Kind::PowerCuts => {
            // Only one at a time, and the others have had time to notice.
            mesh.cut_power(one);
            mesh.run_for(millis(more.within(3_500..8_000)));
            mesh.restart(one);
            mesh.run_for(millis(more.within(3_000..6_000)));
        }
        Kind::LostStores if is_held_elsewhere(mesh, one) => {
            mesh.wipe(one);
            if more.chance(500) {
                mesh.run_for(millis(more.within(0..3_000)));
            }
            mesh.restart(one);
        }
        Kind::OldImages if is_held_elsewhere(mesh, one) => {
            mesh.put_image_back(one);
            mesh.run_for(millis(more.within(0..3_000)));
            mesh.restart(one);
        }
        Kind::ClocksAhead => {
            mesh.count("clock set forward");
            mesh.set_clock_ahead(one, more.within(0..10_000_000));
        }
        Kind::RealVersions => {
            mesh.count("calendar of a status went back");
            mesh.set_clock_back(one, more.within(0..10_000_000));
            mesh.crash(one);
            mesh.run_for(millis(more.within(0..2_000)));
            mesh.restart(one);
        }
        Kind::Leaves => {
            mesh.leave(one, millis(more.within(0..2_000)));
            mesh.run_for(millis(more.within(0..2_000)));
            mesh.restart(one);
        }
        Kind::MovingPages => return move_a_page(mesh, more, other),
        Kind::ReplacedLines if one != other => {
            let is_noticed = more.chance(500);
            mesh.replace_line(one, other, is_noticed);
        }
        Kind::ShortLives => {
            mesh.count("long wait");
            mesh.run_for(seconds(more.within(5..90)));
        }
        Kind::PartialCuts if one != other => {
            mesh.count("partial partition");
            mesh.deaf.extend([(one, other), (other, one)]);
            mesh.run_for(millis(more.within(500..15_000)));
        }
        Kind::Damage => return damage_a_block(mesh, more, one),
        _ => return false,
    }
    true
}

/// Whether all that a node has is also at others that are there: of it alone it may not lose its store.
fn is_held_elsewhere(mesh: &Mesh, id: NodeId) -> bool {
    let mut own = mesh.stores[&id].jobs.iter();
    mesh.hosts[&id].is_up
        && own.all(|(job, copy)| {
            mesh.stores.iter().any(|(at, store)| {
                let Some(there) = store.jobs.get(job) else {
                    return false;
                };
                let has_inputs = is_seeded(&copy.record) || store.inputs.contains(job);
                let has_blocks = copy.done.keys().all(|block| there.done.contains_key(block));
                let has_end = copy.ended.is_none() || there.ended.is_some();
                *at != id && mesh.hosts[at].is_up && has_inputs && has_blocks && has_end
            })
        })
}

fn move_a_page(mesh: &mut Mesh, more: &mut Random, to: NodeId) -> bool {
    let mut pages = mesh.devices.keys().copied();
    let page = pages.find(|(home, worker)| *worker != WorkerId::from(*home));
    let Some((from, worker)) = page else {
        return false;
    };
    let is_free = !mesh.devices.contains_key(&(to, worker));
    if to == from || !is_free || !mesh.hosts[&to].is_up {
        return false;
    }
    let is_noticed = more.chance(500);
    mesh.move_page((from, worker), to, is_noticed);
    true
}

fn damage_a_block(mesh: &mut Mesh, more: &mut Random, at: NodeId) -> bool {
    let jobs = mesh.stores[&at].jobs.iter();
    let blocks: Vec<_> = jobs
        .flat_map(|(job, copy)| copy.done.keys().map(|block| (*job, *block)))
        .collect();
    if blocks.is_empty() || !mesh.hosts[&at].is_up {
        return false;
    }
    mesh.count("block damaged");
    let (job, block) = *more.pick(&blocks);
    mesh.feed(at, cluster::Input::ResultDamaged { job, block });
    true
}

fn faults(chance: &mut Random, is_orderly: bool) -> Faults {
    let crash = *chance.pick(&[0, 0, 1, 4]);
    if is_orderly {
        return Faults {
            crash,
            ..Faults::default()
        };
    }
    Faults {
        loss: *chance.pick(&[0, 0, 20, 150]),
        duplication: *chance.pick(&[0, 20, 150]),
        reordering: *chance.pick(&[0, 20, 150]),
        crash,
    }
}

fn device(
    mesh: &mut Mesh,
    chance: &mut Random,
    more: &mut Random,
    is_native: bool,
    kinds: &BTreeSet<Kind>,
) -> Device {
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
    let habit = *chance.pick(&habits);
    if kinds.contains(&Kind::BadDevices) && more.chance(300) {
        mesh.count("device that is always wrong");
        let device = if more.chance(300) {
            device.claiming(1e9)
        } else {
            device
        };
        let always = [Habit::GivesBack(u32::MAX), Habit::WrongLength(u32::MAX)];
        return device.with(*more.pick(&always));
    }
    // A node's own threads do not leave while it runs.
    match habit {
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
    } else if blocks % 6 == 5 {
        // Without a draw of its own, so that seeds stay what they were.
        tiny(number, blocks)
    } else {
        record(number, blocks)
    };
    let record = if chance.chance(300) {
        of_files(record)
    } else {
        record
    };
    if !mesh.hosts[&at].is_up {
        return None;
    }
    let job = mesh.submit(at, record);
    mesh.count("job submitted");
    // A node that died in between never said 202.
    mesh.stores[&at].jobs.contains_key(&job).then_some(job)
}

/// Something goes wrong, or somebody does something; true if it is a fault.
fn disturb(
    mesh: &mut Mesh,
    chance: &mut Random,
    (nodes, kinds): (&[NodeId], &BTreeSet<Kind>),
    is_orderly: bool,
) -> bool {
    let (one, other) = (*chance.pick(nodes), *chance.pick(nodes));
    let choices = if is_orderly { 0..6 } else { 0..12 };
    match chance.within(choices) {
        0 if one != other => {
            mesh.jolt(one, other);
            mesh.count("line broken");
        }
        1 => {
            mesh.crash(one);
            mesh.count("node killed");
            mesh.run_for(millis(chance.within(0..3_000)));
            mesh.restart(one);
        }
        2 => return people(mesh, chance, one, kinds),
        3 => {
            mesh.crash(one);
            mesh.count("node killed");
        }
        4 => nodes.iter().for_each(|id| mesh.restart(*id)),
        6 => {
            mesh.muted.insert(one);
            mesh.count("node silent");
        }
        7 => {
            mesh.muted.clear();
            mesh.deaf.clear();
        }
        8 if one != other => {
            mesh.deaf.insert((one, other));
            mesh.count("node deaf to another");
        }
        9 => cut_in_halves(mesh, chance, nodes),
        10 => {
            mesh.freeze(one);
            mesh.count("node paused");
            mesh.run_for(millis(chance.within(0..12_000)));
            mesh.thaw(one);
        }
        11 => {
            mesh.set_clock_back(one, chance.within(0..10_000_000));
            mesh.count("clock set back");
        }
        _ => return false,
    }
    true
}

/// Two sides that do not hear each other, for a while.
fn cut_in_halves(mesh: &mut Mesh, chance: &mut Random, nodes: &[NodeId]) {
    mesh.count("mesh cut in halves");
    let (left, right): (Vec<NodeId>, Vec<NodeId>) = nodes.iter().partition(|_| chance.chance(500));
    for one in &left {
        for other in &right {
            mesh.deaf.extend([(*one, *other), (*other, *one)]);
        }
    }
    mesh.run_for(millis(chance.within(0..8_000)));
    mesh.deaf.clear();
}

/// People close pages, open them, and cancel jobs.
fn people(mesh: &mut Mesh, chance: &mut Random, at: NodeId, kinds: &BTreeSet<Kind>) -> bool {
    let number = u8::try_from(chance.within(1..9)).expect("small");
    let mut workers = mesh.devices.keys();
    let is_open = workers.any(|(_, worker)| *worker == page(number));
    if is_open {
        if mesh.detach(at, page(number)).is_some() {
            mesh.count("page closed");
            return true;
        }
    } else if chance.chance(100) {
        let number = u8::try_from(chance.within(1..5)).expect("small");
        mesh.feed(at, cluster::Input::Cancel { job: job(number) });
        mesh.count("job cancelled");
    } else {
        let mut more = Random::new(mesh.clock);
        let device = device(mesh, chance, &mut more, false, kinds);
        mesh.attach(at, page(number), device);
        mesh.count("page opened");
    }
    false
}

/// The faults of lines and processes end.
fn heal(mesh: &mut Mesh, nodes: &[NodeId]) {
    mesh.faults = Faults::default();
    (mesh.lane_delay, mesh.late_links) = (0, 0);
    mesh.muted.clear();
    mesh.deaf.clear();
    for id in nodes {
        mesh.restart(*id);
    }
    // A real line loses nothing but by breaking; that of a summary, which is
    // sent once, is mended when the line is there again.
    for (index, one) in nodes.iter().enumerate() {
        for other in &nodes[index + 1..] {
            mesh.jolt(*one, *other);
        }
    }
}

/// All faults end, and one good device is there.
fn finish(mesh: &mut Mesh, nodes: &[NodeId], jobs: &[JobId], kinds: &BTreeSet<Kind>) {
    heal(mesh, nodes);
    mesh.attach(nodes[nodes.len() - 1], page(99), Device::page(2, 1000.0));
    if kinds.contains(&Kind::ShortLives) {
        return all_end_or_expire(mesh, nodes, jobs);
    }
    if kinds.contains(&Kind::Damage) {
        // What is damaged everywhere is computed again.
        mesh.run_for(seconds(60));
    }
    let lost: Vec<JobId> = (jobs.iter().copied())
        .filter(|job| !mesh.stores.values().any(|store| can_end(store, *job)))
        .collect();
    for job in &lost {
        // Withdrawn, or gone with a power cut before it was announced.
        assert!(!mesh.memory.acknowledged.has(*job), "{job} is lost");
    }
    let jobs: Vec<JobId> = (jobs.iter().copied())
        .filter(|job| !lost.contains(job))
        .collect();
    for job in &jobs {
        mesh.run_until_ended(*job, seconds(400));
    }
    // Long enough for ended jobs to get the holders that they lack.
    mesh.run_for(seconds(20));
    acknowledged_jobs_are_kept::check(mesh);
    for job in &jobs {
        copies_agree::check(mesh, *job);
        results_have_copies::check(mesh, *job);
    }
    nothing_is_left_over::check(mesh);
    mesh.notes_sent = true;
    mesh.run_for(seconds(5));
    nothing_is_left_over::check_silence(mesh);
}

/// Whether whoever has this store can compute all of the job.
fn can_end(store: &Store, job: JobId) -> bool {
    let copy = store.jobs.get(&job);
    copy.is_some_and(|copy| is_seeded(&copy.record) || store.inputs.contains(&job))
}

/// Whatever became of the jobs, no node believes later that one of them still runs.
fn all_end_or_expire(mesh: &mut Mesh, nodes: &[NodeId], jobs: &[JobId]) {
    mesh.run_for(seconds(400));
    for job in jobs {
        for id in nodes {
            let told = mesh.node(*id).job(*job).map(|known| known.status);
            let views = || mesh.views_of(*job);
            assert_ne!(
                told,
                Some(JobStatus::Running),
                "{job} runs at {id}: {}",
                views()
            );
            let copy = mesh.node(*id).replica(*job);
            let is_over = copy.is_none_or(|copy| copy.ended.is_some());
            assert!(is_over, "a copy of {job} at {id} runs: {}", views());
        }
        mesh.count("job gone after its time");
    }
}
