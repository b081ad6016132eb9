//! both: the fields of the form `New multiplication`.

use serde::{Deserialize, Serialize};
use wire::JobOptions;

/// What the form sends. All of it is text: a field that is empty or no number
/// must come back as a sentence about that field, not as a failed decoding.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubmissionForm {
    /// Rows of A.
    pub rows: String,
    /// Columns of A, rows of B.
    pub inner: String,
    /// Columns of B.
    pub cols: String,
    /// The typed entries of A, row-major; none where A is random.
    pub a: Vec<String>,
    /// The typed entries of B, row-major; none where B is random.
    pub b: Vec<String>,
    /// The seed of a random A; empty for any.
    pub a_seed: String,
    /// The seed of a random B; empty for any.
    pub b_seed: String,
    /// How and where to compute.
    pub options: JobOptions,
}
