//! The command line. `serve` runs a node; all other commands are clients of
//! one, over the same API that every program has.
//!
//! | module | holds |
//! | --- | --- |
//! | [`serve_args`] | the options of `serve` and the values that each takes |
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
mod serve_args;
mod table;
mod target_file;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use failure::Failure;
use multiply::MultiplyArgs;
use node_client::NodeClient;

pub use serve_args::ServeArgs;
pub(crate) use serve_args::ServeOption;

/// Shares matrix multiplications between all devices of one local network
#[derive(Debug, Parser)]
#[command(name = "matmesh", version, about, max_term_width = 100)]
#[command(
    after_help = "Without a command it serves: `matmesh --port 8081` is `matmesh serve --port 8081`.\n\
                  Each option of serve can also be a variable, such as MATMESH_PORT, or a key of the\n\
                  --config file; an option stands above a variable, a variable above the file."
)]
// Options before another command would be those of a node that is not started.
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    #[command(next_help_heading = "Options of serve")]
    serve: ServeArgs,
}

impl Cli {
    /// What to do: serve, unless another command is named.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
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
    /// Cancel a job that runs; delete one that is complete, with its result
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Command, clap::Error> {
        let all = ["matmesh"].iter().chain(words);
        Cli::try_parse_from(all).map(Cli::into_command)
    }

    fn serve_args(words: &[&str]) -> ServeArgs {
        match read(words) {
            Ok(Command::Serve(args)) => args,
            other => panic!("{words:?} is {other:?}"),
        }
    }

    #[test]
    fn without_a_command_all_options_are_those_of_serve() {
        for options in [
            &[][..],
            &["--port", "8081"],
            &[
                "--peer",
                "a:1",
                "--peer=b:2",
                "--name",
                "jobs",
                "--sync",
                "never",
            ],
        ] {
            let words: Vec<&str> = ["serve"].iter().chain(options).copied().collect();
            assert_eq!(serve_args(options), serve_args(&words));
        }
        assert_eq!(serve_args(&["--port", "8081"]).port, Some(8081));
        assert_eq!(
            serve_args(&["--name", "jobs"]).name.as_deref(),
            Some("jobs")
        );
    }

    #[test]
    fn without_a_command_bad_options_are_refused_as_well() {
        for words in [&["--max-dim", "0"][..], &["--prot", "1"], &["8080"]] {
            assert_eq!(read(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn options_of_serve_do_not_go_with_another_command() {
        assert!(matches!(
            read(&["jobs", "--json"]),
            Ok(Command::Client(ClientCommand::Jobs(_)))
        ));
        assert!(read(&["--port", "1", "jobs"]).is_err());
    }

    #[test]
    fn the_help_names_commands_and_options_of_serve() {
        let help = read(&["--help"]).unwrap_err();
        assert_eq!(help.exit_code(), 0);
        let help = help.render().to_string();
        for words in [
            "[OPTIONS]",
            "<COMMAND>",
            "multiply",
            "--block-timeout-ms",
            "serve --port",
        ] {
            assert!(help.contains(words), "{help} does not say {words:?}");
        }
    }
}
