//! Nodes find each other by multicast DNS: each says where it is and listens
//! for the others; nobody types an address.

use std::collections::HashMap;
use std::net::{SocketAddr, SocketAddrV6};
use std::time::Duration;

use mdns_sd::{IfKind, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use wire::NodeId;

use crate::addresses::is_virtual;
use crate::links::Links;

const SERVICE: &str = "_matmesh._tcp.local.";

/// How long the goodbye may take on its way out.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);

/// Discovery while it runs.
pub struct Discovery {
    daemon: ServiceDaemon,
    fullname: String,
}

impl std::fmt::Debug for Discovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Discovery({})", self.fullname)
    }
}

impl Discovery {
    /// Says that `node` is at `port` and tells `links` of every other node.
    pub fn start(node: NodeId, port: u16, links: Links) -> anyhow::Result<Self> {
        let daemon = new_daemon()?;
        let instance = node.to_string();
        let host = format!("matmesh-{}.local.", node.short());
        let properties: HashMap<String, String> = HashMap::from([(
            "protocol".to_owned(),
            wire::PEER_PROTOCOL_VERSION.to_string(),
        )]);
        let mut service =
            ServiceInfo::new(SERVICE, &instance, &host, "", port, properties)?.enable_addr_auto();
        // The instance's name holds the node's id and is nobody else's, so
        // there is nothing to probe for; others hear of it at once.
        service.set_requires_probe(false);
        let fullname = service.get_fullname().to_owned();
        tokio::spawn(listen(daemon.clone(), node, links));
        daemon.register(service)?;
        Ok(Self { daemon, fullname })
    }

    /// Says goodbye and waits until it has left.
    pub async fn stop(self) {
        if let Ok(unregistered) = self.daemon.unregister(&self.fullname) {
            let _ = tokio::time::timeout(GOODBYE_TIMEOUT, unregistered.recv_async()).await;
        }
        if let Ok(stopped) = self.daemon.shutdown() {
            let _ = tokio::time::timeout(GOODBYE_TIMEOUT, stopped.recv_async()).await;
        }
    }
}

/// The first node that answers, as `http://host:port`.
pub async fn find_first(timeout: Duration) -> Option<String> {
    let daemon = new_daemon().ok()?;
    let events = daemon.browse(SERVICE).ok()?;
    let found = tokio::time::timeout(timeout, async {
        while let Ok(event) = events.recv_async().await {
            if let ServiceEvent::ServiceResolved(service) = event
                && let Some(address) = addresses_of(&service).into_iter().next()
            {
                return Some(format!("http://{address}"));
            }
        }
        None
    });
    let found = found.await.ok().flatten();
    let _ = daemon.shutdown();
    found
}

/// A daemon on the interfaces that lead to other devices; loopback too, for
/// several nodes on one machine without a network.
fn new_daemon() -> mdns_sd::Result<ServiceDaemon> {
    let daemon = ServiceDaemon::new()?;
    for interface in if_addrs::get_if_addrs().unwrap_or_default() {
        if is_virtual(&interface.name) {
            daemon.disable_interface(IfKind::Name(interface.name))?;
        }
    }
    Ok(daemon)
}

async fn listen(daemon: ServiceDaemon, own: NodeId, links: Links) {
    // The channel of events ends silently when it was full: then listen again.
    while let Ok(events) = daemon.browse(SERVICE) {
        while let Ok(event) = events.recv_async().await {
            let ServiceEvent::ServiceResolved(service) = event else {
                continue;
            };
            let instance = service.get_fullname().split('.').next().unwrap_or_default();
            let Ok(peer) = instance.parse::<NodeId>() else {
                continue;
            };
            if peer != own {
                tracing::debug!(%peer, "heard of a node");
                links.discovered(peer, addresses_of(&service));
            }
        }
        // The daemon has ended this search. One that was shut down answers the next
        // with an error; whether it was, nothing tells but asking a little later.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// IPv4 first, loopback last.
fn addresses_of(service: &mdns_sd::ResolvedService) -> Vec<SocketAddr> {
    let port = service.get_port();
    let found = service.get_addresses().iter();
    let mut addresses: Vec<SocketAddr> =
        found.filter_map(|found| address_of(found, port)).collect();
    addresses.sort_by_key(|address| {
        let ip = address.ip();
        (ip.is_loopback(), ip.is_ipv6(), ip)
    });
    addresses
}

/// Link-local addresses of IPv6 are nothing without the interface on which they were heard.
fn address_of(found: &ScopedIp, port: u16) -> Option<SocketAddr> {
    match found {
        ScopedIp::V4(v4) => Some((*v4.addr(), port).into()),
        ScopedIp::V6(v6) => {
            let is_scoped = v6.addr().is_unicast_link_local();
            let scope = if is_scoped { v6.scope_id().index } else { 0 };
            Some(SocketAddrV6::new(*v6.addr(), port, 0, scope).into())
        }
        _ => None,
    }
}
