//! The commands that set matmesh up, build it, check it and serve it: `cargo xtask --help`.
//!
//! | module | does |
//! | --- | --- |
//! | [`serve`], [`build`], [`mod@test`], [`mod@bench`] | one command each |
//! | [`tools`] | Rust targets and components, cargo-leptos, wasm-bindgen, wasm-opt |
//! | [`system`] | programs that come from the operating system |
//! | [`session`] | where the workspace is, how a program is started, where the time went |
//!
//! What it deliberately does not do: it keeps no state besides what the tools themselves leave in
//! the target folder, and it never writes outside the workspace except where it installs a tool.
#![expect(
    clippy::print_stdout,
    reason = "what these commands say belongs on standard output, in order with what they run"
)]

mod bench;
mod build;
mod serve;
mod session;
mod system;
mod test;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::session::Session;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Set up, build, check and serve matmesh")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what is missing, build for release and serve on port 8080
    Serve {
        /// Options for `matmesh serve`, after `--`: `cargo xtask serve -- --port 8081`
        #[arg(last = true)]
        options: Vec<String>,
    },
    /// Leave a release binary that holds its pages inside and runs from any folder
    Build,
    /// Run everything that continuous integration runs, or only the suites named
    Test {
        /// The suites to run; all of them when none is named
        suites: Vec<test::Suite>,
        /// Say what suites there are, and run nothing
        #[arg(long)]
        list: bool,
    },
    /// Compare with other ways to compute the same, on this machine
    Bench {
        /// What to compare
        comparison: bench::Comparison,
        /// Sides of the square matrices; each comparison has its own when none is named
        sides: Vec<u32>,
    },
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut session = Session::open()?;
    match arguments.command {
        Command::Serve { options } => serve::serve(&mut session, &options),
        Command::Build => {
            let binary = build::build(&mut session)?;
            session.print_times();
            println!("{}", binary.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Test { list: true, .. } => {
            test::print_list();
            Ok(ExitCode::SUCCESS)
        }
        Command::Test { suites, .. } => test::test(&mut session, &suites),
        Command::Bench { comparison, sides } => bench::bench(&mut session, comparison, &sides),
    }
}
