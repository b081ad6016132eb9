//! The first two messages of a link between nodes.
//!
//! Both sides send a [`Hello`] with a fresh challenge and, having read the
//! other's, a [`Proof`]: a signature over both challenges. Whoever cannot sign
//! with the key that its id is the hash of is not let in.

use serde::{Deserialize, Serialize};

/// The first message of each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::PROTOCOL_VERSION`]; another one ends the link with a reason.
    pub protocol: u32,
    /// Ed25519.
    pub public_key: [u8; 32],
    /// Random, for this link alone.
    pub challenge: [u8; 32],
}

/// The second message of each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Ed25519 over [`signed_text`].
    pub signature: Vec<u8>,
}

/// What a side signs: the protocol's name, then the signer's public key and
/// challenge, then the other's. The order binds the signature to its signer,
/// so a proof cannot be sent back to the one who made it.
#[must_use]
pub fn signed_text(signer: &Hello, other: &Hello) -> Vec<u8> {
    let mut text = b"matmesh link 1".to_vec();
    for part in [
        &signer.public_key,
        &signer.challenge,
        &other.public_key,
        &other.challenge,
    ] {
        text.extend_from_slice(part);
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
        };
        assert_ne!(
            signed_text(&hello(1), &hello(2)),
            signed_text(&hello(2), &hello(1))
        );
    }
}
