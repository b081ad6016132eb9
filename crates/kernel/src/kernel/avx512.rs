//! The AVX-512 kernel: 8 × 24 tiles, 24 accumulators of the 32 registers.
#![expect(
    unsafe_code,
    reason = "vector instructions, behind a proof that the processor has them"
)]

use core::arch::x86_64::{
    __m512d, _CMP_UNORD_Q, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm512_add_pd,
    _mm512_cmp_pd_mask, _mm512_fmadd_pd, _mm512_loadu_pd, _mm512_mask_mov_pd, _mm512_mul_pd,
    _mm512_set1_pd, _mm512_setzero_pd, _mm512_storeu_pd,
};

use super::tile::{Vector, implement_engine};
use crate::textbook::CANONICAL_NAN;

/// Proof that the processor has AVX-512F, which includes its fused multiply-add.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        std::arch::is_x86_feature_detected!("avx512f").then_some(Self(()))
    }
}

implement_engine!(
    Avx512, vector: __m512d, vectors: 3 or 2 or 1, rows: 8 [1 2 3 4 5 6 7 8],
    #[target_feature(enable = "avx512f")]
);

// SAFETY: each function is the instruction its name says.
unsafe impl Vector for __m512d {
    const LANES: usize = 8;
    const KS_PER_LINE_AHEAD: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for AVX-512F.
        unsafe { _mm512_setzero_pd() }
    }

    #[inline(always)]
    unsafe fn broadcast(source: *const f64) -> Self {
        // SAFETY: the caller vouches for AVX-512F and for the entry.
        unsafe { _mm512_set1_pd(*source) }
    }

    #[inline(always)]
    unsafe fn load(source: *const f64) -> Self {
        // SAFETY: the caller vouches for AVX-512F and for eight entries.
        unsafe { _mm512_loadu_pd(source) }
    }

    #[inline(always)]
    unsafe fn store_canonical(self, target: *mut f64) {
        // SAFETY: the caller vouches for AVX-512F and for eight entries.
        unsafe {
            let is_nan = _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(self, self);
            let value = _mm512_mask_mov_pd(self, is_nan, _mm512_set1_pd(CANONICAL_NAN));
            _mm512_storeu_pd(target, value);
        }
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        // SAFETY: the caller vouches for AVX-512F.
        unsafe { _mm512_mul_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller vouches for AVX-512F.
        unsafe { _mm512_add_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn add_rounded_product(self, left: *const f64, right: Self) -> Self {
        // SAFETY: the caller vouches for AVX-512F and for the entry.
        unsafe { add_rounded_product(self, left, right) }
    }

    #[inline(always)]
    unsafe fn add_product(self, left: *const f64, right: Self) -> Self {
        // SAFETY: the caller vouches for AVX-512F and for the entry.
        unsafe { _mm512_fmadd_pd(Self::broadcast(left), right, self) }
    }

    #[inline(always)]
    unsafe fn prefetch(source: *const f64) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(source.cast()) }
    }

    #[inline(always)]
    unsafe fn prefetch_to_second_level(source: *const f64) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(source.cast()) }
    }
}

/// Both instructions, the multiplication reading its entry of A itself. With the broadcast that the
/// compiler would load once for a row, a Zen 4 core has three quarters of this speed: that
/// instruction takes a turn in the pipes of the additions.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn add_rounded_product(sum: __m512d, left: *const f64, right: __m512d) -> __m512d {
    let mut sum = sum;
    // SAFETY: both instructions touch these registers only, and read the entry.
    unsafe {
        core::arch::asm!(
            "vmulpd {product}, {right}, qword ptr [{left}]{{1to8}}",
            "vaddpd {sum}, {sum}, {product}",
            left = in(reg) left,
            right = in(zmm_reg) right,
            sum = inout(zmm_reg) sum,
            product = lateout(zmm_reg) _,
            options(pure, readonly, nostack),
        );
    }
    sum
}
