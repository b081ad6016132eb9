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
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use wire::{NodeId, PeerMessage, Problem, encode_peer_frame};

use dial::DialRequest;

pub use socket::Socket;

/// Small messages that may wait for a slow peer. One that is this far behind
/// is as good as silent: its link is closed.
const URGENT_WAITING_MAX: usize = 4096;

/// Results and copies that may wait for a slow peer: many times what the windows
/// of some jobs allow, and still memory that a small device has.
const RESULT_BYTES_WAITING_MAX: u64 = 256 << 20;

/// Chunks that wait to be sent; whoever reads them from the store waits too.
const CHUNKS_WAITING_MAX: usize = 4;

/// All links of this node. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Links {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    own: NodeId,
    own_addresses: Vec<String>,
    open: Mutex<BTreeMap<NodeId, Link>>,
    dials: mpsc::UnboundedSender<DialRequest>,
    /// Every link has a number of its own.
    links: AtomicU64,
    /// This node cannot keep what it is told, and takes no links.
    is_closed: AtomicBool,
}

/// The sending half of an open link.
#[derive(Debug)]
struct Link {
    /// Tells this link from an earlier one to the same peer.
    number: u64,
    dialled_by: NodeId,
    urgent: mpsc::Sender<Bytes>,
    /// Results and copies of blocks, with the number of bytes that wait.
    results: mpsc::UnboundedSender<Bytes>,
    results_bytes: Arc<AtomicU64>,
    _closer: oneshot::Sender<()>,
}

/// What the task of a link takes from the others.
#[derive(Debug)]
pub(crate) struct Outbox {
    number: u64,
    urgent: mpsc::Receiver<Bytes>,
    results: mpsc::UnboundedReceiver<Bytes>,
    results_bytes: Arc<AtomicU64>,
    chunks: mpsc::Receiver<Bytes>,
    chunk_sender: mpsc::Sender<Bytes>,
    closed: oneshot::Receiver<()>,
}

#[cfg(test)]
impl Outbox {
    /// The next small message for the peer.
    pub(crate) async fn next(&mut self) -> Option<PeerMessage> {
        let frame = self.urgent.recv().await?;
        wire::decode_peer_frame(&frame)
            .ok()
            .map(|(message, _)| message)
    }

    /// The next result or copy of a block for the peer.
    pub(crate) async fn next_behind(&mut self) -> Option<Bytes> {
        self.results.recv().await
    }
}

impl Links {
    /// No links yet; the second value belongs to [`dial::run`].
    pub fn new(
        own: NodeId,
        own_addresses: Vec<String>,
    ) -> (Self, mpsc::UnboundedReceiver<DialRequest>) {
        let (dials, dial_requests) = mpsc::unbounded_channel();
        let shared = Shared {
            own,
            own_addresses,
            open: Mutex::default(),
            dials,
            links: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
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
            let bytes = frame.len() as u64;
            let waiting = link.results_bytes.fetch_add(bytes, Ordering::Relaxed);
            waiting <= RESULT_BYTES_WAITING_MAX && link.results.send(frame).is_ok()
        } else {
            link.urgent.try_send(frame).is_ok()
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
    pub fn discovered(&self, peer: NodeId, addresses: Vec<String>) {
        if peer != self.shared.own {
            self.dial(DialRequest::Known { peer, addresses });
        }
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

    /// `host:port` at which other devices reach this node, the best first.
    pub fn own_addresses(&self) -> Vec<String> {
        self.shared.own_addresses.clone()
    }

    /// Whether there is an open link to `peer`.
    pub fn is_open(&self, peer: NodeId) -> bool {
        self.open().contains_key(&peer)
    }

    fn dial(&self, request: DialRequest) {
        // While the node shuts down nobody dials any longer.
        let _ = self.shared.dials.send(request);
    }

    /// Enters a link that has proved who is at its other end. Of two links
    /// between the same nodes both sides keep the one that the higher id
    /// dialled; `None` is the other.
    pub(crate) fn enter(&self, peer: NodeId, dialled_by: NodeId) -> Option<Outbox> {
        let mut open = self.open();
        let earlier = open.get(&peer);
        if earlier.is_some_and(|link| link.dialled_by > dialled_by) {
            return None;
        }
        let number = self.shared.links.fetch_add(1, Ordering::Relaxed);
        let results_bytes = Arc::new(AtomicU64::new(0));
        let (urgent, urgent_receiver) = mpsc::channel(URGENT_WAITING_MAX);
        let (results, results_receiver) = mpsc::unbounded_channel();
        let (chunk_sender, chunks_receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
        let (closer, closed) = oneshot::channel();
        let link = Link {
            number,
            dialled_by,
            urgent,
            results,
            results_bytes: Arc::clone(&results_bytes),
            _closer: closer,
        };
        open.insert(peer, link);
        Some(Outbox {
            number,
            urgent: urgent_receiver,
            results: results_receiver,
            results_bytes,
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

/// The addresses at which other devices reach a node that listens on
/// `bind`:`port`: those of the local network first, loopback only when there
/// is no other.
pub fn reachable_addresses(bind: std::net::IpAddr, port: u16) -> Vec<String> {
    if !bind.is_unspecified() {
        return vec![std::net::SocketAddr::new(bind, port).to_string()];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<_> = interfaces
        .into_iter()
        .filter(|interface| !interface.is_loopback() && !is_virtual(&interface.name))
        .map(|interface| interface.ip())
        .filter(std::net::IpAddr::is_ipv4)
        .map(|ip| std::net::SocketAddr::new(ip, port).to_string())
        .collect();
    if addresses.is_empty() {
        addresses.push(format!("127.0.0.1:{port}"));
    }
    addresses
}

/// Interfaces that lead to no other device: bridges of containers and virtual
/// machines, point-to-point tunnels.
pub fn is_virtual(interface: &str) -> bool {
    ["docker", "br-", "virbr", "tun", "tap", "wg", "utun"]
        .iter()
        .any(|prefix| interface.starts_with(prefix))
}
