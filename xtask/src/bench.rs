//! `cargo xtask bench`: side-by-side comparisons with other ways to compute the same, in `bench/`.
//!
//! Speed is shown, never asserted: a test that fails on a slower machine says nothing.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::build;
use crate::session::{Session, run};
use crate::system;
use crate::tools;

/// The peers and their versions.
const REQUIREMENTS: &str = "bench/requirements.txt";

/// Where npm installs the peers of the kernels in a page, and the file that fixes their versions.
const PAGE_PEERS: &str = "bench/kernels";
const PAGE_PEERS_LOCK: &str = "bench/kernels/package-lock.json";

/// What can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Comparison {
    /// One thread: the kernels beside NumPy and faer, in WebAssembly beside JavaScript and TensorFlow.js
    Kernels,
    /// Whole jobs on two nodes, beside NumPy, Dask and Ray
    Jobs,
    /// Small jobs on four nodes with three backups, beside Dask and Ray
    SmallJobs,
}

/// Runs a comparison and shows its tables.
pub(crate) fn bench(
    session: &mut Session,
    comparison: Comparison,
    sides: &[u32],
) -> Result<ExitCode> {
    let sides: Vec<String> = sides.iter().map(u32::to_string).collect();
    match comparison {
        Comparison::Kernels => compare_kernels(session, &sides)?,
        Comparison::Jobs => compare_jobs(session, "bench/jobs/job_times.py", &sides)?,
        Comparison::SmallJobs => compare_jobs(session, "bench/jobs/small_jobs.py", &[])?,
    }
    session.print_times();
    Ok(ExitCode::SUCCESS)
}

fn compare_kernels(session: &mut Session, sides: &[String]) -> Result<()> {
    let python = python_with_peers(session)?;
    let why = "compiling the kernels, then measuring all sides in turn";
    session.step("kernels beside NumPy and faer", why, |session| {
        run(session
            .command(&python, &["bench/kernels/native_times.py"])
            .args(sides))
    })?;
    if session.find_program("node").is_none() {
        println!("    no Node.js: the comparison in WebAssembly is left out");
        return Ok(());
    }
    tools::ensure_wasm_target(session)?;
    let script = "bench/kernels/wasm_times.mjs";
    session.step("WebAssembly in Node.js", why, |session| {
        run(session
            .command("node", &[script])
            .args(sides)
            .env("PYTHON", &python))
    })?;
    let named = env::var_os("CHROMIUM").map(PathBuf::from);
    let Some(chromium) = named.or_else(|| system::find_chromium(session)) else {
        println!("    no Chromium: the comparison in a page is left out");
        return Ok(());
    };
    install_page_peers(session)?;
    let why = "the same in a page, beside TensorFlow.js; minutes for large sides";
    session.step("WebAssembly in Chromium", why, |session| {
        run(session
            .command("node", &[script, "--chromium"])
            .args(sides)
            .env("PYTHON", &python)
            .env("CHROMIUM", chromium))
    })
}

/// The script goes on without them, and says so.
fn install_page_peers(session: &mut Session) -> Result<()> {
    let wanted = fs::read_to_string(session.file(PAGE_PEERS_LOCK))?;
    let folder = session.file(PAGE_PEERS);
    // `npm ci` empties the folder first: what lies in there was written after it.
    let installed = folder.join("node_modules/installed-lock.json");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted)
        || session.find_program("npm").is_none()
    {
        return Ok(());
    }
    let why = "TensorFlow.js from npm, once";
    session.step("peers in a page", why, |session| {
        let mut install = session.command("npm", &["ci", "--no-audit", "--no-fund"]);
        run(install.current_dir(&folder))?;
        fs::write(&installed, wanted).context("the packages' folder can be written")
    })
}

fn compare_jobs(session: &mut Session, script: &str, sides: &[String]) -> Result<()> {
    let python = python_with_peers(session)?;
    let binary = build::build(session)?;
    let why = "the same products by two nodes and by the peers, in turn; minutes";
    session.step("jobs beside NumPy, Dask and Ray", why, |session| {
        run(session
            .command(&python, &[script])
            .args(sides)
            .env("MATMESH", binary))
    })
}

/// A Python that has the peers, in a folder of its own below the target folder.
fn python_with_peers(session: &mut Session) -> Result<String> {
    let folder = session.target("bench/venv");
    let python = folder.join("bin/python").display().to_string();
    let wanted = fs::read_to_string(session.file(REQUIREMENTS))?;
    let installed = folder.join("requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    if session.ask("python3", &["-c", "import venv"]).is_none() {
        bail!("needs python3 with venv: install the Debian packages python3 and python3-venv");
    }
    let why = "NumPy, Dask and Ray from PyPI, once";
    session.step("peers", why, |session| {
        run(session.command("python3", &["-m", "venv"]).arg(&folder))?;
        let install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--requirement",
            REQUIREMENTS,
        ];
        run(&mut session.command(&python, &install))?;
        fs::write(&installed, wanted).context("the peers' folder can be written")
    })?;
    Ok(python)
}
