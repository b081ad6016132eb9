//! Whose pages may act here: this node's own and those of the mesh's other
//! live nodes.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use cluster::Liveness;

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
            .any(|address| origin.is_at(address))
    };
    if is_same || is_own() {
        return Sender::Own;
    }
    if live_addresses(services)
        .await
        .iter()
        .any(|address| origin.is_at(address))
    {
        Sender::Mesh(origin)
    } else {
        Sender::Stranger
    }
}

/// For so long a node that is gone still counts: its pages are left without a
/// node and come here because of that.
const BEREAVED: Duration = Duration::from_secs(600);

/// Addresses of the nodes that live, or did a moment ago.
async fn live_addresses(services: &Services) -> Vec<String> {
    let addresses = services.driver.look(|node, now| {
        let live = node.membership().peers().filter(|(_, peer)| {
            peer.liveness != Liveness::Unreachable || now.moment.since(peer.last_heard()) < BEREAVED
        });
        live.filter_map(|(_, peer)| peer.status.as_ref())
            .flat_map(|status| status.addresses.iter().cloned())
            .collect()
    });
    addresses.await.unwrap_or_default()
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
}
