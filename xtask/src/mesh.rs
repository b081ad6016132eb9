//! A mesh of real nodes: processes of the release build, each in a network namespace of its own, all
//! on one bridge. They find each other by multicast DNS, as on a real network; nothing outside is
//! touched, and all of it is gone when the value is.

mod api;
mod calendar;
mod disk;
mod network;
mod node;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::session::Session;
use crate::system::{self, Program};

pub(crate) use api::{Api, seeded_job};
pub(crate) use network::Network;
pub(crate) use node::Node;

/// Far more than a condition takes; only what is broken waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Set in the process that is inside the namespace of the bridge.
const INSIDE: &str = "MATMESH_XTASK_INSIDE";

/// Runs this program again in a network namespace of its own, with these arguments; true when this
/// is that program.
pub(crate) fn is_inside(session: &mut Session, arguments: &[String]) -> Result<bool> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(true);
    }
    if !system::is_root(session) {
        bail!("needs root, to make network namespaces");
    }
    system::ensure(session, &[Program::Ip, Program::Nft, Program::Unshare])?;
    let own = std::env::current_exe().context("this program has a file")?;
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--mount"])
        .arg(own)
        .args(arguments)
        .env(INSIDE, "1");
    let status = command.status().context("cannot start unshare")?;
    if !status.success() {
        bail!("ended with {status}");
    }
    Ok(false)
}

/// What a mesh is made of.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// Of each node.
    pub(crate) threads: Vec<u32>,
    pub(crate) options: &'a [&'a str],
    /// Each node has a disk and a calendar of its own.
    pub(crate) with_own_machines: bool,
}

/// Real nodes on one network.
#[derive(Debug)]
pub(crate) struct Mesh {
    pub(crate) nodes: Vec<Node>,
    pub(crate) network: Network,
    /// Data and logs; kept when something went wrong.
    folder: PathBuf,
}

impl Mesh {
    /// Starts so many nodes of one thread and waits until all see all, and know how fast each is.
    pub(crate) fn start(binary: &Path, count: usize, options: &[&str]) -> Result<Self> {
        Self::start_with_threads(binary, &vec![1; count], options)
    }

    /// The same, each with so many threads.
    pub(crate) fn start_with_threads(
        binary: &Path,
        threads: &[u32],
        options: &[&str],
    ) -> Result<Self> {
        let plan = Plan {
            threads: threads.to_vec(),
            options,
            with_own_machines: false,
        };
        Self::start_as(binary, &plan)
    }

    /// The same as planned.
    pub(crate) fn start_as(binary: &Path, plan: &Plan<'_>) -> Result<Self> {
        let count = plan.threads.len();
        let folder = std::env::temp_dir().join(format!("matmesh-{}", std::process::id()));
        let network = Network::build(count)?;
        let mut nodes = Vec::with_capacity(count);
        for (index, threads) in plan.threads.iter().enumerate() {
            let kind = (*threads, plan.options);
            let mut node = Node::new(&network, index, binary, &folder, kind)?;
            if plan.with_own_machines {
                node.give_own_machine()?;
            }
            node.start()?;
            nodes.push(node);
        }
        let mesh = Self {
            nodes,
            network,
            folder,
        };
        mesh.wait_until_whole()?;
        Ok(mesh)
    }

    /// Waits until every node that runs sees all that run.
    pub(crate) fn wait_until_whole(&self) -> Result<()> {
        let running: Vec<&Node> = self.nodes.iter().filter(|node| node.is_running()).collect();
        let computing = running.iter().filter(|node| node.computes()).count();
        for node in &running {
            until("all nodes see each other", || {
                let seen = node.api().get("/api/v1/nodes").ok()?;
                let others = seen.as_array()?.iter();
                let alive: Vec<_> = others.filter(|other| other["status"] == "alive").collect();
                let is_measured = |other: &&&Value| other["mflops"].as_f64() != Some(0.0);
                let measured = alive.iter().filter(is_measured).count();
                (alive.len() >= running.len() && measured >= computing).then_some(())
            })?;
        }
        Ok(())
    }

    /// The node whose id this is.
    pub(crate) fn index_of(&self, id: &str) -> Result<usize> {
        let mut ids = self.nodes.iter().map(Node::short_id);
        ids.position(|short| id.starts_with(short))
            .with_context(|| format!("no node here is {id}"))
    }

    /// Lines of all logs of all lives, with the node that wrote each.
    pub(crate) fn log_lines(&self) -> Result<Vec<(usize, String)>> {
        let mut lines = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            lines.extend(node.log_lines()?.into_iter().map(|line| (index, line)));
        }
        Ok(lines)
    }

    /// Where data and logs are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends all and removes their folders.
    pub(crate) fn remove(mut self) -> Result<()> {
        self.nodes.clear();
        std::fs::remove_dir_all(&self.folder).with_context(|| self.folder.display().to_string())
    }
}

/// Looks again and again until there is an answer: the nodes are other processes, and only
/// looking shows what they have come to.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if begun.elapsed() > PATIENCE {
            bail!("{what}: not within {PATIENCE:?}");
        }
        thread::sleep(LOOK);
    }
}

/// Whether a job came out as it must, as its own account says.
pub(crate) fn check_counts(job: &Value) -> Result<()> {
    let (accepted, done) = (&job["accepted_results"], &job["blocks"]["done"]);
    if job["status"] != "complete" || accepted != done || *done != job["blocks"]["total"] {
        bail!("the job does not add up: {job}");
    }
    Ok(())
}
