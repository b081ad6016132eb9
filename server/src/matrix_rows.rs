//! A job's matrices read from the top row down, whichever way they are stored.
//!
//! Results lie in the store as blocks, inputs as chunks, both cut into columns
//! too where the matrix is wide; random inputs do not lie anywhere. A
//! [`RowReader`] fetches what the next rows need and nothing more, so a matrix
//! of any size passes through a few megabytes of memory: one tile for each
//! column of tiles. [`body`] writes the rows in a file format.

pub(crate) mod body;

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use cluster::Input;
use futures_util::{StreamExt, stream};
use kernel::cut::{Cut, Rectangle};
use kernel::entry_bytes::{ENTRY_BYTES, entries_of};
use kernel::seeded::SeededMatrix;
use wire::{BlockIndex, ChunkHash, JobId, Problem, Seed};

use crate::services::Services;
use crate::store::StoreError;

/// Entries that are turned into text at once: about a megabyte of it, long
/// enough to be worth a thread's while.
const BAND_ENTRIES: u32 = 1 << 16;

/// Tiles side by side that are fetched at once: as many as the store has readers.
const TILES_AT_ONCE: usize = 4;

/// A matrix, by where its rows come from.
#[derive(Debug, Clone)]
pub(crate) struct MatrixRows {
    rows: u32,
    cols: u32,
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Origin {
    Seeded(SeededMatrix),
    /// From left to right.
    Columns(Vec<TileColumn>),
}

/// Tiles one below the other, of the same columns, from the top row down.
#[derive(Debug, Clone, Default)]
struct TileColumn {
    cols: Range<u32>,
    tiles: Vec<Tile>,
}

#[derive(Debug, Clone)]
struct Tile {
    rows: Range<u32>,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Result(JobId, BlockIndex, Option<ChunkHash>),
    Chunk(JobId, ChunkHash),
}

impl MatrixRows {
    /// The result of a complete job with this cut, `hashes` those of its blocks as far as they are known.
    pub(crate) fn result(job: JobId, cut: &Cut, hashes: &BTreeMap<BlockIndex, ChunkHash>) -> Self {
        let blocks = (0..cut.block_count()).filter_map(|index| cut.block(index));
        let tiles = blocks.map(|block| {
            let index = BlockIndex(block.index);
            let place = Place::Result(job, index, hashes.get(&index).copied());
            (
                Rectangle {
                    rows: block.rows,
                    cols: block.cols,
                },
                place,
            )
        });
        let shape = cut.shape();
        Self {
            rows: shape.rows,
            cols: shape.cols,
            origin: Origin::Columns(columns_of(tiles)),
        }
    }

    /// A stored input of a job: `rectangles` as the cut lists them, and their
    /// hashes.
    pub(crate) fn chunks(
        job: JobId,
        (rows, cols): (u32, u32),
        rectangles: &[Rectangle],
        hashes: &[ChunkHash],
    ) -> Result<Self, Problem> {
        if rectangles.len() != hashes.len() {
            return Err(Problem::new(500, "the job's record does not fit its cut"));
        }
        let tiles = rectangles.iter().zip(hashes);
        let tiles = tiles.map(|(rectangle, hash)| (rectangle.clone(), Place::Chunk(job, *hash)));
        Ok(Self {
            rows,
            cols,
            origin: Origin::Columns(columns_of(tiles)),
        })
    }

    /// A random matrix.
    pub(crate) fn seeded(seed: Seed, rows: u32, cols: u32) -> Self {
        Self {
            rows,
            cols,
            origin: Origin::Seeded(SeededMatrix {
                seed: seed.0,
                rows,
                cols,
            }),
        }
    }

    /// Rows × columns.
    pub(crate) fn sides(&self) -> (u32, u32) {
        (self.rows, self.cols)
    }

    /// The matrix without the columns of tiles that begin right of `cols`.
    pub(crate) fn left_part(mut self, cols: u32) -> Self {
        if let Origin::Columns(columns) = &mut self.origin {
            columns.retain(|column| column.cols.start < cols);
            self.cols = columns.last().map_or(0, |column| column.cols.end);
        }
        self
    }
}

impl TileColumn {
    fn tile_at(&self, row: u32) -> Option<Tile> {
        // Rows are read in order, so a search per tile costs next to nothing.
        let index = self.tiles.partition_point(|tile| tile.rows.end <= row);
        self.tiles.get(index).cloned()
    }
}

/// Tiles arrive column of tiles by column of tiles, each from the top.
fn columns_of(tiles: impl Iterator<Item = (Rectangle, Place)>) -> Vec<TileColumn> {
    let mut columns: Vec<TileColumn> = Vec::new();
    for (rectangle, place) in tiles {
        let tile = Tile {
            rows: rectangle.rows,
            place,
        };
        match columns.last_mut() {
            Some(column) if column.cols == rectangle.cols => column.tiles.push(tile),
            _ => columns.push(TileColumn {
                cols: rectangle.cols,
                tiles: vec![tile],
            }),
        }
    }
    columns
}

/// Reads a matrix from the top row down.
#[derive(Debug)]
pub(crate) struct RowReader {
    services: Services,
    matrix: MatrixRows,
    next_row: u32,
    /// For each column of tiles: the tile that holds the next row.
    current: Vec<Option<Held>>,
}

#[derive(Debug, Clone)]
struct Held {
    rows: Range<u32>,
    width: usize,
    bytes: Bytes,
}

/// Some rows, whole ones, not yet put together: that is for the thread that
/// also writes them.
#[derive(Debug)]
pub(crate) struct Band {
    rows: Range<u32>,
    width: usize,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    Seeded(SeededMatrix),
    Held(Vec<Held>),
}

impl RowReader {
    /// A reader at the first row.
    pub(crate) fn new(services: Services, matrix: MatrixRows) -> Self {
        let columns = match &matrix.origin {
            Origin::Seeded(_) => 0,
            Origin::Columns(columns) => columns.len(),
        };
        Self {
            services,
            matrix,
            next_row: 0,
            current: vec![None; columns],
        }
    }

    /// The next rows, or `None` behind the last. 503 when they are nowhere to
    /// be had now.
    pub(crate) async fn next_band(&mut self) -> Result<Option<Band>, Problem> {
        if self.next_row >= self.matrix.rows {
            return Ok(None);
        }
        let rows_at_once = (BAND_ENTRIES / self.matrix.cols.max(1)).max(1);
        let mut end = self
            .next_row
            .saturating_add(rows_at_once)
            .min(self.matrix.rows);
        let parts = match &self.matrix.origin {
            Origin::Seeded(matrix) => Parts::Seeded(*matrix),
            Origin::Columns(columns) => {
                let mut wanted = Vec::new();
                for (index, (column, held)) in columns.iter().zip(&self.current).enumerate() {
                    let row = self.next_row;
                    if held.as_ref().is_none_or(|held| held.rows.end <= row) {
                        let tile = column.tile_at(row).ok_or_else(not_here)?;
                        let width = column.cols.len();
                        wanted.push(fetch(self.services.clone(), tile, (index, width)));
                    }
                }
                let mut fetched = stream::iter(wanted).buffer_unordered(TILES_AT_ONCE);
                while let Some(found) = fetched.next().await {
                    let (index, held) = found?;
                    self.current[index] = Some(held);
                }
                let held: Vec<Held> = self.current.iter().flatten().cloned().collect();
                end = held.iter().map(|held| held.rows.end).fold(end, u32::min);
                Parts::Held(held)
            }
        };
        let band = Band {
            rows: self.next_row..end,
            width: self.matrix.cols as usize,
            parts,
        };
        self.next_row = end;
        Ok(Some(band))
    }
}

impl Band {
    /// Entries of a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The rows' entries, row-major. Takes a millisecond or so.
    pub(crate) fn entries(&self) -> Vec<f64> {
        match &self.parts {
            Parts::Seeded(matrix) => {
                let rectangle = Rectangle {
                    rows: self.rows.clone(),
                    cols: 0..matrix.cols,
                };
                let mut entries = vec![0.0; self.rows.len() * self.width];
                matrix.fill(&rectangle, &mut entries);
                entries
            }
            Parts::Held(parts) => {
                let mut entries = Vec::with_capacity(self.rows.len() * self.width);
                for row in self.rows.clone() {
                    for part in parts {
                        let row_bytes = part.width * ENTRY_BYTES;
                        let start = (row - part.rows.start) as usize * row_bytes;
                        let bytes = &part.bytes[start..start + row_bytes];
                        entries.extend_from_slice(&entries_of(bytes));
                    }
                }
                entries
            }
        }
    }
}

/// A tile and the number of its column, which is so many entries wide.
async fn fetch(
    services: Services,
    tile: Tile,
    (column, width): (usize, usize),
) -> Result<(usize, Held), Problem> {
    let bytes = match tile.place {
        Place::Result(job, block, hash) => {
            match hash.and_then(|hash| services.chunks.cached(hash)) {
                Some(bytes) => Some(bytes),
                None => {
                    let found = services.store.result(job, block).await;
                    if let Ok(None) | Err(StoreError::Damaged { .. }) = found {
                        // Another holder gives it again, or it is computed again.
                        services
                            .driver
                            .tell(Input::ResultDamaged { job, block })
                            .await;
                    }
                    found.map_err(|error| crate::jobs::store_failed(&error))?
                }
            }
        }
        Place::Chunk(job, hash) => {
            let holders = async || services.holders(job, None).await;
            services.chunks.get(hash, holders).await
        }
    };
    let bytes = bytes.ok_or_else(not_here)?;
    if bytes.len() != tile.rows.len() * width * ENTRY_BYTES {
        tracing::error!(
            ?tile,
            bytes = bytes.len(),
            "a stored tile has another size than its cut says"
        );
        return Err(Problem::new(500, "a stored part of this matrix is damaged"));
    }
    let held = Held {
        rows: tile.rows,
        width,
        bytes,
    };
    Ok((column, held))
}

fn not_here() -> Problem {
    Problem::new(503, "a part of this matrix is not here now: try again")
}
