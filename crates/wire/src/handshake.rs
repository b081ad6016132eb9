//! The first three messages of a link between nodes.
//!
//! Both sides send a [`Hello`] with a fresh challenge and, having read the
//! other's, a [`Proof`]: a signature over both challenges. Whoever cannot sign
//! with the key that its id is the hash of is not let in. Last comes a [`Verdict`]: two machines may hold one
//! key, when a data folder was copied, and only one of them can be that node.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The first message of each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::PEER_PROTOCOL_VERSION`]; another one ends the link with a reason.
    pub protocol: u32,
    /// Ed25519.
    pub public_key: [u8; 32],
    /// Random, for this link alone.
    pub challenge: [u8; 32],
    /// Drawn when the process started: two that have one key (a copied data folder) differ in it.
    #[serde(default)]
    pub incarnation: u64,
}

/// The second message of each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Ed25519 over [`signed_text`].
    pub signature: Vec<u8>,
}

/// The last message of each side, once the other has proved who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Let there be a link.
    Linked,
    /// Another process with the same key is linked and answers.
    Copied {
        /// Where it is, if that is known.
        at: Option<IpAddr>,
    },
}

/// What a side signs: the protocol's name, then the signer's public key and
/// challenge, then the other's, then both incarnations. The order binds the signature to its signer,
/// so a proof cannot be sent back to the one who made it.
#[must_use]
pub fn signed_text(signer: &Hello, other: &Hello) -> Vec<u8> {
    let mut text = b"matmesh link 2".to_vec();
    for part in [
        &signer.public_key,
        &signer.challenge,
        &other.public_key,
        &other.challenge,
    ] {
        text.extend_from_slice(part);
    }
    for side in [signer, other] {
        text.extend_from_slice(&side.incarnation.to_le_bytes());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_sides_sign_different_texts() {
        let hello = |byte| Hello {
            protocol: 2,
            public_key: [byte; 32],
            challenge: [byte; 32],
            incarnation: 7,
        };
        assert_ne!(
            signed_text(&hello(1), &hello(2)),
            signed_text(&hello(2), &hello(1))
        );
    }
}
