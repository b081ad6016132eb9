//! `cargo xtask sim`: the protocol's real core under every fault, seed after seed, much faster than
//! real time, and with every assertion on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::session::{Session, describe};

/// Which faults end before the jobs must.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// All of them
    Safety,
    /// Some never do: nodes stay away for good, cuts stay
    Liveness,
}

impl Mode {
    pub(crate) const ALL: [Self; 2] = [Self::Safety, Self::Liveness];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Liveness => "liveness",
        }
    }

    /// The test that runs seeds.
    pub(crate) fn test(self) -> &'static str {
        match self {
            Self::Safety => {
                "chance::acknowledged_jobs_end_with_each_block_counted_once_whatever_happens"
            }
            Self::Liveness => "chance::jobs_end_or_are_reported_when_some_faults_never_heal",
        }
    }
}

/// The test of many nodes.
const MANY_NODES: &str = "many_nodes::each_node_sends_in_proportion_to_their_number";

/// Runs so many seeds in each mode; how many checks those are.
pub(crate) fn sim(session: &mut Session, seeds: u64, modes: &[Mode]) -> Result<usize> {
    for mode in modes {
        let why = "the real core under faults, compiled with optimisation";
        let broken = session.step(mode.name(), why, |session| {
            build(session)?;
            let began = Instant::now();
            let (found, counts) = play(session, *mode, 0..seeds)?;
            let seconds = began.elapsed().as_secs_f64();
            if found.is_none() {
                print_counts(seeds, seconds, &counts);
            }
            Ok(found)
        })?;
        if let Some(seed) = broken {
            bail!(
                "seed {seed} fails; replay it: MATMESH_SEED={seed} cargo test -p cluster --test simulation {}",
                mode.test()
            );
        }
    }
    Ok(modes.len())
}

/// Runs meshes of so many nodes, one after the other, and prints their figures.
pub(crate) fn many_nodes(session: &Session, counts: &[u16]) -> Result<()> {
    build(session)?;
    for count in counts {
        let mut command = test_command(session);
        command.args(["--", "--exact", MANY_NODES, "--nocapture"]);
        command.env("MATMESH_NODES", count.to_string());
        let output = command.stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let figures = text.lines().find(|line| line.contains(" nodes, "));
        if let Some(figures) = figures {
            println!("    {figures}");
        }
        if !output.status.success() {
            bail!("with {count} nodes:\n{text}");
        }
    }
    Ok(())
}

/// What happened in all runs together: faults and what the nodes did about them, by kind.
type Counts = BTreeMap<String, u64>;

fn print_counts(seeds: u64, seconds: f64, counts: &Counts) {
    let of = |what: &str| counts.get(what).copied().unwrap_or(0) as f64;
    println!(
        "    {seeds} seeds hold, {:.0} a second: {:.0} events of the protocol a second, {:.0} hours of its time",
        seeds as f64 / seconds,
        of("protocol events") / seconds,
        of("virtual ms") / 3.6e6
    );
    let kinds = counts.iter();
    for (what, count) in
        kinds.filter(|(what, _)| !["protocol events", "virtual ms"].contains(&what.as_str()))
    {
        println!("    {what:<36} {count:>12}");
    }
}

/// The first seed that fails, if one of them does, and what happened; each core takes its share.
fn play(session: &Session, mode: Mode, seeds: Range<u64>) -> Result<(Option<u64>, Counts)> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let share = (seeds.end - seeds.start).div_ceil(cores);
    let mut runs = Vec::new();
    for first in seeds.clone().step_by(usize::try_from(share.max(1))?) {
        let range = format!("{first}..{}", seeds.end.min(first + share));
        runs.push(start(session, mode, &range)?);
    }
    let mut failures = Vec::new();
    let mut counts = Counts::new();
    for run in runs {
        match ended(run)? {
            Ok(seen) => {
                for (what, count) in seen {
                    *counts.entry(what).or_default() += count;
                }
            }
            Err(seed) => failures.push(seed),
        }
    }
    Ok((failures.into_iter().min(), counts))
}

fn test_command(session: &Session) -> Command {
    let mut command = session.command("cargo", &["test", "--quiet", "--profile", "simulation"]);
    command.args(["--package", "cluster", "--test", "simulation"]);
    command
}

fn build(session: &Session) -> Result<()> {
    let mut command = test_command(session);
    let status = command.arg("--no-run").status()?;
    if !status.success() {
        bail!("`{}` ended with {status}", describe(&command));
    }
    Ok(())
}

fn start(session: &Session, mode: Mode, range: &str) -> Result<Child> {
    let mut command = test_command(session);
    command.args(["--", "--exact", mode.test(), "--nocapture"]);
    command.env("MATMESH_SEEDS", range);
    command.env("RUST_BACKTRACE", "0");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command.spawn()?)
}

/// What happened in a run, or the seed that it names, if it failed.
fn ended(run: Child) -> Result<std::result::Result<Counts, u64>> {
    let output = run.wait_with_output()?;
    if output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|line| line.starts_with("{\""));
        let counts = line.map(serde_json::from_str).transpose()?;
        return Ok(Ok(counts.unwrap_or_default()));
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let named = text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("seed ")?;
        rest.split(' ').next()?.parse().ok()
    });
    let seed = named.with_context(|| format!("the simulation ended without a seed:\n{text}"))?;
    Ok(Err(seed))
}
