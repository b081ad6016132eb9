//! Values at the ends of what an f64 can hold.

use kernel::{Arithmetic, Kernel, Matrix, Multiplier, multiply_textbook};

use super::oracle::{assert_all_equal_textbook, multiply, rounding_matrix};

const ROWS: usize = 13;
const INNER: usize = 300;
const COLS: usize = 27;

/// Both factors with every entry put through `change`, which sees a number in [−0.5, 0.5) and a
/// running index.
fn assert_changed(change: impl Fn(f64, usize) -> f64) {
    let changed = |seed, rows, cols| {
        let mut matrix = rounding_matrix(seed, rows, cols);
        for (index, entry) in matrix.entries_mut().iter_mut().enumerate() {
            *entry = change(*entry, index);
        }
        matrix
    };
    assert_all_equal_textbook(&changed(3, ROWS, INNER), &changed(4, INNER, COLS));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn products_that_are_denormal() {
    assert_changed(|entry, _| entry * 1e-158);
    assert_changed(|entry, index| {
        if index % 2 == 0 {
            entry * 1e-308
        } else {
            entry
        }
    });
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn factors_that_are_denormal() {
    assert_changed(|entry, index| {
        let tiny = f64::from_bits(entry.to_bits() >> 12);
        if index % 3 == 0 { tiny } else { entry * 1e8 }
    });
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn zeros_of_both_signs() {
    assert_changed(|entry, _| 0.0_f64.copysign(entry));
    assert_changed(|entry, index| {
        if index % 5 == 0 {
            entry
        } else {
            0.0_f64.copysign(entry)
        }
    });
    let negative = Matrix::new(2, 1, vec![-0.0; 2]).unwrap();
    let positive = Matrix::new(1, 2, vec![1.0; 2]).unwrap();
    assert_all_equal_textbook(&negative, &positive);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn sums_that_overflow_and_come_to_nan() {
    assert_changed(|entry, _| entry * 1e155);
    assert_changed(|entry, index| if index % 7 == 0 { entry * 1e300 } else { entry });
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn magnitudes_far_apart() {
    assert_changed(|entry, index| entry * if index % 2 == 0 { 1e100 } else { 1e-100 });
    assert_changed(|entry, index| {
        if index % 4 < 2 {
            entry.signum() * 1e16
        } else {
            entry
        }
    });
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn every_nan_is_stored_as_the_canonical_one() {
    // The NaN arises in the first block of k and is carried through the next.
    let mut left = rounding_matrix(5, 7, 600);
    let mut right = rounding_matrix(6, 600, 9);
    left.entries_mut()[0] = 1e300;
    left.entries_mut()[1] = -1e300;
    right.entries_mut()[..18].fill(1e300);
    assert_all_equal_textbook(&left, &right);
    for kernel in Kernel::available() {
        let multiplier = Multiplier::new(kernel, Arithmetic::Reproducible);
        let product = multiply(multiplier, &left, &right, 600);
        assert_eq!(product.entries()[0].to_bits(), 0x7ff8_0000_0000_0000);
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn fast_stays_within_the_error_bound() {
    let (left, right) = (rounding_matrix(7, 31, 700), rounding_matrix(8, 700, 45));
    let exact = multiply_textbook(&left, &right);
    // |error| ≤ 2 · n · ε · |A|·|B|, and no entry exceeds one half.
    let bound = 2.0 * 700.0 * f64::EPSILON * 700.0 * 0.25;
    for kernel in Kernel::available() {
        let multiplier = Multiplier::new(kernel, Arithmetic::Fast);
        let product = multiply(multiplier, &left, &right, 64);
        for (exact, found) in exact.entries().iter().zip(product.entries()) {
            assert!((exact - found).abs() <= bound, "{exact} and {found}");
        }
    }
}
