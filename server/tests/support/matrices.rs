//! Matrices, and what their product must be to the last bit.

use kernel::format::{OutputFormat, ResultWriter};

/// A matrix that a test made up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TestMatrix {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) entries: Vec<f64>,
}

impl TestMatrix {
    /// Entries of many sizes and both signs, so that the order of a sum shows.
    pub(crate) fn uneven(rows: usize, cols: usize) -> Self {
        let entries = (0..rows * cols).map(|index| {
            let index = index as f64;
            (index * 0.7).sin() * 10_f64.powi((index as i32 % 13) - 6)
        });
        Self {
            rows,
            cols,
            entries: entries.collect(),
        }
    }

    /// Sums over k = 0, 1, 2 …, each product and each sum rounded.
    pub(crate) fn times(&self, right: &Self) -> Self {
        assert_eq!(self.cols, right.rows);
        let mut entries = vec![0.0; self.rows * right.cols];
        for row in 0..self.rows {
            for col in 0..right.cols {
                let mut sum = 0.0;
                for k in 0..self.cols {
                    let product =
                        self.entries[row * self.cols + k] * right.entries[k * right.cols + col];
                    sum += product;
                }
                entries[row * right.cols + col] = sum;
            }
        }
        Self {
            rows: self.rows,
            cols: right.cols,
            entries,
        }
    }

    /// The matrix as a file.
    pub(crate) fn file(&self, format: OutputFormat) -> Vec<u8> {
        let mut writer = ResultWriter::new(format, self.rows, self.cols);
        let mut file = writer.head();
        writer.write_rows(&self.entries, &mut file);
        file.extend(writer.tail());
        file
    }

    /// The matrix as JSON takes it.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({"rows": self.rows, "cols": self.cols, "data": self.entries})
    }
}

/// Equal to the last bit.
pub(crate) fn assert_same_bits(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(
            found.to_bits(),
            expected.to_bits(),
            "entry {index}: {found} and {expected}"
        );
    }
}
