//! `cargo xtask soak`: four real nodes, a stream of small and middle jobs with a short time to live, and what
//! each node takes of its machine after a sixth, after half, and at the end. What grows there would fill a machine
//! in days.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::build;
use crate::mesh::{self, Api, Mesh, Node, seeded_job};
use crate::session::Session;

const NODES: usize = 4;

/// Results are forgotten so soon: many times within a run.
const OPTIONS: [&str; 2] = ["--result-ttl-s", "300"];

/// When it is looked at, in parts of the whole.
const LOOKS: [f64; 3] = [1.0 / 6.0, 0.5, 1.0];

/// Between two submissions of one client.
const PACE: Duration = Duration::from_millis(250);

/// What is in use at the end may be so many times what it was at half.
const GROWTH_MAX: f64 = 1.15;

/// What one node takes of its machine.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    memory_kib: u64,
    files: u64,
    disk_bytes: u64,
    processor_ticks: u64,
    sent_bytes: u64,
}

/// Runs for so long and prints what was used.
pub(crate) fn soak(session: &mut Session, minutes: f64) -> Result<ExitCode> {
    let binary = build::build(session)?;
    let arguments = ["soak".to_owned(), format!("--minutes={minutes}")];
    if !mesh::is_inside(session, &arguments)? {
        return Ok(ExitCode::SUCCESS);
    }
    let mesh = Mesh::start(&binary, NODES, &OPTIONS)?;
    let ends = Arc::new(AtomicBool::new(false));
    let finished = Arc::new(AtomicU64::new(0));
    let clients = mesh.nodes.iter().enumerate().map(|(client, node)| {
        let (api, ends, finished) = (node.api(), Arc::clone(&ends), Arc::clone(&finished));
        thread::spawn(move || submit_until(&api, client, &ends, &finished))
    });
    let clients: Vec<_> = clients.collect();
    let begun = Instant::now();
    let mut looks: Vec<Vec<Use>> = Vec::new();
    println!(
        "{:>7} {:>5} {:>12} {:>7} {:>10} {:>12} {:>12} {:>9}",
        "minute", "node", "memory MiB", "files", "disk MiB", "sent kB/s", "processor %", "jobs"
    );
    let mut since = (Duration::ZERO, vec![Use::default(); NODES]);
    for part in LOOKS {
        let at = Duration::from_secs_f64(60.0 * minutes * part);
        // The pace of the run itself.
        thread::sleep(at.saturating_sub(begun.elapsed()));
        let now = look(&mesh)?;
        print_look(
            begun.elapsed(),
            &now,
            &since,
            finished.load(Ordering::Relaxed),
        );
        since = (begun.elapsed(), now.clone());
        looks.push(now);
    }
    ends.store(true, Ordering::Relaxed);
    for client in clients {
        let ended = client
            .join()
            .map_err(|_| anyhow::anyhow!("a client panicked"))?;
        ended?;
    }
    check_growth(&looks)?;
    mesh.remove()?;
    Ok(ExitCode::SUCCESS)
}

/// A person who submits jobs one after the other, small and middle, and fetches every other result.
fn submit_until(api: &Api, client: usize, ends: &AtomicBool, finished: &AtomicU64) -> Result<()> {
    let mut number = 0_u64;
    while !ends.load(Ordering::Relaxed) {
        number += 1;
        let side = if number.is_multiple_of(20) { 600 } else { 50 };
        let body: Value = seeded_job(side, side, side, number);
        let job = api.submit(&body, &format!("client {client} job {number}"))?;
        let ended = api.ended(&job)?;
        mesh::check_counts(&ended)?;
        if number.is_multiple_of(2) {
            ensure!(!api.result(&job)?.is_empty(), "an empty result");
        }
        finished.fetch_add(1, Ordering::Relaxed);
        // A person thinks; without it the run would be a benchmark.
        thread::sleep(PACE);
    }
    Ok(())
}

fn look(mesh: &Mesh) -> Result<Vec<Use>> {
    let traffic = mesh.network.traffic()?;
    let nodes = mesh.nodes.iter().zip(traffic);
    let used = nodes.map(|(node, traffic)| {
        let own = used_by(node)?;
        Ok(Use {
            sent_bytes: traffic.sent,
            ..own
        })
    });
    used.collect()
}

fn used_by(node: &Node) -> Result<Use> {
    let process = node.process().context("it runs")?;
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let memory = memory.and_then(|text| text.split_whitespace().next());
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Behind the name in brackets: the state, and from the twelfth on user and system time.
    let (_, fields) = stat.rsplit_once(')').context("a line of /proc")?;
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(Use {
        memory_kib: memory.context("it has memory")?.parse()?,
        files: fs::read_dir(format!("/proc/{process}/fd"))?.count() as u64,
        disk_bytes: node.disk_bytes()?,
        processor_ticks: ticks.iter().sum(),
        sent_bytes: 0,
    })
}

fn print_look(at: Duration, now: &[Use], (before, last): &(Duration, Vec<Use>), jobs: u64) {
    let seconds = (at - *before).as_secs_f64();
    for (index, (now, last)) in now.iter().zip(last).enumerate() {
        let sent = (now.sent_bytes - last.sent_bytes) as f64 / seconds / 1e3;
        // A hundred ticks a second, on every Linux.
        let processor = (now.processor_ticks - last.processor_ticks) as f64 / seconds;
        println!(
            "{:>7.1} {index:>5} {:>12.1} {:>7} {:>10.1} {sent:>12.1} {processor:>12.2} {jobs:>9}",
            at.as_secs_f64() / 60.0,
            now.memory_kib as f64 / 1024.0,
            now.files,
            now.disk_bytes as f64 / f64::from(1 << 20),
        );
    }
}

/// Between half and the end nothing may have grown, but for what comes and goes.
fn check_growth(looks: &[Vec<Use>]) -> Result<()> {
    let [.., half, end] = looks else {
        bail!("it was looked at too seldom");
    };
    let mut grown = Vec::new();
    for (index, (half, end)) in half.iter().zip(end).enumerate() {
        for (what, before, after) in [
            ("memory", half.memory_kib, end.memory_kib),
            ("files", half.files, end.files),
            ("disk", half.disk_bytes, end.disk_bytes),
        ] {
            let ratio = after as f64 / before.max(1) as f64;
            println!("node {index}: {what} at the end is {ratio:.2} of that at half");
            if ratio > GROWTH_MAX {
                grown.push(format!("{what} of node {index}: {ratio:.2}"));
            }
        }
    }
    ensure!(grown.is_empty(), "what grew: {}", grown.join(", "));
    Ok(())
}
