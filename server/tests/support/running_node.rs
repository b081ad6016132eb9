//! A real node: the program itself, on a port of its own, in a folder of its
//! own. It ends with its value.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A node that listens.
pub(crate) struct RunningNode {
    child: Child,
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
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
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
    NodeOptions {
        arguments: Vec::new(),
        folder,
    }
    .start()
}
