//! The loops around the tile, the same for every kernel: which panel meets which, and when, so that
//! what is read again is still in a cache (after Goto and van de Geijn, "Anatomy of
//! High-Performance Matrix Multiplication", 2008).
//!
//! From outside in: columns of C in spans, k in blocks, rows of C in stripes whose panels of A stay
//! in the second-level cache, panels of B that stay in the first, tiles. C is read and written once
//! per block of k; since blocks of k come in order, so do the additions to each entry.

use super::packing::{DEPTH, PackedRight, pack_left};
use super::tile::{Engine, Tile};
use alloc::vec;

/// Most rows of A that are packed at once: with [`DEPTH`] columns 240 KiB, about half of a
/// second-level cache. A multiple of 4, 5, 6 and 8.
const STRIPE_ROWS: usize = 120;
/// Most columns of C between two packings of A: their block of B, 6 MiB, fits a share of a
/// third-level cache. A multiple of every tile's width.
const SPAN_COLS: usize = 3072;
/// Entries of the largest tile of any kernel.
const TILE_ENTRIES_MAX: usize = 8 * 24;

/// Rows and columns of this engine's tile.
pub(super) fn tile_sides<E: Engine>(_engine: E) -> (usize, usize) {
    (E::ROWS, E::COLUMNS)
}

/// Writes the product of the rows of A and B into `product`. Lengths were checked.
pub(super) fn multiply<E: Engine, const FUSED: bool>(
    engine: E,
    left: &[&[f64]],
    right: &PackedRight,
    product: &mut [f64],
) {
    let (rows, inner, cols) = (left.len(), right.inner(), right.cols());
    if inner == 0 || product.is_empty() {
        product.fill(0.0);
        return;
    }
    let stripe_rows = rows
        .div_ceil(rows.div_ceil(STRIPE_ROWS))
        .next_multiple_of(E::ROWS)
        .min(rows);
    let mut packed = vec![0.0; stripe_rows * DEPTH.min(inner)];
    for col_start in (0..cols).step_by(SPAN_COLS) {
        let span = col_start..cols.min(col_start + SPAN_COLS);
        for k_start in (0..inner).step_by(DEPTH) {
            let depth = DEPTH.min(inner - k_start);
            for row_start in (0..rows).step_by(stripe_rows) {
                let row_count = stripe_rows.min(rows - row_start);
                let stripe = Stripe {
                    row_start,
                    row_count,
                    k_start,
                    depth,
                };
                let packed = &mut packed[..row_count * depth];
                stripe.pack::<E>(left, packed);
                stripe.multiply::<E, FUSED>(engine, packed, right, span.clone(), product);
            }
        }
    }
}

/// Rows of A, in one block of k, that are packed together.
#[derive(Clone, Copy)]
struct Stripe {
    row_start: usize,
    row_count: usize,
    k_start: usize,
    depth: usize,
}

impl Stripe {
    /// The stripe's panels of A as (first row, rows), counted within the stripe. Their heights
    /// differ by one at most: 13 rows make 5 + 4 + 4, not 6 + 6 + 1, because a tile of one row
    /// waits for its own additions.
    fn panels<E: Engine>(self) -> impl Iterator<Item = (usize, usize)> {
        let count = self.row_count.div_ceil(E::ROWS);
        let (height, taller) = (self.row_count / count, self.row_count % count);
        (0..count).map(move |panel| {
            (
                panel * height + panel.min(taller),
                height + usize::from(panel < taller),
            )
        })
    }

    fn pack<E: Engine>(self, left: &[&[f64]], packed: &mut [f64]) {
        for (first, height) in self.panels::<E>() {
            let row = self.row_start + first;
            let panel = &mut packed[first * self.depth..(first + height) * self.depth];
            pack_left::<E>(&left[row..row + height], self.k_start, panel);
        }
    }

    /// Adds this stripe's products to the columns `span` of C.
    fn multiply<E: Engine, const FUSED: bool>(
        self,
        engine: E,
        packed: &[f64],
        right: &PackedRight,
        span: core::ops::Range<usize>,
        product: &mut [f64],
    ) {
        let cols = right.cols();
        for col in span.step_by(E::COLUMNS) {
            let next = right.panel_beside(self.k_start, col / E::COLUMNS);
            let right = right.panel(self.k_start, col / E::COLUMNS);
            for (first, rows) in self.panels::<E>() {
                let share = |rows: usize| rows * next.len() / self.row_count;
                let ahead = &next[share(first)..share(first + rows)];
                let left = &packed[first * self.depth..(first + rows) * self.depth];
                let product = &mut product[(self.row_start + first) * cols + col..];
                let is_first = self.k_start == 0;
                if col + E::COLUMNS <= cols {
                    let tile = Tile {
                        left,
                        right,
                        product,
                        stride: cols,
                        rows,
                        cols: E::COLUMNS,
                        is_first,
                        ahead,
                    };
                    engine.accumulate::<FUSED>(tile);
                } else {
                    let edge = Edge {
                        width: cols - col,
                        stride: cols,
                    };
                    edge.multiply::<E, FUSED>(engine, left, right, product, rows, is_first);
                }
            }
        }
    }
}

/// The right edge of C, where a tile is wider than what is left of it.
#[derive(Clone, Copy)]
struct Edge {
    width: usize,
    stride: usize,
}

impl Edge {
    /// Computes a whole tile beside C and copies the part that exists.
    fn multiply<E: Engine, const FUSED: bool>(
        self,
        engine: E,
        left: &[f64],
        right: &[f64],
        product: &mut [f64],
        rows: usize,
        is_first: bool,
    ) {
        let mut scratch = [0.0; TILE_ENTRIES_MAX];
        let stride = E::COLUMNS;
        if !is_first {
            for (row, line) in scratch.chunks_exact_mut(stride).take(rows).enumerate() {
                let first = row * self.stride;
                line[..self.width].copy_from_slice(&product[first..first + self.width]);
            }
        }
        let tile = Tile {
            left,
            right,
            product: &mut scratch,
            stride,
            rows,
            cols: self.width,
            is_first,
            ahead: &right[..0],
        };
        engine.accumulate::<FUSED>(tile);
        for (row, line) in scratch.chunks_exact(stride).take(rows).enumerate() {
            let first = row * self.stride;
            product[first..first + self.width].copy_from_slice(&line[..self.width]);
        }
    }
}
