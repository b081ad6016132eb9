//! The start of a link: each side proves that it holds the key of its id.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::{Hello, NodeId, PEER_PROTOCOL_VERSION, Proof, Verdict};

use super::socket::{Outgoing, Socket};
use super::{Greeted, Links};
use crate::identity::{Identity, is_proved};

/// Three round trips, and a look at an earlier link; a node that needs longer is busy or is none.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a link did not come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The other side said nothing in time, or closed.
    #[error("it does not answer as a matmesh node")]
    Silent,
    /// It speaks another protocol.
    #[error("it speaks another version of the protocol: update the older of the two")]
    Version,
    /// It is not who it says.
    #[error("it could not prove its identity")]
    Unproved,
    /// It is this very node.
    #[error("that is this node itself")]
    Own,
    /// Another process has this node's key.
    #[error(
        "another machine has the key of this node: its data folder was copied, give one of the two another"
    )]
    Copied {
        /// Where it is, if that is known.
        at: Option<IpAddr>,
    },
}

/// Proves who this node is, learns who the other is, and agrees with it on a link.
pub(crate) async fn shake_hands(
    socket: &mut Socket,
    identity: &Identity,
    links: &Links,
    remote: Option<IpAddr>,
) -> Result<Greeted, HandshakeError> {
    let handshake = exchange(socket, identity, links, remote);
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake);
    handshake.await.unwrap_or(Err(HandshakeError::Silent))
}

async fn exchange(
    socket: &mut Socket,
    identity: &Identity,
    links: &Links,
    remote: Option<IpAddr>,
) -> Result<Greeted, HandshakeError> {
    let own = identity.hello().map_err(|_| HandshakeError::Silent)?;
    send(socket, &own).await?;
    let other: Hello = receive(socket).await?;
    if other.protocol != PEER_PROTOCOL_VERSION {
        return Err(HandshakeError::Version);
    }
    let peer = NodeId::of_public_key(&other.public_key);
    if peer == identity.node_id() && other.incarnation == own.incarnation {
        return Err(HandshakeError::Own);
    }
    send(socket, &identity.prove(&own, &other)).await?;
    let proof: Proof = receive(socket).await?;
    if !is_proved(&other, &own, &proof) {
        return Err(HandshakeError::Unproved);
    }
    if peer == identity.node_id() {
        return Err(HandshakeError::Copied { at: remote });
    }
    let greeted = Greeted {
        peer,
        incarnation: other.incarnation,
        remote,
    };
    if let Err(at) = links.admit(greeted).await {
        send(socket, &Verdict::Copied { at }).await?;
        links.note_copied(greeted, at);
        return Err(HandshakeError::Silent);
    }
    send(socket, &Verdict::Linked).await?;
    match receive(socket).await? {
        Verdict::Linked => Ok(greeted),
        Verdict::Copied { at } => Err(HandshakeError::Copied { at }),
    }
}

async fn send<T: Serialize>(socket: &mut Socket, message: &T) -> Result<(), HandshakeError> {
    let bytes = rmp_serde::to_vec_named(message).expect("greetings have no unencodable part");
    let sent = socket.sink.send(Outgoing::Frame(Bytes::from(bytes))).await;
    sent.map_err(|_| HandshakeError::Silent)
}

async fn receive<T: DeserializeOwned>(socket: &mut Socket) -> Result<T, HandshakeError> {
    loop {
        match socket.stream.next().await {
            // A ping.
            Some(Ok(bytes)) if bytes.is_empty() => {}
            Some(Ok(bytes)) => {
                return rmp_serde::from_slice(&bytes).map_err(|_| HandshakeError::Silent);
            }
            Some(Err(_)) | None => return Err(HandshakeError::Silent),
        }
    }
}
