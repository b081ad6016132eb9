//! A dense matrix of f64 in row-major order: the form in which matrices are read, shown and
//! compared. Kernels work on plain slices and packed panels, not on this type.

use alloc::vec;
use alloc::vec::Vec;

/// A dense matrix, row-major: entry (i, j) is `entries()[i * cols() + j]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    entries: Vec<f64>,
}

/// The number of entries does not fit the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {rows} × {cols} matrix has {rows}·{cols} entries, but {found} were given")]
pub struct ShapeError {
    /// Rows of the shape asked for.
    pub rows: usize,
    /// Columns of the shape asked for.
    pub cols: usize,
    /// Entries that were given.
    pub found: usize,
}

impl Matrix {
    /// A rows × cols matrix of these entries in row-major order.
    ///
    /// # Errors
    /// When there are not exactly rows · cols entries.
    pub fn new(rows: usize, cols: usize, entries: Vec<f64>) -> Result<Self, ShapeError> {
        if rows.checked_mul(cols) == Some(entries.len()) {
            Ok(Self {
                rows,
                cols,
                entries,
            })
        } else {
            Err(ShapeError {
                rows,
                cols,
                found: entries.len(),
            })
        }
    }

    /// A rows × cols matrix of +0.0.
    ///
    /// # Panics
    /// When rows · cols does not fit the address space.
    #[must_use]
    pub fn zeros(rows: usize, cols: usize) -> Self {
        let count = rows
            .checked_mul(cols)
            .expect("the caller asks only for matrices that fit its memory");
        Self {
            rows,
            cols,
            entries: vec![0.0; count],
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All entries, row-major.
    #[must_use]
    pub fn entries(&self) -> &[f64] {
        &self.entries
    }

    /// All entries, row-major, to be changed in place.
    pub fn entries_mut(&mut self) -> &mut [f64] {
        &mut self.entries
    }

    /// Row `row` as a slice of `cols()` entries.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        &self.entries[row * self.cols..(row + 1) * self.cols]
    }

    /// The entries themselves, row-major.
    #[must_use]
    pub fn into_entries(self) -> Vec<f64> {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_must_fill_the_shape() {
        assert!(Matrix::new(2, 3, vec![0.0; 6]).is_ok());
        assert_eq!(
            Matrix::new(2, 3, vec![0.0; 5]),
            Err(ShapeError {
                rows: 2,
                cols: 3,
                found: 5
            })
        );
        assert!(Matrix::new(usize::MAX, 2, Vec::new()).is_err());
    }

    #[test]
    fn rows_are_consecutive() {
        let matrix = Matrix::new(2, 2, vec![1.0, 2.0, 3.0, 4.0]).expect("four entries");
        assert_eq!(matrix.row(1), [3.0, 4.0]);
        assert_eq!(matrix.into_entries(), [1.0, 2.0, 3.0, 4.0]);
    }
}
