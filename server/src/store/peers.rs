//! Where other nodes were found, for the next start.

use std::net::SocketAddr;

use wire::NodeId;

use super::{Store, StoreError, from_stored, to_stored};

/// Nodes that are remembered; those that were not seen for longest make way.
const PEERS_MAX: i64 = 1024;

/// A node that was linked before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPeer {
    /// The node.
    pub id: NodeId,
    /// The best first.
    pub addresses: Vec<SocketAddr>,
    /// A person named its address.
    pub is_registered: bool,
}

impl Store {
    /// Remembers where a node is. Once registered it stays so.
    pub async fn remember_peer(&self, peer: &KnownPeer) -> Result<(), StoreError> {
        let addresses: Vec<String> = peer.addresses.iter().map(SocketAddr::to_string).collect();
        let mut writing = self.write(true).await?;
        writing
            .add(
                "INSERT INTO peers (id, addresses, is_registered, seen_at_ms) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET addresses = excluded.addresses,
                 is_registered = max(is_registered, excluded.is_registered),
                 seen_at_ms = excluded.seen_at_ms",
            )
            .bind_bytes(peer.id.as_bytes())
            .bind(addresses.join(","))
            .bind(i64::from(peer.is_registered))
            .bind(to_stored(self.clock.now_ms()));
        writing
            .add(
                "DELETE FROM peers WHERE id NOT IN
                 (SELECT id FROM peers ORDER BY is_registered DESC, seen_at_ms DESC LIMIT ?)",
            )
            .bind(PEERS_MAX);
        writing.commit().await
    }

    /// Nodes that were linked before, those seen last first.
    pub async fn known_peers(&self) -> Result<Vec<KnownPeer>, StoreError> {
        let rows: Vec<(Vec<u8>, String, i64)> = sqlx::query_as(
            "SELECT id, addresses, is_registered FROM peers ORDER BY seen_at_ms DESC",
        )
        .fetch_all(&mut *self.readers.lend().await?)
        .await?;
        let peers = rows
            .into_iter()
            .filter_map(|(id, addresses, is_registered)| {
                let addresses = addresses.split(',').filter_map(|one| one.parse().ok());
                Some(KnownPeer {
                    id: NodeId::from_bytes(id.try_into().ok()?),
                    addresses: addresses.collect(),
                    is_registered: from_stored(is_registered) > 0,
                })
            });
        Ok(peers.collect())
    }
}
