//! Matrices that every device makes for itself from a seed, so that they need not travel.
//!
//! With seed s the entries are exactly those of NumPy's
//! `np.random.Generator(np.random.Philox(key=s)).random((rows, cols))`: entry e in row-major order
//! is lane e mod 4 of Philox4x64-10 at counter ⌊e/4⌋ + 1, its upper 53 bits · 2⁻⁵³, which is
//! uniform in [0, 1). A counter-based generator has no state to carry, so any rectangle can be made
//! alone.

mod philox;

use crate::cut::Rectangle;

/// A rows × cols matrix of uniform entries in [0, 1), known by its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeededMatrix {
    /// NumPy's `key`.
    pub seed: u64,
    /// Number of rows.
    pub rows: u32,
    /// Number of columns.
    pub cols: u32,
}

impl SeededMatrix {
    /// Writes this rectangle of the matrix into `out`, row-major.
    ///
    /// # Panics
    /// When `out` does not have as many entries as the rectangle. A rectangle that reaches beyond
    /// the matrix is a mistake too, but makes numbers all the same.
    pub fn fill(&self, rectangle: &Rectangle, out: &mut [f64]) {
        assert_eq!(
            u64::try_from(out.len()),
            Ok(rectangle.entries()),
            "entries of the rectangle"
        );
        if out.is_empty() {
            return;
        }
        let width = rectangle.cols.len();
        for (row, line) in rectangle.rows.clone().zip(out.chunks_exact_mut(width)) {
            let first = u64::from(row) * u64::from(self.cols) + u64::from(rectangle.cols.start);
            philox::fill_uniform(self.seed, first, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn whole(seed: u64, rows: u32, cols: u32) -> Vec<f64> {
        let mut out = vec![0.0; rows as usize * cols as usize];
        let matrix = SeededMatrix { seed, rows, cols };
        matrix.fill(
            &Rectangle {
                rows: 0..rows,
                cols: 0..cols,
            },
            &mut out,
        );
        out
    }

    #[test]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn any_rectangle_alone_equals_that_part_of_the_whole() {
        let (rows, cols) = (11, 13);
        let all = whole(7, rows, cols);
        let matrix = SeededMatrix {
            seed: 7,
            rows,
            cols,
        };
        for row in 0..rows {
            for col in 0..cols {
                for width in 1..=cols - col {
                    let rectangle = Rectangle {
                        rows: row..rows,
                        cols: col..col + width,
                    };
                    let mut out = vec![0.0; (rows - row) as usize * width as usize];
                    matrix.fill(&rectangle, &mut out);
                    for (line, whole_row) in out.chunks(width as usize).zip(row..rows) {
                        let first = (whole_row * cols + col) as usize;
                        assert_eq!(line, &all[first..first + width as usize]);
                    }
                }
            }
        }
    }

    #[test]
    fn an_empty_rectangle_writes_nothing() {
        let matrix = SeededMatrix {
            seed: 0,
            rows: 3,
            cols: 3,
        };
        matrix.fill(
            &Rectangle {
                rows: 1..1,
                cols: 0..3,
            },
            &mut [],
        );
        matrix.fill(
            &Rectangle {
                rows: 0..3,
                cols: 2..2,
            },
            &mut [],
        );
    }

    #[test]
    #[should_panic(expected = "entries of the rectangle")]
    fn a_slice_of_the_wrong_length_is_refused() {
        let matrix = SeededMatrix {
            seed: 0,
            rows: 3,
            cols: 3,
        };
        matrix.fill(
            &Rectangle {
                rows: 0..3,
                cols: 0..3,
            },
            &mut [0.0; 8],
        );
    }
}
