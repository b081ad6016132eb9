//! Rows of a seeded A: made once for all columns of blocks, as far as there is room.

use std::convert::Infallible;
use std::sync::Arc;

use kernel::cut::Rectangle;
use kernel::seeded::SeededMatrix;
use wire::{BlockTask, TaskInput};

use super::inputs::fill;

/// Most or all of an A of 5,000 × 5,000, and a share of a larger one.
const BYTES_MAX: u64 = 256 << 20;

/// A block's rows of a large product, for a guess of how many there will be.
const ROWS_BYTES: u64 = 4 << 20;

/// Seed and columns of the matrix, and the part of it.
type Key = (u64, u32, Rectangle);

#[derive(Debug, Clone)]
struct ByBytes;

impl quick_cache::Weighter<Key, Arc<Vec<f64>>> for ByBytes {
    fn weight(&self, _: &Key, rows: &Arc<Vec<f64>>) -> u64 {
        8 * rows.len() as u64
    }
}

/// Rows that were made lately, for all threads.
#[derive(Debug)]
pub(super) struct LeftCache {
    made: quick_cache::sync::Cache<Key, Arc<Vec<f64>>, ByBytes>,
}

impl Default for LeftCache {
    fn default() -> Self {
        let items = usize::try_from(BYTES_MAX / ROWS_BYTES).unwrap_or(1);
        Self {
            made: quick_cache::sync::Cache::with_weighter(items, BYTES_MAX, ByBytes),
        }
    }
}

impl LeftCache {
    /// No block is computed any longer.
    pub(super) fn clear(&self) {
        self.made.clear();
    }

    /// Makes a part of a matrix, or finds it. It is in `memory` then, whose room is
    /// used again where nobody else needs what it holds.
    pub(super) fn make(
        &self,
        task: &BlockTask,
        matrix: &SeededMatrix,
        rectangle: &Rectangle,
        memory: &mut Arc<Vec<f64>>,
    ) {
        if is_one_of_many_columns(task) {
            let key = (matrix.seed, matrix.cols, rectangle.clone());
            let made = self.made.get_or_insert_with::<_, Infallible>(&key, || {
                let mut entries = Vec::new();
                fill(matrix, rectangle, &mut entries);
                Ok(Arc::new(entries))
            });
            *memory = made.unwrap_or_else(|never| match never {});
            return;
        }
        // What other threads compute with is left to them.
        if Arc::get_mut(memory).is_none() {
            *memory = Arc::default();
        }
        if let Some(entries) = Arc::get_mut(memory) {
            fill(matrix, rectangle, entries);
        }
    }
}

/// Whether other blocks need the same rows, as far as can be told: of a B in chunks nobody says how wide it is.
fn is_one_of_many_columns(task: &BlockTask) -> bool {
    match task.b {
        TaskInput::Random { matrix_cols, .. } => task.cols < matrix_cols,
        TaskInput::Chunks { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use wire::{Arithmetic, BlockIndex, JobId, Seed};

    use super::*;

    const MATRIX: SeededMatrix = SeededMatrix {
        seed: 5,
        rows: 4,
        cols: 3,
    };

    fn task(cols: u32) -> BlockTask {
        let random = |matrix_cols| TaskInput::Random {
            seed: Seed(5),
            matrix_cols,
            row_start: 0,
            col_start: 0,
        };
        BlockTask {
            job: JobId::from_bytes([1; 16]),
            block: BlockIndex(0),
            row_start: 0,
            rows: 2,
            inner: 3,
            cols,
            arithmetic: Arithmetic::Reproducible,
            a: random(3),
            b: random(8),
        }
    }

    fn rows(rows: std::ops::Range<u32>) -> Rectangle {
        Rectangle { rows, cols: 0..3 }
    }

    fn expected(rectangle: &Rectangle) -> Vec<f64> {
        let mut entries = vec![0.0; rectangle.rows.len() * 3];
        MATRIX.fill(rectangle, &mut entries);
        entries
    }

    #[test]
    fn rows_that_other_columns_need_are_made_once() {
        let cache = LeftCache::default();
        let (mut first, mut second) = (Arc::default(), Arc::default());
        cache.make(&task(4), &MATRIX, &rows(0..2), &mut first);
        cache.make(&task(4), &MATRIX, &rows(0..2), &mut second);
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(*first, expected(&rows(0..2)));
        let mut other = Arc::default();
        let part = Rectangle {
            rows: 0..2,
            cols: 1..3,
        };
        cache.make(&task(4), &MATRIX, &part, &mut other);
        assert_eq!(other.len(), 4, "a part is not taken for the whole");
        // What a thread makes next does not change what the other computes with.
        cache.make(&task(4), &MATRIX, &rows(2..4), &mut second);
        assert_eq!(*first, expected(&rows(0..2)));
        assert_eq!(*second, expected(&rows(2..4)));
    }

    #[test]
    fn where_there_is_one_column_of_blocks_the_room_is_used_again() {
        let cache = LeftCache::default();
        let mut memory = Arc::new(Vec::with_capacity(6));
        let room = memory.as_ptr();
        for wanted in [rows(0..2), rows(2..4), rows(0..2)] {
            cache.make(&task(8), &MATRIX, &wanted, &mut memory);
            assert_eq!((memory.as_ptr(), &*memory), (room, &expected(&wanted)));
        }
        assert_eq!(cache.made.len(), 0);
    }
}
