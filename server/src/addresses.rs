//! Where other devices reach this node, and what counts as its own network.
//!
//! Both follow the network: a laptop changes its Wi-Fi, a board starts before its cable is in. The interfaces
//! are read every few seconds; whoever needs an address asks here each time.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster::limits::ADDRESSES_MAX;
use tokio::sync::watch;

/// How often the interfaces are read: well below the time that a person waits after changing a network.
const READ_INTERVAL: Duration = Duration::from_secs(2);

/// IPv6 addresses of one interface that are named: it may have many, of which most are for a day.
const IPV6_PER_INTERFACE_MAX: usize = 2;

/// An address of an interface of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Interface {
    name: String,
    ip: IpAddr,
    /// Bits that it shares with its network.
    prefix: u8,
    /// It leads to no other device: a bridge of containers or virtual machines, a tunnel.
    is_virtual: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Snapshot {
    own: Vec<SocketAddr>,
    networks: Vec<(IpAddr, u8)>,
}

/// The addresses of this node as they are now. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Addresses {
    bind: IpAddr,
    port: u16,
    now: Arc<watch::Sender<Snapshot>>,
    /// Own addresses at which another device was.
    reached: Arc<Mutex<BTreeSet<IpAddr>>>,
}

impl Addresses {
    /// Of a node that listens on `bind`:`port`.
    pub fn read(bind: IpAddr, port: u16) -> Self {
        let snapshot = snapshot_of(bind, port, &BTreeSet::new()).unwrap_or_else(|| Snapshot {
            own: vec![SocketAddr::new([127, 0, 0, 1].into(), port)],
            networks: Vec::new(),
        });
        Self {
            bind,
            port,
            now: Arc::new(watch::Sender::new(snapshot)),
            reached: Arc::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self::read([127, 0, 0, 1].into(), 0)
    }

    /// Where other devices reach this node, the best first: those of the local network, loopback only when there
    /// is no other.
    pub fn own(&self) -> Vec<SocketAddr> {
        self.now.borrow().own.clone()
    }

    /// Whether an address belongs to the local network or to this machine. Universities have networks of public
    /// addresses: what lies on the network of an own interface is local, too.
    pub fn is_local(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let is_on = |(own, prefix): &(IpAddr, u8)| shares_prefix(*own, ip, *prefix);
        is_private(ip) || self.now.borrow().networks.iter().any(is_on)
    }

    /// Somebody is connected from `remote` to the address `local` of this machine: when that is another device,
    /// others know the address, and it is told before those that only the system names.
    pub(crate) fn note_reached(&self, local: IpAddr, remote: IpAddr) {
        let (local, remote) = (local.to_canonical(), remote.to_canonical());
        let is_own = |(own, _): &(IpAddr, u8)| *own == remote;
        let is_this_machine = remote.is_loopback() || self.now.borrow().networks.iter().any(is_own);
        if !is_this_machine {
            self.reached().insert(local);
        }
    }

    fn reached(&self) -> MutexGuard<'_, BTreeSet<IpAddr>> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the interfaces again and again; `on_change` runs when the addresses of this node have changed.
    pub async fn follow<F: Future<Output = ()>>(self, on_change: impl Fn(Vec<SocketAddr>) -> F) {
        loop {
            // Each system has its own way to tell of a change; reading them takes a fraction of a millisecond.
            tokio::time::sleep(READ_INTERVAL).await;
            let (bind, port, reached) = (self.bind, self.port, self.reached().clone());
            let read = tokio::task::spawn_blocking(move || snapshot_of(bind, port, &reached));
            // What cannot be read now has not changed.
            let Ok(Some(snapshot)) = read.await else {
                continue;
            };
            let is_there = |ip: &IpAddr| snapshot.networks.iter().any(|(own, _)| own == ip);
            self.reached().retain(is_there);
            let before = self.own();
            self.now.send_replace(snapshot);
            let own = self.own();
            if own != before {
                let best = own.first().map(SocketAddr::to_string).unwrap_or_default();
                tracing::info!("this node is now found at http://{best}");
                on_change(own).await;
            }
        }
    }
}

fn snapshot_of(bind: IpAddr, port: u16, reached: &BTreeSet<IpAddr>) -> Option<Snapshot> {
    let interfaces = interfaces()?;
    let networks = interfaces.iter().map(|it| (it.ip, it.prefix)).collect();
    let ips = if bind.is_unspecified() {
        best_first(&interfaces, routed_ip(), reached)
    } else {
        vec![bind]
    };
    let own = ips.into_iter().map(|ip| SocketAddr::new(ip, port));
    Some(Snapshot {
        own: own.take(ADDRESSES_MAX).collect(),
        networks,
    })
}

/// `None` where the system does not say, as when too many files are open.
fn interfaces() -> Option<Vec<Interface>> {
    let found = if_addrs::get_if_addrs().ok()?;
    let interfaces = found.into_iter().map(|found| {
        let prefix = match &found.addr {
            if_addrs::IfAddr::V4(v4) => v4.prefixlen,
            if_addrs::IfAddr::V6(v6) => v6.prefixlen,
        };
        Interface {
            is_virtual: is_virtual(&found.name),
            ip: found.ip(),
            prefix,
            name: found.name,
        }
    });
    Some(interfaces.collect())
}

/// The address from which this machine would speak to the rest of the world; nothing is sent for that.
fn routed_ip() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("203.0.113.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The addresses that others may use: first those at which others were, then the one that leads to the world, for
/// a phone is there, too, and the rest of the local networks. Those given by nobody (link-local) and loopback only
/// where nothing else is.
fn best_first(
    interfaces: &[Interface],
    routed: Option<IpAddr>,
    reached: &BTreeSet<IpAddr>,
) -> Vec<IpAddr> {
    let mut usable: Vec<&Interface> = Vec::new();
    for interface in interfaces {
        let same = usable.iter().filter(|it| it.name == interface.name);
        let ipv6_there = same.filter(|it| it.ip.is_ipv6()).count();
        let is_one_too_many = interface.ip.is_ipv6() && ipv6_there >= IPV6_PER_INTERFACE_MAX;
        if !interface.is_virtual && !interface.ip.is_loopback() && !is_one_too_many {
            usable.push(interface);
        }
    }
    let is_given = |it: &&Interface| !is_link_local(it.ip);
    if usable.iter().any(is_given) {
        usable.retain(is_given);
    }
    // Without its interface a link-local IPv6 address is none.
    usable.retain(|it| it.ip.is_ipv4() || !is_link_local(it.ip));
    usable.sort_by_key(|it| {
        let is_routed = Some(it.ip) == routed;
        (!reached.contains(&it.ip), !is_routed, it.ip.is_ipv6())
    });
    let mut ips: Vec<IpAddr> = usable.into_iter().map(|it| it.ip).collect();
    if ips.is_empty() {
        ips.push(IpAddr::from([127, 0, 0, 1]));
    }
    ips
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Addresses that no router passes on.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

fn shares_prefix(one: IpAddr, other: IpAddr, prefix: u8) -> bool {
    // A host of its own has no network, and one of all addresses is none.
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) if (8..32).contains(&prefix) => {
            (one.to_bits() ^ other.to_bits()) >> (32 - prefix) == 0
        }
        (IpAddr::V6(one), IpAddr::V6(other)) if (16..128).contains(&prefix) => {
            (one.to_bits() ^ other.to_bits()) >> (128 - prefix) == 0
        }
        _ => false,
    }
}

/// What container engines, virtual machines and private networks call their interfaces.
const VIRTUAL_NAMES: [&str; 25] = [
    "docker",
    "br-",
    "virbr",
    "podman",
    "cni",
    "flannel",
    "cali",
    "weave",
    "kube",
    "lxc",
    "lxd",
    "incus",
    "vmnet",
    "vboxnet",
    "vethernet",
    "tun",
    "tap",
    "utun",
    "wg",
    "ppp",
    "ipsec",
    "tailscale",
    "zt",
    "ham",
    "nordlynx",
];

/// Interfaces that lead to no other device of the local network: bridges of containers and virtual machines,
/// tunnels of private networks. The system says what an interface is where it can; else its name does.
pub fn is_virtual(interface: &str) -> bool {
    let name = interface.to_ascii_lowercase();
    kind_by_system(interface)
        .unwrap_or_else(|| VIRTUAL_NAMES.iter().any(|prefix| name.starts_with(prefix)))
}

/// What Linux says: tunnels have no hardware address, and a bridge leads outside when a real interface is one of
/// its ports. `None` where it does not say; a pair of virtual cables may lead anywhere.
fn kind_by_system(interface: &str) -> Option<bool> {
    let folder = std::path::Path::new("/sys/class/net").join(interface);
    if folder.join("tun_flags").exists() {
        return Some(true);
    }
    // Ethernet, of which Wi-Fi is one kind, is 1.
    let kind = std::fs::read_to_string(folder.join("type")).ok()?;
    let kind: u32 = kind.trim().parse().ok()?;
    const ETHERNET: u32 = 1;
    const LOOPBACK: u32 = 772;
    if kind != ETHERNET && kind != LOOPBACK {
        return Some(true);
    }
    if folder.join("bridge").exists() {
        let ports = std::fs::read_dir(folder.join("brif")).ok()?;
        let mut ports = ports.flatten().map(|port| port.file_name());
        let leads_outside = ports.any(|port| is_real(&folder.with_file_name(port)));
        return Some(!leads_outside);
    }
    is_real(&folder).then_some(false)
}

/// Whether there is a card behind an interface: its own, or that of those which it bundles or divides.
fn is_real(folder: &std::path::Path) -> bool {
    let is_lower =
        |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("lower_");
    folder.join("device").exists()
        || std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(is_lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, address: &str) -> Interface {
        let (ip, prefix) = address.split_once('/').unwrap();
        Interface {
            name: name.to_owned(),
            ip: ip.parse().unwrap(),
            prefix: prefix.parse().unwrap(),
            is_virtual: is_virtual(name),
        }
    }

    fn order(interfaces: &[(&str, &str)], routed: Option<&str>) -> Vec<String> {
        let interfaces = interfaces.iter().map(|(name, ip)| interface(name, ip));
        let interfaces: Vec<Interface> = interfaces.collect();
        let routed = routed.map(|ip| ip.parse().unwrap());
        let best = best_first(&interfaces, routed, &BTreeSet::new());
        best.iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn an_address_at_which_others_were_is_first_whatever_leads_to_the_world() {
        let interfaces = [
            interface("enp9", "10.0.0.7/24"),
            interface("wlp9", "192.168.1.7/24"),
        ];
        let (wired, wireless): (IpAddr, IpAddr) = (interfaces[0].ip, interfaces[1].ip);
        let reached = BTreeSet::from([wireless]);
        for routed in [None, Some(wired), Some(wireless)] {
            let found = best_first(&interfaces, routed, &reached);
            assert_eq!(found, [wireless, wired], "{routed:?}");
        }
        let both = BTreeSet::from([wireless, wired]);
        let found = best_first(&interfaces, Some(wireless), &both);
        assert_eq!(found, [wireless, wired]);
    }

    #[test]
    fn only_another_device_shows_that_an_address_is_reached() {
        let addresses = with_network("10.0.0.7", 24);
        let own: IpAddr = [10, 0, 0, 7].into();
        addresses.note_reached(own, own);
        addresses.note_reached([127, 0, 0, 1].into(), [127, 0, 0, 1].into());
        assert!(addresses.reached().is_empty());
        let mapped = std::net::Ipv4Addr::from([10, 0, 0, 8]).to_ipv6_mapped();
        addresses.note_reached(own, mapped.into());
        assert_eq!(*addresses.reached(), BTreeSet::from([own]));
    }

    #[test]
    fn the_address_that_leads_to_the_world_is_first_and_ipv6_behind() {
        let found = order(
            &[
                ("lo", "127.0.0.1/8"),
                ("enp9", "10.0.0.7/24"),
                ("wlp9", "2001:db8::7/64"),
                ("wlp9", "192.168.1.7/24"),
            ],
            Some("192.168.1.7"),
        );
        assert_eq!(found, ["192.168.1.7", "10.0.0.7", "2001:db8::7"]);
    }

    #[test]
    fn containers_and_private_networks_are_never_named() {
        for name in [
            "docker0",
            "br-4f2a",
            "podman0",
            "cni0",
            "lxcbr0",
            "vmnet8",
            "virbr0",
            "tailscale0",
            "ztabc",
            "wg0",
            "utun3",
            "vEthernet (WSL)",
        ] {
            let found = order(
                &[(name, "10.9.0.1/16"), ("enp9", "192.168.1.7/24")],
                Some("10.9.0.1"),
            );
            assert_eq!(found, ["192.168.1.7"], "{name}");
            assert_eq!(
                order(&[(name, "10.9.0.1/16")], None),
                ["127.0.0.1"],
                "{name}"
            );
        }
    }

    #[test]
    fn what_nobody_gave_is_named_only_where_nothing_else_is() {
        let local = ("enp9", "169.254.3.4/16");
        assert_eq!(order(&[local], None), ["169.254.3.4"]);
        assert_eq!(order(&[local, ("wlp9", "10.0.0.7/8")], None), ["10.0.0.7"]);
        assert_eq!(order(&[("enp9", "fe80::1/64")], None), ["127.0.0.1"]);
        assert_eq!(order(&[("enp9", "fd00::7/64"), local], None), ["fd00::7"]);
        assert_eq!(order(&[], None), ["127.0.0.1"]);
    }

    #[test]
    fn of_many_ipv6_addresses_two_are_named() {
        let many = [
            ("enp9", "fd00::1/64"),
            ("enp9", "fd00::2/64"),
            ("enp9", "fd00::3/64"),
        ];
        assert_eq!(order(&many, None), ["fd00::1", "fd00::2"]);
    }

    fn with_network(ip: &str, prefix: u8) -> Addresses {
        let addresses = Addresses::read([127, 0, 0, 1].into(), 8080);
        addresses.now.send_replace(Snapshot {
            own: Vec::new(),
            networks: vec![(ip.parse().unwrap(), prefix)],
        });
        addresses
    }

    #[test]
    fn public_addresses_of_other_networks_are_not_local() {
        let addresses = with_network("141.20.5.9", 24);
        for public in [
            "8.8.8.8",
            "1.1.1.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "172.32.0.1",
            "0.0.0.0",
            "::",
            "141.20.6.9",
            // For documentation and benchmarks: never routed, and nobody's network.
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.1",
            "198.19.255.255",
            "2001:db8::1",
            "::ffff:203.0.113.1",
        ] {
            assert!(!addresses.is_local(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn private_addresses_and_those_of_an_own_network_are_local() {
        let addresses = with_network("141.20.5.9", 24);
        for local in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "127.0.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "141.20.5.200",
            "::ffff:141.20.5.200",
        ] {
            assert!(addresses.is_local(local.parse().unwrap()), "{local}");
        }
        let addresses = with_network("2001:638:1::9", 64);
        assert!(addresses.is_local("2001:638:1::77".parse().unwrap()));
        assert!(!addresses.is_local("2001:638:2::77".parse().unwrap()));
    }

    #[test]
    fn a_network_of_all_or_of_one_is_none() {
        for (ip, prefix) in [
            ("141.20.5.9", 0),
            ("141.20.5.9", 32),
            ("2001:638::1", 0),
            ("2001:638::1", 128),
        ] {
            assert!(!with_network(ip, prefix).is_local("8.8.8.8".parse().unwrap()));
            assert!(!with_network(ip, prefix).is_local(ip.parse().unwrap()));
        }
    }
}
