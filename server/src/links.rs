//! Links to other nodes, and the sockets of pages.
//!
//! Between two nodes there is one link: a WebSocket with binary frames, opened
//! by whichever heard of the other first. This module knows which links are
//! open and sends over them; `peer` runs one, `dial` opens them, `page` is the
//! socket of a page. Nothing here decides what a message means.

pub mod dial;
mod handshake;
mod looking_at;
pub mod page;
mod page_status;
pub mod peer;
mod socket;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use wire::{NodeId, PeerMessage, Problem, encode_peer_frame};

use crate::addresses::Addresses;

use dial::DialRequest;

pub use socket::Socket;

/// Small messages that may wait for a slow peer, in bytes: hundreds of jobs may say something at the same moment.
/// A peer that is this far behind is as good as silent: its link is closed. What grows with the life of a mesh
/// goes in pages, behind these.
const URGENT_BYTES_WAITING_MAX: u64 = 16 << 20;

/// Nodes of which it is remembered where they were linked last.
const REMOTES_MAX: usize = 1024;

/// How long a link may take to show that it works when another process comes with its peer's key.
const PROBE_MAX: Duration = Duration::from_millis(500);

/// Results and copies that may wait for a slow peer: many times what the windows
/// of some jobs allow, and still memory that a small device has.
const RESULT_BYTES_WAITING_MAX: u64 = 256 << 20;

/// Chunks that wait to be sent; whoever reads them from the store waits too.
const CHUNKS_WAITING_MAX: usize = 4;

/// How often a node reports that two machines have one key, and how often the second of them tries again.
pub(crate) const COPIED_PAUSE: Duration = Duration::from_secs(60);

/// An address for a person.
pub(crate) fn shown(ip: Option<IpAddr>) -> String {
    ip.map_or_else(|| "an unknown address".to_owned(), |ip| ip.to_string())
}

/// All links of this node. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Links {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    own: NodeId,
    addresses: Addresses,
    open: Mutex<BTreeMap<NodeId, Link>>,
    dials: mpsc::UnboundedSender<DialRequest>,
    /// Every link has a number of its own.
    links: AtomicU64,
    /// This node cannot keep what it is told, and takes no links.
    is_closed: AtomicBool,
    /// Where each node was linked last.
    remotes: Mutex<BTreeMap<NodeId, IpAddr>>,
    /// When it was last said that a key was copied.
    copied: Mutex<Option<Instant>>,
}

/// The sending half of an open link.
#[derive(Debug)]
struct Link {
    /// Tells this link from an earlier one to the same peer.
    number: u64,
    dialled_by: NodeId,
    /// Of the process at the other end.
    incarnation: u64,
    /// Where that is.
    remote: Option<IpAddr>,
    /// Counts answers to whether this node is there, which only a process that lives gives.
    heard: Arc<watch::Sender<u64>>,
    urgent: Lane,
    /// Results and copies of blocks.
    results: Lane,
    _closer: oneshot::Sender<()>,
}

/// A queue of frames, and the bytes that wait in it.
#[derive(Debug, Clone)]
struct Lane {
    frames: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicU64>,
}

impl Lane {
    fn new() -> (Self, Waiting) {
        let (frames, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicU64::new(0));
        let lane = Self {
            frames,
            waiting: Arc::clone(&waiting),
        };
        (
            lane,
            Waiting {
                frames: receiver,
                waiting,
            },
        )
    }

    /// False when more than so many bytes wait, or the link has ended.
    fn push(&self, frame: Bytes, bytes_max: u64) -> bool {
        let bytes = frame.len() as u64;
        let waiting = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        waiting <= bytes_max && self.frames.send(frame).is_ok()
    }
}

/// The end of a queue from which frames leave.
#[derive(Debug)]
struct Waiting {
    frames: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicU64>,
}

impl Waiting {
    async fn next(&mut self) -> Option<Bytes> {
        let frame = self.frames.recv().await?;
        Some(self.leaves(frame))
    }

    fn next_now(&mut self) -> Option<Bytes> {
        let frame = self.frames.try_recv().ok()?;
        Some(self.leaves(frame))
    }

    fn leaves(&self, frame: Bytes) -> Bytes {
        let bytes = frame.len() as u64;
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        frame
    }
}

/// Who is at the other end of a link that is about to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Greeted {
    pub(crate) peer: NodeId,
    pub(crate) incarnation: u64,
    pub(crate) remote: Option<IpAddr>,
}

/// What the task of a link takes from the others.
#[derive(Debug)]
pub(crate) struct Outbox {
    number: u64,
    heard: Arc<watch::Sender<u64>>,
    urgent: Waiting,
    results: Waiting,
    chunks: mpsc::Receiver<Bytes>,
    chunk_sender: mpsc::Sender<Bytes>,
    closed: oneshot::Receiver<()>,
}

#[cfg(test)]
impl Greeted {
    /// Somebody, from somewhere.
    pub(crate) fn of(peer: NodeId) -> Self {
        Self {
            peer,
            incarnation: 1,
            remote: None,
        }
    }
}

#[cfg(test)]
impl Outbox {
    /// The next small message for the peer.
    pub(crate) async fn next(&mut self) -> Option<PeerMessage> {
        let frame = self.urgent.next().await?;
        wire::decode_peer_frame(&frame)
            .ok()
            .map(|(message, _)| message)
    }

    /// The next result or copy of a block for the peer.
    pub(crate) async fn next_behind(&mut self) -> Option<Bytes> {
        self.results.next().await
    }
}

impl Links {
    /// No links yet; the second value belongs to [`dial::run`].
    pub fn new(own: NodeId, addresses: Addresses) -> (Self, mpsc::UnboundedReceiver<DialRequest>) {
        let (dials, dial_requests) = mpsc::unbounded_channel();
        let shared = Shared {
            own,
            addresses,
            open: Mutex::default(),
            dials,
            links: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            remotes: Mutex::default(),
            copied: Mutex::default(),
        };
        (
            Self {
                shared: Arc::new(shared),
            },
            dial_requests,
        )
    }

    /// Sends a message; when there is no link it is dropped, and the answer is
    /// false.
    pub fn send(&self, to: NodeId, message: &PeerMessage, payload: &[u8]) -> bool {
        if !self.is_open(to) {
            return false;
        }
        let frame = Bytes::from(encode_peer_frame(message, payload));
        self.send_frame(to, frame, message.goes_behind_blocks())
    }

    /// The same for a message that is a frame already.
    pub(crate) fn send_frame(&self, to: NodeId, frame: Bytes, is_behind_blocks: bool) -> bool {
        let mut open = self.open();
        let Some(link) = open.get(&to) else {
            return false;
        };
        let is_sent = if is_behind_blocks {
            link.results.push(frame, RESULT_BYTES_WAITING_MAX)
        } else {
            link.urgent.push(frame, URGENT_BYTES_WAITING_MAX)
        };
        if !is_sent {
            tracing::warn!(peer = %to, "a link is too far behind, closing it");
            open.remove(&to);
        }
        is_sent
    }

    /// Tells every peer that this node lives.
    pub fn send_heartbeats(&self) {
        let peers: Vec<NodeId> = self.open().keys().copied().collect();
        for peer in peers {
            // The number is for whoever reads a recording of the messages.
            self.send(peer, &PeerMessage::Heartbeat { sequence: 0 }, &[]);
        }
    }

    /// Closes every link, and takes no others: this node can keep nothing that
    /// it is told, and is better missed than waited for.
    pub fn close_all(&self) {
        self.shared.is_closed.store(true, Ordering::Relaxed);
        self.open().clear();
    }

    /// Takes links again; the others look for this node all the time.
    pub fn open_again(&self) {
        self.shared.is_closed.store(false, Ordering::Relaxed);
    }

    /// Whether this node takes no links for now.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed.load(Ordering::Relaxed)
    }

    /// Closes the link to a peer that is silent.
    pub fn close(&self, peer: NodeId) {
        self.open().remove(&peer);
    }

    /// There is a node at these addresses: link to it, unless there is a link.
    pub fn discovered(&self, peer: NodeId, addresses: Vec<SocketAddr>) {
        if peer != self.shared.own {
            self.dial(DialRequest::Known { peer, addresses });
        }
    }

    /// A person named this node once: it is looked for until it is there, and each time that it is gone.
    pub fn keep_registered(&self, peer: NodeId, addresses: Vec<SocketAddr>) {
        self.dial(DialRequest::Registered { peer, addresses });
    }

    /// Keeps trying an address given at start.
    pub fn keep_linked(&self, address: String) {
        self.dial(DialRequest::Always { address });
    }

    /// Links to whichever node answers at an address typed by a person.
    pub async fn register(&self, address: &str) -> Result<NodeId, Problem> {
        let (answer, answered) = oneshot::channel();
        self.dial(DialRequest::Typed {
            address: address.to_owned(),
            answer,
        });
        match answered.await {
            Ok(Ok(peer)) => Ok(peer),
            Ok(Err(reason)) => Err(reason.into()),
            Err(_) => Err(Problem::new(503, "this node is shutting down")),
        }
    }

    /// Where other devices reach this node, the best first.
    pub fn own_addresses(&self) -> Vec<SocketAddr> {
        self.shared.addresses.own()
    }

    /// What counts as the local network.
    pub fn addresses(&self) -> &Addresses {
        &self.shared.addresses
    }

    /// The address at which a link to a peer worked last.
    pub(crate) fn last_remote(&self, peer: NodeId) -> Option<IpAddr> {
        self.remotes().get(&peer).copied()
    }

    fn remotes(&self) -> MutexGuard<'_, BTreeMap<NodeId, IpAddr>> {
        let remotes = self.shared.remotes.lock();
        remotes.unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a node that proved its key may be linked. Where another process with that key is linked already,
    /// that link is asked for a sign of life first: after a quick restart there is none. The address of the
    /// one that stays is returned.
    pub(crate) async fn admit(&self, greeted: Greeted) -> Result<(), Option<IpAddr>> {
        let (mut heard, remote) = {
            let open = self.open();
            let other = open.get(&greeted.peer);
            let Some(other) = other.filter(|link| link.incarnation != greeted.incarnation) else {
                return Ok(());
            };
            (other.heard.subscribe(), other.remote)
        };
        heard.mark_unchanged();
        // Whoever is asked this answers, whatever it does otherwise.
        let question = PeerMessage::Missing {
            node: self.shared.own,
        };
        self.send(greeted.peer, &question, &[]);
        match tokio::time::timeout(PROBE_MAX, heard.changed()).await {
            Ok(Ok(())) => Err(remote),
            // It is silent, or broke meanwhile.
            Err(_) | Ok(Err(_)) => {
                let mut open = self.open();
                if open
                    .get(&greeted.peer)
                    .is_some_and(|link| link.incarnation != greeted.incarnation)
                {
                    open.remove(&greeted.peer);
                }
                Ok(())
            }
        }
    }

    /// Whether there is an open link to `peer`.
    pub fn is_open(&self, peer: NodeId) -> bool {
        self.open().contains_key(&peer)
    }

    fn dial(&self, request: DialRequest) {
        // While the node shuts down nobody dials any longer.
        let _ = self.shared.dials.send(request);
    }

    /// A second process came with the key of a node that is linked and lives. Said once a minute, not once a try.
    pub(crate) fn note_copied(&self, refused: Greeted, at: Option<IpAddr>) {
        let mut noted = self
            .shared
            .copied
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_due = noted.is_none_or(|last: Instant| last.elapsed() >= COPIED_PAUSE);
        if is_due {
            *noted = Some(Instant::now());
            tracing::warn!(
                "two machines have the key of node {}: the one at {} stays linked, the one at {} is refused. A data \
                 folder was copied: start one of the two with an empty --data-dir",
                refused.peer.short(),
                shown(at),
                shown(refused.remote),
            );
        }
    }

    /// Enters a link that has proved who is at its other end. Of two links
    /// between the same nodes both sides keep the one that the higher id
    /// dialled; `None` is the other.
    pub(crate) fn enter(&self, greeted: Greeted, dialled_by: NodeId) -> Option<Outbox> {
        let Greeted {
            peer,
            incarnation,
            remote,
        } = greeted;
        let mut open = self.open();
        let earlier = open.get(&peer);
        if earlier.is_some_and(|link| link.dialled_by > dialled_by) {
            return None;
        }
        if let Some(remote) = remote {
            let mut remotes = self.remotes();
            if remotes.len() < REMOTES_MAX || remotes.contains_key(&peer) {
                remotes.insert(peer, remote.to_canonical());
            }
        }
        let number = self.shared.links.fetch_add(1, Ordering::Relaxed);
        let (urgent, urgent_waiting) = Lane::new();
        let (results, results_waiting) = Lane::new();
        let heard = Arc::new(watch::Sender::new(0));
        let (chunk_sender, chunks_receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
        let (closer, closed) = oneshot::channel();
        let link = Link {
            number,
            dialled_by,
            incarnation,
            remote,
            heard: Arc::clone(&heard),
            urgent,
            results,
            _closer: closer,
        };
        open.insert(peer, link);
        Some(Outbox {
            number,
            heard,
            urgent: urgent_waiting,
            results: results_waiting,
            chunks: chunks_receiver,
            chunk_sender,
            closed,
        })
    }

    /// The link with this number is over. False when another took its place.
    fn leave(&self, peer: NodeId, number: u64) -> bool {
        let mut open = self.open();
        match open.get(&peer) {
            Some(link) if link.number != number => false,
            _ => {
                open.remove(&peer);
                true
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<NodeId, Link>> {
        self.shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
