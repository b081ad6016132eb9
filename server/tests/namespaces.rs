//! Hosts on one bridge: nodes find each other by multicast DNS, with no address
//! typed anywhere, and finish a job together; and what they need travels among
//! them, not only out of the one that coordinates. Networks change, have public
//! addresses, or IPv6 alone; and two machines may have one key. The hosts are network
//! namespaces, so this needs root and `ip`; without them it says that it was
//! skipped, except in continuous integration, where it must run.

#![expect(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

const HOSTS: usize = 3;

/// Hosts that all need B.
const MANY_HOSTS: usize = 6;

/// Far more than it takes; only a broken discovery waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
#[ignore = "needs root: cargo xtask test mesh"]
fn three_hosts_find_each_other_and_share_a_job() {
    let mesh = match Mesh::of(HOSTS, Addressing::Private, &["--threads", "1"]) {
        Ok(mesh) => mesh,
        Err(lacking) => return println!("skipped: needs {lacking}"),
    };
    let (hosts, folder) = (&mesh.hosts, &mesh.folder);
    let last_listening = hosts.last().unwrap().listening;
    mesh.wait_until_whole();
    println!(
        "all {HOSTS} hosts list all others {} ms after the last one listened",
        { last_listening.elapsed().as_millis() }
    );

    // 60 × 60 so that every host has a block; small whole numbers, exact in f64.
    let side = 60_u32;
    let entry = |row: u32, col: u32| (row * 7 + col * 3) % 11;
    let rows: Vec<String> = (0..side)
        .map(|row| {
            (0..side)
                .map(|col| entry(row, col).to_string())
                .collect::<Vec<_>>()
                .join(",")
        })
        .collect();
    let factor = folder.path().join("factor.csv");
    std::fs::write(&factor, rows.join("\n")).unwrap();
    let product = folder.path().join("product.csv");
    let paths = [factor.to_str().unwrap(), product.to_str().unwrap()];
    let multiplied = hosts[0].matmesh(&["multiply", paths[0], paths[0], "-o", paths[1]]);
    assert!(
        multiplied.status.success(),
        "{}",
        String::from_utf8_lossy(&multiplied.stderr)
    );
    let written = std::fs::read_to_string(&product).unwrap();
    for (row, line) in (0..side).zip(written.lines()) {
        for (col, cell) in (0..side).zip(line.split(',')) {
            let sum: u32 = (0..side).map(|k| entry(row, k) * entry(k, col)).sum();
            assert_eq!(
                cell.parse::<f64>().unwrap(),
                f64::from(sum),
                "row {row} column {col}"
            );
        }
    }

    let jobs = hosts[2].json(&["jobs", "--json"]);
    let id = jobs[0]["id"].as_str().unwrap();
    let job = hosts[2].json(&["job", id, "--json"]);
    assert_eq!(job["status"], "complete");
    assert_eq!(job["accepted_results"], job["blocks"]["done"]);
    assert_eq!(
        job["contributions"].as_array().unwrap().len(),
        HOSTS,
        "{job:#}"
    );
}

/// Every host needs all of B, and it leaves the coordinator twice at most: they
/// pass it on to each other.
#[test]
#[ignore = "needs root: cargo xtask test mesh"]
fn b_leaves_the_coordinator_about_once_however_many_need_it() {
    let options = ["--threads", "1", "--num-backup-nodes", "0"];
    let mesh = match Mesh::of(MANY_HOSTS, Addressing::Private, &options) {
        Ok(mesh) => mesh,
        Err(lacking) => return println!("skipped: needs {lacking}"),
    };
    mesh.wait_until_whole();
    // A is 1.3 MB, B is 8 MB in one column block, C is 0.6 MB.
    let (rows, inner, cols) = (160_u32, 1000_u32, 1000_u32);
    let mut paths = Vec::new();
    for (name, rows, cols) in [("a", rows, inner), ("b", inner, cols)] {
        let path = mesh.folder.path().join(format!("{name}.csv"));
        let row = |row: u32| {
            let entries = (0..cols).map(|col| ((row * 31 + col * 17) % 97).to_string());
            entries.collect::<Vec<_>>().join(",")
        };
        let text: Vec<String> = (0..rows).map(row).collect();
        std::fs::write(&path, text.join("\n")).unwrap();
        paths.push(path.to_str().unwrap().to_owned());
    }
    let product = mesh.folder.path().join("product.npy");
    let coordinator = &mesh.hosts[0];
    let before = coordinator.bytes_sent();
    let output = coordinator.matmesh(&[
        "multiply",
        &paths[0],
        &paths[1],
        "-o",
        product.to_str().unwrap(),
    ]);
    let sent = coordinator.bytes_sent() - before;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let jobs = coordinator.json(&["jobs", "--json"]);
    let job = coordinator.json(&["job", jobs[0]["id"].as_str().unwrap(), "--json"]);
    let devices = job["contributions"].as_array().unwrap().len();
    assert_eq!(
        devices, MANY_HOSTS,
        "each had a block, so each had all of B"
    );
    let bytes = |rows: u32, cols: u32| 8 * u64::from(rows) * u64::from(cols);
    let most = (bytes(rows, inner) + 2 * bytes(inner, cols)) * 105 / 100;
    println!("{sent} bytes left the coordinator, at most {most} may");
    assert!(
        sent <= most,
        "{sent} bytes left the coordinator, more than {most}"
    );
}

const ALONE: [&str; 2] = ["--threads", "0"];

#[expect(clippy::print_stdout, reason = "how a test says that it was skipped")]
fn mesh_of(count: usize, addressing: Addressing) -> Option<Mesh> {
    match Mesh::of(count, addressing, &ALONE) {
        Ok(mesh) => Some(mesh),
        Err(lacking) => {
            println!("skipped: needs {lacking}");
            None
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test mesh"]
fn nodes_find_each_other_on_a_network_of_public_addresses() {
    let Some(mesh) = mesh_of(3, Addressing::Public) else {
        return;
    };
    mesh.wait_until_whole();
}

#[test]
#[ignore = "needs root: cargo xtask test mesh"]
fn nodes_find_each_other_on_a_network_of_ipv6_alone() {
    let Some(mesh) = mesh_of(3, Addressing::Ipv6) else {
        return;
    };
    mesh.wait_until_whole();
    // Its pages are there, too, and any node answers for all.
    let page = mesh.hosts[1].curl(&["--globoff", "http://[fd77::1]:8080/nodes"]);
    assert!(page.contains("http://[fd77::1]:8080"), "{page}");
}

#[test]
#[ignore = "needs root: cargo xtask test mesh"]
fn a_node_whose_address_changes_is_known_at_the_new_one() {
    let Some(mesh) = mesh_of(2, Addressing::Private) else {
        return;
    };
    mesh.wait_until_whole();
    let [first, second] = &mesh.hosts[..] else {
        unreachable!()
    };
    let address = |action: &str, address: &str| {
        ip(&[
            "-n",
            &first.namespace,
            "address",
            action,
            address,
            "dev",
            "eth0",
        ]);
    };
    address("del", "10.77.0.1/24");
    address("add", "10.77.0.101/24");
    let moved = ("alive".to_owned(), "10.77.0.101:8080".to_owned());
    second.wait_for("the other is at its new address", |host| {
        host.sees("host0").as_ref() == Some(&moved)
    });
    first.wait_for("its own page names the new address", |host| {
        let page = host.curl(&["http://127.0.0.1:8080/nodes"]);
        page.contains("http://10.77.0.101:8080") && !page.contains("http://10.77.0.1:8080")
    });
    // A page that was opened there may act at the other node.
    let status = second.curl(&[
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
        "--request",
        "POST",
        "--header",
        "Origin: http://10.77.0.101:8080",
        "--header",
        "Content-Type: application/json",
        "--data",
        r#"{"a":{"rows":1,"cols":1,"data":[1]},"b":{"rows":1,"cols":1,"data":[1]}}"#,
        "http://10.77.0.2:8080/api/v1/jobs",
    ]);
    assert_eq!(status, "202");
}

#[test]
#[ignore = "needs root: cargo xtask test mesh"]
fn a_node_that_starts_before_its_network_is_found_when_it_is_there() {
    let Some(mut mesh) = mesh_of(2, Addressing::Private) else {
        return;
    };
    mesh.hosts.remove(0);
    let namespace = mesh.network.host(0);
    ip(&["-n", &namespace, "address", "flush", "dev", "eth0"]);
    let data = mesh.folder.path().join("host0");
    let early = Host::start_in(&mesh.network, 0, &data, &ALONE);
    assert!(
        early.said.contains("http://127.0.0.1:8080"),
        "{}",
        early.said
    );
    ip(&[
        "-n",
        &namespace,
        "address",
        "add",
        "10.77.0.9/24",
        "dev",
        "eth0",
    ]);
    let found = ("alive".to_owned(), "10.77.0.9:8080".to_owned());
    mesh.hosts[0].wait_for("it is found", |host| {
        host.sees("host0").as_ref() == Some(&found)
    });
}

/// A disk image, a copied home: the older link stays, a node reports it, and nothing is busy with it.
#[test]
#[ignore = "needs root: cargo xtask test mesh"]
fn of_two_machines_with_one_key_the_first_stays_and_the_second_is_told() {
    let Some(mut mesh) = mesh_of(3, Addressing::Private) else {
        return;
    };
    mesh.wait_until_whole();
    let data = mesh.folder.path().join("host2");
    drop(mesh.hosts.pop());
    let original = mesh.folder.path().join("host1");
    std::fs::remove_dir_all(&data).unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .args([&original, &data])
        .status();
    assert!(copied.unwrap().success());
    mesh.hosts
        .push(Host::start_in(&mesh.network, 2, &data, &ALONE));
    let [other, first, second] = &mesh.hosts[..] else {
        unreachable!()
    };
    let complaint = "has the key of this node";
    second.wait_for("the copy says what is wrong", |host| {
        host.log_lines().iter().any(|line| {
            line.contains(complaint) && line.contains("10.77.0.2") && line.contains("host2")
        })
    });
    let alive = Some(("alive".to_owned(), "10.77.0.2:8080".to_owned()));
    assert_eq!(other.sees("host1"), alive);
    assert!(first.sees("host0").is_some());
    other.wait_for("the third says it, too", |host| {
        let told = |line: &String| line.contains("10.77.0.2") && line.contains("10.77.0.3");
        host.log_lines().iter().any(told)
    });
    // Once, and no link comes and goes.
    let before: Vec<usize> = mesh
        .hosts
        .iter()
        .map(|host| host.log_lines().len())
        .collect();
    let waited = Instant::now();
    while waited.elapsed() < Duration::from_secs(5) {
        assert_eq!(other.sees("host1"), alive);
    }
    for (host, before) in mesh.hosts.iter().zip(before) {
        let lines = host.log_lines();
        assert!(lines.len() <= before + 3, "{:#?}", &lines[before..]);
    }
}

/// The address at which a link worked settles it; the others may say nothing for seconds.
#[test]
#[ignore = "needs root: cargo xtask test mesh"]
fn a_killed_node_is_missed_at_once_though_it_had_an_address_that_nobody_reaches() {
    let Some(mut mesh) = mesh_of(3, Addressing::WithOneOfNoUse) else {
        return;
    };
    mesh.wait_until_whole();
    drop(mesh.hosts.remove(0));
    let lost = |line: &String| line.contains("is taken for dead");
    for host in &mesh.hosts {
        host.wait_for("it is missed", |host| host.log_lines().iter().any(lost));
        let lines = host.log_lines();
        // Not for its silence: its machine said so.
        let line = lines.iter().find(|line| lost(line)).unwrap();
        assert!(
            line.contains("nothing listens there any more"),
            "{lines:#?}"
        );
    }
}

/// The way to the world leads over a network that the others are not on, as with a phone by cable.
#[test]
#[ignore = "needs root: cargo xtask test mesh"]
fn a_node_is_found_where_others_reach_it_and_not_where_it_leads_to_the_world() {
    if mesh_of(0, Addressing::Private).is_none() {
        return;
    }
    let network = Network::build(2, Addressing::WithWorldElsewhere);
    let folder = tempfile::tempdir().unwrap();
    let data = |index: usize| folder.path().join(format!("host{index}"));
    let first = Host::start_in(&network, 0, &data(0), &ALONE);
    assert!(
        first.said.contains("http://10.80.0.1:8080"),
        "{}",
        first.said
    );
    let second = Host::start_in(&network, 1, &data(1), &ALONE);
    for (host, name) in [(&first, "host1"), (&second, "host0")] {
        let other = if name == "host0" {
            "10.77.0.1:8080"
        } else {
            "10.77.0.2:8080"
        };
        let found = Some(("alive".to_owned(), other.to_owned()));
        host.wait_for("the other is known where it is reached", |host| {
            host.sees(name) == found
        });
    }
    // One of them was called, so it knows at which address: its own code to join shows that.
    let own = |host: &Host, name| host.sees(name).map(|(_, address)| address);
    first.wait_for("the one that was called names that address itself", |_| {
        let called = [own(&first, "host0"), own(&second, "host1")];
        let expected = ["10.77.0.1:8080", "10.77.0.2:8080"];
        called
            .iter()
            .zip(expected)
            .any(|(own, expected)| own.as_deref() == Some(expected))
    });
}

/// What this machine would need to run the test.
fn what_is_lacking() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("root, to make network namespaces");
    }
    let ip = Command::new("ip").arg("-V").output();
    if !ip.is_ok_and(|output| output.status.success()) {
        return Some("the program `ip` (Debian's iproute2)");
    }
    None
}

/// Hosts with a node each, and their folders.
struct Mesh {
    hosts: Vec<Host>,
    folder: tempfile::TempDir,
    /// Last, so that it is dropped when nobody is on it.
    network: Network,
}

impl Mesh {
    /// Says what this machine lacks, where it cannot.
    fn of(count: usize, addressing: Addressing, options: &[&str]) -> Result<Self, &'static str> {
        if let Some(lacking) = what_is_lacking() {
            assert!(
                std::env::var_os("CI").is_none(),
                "continuous integration lacks {lacking}"
            );
            return Err(lacking);
        }
        let network = Network::build(count, addressing);
        let folder = tempfile::tempdir().unwrap();
        let hosts = (0..count).map(|index| Host::start(&network, index, folder.path(), options));
        Ok(Self {
            hosts: hosts.collect(),
            folder,
            network,
        })
    }

    fn wait_until_whole(&self) {
        for host in &self.hosts {
            host.wait_for("all nodes alive", |host| {
                let nodes = host.json(&["nodes", "--json"]);
                let alive = |node: &&Value| node["status"] == "alive";
                nodes.as_array().unwrap().iter().filter(alive).count() == self.hosts.len()
            });
        }
    }
}

/// A switch and the cables to it, each end in a namespace; gone when dropped.
struct Network {
    prefix: String,
    hosts: usize,
    addressing: Addressing,
}

/// What addresses hosts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Addressing {
    /// As at home.
    Private,
    /// The same, and each has one that no other reaches, as private networks and containers give.
    WithOneOfNoUse,
    /// The same, and that one leads to the world.
    WithWorldElsewhere,
    /// As in a university.
    Public,
    /// IPv6 alone.
    Ipv6,
}

impl Addressing {
    /// The address of a host, as others write it.
    fn of(self, index: usize) -> String {
        let host = index + 1;
        match self {
            Self::Private | Self::WithOneOfNoUse | Self::WithWorldElsewhere => {
                format!("10.77.0.{host}")
            }
            Self::Public => format!("141.20.5.{host}"),
            Self::Ipv6 => format!("[fd77::{host}]"),
        }
    }

    fn has_second(self) -> bool {
        matches!(self, Self::WithOneOfNoUse | Self::WithWorldElsewhere)
    }

    /// The same, with its network, as `ip` takes it.
    fn with_network(self, index: usize) -> String {
        let bits = if self == Self::Ipv6 { 64 } else { 24 };
        let address = self.of(index);
        let address = address.trim_matches(['[', ']']);
        format!("{address}/{bits}")
    }
}

impl Network {
    fn build(hosts: usize, addressing: Addressing) -> Self {
        // Tests run beside each other.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let network = Self {
            prefix: format!("mm{}n{number}", std::process::id()),
            hosts,
            addressing,
        };
        let switch = network.switch();
        ip(&["netns", "add", &switch]);
        ip(&["-n", &switch, "link", "add", "bridge", "type", "bridge"]);
        ip(&["-n", &switch, "link", "set", "bridge", "up"]);
        for index in 0..hosts {
            let host = network.host(index);
            let plug = format!("plug{index}");
            ip(&["netns", "add", &host]);
            ip(&[
                "-n", &switch, "link", "add", &plug, "type", "veth", "peer", "name", "eth0",
                "netns", &host,
            ]);
            ip(&[
                "-n", &switch, "link", "set", &plug, "master", "bridge", "up",
            ]);
            let address = addressing.with_network(index);
            ip(&[
                "-n", &host, "address", "add", &address, "dev", "eth0", "nodad",
            ]);
            if addressing.has_second() {
                ip(&[
                    "-n", &host, "link", "add", "eth1", "type", "veth", "peer", "name", "end1",
                ]);
                let address = format!("10.{}.0.1/24", 80 + index);
                ip(&["-n", &host, "address", "add", &address, "dev", "eth1"]);
                ip(&["-n", &host, "link", "set", "eth1", "up"]);
                ip(&["-n", &host, "link", "set", "end1", "up"]);
            }
            ip(&["-n", &host, "link", "set", "lo", "up"]);
            ip(&["-n", &host, "link", "set", "eth0", "up"]);
            if addressing.has_second() {
                // Others find no machine at that address, and no answer either.
                let gateway = match addressing {
                    Addressing::WithWorldElsewhere => format!("10.{}.0.254", 80 + index),
                    _ => "10.77.0.254".to_owned(),
                };
                ip(&["-n", &host, "route", "add", "default", "via", &gateway]);
            }
        }
        network
    }

    fn switch(&self) -> String {
        format!("{}switch", self.prefix)
    }

    fn host(&self, index: usize) -> String {
        format!("{}host{index}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in (0..self.hosts)
            .map(|index| self.host(index))
            .chain([self.switch()])
        {
            let _ = Command::new("ip")
                .args(["netns", "delete", &namespace])
                .status();
        }
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "ip {}: {error}",
        arguments.join(" ")
    );
}

/// A node in a namespace of its own; ended when dropped.
struct Host {
    namespace: String,
    node: Child,
    /// Its first line.
    said: String,
    log: PathBuf,
    listening: Instant,
}

impl Host {
    fn start(network: &Network, index: usize, folder: &Path, options: &[&str]) -> Self {
        let data = folder.join(format!("host{index}"));
        let host = Self::start_in(network, index, &data, options);
        let address = network.addressing.of(index);
        let expected = format!("matmesh listening on http://{address}:8080 node=");
        assert!(host.said.starts_with(&expected), "{}", host.said);
        host
    }

    fn start_in(network: &Network, index: usize, data: &Path, options: &[&str]) -> Self {
        let namespace = network.host(index);
        let log = data.with_extension("log");
        let log = std::fs::File::create(log).unwrap();
        // `ip netns exec` becomes the node, so the child's id is the node's.
        let mut node = Command::new("ip")
            .args(["netns", "exec", &namespace, &binary(), "serve"])
            .args(options)
            .args(["--name", &format!("host{index}"), "--data-dir"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
        let said = lines
            .next()
            .expect("the node says where it listens")
            .unwrap();
        // Whatever else it prints must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            namespace,
            node,
            said,
            log: data.with_extension("log"),
            listening: Instant::now(),
        }
    }

    fn matmesh(&self, arguments: &[&str]) -> Output {
        let program = binary();
        Command::new("ip")
            .args(["netns", "exec", &self.namespace, &program])
            .args(arguments)
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.matmesh(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "matmesh {}: {error}",
            arguments.join(" ")
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn log_lines(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        log.lines().map(str::to_owned).collect()
    }

    /// What it says of one node: liveness and address.
    fn sees(&self, name: &str) -> Option<(String, String)> {
        let nodes = self.json(&["nodes", "--json"]);
        let nodes = nodes.as_array().unwrap().clone();
        let node = nodes.into_iter().find(|node| node["name"] == name)?;
        let text = |field: &str| node[field].as_str().unwrap().to_owned();
        Some((text("status"), text("address")))
    }

    fn curl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, "curl", "--silent"]);
        let output = command.args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Over its cable, with the headers of every layer.
    fn bytes_sent(&self) -> u64 {
        let output = Command::new("ip")
            .args(["-n", &self.namespace, "-json", "-statistics", "link"])
            .args(["show", "dev", "eth0"])
            .output()
            .unwrap();
        let links: Value = serde_json::from_slice(&output.stdout).unwrap();
        links[0]["stats64"]["tx"]["bytes"].as_u64().unwrap()
    }

    fn wait_for(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            assert!(
                started.elapsed() < PATIENCE,
                "{what}: not within {PATIENCE:?}"
            );
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

/// The program under test: the one that was built with this test, or another.
fn binary() -> String {
    std::env::var("MATMESH_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_matmesh").to_owned())
}
