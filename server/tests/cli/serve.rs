//! `matmesh serve`, and `matmesh` alone, which is the same.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
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
fn a_peer_that_is_no_address_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for peer in ["foo", "127.0.0.1", "host:99999", ":80"] {
        let ended = start_in_vain(folder.path(), &["--peer", peer], &[]);
        ended.assert_failed(2, "an address is HOST:PORT");
    }
}

#[test]
fn a_node_that_is_told_to_stop_stores_nothing_after_it_closed_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let options = [
        "serve",
        "--port",
        "0",
        "--bind",
        "127.0.0.1",
        "--discovery",
        "off",
    ];
    let mut command = matmesh(folder.path(), &options);
    command
        .args(["--threads", "1", "--data-dir", "data"])
        .stderr(std::process::Stdio::piped());
    let mut node = Ended(command.spawn().unwrap());
    let mut lines = BufReader::new(node.0.stdout.take().unwrap()).lines();
    let line = lines.next().expect("the node listens").unwrap();
    let url = line.split_whitespace().nth(3).expect("the address");
    let body = r#"{"a":{"rows":3000,"cols":3000,"random":{"seed":1}},"b":{"rows":3000,"cols":3000,"random":{"seed":2}}}"#;
    let address = url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    write!(
        socket,
        "POST /api/v1/jobs HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let process = rustix::process::Pid::from_child(&node.0);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let mut log = String::new();
    let mut stderr = node.0.stderr.take().unwrap();
    stderr.read_to_string(&mut log).unwrap();
    assert_eq!(node.0.wait().unwrap().code(), Some(0), "{log}");
    assert!(log.contains("stopping; 1 unfinished jobs"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
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
