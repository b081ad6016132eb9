//! Pieces of matrices by their hash: from memory, from the store, from other
//! nodes; each crosses the network to this node once.
//!
//! A holder that is asked by many says who else gives a chunk
//! ([`cluster::Sharing`]), so that it leaves the holder about once and the
//! nodes pass it on among each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cluster::limits::SHARED_CHUNK_BYTES_MIN;
use cluster::{Giver, Moment, Sharing};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, timeout};
use wire::{ChunkAsk, ChunkHash, NodeId, PeerMessage, encode_peer_frame};

use crate::links::Links;
use crate::store::Store;

/// Memory for chunks that were used lately. Enough for the working set of a
/// few jobs; what does not fit is read from the disk or fetched again.
const CACHE_BYTES_MAX: u64 = 512 << 20;

/// What an entry takes beside its bytes, about.
const ENTRY_BYTES: u64 = 200;

/// A holder that has not answered by then is asked no longer. 1 MiB takes two
/// seconds on a wireless link at its worst.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Chunks that this node asks one holder for at once: enough to fill a link, and
/// few enough that they do not wait long at a holder whom all ask at once.
const FETCHED_AT_ONCE: usize = 4;

/// A node that a holder named is waited for this many times as long as the
/// slowest of the last chunks took; then the holder gives it.
const REFERRED_PATIENCE: u32 = 3;

/// However fast chunks came lately. It may have to fetch the chunk itself.
const REFERRED_PATIENCE_MIN: Duration = Duration::from_millis(500);

/// See [`REFERRED_PATIENCE_MIN`]; also as long as no chunk has come.
const REFERRED_PATIENCE_MAX: Duration = Duration::from_secs(5);

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
    /// Who was given what here.
    sharing: Mutex<Sharing>,
    /// Its clock.
    started: Instant,
    /// How long the slowest of the last chunks took, once one has come.
    slowest: Mutex<Option<Duration>>,
    /// At each holder a place for every chunk that it is asked for: who is slow
    /// makes nobody wait for what others have.
    places: Mutex<BTreeMap<NodeId, Arc<Semaphore>>>,
}

/// Who was asked for a chunk, and where the answer goes.
#[derive(Debug)]
struct Awaited {
    from: NodeId,
    answer: oneshot::Sender<Answer>,
}

/// What comes of asking a node for a chunk.
#[derive(Debug)]
enum Answer {
    Chunk(Bytes),
    /// This node has it, or is about to.
    Elsewhere(NodeId),
    /// It has none, or other bytes than its hash says.
    Missing,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl quick_cache::Weighter<ChunkHash, Bytes> for ByBytes {
    fn weight(&self, _: &ChunkHash, bytes: &Bytes) -> u64 {
        ENTRY_BYTES + bytes.len() as u64
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
            sharing: Mutex::default(),
            started: Instant::now(),
            slowest: Mutex::default(),
            places: Mutex::default(),
        };
        Self {
            store,
            links,
            shared: Arc::new(shared),
        }
    }

    /// Keeps a chunk in memory that is wanted soon; it is stored, or about to be.
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
            let mut fetching = lock(&self.shared.fetching);
            match fetching.get(&hash) {
                Some(waiting) => (waiting.clone(), None),
                None => {
                    // It may have come while others were asked who has it.
                    if let Some(bytes) = self.cached(hash) {
                        return Some(bytes);
                    }
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
                lock(&own.shared.fetching).remove(&hash);
            });
        }
        let fetched = waiting.wait_for(Option::is_some).await.ok()?;
        fetched.clone().flatten()
    }

    /// A peer sent a chunk.
    pub fn on_chunk(&self, peer: NodeId, hash: ChunkHash, bytes: Bytes) {
        if ChunkHash::of(&bytes) != hash {
            tracing::warn!(%peer, %hash, "a chunk came with other bytes than its hash says");
            self.on_missing(peer, hash);
            return;
        }
        // Also from a node that was given up for another; otherwise nobody waits.
        let awaited = self.awaited().remove(&hash);
        if let Some(awaited) = awaited {
            let _ = awaited.answer.send(Answer::Chunk(bytes));
        }
    }

    /// A peer has no such chunk.
    pub fn on_missing(&self, peer: NodeId, hash: ChunkHash) {
        self.on_answer_without_chunk(peer, hash, Answer::Missing);
    }

    /// A peer said where the chunk is.
    pub fn on_elsewhere(&self, peer: NodeId, hash: ChunkHash, node: NodeId) {
        self.on_answer_without_chunk(peer, hash, Answer::Elsewhere(node));
    }

    /// Counts only from the one that is asked now.
    fn on_answer_without_chunk(&self, peer: NodeId, hash: ChunkHash, answer: Answer) {
        let mut awaited = self.awaited();
        if awaited.get(&hash).is_some_and(|one| one.from == peer)
            && let Some(one) = awaited.remove(&hash)
        {
            let _ = one.answer.send(answer);
        }
    }

    /// What a peer was asked for does not come any more.
    pub fn on_link_lost(&self, peer: NodeId) {
        lock(&self.shared.places).remove(&peer);
        self.awaited().retain(|_, awaited| awaited.from != peer);
    }

    /// The frame that answers a peer's request.
    pub async fn answer(&self, peer: NodeId, hash: ChunkHash, ask: ChunkAsk) -> Vec<u8> {
        let cached = self.cached(hash);
        let is_small = |bytes: &Bytes| bytes.len() < SHARED_CHUNK_BYTES_MIN;
        if !cached.as_ref().is_some_and(is_small)
            && let Giver::Other(node) = self.giver(peer, hash, ask)
        {
            return encode_peer_frame(&PeerMessage::ChunkElsewhere { hash, node }, &[]);
        }
        let mut found = match cached {
            Some(bytes) => Some(bytes),
            None => self.local(hash).await,
        };
        if found.is_none() && ask == ChunkAsk::Referred {
            found = self.under_way(hash).await;
            // It may have come while the store was asked.
            found = found.or_else(|| self.cached(hash));
        }
        match found {
            Some(bytes) => encode_peer_frame(&PeerMessage::Chunk { hash }, &bytes),
            None => encode_peer_frame(&PeerMessage::ChunkMissing { hash }, &[]),
        }
    }

    fn giver(&self, peer: NodeId, hash: ChunkHash, ask: ChunkAsk) -> Giver {
        let since = self.shared.started.elapsed().as_micros();
        let now = Moment::from_micros(u64::try_from(since).unwrap_or(u64::MAX));
        let mut sharing = lock(&self.shared.sharing);
        sharing.giver(now, hash, (peer, ask), |node| self.links.is_open(node))
    }

    /// A chunk that this node is fetching.
    async fn under_way(&self, hash: ChunkHash) -> Option<Bytes> {
        let mut waiting = lock(&self.shared.fetching).get(&hash)?.clone();
        let fetched = waiting.wait_for(Option::is_some).await.ok()?;
        fetched.clone().flatten()
    }

    async fn fetch(&self, hash: ChunkHash, holders: &[NodeId]) -> Option<Bytes> {
        for holder in holders {
            let holder = *holder;
            let places = self.places_at(holder);
            let _place = places.acquire().await.ok()?;
            let mut answer = self.ask(holder, hash, ChunkAsk::Open, FETCH_TIMEOUT).await;
            if let Some(Answer::Elsewhere(node)) = answer {
                let patience = self.referred_patience();
                answer = self.ask(node, hash, ChunkAsk::Referred, patience).await;
                if !matches!(answer, Some(Answer::Chunk(_))) {
                    tracing::debug!(%hash, %node, "was referred in vain");
                    let ask = ChunkAsk::InsteadOf { node };
                    answer = self.ask(holder, hash, ask, FETCH_TIMEOUT).await;
                }
            }
            if let Some(Answer::Chunk(bytes)) = answer {
                return Some(bytes);
            }
        }
        None
    }

    fn places_at(&self, holder: NodeId) -> Arc<Semaphore> {
        let mut places = lock(&self.shared.places);
        let new = || Arc::new(Semaphore::new(FETCHED_AT_ONCE));
        Arc::clone(places.entry(holder).or_insert_with(new))
    }

    /// `None` when there is no answer in time, or no link.
    async fn ask(
        &self,
        from: NodeId,
        hash: ChunkHash,
        ask: ChunkAsk,
        patience: Duration,
    ) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        let asked_at = Instant::now();
        self.awaited().insert(hash, Awaited { from, answer });
        let request = PeerMessage::ChunkRequest { hash, ask };
        let answer = match self.links.send(from, &request, &[]) {
            true => timeout(patience, answered).await.ok().and_then(Result::ok),
            false => None,
        };
        self.awaited().remove(&hash);
        if matches!(answer, Some(Answer::Chunk(_))) {
            let mut slowest = lock(&self.shared.slowest);
            // What was slow is forgotten by and by.
            let before = slowest.unwrap_or_default() * 15 / 16;
            *slowest = Some(before.max(asked_at.elapsed()));
        }
        answer
    }

    fn referred_patience(&self) -> Duration {
        let slowest = *lock(&self.shared.slowest);
        slowest.map_or(REFERRED_PATIENCE_MAX, |slowest| {
            let patience = slowest * REFERRED_PATIENCE;
            patience.clamp(REFERRED_PATIENCE_MIN, REFERRED_PATIENCE_MAX)
        })
    }

    fn awaited(&self) -> MutexGuard<'_, BTreeMap<ChunkHash, Awaited>> {
        lock(&self.shared.awaited)
    }
}

/// Where a chunk stands in the order in which a node asks for those of a matrix.
/// Each node has another order, so that each soon has chunks that the others lack.
pub fn turn_of(node: NodeId, hash: ChunkHash) -> u64 {
    let first = |bytes: &[u8]| u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"));
    first(node.as_bytes()) ^ first(hash.as_bytes())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
