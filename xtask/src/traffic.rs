//! `cargo xtask traffic`: what leaves the node that coordinates a job, counted at its interface, and
//! how long it takes until eight other nodes have B. Every node sends at the rate of an old cable, so
//! that the time is the network's and not that of the one machine that plays nine.
//!
//! Figures are shown, never asserted; that the bits are the same is.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::build;
use crate::mesh::{self, Api, Mesh, until};
use crate::session::Session;

/// The coordinator and eight others.
const NODES: usize = 9;

/// A has 32 MB, B has 64 MB, C has 16 MB.
const ROWS: usize = 1000;
const INNER: usize = 4000;
const COLS: usize = 2000;

/// What every node sends at.
const RATE: &str = "100mbit";

/// What a node on a bad wireless link sends at.
const SLOW_RATE: &str = "4mbit";

/// Counts bytes and time for jobs without backups and with three, and beside a slow node.
pub(crate) fn traffic(session: &mut Session) -> Result<ExitCode> {
    let binary = build::build(session)?;
    if !mesh::is_inside(session, &["traffic".to_owned()])? {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "a coordinator and eight nodes of one thread; all send at {RATE}; A {}, B {}, C {}",
        megabytes(bytes(ROWS, INNER)),
        megabytes(bytes(INNER, COLS)),
        megabytes(bytes(ROWS, COLS)),
    );
    let mut right = None;
    for (backups, slow) in [(0, None), (3, None), (0, Some(1))] {
        let scene = Scene { backups, slow };
        let results = scene.play(&binary)?;
        let right = right.get_or_insert_with(|| results.clone());
        ensure!(*right == results, "{scene}: other bits than before");
    }
    Ok(ExitCode::SUCCESS)
}

struct Scene {
    backups: u32,
    /// A node that sends at a bad wireless link's rate.
    slow: Option<usize>,
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} backups", self.backups)?;
        match self.slow {
            Some(_) => write!(f, ", one of the eight sends at {SLOW_RATE}"),
            None => Ok(()),
        }
    }
}

impl Scene {
    /// The results of its jobs.
    fn play(&self, binary: &Path) -> Result<Vec<Vec<u8>>> {
        let backups = self.backups.to_string();
        // The coordinator computes nothing: whatever is computed needs its inputs elsewhere.
        let threads: Vec<u32> = (0..NODES).map(|index| u32::from(index > 0)).collect();
        let options = ["--num-backup-nodes", &backups];
        let mesh = Mesh::start_with_threads(binary, &threads, &options)?;
        for index in 0..NODES {
            let rate = if self.slow == Some(index) {
                SLOW_RATE
            } else {
                RATE
            };
            mesh.network.limit_rate(index, rate)?;
        }
        println!(
            "{self}: at most {} may leave the coordinator",
            megabytes(self.most())
        );
        let b = npy((INNER, COLS), 2);
        let mut results = Vec::new();
        for (name, seed) in [("first job", 1), ("a second with the same B", 3)] {
            let a = npy((ROWS, INNER), seed);
            results.push(self.run(&mesh, name, &a, &b)?);
        }
        if self.backups == 0 && self.slow.is_none() {
            let one_by_one = one_by_one(&mesh)?;
            println!("  eight copies of B one by one over that link: {one_by_one:.1?}");
        }
        mesh.remove()?;
        Ok(results)
    }

    fn run(&self, mesh: &Mesh, name: &str, a: &[u8], b: &[u8]) -> Result<Vec<u8>> {
        let api = mesh.nodes[0].api();
        let before = mesh.network.traffic()?;
        let begun = Instant::now();
        let job = api.submit_files(a, b)?;
        let (others, all_of_b) = (1..NODES, bytes(INNER, COLS));
        // Only the first job brings B; the second ends before that many bytes came.
        let has_b = until("all have B, or the job has ended", || {
            let now = mesh.network.traffic().ok()?;
            let came = |index: usize| now[index].received - before[index].received;
            let have_b = others.clone().all(|index| came(index) >= all_of_b);
            let ended = api.job(&job).ok()?["status"] != "running";
            (have_b || ended).then(|| have_b.then(|| begun.elapsed()))
        })?;
        let job_ended = wait(&api, &job)?;
        let ended = begun.elapsed();
        let after = mesh.network.traffic()?;
        let sent = after[0].sent - before[0].sent;
        let spread = has_b.map_or(String::new(), |time| {
            format!("all have B after {time:.1?}, ")
        });
        println!(
            "  {name}: {} left the coordinator, {spread}done after {ended:.1?}",
            megabytes(sent)
        );
        mesh::check_counts(&job_ended)?;
        api.result(&job)
    }

    /// What may leave the coordinator: A and two of B, with backups another A and all of C; and 5 %
    /// for headers.
    fn most(&self) -> u64 {
        let (a, b, c) = (bytes(ROWS, INNER), bytes(INNER, COLS), bytes(ROWS, COLS));
        let all = match self.backups {
            0 => a + 2 * b,
            _ => 2 * a + 2 * b + c,
        };
        all + all / 20
    }
}

/// The same bytes, from the same node, to one after the other: results of the last job.
fn one_by_one(mesh: &Mesh) -> Result<Duration> {
    let api = mesh.nodes[0].api();
    let jobs = api.get("/api/v1/jobs")?;
    let newest = jobs[0]["id"]
        .as_str()
        .context("a job has an id")?
        .to_owned();
    let times = (NODES - 1) as u64 * bytes(INNER, COLS) / bytes(ROWS, COLS);
    let begun = Instant::now();
    for _ in 0..times {
        api.result(&newest)?;
    }
    Ok(begun.elapsed())
}

fn wait(api: &Api, job: &str) -> Result<serde_json::Value> {
    until("the job has ended", || {
        let job = api.ended(job).ok()?;
        (job["status"] != "running").then_some(job)
    })
}

const fn bytes(rows: usize, cols: usize) -> u64 {
    8 * rows as u64 * cols as u64
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// A matrix of eighths between 0 and 1 as a file, different for each seed (NPY format 1.0).
fn npy((rows, cols): (usize, usize), seed: u64) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {cols}), }}");
    let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    file.extend(format!("{header:117}\n").bytes());
    // A linear congruential generator (Knuth): only that no two chunks are alike matters.
    let mut state = seed;
    for _ in 0..rows * cols {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let eighths = (state >> 61) as f64;
        file.extend((eighths / 8.0).to_le_bytes());
    }
    file
}
