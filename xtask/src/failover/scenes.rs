//! What happens to the mesh in each scene; each tells when it did it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::Signal;

use super::times::{self, Moment};
use super::{NODES, job, wait_for_end};
use crate::mesh::{Mesh, seeded_job, until};

/// A fault, and the nodes it happened to.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) at: Moment,
    /// What these count by themselves does not show that the others went on.
    pub(super) victims: Vec<usize>,
}

impl Fault {
    fn now(victims: &[usize]) -> Self {
        Self {
            at: times::now(),
            victims: victims.to_vec(),
        }
    }
}

/// Blocks that count under one coordinator before the next is killed.
const BLOCKS_BETWEEN: u64 = 10;

/// How long a pause and a cut last: it is slept, for that time is the fault.
const LASTS: Duration = Duration::from_secs(10);

pub(super) fn kill(mesh: &mut Mesh, leader: usize) -> Result<Vec<Fault>> {
    let fault = Fault::now(&[leader]);
    mesh.nodes[leader].kill()?;
    Ok(vec![fault])
}

pub(super) fn silence(mesh: &mut Mesh, leader: usize) -> Result<Vec<Fault>> {
    let others: Vec<usize> = (0..NODES).filter(|index| *index != leader).collect();
    let fault = Fault::now(&[leader]);
    mesh.network.cut(&[leader], &others)?;
    thread::sleep(LASTS / 3);
    mesh.network.mend()?;
    Ok(vec![fault])
}

pub(super) fn pause(mesh: &mut Mesh, leader: usize, job: &str) -> Result<Vec<Fault>> {
    let fault = Fault::now(&[leader]);
    mesh.nodes[leader].signal(Signal::STOP)?;
    thread::sleep(LASTS);
    mesh.nodes[leader].signal(Signal::CONT)?;
    let words = format!("Job {job}: stepped down from ");
    until("the old coordinator steps down", || {
        let lines = mesh.nodes[leader].log_lines().ok()?;
        let line = lines.into_iter().find(|line| line.contains(&words))?;
        println!("    {line}");
        Some(())
    })?;
    Ok(vec![fault])
}

pub(super) fn halves(mesh: &mut Mesh, leader: usize, job: &str) -> Result<Vec<Fault>> {
    let (mut led, mut others) = (vec![0, 1], vec![2, 3]);
    if others.contains(&leader) {
        std::mem::swap(&mut led, &mut others);
    }
    let fault = Fault::now(&led);
    mesh.network.cut(&led, &others)?;
    let healed = Instant::now() + LASTS;
    thread::sleep(LASTS / 2);
    for node in &mesh.nodes {
        let job = node.api().job(job)?;
        let (status, epoch) = (&job["status"], &job["epoch"]);
        println!(
            "    while cut, {} says {status}, epoch {epoch}",
            node.short_id()
        );
    }
    thread::sleep(healed.saturating_duration_since(Instant::now()));
    mesh.network.mend()?;
    mesh.wait_until_whole()?;
    Ok(vec![fault])
}

pub(super) fn chain(mesh: &mut Mesh, first: usize, job: &str) -> Result<Vec<Fault>> {
    let mut leader = first;
    let mut faults = Vec::new();
    for dead in 1..NODES {
        faults.push(Fault::now(&[leader]));
        mesh.nodes[leader].kill()?;
        if dead == NODES - 1 {
            break;
        }
        let old = mesh.nodes[leader].short_id().to_owned();
        let witness = mesh.nodes.iter().position(|node| node.is_running());
        let api = mesh.nodes[witness.unwrap_or(0)].api();
        let mut done_before = None;
        let next = until("another leads, and blocks count under it", || {
            let shown = api.job(job).ok()?;
            let id = shown["coordinator"].as_str()?;
            let is_new = !id.starts_with(&old) && shown["epoch"].as_u64()? > dead as u64;
            let done = is_new.then(|| shown["blocks"]["done"].as_u64())??;
            let moves = *done_before.get_or_insert(done) + BLOCKS_BETWEEN <= done;
            moves.then(|| id.to_owned())
        })?;
        leader = mesh.index_of(&next)?;
    }
    Ok(faults)
}

pub(super) fn restart(mesh: &mut Mesh) -> Result<Vec<Fault>> {
    for node in &mut mesh.nodes {
        node.kill()?;
    }
    let fault = Fault::now(&[]);
    for node in &mut mesh.nodes {
        node.start()?;
    }
    Ok(vec![fault])
}

/// A minute in which every core computes and nobody is disturbed.
pub(super) fn busy(binary: &Path) -> Result<()> {
    let mesh = Mesh::start(binary, NODES, &[])?;
    let begun = Instant::now();
    let mut jobs = 0;
    while begun.elapsed() < Duration::from_secs(60) {
        let at = jobs % NODES;
        let id = mesh.nodes[at]
            .api()
            .submit(&job(), &format!("busy {jobs}"))?;
        wait_for_end(&mesh, at, &id)?;
        jobs += 1;
    }
    let lines = mesh.log_lines()?;
    let count = |words: &str| {
        lines
            .iter()
            .filter(|(_, line)| line.contains(words))
            .count()
    };
    println!(
        "{jobs} jobs in {:.0} s: {} nodes taken for dead, {} elections begun, {} won",
        begun.elapsed().as_secs_f64(),
        count(" is taken for dead"),
        count(": starting, I am "),
        count(": I WON, epoch ")
    );
    mesh.remove()
}

/// Submission and small jobs with 0 backups and with 3, in turn.
pub(super) fn replication(binary: &Path, rounds: usize) -> Result<()> {
    for round in 0..rounds.max(1) {
        for backups in ["0", "3"] {
            let mesh = Mesh::start(binary, NODES, &["--num-backup-nodes", backups])?;
            let api = mesh.nodes[0].api();
            let mut submissions = Vec::new();
            let body = seeded_job(50, 50, 50, 1);
            // The first pays for what is set up once.
            let first = api.submit(&body, "first")?;
            api.ended(&first)?;
            for number in 0..50 {
                let begun = Instant::now();
                let id = api.submit(&body, &format!("alone {number}"))?;
                submissions.push(begun.elapsed().as_secs_f64() * 1e3);
                api.ended(&id)?;
            }
            let begun = Instant::now();
            let rate = small_jobs_at_once(&mesh)? as f64 / begun.elapsed().as_secs_f64();
            println!("round {round}, {backups} backups: {rate:.1} jobs of 50x50 a second");
            times::print_quantiles("    ms from submission to 202", submissions);
            mesh.remove()?;
        }
    }
    Ok(())
}

/// 200 jobs by eight people at once; how many were finished.
fn small_jobs_at_once(mesh: &Mesh) -> Result<usize> {
    const PEOPLE: usize = 8;
    const EACH: usize = 25;
    let finished: Vec<Result<usize>> = thread::scope(|scope| {
        let people: Vec<_> = (0..PEOPLE)
            .map(|person| {
                scope.spawn(move || -> Result<usize> {
                    let api = mesh.nodes[person % NODES].api();
                    for number in 0..EACH {
                        let body = seeded_job(50, 50, 50, number as u64);
                        let id = api.submit(&body, &format!("{person} {number}"))?;
                        let ended = api.ended(&id)?;
                        if ended["status"] != "complete" {
                            bail!("not complete: {ended}");
                        }
                    }
                    Ok(EACH)
                })
            })
            .collect();
        let joined = people.into_iter().map(|person| person.join());
        joined
            .map(|result| result.unwrap_or_else(|_| bail!("a client panicked")))
            .collect()
    });
    finished.into_iter().sum()
}
