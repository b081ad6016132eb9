//! The kernel for any processor: 4 × 2 tiles of plain f64, which the compiler turns into whatever
//! vectors the target's baseline has.
#![expect(
    unsafe_code,
    reason = "an instance of the text that the vector kernels share"
)]

use super::tile::{Vector, implement_engine};
use crate::textbook::canonicalise;

/// There is nothing to prove.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scalar(());

impl Scalar {
    pub(super) fn detect() -> Self {
        Self(())
    }
}

implement_engine!(Scalar, vector: f64, vectors: 2, rows: 4 [1 2 3 4],);

// SAFETY: a single f64 is a vector of one lane.
unsafe impl Vector for f64 {
    const LANES: usize = 1;

    #[inline(always)]
    unsafe fn zero() -> Self {
        0.0
    }

    #[inline(always)]
    unsafe fn broadcast(source: *const f64) -> Self {
        // SAFETY: the caller vouches for the entry.
        unsafe { *source }
    }

    #[inline(always)]
    unsafe fn load(source: *const f64) -> Self {
        // SAFETY: the caller vouches for the entry.
        unsafe { *source }
    }

    #[inline(always)]
    unsafe fn store_canonical(self, target: *mut f64) {
        // SAFETY: the caller vouches for the entry.
        unsafe { *target = canonicalise(self) }
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        self * other
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    unsafe fn add_product(self, left: *const f64, right: Self) -> Self {
        // Without the instruction `mul_add` is a slow library call: two roundings serve as well.
        // SAFETY: the caller vouches for the entry.
        unsafe { self + *left * right }
    }
}
