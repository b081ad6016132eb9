//! Shapes at and beside every size at which a kernel does something else: tiles, blocks of k,
//! stripes of rows, spans of columns.

use kernel::Kernel;

use super::oracle::{Sides, assert_sides, is_emulated};

/// `kernel::packing::DEPTH`, `blocked::STRIPE_ROWS`, `blocked::SPAN_COLS`.
const DEPTH: usize = 256;
const STRIPE_ROWS: usize = 120;
const SPAN_COLS: usize = 3072;

fn beside(size: usize) -> [usize; 3] {
    [size - 1, size, size + 1]
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn every_small_shape() {
    let side_max = if is_emulated() { 9 } else { 14 };
    for rows in 1..=side_max {
        for cols in 1..=side_max {
            for inner in [1, 2, 5] {
                assert_sides((rows, inner, cols));
            }
        }
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn beside_every_tile() {
    for kernel in Kernel::available() {
        let (tile_rows, tile_cols) = kernel.tile();
        for rows in beside(tile_rows).into_iter().chain(beside(2 * tile_rows)) {
            for cols in beside(tile_cols).into_iter().chain(beside(3 * tile_cols)) {
                assert_sides((rows, 3, cols));
            }
        }
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn beside_every_block_of_k() {
    for inner in beside(DEPTH).into_iter().chain(beside(2 * DEPTH)) {
        assert_sides((7, inner, 9));
        assert_sides((1, inner, 25));
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn beside_every_stripe_of_rows() {
    for rows in beside(STRIPE_ROWS)
        .into_iter()
        .chain(beside(2 * STRIPE_ROWS))
    {
        assert_sides((rows, DEPTH + 1, 10));
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn beside_every_span_of_columns() {
    for cols in beside(SPAN_COLS) {
        assert_sides((5, 3, cols));
    }
    assert_sides((2, DEPTH + 1, 2 * SPAN_COLS + 1));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn rows_columns_and_primes() {
    let shapes: [Sides; 12] = [
        (1, 1000, 1),
        (1, 1, 1000),
        (1000, 1, 1),
        (1, 300, 300),
        (300, 300, 1),
        (97, 101, 103),
        (13, 200, 200),
        (127, 61, 2),
        (2, 61, 127),
        (3, 509, 11),
        (200, 3, 5),
        (5, 3, 200),
    ];
    shapes.into_iter().for_each(assert_sides);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn several_of_every_block_at_once() {
    let side = if is_emulated() { 130 } else { 260 };
    assert_sides((side, 2 * DEPTH + 3, side + 1));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn without_entries_there_is_nothing_or_zero() {
    assert_sides((0, 3, 3));
    assert_sides((3, 3, 0));
    assert_sides((3, 0, 3));
}
