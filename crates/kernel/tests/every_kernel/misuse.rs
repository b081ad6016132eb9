//! What a caller can get wrong is noticed, not computed.

use kernel::{Arithmetic, Kernel, Multiplier, UnfinishedRight, rows_of};

use super::oracle::rounding_matrix;

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_missing_row_of_b_is_reported() {
    let mut packer = Kernel::detect().pack_right(3, 2);
    packer.push_rows(&[1.0; 4]);
    assert_eq!(packer.rows_taken(), 2);
    let error = packer.finish().unwrap_err();
    assert_eq!(
        error,
        UnfinishedRight {
            rows_expected: 3,
            rows_taken: 2,
            excess_entries: 0
        }
    );
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_row_of_b_too_many_is_reported() {
    let mut packer = Kernel::detect().pack_right(3, 2);
    packer.push_rows(&[1.0; 8]);
    let error = packer.finish().unwrap_err();
    assert_eq!(
        error,
        UnfinishedRight {
            rows_expected: 3,
            rows_taken: 3,
            excess_entries: 2
        }
    );
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_broken_row_of_b_is_reported() {
    let mut packer = Kernel::detect().pack_right(1, 2);
    packer.push_rows(&[1.0; 3]);
    assert!(packer.finish().is_err());
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn rows_of_c_beside_the_block_stay_as_they_are() {
    let (left, right) = (rounding_matrix(1, 5, 9), rounding_matrix(2, 9, 11));
    for kernel in Kernel::available() {
        let multiplier = Multiplier::new(kernel, Arithmetic::Reproducible);
        let mut packer = multiplier.prepare_right(9, 11);
        packer.push_rows(right.entries());
        let packed = packer.finish().unwrap();
        let mut canvas = vec![-7.0; 7 * 11];
        multiplier.multiply(
            &rows_of(left.entries(), 5),
            &packed,
            &mut canvas[11..6 * 11],
        );
        assert!(
            canvas[..11]
                .iter()
                .chain(&canvas[6 * 11..])
                .all(|entry| *entry == -7.0)
        );
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[should_panic(expected = "entries of C")]
fn a_product_of_the_wrong_length_is_refused() {
    let kernel = Kernel::detect();
    let mut packer = kernel.pack_right(1, 2);
    packer.push_rows(&[1.0; 2]);
    kernel.multiply(&[&[1.0]], &packer.finish().unwrap(), &mut [0.0; 3]);
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[should_panic(expected = "entries of A")]
fn a_row_of_the_wrong_length_is_refused() {
    let kernel = Kernel::detect();
    let mut packer = kernel.pack_right(2, 1);
    packer.push_rows(&[1.0; 2]);
    kernel.multiply(
        &[&[1.0; 2], &[1.0; 1]],
        &packer.finish().unwrap(),
        &mut [0.0; 2],
    );
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn panels_of_another_kernel_are_refused() {
    let kernels = Kernel::available();
    let (scalar, vectors) = kernels.split_last().unwrap();
    for vector in vectors {
        let mut packer = scalar.pack_right(1, 2);
        packer.push_rows(&[1.0; 2]);
        let packed = packer.finish().unwrap();
        let outcome =
            std::panic::catch_unwind(|| vector.multiply(&[&[1.0]], &packed, &mut [0.0; 2]));
        assert!(outcome.is_err(), "{} took them", vector.instruction_set());
    }
}
