//! What a job is: everything that is fixed when it is submitted, and the
//! short form in which every node knows every job.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{ChunkHash, Epoch, JobId, NodeId};

/// The sides of a product C = A · B.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Rows of A and of C.
    pub rows: u32,
    /// Columns of A and rows of B.
    pub inner: u32,
    /// Columns of B and of C.
    pub cols: u32,
}

/// How entries are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arithmetic {
    /// In the order of k, every product and sum rounded: the same bits from
    /// any crowd of devices.
    #[default]
    Reproducible,
    /// Fused and in any order: within the usual error bound.
    Fast,
}

/// Which devices get work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// Every device gets some rows.
    #[default]
    All,
    /// Only the devices that shorten the job.
    Fastest,
}

/// What a submitter may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobOptions {
    /// How entries are summed.
    pub arithmetic: Arithmetic,
    /// Which devices get work.
    pub spread: Spread,
}

/// The seed of a random matrix. As JSON it travels as text, because a
/// browser's numbers cannot hold all of its 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seed(pub u64);

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&self.0)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            // Not `deserialize_str`: within a tagged enum serde buffers what it
            // reads and calls itself human-readable, also where the format is
            // binary and the seed a number.
            deserializer.deserialize_any(SeedVisitor)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

struct SeedVisitor;

impl de::Visitor<'_> for SeedVisitor {
    type Value = Seed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a seed from 0 to 2^64 - 1, as text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Seed, E> {
        text.parse().map(Seed).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, seed: u64) -> Result<Seed, E> {
        Ok(Seed(seed))
    }
}

/// Where a matrix's entries come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MatrixSource {
    /// Every device makes the entries itself: NumPy's Philox under this seed.
    Random(Seed),
    /// Stored pieces, in the order and sizes of the job's cut.
    Chunks(Vec<ChunkHash>),
}

/// How C is cut into blocks. The meaning of the two numbers is in `kernel::cut`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CutShape {
    /// Rows of a block, less for the last one.
    pub rows_per_block: u32,
    /// Columns of a block, less for the last one.
    pub cols_per_block: u32,
}

/// Everything about a job that never changes after its submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// The job's id.
    pub id: JobId,
    /// The sides of the product.
    pub shape: Shape,
    /// What the submitter chose.
    pub options: JobOptions,
    /// The cut of C into blocks; fixed, or copies of a job could not be united.
    pub cut: CutShape,
    /// The left factor.
    pub a: MatrixSource,
    /// The right factor.
    pub b: MatrixSource,
    /// The node where it was submitted.
    pub origin: NodeId,
    /// Milliseconds since 1970 by the clock of `origin`; shown, never compared.
    pub submitted_at_unix_ms: u64,
    /// The submitter's `Idempotency-Key`: a repeated request finds this job.
    pub idempotency_key: Option<String>,
}

/// How a job ended. Where two copies of a job differ, the smaller one in this
/// order stands: complete before cancelled before failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ending {
    /// Every block counts.
    Complete,
    /// Somebody cancelled it.
    Cancelled,
    /// It cannot be finished; the reason is a sentence for people.
    Failed(String),
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Blocks are still to be computed.
    Running,
    /// The result is there.
    Complete,
    /// It cannot be finished.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl JobStatus {
    /// Of two that are told of one job the one with the smaller number stands: of
    /// two ends, which two sides of a cut network came to, a result before none.
    #[must_use]
    pub fn precedence(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Cancelled => 1,
            Self::Failed => 2,
            Self::Running => 3,
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}

impl From<Option<&Ending>> for JobStatus {
    fn from(ending: Option<&Ending>) -> Self {
        match ending {
            None => Self::Running,
            Some(Ending::Complete) => Self::Complete,
            Some(Ending::Cancelled) => Self::Cancelled,
            Some(Ending::Failed(_)) => Self::Failed,
        }
    }
}

/// What every node knows of every job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSummary {
    /// The job's id.
    pub id: JobId,
    /// Where it stands.
    pub status: JobStatus,
    /// Who coordinates it, and since which epoch.
    pub epoch: Epoch,
    /// Counts the summaries of one epoch, so that a late one is known as such.
    pub version: u64,
    /// Nodes that hold a copy of its state, the coordinator first.
    pub holders: Vec<NodeId>,
    /// The sides of the product.
    pub shape: Shape,
    /// What the submitter chose.
    pub options: JobOptions,
    /// Blocks of its cut.
    pub blocks_total: u32,
    /// Blocks that count as done.
    pub blocks_done: u32,
    /// Milliseconds since 1970 by the clock of the node it was submitted to.
    pub submitted_at_unix_ms: u64,
    /// The submitter's `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// It was complete, and runs again: whoever had the last blocks is gone.
    pub reopened: bool,
    /// Somebody was sent the whole result: where a directory is full, such a job goes first.
    pub fetched: bool,
}
