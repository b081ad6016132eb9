//! `matmesh multiply`

use std::path::Path;

use kernel::format::OutputFormat;
use tempfile::TempDir;

use crate::api_client::{read_npy, until};
use crate::broken_node::BrokenNode;
use crate::command::{Finished, files_in, matmesh, run, run_with_input};
use crate::matrices::{TestMatrix, assert_same_bits};
use crate::running_node::NodeOptions;

/// A folder with A (6 × 4) as CSV and B (4 × 5) as NPY, and their product.
fn folder() -> (TempDir, TestMatrix) {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (TestMatrix::uneven(6, 4), TestMatrix::uneven(4, 5));
    std::fs::write(folder.path().join("a.csv"), a.file(OutputFormat::Csv)).unwrap();
    std::fs::write(folder.path().join("b.npy"), b.file(OutputFormat::Npy)).unwrap();
    (folder, a.times(&b))
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

#[tokio::test]
async fn two_files_become_a_third_in_the_format_of_its_suffix() {
    let node = NodeOptions::new().start();
    let (folder, product) = folder();
    let folder = folder.path();
    for format in [
        OutputFormat::Npy,
        OutputFormat::Csv,
        OutputFormat::MatrixMarket,
        OutputFormat::Json,
    ] {
        let name = format!("c.{}", format.name());
        let done = run(
            folder,
            &[
                "multiply", "a.csv", "b.npy", "-o", &name, "--node", &node.url,
            ],
        );
        done.assert_done();
        assert!(done.stderr.contains("6 × 5"), "{}", done.stderr);
        assert_eq!(read(folder, &name), product.file(format));
    }
    assert_same_bits(&read_npy(&read(folder, "c.npy")), &product.entries);
    // Again, over what is there.
    run(
        folder,
        &[
            "multiply", "a.csv", "b.npy", "-o", "c.csv", "--node", &node.url,
        ],
    )
    .assert_done();
    assert_eq!(
        files_in(folder),
        ["a.csv", "b.npy", "c.csv", "c.json", "c.mtx", "c.npy"]
    );
}

#[tokio::test]
async fn standard_input_and_output_take_their_format_from_the_option() {
    let node = NodeOptions::new().start();
    let (folder, product) = folder();
    let folder = folder.path();
    let arguments = [
        "multiply", "-", "b.npy", "--output", "-", "--format", "csv", "--node", &node.url,
    ];
    let done = run_with_input(folder, &arguments, &read(folder, "a.csv"));
    done.assert_done();
    assert_eq!(done.stdout, product.file(OutputFormat::Csv));
    assert_eq!(files_in(folder), ["a.csv", "b.npy"]);
}

#[tokio::test]
async fn options_and_the_node_of_the_environment_are_used() {
    let node = NodeOptions::new().start();
    let (folder, _) = folder();
    let arguments = [
        "multiply",
        "a.csv",
        "b.npy",
        "-o",
        "c.csv",
        "--arithmetic",
        "fast",
        "--spread",
        "fastest",
    ];
    let output = matmesh(folder.path(), &arguments)
        .env("MATMESH_NODE", node.address())
        .output();
    Finished::of(output.unwrap()).assert_done();
    let jobs = node.get_json("/api/v1/jobs").await;
    let options = serde_json::json!({"arithmetic": "fast", "spread": "fastest"});
    assert_eq!(jobs[0]["options"], options);
}

#[test]
fn wrong_usage_exits_2_and_says_what_is_right() {
    let (folder, _) = folder();
    let folder = folder.path();
    // Nobody is asked: there is no node.
    let run = |arguments: &[&str]| {
        let mut all = vec!["multiply", "--node", "http://127.0.0.1:1"];
        all.extend(arguments);
        run(folder, &all)
    };
    run(&["a.csv", "b.npy", "-o", "c.xlsx"]).assert_failed(2, ".npy, .csv, .mtx");
    run(&["a.csv", "b.npy", "-o", "c"]).assert_failed(2, "unknown suffix");
    run(&["a.csv", "b.npy", "-o", "-"]).assert_failed(2, "--format");
    run(&["a.csv", "b.npy", "-o", ".", "--format", "csv"]).assert_failed(2, "folder");
    run(&["a.csv", "b.npy", "-o", "nowhere/c.csv"]).assert_failed(2, "folder");
    run(&["a.csv", "b.npy"]).assert_failed(2, "--output");
    run(&["a.csv", "-o", "c.csv"]).assert_failed(2, "<B>");
    run(&["-", "-", "-o", "c.csv", "--format", "csv"]).assert_failed(2, "standard input");
    run(&["-", "b.npy", "-o", "c.csv"]).assert_failed(2, "--format");
    run(&["none.csv", "b.npy", "-o", "c.csv"]).assert_failed(2, "none.csv");
    run(&["a.csv", "b.npy", "-o", "c.csv", "--arithmetic", "quick"])
        .assert_failed(2, "reproducible");
    run(&["a.csv", "b.npy", "-o", "c.csv", "--spread", "some"]).assert_failed(2, "fastest");
    std::fs::write(folder.join("a.xlsx"), "").unwrap();
    run(&["a.xlsx", "b.npy", "-o", "c.csv"]).assert_failed(2, ".npy, .csv and .mtx");
    assert_eq!(files_in(folder), ["a.csv", "a.xlsx", "b.npy"]);
}

#[test]
fn without_a_node_it_exits_3() {
    let (folder, _) = folder();
    let arguments = [
        "multiply",
        "a.csv",
        "b.npy",
        "-o",
        "c.csv",
        "--node",
        "http://127.0.0.1:1",
    ];
    run(folder.path(), &arguments).assert_failed(3, "no node answers");
    assert_eq!(files_in(folder.path()), ["a.csv", "b.npy"]);
}

#[tokio::test]
async fn what_the_node_refuses_exits_1_with_its_reason() {
    let node = NodeOptions::new().start();
    let (folder, _) = folder();
    let folder = folder.path();
    let run = |a, b| {
        run(
            folder,
            &["multiply", a, b, "-o", "c.csv", "--node", &node.url],
        )
    };
    run("a.csv", "a.csv").assert_failed(1, "6 × 4");
    std::fs::write(folder.join("ragged.csv"), "1,2\n3\n").unwrap();
    run("ragged.csv", "b.npy").assert_failed(1, "row 2");
    assert!(!folder.join("c.csv").exists());
}

#[tokio::test]
async fn interrupted_it_cancels_the_job_and_leaves_nothing() {
    let node = NodeOptions::new().that_never_computes().start();
    let (folder, _) = folder();
    for signal in ["INT", "TERM"] {
        let arguments = [
            "multiply", "a.csv", "b.npy", "-o", "c.csv", "--node", &node.url,
        ];
        let child = matmesh(folder.path(), &arguments).spawn().unwrap();
        let running = until("the job begins", async || {
            let jobs = node.get_json("/api/v1/jobs?status=running").await;
            Some(jobs[0]["id"].as_str()?.to_owned())
        })
        .await;
        let pid = rustix::process::Pid::from_child(&child);
        let signal_number = match signal {
            "INT" => rustix::process::Signal::INT,
            _ => rustix::process::Signal::TERM,
        };
        rustix::process::kill_process(pid, signal_number).unwrap();
        let ended = Finished::of(child.wait_with_output().unwrap());
        ended.assert_failed(1, "interrupted");
        let job = node.get_json(&format!("/api/v1/jobs/{running}")).await;
        assert_eq!(job["status"], "cancelled", "{signal}");
    }
    assert_eq!(files_in(folder.path()), ["a.csv", "b.npy"]);
}

#[test]
fn a_result_that_breaks_off_exits_1_and_leaves_the_old_file() {
    let (folder, _) = folder();
    let folder = folder.path();
    std::fs::write(folder.join("c.csv"), "old").unwrap();
    for node in [
        BrokenNode::that_stops_before_the_stated_length(),
        BrokenNode::that_stops_within_a_chunk(),
    ] {
        let done = run(
            folder,
            &[
                "multiply", "a.csv", "b.npy", "-o", "c.csv", "--node", &node.url,
            ],
        );
        done.assert_failed(1, "broke off");
        assert_eq!(read(folder, "c.csv"), b"old");
        assert_eq!(files_in(folder), ["a.csv", "b.npy", "c.csv"]);
    }
}

#[tokio::test]
async fn a_reader_of_the_output_who_leaves_is_a_failure_and_no_panic() {
    let node = NodeOptions::new().start();
    let (folder, _) = folder();
    let arguments = [
        "multiply", "a.csv", "b.npy", "-o", "-", "--format", "csv", "--node", &node.url,
    ];
    let (reader, writer) = std::io::pipe().unwrap();
    // Gone before anything is written, however fast the job is.
    drop(reader);
    let mut command = matmesh(folder.path(), &arguments);
    let child = command.stdout(writer).spawn().unwrap();
    drop(command);
    assert_eq!(Finished::of(child.wait_with_output().unwrap()).code, 1);
}
