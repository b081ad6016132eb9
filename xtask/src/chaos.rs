//! `cargo xtask chaos`: real nodes with a stream of jobs, while nodes are killed, paused, cut off, slowed
//! and started again, disks are full or hang, calendars jump, addresses change, and nodes go for good. Every result is compared, bit by bit, with that of a node nobody disturbed.
//!
//! One number draws all of it. The nodes' own timing is not drawn, so a run cannot be repeated exactly;
//! its logs are kept when something went wrong.

mod faults;
mod jobs;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail, ensure};

use crate::build;
use crate::mesh::{self, Mesh, Plan};
use crate::session::Session;
use crate::system::{self, Program};

use faults::Faults;
use jobs::{Addresses, Kinds, Stream};

/// People who submit jobs, one after the other each.
const CLIENTS: usize = 2;

/// Each result is fetched soon, and all of them would fill the nodes' disks.
const OPTIONS: [&str; 2] = ["--result-ttl-s", "300"];

/// Fewer would be a mesh that is hardly disturbed.
const FAULTS_A_MINUTE_LEAST: f64 = 10.0;

/// SplitMix64: chance from a seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("below a usize")
    }

    pub(crate) fn millis(&mut self, from: usize, to: usize) -> Duration {
        Duration::from_millis((from + self.below(to - from)) as u64)
    }
}

/// What a run is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) minutes: f64,
    pub(crate) nodes: usize,
    pub(crate) seed: Option<u64>,
}

/// Runs the mesh for so long and prints what became of it.
pub(crate) fn chaos(session: &mut Session, wanted: Wanted) -> Result<ExitCode> {
    ensure!(
        (3..=9).contains(&wanted.nodes),
        "3 to 9 nodes: with fewer nobody is left, with more the machine is what fails"
    );
    let seed = wanted.seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.unwrap_or_default().as_secs()
    });
    let binary = build::build(session)?;
    let machines = [Program::Faketime, Program::FileSystem, Program::FreezeDisk];
    system::ensure(session, &machines)?;
    let arguments = [
        "chaos".to_owned(),
        format!("--minutes={}", wanted.minutes),
        format!("--nodes={}", wanted.nodes),
        format!("--seed={seed}"),
    ];
    if !mesh::is_inside(session, &arguments)? {
        return Ok(ExitCode::SUCCESS);
    }
    println!("seed {seed}");
    let kinds = Kinds::compute(&binary)?;
    let plan = Plan {
        threads: vec![1; wanted.nodes],
        options: &OPTIONS,
        with_own_machines: true,
    };
    let mesh = Mesh::start_as(&binary, &plan)?;
    let addresses = Addresses::of(&mesh);
    let stream = Arc::new(Stream::new(kinds, addresses.clone()));
    let mut faults = Faults::new(mesh, Random::new(seed), addresses);
    let ends = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (stream, ends) = (Arc::clone(&stream), Arc::clone(&ends));
            let random = Random::new(seed ^ (client as u64 + 1));
            thread::spawn(move || stream.submit_until(&ends, client, random))
        })
        .collect();
    let begun = Instant::now();
    let lasts = Duration::from_secs_f64(wanted.minutes * 60.0);
    while begun.elapsed() < lasts {
        faults.inject()?;
    }
    let took = begun.elapsed();
    ends.store(true, Ordering::Relaxed);
    let mesh = faults.mend()?;
    for client in clients {
        client
            .join()
            .map_err(|_| anyhow::anyhow!("a client panicked"))?;
    }
    let outcome = stream.finish();
    print_report(&faults.counts, took, &outcome);
    print_log_counts(&mesh)?;
    let faults_a_minute = faults.counts.values().sum::<u64>() as f64 / took.as_secs_f64() * 60.0;
    ensure!(outcome.acknowledged > 0, "no job was acknowledged");
    ensure!(
        faults_a_minute >= FAULTS_A_MINUTE_LEAST || wanted.minutes < 1.0,
        "{faults_a_minute:.1} faults a minute are too few to show anything"
    );
    if outcome.wrong + outcome.lost > 0 {
        bail!(
            "seed {seed}: logs and folders are kept in {}",
            mesh.folder().display()
        );
    }
    mesh.remove()?;
    Ok(ExitCode::SUCCESS)
}

fn print_report(faults: &BTreeMap<&str, u64>, took: Duration, outcome: &jobs::Outcome) {
    let total: u64 = faults.values().sum();
    println!("\n{:<34}{:>10}", "faults", "times");
    for (kind, count) in faults {
        println!("{kind:<34}{count:>10}");
    }
    let rate = total as f64 / (took.as_secs_f64() / 60.0);
    println!("{:<34}{total:>10}   {rate:.1} a minute", "all");
    println!("\n{:<34}{:>10}", "jobs", "");
    for (name, count) in [
        ("submissions tried", outcome.tried),
        ("acknowledged", outcome.acknowledged),
        ("finished", outcome.finished),
        ("right, bit by bit", outcome.right),
        ("wrong", outcome.wrong),
        ("lost", outcome.lost),
    ] {
        println!("{name:<34}{count:>10}");
    }
    for complaint in &outcome.complaints {
        println!("    {complaint}");
    }
}

/// What the nodes say that they did.
fn print_log_counts(mesh: &Mesh) -> Result<()> {
    let lines = mesh.log_lines()?;
    println!("\n{:<34}{:>10}", "in the nodes' logs", "times");
    for (name, words) in [
        ("elections won", ": I WON, epoch "),
        ("coordinators that stepped down", ": stepped down from "),
        ("peers taken for dead", " is taken for dead: "),
        ("blocks computed", "Computing block "),
        ("blocks counted", " done by "),
    ] {
        let count = lines
            .iter()
            .filter(|(_, line)| line.contains(words))
            .count();
        println!("{name:<34}{count:>10}");
    }
    println!();
    Ok(())
}

/// Locked even by a thread that panicked: what it left is only figures.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
