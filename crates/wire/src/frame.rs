//! Frames: an envelope and, behind it, the raw bytes of a matrix.
//!
//! Layout, both kinds: protocol version `u32`, length of the envelope `u32`,
//! both little-endian; the envelope (MessagePack between nodes, JSON between a
//! page and its node); the payload to the end of the frame. A number of a
//! matrix takes 8 bytes so, not the 18 characters of its text.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{PageMessage, PeerMessage};

/// Of frames between nodes. Rises with every change that an older node would misread.
pub const PEER_PROTOCOL_VERSION: u32 = 6;

/// Of frames between a page and its node; others write pages' workers, too. It rises on its own.
pub const PAGE_PROTOCOL_VERSION: u32 = 4;

/// No frame is longer. A chunk or a block has at most 1 MiB, an envelope
/// carries at most a run of leases; four times that leaves room, and bounds
/// what a hostile sender can make us hold.
pub const FRAME_BYTES_MAX: usize = 4 << 20;

const PREFIX_BYTES: usize = 8;

/// Why a frame was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {bytes} bytes is over the limit of {FRAME_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Ends before its envelope does.
    #[error("the frame ends within its envelope")]
    Truncated,
    /// Another version of the protocol.
    #[error("the frame speaks protocol {found}, this node speaks {expected}")]
    Version {
        /// The sender's version.
        found: u32,
        /// This node's.
        expected: u32,
    },
    /// The envelope is not a message.
    #[error("the envelope is no message")]
    Envelope,
}

/// A frame for another node.
#[must_use]
pub fn encode_peer_frame(message: &PeerMessage, payload: &[u8]) -> Vec<u8> {
    let envelope = rmp_serde::to_vec_named(message).expect("messages have no unencodable part");
    join(PEER_PROTOCOL_VERSION, &envelope, payload)
}

/// Reads a frame from another node: the message and its payload.
///
/// # Errors
/// Whatever [`FrameError`] names; nothing is assumed about the sender.
pub fn decode_peer_frame(frame: &[u8]) -> Result<(PeerMessage, &[u8]), FrameError> {
    let (envelope, payload) = split(PEER_PROTOCOL_VERSION, frame)?;
    let message = rmp_serde::from_slice(envelope).map_err(|_| FrameError::Envelope)?;
    Ok((message, payload))
}

/// A frame between a page and its node.
#[must_use]
pub fn encode_page_frame(message: &PageMessage, payload: &[u8]) -> Vec<u8> {
    let envelope = encode_json(message);
    join(PAGE_PROTOCOL_VERSION, &envelope, payload)
}

/// Reads a frame between a page and its node: the message and its payload.
///
/// # Errors
/// Whatever [`FrameError`] names; nothing is assumed about the sender.
pub fn decode_page_frame(frame: &[u8]) -> Result<(PageMessage, &[u8]), FrameError> {
    let (envelope, payload) = split(PAGE_PROTOCOL_VERSION, frame)?;
    let message = decode_json(envelope)?;
    Ok((message, payload))
}

fn encode_json<T: Serialize>(message: &T) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages have no unencodable part")
}

fn decode_json<T: DeserializeOwned>(envelope: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(envelope).map_err(|_| FrameError::Envelope)
}

fn join(version: u32, envelope: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(envelope.len()).expect("envelopes are far below 4 GiB");
    let mut frame = Vec::with_capacity(PREFIX_BYTES + envelope.len() + payload.len());
    frame.extend_from_slice(&version.to_le_bytes());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(envelope);
    frame.extend_from_slice(payload);
    frame
}

fn split(expected: u32, frame: &[u8]) -> Result<(&[u8], &[u8]), FrameError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { bytes: frame.len() });
    }
    let (version, rest) = frame
        .split_first_chunk::<4>()
        .ok_or(FrameError::Truncated)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(FrameError::Truncated)?;
    let found = u32::from_le_bytes(*version);
    if found != expected {
        return Err(FrameError::Version { found, expected });
    }
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| FrameError::Truncated)?;
    rest.split_at_checked(length).ok_or(FrameError::Truncated)
}
