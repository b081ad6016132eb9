//! Runs the program as a client.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A client command in `folder`.
pub(crate) fn matmesh(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_matmesh"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("MATMESH_NODE");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a client command to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(matmesh(folder, arguments).output().unwrap())
}

/// Runs a client command that reads `input`.
pub(crate) fn run_with_input(folder: &Path, arguments: &[&str], input: &[u8]) -> Finished {
    let mut child: Child = matmesh(folder, arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    Finished::of(child.wait_with_output().unwrap())
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Finished {
    pub(crate) fn of(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panicked"), "{stderr}");
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr,
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Ended with this code and said these words.
    pub(crate) fn assert_failed(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert!(
            self.stderr.contains(words),
            "{:?} does not say {words:?}",
            self.stderr
        );
    }

    pub(crate) fn assert_done(&self) {
        assert_eq!(self.code, 0, "{}", self.stderr);
    }
}

/// Names of the files in a folder, hidden ones too.
pub(crate) fn files_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
