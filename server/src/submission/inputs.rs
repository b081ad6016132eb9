//! Cuts an input into chunks and stores them.

use std::ops::Range;

use bytes::Bytes;
use kernel::cut::Rectangle;
use kernel::entry_bytes;
use tokio::sync::mpsc;
use wire::{ChunkHash, JobId, MatrixInput, MatrixSource, Problem};

use crate::jobs::store_failed;
use crate::services::Services;

/// Bytes that one transaction stores: several chunks share a sync, and the
/// cluster's own writes still get their turn between two.
const BATCH_BYTES: usize = 4 << 20;

/// Batches that are ready while one is being written.
const BATCHES_WAITING_MAX: usize = 2;

type Batch = Vec<(ChunkHash, Bytes)>;

/// Stores an input of `job` in the pieces that the cut asks for; a random one
/// is stored as its seed.
pub(super) async fn store(
    services: &Services,
    job: JobId,
    matrix: MatrixInput,
    rectangles: Vec<Rectangle>,
) -> Result<MatrixSource, Problem> {
    let (cols, entries) = match matrix {
        MatrixInput::Random { seed, .. } => return Ok(MatrixSource::Random(seed)),
        MatrixInput::Entries { cols, entries, .. } => (cols, entries),
    };
    let mut hashes = Vec::with_capacity(rectangles.len());
    let (batches, mut ready) = mpsc::channel(BATCHES_WAITING_MAX);
    let cutting = tokio::task::spawn_blocking(move || {
        cut_up(&entries, cols as usize, &rectangles, &batches);
    });
    while let Some(batch) = ready.recv().await {
        let stored = services.store.put_chunks(job, &batch).await;
        stored.map_err(|error| store_failed(&error))?;
        for (hash, bytes) in batch {
            hashes.push(hash);
            services.chunks.remember(hash, bytes);
        }
    }
    // A panic there would leave chunks out.
    cutting
        .await
        .map_err(|_| Problem::new(500, "cutting the matrix failed"))?;
    Ok(MatrixSource::Chunks(hashes))
}

/// Copying and hashing, on a thread that may take its time. Ends early when
/// nobody takes the batches any longer.
fn cut_up(entries: &[f64], cols: usize, rectangles: &[Rectangle], batches: &mpsc::Sender<Batch>) {
    let mut batch = Batch::new();
    let mut batch_bytes = 0;
    for rectangle in rectangles {
        let bytes = bytes_of(entries, cols, rectangle);
        batch_bytes += bytes.len();
        batch.push((ChunkHash::of(&bytes), bytes));
        if batch_bytes >= BATCH_BYTES {
            batch_bytes = 0;
            if batches.blocking_send(std::mem::take(&mut batch)).is_err() {
                return;
            }
        }
    }
    if !batch.is_empty() {
        // Whether anybody takes it is seen by the other side.
        let _ = batches.blocking_send(batch);
    }
}

/// A rectangle's entries as they are stored: row-major little-endian f64.
fn bytes_of(entries: &[f64], cols: usize, rectangle: &Rectangle) -> Bytes {
    let indices = |range: &Range<u32>| range.start as usize..range.end as usize;
    let columns = indices(&rectangle.cols);
    let mut bytes = Vec::with_capacity(rectangle.rows.len() * columns.len() * 8);
    for row in indices(&rectangle.rows) {
        let row = &entries[row * cols..(row + 1) * cols];
        bytes.extend_from_slice(&entry_bytes::bytes_of(&row[columns.clone()]));
    }
    Bytes::from(bytes)
}
