//! A bridge, and a namespace with one cable to it for each node.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Where the programs that watch are on the bridge; nodes count from 1.
const WATCHER: &str = "10.77.0.254/24";

/// What a namespace drops: packets from the nodes that it is deaf to, of both versions of IP.
const RULES: &str = "table inet cut {
    set deaf { type ether_addr; }
    chain input {
        type filter hook input priority filter; policy accept;
        ether saddr @deaf drop
    }
}";

/// Bytes over the cable of a node since it was made, with the headers of every layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// The namespaces are gone with the value.
#[derive(Debug)]
pub(crate) struct Network {
    count: usize,
}

/// The hardware address of a node.
fn card_of(index: usize) -> String {
    format!("02:00:00:00:77:{:02x}", index + 1)
}

impl Network {
    pub(super) fn build(count: usize) -> Result<Self> {
        let network = Self { count };
        // Of an earlier run that was killed.
        network.remove();
        ip(&["link", "set", "lo", "up"])?;
        ip(&["link", "add", "bridge", "type", "bridge"])?;
        ip(&["address", "add", WATCHER, "dev", "bridge"])?;
        ip(&["link", "set", "bridge", "up"])?;
        for index in 0..count {
            let host = network.namespace(index);
            let plug = format!("plug{index}");
            ip(&["netns", "add", &host])?;
            ip(&[
                "link", "add", &plug, "type", "veth", "peer", "name", "eth0", "netns", &host,
            ])?;
            ip(&["link", "set", &plug, "master", "bridge", "up"])?;
            let address = format!("{}/24", network.address(index));
            ip(&["-n", &host, "address", "add", &address, "dev", "eth0"])?;
            let card = card_of(index);
            ip(&["-n", &host, "link", "set", "eth0", "address", &card])?;
            ip(&["-n", &host, "link", "set", "lo", "up"])?;
            ip(&["-n", &host, "link", "set", "eth0", "up"])?;
            network.nft(index, RULES)?;
        }
        Ok(network)
    }

    pub(super) fn namespace(&self, index: usize) -> String {
        format!("matmesh{}n{index}", std::process::id())
    }

    pub(crate) fn address(&self, index: usize) -> String {
        format!("10.77.0.{}", index + 1)
    }

    /// A node's machine is found at another address from now on, as after a change of Wi-Fi.
    pub(crate) fn readdress(&self, index: usize, from: &str, to: &str) -> Result<()> {
        let host = self.namespace(index);
        let with_prefix = |address: &str| format!("{address}/24");
        let change = |what, address: &str| {
            ip(&[
                "-n",
                &host,
                "address",
                what,
                &with_prefix(address),
                "dev",
                "eth0",
            ])
        };
        // The other way round the new one would go with the old one, on whose prefix it is.
        change("delete", from)?;
        change("add", to)
    }

    /// From now on a node hears nothing from these.
    pub(crate) fn make_deaf(&self, index: usize, to: &[usize]) -> Result<()> {
        let mut rules = String::new();
        for other in to {
            writeln!(rules, "add element inet cut deaf {{ {} }}", card_of(*other))?;
        }
        self.nft(index, &rules)
    }

    /// Neither hears the other's side.
    pub(crate) fn cut(&self, left: &[usize], right: &[usize]) -> Result<()> {
        for (sides, others) in [(left, right), (right, left)] {
            for index in sides {
                self.make_deaf(*index, others)?;
            }
        }
        Ok(())
    }

    /// Everybody hears everybody.
    pub(crate) fn mend(&self) -> Result<()> {
        for index in 0..self.count {
            self.nft(index, "flush set inet cut deaf")?;
        }
        Ok(())
    }

    /// What a node sends leaves at a bad wireless link's rate, or as fast as it can.
    pub(crate) fn slow_down(&self, index: usize, slow: bool) -> Result<()> {
        if slow {
            return self.limit_rate(index, "4mbit");
        }
        let host = self.namespace(index);
        let mut command = Command::new("tc");
        command.args(["-n", &host, "qdisc", "delete", "dev", "eth0", "root"]);
        // It may have been as fast as it can.
        command.output().context("cannot start tc")?;
        Ok(())
    }

    /// What a node sends leaves at this rate, as `tc` writes it: `4mbit`.
    pub(crate) fn limit_rate(&self, index: usize, rate: &str) -> Result<()> {
        let host = self.namespace(index);
        let mut command = Command::new("tc");
        command
            .args([
                "-n", &host, "qdisc", "replace", "dev", "eth0", "root", "tbf",
            ])
            .args(["rate", rate, "burst", "64kb", "latency", "300ms"]);
        let output = command.output().context("cannot start tc")?;
        if !output.status.success() {
            bail!("tc: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// What each node's interface has sent and received.
    pub(crate) fn traffic(&self) -> Result<Vec<Traffic>> {
        let output = Command::new("ip")
            .args(["-json", "-statistics", "link"])
            .output();
        let links: Value = serde_json::from_slice(&output.context("cannot start ip")?.stdout)?;
        let links = links.as_array().context("ip lists its links")?;
        let of_node = |index: usize| {
            let plug = format!("plug{index}");
            let link = links.iter().find(|link| link["ifname"] == plug.as_str());
            let counted = &link.context("a node has a link")?["stats64"];
            // Counted at the bridge's end of the cable.
            Ok(Traffic {
                sent: counted["rx"]["bytes"]
                    .as_u64()
                    .context("bytes are counted")?,
                received: counted["tx"]["bytes"]
                    .as_u64()
                    .context("bytes are counted")?,
            })
        };
        (0..self.count).map(of_node).collect()
    }

    fn nft(&self, index: usize, rules: &str) -> Result<()> {
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.namespace(index), "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start nft")?;
        let mut input = child.stdin.take().context("it was asked for")?;
        std::io::Write::write_all(&mut input, rules.as_bytes())?;
        drop(input);
        let status = child.wait()?;
        if !status.success() {
            bail!("nft ended with {status} on:\n{rules}");
        }
        Ok(())
    }

    /// What is not there, or no longer, needs no removal.
    fn remove(&self) {
        let quietly = |arguments: &[&str]| {
            let mut command = Command::new("ip");
            let _ = command.args(arguments).stderr(Stdio::null()).status();
        };
        for index in 0..self.count {
            // With a namespace its cable goes, but only some time later.
            quietly(&["link", "delete", &format!("plug{index}")]);
            quietly(&["netns", "delete", &self.namespace(index)]);
        }
        quietly(&["link", "delete", "bridge"]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.remove();
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("ip {}: {error}", arguments.join(" "));
    }
    Ok(())
}
