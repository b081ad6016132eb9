//! Opens links: to nodes that were discovered, that other nodes told of, that
//! were given at start, or that a person typed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster::Input;
use cluster::limits::ADDRESSES_MAX;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::{self, protocol::WebSocketConfig};
use wire::{FRAME_BYTES_MAX, NodeId, Problem};

use super::handshake::HandshakeError;
use super::{COPIED_PAUSE, Socket, peer, shown};
use crate::identity::Identity;
use crate::services::Services;
use crate::store::KnownPeer;

/// On a local network a node that lives accepts within milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A person who typed an address waits this long in all: for its lookup, the
/// connection and the handshake.
const TYPED_TIMEOUT: Duration = Duration::from_secs(2);

/// Addresses typed by people that are tried at once.
const TYPED_AT_ONCE_MAX: usize = 4;

/// Pauses between tries: quick at first, because a broken link is mostly a
/// hiccup, then slow enough to cost nothing.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A lost peer is looked for this often at first, and then at leisure for as
/// long as this node remembers it.
const LOST_TRIES: u32 = 30;
const LOST_PAUSE: Duration = Duration::from_secs(5);

/// How often a node is looked for that a person named.
const REGISTERED_PAUSE: Duration = Duration::from_secs(5);

/// Nodes whose addresses are remembered.
const KNOWN_MAX: usize = 1024;

/// What the dialler is asked.
#[derive(Debug)]
pub enum DialRequest {
    /// There is a node at these addresses.
    Known {
        /// The node.
        peer: NodeId,
        /// The best first.
        addresses: Vec<SocketAddr>,
    },
    /// A person named this node: be linked to it, whenever it is there.
    Registered {
        /// The node.
        peer: NodeId,
        /// The best first.
        addresses: Vec<SocketAddr>,
    },
    /// The link to a node broke.
    Lost {
        /// The node.
        peer: NodeId,
    },
    /// Be linked to whichever node is at this address.
    Always {
        /// `host:port`
        address: String,
    },
    /// Somebody typed an address and waits.
    Typed {
        /// `host:port`
        address: String,
        /// Who answers there.
        answer: oneshot::Sender<Result<NodeId, DialError>>,
    },
}

/// Why there is no link; a fixed list, nothing in it comes from the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Not `HOST:PORT`.
    #[error("an address is HOST:PORT, such as 192.168.1.20:8080")]
    Form,
    /// The name is unknown.
    #[error("no device of that name is known on this network")]
    Name,
    /// A public address.
    #[error(
        "only private, link-local and loopback addresses and those of this network are linked to"
    )]
    Public,
    /// Nothing listens there, or nothing answers.
    #[error("no node answers there: is it running, and does its firewall let the port through?")]
    Unreachable,
    /// The machine is there, and nothing listens.
    #[error("nothing listens there: is the node running, and on that port?")]
    Refused,
    /// It was there, and the connection broke: its process begins or ends.
    #[error("the connection to it broke at once: is a node starting or stopping there? Try again")]
    Broken,
    /// It answers, but not as it should.
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    /// Others are being tried.
    #[error("other addresses are being tried at the moment: try again in a few seconds")]
    Busy,
}

impl From<DialError> for Problem {
    fn from(error: DialError) -> Self {
        let status = match error {
            DialError::Form => 422,
            DialError::Busy => 503,
            _ => 502,
        };
        Self::new(status, error.to_string())
    }
}

#[derive(Debug, Clone)]
struct Dialler {
    services: Services,
    identity: Identity,
    known: Arc<Mutex<BTreeMap<NodeId, Vec<SocketAddr>>>>,
    /// Nodes that refuse this one because another machine has its key, and until when they are left alone.
    refused_until: Arc<Mutex<BTreeMap<NodeId, Instant>>>,
    /// Nodes that people named.
    registered: Arc<Mutex<BTreeSet<NodeId>>>,
    /// Nodes that are dialled, each by one task.
    under_way: Arc<Mutex<BTreeMap<NodeId, Arc<Dialling>>>>,
    typed: Arc<Semaphore>,
}

/// Serves dial requests until the links are gone.
pub async fn run(
    services: Services,
    identity: Identity,
    mut requests: mpsc::UnboundedReceiver<DialRequest>,
) {
    let dialler = Dialler {
        services,
        identity,
        known: Arc::default(),
        refused_until: Arc::default(),
        registered: Arc::default(),
        under_way: Arc::default(),
        typed: Arc::new(Semaphore::new(TYPED_AT_ONCE_MAX)),
    };
    while let Some(request) = requests.recv().await {
        let dialler = dialler.clone();
        match request {
            DialRequest::Known { peer, addresses } => {
                dialler.remember(peer, addresses);
                if !dialler.services.links.is_open(peer) {
                    dialler.start(peer, Patience::Once);
                }
            }
            DialRequest::Registered { peer, addresses } => {
                dialler.remember(peer, addresses);
                dialler.keep_registered(peer);
            }
            DialRequest::Lost { peer } => dialler.start(peer, Patience::Endless),
            DialRequest::Always { address } => {
                tokio::spawn(async move { dialler.keep_linked(&address).await });
            }
            DialRequest::Typed { address, answer } => {
                tokio::spawn(async move {
                    // Whoever asked may have gone; the link stays all the same.
                    let _ = answer.send(dialler.dial_typed(&address).await);
                });
            }
        }
    }
}

/// How long a node is dialled that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Once,
    Endless,
}

/// A node that is being dialled.
#[derive(Debug)]
struct Dialling {
    is_endless: AtomicBool,
    /// Ends the pause before the next try, and a try that only waits for addresses that say nothing.
    news: Notify,
}

impl Dialler {
    fn remember(&self, peer: NodeId, addresses: Vec<SocketAddr>) {
        let mut known = lock(&self.known);
        if known.len() < KNOWN_MAX || known.contains_key(&peer) {
            known.insert(peer, addresses);
        }
    }

    /// Where a node may be: as it says itself, then as others said.
    async fn addresses_of(&self, peer: NodeId) -> Vec<SocketAddr> {
        let look = move |node: &cluster::Node, _| {
            let mut peers = node.membership().peers();
            let (_, known) = peers.find(|(id, _)| *id == peer)?;
            Some(known.status.as_ref()?.addresses.clone())
        };
        let told = self.services.driver.look(look).await.ok().flatten();
        let heard = lock(&self.known).get(&peer).cloned();
        let mut addresses: Vec<SocketAddr> = Vec::new();
        let told = told.into_iter().flatten();
        for address in told.chain(heard.into_iter().flatten()) {
            let is_new = !addresses.contains(&address);
            if is_new && self.is_local(address.ip()) && addresses.len() < ADDRESSES_MAX {
                addresses.push(address);
            }
        }
        // Every interface has a link-local address of IPv6, also where nothing but IPv4 is looked after.
        let is_last_resort = |address: &SocketAddr| match address.ip() {
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
            IpAddr::V4(_) => false,
        };
        if !addresses.iter().all(is_last_resort) {
            addresses.retain(|address| !is_last_resort(address));
        }
        addresses
    }

    fn is_local(&self, ip: IpAddr) -> bool {
        self.services.links.addresses().is_local(ip)
    }

    /// Looks for a node as long as this one runs, also after it left in good order: nothing else would say that it
    /// is there again.
    fn keep_registered(&self, peer: NodeId) {
        if !lock(&self.registered).insert(peer) {
            return;
        }
        let dialler = self.clone();
        tokio::spawn(async move {
            loop {
                if !dialler.services.links.is_open(peer) {
                    dialler.start(peer, Patience::Once);
                }
                // Nothing reports that a node is back but dialling it.
                tokio::time::sleep(REGISTERED_PAUSE).await;
            }
        });
    }

    /// Dials a node in a task of its own, unless one does so already.
    fn start(&self, peer: NodeId, patience: Patience) {
        let mut under_way = lock(&self.under_way);
        if let Some(dialling) = under_way.get(&peer) {
            dialling
                .is_endless
                .fetch_or(patience == Patience::Endless, Ordering::Relaxed);
            dialling.news.notify_one();
            return;
        }
        let dialling = Arc::new(Dialling {
            is_endless: AtomicBool::new(patience == Patience::Endless),
            news: Notify::new(),
        });
        under_way.insert(peer, Arc::clone(&dialling));
        drop(under_way);
        let dialler = self.clone();
        tokio::spawn(async move {
            loop {
                dialler.dial_known(peer, &dialling).await;
                let mut under_way = lock(&dialler.under_way);
                // It may have been lost again since the last look.
                let is_asked = dialling.is_endless.swap(false, Ordering::Relaxed);
                if !is_asked || dialler.services.links.is_open(peer) {
                    under_way.remove(&peer);
                    return;
                }
            }
        });
    }

    async fn dial_known(&self, peer: NodeId, dialling: &Dialling) {
        let mut pause = PAUSE_FIRST;
        let mut tries = 0;
        loop {
            tries += 1;
            if self.services.links.is_open(peer) {
                return;
            }
            let refused_until = lock(&self.refused_until).get(&peer).copied();
            if refused_until.is_none_or(|until| until <= Instant::now()) {
                let addresses = self.addresses_of(peer).await;
                match self.dial_all(peer, addresses, &dialling.news).await {
                    None => {
                        (tries, pause) = (0, PAUSE_FIRST);
                        continue;
                    }
                    Some(Ok(())) => return,
                    // Its machine is there and nothing listens: the process ended.
                    Some(Err(DialError::Refused)) => {
                        self.services.driver.tell(Input::Refused { peer }).await;
                    }
                    Some(Err(_)) => self.services.driver.tell(Input::Unreached { peer }).await,
                }
            }
            if !dialling.is_endless.load(Ordering::Relaxed) {
                return;
            }
            if !self.is_missed(peer).await {
                dialling.is_endless.store(false, Ordering::Relaxed);
                return;
            }
            if timeout(pause, dialling.news.notified()).await.is_ok() {
                // It was heard of, or came and is lost once more.
                (tries, pause) = (0, PAUSE_FIRST);
            } else if tries < LOST_TRIES {
                pause = (pause * 2).min(PAUSE_MAX);
            } else {
                pause = LOST_PAUSE;
            }
        }
    }

    /// Dials a node at all its addresses at once: one that nobody else reaches (a private network, a container)
    /// says nothing for seconds. The node is at one of them, so whichever answers first has it. A refusal counts
    /// where the node was linked last, else where all refuse.
    ///
    /// Nothing when there is news of the node meanwhile: it may have come by a link of its own and be lost again,
    /// and what its addresses say now counts.
    async fn dial_all(
        &self,
        peer: NodeId,
        addresses: Vec<SocketAddr>,
        news: &Notify,
    ) -> Option<Result<(), DialError>> {
        // A link worked there, so its word settles whether the node's process lives.
        let proven = self.services.links.last_remote(peer);
        let count = addresses.len();
        // It may listen on another port there.
        let is_proven = |address: &&SocketAddr| Some(address.ip()) == proven;
        let mut at_proven = addresses.iter().filter(is_proven).count();
        let attempt = |address: SocketAddr, pause: Option<Duration>| async move {
            if let Some(pause) = pause {
                // Nothing reports when a process has ended but its port, which then refuses.
                tokio::time::sleep(pause).await;
            }
            let connected = timeout(CONNECT_TIMEOUT, connect(address)).await;
            (address, connected.unwrap_or(Err(DialError::Unreachable)))
        };
        let connecting = addresses.into_iter().map(|address| attempt(address, None));
        let mut connecting: FuturesUnordered<_> = connecting.collect();
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        let (mut refusals, mut pause) = (0, PAUSE_FIRST);
        loop {
            // Never in the middle of a handshake: that enters its link.
            let next = tokio::select! {
                next = connecting.next() => next,
                () = news.notified() => return None,
            };
            let Some((address, connected)) = next else {
                break;
            };
            let greeted = match connected {
                Ok(socket) => self.greet(address, socket).await,
                Err(error) => Err(error),
            };
            if greeted == Ok(peer) || self.services.links.is_open(peer) {
                return Some(Ok(()));
            }
            match greeted {
                Err(DialError::Handshake(HandshakeError::Copied { at })) => {
                    self.leave_alone(peer, address, at);
                    return Some(Err(DialError::Unreachable));
                }
                // A process that ends closes its links before the socket on which it listens.
                Err(DialError::Broken | DialError::Handshake(HandshakeError::Silent))
                    if Some(address.ip()) == proven && Instant::now() < deadline =>
                {
                    connecting.push(attempt(address, Some(pause)));
                    pause *= 2;
                }
                Err(DialError::Refused) => {
                    refusals += 1;
                    at_proven -= usize::from(Some(address.ip()) == proven);
                    if at_proven == 0 && Some(address.ip()) == proven {
                        return Some(Err(DialError::Refused));
                    }
                }
                _ => {}
            }
        }
        let all_refuse = refusals > 0 && refusals == count;
        let error = if all_refuse {
            DialError::Refused
        } else {
            DialError::Unreachable
        };
        Some(Err(error))
    }

    /// Another machine has this node's key, and the node at this address keeps to that one.
    fn leave_alone(&self, peer: NodeId, asked: SocketAddr, at: Option<IpAddr>) {
        let until = Instant::now() + COPIED_PAUSE;
        let mut refused_until = lock(&self.refused_until);
        let is_news = refused_until.values().all(|until| *until <= Instant::now());
        refused_until.insert(peer, until);
        if is_news {
            self.tell_copied(asked, at);
        }
    }

    /// Said once a minute at most.
    fn tell_copied(&self, asked: SocketAddr, at: Option<IpAddr>) {
        tracing::error!(
            "another machine, at {}, has the key of this node: the node at {asked} is linked to it and refuses this \
             one. The data folder {} was copied: start one of the two machines with an empty --data-dir. This node \
             tries again every {} s",
            shown(at),
            self.services.store.folder().display(),
            COPIED_PAUSE.as_secs()
        );
    }

    /// Whether a node should be linked: it is remembered, and did not leave on
    /// purpose.
    async fn is_missed(&self, peer: NodeId) -> bool {
        let look = move |node: &cluster::Node, _| {
            let mut peers = node.membership().peers();
            let known = peers.find(|(id, _)| *id == peer);
            known.is_some_and(|(_, known)| !known.has_left())
        };
        !self.services.links.is_open(peer) && self.services.driver.look(look).await.unwrap_or(true)
    }

    async fn keep_linked(&self, address: &str) {
        let mut pause = PAUSE_FIRST;
        let mut peer = None;
        // Each reason is told once, until the link is there again.
        let mut told = None;
        loop {
            if !peer.is_some_and(|peer| self.services.links.is_open(peer)) {
                let dialled = self.dial_name(address).await;
                if let Err(DialError::Handshake(HandshakeError::Copied { .. })) = dialled {
                    // The other machine does not announce when it is gone.
                    tokio::time::sleep(COPIED_PAUSE).await;
                } else if let Err(error) = dialled
                    && told.replace(error) != Some(error)
                {
                    tracing::warn!("--peer {address}: {error}; it is tried again and again");
                }
                peer = dialled.ok();
            } else {
                told = None;
            }
            if peer.is_some() {
                pause = PAUSE_MAX;
            }
            // Nothing tells when an address answers but dialling it.
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Tries one address, once: what people type may lead anywhere.
    async fn dial_typed(&self, address: &str) -> Result<NodeId, DialError> {
        let place = Arc::clone(&self.typed).try_acquire_owned();
        let place = place.map_err(|_| DialError::Busy)?;
        let deadline = Instant::now() + TYPED_TIMEOUT;
        let found = timeout_at(deadline, self.local_addresses(address)).await;
        let address = found.unwrap_or(Err(DialError::Name))?.first;
        let socket = timeout_at(deadline, connect(address)).await;
        let socket = socket.unwrap_or(Err(DialError::Unreachable));
        // To a person it is all one.
        let socket = socket.map_err(|_| DialError::Unreachable)?;
        let dialler = self.clone();
        // A task, because a handshake that ends just after the deadline has
        // entered its link and must not be dropped in the middle of that. It
        // ends by its own time-out, and keeps its place until then.
        let greeting = tokio::spawn(async move {
            let _place = place;
            let peer = dialler.greet(address, socket).await?;
            dialler.remember(peer, vec![address]);
            dialler.register(peer, address).await;
            Ok(peer)
        });
        match timeout_at(deadline, greeting).await {
            Ok(Ok(greeted)) => greeted,
            // Out of time, or the node is ending and with it its tasks.
            Err(_) | Ok(Err(_)) => Err(HandshakeError::Silent.into()),
        }
    }

    /// Tries all addresses of a name that was given at start.
    async fn dial_name(&self, name: &str) -> Result<NodeId, DialError> {
        let found = timeout(CONNECT_TIMEOUT, self.local_addresses(name)).await;
        let LocalAddresses { first, others } = found.unwrap_or(Err(DialError::Name))?;
        let mut result = Err(DialError::Unreachable);
        for address in std::iter::once(first).chain(others) {
            result = self.dial(address).await;
            if let Ok(peer) = result {
                self.remember(peer, vec![address]);
                break;
            }
        }
        result
    }

    async fn dial(&self, address: SocketAddr) -> Result<NodeId, DialError> {
        let socket = timeout(CONNECT_TIMEOUT, connect(address)).await;
        let socket = socket.unwrap_or(Err(DialError::Unreachable))?;
        let greeted = self.greet(address, socket).await;
        if let Err(DialError::Handshake(HandshakeError::Copied { at })) = greeted {
            self.tell_copied(address, at);
        }
        greeted
    }

    async fn greet(&self, address: SocketAddr, socket: Socket) -> Result<NodeId, DialError> {
        let remote = Some(address.ip());
        Ok(peer::open(&self.services, &self.identity, socket, remote, true).await?)
    }

    /// A person named this node: it is looked for after each start.
    async fn register(&self, peer: NodeId, address: SocketAddr) {
        let known = KnownPeer {
            id: peer,
            addresses: vec![address],
            is_registered: true,
        };
        if let Err(error) = self.services.store.remember_peer(&known).await {
            tracing::warn!(%error, "the node at {address} is not remembered for the next start");
        }
        self.keep_registered(peer);
    }

    /// Looks up `HOST:PORT`.
    async fn local_addresses(&self, address: &str) -> Result<LocalAddresses, DialError> {
        let address = address.trim();
        let (host, port) = address.rsplit_once(':').ok_or(DialError::Form)?;
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(DialError::Form);
        }
        let found = tokio::net::lookup_host(address).await;
        let found = found.map_err(|_| DialError::Name)?.collect();
        LocalAddresses::among(found, |ip| self.is_local(ip))
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a name leads on the local network: somewhere, at least.
#[derive(Debug, PartialEq, Eq)]
struct LocalAddresses {
    first: SocketAddr,
    others: Vec<SocketAddr>,
}

impl LocalAddresses {
    fn among(found: Vec<SocketAddr>, is_local: impl Fn(IpAddr) -> bool) -> Result<Self, DialError> {
        if found.is_empty() {
            return Err(DialError::Name);
        }
        let mut local = found;
        local.retain(|address| is_local(address.ip()));
        // `localhost` and most names have both kinds, and a node that was told
        // nothing else listens on IPv4.
        local.sort_by_key(SocketAddr::is_ipv6);
        let mut local = local.into_iter();
        let first = local.next().ok_or(DialError::Public)?;
        Ok(Self {
            first,
            others: local.collect(),
        })
    }
}

async fn connect(address: SocketAddr) -> Result<Socket, DialError> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => DialError::Refused,
        std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::ConnectionAborted => {
            DialError::Broken
        }
        _ => DialError::Unreachable,
    })?;
    let _ = stream.set_nodelay(true);
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    // An interface is no part of a URL.
    let host = SocketAddr::new(address.ip(), address.port());
    let url = format!("ws://{host}/ws/peer");
    let stream = MaybeTlsStream::Plain(stream);
    let (socket, _) = client_async_with_config(url, stream, Some(config))
        .await
        .map_err(|error| match error {
            // Something else listens there.
            tungstenite::Error::Http(_) => DialError::Unreachable,
            _ => DialError::Broken,
        })?;
    Ok(Socket::dialled(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(addresses: &[&str]) -> Result<LocalAddresses, DialError> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        let is_local = |ip: IpAddr| ip.is_loopback() || ip.to_string().starts_with("10.");
        LocalAddresses::among(addresses.collect(), is_local)
    }

    #[test]
    fn of_a_names_addresses_the_first_local_one_is_tried_and_ipv4_before_ipv6() {
        let local = among(&["8.8.8.8:1", "[::1]:1", "10.0.0.1:1", "127.0.0.1:1"]).unwrap();
        assert_eq!(local.first, "10.0.0.1:1".parse().unwrap());
        assert_eq!(local.others.len(), 2);
        assert_eq!(among(&["203.0.113.1:1"]), Err(DialError::Public));
        assert_eq!(among(&[]), Err(DialError::Name));
    }
}
