//! `matmesh serve`, and `matmesh` alone, which is the same.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;

use crate::command::{Finished, matmesh};

/// Ends with its value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a node that cannot listen where it shall: options that are taken end
/// with code 1, so that a test in which they are not refused ends too.
fn start_in_vain(folder: &Path, options: &[&str], variables: &[(&str, &str)]) -> Finished {
    let mut command = matmesh(folder, options);
    command
        .args(["--bind", "192.0.2.1", "--discovery", "off"])
        .args(["--data-dir", "data"])
        .envs(variables.iter().copied());
    Finished::of(command.output().unwrap())
}

#[test]
fn without_a_command_a_node_starts_with_the_options_of_serve() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--port", "0", "--bind", "127.0.0.1", "--discovery", "off"];
    let mut command = matmesh(folder.path(), &options);
    command.args(["--threads", "0", "--data-dir", "data"]);
    let mut node = Ended(command.spawn().unwrap());
    let mut lines = BufReader::new(node.0.stdout.take().unwrap()).lines();
    let line = lines.next().expect("the node listens").unwrap();
    assert!(
        line.starts_with("matmesh listening on http://127.0.0.1:"),
        "{line}"
    );
    assert!(folder.path().join("data").is_dir());
}

#[test]
fn values_out_of_range_end_with_2_wherever_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path();
    for (name, value) in [
        ("MATMESH_HEARTBEAT_INTERVAL_MS", "0"),
        ("MATMESH_BLOCK_TIMEOUT_MS", "0"),
        ("MATMESH_MAX_DIM", "4294967295"),
    ] {
        let ended = start_in_vain(there, &["serve"], &[(name, value)]);
        ended.assert_failed(2, name);
        ended.assert_failed(2, &format!("'{value}'"));
        ended.assert_failed(2, " is not in ");
    }
    std::fs::write(there.join("bad.toml"), "max-dim = 0").unwrap();
    let ended = start_in_vain(there, &["--config", "bad.toml"], &[]);
    ended.assert_failed(2, "bad.toml: key max-dim: invalid value '0'");
    start_in_vain(there, &["--max-dim", "0"], &[]).assert_failed(2, "1..=100000");
}

#[test]
fn texts_of_digits_and_keys_with_dashes_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path();
    std::fs::write(there.join("good.toml"), "result-ttl-s = 5").unwrap();
    let variables = [("MATMESH_NAME", "42"), ("MATMESH_ALLOW_HOST", "true")];
    start_in_vain(there, &["serve", "--config", "good.toml"], &variables)
        .assert_failed(1, "cannot listen on 192.0.2.1:8080");
}
