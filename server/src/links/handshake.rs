//! The start of a link: each side proves that it holds the key of its id.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::{Hello, NodeId, PROTOCOL_VERSION, Proof};

use super::socket::{Outgoing, Socket};
use crate::identity::{Identity, is_proved};

/// Two round trips; a node that needs longer is busy or is none.
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
}

/// Proves who this node is and learns who the other is.
pub(crate) async fn shake_hands(
    socket: &mut Socket,
    identity: &Identity,
) -> Result<NodeId, HandshakeError> {
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, exchange(socket, identity));
    handshake.await.unwrap_or(Err(HandshakeError::Silent))
}

async fn exchange(socket: &mut Socket, identity: &Identity) -> Result<NodeId, HandshakeError> {
    let own = identity.hello().map_err(|_| HandshakeError::Silent)?;
    send(socket, &own).await?;
    let other: Hello = receive(socket).await?;
    if other.protocol != PROTOCOL_VERSION {
        return Err(HandshakeError::Version);
    }
    let peer = NodeId::of_public_key(&other.public_key);
    if peer == identity.node_id() {
        return Err(HandshakeError::Own);
    }
    send(socket, &identity.prove(&own, &other)).await?;
    let proof: Proof = receive(socket).await?;
    if is_proved(&other, &own, &proof) {
        Ok(peer)
    } else {
        Err(HandshakeError::Unproved)
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
