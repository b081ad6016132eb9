//! Identities. Each is a type of its own, so that a job's id can never be
//! passed where a node's is meant. As text they are lower-case hexadecimal;
//! in binary formats they are their bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Text that is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is {digits} lower-case hexadecimal digits")]
pub struct IdError {
    digits: usize,
}

macro_rules! hexadecimal_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Takes the bytes as they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The bytes, most significant first.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hexadecimal(text).map(Self).ok_or(IdError { digits: 2 * $bytes })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // Within a tagged enum serde buffers what it reads and then
                // calls itself human-readable, whatever the format was: so the
                // visitor takes text and bytes in either case.
                let bytes = if deserializer.is_human_readable() {
                    deserializer.deserialize_str(IdVisitor::<$bytes>)
                } else {
                    deserializer.deserialize_bytes(IdVisitor::<$bytes>)
                };
                bytes.map(Self)
            }
        }
    };
}

hexadecimal_id!(
    /// A node of the mesh: the first 128 bits of the BLAKE3 hash of its
    /// Ed25519 public key, so nobody can claim another's.
    NodeId,
    16
);
hexadecimal_id!(
    /// A device that computes. A node's own compute has the node's bits; a
    /// page draws one at random and keeps it for as long as its tab lives.
    WorkerId,
    16
);
hexadecimal_id!(
    /// A multiplication that somebody submitted: ten bytes drawn at random, by which its backups are
    /// chosen and people tell it from others, and six of the time, by which nodes keep jobs in order.
    /// Under an idempotency key all of it comes from the key.
    JobId,
    16
);
hexadecimal_id!(
    /// The BLAKE3 hash of some bytes: a piece of a matrix, or a result.
    ChunkHash,
    32
);

impl NodeId {
    /// The id that belongs to an Ed25519 public key.
    #[must_use]
    pub fn of_public_key(public_key: &[u8; 32]) -> Self {
        let hash = blake3::hash(public_key);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        Self(bytes)
    }

    /// The first eight digits, enough for people to tell nodes apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl JobId {
    /// How many of its bytes are random; they come first.
    pub const RANDOM_BYTES: usize = 16 - Self::TIME_BYTES;
    /// How many of its bytes are the time of its submission; they come last.
    pub const TIME_BYTES: usize = 6;

    /// The id of a job that is submitted at `unix_ms`, in milliseconds since 1970. Nothing but speed
    /// depends on the clock being right.
    #[must_use]
    pub fn drawn(random: [u8; Self::RANDOM_BYTES], unix_ms: u64) -> Self {
        let mut bytes = [0; 16];
        let (front, back) = bytes.split_at_mut(Self::RANDOM_BYTES);
        front.copy_from_slice(&random);
        back.copy_from_slice(&unix_ms.to_be_bytes()[8 - Self::TIME_BYTES..]);
        Self(bytes)
    }
}

impl WorkerId {
    /// The first eight digits, enough for people to tell devices apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl From<NodeId> for WorkerId {
    fn from(node: NodeId) -> Self {
        Self(node.0)
    }
}

impl ChunkHash {
    /// The hash of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// The number of a block within its job's cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockIndex(pub u32);

impl fmt::Display for BlockIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A coordinator's term of office in one job: a number, the winner's id and which of its processes it is,
/// compared in that order, so neither the two sides of a cut network nor two machines with one copied key
/// can share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// Counts up from 1, the epoch of the node where the job was submitted.
    pub number: u64,
    /// Who coordinates in this epoch.
    pub coordinator: NodeId,
    /// Drawn by the coordinator's process at its start.
    pub incarnation: u64,
}

struct IdVisitor<const N: usize>;

impl<'de, const N: usize> de::Visitor<'de> for IdVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes, or twice as many hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
        parse_hexadecimal(text).ok_or_else(|| E::custom(IdError { digits: 2 * N }))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<[u8; N], E> {
        bytes
            .try_into()
            .map_err(|_| E::invalid_length(bytes.len(), &self))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut sequence: A) -> Result<[u8; N], A::Error> {
        let mut bytes = [0; N];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = sequence
                .next_element()?
                .ok_or_else(|| de::Error::invalid_length(index, &self))?;
        }
        Ok(bytes)
    }
}

fn parse_hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = JobId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_job_s_id_begins_with_chance_and_ends_with_its_time() {
        let id = JobId::drawn([0xab; 10], 0x0123_4567_89ab);
        assert_eq!(id.to_string(), "abababababababababab0123456789ab");
        // Of a clock that is wrong by ages the lower digits count.
        let late = JobId::drawn([0; 10], u64::MAX);
        assert_eq!(late.to_string(), "00000000000000000000ffffffffffff");
    }

    #[test]
    fn text_of_another_length_or_alphabet_is_refused() {
        for text in [
            "",
            "00",
            "G0000000000000000000000000000000",
            "é",
            "AB000000000000000000000000000000",
        ] {
            assert!(text.parse::<NodeId>().is_err(), "{text}");
        }
    }

    #[test]
    fn epochs_compare_by_number_before_winner() {
        let low = NodeId::from_bytes([0; 16]);
        let high = NodeId::from_bytes([255; 16]);
        let earlier = Epoch {
            number: 1,
            coordinator: high,
            incarnation: 0,
        };
        let later = Epoch {
            number: 2,
            coordinator: low,
            incarnation: 0,
        };
        assert!(earlier < later);
    }
}
