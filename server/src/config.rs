//! What a user may set. The command line wins, then the environment
//! (`MATMESH_…`), then the file named by `--config`. Nothing else in the
//! program reads the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;

use crate::cli::{ServeArgs, ServeOption};

/// When writes reach the disk itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sync {
    /// Every write, before it is announced
    Always,
    /// Only writes that no backup acknowledged
    Alone,
    /// When the system sees fit
    Never,
}

/// How nodes find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Discovery {
    /// Multicast DNS on the local network
    Mdns,
    /// Only `--peer` and registered nodes
    Off,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Everything that is set, with nothing left open.
#[derive(Debug, Clone, PartialEq)]
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
    pub allow_host: Vec<String>,
    /// `--log-format`
    pub log_format: LogFormat,
}

impl Config {
    /// Puts command line, environment, file and defaults together.
    pub fn load(args: &ServeArgs) -> anyhow::Result<Self> {
        Self::load_with(args, |name| std::env::var_os(name))
    }

    fn load_with(
        args: &ServeArgs,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> anyhow::Result<Self> {
        let mut set = args.clone().over(from_environment(&variable)?);
        if let Some(file) = set.config.clone() {
            set = set.over(from_file(&file)?);
        }
        let site = leptos_site_address(&variable);
        let config = Self::complete(set, site);
        anyhow::ensure!(
            config.heartbeat_timeout_ms > config.heartbeat_interval_ms,
            "heartbeat-timeout-ms ({}) must be longer than heartbeat-interval-ms ({})",
            config.heartbeat_timeout_ms,
            config.heartbeat_interval_ms,
        );
        Ok(config)
    }

    /// Fills what nobody set; port and address by preference with those that
    /// `cargo leptos serve` passes.
    fn complete(set: ServeArgs, site: Option<SocketAddr>) -> Self {
        let site = site.unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)));
        Self {
            port: set.port.unwrap_or(site.port()),
            bind: set.bind.unwrap_or(site.ip()),
            data_dir: set.data_dir,
            sync: set.sync.unwrap_or(Sync::Alone),
            name: set.name,
            discovery: set.discovery.unwrap_or(Discovery::Mdns),
            peer: set.peer,
            threads: set.threads,
            heartbeat_interval_ms: set.heartbeat_interval_ms.unwrap_or(200),
            heartbeat_timeout_ms: set.heartbeat_timeout_ms.unwrap_or(1000),
            block_timeout_ms: set.block_timeout_ms.unwrap_or(30_000),
            election_timeout_ms: set.election_timeout_ms.unwrap_or(300),
            result_ttl_s: set.result_ttl_s.unwrap_or(7200),
            num_backup_nodes: set.num_backup_nodes.unwrap_or(3),
            max_dim: set.max_dim.unwrap_or(20_000),
            allow_host: set.allow_host,
            log_format: set.log_format.unwrap_or(LogFormat::Text),
        }
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
            election_timeout: Duration::from_millis(self.election_timeout_ms),
            backups: usize::try_from(self.num_backup_nodes).unwrap_or(usize::MAX),
            result_ttl: Duration::from_secs(self.result_ttl_s),
            side_max: self.max_dim,
        }
    }
}

/// What the environment sets. Other `MATMESH_…` variables, such as the client's
/// `MATMESH_NODE`, are no options; one that is empty counts as not set, which is
/// what composed environments make of a value left out.
fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> anyhow::Result<ServeArgs> {
    let mut set = ServeArgs::default();
    for option in ServeOption::all() {
        let name = format!("MATMESH_{}", option.long.to_uppercase().replace('-', "_"));
        let Some(value) = variable(&name).filter(|value| !value.is_empty()) else {
            continue;
        };
        let values = if option.is_list {
            entries_of(&value.to_string_lossy())
        } else {
            vec![value]
        };
        set.set(&option, values)
            .map_err(|reason| anyhow::anyhow!("{name}: {reason}"))?;
    }
    Ok(set)
}

/// What a TOML file sets. Its keys are spelled like the options, or with
/// underscores, as keys in such files mostly are.
fn from_file(file: &Path) -> anyhow::Result<ServeArgs> {
    let shown = file.display();
    let keys: BTreeMap<String, TomlValue> = Figment::from(Toml::file_exact(file))
        .extract()
        .with_context(|| format!("the file {shown} cannot be used"))?;
    let mut options = ServeOption::all();
    // A file that named the next file would be a riddle.
    options.retain(|option| option.long != "config");
    let mut set = ServeArgs::default();
    for (key, value) in keys {
        let long = key.replace('_', "-");
        let position = options.iter().position(|option| option.long == long);
        let Some(position) = position else {
            anyhow::bail!("{shown}: the key {key} is no option of serve, or is there twice");
        };
        let option = options.swap_remove(position);
        let set_value = values_of(value, option.is_list)
            .ok_or_else(|| "a table or list is no value of it".to_owned())
            .and_then(|values| set.set(&option, values));
        set_value.map_err(|reason| anyhow::anyhow!("{shown}: key {key}: {reason}"))?;
    }
    Ok(set)
}

/// A value in a file, of whichever type it looks: what it has to be is said by
/// its option alone, so that a name may be `42`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TomlValue {
    Text(String),
    Truth(bool),
    Integer(i64),
    Fraction(f64),
    List(Vec<TomlValue>),
    Other(serde::de::IgnoredAny),
}

/// A value as it would be typed; `None` for what cannot be.
fn values_of(value: TomlValue, is_list: bool) -> Option<Vec<OsString>> {
    let text = match value {
        TomlValue::Text(text) => text,
        TomlValue::Truth(truth) => truth.to_string(),
        TomlValue::Integer(integer) => integer.to_string(),
        TomlValue::Fraction(fraction) => fraction.to_string(),
        TomlValue::List(entries) if is_list => {
            let entries = entries.into_iter().map(|entry| values_of(entry, true));
            let entries: Option<Vec<Vec<OsString>>> = entries.collect();
            return Some(entries?.concat());
        }
        TomlValue::List(_) | TomlValue::Other(_) => return None,
    };
    Some(if is_list {
        entries_of(&text)
    } else {
        vec![text.into()]
    })
}

/// The entries of a list that is written as one text, with commas.
fn entries_of(list: &str) -> Vec<OsString> {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(OsString::from)
        .collect()
}

/// The address that `cargo leptos serve` passes.
fn leptos_site_address(variable: impl Fn(&str) -> Option<OsString>) -> Option<SocketAddr> {
    variable("LEPTOS_SITE_ADDR")?.to_str()?.parse().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads with these variables alone in the environment.
    fn load(args: &ServeArgs, variables: &[(&str, &str)]) -> Result<Config, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name)?;
            Some(OsString::from(found.1))
        };
        Config::load_with(args, variable).map_err(|error| format!("{error:#}"))
    }

    fn load_environment(variables: &[(&str, &str)]) -> Result<Config, String> {
        load(&ServeArgs::default(), variables)
    }

    fn load_file(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("matmesh.toml");
        std::fs::write(&file, text).unwrap();
        let args = ServeArgs {
            config: Some(file),
            ..ServeArgs::default()
        };
        load(&args, &[])
    }

    /// The error names all of `words`.
    fn assert_refused(loaded: Result<Config, String>, words: &[&str]) {
        let error = loaded.unwrap_err();
        for word in words {
            assert!(error.contains(word), "{error:?} does not say {word:?}");
        }
        assert!(!error.contains('\n'), "{error:?} is more than one line");
    }

    #[test]
    fn what_nobody_sets_is_as_the_contract_says() {
        let config = load_environment(&[]).unwrap();
        assert_eq!(config.listen_address().to_string(), "0.0.0.0:8080");
        assert_eq!(config.sync, Sync::Alone);
        assert_eq!(config.discovery, Discovery::Mdns);
        assert_eq!(config.heartbeat_interval_ms, 200);
        assert_eq!(config.heartbeat_timeout_ms, 1000);
        assert_eq!(config.block_timeout_ms, 30_000);
        assert_eq!(config.election_timeout_ms, 300);
        assert_eq!(config.result_ttl_s, 7200);
        assert_eq!(config.num_backup_nodes, 3);
        assert_eq!(config.max_dim, 20_000);
        assert_eq!(config.log_format, LogFormat::Text);
        assert_eq!((config.name, config.threads), (None, None));
    }

    #[test]
    fn the_command_line_wins_then_the_environment_then_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("matmesh.toml");
        std::fs::write(
            &file,
            "port = 1\nmax_dim = 1\nresult_ttl_s = 1\npeer = [\"a:1\"]\n",
        )
        .unwrap();
        let args = ServeArgs {
            port: Some(3),
            ..ServeArgs::default()
        };
        let variables = [
            ("MATMESH_CONFIG", file.to_str().unwrap()),
            ("MATMESH_PORT", "2"),
            ("MATMESH_MAX_DIM", "2"),
            ("LEPTOS_SITE_ADDR", "127.0.0.1:9"),
        ];
        let config = load(&args, &variables).unwrap();
        assert_eq!(
            (config.port, config.max_dim, config.result_ttl_s),
            (3, 2, 1)
        );
        assert_eq!(config.peer, ["a:1"]);
        assert_eq!(config.bind.to_string(), "127.0.0.1");
    }

    #[test]
    fn a_variable_out_of_range_is_named_with_value_and_range() {
        for (name, value, range) in [
            ("MATMESH_HEARTBEAT_INTERVAL_MS", "0", "10..=60000"),
            ("MATMESH_HEARTBEAT_TIMEOUT_MS", "0", "20..=600000"),
            ("MATMESH_BLOCK_TIMEOUT_MS", "0", "10..=86400000"),
            ("MATMESH_ELECTION_TIMEOUT_MS", "0", "10..=60000"),
            ("MATMESH_RESULT_TTL_S", "0", "1..=315360000"),
            ("MATMESH_MAX_DIM", "4294967295", "1..=100000"),
            ("MATMESH_PORT", "65536", "0..=65535"),
            ("MATMESH_SYNC", "sometimes", "always, alone, never"),
            ("MATMESH_THREADS", "-1", "--threads"),
            ("MATMESH_BIND", "here", "--bind"),
        ] {
            assert_refused(load_environment(&[(name, value)]), &[name, value, range]);
        }
    }

    #[test]
    fn a_key_out_of_range_is_named_with_file_value_and_range() {
        assert_refused(
            load_file("max-dim = 4294967295"),
            &["matmesh.toml", "max-dim", "4294967295", "1..=100000"],
        );
        assert_refused(
            load_file("heartbeat_interval_ms = 0"),
            &["matmesh.toml", "heartbeat_interval_ms", "0", "10..=60000"],
        );
        assert_refused(load_file("max-dim = 1.5"), &["max-dim", "1.5"]);
    }

    #[test]
    fn keys_are_spelled_with_dashes_or_underscores() {
        assert_eq!(load_file("result-ttl-s = 5").unwrap().result_ttl_s, 5);
        assert_eq!(load_file("result_ttl_s = 5").unwrap().result_ttl_s, 5);
    }

    #[test]
    fn keys_that_are_none_or_twice_there_are_refused() {
        assert_refused(load_file("prot = 1"), &["prot"]);
        assert_refused(load_file("config = \"other.toml\""), &["config"]);
        assert_refused(load_file("max-dim = 1\nmax_dim = 2"), &["max_dim", "twice"]);
        assert_refused(load_file("[serve]\nport = 1"), &["serve"]);
        assert_refused(load_file("name = [\"a\"]"), &["name", "list"]);
    }

    #[test]
    fn text_is_text_whatever_it_looks_like() {
        for text in [
            "42",
            "007",
            "1e3",
            "true",
            "[a]",
            "{x",
            "\"quoted\"",
            "--dash",
        ] {
            let peer = format!("{text}:8080");
            let config = load_environment(&[
                ("MATMESH_NAME", text),
                ("MATMESH_ALLOW_HOST", text),
                ("MATMESH_PEER", &peer),
                ("MATMESH_DATA_DIR", text),
            ]);
            let config = config.unwrap();
            assert_eq!(config.name.as_deref(), Some(text));
            assert_eq!(
                (config.allow_host, config.peer),
                (vec![text.to_owned()], vec![peer])
            );
            assert_eq!(config.data_dir, Some(PathBuf::from(text)));
        }
        let config = load_file("name = 42\nallow-host = [1, true]\npeer = \"7:7\"").unwrap();
        assert_eq!(config.name.as_deref(), Some("42"));
        assert_eq!(config.allow_host, ["1", "true"]);
        assert_eq!(config.peer, ["7:7"]);
    }

    #[test]
    fn lists_in_the_environment_have_commas_and_empty_variables_say_nothing() {
        let config = load_environment(&[("MATMESH_PEER", "a:1, b:2,"), ("MATMESH_PORT", "")]);
        let config = config.unwrap();
        assert_eq!(config.peer, ["a:1", "b:2"]);
        assert_eq!(config.port, 8080);
    }

    #[test]
    fn a_node_is_not_given_up_before_its_next_heartbeat() {
        let variables = [("MATMESH_HEARTBEAT_TIMEOUT_MS", "200")];
        assert_refused(
            load_environment(&variables),
            &["heartbeat-timeout-ms", "200"],
        );
    }
}
