//! The options of `matmesh serve`, and the one place that says which values each
//! of them takes: what comes from the environment or from a file is read as if
//! it had been typed.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Command, FromArgMatches};

use crate::config::{Discovery, LogFormat, Sync};

/// The form of an address; whether anybody is there shows when it is dialled.
fn host_and_port(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or_default();
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err("an address is HOST:PORT, such as 192.168.1.20:8080".to_owned());
    }
    Ok(text.to_owned())
}

/// Options of `matmesh serve`: what is absent is looked for elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct ServeArgs {
    /// TOML file with any of these options as keys
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The one TCP port, for everything; 0 is any free one [default: 8080]
    #[arg(long)]
    pub port: Option<u16>,
    /// Address to listen on [default: 0.0.0.0]
    #[arg(long, value_name = "ADDRESS")]
    pub bind: Option<IpAddr>,
    /// Folder of the SQLite file and the node's key [default: the platform's data folder, one sub-folder per port]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// When writes are synced to the disk [default: alone]
    #[arg(long, value_enum)]
    pub sync: Option<Sync>,
    /// The node's name, shown to people [default: the host's name]
    #[arg(long)]
    pub name: Option<String>,
    /// How nodes find each other [default: mdns]
    #[arg(long, value_enum)]
    pub discovery: Option<Discovery>,
    /// A node to link to at start; may be given again
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    pub peer: Vec<String>,
    /// Threads that compute; 0 computes nothing [default: all cores]
    #[arg(long)]
    pub threads: Option<u32>,
    /// How often a node tells its peers that it lives [default: 200]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub heartbeat_interval_ms: Option<u64>,
    /// Silence after which a node counts as unreachable [default: 1000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(20..=600_000))]
    pub heartbeat_timeout_ms: Option<u64>,
    /// From lease to result; then the block goes to another worker [default: 30000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(10..=86_400_000))]
    pub block_timeout_ms: Option<u64>,
    /// Wait for a higher node's answer before claiming victory [default: 300]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub election_timeout_ms: Option<u64>,
    /// How long a finished job and its result are kept [default: 7200]
    // Ten years at most: what is counted from it stays a time.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=315_360_000))]
    pub result_ttl_s: Option<u64>,
    /// Nodes that hold a copy of each job's state [default: 3]
    #[arg(long, value_name = "N")]
    pub num_backup_nodes: Option<u32>,
    /// Largest matrix side accepted [default: 20000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_dim: Option<u32>,
    /// A further name by which people may open this node; may be given again
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// How log lines are written [default: text]
    #[arg(long, value_enum)]
    pub log_format: Option<LogFormat>,
}

/// One option, by its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServeOption {
    /// As it is typed, without the dashes before it.
    pub(crate) long: String,
    /// May be given more than once.
    pub(crate) is_list: bool,
}

impl ServeOption {
    /// All that there are.
    pub(crate) fn all() -> Vec<Self> {
        let command = ServeArgs::augment_args(Command::new("serve"));
        let options = command.get_arguments().filter_map(|argument| {
            Some(Self {
                long: argument.get_long()?.to_owned(),
                is_list: matches!(argument.get_action(), ArgAction::Append),
            })
        });
        options.collect()
    }
}

impl ServeArgs {
    /// Sets `option` to `values` as if they had been typed; the error is one
    /// line that names the option, the value and what would be right.
    pub(crate) fn set(
        &mut self,
        option: &ServeOption,
        values: impl IntoIterator<Item = OsString>,
    ) -> Result<(), String> {
        let words = values.into_iter().map(|value| {
            // In one word with its option, a value may begin with a dash.
            let mut word = OsString::from(format!("--{}=", option.long));
            word.push(value);
            word
        });
        let command = Self::augment_args(Command::new("serve")).no_binary_name(true);
        let read = command.try_get_matches_from(words);
        let set = read.and_then(|matches| self.update_from_arg_matches(&matches));
        set.map_err(|error| one_line(&error))
    }

    /// These options, and where they are silent those of `lower`.
    pub(crate) fn over(self, lower: Self) -> Self {
        Self {
            config: self.config.or(lower.config),
            port: self.port.or(lower.port),
            bind: self.bind.or(lower.bind),
            data_dir: self.data_dir.or(lower.data_dir),
            sync: self.sync.or(lower.sync),
            name: self.name.or(lower.name),
            discovery: self.discovery.or(lower.discovery),
            peer: first_given(self.peer, lower.peer),
            threads: self.threads.or(lower.threads),
            heartbeat_interval_ms: self.heartbeat_interval_ms.or(lower.heartbeat_interval_ms),
            heartbeat_timeout_ms: self.heartbeat_timeout_ms.or(lower.heartbeat_timeout_ms),
            block_timeout_ms: self.block_timeout_ms.or(lower.block_timeout_ms),
            election_timeout_ms: self.election_timeout_ms.or(lower.election_timeout_ms),
            result_ttl_s: self.result_ttl_s.or(lower.result_ttl_s),
            num_backup_nodes: self.num_backup_nodes.or(lower.num_backup_nodes),
            max_dim: self.max_dim.or(lower.max_dim),
            allow_host: first_given(self.allow_host, lower.allow_host),
            log_format: self.log_format.or(lower.log_format),
        }
    }
}

fn first_given(upper: Vec<String>, lower: Vec<String>) -> Vec<String> {
    if upper.is_empty() { lower } else { upper }
}

/// What clap says of a value, without its advice to look at `--help`: that
/// tells nothing of variables and files.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said = text.split("\n\n").next().unwrap_or_default();
    let said = said.strip_prefix("error: ").unwrap_or(said);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}
