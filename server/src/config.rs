//! What a user may set. The command line wins, then the environment
//! (`MATMESH_…`), then the file named by `--config`. Nothing else in the
//! program reads the environment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

/// Options of `matmesh serve`, as they are typed: what is absent is looked for
/// in the environment and the file.
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct ServeArgs {
    /// TOML file with any of these options as keys
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The one TCP port, for everything; 0 is any free one [default: 8080]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Address to listen on [default: 0.0.0.0]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<IpAddr>,
    /// Folder of the SQLite file and the node's key [default: the platform's data folder, one sub-folder per port]
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// When writes are synced to the disk [default: alone]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<Sync>,
    /// The node's name, shown to people [default: the host's name]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How nodes find each other [default: mdns]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery: Option<Discovery>,
    /// A node to link to at start; may be given again
    #[arg(long, value_name = "HOST:PORT")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peer: Vec<String>,
    /// Threads that compute; 0 computes nothing [default: all cores]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// How often a node tells its peers that it lives [default: 200]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(10..=60_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_interval_ms: Option<u64>,
    /// Silence after which a node counts as unreachable [default: 1000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(20..=600_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_timeout_ms: Option<u64>,
    /// From lease to result; then the block goes to another worker [default: 30000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(10..=86_400_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_timeout_ms: Option<u64>,
    /// Wait for a higher node's answer before claiming victory [default: 300]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(10..=60_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub election_timeout_ms: Option<u64>,
    /// How long a finished job and its result are kept [default: 7200]
    #[arg(long, value_name = "S")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_ttl_s: Option<u64>,
    /// Nodes that hold a copy of each job's state [default: 3]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_backup_nodes: Option<u32>,
    /// Largest matrix side accepted [default: 20000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_dim: Option<u32>,
    /// A further name by which people may open this node; may be given again
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_host: Vec<String>,
    /// How log lines are written [default: text]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
}

/// When writes reach the disk itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// Every write, before it is announced
    Always,
    /// Only writes that no backup acknowledged
    Alone,
    /// When the system sees fit
    Never,
}

/// How nodes find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Discovery {
    /// Multicast DNS on the local network
    Mdns,
    /// Only `--peer` and registered nodes
    Off,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Everything that is set, with nothing left open.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `--port`
    pub port: u16,
    /// `--bind`
    pub bind: IpAddr,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--sync`
    pub sync: Sync,
    /// `--name`
    pub name: Option<String>,
    /// `--discovery`
    pub discovery: Discovery,
    /// `--peer`
    #[serde(deserialize_with = "one_or_many")]
    pub peer: Vec<String>,
    /// `--threads`
    pub threads: Option<u32>,
    /// `--heartbeat-interval-ms`
    pub heartbeat_interval_ms: u64,
    /// `--heartbeat-timeout-ms`
    pub heartbeat_timeout_ms: u64,
    /// `--block-timeout-ms`
    pub block_timeout_ms: u64,
    /// `--election-timeout-ms`
    pub election_timeout_ms: u64,
    /// `--result-ttl-s`
    pub result_ttl_s: u64,
    /// `--num-backup-nodes`
    pub num_backup_nodes: u32,
    /// `--max-dim`
    pub max_dim: u32,
    /// `--allow-host`
    #[serde(deserialize_with = "one_or_many")]
    pub allow_host: Vec<String>,
    /// `--log-format`
    pub log_format: LogFormat,
}

/// The options that the environment may set; other `MATMESH_…` variables, such
/// as the client's `MATMESH_NODE`, are none of them.
const KEYS: &[&str] = &[
    "port",
    "bind",
    "data_dir",
    "sync",
    "name",
    "discovery",
    "peer",
    "threads",
    "heartbeat_interval_ms",
    "heartbeat_timeout_ms",
    "block_timeout_ms",
    "election_timeout_ms",
    "result_ttl_s",
    "num_backup_nodes",
    "max_dim",
    "allow_host",
    "log_format",
];

/// The same keys with their defaults, below file and environment.
#[derive(Debug, Serialize)]
struct Defaults {
    port: u16,
    bind: IpAddr,
    sync: Sync,
    discovery: Discovery,
    peer: Vec<String>,
    heartbeat_interval_ms: u64,
    heartbeat_timeout_ms: u64,
    block_timeout_ms: u64,
    election_timeout_ms: u64,
    result_ttl_s: u64,
    num_backup_nodes: u32,
    max_dim: u32,
    allow_host: Vec<String>,
    log_format: LogFormat,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            port: 8080,
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            sync: Sync::Alone,
            discovery: Discovery::Mdns,
            peer: Vec::new(),
            heartbeat_interval_ms: 200,
            heartbeat_timeout_ms: 1000,
            block_timeout_ms: 30_000,
            election_timeout_ms: 300,
            result_ttl_s: 7200,
            num_backup_nodes: 3,
            max_dim: 20_000,
            allow_host: Vec::new(),
            log_format: LogFormat::Text,
        }
    }
}

impl Config {
    /// Puts command line, environment, file and defaults together.
    pub fn load(args: &ServeArgs) -> anyhow::Result<Self> {
        let mut figment = Figment::from(Serialized::defaults(Defaults::default()));
        if let Some(site) = leptos_site_address() {
            figment = figment
                .merge(Serialized::default("port", site.port()))
                .merge(Serialized::default("bind", site.ip()));
        }
        let file = args
            .config
            .clone()
            .or_else(|| std::env::var_os("MATMESH_CONFIG").map(Into::into));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        let config: Self = figment
            .merge(Env::prefixed("MATMESH_").only(KEYS))
            .merge(Serialized::defaults(args))
            .extract()
            .context("these options cannot be used")?;
        anyhow::ensure!(
            config.heartbeat_timeout_ms > config.heartbeat_interval_ms,
            "heartbeat-timeout-ms ({}) must be longer than heartbeat-interval-ms ({})",
            config.heartbeat_timeout_ms,
            config.heartbeat_interval_ms,
        );
        Ok(config)
    }

    /// The address to listen on.
    pub fn listen_address(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port)
    }

    /// The name that people see.
    pub fn display_name(&self) -> String {
        self.name.clone().unwrap_or_else(host_name)
    }

    /// Threads that compute.
    pub fn compute_threads(&self) -> u32 {
        self.threads
            .unwrap_or_else(cores)
            .min(cluster::limits::THREADS_MAX)
    }

    /// The folder of this node's state.
    pub fn data_folder(&self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.data_dir {
            return Ok(folder.clone());
        }
        let folders = directories::ProjectDirs::from("", "", "matmesh")
            .context("this system names no data folder: give one with --data-dir")?;
        Ok(folders.data_dir().join(self.port.to_string()))
    }

    /// The cluster's share of the options.
    pub fn node_config(&self) -> cluster::NodeConfig {
        cluster::NodeConfig {
            heartbeat_interval: Duration::from_millis(self.heartbeat_interval_ms),
            heartbeat_timeout: Duration::from_millis(self.heartbeat_timeout_ms),
            block_timeout: Duration::from_millis(self.block_timeout_ms),
            result_ttl: Duration::from_secs(self.result_ttl_s),
        }
    }
}

/// A list, or in the environment its entries separated by commas.
fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        Many(Vec<String>),
        One(String),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::Many(entries) => entries,
        OneOrMany::One(entries) => entries
            .split(',')
            .map(|entry| entry.trim().to_owned())
            .filter(|entry| !entry.is_empty())
            .collect(),
    })
}

/// The address that `cargo leptos serve` passes.
fn leptos_site_address() -> Option<SocketAddr> {
    std::env::var("LEPTOS_SITE_ADDR").ok()?.parse().ok()
}

/// Threads of the processor.
pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1))
}

/// This host's name.
pub fn host_name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    if name.is_empty() {
        "matmesh".to_owned()
    } else {
        name
    }
}

/// Where cargo-leptos puts the built site, unless it is within the binary.
pub fn site_root() -> String {
    std::env::var("LEPTOS_SITE_ROOT").unwrap_or_else(|_| "target/site".to_owned())
}
