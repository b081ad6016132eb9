//! The triple loop: what `reproducible` arithmetic means, and the oracle every kernel is held to.

use crate::Matrix;

/// The bits every NaN is stored as. Processors disagree on the sign and payload of a fresh NaN
/// (x86 sets the sign bit, ARM does not), so a result would betray which device computed it.
pub const CANONICAL_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0000);

/// The same number, with any NaN turned into [`CANONICAL_NAN`].
#[must_use]
#[inline]
pub fn canonicalise(value: f64) -> f64 {
    if value.is_nan() { CANONICAL_NAN } else { value }
}

/// The product of an m × k and a k × n matrix, an m × n matrix, by the textbook loop: each entry is
/// the sum over k = 0, 1, 2 … of separately rounded products, separately rounded, from +0.0.
///
/// # Panics
/// When the inner sizes differ.
#[must_use]
pub fn multiply_textbook(left: &Matrix, right: &Matrix) -> Matrix {
    assert_eq!(left.cols(), right.rows(), "inner sizes differ");
    let cols = right.cols();
    let mut product = Matrix::zeros(left.rows(), cols);
    for row in 0..left.rows() {
        for col in 0..cols {
            let mut sum = 0.0;
            for (k, factor) in left.row(row).iter().enumerate() {
                sum += factor * right.entries()[k * cols + col];
            }
            product.entries_mut()[row * cols + col] = canonicalise(sum);
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn a_sum_of_negative_zeros_is_positive_zero() {
        let left = Matrix::new(1, 1, vec![-0.0]).expect("one entry");
        let right = Matrix::new(1, 1, vec![1.0]).expect("one entry");
        let product = multiply_textbook(&left, &right);
        assert_eq!(product.entries()[0].to_bits(), 0);
    }

    #[test]
    fn a_fresh_nan_is_canonical() {
        let left = Matrix::new(1, 2, vec![1e300, -1e300]).expect("two entries");
        let right = Matrix::new(2, 1, vec![1e300, 1e300]).expect("two entries");
        let product = multiply_textbook(&left, &right);
        assert_eq!(product.entries()[0].to_bits(), 0x7ff8_0000_0000_0000);
    }
}
