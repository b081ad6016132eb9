//! `cargo xtask failover`: four real nodes of one thread each, a seeded job, and what its coordinator
//! can suffer. Times are shown, never asserted; that nothing is lost or wrong is, and that nothing is
//! begun again after it counted, where no two sides work on without each other.

mod scenes;
mod times;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde_json::Value;

use crate::build;
use crate::mesh::{self, Mesh, check_counts, seeded_job, until};
use crate::session::Session;

use scenes::Fault;
use times::counted_after;

const NODES: usize = 4;

/// 2 · 2500 · 20 000 · 5000 operations, half a TFLOP, and nothing to ship.
const JOB: (u32, u32, u32) = (2500, 20_000, 5000);

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scene {
    /// The coordinator is killed with SIGKILL
    Kill,
    /// The coordinator is cut off: nobody hears it, nobody refuses
    Silence,
    /// The coordinator is stopped for 10 s and then runs on
    Pause,
    /// Two nodes do not hear the other two for 10 s
    Halves,
    /// The coordinator dies, then its successor, then the next
    Chain,
    /// All die and are started again
    Restart,
    /// Every core computes for a minute, and nothing happens at all
    Busy,
    /// Submission and small jobs, without backups and with three
    Replication,
}

/// Plays a scene so many times and shows the figures.
pub(crate) fn failover(session: &mut Session, scene: Scene, runs: usize) -> Result<ExitCode> {
    let binary = build::build(session)?;
    let name = scene
        .to_possible_value()
        .context("every scene has a name")?;
    let arguments = [
        "failover".to_owned(),
        name.get_name().to_owned(),
        format!("--runs={runs}"),
    ];
    if !mesh::is_inside(session, &arguments)? {
        return Ok(ExitCode::SUCCESS);
    }
    match scene {
        Scene::Busy => scenes::busy(&binary)?,
        Scene::Replication => scenes::replication(&binary, runs)?,
        _ => {
            let right = undisturbed(&binary)?;
            let mut stage = Stage {
                mesh: Mesh::start(&binary, NODES, &[])?,
                right,
                run: 0,
            };
            let mut gaps = Vec::new();
            for run in 0..runs {
                stage.run = run;
                let gap = stage.play(scene)?;
                println!("run {run}: {gap}");
                // Two that do not hear each other both go on: that is a cut's price. One that
                // runs on after a pause begins what it had in hand before it hears anything.
                let may_repeat = matches!(scene, Scene::Silence | Scene::Halves | Scene::Pause);
                ensure!(
                    may_repeat || gap.repeated == 0,
                    "blocks that counted were begun again"
                );
                gaps.extend(gap.ms);
            }
            times::print_quantiles("ms to the next counted block", gaps);
            stage.mesh.remove()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The bits of the job where nothing happens.
fn undisturbed(binary: &std::path::Path) -> Result<Vec<u8>> {
    let mesh = Mesh::start(binary, 1, &[])?;
    let api = mesh.nodes[0].api();
    let job = api.submit(&job(), "undisturbed")?;
    wait_for_end(&mesh, 0, &job)?;
    let result = api.result(&job)?;
    mesh.remove()?;
    Ok(result)
}

fn job() -> Value {
    seeded_job(JOB.0, JOB.1, JOB.2, 11)
}

/// Waits however long the job takes, as long as it is not stuck.
fn wait_for_end(mesh: &Mesh, at: usize, job: &str) -> Result<Value> {
    let mut done = None;
    loop {
        let shown = mesh.nodes[at].api().ended(job)?;
        if shown["status"] != "running" {
            check_counts(&shown)?;
            return Ok(shown);
        }
        if done.as_ref() == Some(&shown["blocks"]["done"]) {
            bail!("nothing moved for 30 s: {shown}");
        }
        done = Some(shown["blocks"]["done"].clone());
    }
}

/// What one run showed.
#[derive(Debug)]
struct Gap {
    /// From the fault to the next block that counted.
    ms: Vec<f64>,
    epoch: u64,
    repeated: usize,
    computed: u64,
    done: u64,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            epoch,
            repeated,
            computed,
            done,
            ..
        } = self;
        write!(
            f,
            "next block after {:.0?} ms, epoch {epoch}, {computed} results for {done} blocks, \
             {repeated} begun again after they counted, bits equal",
            self.ms
        )
    }
}

/// Four nodes, and the job's right bits.
struct Stage {
    mesh: Mesh,
    right: Vec<u8>,
    run: usize,
}

impl Stage {
    fn play(&mut self, scene: Scene) -> Result<Gap> {
        let starter = self.run % NODES;
        let api = self.mesh.nodes[starter].api();
        let key = format!("{scene:?} {}", self.run);
        let job = api.submit(&job(), &key)?;
        let leader = starter;
        until("two fifths are done", || {
            let job = api.job(&job).ok()?;
            let (done, total) = (&job["blocks"]["done"], &job["blocks"]["total"]);
            (done.as_f64()? >= 0.4 * total.as_f64()?).then_some(())
        })?;
        let faults = match scene {
            Scene::Kill => scenes::kill(&mut self.mesh, leader)?,
            Scene::Silence => scenes::silence(&mut self.mesh, leader)?,
            Scene::Pause => scenes::pause(&mut self.mesh, leader, &job)?,
            Scene::Halves => scenes::halves(&mut self.mesh, leader, &job)?,
            Scene::Chain => scenes::chain(&mut self.mesh, leader, &job)?,
            Scene::Restart => scenes::restart(&mut self.mesh)?,
            Scene::Busy | Scene::Replication => bail!("not a scene of one job"),
        };
        self.judge(&job, &faults)
    }

    /// Waits for the end, compares the bits, reads the logs, makes the mesh whole again.
    fn judge(&mut self, job: &str, faults: &[Fault]) -> Result<Gap> {
        let nodes = &self.mesh.nodes;
        let alive = nodes.iter().position(|node| node.is_running());
        let alive = alive.context("somebody is left")?;
        let witness = self.witness().unwrap_or(alive);
        wait_for_end(&self.mesh, witness, job)?;
        self.mesh.network.mend()?;
        for node in &mut self.mesh.nodes {
            if !node.is_running() {
                node.start()?;
            }
        }
        self.mesh.wait_until_whole()?;
        // In the end all say the same.
        let shown = until("all nodes say the same", || {
            let nodes = self.mesh.nodes.iter();
            let shown: Option<Vec<Value>> = nodes.map(|node| node.api().job(job).ok()).collect();
            let shown = shown?;
            let words = |job: &Value| (job["status"].clone(), job["epoch"].clone());
            let same = shown.iter().all(|job| words(job) == words(&shown[0]));
            same.then(|| shown.into_iter().next()).flatten()
        })?;
        check_counts(&shown)?;
        for node in &self.mesh.nodes {
            if node.api().result(job)? != self.right {
                bail!("wrong bits: {shown}");
            }
        }
        let lines = self.mesh.log_lines()?;
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        Ok(Gap {
            ms: faults
                .iter()
                .map(|fault| counted_after(&lines, job, fault.at, &fault.victims))
                .collect::<Result<_>>()?,
            epoch: number(&shown["epoch"]),
            repeated: times::begun_after_counted(&lines, job),
            computed: number(&shown["computed_results"]),
            done: number(&shown["blocks"]["done"]),
        })
    }

    /// Who is asked: a node that is not cut off.
    fn witness(&self) -> Option<usize> {
        let now = Duration::from_secs(3);
        let nodes = self.mesh.nodes.iter();
        let mut running = nodes.enumerate().filter(|(_, node)| node.is_running());
        running
            .find(|(_, node)| {
                let api = crate::mesh::Api::impatient(node.address(), now);
                api.get("/api/v1/nodes").is_ok()
            })
            .map(|(index, _)| index)
    }
}
