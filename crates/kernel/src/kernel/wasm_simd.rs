//! The WebAssembly SIMD kernel: 5 × 4 tiles. Engines on x86-64 map a v128 to one of 16 registers;
//! 10 accumulators, 2 factors, an entry and a product leave them room for their own needs.
#![expect(
    unsafe_code,
    reason = "vector instructions read and write through pointers"
)]

use core::arch::wasm32::{
    f64x2_add, f64x2_eq, f64x2_mul, f64x2_splat, v128, v128_bitselect, v128_load,
    v128_load64_splat, v128_store,
};

use super::tile::{
    Ahead, Panels, Vector, for_each_product, implement_engine, load_sums, store_sums,
};
use crate::textbook::CANONICAL_NAN;

/// A module that holds these instructions only loads where the engine has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct WasmSimd(());

impl WasmSimd {
    pub(super) fn detect() -> Self {
        Self(())
    }
}

implement_engine!(
    WasmSimd, vector: v128, vectors: 2, rows: 5 [1 2 3 4 5],
    #[target_feature(enable = "simd128")]
);

/// A whole tile of two vectors. These are the functions, by their names in the module, that the build
/// of the pages' module writes anew in an order of instructions that LLVM does not keep
/// (`server/build/tile_functions.rs`): the bits are the same.
macro_rules! tile_functions {
    ($($name:ident: $rows:literal),*) => {
        $(
            /// # Safety
            /// As for [`super::tile::accumulate`].
            #[unsafe(no_mangle)]
            #[inline(never)]
            unsafe extern "C" fn $name(
                product: *mut f64,
                stride: usize,
                is_first: bool,
                depth: usize,
                left: *const f64,
                right: *const f64,
            ) {
                let panels = Panels {
                    depth,
                    left,
                    right,
                    ahead: Ahead::NONE,
                };
                // SAFETY: passed on to the caller.
                unsafe {
                    let mut sums = load_sums::<v128, $rows, 2>(product, stride, is_first);
                    for_each_product::<v128, $rows, 2, 2>(&mut sums, panels, v128::add_rounded_product);
                    store_sums::<v128, $rows, 2>(&sums, product, stride);
                }
            }
        )*
    };
}
tile_functions!(accumulate_four_rows: 4, accumulate_five_rows: 5);

// SAFETY: each function is the instruction its name says.
unsafe impl Vector for v128 {
    const LANES: usize = 2;

    #[inline(always)]
    unsafe fn zero() -> Self {
        f64x2_splat(0.0)
    }

    #[inline(always)]
    unsafe fn broadcast(source: *const f64) -> Self {
        // SAFETY: the caller vouches for the entry.
        unsafe { v128_load64_splat(source.cast()) }
    }

    #[inline(always)]
    unsafe fn load(source: *const f64) -> Self {
        // SAFETY: the caller vouches for two entries.
        unsafe { v128_load(source.cast()) }
    }

    #[inline(always)]
    unsafe fn store_canonical(self, target: *mut f64) {
        let is_number = f64x2_eq(self, self);
        let value = v128_bitselect(self, f64x2_splat(CANONICAL_NAN), is_number);
        // SAFETY: the caller vouches for two entries.
        unsafe { v128_store(target.cast(), value) }
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        f64x2_mul(self, other)
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        f64x2_add(self, other)
    }

    #[inline(always)]
    unsafe fn accumulate_rounded<const ROWS: usize, const VECTORS: usize, const WIDTH: usize>(
        panels: Panels,
        product: *mut f64,
        stride: usize,
        is_first: bool,
    ) -> bool {
        let Panels {
            depth, left, right, ..
        } = panels;
        let tile = match (ROWS, VECTORS, WIDTH) {
            (4, 2, 2) => accumulate_four_rows,
            (5, 2, 2) => accumulate_five_rows,
            _ => return false,
        };
        // SAFETY: the caller vouches for the entries.
        unsafe { tile(product, stride, is_first, depth, left, right) };
        true
    }

    #[inline(always)]
    unsafe fn add_product(self, left: *const f64, right: Self) -> Self {
        // SAFETY: the caller vouches for the entry.
        unsafe { f64x2_add(self, f64x2_mul(Self::broadcast(left), right)) }
    }
}
