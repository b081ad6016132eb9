//! The two factors of a block: fetched as chunks or made from a seed.

use std::borrow::Cow;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use kernel::cut::Rectangle;
use kernel::entry_bytes::entries_of;
use kernel::seeded::SeededMatrix;
use kernel::{Arithmetic, Multiplier, RightFactor};
use wire::{BlockTask, JobId, NodeId, TaskInput};

use crate::services::Services;

/// How many rows of a seeded factor are made at a time: what is made is packed
/// while it is still in the cache.
const SEEDED_ROWS_AT_ONCE: u32 = 64;

/// Chunks of one factor that are fetched at once: enough to fill a link.
const CHUNKS_AT_ONCE: usize = 4;

/// A factor whose bytes are here, or that is yet to be made.
enum Material {
    Bytes(Vec<Bytes>),
    Seeded {
        matrix: SeededMatrix,
        rectangle: Rectangle,
    },
    /// The packed factor is in the cache.
    Packed,
}

/// A block's rows of A.
pub(super) struct LeftInput {
    material: Material,
}

/// A block's columns of B.
pub(super) struct RightInput {
    material: Material,
}

impl LeftInput {
    pub(super) async fn fetch(task: &BlockTask, services: &Services, from: NodeId) -> Option<Self> {
        let material = fetch(&task.a, (task.rows, task.inner), services, (task.job, from)).await?;
        Some(Self { material })
    }

    /// Row-major, whole rows of `inner` entries in each part.
    pub(super) fn parts(&self) -> Vec<Cow<'_, [f64]>> {
        match &self.material {
            Material::Bytes(chunks) => chunks.iter().map(|chunk| entries_of(chunk)).collect(),
            Material::Seeded { matrix, rectangle } => vec![Cow::Owned(fill(matrix, rectangle))],
            Material::Packed => Vec::new(),
        }
    }
}

impl RightInput {
    pub(super) async fn fetch(task: &BlockTask, services: &Services, from: NodeId) -> Option<Self> {
        let material = fetch(&task.b, (task.inner, task.cols), services, (task.job, from)).await?;
        Some(Self { material })
    }

    pub(super) fn packed_before(_task: &BlockTask) -> Self {
        Self {
            material: Material::Packed,
        }
    }

    /// Packs the factor; `None` when its bytes are not here.
    pub(super) fn pack(self, task: &BlockTask, multiplier: &Multiplier) -> Option<RightFactor> {
        let mut packer = multiplier.prepare_right(task.inner as usize, task.cols as usize);
        match self.material {
            Material::Bytes(chunks) => {
                for chunk in chunks {
                    packer.push_rows(&entries_of(&chunk));
                }
            }
            Material::Seeded { matrix, rectangle } => {
                let mut start = rectangle.rows.start;
                while start < rectangle.rows.end {
                    let end = (start + SEEDED_ROWS_AT_ONCE).min(rectangle.rows.end);
                    let band = Rectangle {
                        rows: start..end,
                        cols: rectangle.cols.clone(),
                    };
                    packer.push_rows(&fill(&matrix, &band));
                    start = end;
                }
            }
            Material::Packed => return None,
        }
        packer.finish().ok()
    }
}

async fn fetch(
    input: &TaskInput,
    (rows, cols): (u32, u32),
    services: &Services,
    (job, from): (JobId, NodeId),
) -> Option<Material> {
    match input {
        TaskInput::Random {
            seed,
            matrix_cols,
            row_start,
            col_start,
        } => {
            let row_end = row_start.checked_add(rows)?;
            let matrix = SeededMatrix {
                seed: seed.0,
                rows: row_end,
                cols: *matrix_cols,
            };
            let col_end = col_start.checked_add(cols)?;
            let rectangle = Rectangle {
                rows: *row_start..row_end,
                cols: *col_start..col_end,
            };
            (col_end <= *matrix_cols).then_some(Material::Seeded { matrix, rectangle })
        }
        TaskInput::Chunks { chunks: list } => {
            let mut arriving = stream::iter(list.clone())
                .map(|chunk| async move {
                    let holders = async || services.holders(job, Some(from)).await;
                    (chunk, services.chunks.get(chunk.hash, holders).await)
                })
                .buffered(CHUNKS_AT_ONCE);
            let mut fetched = Vec::with_capacity(list.len());
            let mut found_rows = 0;
            while let Some((chunk, bytes)) = arriving.next().await {
                let bytes = bytes?;
                // What a coordinator says of a chunk is checked, too.
                if bytes.len() as u64 != 8 * u64::from(chunk.rows) * u64::from(cols) {
                    return None;
                }
                found_rows += u64::from(chunk.rows);
                fetched.push(bytes);
            }
            (found_rows == u64::from(rows)).then_some(Material::Bytes(fetched))
        }
    }
}

fn fill(matrix: &SeededMatrix, rectangle: &Rectangle) -> Vec<f64> {
    let entries = usize::try_from(rectangle.entries()).expect("a block's input fits memory");
    let mut out = vec![0.0; entries];
    matrix.fill(rectangle, &mut out);
    out
}

pub(super) fn arithmetic_of(arithmetic: wire::Arithmetic) -> Arithmetic {
    match arithmetic {
        wire::Arithmetic::Reproducible => Arithmetic::Reproducible,
        wire::Arithmetic::Fast => Arithmetic::Fast,
    }
}
