//! What the suite compares with, and the numbers it multiplies.

use kernel::cut::Rectangle;
use kernel::seeded::SeededMatrix;
use kernel::{Arithmetic, Kernel, Matrix, Multiplier, multiply_textbook, rows_of};

/// A product's sides: rows, inner, cols.
pub(crate) type Sides = (usize, usize, usize);

/// Whether this processor is emulated, and the suite should spare it.
pub(crate) fn is_emulated() -> bool {
    cfg!(any(target_arch = "aarch64", target_arch = "wasm32"))
}

/// Numbers of both signs whose products round, so that another order of sums shows in the bits.
pub(crate) fn rounding_matrix(seed: u64, rows: usize, cols: usize) -> Matrix {
    let (rows, cols) = (u32::try_from(rows).unwrap(), u32::try_from(cols).unwrap());
    let mut entries = vec![0.0; rows as usize * cols as usize];
    let whole = Rectangle {
        rows: 0..rows,
        cols: 0..cols,
    };
    SeededMatrix { seed, rows, cols }.fill(&whole, &mut entries);
    entries.iter_mut().for_each(|entry| *entry -= 0.5);
    Matrix::new(rows as usize, cols as usize, entries).unwrap()
}

/// The product by this kernel, B pushed in pieces of `piece` rows.
pub(crate) fn multiply(
    multiplier: Multiplier,
    left: &Matrix,
    right: &Matrix,
    piece: usize,
) -> Matrix {
    let (rows, inner, cols) = (left.rows(), left.cols(), right.cols());
    let mut packer = multiplier.prepare_right(inner, cols);
    for rows in right.entries().chunks((piece * cols).max(1)) {
        packer.push_rows(rows);
    }
    let packed = packer.finish().unwrap();
    // What was there before must not matter.
    let mut product = vec![f64::NAN; rows * cols];
    multiplier.multiply(&rows_of(left.entries(), rows), &packed, &mut product);
    Matrix::new(rows, cols, product).unwrap()
}

/// Holds every kernel to the textbook for this product.
pub(crate) fn assert_all_equal_textbook(left: &Matrix, right: &Matrix) {
    let expected = multiply_textbook(left, right);
    for kernel in Kernel::available() {
        let multiplier = Multiplier::new(kernel, Arithmetic::Reproducible);
        let found = multiply(multiplier, left, right, 7);
        assert_same_bits(&expected, &found, kernel);
    }
}

/// Holds every kernel to the textbook for a product of these sides.
pub(crate) fn assert_sides((rows, inner, cols): Sides) {
    let left = rounding_matrix(1, rows, inner);
    let right = rounding_matrix(2, inner, cols);
    assert_all_equal_textbook(&left, &right);
}

fn assert_same_bits(expected: &Matrix, found: &Matrix, kernel: Kernel) {
    let pairs = expected.entries().iter().zip(found.entries());
    for (index, (expected, found)) in pairs.enumerate() {
        assert_eq!(
            expected.to_bits(),
            found.to_bits(),
            "{}: entry {index} is {found:e}, the textbook has {expected:e}",
            kernel.instruction_set()
        );
    }
}
