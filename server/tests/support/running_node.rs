//! A real node: the program itself, on a port of its own, in a folder of its
//! own. It ends with its value.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

/// A node that listens.
pub(crate) struct RunningNode {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    folder: Option<TempDir>,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// The first digits of its id.
    pub(crate) short_id: String,
}

/// How a test wants its node.
pub(crate) struct NodeOptions {
    arguments: Vec<String>,
    folder: TempDir,
}

impl NodeOptions {
    /// Computes with one thread, finds nobody by itself, forgets to sync.
    pub(crate) fn new() -> Self {
        Self {
            arguments: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A further option and its value.
    pub(crate) fn with(mut self, option: &str, value: impl ToString) -> Self {
        self.arguments
            .extend([option.to_owned(), value.to_string()]);
        self
    }

    /// In the folder of an earlier one.
    pub(crate) fn in_folder(mut self, folder: TempDir) -> Self {
        self.folder = folder;
        self
    }

    /// A node that takes jobs and never computes them.
    pub(crate) fn that_never_computes(self) -> Self {
        self.with("--threads", 0)
    }

    /// A node that links to `other`.
    pub(crate) fn linked_to(self, other: &RunningNode) -> Self {
        let address = other.address().to_owned();
        self.with("--peer", address)
    }

    /// Starts the node and waits until it listens.
    pub(crate) fn start(self) -> RunningNode {
        let mut command = Command::new(env!("CARGO_BIN_EXE_matmesh"));
        command
            .args(["serve", "--port", "0", "--bind", "127.0.0.1"])
            .args(["--discovery", "off", "--sync", "never"]);
        if !self
            .arguments
            .iter()
            .any(|argument| argument == "--threads")
        {
            command.args(["--threads", "1"]);
        }
        command
            .args(&self.arguments)
            .arg("--data-dir")
            .arg(self.folder.path());
        // Nothing that is set around the tests may change what they see.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MATMESH_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let errors = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn({
            let log = Arc::clone(&log);
            move || errors.for_each(|line| log.lock().unwrap().extend(line))
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines
            .next()
            .expect("the node ended before it listened")
            .unwrap();
        // It may still have something to say: nobody must close its output.
        std::thread::spawn(move || lines.for_each(drop));
        let rest = line
            .strip_prefix("matmesh listening on ")
            .expect("the line of the contract");
        let (url, short_id) = rest.split_once(" node=").expect("the line names the node");
        RunningNode {
            child,
            log,
            folder: Some(self.folder),
            url: url.to_owned(),
            short_id: short_id.to_owned(),
        }
    }
}

impl RunningNode {
    /// `host:port`
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Ends without a word, as by a power cut, and keeps the folder.
    pub(crate) fn kill(mut self) -> TempDir {
        self.stop();
        self.folder.take().unwrap()
    }

    /// The same, and its name stays.
    pub(crate) fn pull_the_plug(&mut self) {
        self.stop();
    }

    /// Asks it to stop and waits.
    pub(crate) fn stop_gently(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.wait().unwrap()
    }

    /// Its process is stopped, its sockets stay open.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// It runs on.
    pub(crate) fn run_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Its data folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// What it has logged so far.
    pub(crate) fn log_lines(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Blocks of a job that it has logged as done.
    pub(crate) fn counted_blocks(&self, job: &str) -> Vec<u32> {
        let words = format!(" of job {job} done by ");
        let lines = self.log_lines();
        let done = lines.iter().filter_map(|line| {
            let (before, _) = line.split_once(&words)?;
            before.rsplit(' ').next()?.parse().ok()
        });
        done.collect()
    }

    /// Memory that it holds now, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let path = PathBuf::from(format!("/proc/{}/status", self.child.id()));
        let status = std::fs::read_to_string(path).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1024
    }

    fn stop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A node again, in the folder of an earlier one.
pub(crate) fn restart(folder: TempDir) -> RunningNode {
    NodeOptions::new().in_folder(folder).start()
}
