//! A job as a person submits it, before it is cut and stored.

use serde::{Deserialize, Serialize};

use crate::{JobOptions, Seed};

/// One factor as it is submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum MatrixInput {
    /// The entries, row-major.
    Entries {
        /// Rows.
        rows: u32,
        /// Columns.
        cols: u32,
        /// rows · cols numbers.
        entries: Vec<f64>,
    },
    /// Made on the devices from a seed, uniform in [0, 1).
    Random {
        /// Rows.
        rows: u32,
        /// Columns.
        cols: u32,
        /// NumPy's `Philox(key=seed)`.
        seed: Seed,
    },
}

impl MatrixInput {
    /// Rows × columns, as the submitter states them.
    #[must_use]
    pub fn sides(&self) -> (u32, u32) {
        match self {
            Self::Entries { rows, cols, .. } | Self::Random { rows, cols, .. } => (*rows, *cols),
        }
    }
}

/// A multiplication to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The left factor.
    pub a: MatrixInput,
    /// The right factor.
    pub b: MatrixInput,
    /// How and where to compute.
    pub options: JobOptions,
    /// A repeated request with the same key finds the same job.
    pub idempotency_key: Option<String>,
}
