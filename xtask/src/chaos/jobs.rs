//! The stream of jobs, and what became of each.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Random, locked};
use crate::mesh::{Api, Mesh, check_counts, seeded_job};

/// A submission that is not answered by then is tried at another node.
const SUBMISSION_TIMEOUT: Duration = Duration::from_secs(8);

/// Jobs of one client that are not finished.
const UNFINISHED_MAX: usize = 3;

/// After the last fault a job has this long to finish.
const FINISH_TIMEOUT: Duration = Duration::from_secs(180);

/// A job that is submitted again and again, and its one right result.
#[derive(Debug)]
struct Kind {
    body: Value,
    result: Vec<u8>,
}

/// The jobs of a run.
#[derive(Debug)]
pub(super) struct Kinds(Vec<Kind>);

impl Kinds {
    /// Has a lone node compute each, which nobody disturbs.
    pub(super) fn compute(binary: &Path) -> Result<Self> {
        let bodies = [
            seeded_job(50, 50, 50, 1),
            seeded_job(300, 2000, 300, 3),
            seeded_job(1000, 4000, 1000, 5),
            seeded_job(1, 20_000, 700, 7),
            written_job(60, 40),
            written_job(250, 300),
        ];
        let mesh = Mesh::start(binary, 1, &["--discovery", "off"])?;
        let api = mesh.nodes[0].api();
        let mut kinds = Vec::new();
        for body in bodies {
            let job = api.submit(&body, &format!("kind {}", kinds.len()))?;
            let ended = api.ended(&job)?;
            check_counts(&ended)?;
            let result = api.result(&job)?;
            ensure!(!result.is_empty(), "an empty result");
            kinds.push(Kind { body, result });
        }
        mesh.remove()?;
        Ok(Self(kinds))
    }
}

/// A product whose entries are in the request: they must be shipped and copied.
fn written_job(rows: u32, inner: u32) -> Value {
    let entries = |count: u32, step: u32| -> Vec<f64> {
        let entry = |index| f64::from((index * step) % 1009) / 64.0 - 7.5;
        (0..count).map(entry).collect()
    };
    json!({
        "a": {"rows": rows, "cols": inner, "data": entries(rows * inner, 37)},
        "b": {"rows": inner, "cols": rows, "data": entries(inner * rows, 101)},
    })
}

/// A job that was acknowledged.
#[derive(Debug, Clone)]
struct Submitted {
    kind: usize,
    job: String,
}

/// What became of the jobs.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) tried: u64,
    pub(super) acknowledged: u64,
    pub(super) finished: u64,
    pub(super) right: u64,
    pub(super) wrong: u64,
    pub(super) lost: u64,
    pub(super) complaints: Vec<String>,
}

/// Where the nodes are now.
#[derive(Debug, Clone)]
pub(super) struct Addresses(Arc<Mutex<Vec<String>>>);

impl Addresses {
    pub(super) fn of(mesh: &Mesh) -> Self {
        let addresses = mesh.nodes.iter().map(|node| node.address().to_owned());
        Self(Arc::new(Mutex::new(addresses.collect())))
    }

    pub(super) fn set(&self, index: usize, address: String) {
        locked(&self.0)[index] = address;
    }

    fn any(&self, random: &mut Random) -> String {
        let addresses = locked(&self.0);
        addresses[random.below(addresses.len())].clone()
    }
}

/// Submits jobs and checks each result, while nodes come and go.
#[derive(Debug)]
pub(super) struct Stream {
    kinds: Kinds,
    addresses: Addresses,
    outcome: Mutex<Outcome>,
    /// Those that did not finish while it was stormy.
    unfinished: Mutex<Vec<Submitted>>,
}

impl Stream {
    pub(super) fn new(kinds: Kinds, addresses: Addresses) -> Self {
        Self {
            kinds,
            addresses,
            outcome: Mutex::default(),
            unfinished: Mutex::default(),
        }
    }

    /// One client's work: submits, looks whether earlier ones are finished, checks those that are.
    pub(super) fn submit_until(&self, ends: &AtomicBool, client: usize, mut random: Random) {
        let mut mine: Vec<Submitted> = Vec::new();
        let mut number = 0;
        while !ends.load(Ordering::Relaxed) {
            if mine.len() < UNFINISHED_MAX {
                number += 1;
                let key = format!("client {client} job {number}");
                mine.extend(self.submit(ends, &key, &mut random));
            } else {
                // The pace of a person who waits for three jobs.
                thread::sleep(Duration::from_millis(100));
            }
            let api = self.impatient(&mut random);
            mine.retain(|submitted| !self.is_finished(&api, submitted));
        }
        locked(&self.unfinished).extend(mine);
    }

    /// Tries node after node, always with the same key, until one acknowledges.
    fn submit(&self, ends: &AtomicBool, key: &str, random: &mut Random) -> Option<Submitted> {
        let kind = random.below(self.kinds.0.len());
        while !ends.load(Ordering::Relaxed) {
            locked(&self.outcome).tried += 1;
            let api = self.impatient(random);
            if let Ok(job) = api.submit(&self.kinds.0[kind].body, key) {
                locked(&self.outcome).acknowledged += 1;
                return Some(Submitted { kind, job });
            }
            // The pace of a client that was refused and tries the next node.
            thread::sleep(Duration::from_millis(200));
        }
        None
    }

    fn impatient(&self, random: &mut Random) -> Api {
        Api::impatient(&self.addresses.any(random), SUBMISSION_TIMEOUT)
    }

    /// Looks at a job by one node; true when it is finished and its result was compared.
    fn is_finished(&self, api: &Api, submitted: &Submitted) -> bool {
        let Ok(job) = api.job(&submitted.job) else {
            return false;
        };
        if job["status"] == "running" {
            return false;
        }
        let counted = check_counts(&job);
        let Ok(result) = api.result(&submitted.job) else {
            return false;
        };
        let mut outcome = locked(&self.outcome);
        outcome.finished += 1;
        let is_right = result == self.kinds.0[submitted.kind].result;
        if is_right && counted.is_ok() {
            outcome.right += 1;
        } else {
            outcome.wrong += 1;
            let bits = if is_right { "right" } else { "wrong" };
            let text = format!("kind {}: bits {bits}, {job}", submitted.kind);
            outcome.complaints.push(text);
        }
        true
    }

    /// Waits for those that are left, at a mesh that is whole again.
    pub(super) fn finish(&self) -> Outcome {
        let limit = Instant::now() + FINISH_TIMEOUT;
        let mut left = std::mem::take(&mut *locked(&self.unfinished));
        let mut random = Random::new(0);
        while !left.is_empty() && Instant::now() < limit {
            let api = self.impatient(&mut random);
            left.retain(|submitted| !self.is_finished(&api, submitted));
            // The pause between two looks at the jobs that are left.
            thread::sleep(Duration::from_millis(100));
        }
        let mut outcome = std::mem::take(&mut *locked(&self.outcome));
        outcome.lost = left.len() as u64;
        for submitted in left {
            let job = Api::new(&self.addresses.any(&mut random)).job(&submitted.job);
            let text = format!("{} did not finish: {job:?}", submitted.job);
            outcome.complaints.push(text);
        }
        outcome
    }
}
