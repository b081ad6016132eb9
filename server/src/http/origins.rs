//! Whose pages may act here: this node's own and those of the mesh's other
//! live nodes. And whose may at least come here: those whose node is gone, and
//! those that were opened under a name.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use cluster::Liveness;
use wire::{NodeId, NodeStatus};

use crate::services::Services;

/// `scheme://host:port` of a page, as browsers send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// As it was sent, to be sent back.
    pub(super) text: HeaderValue,
    /// Host and port, the port always there.
    authority: String,
}

/// What a request says of the page it comes from.
#[derive(Debug)]
pub(super) enum Sender {
    /// No browser's page, or a page that was simply opened.
    Unsaid,
    /// A page of this node.
    Own,
    /// A page of a live node of the mesh.
    Mesh(Origin),
    /// A page of a node that is gone since a moment ago: it is left without a
    /// node and looks for another one, and for what its threads still need.
    Bereaved(Origin),
    /// A page that seems to have been opened under a name of a node of the
    /// mesh. Others may have that name in their network too, so this is enough
    /// to compute for the mesh and for nothing else.
    Named,
    /// Anything else, `null` included.
    Stranger,
}

impl Origin {
    fn read(text: &HeaderValue) -> Option<Self> {
        let words = text.to_str().ok()?;
        let (scheme, authority) = words.split_once("://")?;
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let authority = with_port(authority, default_port);
        Some(Self {
            text: text.clone(),
            authority,
        })
    }

    fn is_at(&self, address: &str) -> bool {
        self.authority == with_port(address, 80)
    }
}

/// Who sends a request whose `Host`, already found good, is `host`.
pub(super) async fn sender_of(services: &Services, headers: &HeaderMap, host: &str) -> Sender {
    let mut origins = headers.get_all("origin").iter();
    let Some(text) = origins.next() else {
        return Sender::Unsaid;
    };
    if origins.next().is_some() {
        return Sender::Stranger;
    }
    let Some(origin) = Origin::read(text) else {
        return Sender::Stranger;
    };
    // A proxy in front may speak https; the page's address then says so.
    let is_same = origin.is_at(host) || origin.authority == with_port(host, 443);
    let is_own = || {
        services
            .links
            .own_addresses()
            .iter()
            .any(|address| origin.is_at(&address.to_string()))
    };
    if is_same || is_own() {
        return Sender::Own;
    }
    sender_among(&known_nodes(services).await, origin)
}

/// For so long a node that is gone still counts: its pages are left without a
/// node and come here because of that.
const BEREAVED: Duration = Duration::from_secs(600);

/// A node whose pages may turn up here.
#[derive(Debug)]
struct KnownNode {
    is_live: bool,
    addresses: Vec<String>,
    names: Vec<String>,
}

/// The nodes that live, or did a moment ago; this one too, for its names.
async fn known_nodes(services: &Services) -> Vec<KnownNode> {
    let own_id = services.node;
    let nodes = services.driver.look(move |node, now| {
        let own = node.own_status().map(|status| (own_id, true, status));
        let peers = node.membership().peers().filter_map(|(id, peer)| {
            let is_live = peer.liveness != Liveness::Unreachable;
            let counts = is_live || now.moment.since(peer.last_heard()) < BEREAVED;
            let status = peer.status.as_ref().filter(|_| counts)?;
            Some((id, is_live, status))
        });
        let nodes = own.into_iter().chain(peers);
        nodes
            .map(|(id, is_live, status)| KnownNode::new(id, is_live, status))
            .collect()
    });
    nodes.await.unwrap_or_default()
}

impl KnownNode {
    fn new(id: NodeId, is_live: bool, status: &NodeStatus) -> Self {
        Self {
            is_live,
            addresses: status.addresses.iter().map(SocketAddr::to_string).collect(),
            names: names_of(id, &status.name),
        }
    }

    fn is_address_of(&self, origin: &Origin) -> bool {
        self.addresses.iter().any(|address| origin.is_at(address))
    }

    fn is_name_of(&self, origin: &Origin) -> bool {
        let Some((host, port)) = origin.authority.rsplit_once(':') else {
            return false;
        };
        let ports = self.addresses.iter().map(|address| with_port(address, 80));
        let mut ports = ports.filter_map(|address| Some(address.rsplit_once(':')?.1.to_owned()));
        ports.any(|own| own == port) && self.names.iter().any(|name| name == host)
    }
}

/// What people may have typed to open a node that calls itself `name`: on its
/// own device the loopback, elsewhere the host's name, alone or as multicast
/// DNS has it, or the name that discovery announces. Never a name of the
/// internet, whatever the node calls itself.
fn names_of(id: NodeId, name: &str) -> Vec<String> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "[::1]".to_owned(),
        format!("matmesh-{}.local", id.short()),
    ];
    let host = name.split('.').next().unwrap_or_default();
    if !host.is_empty() {
        let host = host.to_ascii_lowercase();
        names.extend([format!("{host}.local"), host]);
    }
    names
}

fn sender_among(nodes: &[KnownNode], origin: Origin) -> Sender {
    let mut at_address = nodes.iter().filter(|node| node.is_address_of(&origin));
    // Another node may have taken the address of one that is gone.
    if at_address.clone().any(|node| node.is_live) {
        Sender::Mesh(origin)
    } else if at_address.next().is_some() {
        Sender::Bereaved(origin)
    } else if nodes.iter().any(|node| node.is_name_of(&origin)) {
        Sender::Named
    } else {
        Sender::Stranger
    }
}

fn with_port(authority: &str, default_port: u16) -> String {
    let authority = authority.to_ascii_lowercase();
    // The colons of an IPv6 address are all within its brackets.
    let behind_address = authority
        .rsplit_once(']')
        .map_or(authority.as_str(), |(_, rest)| rest);
    if behind_address.contains(':') {
        authority
    } else {
        format!("{authority}:{default_port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &'static str) -> Option<Origin> {
        Origin::read(&HeaderValue::from_static(text))
    }

    #[test]
    fn an_origin_is_at_its_own_address_only() {
        let here = origin("http://192.168.1.7:8080").unwrap();
        assert!(here.is_at("192.168.1.7:8080"));
        assert!(!here.is_at("192.168.1.7:8081"));
        assert!(!here.is_at("192.168.1.7"));
    }

    #[test]
    fn a_port_that_is_left_out_is_the_schemes_own() {
        assert!(origin("http://laptop").unwrap().is_at("Laptop:80"));
        assert!(origin("http://[::1]").unwrap().is_at("[::1]:80"));
        assert!(!origin("https://laptop").unwrap().is_at("laptop:80"));
    }

    #[test]
    fn null_and_other_schemes_are_no_origin() {
        assert_eq!(origin("null"), None);
        assert_eq!(origin("file://x"), None);
    }

    fn node(is_live: bool, name: &str, address: &str) -> KnownNode {
        KnownNode {
            is_live,
            addresses: vec![address.to_owned()],
            names: names_of(NodeId::from_bytes([0xab; 16]), name),
        }
    }

    fn sender(nodes: &[KnownNode], text: &'static str) -> Sender {
        sender_among(nodes, origin(text).unwrap())
    }

    #[test]
    fn a_page_of_a_node_that_is_gone_is_bereaved_until_the_address_lives_again() {
        let gone = node(false, "laptop", "10.0.0.1:8080");
        let text = "http://10.0.0.1:8080";
        assert!(matches!(
            sender(std::slice::from_ref(&gone), text),
            Sender::Bereaved(_)
        ));
        let nodes = [gone, node(true, "desk", "10.0.0.1:8080")];
        assert!(matches!(sender(&nodes, text), Sender::Mesh(_)));
    }

    #[test]
    fn a_page_under_a_name_of_a_node_is_known_by_name_and_port() {
        let nodes = [node(true, "Laptop.fritz.box", "10.0.0.1:8081")];
        for named in [
            "http://laptop.local:8081",
            "http://laptop:8081",
            "http://matmesh-abababab.local:8081",
            "http://localhost:8081",
            "http://127.0.0.1:8081",
            "http://[::1]:8081",
        ] {
            assert!(matches!(sender(&nodes, named), Sender::Named), "{named}");
        }
        for stranger in [
            "http://laptop.local:8080",
            "http://laptop.local",
            "http://localhost",
            "http://desk.local:8081",
            "http://laptop.local.evil.example:8081",
            "http://laptop.evil.example:8081",
            "http://10.0.0.2:8081",
        ] {
            let sender = sender(&nodes, stranger);
            assert!(matches!(sender, Sender::Stranger), "{stranger}");
        }
    }

    #[test]
    fn a_node_that_calls_itself_like_a_website_opens_nothing_to_it() {
        for name in ["evil.example", ""] {
            let nodes = [node(true, name, "10.0.0.1:80")];
            for text in ["http://evil.example", "http://.local", "http://:80"] {
                assert!(matches!(sender(&nodes, text), Sender::Stranger), "{text}");
            }
        }
    }
}
