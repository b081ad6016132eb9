//! A and B rearranged so that the inner loop reads both straight ahead.
//!
//! B is cut into blocks of [`DEPTH`] rows and each into panels as wide as a tile; within a panel
//! the entries of one k lie side by side. The last panel is filled up with zeros, whose products
//! are computed and dropped. Panels of A are made of whole rows, four to eight of them, and only
//! ever as wide as there are rows.

use super::InstructionSet;
use super::tile::{Engine, LINE_ENTRIES};
use alloc::vec;
use alloc::vec::Vec;

/// Rows of B in one block of k. A panel of B (8 columns: 16 KiB) then stays in the first-level
/// cache while the panels of A pass by.
pub(super) const DEPTH: usize = 256;
/// Rows of B that are packed side by side: each is read straight ahead, and what they give to a panel
/// are a few lines in a row.
const ROWS_PACKED_AT_ONCE: usize = 8;
/// B packed for one kernel, to be shared by all threads that multiply by it.
#[derive(Clone, Debug)]
pub struct PackedRight {
    instruction_set: InstructionSet,
    tile_cols: usize,
    inner: usize,
    cols: usize,
    /// The panels, from `start` on. Never grown, so the alignment of `start` lasts.
    panels: Vec<f64>,
    start: usize,
}

/// Takes the rows of B as they arrive and packs them.
#[derive(Debug)]
pub struct RightPacker {
    packed: PackedRight,
    rows_taken: usize,
    excess_entries: usize,
}

/// The rows pushed are not the rows of the matrix that was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "B was announced with {rows_expected} rows; {rows_taken} whole rows and {excess_entries} further entries came"
)]
pub struct UnfinishedRight {
    /// Rows announced.
    pub rows_expected: usize,
    /// Whole rows that came.
    pub rows_taken: usize,
    /// Entries that came beyond the last row, or that did not fill a row.
    pub excess_entries: usize,
}

impl RightPacker {
    pub(super) fn new(
        instruction_set: InstructionSet,
        tile_cols: usize,
        inner: usize,
        cols: usize,
    ) -> Self {
        let count = cols
            .checked_next_multiple_of(tile_cols)
            .and_then(|width| width.checked_mul(inner))
            .and_then(|count| count.checked_add(LINE_ENTRIES))
            .expect("the caller asks only for matrices that fit its memory");
        let panels = vec![0.0; count];
        let start = panels
            .as_ptr()
            .align_offset(LINE_ENTRIES * size_of::<f64>());
        let start = if start < LINE_ENTRIES { start } else { 0 };
        let packed = PackedRight {
            instruction_set,
            tile_cols,
            inner,
            cols,
            panels,
            start,
        };
        Self {
            packed,
            rows_taken: 0,
            excess_entries: 0,
        }
    }

    /// Rows that have been pushed so far.
    #[must_use]
    pub fn rows_taken(&self) -> usize {
        self.rows_taken
    }

    /// Takes the next rows of B, any number of whole ones, row-major. What is too much or does not
    /// fill a row is dropped and reported by [`RightPacker::finish`].
    pub fn push_rows(&mut self, rows: &[f64]) {
        let cols = self.packed.cols;
        if cols == 0 {
            self.excess_entries += rows.len();
            return;
        }
        let room = self.packed.inner - self.rows_taken;
        let taken = (rows.len() / cols).min(room);
        self.excess_entries += rows.len() - taken * cols;
        let mut rows = &rows[..taken * cols];
        while !rows.is_empty() {
            let left_in_block = DEPTH - self.rows_taken % DEPTH;
            let count = left_in_block
                .min(rows.len() / cols)
                .min(ROWS_PACKED_AT_ONCE);
            let (now, later) = rows.split_at(count * cols);
            self.packed.pack_rows(self.rows_taken, now);
            self.rows_taken += count;
            rows = later;
        }
    }

    /// The packed matrix.
    ///
    /// # Errors
    /// When other than all rows have been pushed.
    pub fn finish(self) -> Result<PackedRight, UnfinishedRight> {
        let is_complete = self.packed.cols == 0 || self.rows_taken == self.packed.inner;
        if is_complete && self.excess_entries == 0 {
            Ok(self.packed)
        } else {
            Err(UnfinishedRight {
                rows_expected: self.packed.inner,
                rows_taken: self.rows_taken,
                excess_entries: self.excess_entries,
            })
        }
    }
}

impl PackedRight {
    /// Rows of B.
    #[must_use]
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// Columns of B.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The kernel it was packed for.
    #[must_use]
    pub fn instruction_set(&self) -> InstructionSet {
        self.instruction_set
    }

    /// Bytes it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.panels.len() * size_of::<f64>()
    }

    /// Panel number `panel` of the block of k that starts at `k_start`.
    #[inline]
    pub(super) fn panel(&self, k_start: usize, panel: usize) -> &[f64] {
        let depth = DEPTH.min(self.inner - k_start);
        let first = self.start + k_start * self.padded_cols() + panel * depth * self.tile_cols;
        &self.panels[first..first + depth * self.tile_cols]
    }

    /// The panel beside that one, which is mostly the next to be multiplied; that one itself where none
    /// is beside it.
    #[inline]
    pub(super) fn panel_beside(&self, k_start: usize, panel: usize) -> &[f64] {
        let is_last = (panel + 1) * self.tile_cols >= self.cols;
        self.panel(k_start, panel + usize::from(!is_last))
    }

    /// Panics when a multiplication with these slices would be a mistake of the caller's.
    pub(super) fn check_use(
        &self,
        instruction_set: InstructionSet,
        left: &[&[f64]],
        product: &[f64],
    ) {
        assert_eq!(
            self.instruction_set, instruction_set,
            "B was packed for another kernel"
        );
        assert!(
            left.iter().all(|row| row.len() == self.inner),
            "entries of A"
        );
        assert_eq!(
            Some(product.len()),
            left.len().checked_mul(self.cols),
            "entries of C"
        );
    }

    fn padded_cols(&self) -> usize {
        self.cols.next_multiple_of(self.tile_cols)
    }

    /// Packs rows from number `row_start` on, all within one block of k.
    fn pack_rows(&mut self, row_start: usize, rows: &[f64]) {
        let (cols, width) = (self.cols, self.tile_cols);
        let k_start = row_start - row_start % DEPTH;
        let depth = DEPTH.min(self.inner - k_start);
        let block = self.start + k_start * self.padded_cols();
        for (panel, col) in (0..cols).step_by(width).enumerate() {
            let filled = width.min(cols - col);
            let first = block + (panel * depth + row_start - k_start) * width;
            let lines = &mut self.panels[first..];
            match filled {
                // As wide as the tiles of the kernels are: then a line is a few vectors. The tile of
                // WebAssembly is the narrowest, and its page loads no code for the others.
                4 => copy_lines::<4>(rows, cols, col, lines, width),
                8 if !cfg!(target_arch = "wasm32") => {
                    copy_lines::<8>(rows, cols, col, lines, width);
                }
                24 if !cfg!(target_arch = "wasm32") => {
                    copy_lines::<24>(rows, cols, col, lines, width);
                }
                _ => {
                    let lines = lines.chunks_exact_mut(width);
                    for (line, row) in lines.zip(rows.chunks_exact(cols)) {
                        line[..filled].copy_from_slice(&row[col..col + filled]);
                    }
                }
            }
        }
    }
}

/// Copies `WIDTH` entries of each row, from column `col` on, to the beginning of each line.
fn copy_lines<const WIDTH: usize>(
    rows: &[f64],
    cols: usize,
    col: usize,
    lines: &mut [f64],
    width: usize,
) {
    let lines = lines.chunks_exact_mut(width);
    for (line, row) in lines.zip(rows.chunks_exact(cols)) {
        let source: Option<&[f64; WIDTH]> = row[col..].first_chunk();
        if let (Some(source), Some(target)) = (source, line.first_chunk_mut()) {
            *target = *source;
        }
    }
}

/// Packs one panel of A for this engine's tiles: the columns from `k_start` on of these rows, as deep
/// as `panel` is long.
pub(super) fn pack_left<E: Engine>(rows: &[&[f64]], k_start: usize, panel: &mut [f64]) {
    match rows.len() {
        4 => pack_rows_of_left::<4>(rows, k_start, panel),
        5 if E::ROWS >= 5 => pack_rows_of_left::<5>(rows, k_start, panel),
        6 if E::ROWS >= 6 => pack_rows_of_left::<6>(rows, k_start, panel),
        7 if E::ROWS >= 7 => pack_rows_of_left::<7>(rows, k_start, panel),
        8 if E::ROWS >= 8 => pack_rows_of_left::<8>(rows, k_start, panel),
        // Low panels are rare: a block of C with so few rows has one.
        height => {
            for (k, line) in panel.chunks_exact_mut(height).enumerate() {
                for (entry, row) in line.iter_mut().zip(rows) {
                    *entry = row[k_start + k];
                }
            }
        }
    }
}

/// All rows side by side, so that memory is asked for all of them at once.
fn pack_rows_of_left<const HEIGHT: usize>(rows: &[&[f64]], k_start: usize, panel: &mut [f64]) {
    let depth = panel.len() / HEIGHT;
    let sources: [&[f64]; HEIGHT] = core::array::from_fn(|row| &rows[row][k_start..][..depth]);
    for (k, line) in panel.as_chunks_mut::<HEIGHT>().0.iter_mut().enumerate() {
        for (entry, source) in line.iter_mut().zip(sources) {
            *entry = source[k];
        }
    }
}
