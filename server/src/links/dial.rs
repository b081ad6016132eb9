//! Opens links: to nodes that were discovered, that other nodes told of, that
//! were given at start, or that a person typed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluster::Input;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use wire::{FRAME_BYTES_MAX, NodeId, Problem};

use super::handshake::HandshakeError;
use super::{Socket, peer};
use crate::identity::Identity;
use crate::services::Services;

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

/// Nodes whose addresses are remembered.
const KNOWN_MAX: usize = 1024;

/// What the dialler is asked.
#[derive(Debug)]
pub enum DialRequest {
    /// There is a node at these addresses.
    Known {
        /// The node.
        peer: NodeId,
        /// `host:port`, the best first.
        addresses: Vec<String>,
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
    #[error("only private, link-local and loopback addresses are linked to")]
    Public,
    /// Nothing listens there, or nothing answers.
    #[error("no node answers there: is it running, and does its firewall let the port through?")]
    Unreachable,
    /// The machine is there, and nothing listens.
    #[error("nothing listens there: is the node running, and on that port?")]
    Refused,
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
    known: Arc<Mutex<BTreeMap<NodeId, Vec<String>>>>,
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
    /// Ends the pause before the next try.
    news: Notify,
}

impl Dialler {
    fn remember(&self, peer: NodeId, addresses: Vec<String>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < KNOWN_MAX || known.contains_key(&peer) {
            known.insert(peer, addresses);
        }
    }

    fn addresses_of(&self, peer: NodeId) -> Vec<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&peer).cloned().unwrap_or_default()
    }

    /// Dials a node in a task of its own, unless one does so already.
    fn start(&self, peer: NodeId, patience: Patience) {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
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
                let mut under_way = dialler
                    .under_way
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                // It may have been lost again since the last look.
                let is_asked = dialling.is_endless.swap(false, Ordering::Relaxed);
                if !is_asked || dialler.services.links.is_open(peer) {
                    under_way.remove(&peer);
                    return;
                }
            }
        });
    }

    /// A node that dialled this one has said where it is found.
    async fn learn_addresses(&self, peer: NodeId) {
        if !self.addresses_of(peer).is_empty() {
            return;
        }
        let look = move |node: &cluster::Node, _| {
            let mut peers = node.membership().peers();
            let (_, known) = peers.find(|(id, _)| *id == peer)?;
            Some(known.status.as_ref()?.addresses.clone())
        };
        if let Ok(Some(addresses)) = self.services.driver.look(look).await {
            self.remember(peer, addresses);
        }
    }

    async fn dial_known(&self, peer: NodeId, dialling: &Dialling) {
        self.learn_addresses(peer).await;
        let mut pause = PAUSE_FIRST;
        let mut tries = 0;
        loop {
            tries += 1;
            let mut refusals = 0;
            let addresses = self.addresses_of(peer);
            for address in &addresses {
                if self.services.links.is_open(peer) {
                    return;
                }
                let Ok(address) = address.parse::<SocketAddr>() else {
                    continue;
                };
                if is_local(address.ip()) {
                    match self.dial(address).await {
                        Ok(_) => return,
                        Err(DialError::Refused) => refusals += 1,
                        Err(_) => {}
                    }
                }
            }
            if refusals > 0 && refusals == addresses.len() {
                // Its machine is there and nothing listens: the process ended.
                self.services.driver.tell(Input::Refused { peer }).await;
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
                if let Err(error) = dialled
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
        let found = timeout_at(deadline, local_addresses(address)).await;
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
            let peer = peer::open(&dialler.services, &dialler.identity, socket, true).await?;
            dialler.remember(peer, vec![address.to_string()]);
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
        let found = tokio::time::timeout(CONNECT_TIMEOUT, local_addresses(name)).await;
        let LocalAddresses { first, others } = found.unwrap_or(Err(DialError::Name))?;
        let mut result = Err(DialError::Unreachable);
        for address in std::iter::once(first).chain(others) {
            result = self.dial(address).await;
            if let Ok(peer) = result {
                self.remember(peer, vec![address.to_string()]);
                break;
            }
        }
        result
    }

    async fn dial(&self, address: SocketAddr) -> Result<NodeId, DialError> {
        let socket = tokio::time::timeout(CONNECT_TIMEOUT, connect(address)).await;
        let socket = socket.unwrap_or(Err(DialError::Unreachable))?;
        Ok(peer::open(&self.services, &self.identity, socket, true).await?)
    }
}

/// Where a name leads on the local network: somewhere, at least.
#[derive(Debug, PartialEq, Eq)]
struct LocalAddresses {
    first: SocketAddr,
    others: Vec<SocketAddr>,
}

impl LocalAddresses {
    fn among(found: Vec<SocketAddr>) -> Result<Self, DialError> {
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

/// Looks up `HOST:PORT`.
async fn local_addresses(address: &str) -> Result<LocalAddresses, DialError> {
    let address = address.trim();
    let (host, port) = address.rsplit_once(':').ok_or(DialError::Form)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(DialError::Form);
    }
    let found = tokio::net::lookup_host(address).await;
    LocalAddresses::among(found.map_err(|_| DialError::Name)?.collect())
}

async fn connect(address: SocketAddr) -> Result<Socket, DialError> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => DialError::Refused,
        _ => DialError::Unreachable,
    })?;
    let _ = stream.set_nodelay(true);
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let url = format!("ws://{address}/ws/peer");
    let stream = MaybeTlsStream::Plain(stream);
    let (socket, _) = client_async_with_config(url, stream, Some(config))
        .await
        .map_err(|_| DialError::Unreachable)?;
    Ok(Socket::dialled(socket))
}

/// Addresses that belong to the local network or to this machine.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip
                    .to_ipv4_mapped()
                    .is_some_and(|ip| is_local(IpAddr::V4(ip)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_not_local() {
        for public in [
            "8.8.8.8",
            "1.1.1.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "172.32.0.1",
            "0.0.0.0",
            "::",
            // For documentation and benchmarks: never routed, and nobody's network.
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.1",
            "198.19.255.255",
            "2001:db8::1",
            "::ffff:203.0.113.1",
        ] {
            assert!(!is_local(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn private_link_local_and_loopback_addresses_are_local() {
        for local in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "127.0.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_local(local.parse().unwrap()), "{local}");
        }
    }

    fn among(addresses: &[&str]) -> Result<LocalAddresses, DialError> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        LocalAddresses::among(addresses.collect())
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
