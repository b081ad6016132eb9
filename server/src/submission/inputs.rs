//! Cuts an input into chunks and stores them.

use std::io;

use bytes::Bytes;
use kernel::cut::Rectangle;
use kernel::entry_bytes::{ENTRY_BYTES, EntryBytes};
use tokio::sync::mpsc;
use wire::{ChunkHash, JobId, MatrixInput, MatrixSource, Problem, Seed};

use super::{Operand, Spool};
use crate::jobs::store_failed;
use crate::services::Services;
use crate::small_inputs::{self, Inputs};

/// Bytes that one transaction stores: several chunks share a sync, and the
/// cluster's own writes still get their turn between two.
const BATCH_BYTES: usize = 4 << 20;

/// Batches that are ready while one is being written.
const BATCHES_WAITING_MAX: usize = 2;

/// Largest matrix whose chunks share its memory: while one of them is in use, all of it stays.
const SHARED_BYTES_MAX: usize = 256 << 20;

/// Chunks that are stored together, and which of the job's they are.
#[derive(Debug, Default)]
struct Batch {
    indices: Vec<usize>,
    chunks: Vec<(ChunkHash, Bytes)>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, index: usize, bytes: Bytes) {
        self.bytes += bytes.len();
        self.indices.push(index);
        self.chunks.push((ChunkHash::of(&bytes), bytes));
    }
}

/// An input, and the pieces that the cut asks for.
#[derive(Debug)]
pub(super) struct Factor {
    pub(super) operand: Operand,
    pub(super) rectangles: Vec<Rectangle>,
}

impl Factor {
    /// Bytes and pieces that are stored of it: none of a seed.
    fn stored(&self) -> (usize, usize) {
        let bytes = match &self.operand {
            Operand::Given(MatrixInput::Random { .. }) => return (0, 0),
            Operand::Given(MatrixInput::Entries { entries, .. }) => entries.len() * ENTRY_BYTES,
            Operand::Read(matrix) => matrix.entries().len() * ENTRY_BYTES,
            Operand::Spooled(spool) => spool.bytes(),
        };
        (bytes, self.rectangles.len())
    }

    fn seed(&self) -> Option<Seed> {
        match self.operand {
            Operand::Given(MatrixInput::Random { seed, .. }) => Some(seed),
            _ => None,
        }
    }
}

/// Both inputs of a job, as its record tells of them.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) a: MatrixSource,
    pub(super) b: MatrixSource,
    /// Small ones, to be stored together with the job.
    pub(super) unstored: Inputs,
}

/// Stores both inputs of `job` in their pieces; a random one is stored as its seed.
pub(super) async fn store(
    services: &Services,
    job: JobId,
    a: Factor,
    b: Factor,
) -> Result<Sources, Problem> {
    let seeds = (a.seed(), b.seed());
    let ((a_bytes, a_chunks), (b_bytes, b_chunks)) = (a.stored(), b.stored());
    let mut hashes = vec![None; a_chunks + b_chunks];
    let mut unstored = Inputs::new();
    // Up to there cutting takes less time than waking a thread for it, too.
    if a_bytes + b_bytes <= small_inputs::BYTES_MAX {
        for (factor, first) in [(a, 0), (b, a_chunks)] {
            let cut = cut_up(factor, first, |batch| {
                note(services, batch.indices, &batch.chunks, &mut hashes);
                unstored.extend(batch.chunks);
                true
            });
            cut.map_err(|error| store_failed(&error.into()))?;
        }
        if !small_inputs::are_blobs(&unstored) || !services.store.has_ample_room() {
            put(services, job, &std::mem::take(&mut unstored)).await?;
            sync(services, job).await?;
        }
    } else {
        let (sender, mut batches) = mpsc::channel(BATCHES_WAITING_MAX);
        let cutting = [(a, 0), (b, a_chunks)].map(|(factor, first)| {
            let sender = sender.clone();
            tokio::task::spawn_blocking(move || {
                // Ends early when nobody takes the batches any longer.
                let take = |batch| sender.blocking_send(Ok(batch)).is_ok();
                if let Err(error) = cut_up(factor, first, take) {
                    let _ = sender.blocking_send(Err(error));
                }
            })
        });
        drop(sender);
        while let Some(batch) = batches.recv().await {
            let batch = batch.map_err(|error| store_failed(&error.into()))?;
            keep(services, job, batch, &mut hashes).await?;
        }
        for cutting in cutting {
            let ended = cutting.await;
            ended.map_err(|_| Problem::new(500, "cutting the matrices failed"))?;
        }
        sync(services, job).await?;
    }
    let hashes = hashes.into_iter().collect::<Option<Vec<ChunkHash>>>();
    let mut hashes = hashes.ok_or_else(|| Problem::new(500, "cutting the matrices failed"))?;
    let b_hashes = hashes.split_off(a_chunks);
    let source = |seed: Option<Seed>, hashes| match seed {
        Some(seed) => MatrixSource::Random(seed),
        None => MatrixSource::Chunks(hashes),
    };
    Ok(Sources {
        a: source(seeds.0, hashes),
        b: source(seeds.1, b_hashes),
        unstored,
    })
}

/// None of it counts before the job does, so the disk is waited for once.
async fn sync(services: &Services, job: JobId) -> Result<(), Problem> {
    let synced = services.store.sync_pieces(job).await;
    synced.map_err(|error| store_failed(&error))
}

async fn put(
    services: &Services,
    job: JobId,
    chunks: &[(ChunkHash, Bytes)],
) -> Result<(), Problem> {
    let stored = services.store.put_chunks(job, chunks, true).await;
    stored.map_err(|error| store_failed(&error))
}

async fn keep(
    services: &Services,
    job: JobId,
    batch: Batch,
    hashes: &mut [Option<ChunkHash>],
) -> Result<(), Problem> {
    put(services, job, &batch.chunks).await?;
    note(services, batch.indices, &batch.chunks, hashes);
    Ok(())
}

fn note(
    services: &Services,
    indices: Vec<usize>,
    chunks: &[(ChunkHash, Bytes)],
    hashes: &mut [Option<ChunkHash>],
) {
    for (index, (hash, bytes)) in indices.into_iter().zip(chunks) {
        hashes[index] = Some(*hash);
        services.chunks.remember(*hash, bytes.clone());
    }
}

/// Copies and hashes, for as long as the batches are taken. Pieces are numbered from `first` on.
fn cut_up(factor: Factor, first: usize, mut take: impl FnMut(Batch) -> bool) -> io::Result<()> {
    let mut batch = Batch::default();
    let Factor {
        operand,
        rectangles,
    } = factor;
    let mut turns: Vec<usize> = (0..rectangles.len()).collect();
    let memory = |entries| Bytes::from_owner(EntryBytes::new(entries));
    let source = match operand {
        Operand::Given(MatrixInput::Random { .. }) => return Ok(()),
        Operand::Given(MatrixInput::Entries { cols, entries, .. }) => {
            Source::Memory(memory(entries), cols as usize)
        }
        Operand::Read(matrix) => {
            let cols = matrix.cols();
            Source::Memory(memory(matrix.into_entries()), cols)
        }
        Operand::Spooled(spool) => {
            // So that the disk reads each of its pages once.
            turns.sort_by_key(|index| rectangles[*index].rows.start);
            Source::Disk(spool)
        }
    };
    for index in turns {
        batch.push(first + index, source.part(&rectangles[index])?);
        if batch.bytes >= BATCH_BYTES && !take(std::mem::take(&mut batch)) {
            return Ok(());
        }
    }
    if batch.bytes > 0 {
        // Whether anybody takes it is seen by the other side.
        take(batch);
    }
    Ok(())
}

/// The entries of a factor that is cut.
enum Source {
    /// Row-major, and how many columns there are.
    Memory(Bytes, usize),
    Disk(Spool),
}

impl Source {
    fn part(&self, rectangle: &Rectangle) -> io::Result<Bytes> {
        match self {
            Self::Memory(matrix, cols) => Ok(part_of(matrix, *cols, rectangle)),
            Self::Disk(spool) => spool.part(rectangle),
        }
    }
}

/// A rectangle's entries as they are stored: row-major little-endian f64. Whole rows
/// stay where they are, so long as what a last one of them keeps in memory is little.
fn part_of(matrix: &Bytes, cols: usize, rectangle: &Rectangle) -> Bytes {
    let place = |row: u32, col: u32| (row as usize * cols + col as usize) * ENTRY_BYTES;
    let Rectangle { rows, cols: part } = rectangle;
    if part.len() == cols && matrix.len() <= SHARED_BYTES_MAX {
        return matrix.slice(place(rows.start, 0)..place(rows.end, 0));
    }
    let mut bytes = Vec::with_capacity(rows.len() * part.len() * ENTRY_BYTES);
    for row in rows.clone() {
        bytes.extend_from_slice(&matrix[place(row, part.start)..place(row, part.end)]);
    }
    Bytes::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Bytes, EntryBytes, Rectangle, part_of};

    fn entries(bytes: &[u8]) -> Vec<f64> {
        kernel::entry_bytes::entries_of(bytes).into_owned()
    }

    #[test]
    fn parts_are_the_entries_of_their_rectangle() {
        let matrix = Bytes::from_owner(EntryBytes::new((0..12).map(f64::from).collect()));
        let part = |rows, cols| entries(&part_of(&matrix, 4, &Rectangle { rows, cols }));
        assert_eq!(part(1..3, 0..4), [4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        assert_eq!(part(1..3, 1..3), [5.0, 6.0, 9.0, 10.0]);
        assert_eq!(part(2..3, 3..4), [11.0]);
    }

    #[test]
    fn whole_rows_are_not_copied() {
        let matrix = Bytes::from_owner(EntryBytes::new(vec![0.0; 12]));
        let part = |rows, cols| part_of(&matrix, 4, &Rectangle { rows, cols });
        let within = |part: &Bytes| matrix.as_ptr_range().contains(&part.as_ptr());
        assert!(within(&part(1..3, 0..4)));
        assert!(!within(&part(1..3, 1..3)));
    }
}
