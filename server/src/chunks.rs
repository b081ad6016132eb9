//! Pieces of matrices by their hash: from memory, from the store, from other
//! nodes; each crosses the network to this node once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use wire::{ChunkHash, NodeId, PeerMessage};

use crate::links::Links;
use crate::store::Store;

/// Memory for chunks that were used lately. Enough for the working set of a
/// few jobs; what does not fit is read from the disk or fetched again.
const CACHE_BYTES_MAX: u64 = 512 << 20;

/// A peer that has not answered by then is asked no longer. 1 MiB takes two
/// seconds on a wireless link at its worst.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Chunks as everybody asks for them. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Chunks {
    store: Store,
    links: Links,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cache: quick_cache::sync::Cache<ChunkHash, Bytes, ByBytes>,
    /// Fetches under way: whoever else wants the same chunk waits for them.
    fetching: Mutex<BTreeMap<ChunkHash, watch::Receiver<Option<Option<Bytes>>>>>,
    /// The one request for each chunk that a peer has not answered yet.
    awaited: Mutex<BTreeMap<ChunkHash, Awaited>>,
}

/// Who was asked for a chunk, and where the answer goes.
#[derive(Debug)]
struct Awaited {
    from: NodeId,
    answer: oneshot::Sender<Option<Bytes>>,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl quick_cache::Weighter<ChunkHash, Bytes> for ByBytes {
    fn weight(&self, _: &ChunkHash, bytes: &Bytes) -> u64 {
        bytes.len() as u64
    }
}

impl Chunks {
    /// Chunks of `store` and of the nodes behind `links`.
    pub fn new(store: Store, links: Links) -> Self {
        // A chunk has at most 1 MiB: this many of the largest fill the cache.
        let items = usize::try_from(CACHE_BYTES_MAX >> 20).unwrap_or(512);
        let cache = quick_cache::sync::Cache::with_weighter(items, CACHE_BYTES_MAX, ByBytes);
        let shared = Shared {
            cache,
            fetching: Mutex::default(),
            awaited: Mutex::default(),
        };
        Self {
            store,
            links,
            shared: Arc::new(shared),
        }
    }

    /// Keeps a chunk in memory that was just stored and is wanted soon.
    pub fn remember(&self, hash: ChunkHash, bytes: Bytes) {
        self.shared.cache.insert(hash, bytes);
    }

    /// A chunk that is in memory.
    pub fn cached(&self, hash: ChunkHash) -> Option<Bytes> {
        self.shared.cache.get(&hash)
    }

    /// A chunk that this node has.
    pub async fn local(&self, hash: ChunkHash) -> Option<Bytes> {
        if let Some(bytes) = self.cached(hash) {
            return Some(bytes);
        }
        match self.store.chunk(hash).await {
            Ok(found) => {
                if let Some(bytes) = &found {
                    self.shared.cache.insert(hash, bytes.clone());
                }
                found
            }
            Err(error) => {
                tracing::error!(%hash, %error, "cannot read a chunk");
                None
            }
        }
    }

    /// A chunk from here or, in turn, from its holders, who are only asked for
    /// when it is not here. Its hash is checked.
    pub async fn get(
        &self,
        hash: ChunkHash,
        holders: impl AsyncFnOnce() -> Vec<NodeId>,
    ) -> Option<Bytes> {
        if let Some(bytes) = self.local(hash).await {
            return Some(bytes);
        }
        let holders = holders().await;
        let (mut waiting, sender) = {
            let mut fetching = self
                .shared
                .fetching
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            match fetching.get(&hash) {
                Some(waiting) => (waiting.clone(), None),
                None => {
                    let (sender, waiting) = watch::channel(None);
                    fetching.insert(hash, waiting.clone());
                    (waiting, Some(sender))
                }
            }
        };
        if let Some(sender) = sender {
            let own = self.clone();
            // A task of its own: whoever asked first may be gone before the end.
            tokio::spawn(async move {
                let found = own.fetch(hash, &holders).await;
                if let Some(bytes) = &found {
                    own.shared.cache.insert(hash, bytes.clone());
                }
                let _ = sender.send(Some(found));
                own.shared
                    .fetching
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&hash);
            });
        }
        let fetched = waiting.wait_for(Option::is_some).await.ok()?;
        fetched.clone().flatten()
    }

    /// A peer answered: the chunk, or `None` when it has none.
    pub fn on_arrival(&self, hash: ChunkHash, bytes: Option<Bytes>) {
        let bytes = bytes.filter(|bytes| {
            let right = ChunkHash::of(bytes) == hash;
            if !right {
                tracing::warn!(%hash, "a chunk came with other bytes than its hash says");
            }
            right
        });
        let awaited = self.awaited().remove(&hash);
        // Otherwise nobody waits: it came after the time-out.
        if let Some(Awaited { answer, .. }) = awaited {
            let _ = answer.send(bytes);
        }
    }

    /// What a peer was asked for does not come any more.
    pub fn on_link_lost(&self, peer: NodeId) {
        self.awaited().retain(|_, awaited| awaited.from != peer);
    }

    async fn fetch(&self, hash: ChunkHash, holders: &[NodeId]) -> Option<Bytes> {
        for holder in holders {
            let (answer, answered) = oneshot::channel();
            let from = *holder;
            self.awaited().insert(hash, Awaited { from, answer });
            let request = PeerMessage::ChunkRequest { hash };
            if !self.links.send(from, &request, &[]) {
                self.awaited().remove(&hash);
                continue;
            }
            let answer = tokio::time::timeout(FETCH_TIMEOUT, answered).await;
            self.awaited().remove(&hash);
            if let Ok(Ok(Some(bytes))) = answer {
                return Some(bytes);
            }
        }
        None
    }

    fn awaited(&self) -> std::sync::MutexGuard<'_, BTreeMap<ChunkHash, Awaited>> {
        self.shared
            .awaited
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
