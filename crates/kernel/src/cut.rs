//! How a product is cut into blocks of C, and its inputs into chunks.
//!
//! The cut is a pure function of the product's shape and of who is there at submit, stored
//! with the job and never changed: two copies of a job can only be united if they speak of the same
//! blocks. Adapting to the devices happens elsewhere, by leasing longer or shorter runs of blocks.
//!
//! Geometry is in `u32`, the same on every device. No size here depends on which kernel computes.

use alloc::vec::Vec;
use core::ops::Range;

/// Fewest blocks of a product that has them: enough that a handful of devices of different speed
/// all end at about the same time, and that even a small job shows how it is shared.
pub const BLOCKS_MIN: u32 = 16;
/// Operations up to which a product has just one block for each device: a fraction of a millisecond
/// on one core of a laptop, less than leasing, storing and copying a single block more.
pub const TINY_OPERATIONS_MAX: u64 = 4_000_000;
/// Most blocks the target asks for; beyond it blocks grow instead: of a large product each re-reads
/// and packs so many rows of A that narrow blocks would cost more than they are worth. Bounds on
/// bytes come first, so the largest products have more: 20000 × 20000 × 20000 has 19 250 blocks,
/// and 40 425 where pages take part.
pub const BLOCKS_TARGET_MAX: u32 = 512;
/// Most devices that are sure to have a block each.
const DEVICES_MAX: u32 = 1024;
/// Most blocks a stored cut may claim, so that a hostile record cannot make anyone list billions.
pub const BLOCKS_MAX: u32 = 1 << 20;
/// Bytes of A that go to a device with one block, unless one row has more. A page holds them twice, as they
/// came and in its thread; half of it would double the number of the largest products' blocks.
pub const LEFT_BYTES_MAX: u64 = 8 << 20;
/// Entries of one block of C, 1 MiB: the largest result frame.
pub const BLOCK_ENTRIES_MAX: u64 = 131_072;
/// Bytes of a chunk, the unit in which inputs are stored, hashed and sent.
pub const CHUNK_BYTES_MAX: u64 = 1 << 20;
/// Bytes of B that stay in a laptop's last-level cache from block to block, so that thin blocks
/// cost nothing.
const RIGHT_CACHED_BYTES: u64 = 8 << 20;
/// Operations from which on a block is worth a column block of B of its own, which has to be sent and packed.
const HEAVY_OPERATIONS: u64 = 50_000_000;
/// MFLOPS of a thread for which a billion operations are a tenth of a second.
const FAST_THREAD_MFLOPS: f64 = 10_000.0;
/// Blocks that each thread of fast nodes is to have, as long as they are not too small or too many for that:
/// the last ones of a job leave few threads idle then.
const BLOCKS_PER_THREAD: u64 = 4;
/// A multiple of every kernel's tile width (2, 4, 8 and 24), so that only the last column block has
/// a ragged edge.
const COLUMN_STEP: u32 = 24;
/// A multiple of the heights of most tiles, so that all tiles of a large block are full.
const ROW_STEP: u32 = 8;
/// Rows from which on a block is cut down to full tiles: of fewer it would lose too many.
const ROUNDED_ROWS_MIN: u32 = 64;
const ENTRY_BYTES: u64 = 8;

/// What a block may be, by who computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Operations a block should take: long enough to drown the cost of handing it out, storing it and
    /// counting it, short enough that a lost block is no loss.
    pub operations_target: u64,
    /// Most bytes of a column block of B.
    pub right_bytes_max: u64,
    /// Rows below which a block re-reads B too often for what it computes with it.
    pub rows_per_large_block: u32,
}

impl Bounds {
    /// Where pages take part. A page may hold 64 MB over all its threads, what is in flight and kept
    /// included: one thread with so much of B, packed, then has room for everything else that a block needs
    /// (`public/compute/budget.js` adds it up). A block takes some milliseconds on one core of a laptop, a
    /// fraction of a second on a phone without SIMD.
    pub const PAGES: Self = Self {
        operations_target: 100_000_000,
        right_bytes_max: 32 << 20,
        rows_per_large_block: 64,
    };
    /// Where no page does: wider column blocks, so that A travels less.
    pub const NODES: Self = Self {
        right_bytes_max: 64 << 20,
        ..Self::PAGES
    };
    /// Where all nodes are fast: larger blocks, some 25 milliseconds on one core of a laptop, so that B is
    /// read less often, and less is stored and told beside what is computed.
    pub const FAST_NODES: Self = Self {
        operations_target: 1_000_000_000,
        rows_per_large_block: 128,
        ..Self::NODES
    };

    /// For nodes that have so many threads together, each at least so fast.
    #[must_use]
    pub fn for_nodes(shape: ProductShape, threads: u32, thread_mflops: f64) -> Self {
        let share = shape.operations() / (BLOCKS_PER_THREAD * u64::from(threads.max(1)));
        if thread_mflops < FAST_THREAD_MFLOPS || share < 2 * Self::NODES.operations_target {
            return Self::NODES;
        }
        Self {
            operations_target: share.min(Self::FAST_NODES.operations_target),
            ..Self::FAST_NODES
        }
    }
}

/// The sides of a product: C (rows × cols) = A (rows × inner) · B (inner × cols).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductShape {
    /// Rows of A and of C.
    pub rows: u32,
    /// Columns of A, rows of B.
    pub inner: u32,
    /// Columns of B and of C.
    pub cols: u32,
}

impl ProductShape {
    /// Floating-point operations of the whole product, 2 · rows · inner · cols. Saturates.
    #[must_use]
    pub fn operations(self) -> u64 {
        (u64::from(self.rows) * u64::from(self.inner))
            .saturating_mul(2)
            .saturating_mul(u64::from(self.cols))
    }

    /// Whether cutting it costs more than it saves: see [`TINY_OPERATIONS_MAX`].
    #[must_use]
    pub fn is_tiny(self) -> bool {
        self.operations() <= TINY_OPERATIONS_MAX
    }
}

/// A rectangle of a matrix, in rows and columns of the whole matrix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rectangle {
    /// Rows from and below.
    pub rows: Range<u32>,
    /// Columns from and below.
    pub cols: Range<u32>,
}

impl Rectangle {
    /// Number of entries.
    #[must_use]
    pub fn entries(&self) -> u64 {
        length(&self.rows) * length(&self.cols)
    }
}

/// A block: the rectangle of C that one lease computes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// Its number within the cut, column-block · row-blocks + row-block.
    pub index: u32,
    /// Rows of C and of A.
    pub rows: Range<u32>,
    /// Columns of C and of B.
    pub cols: Range<u32>,
}

impl Block {
    /// Floating-point operations of this block. Saturates.
    #[must_use]
    pub fn operations(&self, inner: u32) -> u64 {
        (length(&self.rows) * length(&self.cols))
            .saturating_mul(2)
            .saturating_mul(u64::from(inner))
    }
}

/// How a product is cut. Blocks are numbered down the rows first: a run of consecutive blocks
/// shares one column block of B, which is the expensive thing to move and to pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cut {
    shape: ProductShape,
    rows_per_block: u32,
    cols_per_block: u32,
}

/// Why parts read from a record are no cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    /// A side of the product, or of a block, is zero.
    #[error("a cut has no zero sides")]
    ZeroSide,
    /// A block is larger than the product.
    #[error("a block of the cut is larger than the product")]
    BlockBeyondProduct,
    /// A block of C is larger than a result frame can be.
    #[error("a block of the cut has more than {BLOCK_ENTRIES_MAX} entries")]
    BlockTooLarge,
    /// There would be more blocks than any honest cut has.
    #[error("the cut has more than {BLOCKS_MAX} blocks")]
    TooManyBlocks,
}

impl Cut {
    /// The cut of a product for a mesh of this many devices.
    ///
    /// About [`Bounds::operations_target`] a block, by rows alone as long as B fits a device and
    /// there are rows enough. See [`Bounds`] and the constants of this module for the reasons.
    #[must_use]
    pub fn plan(shape: ProductShape, devices: u32, bounds: &Bounds) -> Self {
        let wanted = wanted_blocks(shape, devices, bounds);
        let cols_per_block = plan_cols(shape, wanted, bounds);
        let col_blocks = shape.cols.div_ceil(cols_per_block).max(1);
        let row_blocks = wanted.div_ceil(col_blocks).clamp(1, shape.rows.max(1));
        let mut rows_per_block = shape.rows.div_ceil(row_blocks).max(1);
        // Rounded up, 20 rows for 16 blocks would make 10; each device is to have one.
        let needed = fewest_blocks(shape, devices)
            .div_ceil(col_blocks)
            .min(shape.rows);
        if shape.rows.div_ceil(rows_per_block) < needed {
            rows_per_block = (shape.rows / needed).max(1);
        }
        let large = rows_per_large_block(shape, bounds);
        if col_blocks > 1 && rows_per_block < large {
            let row_blocks = shape.rows.div_ceil(large);
            if u64::from(row_blocks) * u64::from(col_blocks) >= u64::from(wanted) {
                rows_per_block = large.min(shape.rows.max(1));
            }
        }
        let rows_max = u64::from(left_rows_max(shape))
            .min(BLOCK_ENTRIES_MAX / u64::from(cols_per_block))
            .max(1);
        rows_per_block = rows_per_block.min(saturate(rows_max));
        // All rows in one block are not worth a second one for the rest.
        if (ROUNDED_ROWS_MIN..shape.rows).contains(&rows_per_block) {
            rows_per_block -= rows_per_block % ROW_STEP;
        }
        Self {
            shape,
            rows_per_block,
            cols_per_block,
        }
    }

    /// The cut a stored record speaks of.
    ///
    /// # Errors
    /// When no honest plan could have made it; the record is hostile or damaged.
    pub fn from_parts(
        shape: ProductShape,
        rows_per_block: u32,
        cols_per_block: u32,
    ) -> Result<Self, CutError> {
        let sides = [
            shape.rows,
            shape.inner,
            shape.cols,
            rows_per_block,
            cols_per_block,
        ];
        if sides.contains(&0) {
            return Err(CutError::ZeroSide);
        }
        if rows_per_block > shape.rows || cols_per_block > shape.cols {
            return Err(CutError::BlockBeyondProduct);
        }
        if u64::from(rows_per_block) * u64::from(cols_per_block) > BLOCK_ENTRIES_MAX {
            return Err(CutError::BlockTooLarge);
        }
        let cut = Self {
            shape,
            rows_per_block,
            cols_per_block,
        };
        if u64::from(cut.row_blocks()) * u64::from(cut.col_blocks()) > u64::from(BLOCKS_MAX) {
            return Err(CutError::TooManyBlocks);
        }
        Ok(cut)
    }

    /// The product that is cut.
    #[must_use]
    pub fn shape(&self) -> ProductShape {
        self.shape
    }

    /// Rows of every block but those at the lower edge.
    #[must_use]
    pub fn rows_per_block(&self) -> u32 {
        self.rows_per_block
    }

    /// Columns of every block but those at the right edge.
    #[must_use]
    pub fn cols_per_block(&self) -> u32 {
        self.cols_per_block
    }

    /// Number of blocks one above the other.
    #[must_use]
    pub fn row_blocks(&self) -> u32 {
        self.shape.rows.div_ceil(self.rows_per_block)
    }

    /// Number of blocks side by side.
    #[must_use]
    pub fn col_blocks(&self) -> u32 {
        self.shape.cols.div_ceil(self.cols_per_block)
    }

    /// Number of blocks. Saturates, which only shapes far beyond any `max-dim` reach.
    #[must_use]
    pub fn block_count(&self) -> u32 {
        self.row_blocks().saturating_mul(self.col_blocks())
    }

    /// Block number `index`, or nothing when there is none.
    #[must_use]
    pub fn block(&self, index: u32) -> Option<Block> {
        if index >= self.block_count() {
            return None;
        }
        let rows = self.rows_of(index % self.row_blocks());
        let cols = self.cols_of(index / self.row_blocks());
        Some(Block { index, rows, cols })
    }

    /// The chunks of A that blocks of this row block need, top to bottom: whole rows, at most
    /// [`CHUNK_BYTES_MAX`] each but at least one row. None when there is no such row block.
    #[must_use]
    pub fn left_chunks(&self, row_block: u32) -> Vec<Rectangle> {
        slice_rows(self.rows_of(row_block), 0..self.shape.inner)
    }

    /// The chunks of B that blocks of this column block need, in order of k: its columns of
    /// consecutive rows, at most [`CHUNK_BYTES_MAX`] each but at least one row. None when there is
    /// no such column block.
    #[must_use]
    pub fn right_chunks(&self, col_block: u32) -> Vec<Rectangle> {
        let cols = self.cols_of(col_block);
        if cols.is_empty() {
            Vec::new()
        } else {
            slice_rows(0..self.shape.inner, cols)
        }
    }

    /// All chunks of A, by row block and then top to bottom.
    #[must_use]
    pub fn all_left_chunks(&self) -> Vec<Rectangle> {
        (0..self.row_blocks())
            .flat_map(|block| self.left_chunks(block))
            .collect()
    }

    /// All chunks of B, by column block and then in order of k.
    #[must_use]
    pub fn all_right_chunks(&self) -> Vec<Rectangle> {
        (0..self.col_blocks())
            .flat_map(|block| self.right_chunks(block))
            .collect()
    }

    fn rows_of(&self, row_block: u32) -> Range<u32> {
        part(row_block, self.rows_per_block, self.shape.rows)
    }

    fn cols_of(&self, col_block: u32) -> Range<u32> {
        part(col_block, self.cols_per_block, self.shape.cols)
    }
}

fn wanted_blocks(shape: ProductShape, devices: u32, bounds: &Bounds) -> u32 {
    saturate(shape.operations() / bounds.operations_target)
        .min(BLOCKS_TARGET_MAX)
        .max(fewest_blocks(shape, devices))
}

fn fewest_blocks(shape: ProductShape, devices: u32) -> u32 {
    devices.clamp(if shape.is_tiny() { 1 } else { BLOCKS_MIN }, DEVICES_MAX)
}

/// Most rows of a block, for the bytes of A in it.
fn left_rows_max(shape: ProductShape) -> u32 {
    let row_bytes = u64::from(shape.inner.max(1)) * ENTRY_BYTES;
    saturate(LEFT_BYTES_MAX / row_bytes).max(1)
}

/// See [`Bounds`]: no more than a block can have.
fn rows_per_large_block(shape: ProductShape, bounds: &Bounds) -> u32 {
    bounds.rows_per_large_block.min(left_rows_max(shape))
}

/// Columns of a block: all of them unless a column block of B would be too large for a device, or
/// blocks by rows alone would be so thin that each reads all of a large B for a few rows.
fn plan_cols(shape: ProductShape, wanted: u32, bounds: &Bounds) -> u32 {
    let column_bytes = u64::from(shape.inner.max(1)) * ENTRY_BYTES;
    let large = rows_per_large_block(shape, bounds);
    let is_heavy = shape.operations() / u64::from(wanted) >= HEAVY_OPERATIONS;
    let is_large = column_bytes.saturating_mul(u64::from(shape.cols)) > RIGHT_CACHED_BYTES;
    let is_thin = shape.rows.div_ceil(wanted) < large;
    let mut widest = BLOCK_ENTRIES_MAX;
    if is_heavy && is_large && shape.rows >= large {
        // A result has room for so many rows then.
        widest /= u64::from(large);
    }
    let fits = saturate((bounds.right_bytes_max / column_bytes).min(widest)).max(1);
    let mut col_blocks = shape.cols.div_ceil(fits).max(1);
    if is_heavy && is_large && is_thin {
        let row_blocks = shape.rows.div_ceil(large);
        col_blocks = col_blocks.max(wanted.div_ceil(row_blocks)).min(shape.cols);
    }
    if col_blocks <= 1 {
        return shape.cols.max(1);
    }
    let width = shape.cols.div_ceil(col_blocks);
    let (lower, upper) = (
        width - width % COLUMN_STEP,
        width.next_multiple_of(COLUMN_STEP),
    );
    if upper <= fits && shape.cols.div_ceil(upper) >= col_blocks {
        upper
    } else {
        lower.clamp(1, fits).max(fits.min(COLUMN_STEP))
    }
}

fn slice_rows(rows: Range<u32>, cols: Range<u32>) -> Vec<Rectangle> {
    let row_bytes = length(&cols).max(1) * ENTRY_BYTES;
    let step = saturate(CHUNK_BYTES_MAX / row_bytes).max(1);
    let mut chunks = Vec::new();
    let mut start = rows.start;
    while start < rows.end {
        let end = rows.end.min(start.saturating_add(step));
        chunks.push(Rectangle {
            rows: start..end,
            cols: cols.clone(),
        });
        start = end;
    }
    chunks
}

fn part(index: u32, step: u32, side: u32) -> Range<u32> {
    let start = index.saturating_mul(step).min(side);
    start..start.saturating_add(step).min(side)
}

fn length(range: &Range<u32>) -> u64 {
    u64::from(range.end.saturating_sub(range.start))
}

fn saturate(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
