//! The NEON kernel: 6 × 8 tiles, 24 accumulators of the 32 registers.
#![expect(
    unsafe_code,
    reason = "vector instructions, behind a proof that the processor has them"
)]

use core::arch::aarch64::{
    float64x2_t, vaddq_f64, vbslq_f64, vceqq_f64, vdupq_n_f64, vfmaq_f64, vld1q_dup_f64, vld1q_f64,
    vmulq_f64, vst1q_f64,
};

use super::tile::{Vector, implement_engine};
use crate::textbook::CANONICAL_NAN;

/// Proof that the processor has NEON, as practically every 64-bit ARM has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neon(());

impl Neon {
    pub(super) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

implement_engine!(
    Neon, vector: float64x2_t, vectors: 4, rows: 6 [1 2 3 4 5 6],
    #[target_feature(enable = "neon")]
);

// SAFETY: each function is the instruction its name says.
unsafe impl Vector for float64x2_t {
    const LANES: usize = 2;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for NEON.
        unsafe { vdupq_n_f64(0.0) }
    }

    #[inline(always)]
    unsafe fn broadcast(source: *const f64) -> Self {
        // SAFETY: the caller vouches for NEON and for the entry.
        unsafe { vld1q_dup_f64(source) }
    }

    #[inline(always)]
    unsafe fn load(source: *const f64) -> Self {
        // SAFETY: the caller vouches for NEON and for two entries.
        unsafe { vld1q_f64(source) }
    }

    #[inline(always)]
    unsafe fn store_canonical(self, target: *mut f64) {
        // SAFETY: the caller vouches for NEON and for two entries.
        unsafe {
            let is_number = vceqq_f64(self, self);
            vst1q_f64(
                target,
                vbslq_f64(is_number, self, vdupq_n_f64(CANONICAL_NAN)),
            );
        }
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        // SAFETY: the caller vouches for NEON.
        unsafe { vmulq_f64(self, other) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller vouches for NEON.
        unsafe { vaddq_f64(self, other) }
    }

    #[inline(always)]
    unsafe fn add_product(self, left: *const f64, right: Self) -> Self {
        // SAFETY: the caller vouches for NEON and for the entry.
        unsafe { vfmaq_f64(self, Self::broadcast(left), right) }
    }
}
