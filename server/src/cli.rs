//! The command line. `serve` runs a node; all other commands are clients of
//! one, over the same API that every program has.
//!
//! | module | holds |
//! | --- | --- |
//! | [`node_client`] | which node is asked, and how |
//! | [`multiply`] | two files in, one file out |
//! | [`matrix_file`] | files by their suffix, standard input and output |
//! | [`target_file`] | written beside the target, then renamed |
//! | [`progress`] | the bar while a job runs |
//! | [`listing`] | jobs and nodes as tables, or as JSON |
//! | [`failure`] | errors with their exit codes |

mod failure;
mod listing;
mod matrix_file;
mod multiply;
mod node_client;
mod progress;
mod table;
mod target_file;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::ServeArgs;
use failure::Failure;
use multiply::MultiplyArgs;
use node_client::NodeClient;

/// Shares matrix multiplications between all devices of one local network
#[derive(Debug, Parser)]
#[command(name = "matmesh", version, about, max_term_width = 100)]
#[command(after_help = "Without a command it serves: `matmesh` alone is `matmesh serve`.")]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a node: web pages, API, worker and discovery
    Serve(ServeArgs),
    /// Everything that asks a node.
    #[command(flatten)]
    Client(ClientCommand),
}

/// Commands that ask a node.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Multiply two matrix files on the mesh
    Multiply(MultiplyArgs),
    /// List the jobs of the mesh, newest first
    Jobs(JobsArgs),
    /// Show one job
    Job(JobArgs),
    /// Cancel a job
    Cancel(JobArgs),
    /// List the nodes of the mesh
    Nodes(NodesArgs),
}

/// Which node is asked.
#[derive(Debug, Clone, Args)]
pub struct NodeArgs {
    /// The node to ask [default: http://127.0.0.1:8080, else the first node found on the network]
    #[arg(long, value_name = "URL", env = "MATMESH_NODE", hide_env_values = true)]
    node: Option<String>,
}

/// Options of `matmesh jobs`.
#[derive(Debug, Clone, Args)]
pub struct JobsArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Print the API's answer
    #[arg(long)]
    json: bool,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Only those that stand so
    #[arg(long, value_name = "STATUS")]
    #[arg(value_parser = ["running", "complete", "failed", "cancelled"])]
    status: Option<String>,
}

/// Options of `matmesh job` and `matmesh cancel`.
#[derive(Debug, Clone, Args)]
pub struct JobArgs {
    /// The job
    id: String,
    #[command(flatten)]
    node: NodeArgs,
    /// Print the API's answer
    #[arg(long)]
    json: bool,
}

/// Options of `matmesh nodes`.
#[derive(Debug, Clone, Args)]
pub struct NodesArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Print the API's answer
    #[arg(long)]
    json: bool,
}

/// Runs a client command: 0 done, 1 failed, 2 called wrongly, 3 no node.
#[tokio::main]
pub async fn run_client(command: ClientCommand) -> ExitCode {
    let done = match command {
        ClientCommand::Multiply(args) => multiply::run(args).await,
        ClientCommand::Jobs(args) => listing::jobs(args).await,
        ClientCommand::Job(args) => listing::job(args).await,
        ClientCommand::Cancel(args) => listing::cancel(args).await,
        ClientCommand::Nodes(args) => listing::nodes(args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
