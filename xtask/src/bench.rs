//! `cargo xtask bench`: side-by-side comparisons with other ways to compute the same, in `bench/`.
//!
//! Speed is shown, never asserted: a test that fails on a slower machine says nothing.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::session::{Session, run};
use crate::tools;

/// What can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Comparison {
    /// One thread: the kernels beside NumPy, and in WebAssembly beside JavaScript
    Kernels,
}

/// Runs a comparison and shows its tables.
pub(crate) fn bench(
    session: &mut Session,
    comparison: Comparison,
    sides: &[u32],
) -> Result<ExitCode> {
    match comparison {
        Comparison::Kernels => compare_kernels(session, sides)?,
    }
    session.print_times();
    Ok(ExitCode::SUCCESS)
}

fn compare_kernels(session: &mut Session, sides: &[u32]) -> Result<()> {
    if session.ask("python3", &["-c", "import numpy"]).is_none() {
        bail!("needs python3 with numpy: install the Debian package python3-numpy, or use pip");
    }
    let sides: Vec<String> = sides.iter().map(u32::to_string).collect();
    let why = "compiling the kernels, then measuring both sides in turn";
    session.step("kernels beside NumPy", why, |session| {
        run(session
            .command("python3", &["bench/kernels/native_times.py"])
            .args(&sides))
    })?;
    if session.find_program("node").is_none() {
        println!("    no Node.js: the comparison in WebAssembly is left out");
        return Ok(());
    }
    tools::ensure_wasm_target(session)?;
    session.step("WebAssembly beside JavaScript", why, |session| {
        run(session
            .command("node", &["bench/kernels/wasm_times.mjs"])
            .args(&sides))
    })
}
