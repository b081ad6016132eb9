//! The two factors of a block: fetched as chunks or made from a seed.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use kernel::cut::Rectangle;
use kernel::entry_bytes::entries_of;
use kernel::seeded::SeededMatrix;
use kernel::{Arithmetic, Multiplier, RightFactor};
use wire::{BlockTask, Chunk, JobId, NodeId, TaskInput};

use super::left_cache::LeftCache;
use crate::chunks::turn_of;
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

    /// Row-major, whole rows of `inner` entries in each part. What is made from a seed is then
    /// in `memory`.
    pub(super) fn parts<'m>(
        &'m self,
        task: &BlockTask,
        made: &LeftCache,
        memory: &'m mut Arc<Vec<f64>>,
    ) -> Vec<Cow<'m, [f64]>> {
        match &self.material {
            Material::Bytes(chunks) => chunks.iter().map(|chunk| entries_of(chunk)).collect(),
            Material::Seeded { matrix, rectangle } => {
                made.make(task, matrix, rectangle, memory);
                vec![Cow::Borrowed(memory.as_slice())]
            }
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
                let mut entries = Vec::new();
                let mut start = rectangle.rows.start;
                while start < rectangle.rows.end {
                    let end = (start + SEEDED_ROWS_AT_ONCE).min(rectangle.rows.end);
                    let band = Rectangle {
                        rows: start..end,
                        cols: rectangle.cols.clone(),
                    };
                    fill(&matrix, &band, &mut entries);
                    packer.push_rows(&entries);
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
        TaskInput::Chunks { chunks } => {
            let chunks = fetch_chunks(chunks, cols, services, (job, from)).await?;
            let found_rows: u64 = chunks.iter().map(|(rows, _)| u64::from(*rows)).sum();
            let bytes = chunks.into_iter().map(|(_, bytes)| bytes).collect();
            (found_rows == u64::from(rows)).then_some(Material::Bytes(bytes))
        }
    }
}

/// The chunks of a factor with their rows, asked for in this node's own order.
async fn fetch_chunks(
    list: &[Chunk],
    cols: u32,
    services: &Services,
    (job, from): (JobId, NodeId),
) -> Option<Vec<(u32, Bytes)>> {
    let mut turns: Vec<usize> = (0..list.len()).collect();
    turns.sort_by_key(|index| turn_of(services.node, list[*index].hash));
    let mut arriving = stream::iter(turns)
        .map(|index| async move {
            let holders = async || services.holders(job, Some(from)).await;
            (index, services.chunks.get(list[index].hash, holders).await)
        })
        .buffer_unordered(CHUNKS_AT_ONCE);
    let mut fetched = vec![None; list.len()];
    while let Some((index, bytes)) = arriving.next().await {
        let (bytes, rows) = (bytes?, list[index].rows);
        // What a coordinator says of a chunk is checked, too.
        if bytes.len() as u64 != 8 * u64::from(rows) * u64::from(cols) {
            return None;
        }
        fetched[index] = Some((rows, bytes));
    }
    fetched.into_iter().collect()
}

pub(super) fn fill(matrix: &SeededMatrix, rectangle: &Rectangle, out: &mut Vec<f64>) {
    let entries = usize::try_from(rectangle.entries()).expect("a block's input fits memory");
    out.resize(entries, 0.0);
    matrix.fill(rectangle, out);
}

pub(super) fn arithmetic_of(arithmetic: wire::Arithmetic) -> Arithmetic {
    match arithmetic {
        wire::Arithmetic::Reproducible => Arithmetic::Reproducible,
        wire::Arithmetic::Fast => Arithmetic::Fast,
    }
}
