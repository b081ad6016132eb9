//! Random shapes and random bits, and that no cut shows in the bits.

use kernel::cut::{Cut, ProductShape};
use kernel::{Arithmetic, Kernel, Matrix, Multiplier, multiply_textbook, rows_of};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::oracle::{assert_all_equal_textbook, is_emulated, multiply, rounding_matrix};

/// Any number at all but the infinities and NaN, which no input holds.
fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite()),
        4 => -1.0..1.0,
        1 => prop_oneof![Just(0.0), Just(-0.0), Just(1.0), Just(f64::MAX), Just(f64::MIN_POSITIVE)],
    ]
}

fn factors() -> impl Strategy<Value = (Matrix, Matrix)> {
    (1..20_usize, 1..30_usize, 1..40_usize).prop_flat_map(|(rows, inner, cols)| {
        let left = proptest::collection::vec(finite(), rows * inner);
        let right = proptest::collection::vec(finite(), inner * cols);
        (left, right).prop_map(move |(left, right)| {
            let left = Matrix::new(rows, inner, left).unwrap();
            (left, Matrix::new(inner, cols, right).unwrap())
        })
    })
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: if is_emulated() { 32 } else { 256 },
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn any_finite_factors_have_the_bits_of_the_textbook((left, right) in factors()) {
        assert_all_equal_textbook(&left, &right);
    }

    #[test]
    fn pieces_of_b_may_be_any_size(piece in 1..600_usize, inner in 1..600_usize) {
        let (left, right) = (rounding_matrix(1, 3, inner), rounding_matrix(2, inner, 5));
        let expected = multiply_textbook(&left, &right);
        for kernel in Kernel::available() {
            let multiplier = Multiplier::new(kernel, Arithmetic::Reproducible);
            assert_eq!(multiply(multiplier, &left, &right, piece), expected);
        }
    }

    #[test]
    fn no_cut_shows_in_the_bits(
        rows in 1..60_u32, inner in 1..40_u32, cols in 1..60_u32,
        rows_per_block in 1..60_u32, cols_per_block in 1..60_u32,
    ) {
        let shape = ProductShape { rows, inner, cols };
        let (rows_per_block, cols_per_block) = (rows_per_block.min(rows), cols_per_block.min(cols));
        let cut = Cut::from_parts(shape, rows_per_block, cols_per_block).unwrap();
        let left = rounding_matrix(1, rows as usize, inner as usize);
        let right = rounding_matrix(2, inner as usize, cols as usize);
        let expected = multiply_textbook(&left, &right);
        for index in 0..cut.block_count() {
            let block = cut.block(index).unwrap();
            let kernel = Kernel::detect();
            let mut packer = kernel.pack_right(inner as usize, block.cols.len());
            for k in 0..inner as usize {
                packer.push_rows(&right.row(k)[block.cols.start as usize..block.cols.end as usize]);
            }
            let mut product = vec![0.0; block.rows.len() * block.cols.len()];
            let first = block.rows.start as usize * inner as usize;
            let left = &left.entries()[first..first + block.rows.len() * inner as usize];
            let left = rows_of(left, block.rows.len());
            kernel.multiply(&left, &packer.finish().unwrap(), &mut product);
            for (row, line) in block.rows.clone().zip(product.chunks(block.cols.len())) {
                let expected = expected.row(row as usize);
                let expected = &expected[block.cols.start as usize..block.cols.end as usize];
                assert_eq!(line, expected);
            }
        }
    }
}
