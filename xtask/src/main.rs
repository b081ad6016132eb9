//! The commands that set matmesh up, build it, check it and serve it: `cargo xtask --help`.
//!
//! | module | does |
//! | --- | --- |
//! | [`serve`], [`build`], [`mod@test`], [`sim`], [`chaos`], [`soak`], [`failover`], [`traffic`], [`mod@bench`] | one command each |
//! | [`pages`] | the pages that the server embeds |
//! | [`mesh`] | real nodes in network namespaces, for those that disturb or time them |
//! | [`tools`] | Rust targets and components, cargo-leptos, wasm-bindgen |
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
mod chaos;
mod failover;
mod instructions;
mod mesh;
mod mutants;
mod pages;
mod scripts;
mod serve;
mod session;
mod sim;
mod soak;
mod system;
mod test;
mod tools;
mod traffic;

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
    /// Install what `cargo leptos serve` needs; `serve` does it, too, while the node runs
    Tools,
    /// Run everything that continuous integration runs, or only the suites named
    Test {
        /// The suites to run; all of them when none is named
        suites: Vec<test::Suite>,
        /// Say what suites there are, and run nothing
        #[arg(long)]
        list: bool,
    },
    /// Run the protocol's core under every fault, from seeds, or see whether its tests find mistakes
    Sim {
        /// How many seeds in each mode
        #[arg(long)]
        seeds: Option<u64>,
        /// One mode only
        #[arg(long)]
        mode: Option<sim::Mode>,
        /// Put each known mistake into the core instead, and print who finds it; 2,000 seeds unless others are named
        #[arg(long, conflicts_with = "mode")]
        mutants: bool,
        /// Let so many nodes do twenty jobs in ten minutes of their clocks instead, and print what each sends
        #[arg(long, conflicts_with_all = ["mode", "mutants", "seeds"])]
        nodes: Vec<u16>,
    },
    /// Disturb real nodes in network namespaces while they compute, and compare every result
    Chaos {
        /// How long
        #[arg(long, default_value_t = 2.0)]
        minutes: f64,
        /// How many nodes
        #[arg(long, default_value_t = 5)]
        nodes: usize,
        /// What to draw everything from; the clock gives one where none is named
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Let four real nodes work for long, and see whether anything grows
    Soak {
        /// How long
        #[arg(long, default_value_t = 60.0)]
        minutes: f64,
    },
    /// Measure, on four real nodes, what it costs when a coordinator is lost
    Failover {
        /// What happens to it
        scene: failover::Scene,
        /// How often
        #[arg(long, default_value_t = 5)]
        runs: usize,
    },
    /// Count, on nine real nodes, the bytes that leave the coordinator of a job
    Traffic,
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
        Command::Tools => {
            tools::ensure_all(&mut session)?;
            session.print_times();
            Ok(ExitCode::SUCCESS)
        }
        Command::Test { list: true, .. } => {
            test::print_list();
            Ok(ExitCode::SUCCESS)
        }
        Command::Test { suites, .. } => test::test(&mut session, &suites),
        Command::Sim {
            seeds,
            mode,
            mutants,
            nodes,
        } => {
            if !nodes.is_empty() {
                sim::many_nodes(&session, &nodes)?;
            } else if mutants {
                let seeds = seeds.unwrap_or(mutants::SEEDS);
                mutants::find_all(&mut session, mutants::Choice::All, seeds)?;
            } else {
                let modes = mode.map_or(sim::Mode::ALL.to_vec(), |mode| vec![mode]);
                sim::sim(&mut session, seeds.unwrap_or(1000), &modes)?;
            }
            session.print_times();
            Ok(ExitCode::SUCCESS)
        }
        Command::Chaos {
            minutes,
            nodes,
            seed,
        } => {
            let wanted = chaos::Wanted {
                minutes,
                nodes,
                seed,
            };
            chaos::chaos(&mut session, wanted)
        }
        Command::Soak { minutes } => soak::soak(&mut session, minutes),
        Command::Failover { scene, runs } => failover::failover(&mut session, scene, runs),
        Command::Traffic => traffic::traffic(&mut session),
        Command::Bench { comparison, sides } => bench::bench(&mut session, comparison, &sides),
    }
}
