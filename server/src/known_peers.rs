//! Nodes that were linked before: remembered over restarts, and looked for at the start.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use cluster::Node;
use wire::NodeId;

use crate::services::Services;
use crate::store::KnownPeer;

/// At most so often it is written down where the others are.
const REMEMBER_INTERVAL: Duration = Duration::from_secs(5);

/// A node that has found nobody for so long says what its person can do.
const ALONE_WAIT: Duration = Duration::from_secs(10);

/// Looks for all nodes that were linked before, where they were.
pub(crate) async fn look_for(services: &Services) {
    let known = match services.store.known_peers().await {
        Ok(known) => known,
        Err(error) => {
            tracing::warn!(%error, "where the other nodes were is not known");
            return;
        }
    };
    for KnownPeer {
        id,
        addresses,
        is_registered,
    } in known
    {
        if id == services.node {
            continue;
        }
        if is_registered {
            services.links.keep_registered(id, addresses);
        } else {
            services.links.discovered(id, addresses);
        }
    }
}

/// Writes down where the others are, and says when nobody is there.
pub(crate) async fn remember(services: Services) {
    let mut written: BTreeMap<NodeId, Vec<SocketAddr>> = BTreeMap::new();
    let mut alone = Duration::ZERO;
    loop {
        // Writes of addresses that change often are batched by this; nothing waits for it.
        tokio::time::sleep(REMEMBER_INTERVAL).await;
        let Ok(linked) = services.driver.look(|node, _| linked_at(node)).await else {
            continue;
        };
        if linked.is_empty() {
            let was_alone_for = alone;
            alone += REMEMBER_INTERVAL;
            if was_alone_for < ALONE_WAIT && alone >= ALONE_WAIT {
                say_alone(&services);
            }
        } else {
            alone = Duration::ZERO;
        }
        for (id, addresses) in linked {
            if written.get(&id) == Some(&addresses) || addresses.is_empty() {
                continue;
            }
            let peer = KnownPeer {
                id,
                addresses: addresses.clone(),
                is_registered: false,
            };
            match services.store.remember_peer(&peer).await {
                Ok(()) => drop(written.insert(id, addresses)),
                Err(error) => tracing::debug!(%error, "a node is not remembered"),
            }
        }
    }
}

fn linked_at(node: &Node) -> Vec<(NodeId, Vec<SocketAddr>)> {
    let peers = node.membership().peers().filter(|(_, peer)| peer.linked);
    let found = peers.filter_map(|(id, peer)| Some((id, peer.status.as_ref()?.addresses.clone())));
    found.collect()
}

fn say_alone(services: &Services) {
    let own = services.links.own_addresses();
    let own = own.first().map(SocketAddr::to_string).unwrap_or_default();
    tracing::info!(
        "no other node was found: start matmesh on another device of this network. Where the network keeps \
         multicast away from its devices, name one of them: --peer HOST:PORT, or its address on the page \
         http://{own}/nodes"
    );
}
