//! Under which names a node may be opened.
//!
//! A page of another site can make its own name resolve to this node's address
//! and then counts as "the same site" (DNS rebinding). Such a name has a dot
//! and is none of ours; addresses and plain local names cannot be had that way.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The names beyond those that are always allowed.
#[derive(Debug, Clone)]
pub(super) struct HostNames {
    allowed: BTreeSet<String>,
}

impl HostNames {
    /// The names that the user added, and this host's own.
    pub(super) fn new(allowed_by_user: &[String]) -> Self {
        let given = allowed_by_user
            .iter()
            .map(|name| normal_name(host_of(name)));
        Self {
            allowed: given.chain(own_full_names()).collect(),
        }
    }

    /// Whether `authority`, a host with or without a port, may be asked for.
    pub(super) fn allow(&self, authority: &str) -> bool {
        let host = host_of(authority);
        if let Some(address) = host.strip_prefix('[') {
            let address = address.strip_suffix(']').unwrap_or_default();
            return address.parse::<Ipv6Addr>().is_ok();
        }
        if host.parse::<Ipv4Addr>().is_ok() {
            return true;
        }
        let name = normal_name(host);
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
        is_name && (!name.contains('.') || name.ends_with(".local") || self.allowed.contains(&name))
    }
}

/// The host of `host`, `host:port` or `[address]:port`. What has no such form
/// comes back as something that is no host either.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn normal_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// This host's name as others in its domain write it. Routers hand out a
/// domain (`fritz.box`), so people type names such as `laptop.fritz.box`.
fn own_full_names() -> Vec<String> {
    let name = normal_name(&crate::config::host_name());
    let short = name.split('.').next().unwrap_or_default().to_owned();
    let mut names = vec![name.clone()];
    // Both files are absent on some systems; then there is nothing to add.
    let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    for line in resolver.lines() {
        let mut words = line.split_whitespace();
        if matches!(words.next(), Some("search" | "domain")) {
            names.extend(words.map(|domain| format!("{short}.{}", normal_name(domain))));
        }
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    for line in hosts.lines() {
        let line = line.split('#').next().unwrap_or_default();
        // An address, then its names.
        let on_line: Vec<String> = line.split_whitespace().skip(1).map(normal_name).collect();
        if on_line.contains(&name) || on_line.contains(&short) {
            names.extend(on_line);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_local_names_are_allowed_with_or_without_a_port() {
        let names = HostNames::new(&[]);
        for host in [
            "127.0.0.1",
            "192.168.1.7:8080",
            "[::1]:8080",
            "[fe80::1]",
            "localhost:1",
            "LOCALHOST",
            "localhost.",
            "laptop.local:8080",
            "laptop",
        ] {
            assert!(names.allow(host), "{host}");
        }
    }

    #[test]
    fn names_of_the_internet_are_not() {
        let names = HostNames::new(&[]);
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "evil.example.",
            "127.0.0.1.evil.example",
            "local.evil.example",
            "[evil.example]",
            "::1",
            "a b",
            "1.2.3.4:80@evil.example",
            "laptop.local:80:80",
        ] {
            assert!(!names.allow(host), "{host}");
        }
    }

    #[test]
    fn a_name_that_the_user_added_is_allowed() {
        let names = HostNames::new(&["Matrix.Example.org:80".to_owned()]);
        assert!(names.allow("matrix.example.ORG:8080"));
        assert!(!names.allow("sub.matrix.example.org"));
    }
}
