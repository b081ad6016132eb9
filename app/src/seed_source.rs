//! ssr: seeds for random matrices, drawn by the server.

use std::hash::{BuildHasher, RandomState};

/// A fresh seed. It has 32 bits, so that a person can copy it; what matters is
/// that two jobs do not get the same one by chance, not that nobody guesses it.
pub(crate) fn fresh_seed() -> u64 {
    // The standard library keys each hasher from the system's randomness, which
    // spares a dependency for a number that protects nothing.
    RandomState::new().hash_one(()) >> 32
}
