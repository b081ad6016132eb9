//! The AVX2 kernel: 6 × 8 tiles, 12 accumulators of the 16 registers.
#![expect(
    unsafe_code,
    reason = "vector instructions, behind a proof that the processor has them"
)]

use core::arch::x86_64::{
    __m256d, _CMP_UNORD_Q, _MM_HINT_T0, _mm_prefetch, _mm256_add_pd, _mm256_blendv_pd,
    _mm256_broadcast_sd, _mm256_cmp_pd, _mm256_fmadd_pd, _mm256_loadu_pd, _mm256_mul_pd,
    _mm256_set1_pd, _mm256_setzero_pd, _mm256_storeu_pd,
};

use super::tile::{Vector, implement_engine};
use crate::textbook::CANONICAL_NAN;

/// Proof that the processor has AVX2 and FMA. FMA serves `fast` only; every maker but one always
/// shipped the two together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        (std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma"))
            .then_some(Self(()))
    }
}

implement_engine!(
    Avx2, vector: __m256d, vectors: 2 or 1, rows: 6 [1 2 3 4 5 6],
    #[target_feature(enable = "avx2,fma")]
);

// SAFETY: each function is the instruction its name says.
unsafe impl Vector for __m256d {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for AVX2.
        unsafe { _mm256_setzero_pd() }
    }

    #[inline(always)]
    unsafe fn broadcast(source: *const f64) -> Self {
        // SAFETY: the caller vouches for AVX2 and for the entry.
        unsafe { _mm256_broadcast_sd(&*source) }
    }

    #[inline(always)]
    unsafe fn load(source: *const f64) -> Self {
        // SAFETY: the caller vouches for AVX2 and for four entries.
        unsafe { _mm256_loadu_pd(source) }
    }

    #[inline(always)]
    unsafe fn store_canonical(self, target: *mut f64) {
        // SAFETY: the caller vouches for AVX2 and for four entries.
        unsafe {
            let is_nan = _mm256_cmp_pd::<_CMP_UNORD_Q>(self, self);
            let value = _mm256_blendv_pd(self, _mm256_set1_pd(CANONICAL_NAN), is_nan);
            _mm256_storeu_pd(target, value);
        }
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        // SAFETY: the caller vouches for AVX2.
        unsafe { _mm256_mul_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller vouches for AVX2.
        unsafe { _mm256_add_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn add_rounded_product(self, left: *const f64, right: Self) -> Self {
        // SAFETY: the caller vouches for AVX2 and for the entry.
        unsafe { add_rounded_product(self, Self::broadcast(left), right) }
    }

    #[inline(always)]
    unsafe fn add_product(self, left: *const f64, right: Self) -> Self {
        // SAFETY: the caller vouches for FMA and for the entry.
        unsafe { _mm256_fmadd_pd(Self::broadcast(left), right, self) }
    }

    #[inline(always)]
    unsafe fn prefetch(source: *const f64) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(source.cast()) }
    }
}

/// The two instructions back to back. The compiler would move them apart, and a Zen 3 core then
/// needs 6.4 cycles for each k of a tile instead of 6.05, of 6 at least (three orders tried by hand).
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn add_rounded_product(sum: __m256d, left: __m256d, right: __m256d) -> __m256d {
    let mut sum = sum;
    // SAFETY: both instructions touch these registers only.
    unsafe {
        core::arch::asm!(
            "vmulpd {product}, {left}, {right}",
            "vaddpd {sum}, {sum}, {product}",
            left = in(ymm_reg) left,
            right = in(ymm_reg) right,
            sum = inout(ymm_reg) sum,
            product = lateout(ymm_reg) _,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}
