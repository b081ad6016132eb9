//! A block on its way to a worker, and what comes back with its result.
//!
//! A task says all that a worker needs, so a device that knows nothing of the
//! job can compute it. The matrices themselves travel as chunks, fetched by
//! their hash.

use serde::{Deserialize, Serialize};

use crate::{Arithmetic, BlockIndex, ChunkHash, JobId, Seed};

/// One stored piece of a matrix: whole rows of the part that a block needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Chunk {
    /// BLAKE3 of its bytes, row-major little-endian f64.
    pub hash: ChunkHash,
    /// How many rows it holds.
    pub rows: u32,
}

/// One factor of a block: the rows of A it needs, or the columns of B.
/// Equal inputs are equal contents, so it is also the key of a cache.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum TaskInput {
    /// Make it: a rectangle of NumPy's Philox matrix under a seed.
    Random {
        /// The seed.
        seed: Seed,
        /// Columns of the whole matrix: the distance from row to row.
        matrix_cols: u32,
        /// First row of the rectangle.
        row_start: u32,
        /// First column of the rectangle.
        col_start: u32,
    },
    /// Fetch it: these chunks, one below the other.
    Chunks {
        /// From the top row down.
        chunks: Vec<Chunk>,
    },
}

/// One block to compute: `rows` × `inner` times `inner` × `cols`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockTask {
    /// The job.
    pub job: JobId,
    /// Which block of it.
    pub block: BlockIndex,
    /// The first of its rows in C.
    pub row_start: u32,
    /// Rows of the block.
    pub rows: u32,
    /// The length of each sum.
    pub inner: u32,
    /// Columns of the block.
    pub cols: u32,
    /// How entries are summed.
    pub arithmetic: Arithmetic,
    /// The block's rows of A: `rows` × `inner`.
    pub a: TaskInput,
    /// The block's columns of B: `inner` × `cols`.
    pub b: TaskInput,
}

impl BlockTask {
    /// Floating-point operations: 2 · rows · inner · cols. Saturates, because
    /// a task comes from elsewhere.
    #[must_use]
    pub fn operations(&self) -> u64 {
        (u64::from(self.rows) * u64::from(self.inner))
            .saturating_mul(2)
            .saturating_mul(u64::from(self.cols))
    }

    /// Bytes of its result: 8 · rows · cols. Saturates likewise.
    #[must_use]
    pub fn result_bytes(&self) -> u64 {
        (u64::from(self.rows) * u64::from(self.cols)).saturating_mul(8)
    }
}

/// What a worker claims of its work on one block.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BlockProof {
    /// Milliseconds it computed, waiting and copying left out.
    pub compute_ms: f64,
    /// Microseconds from the task's arrival until its inputs were there.
    #[serde(default)]
    pub receive_us: u64,
    /// Microseconds from then until it began to compute.
    #[serde(default)]
    pub wait_us: u64,
    /// Floating-point operations it did.
    pub operations: u64,
    /// BLAKE3 of the result's bytes, row-major little-endian f64. A page
    /// leaves it out: its node computes it when the bytes arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ChunkHash>,
    /// Bytes of the result.
    pub bytes: u64,
}
