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
use core::ptr::from_mut;

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

/// One k of a tile of two vectors: row by row two multiplications, then their two additions. Here `row: first
/// second` are a row's sums among the operands. The compiler would take turns or move instructions apart, and a
/// Zen 4 core then needs 6.8 cycles for six rows instead of 6.1, of 6 at least. With six rows all registers
/// are in use, so that it cannot be told the order of each row alone.
macro_rules! two_products_then_two_sums {
    ($name:ident, $rows:literal, $($row:literal: $first:literal $second:literal),*) => {
        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn $name(sums: &mut [[__m256d; 2]; $rows], left: *const f64, right: [__m256d; 2]) {
            // SAFETY: reads the entries that the caller vouches for, and writes to registers.
            unsafe {
                core::arch::asm!(
                    $(
                        concat!("vbroadcastsd {factor}, qword ptr [{left} + 8*", $row, "]"),
                        "vmulpd {product}, {factor}, {right_0}",
                        "vmulpd {factor}, {factor}, {right_1}",
                        concat!("vaddpd {", $first, "}, {", $first, "}, {product}"),
                        concat!("vaddpd {", $second, "}, {", $second, "}, {factor}"),
                    )*
                    $(inout(ymm_reg) sums[$row][0], inout(ymm_reg) sums[$row][1],)*
                    left = in(reg) left,
                    right_0 = in(ymm_reg) right[0],
                    right_1 = in(ymm_reg) right[1],
                    factor = out(ymm_reg) _,
                    product = out(ymm_reg) _,
                    options(pure, readonly, nostack, preserves_flags),
                );
            }
        }
    };
}

two_products_then_two_sums!(add_six_rows, 6, 0: 0 1, 1: 2 3, 2: 4 5, 3: 6 7, 4: 8 9, 5: 10 11);
two_products_then_two_sums!(add_five_rows, 5, 0: 0 1, 1: 2 3, 2: 4 5, 3: 6 7, 4: 8 9);

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
    unsafe fn add_rounded_products<const ROWS: usize, const VECTORS: usize>(
        sums: &mut [[Self; VECTORS]; ROWS],
        left: *const f64,
        right: [Self; VECTORS],
    ) {
        // SAFETY: the caller vouches for AVX2 and for the entries; the casts change no type.
        unsafe {
            match (ROWS, VECTORS) {
                (6, 2) => add_six_rows(&mut *from_mut(sums).cast(), left, [right[0], right[1]]),
                (5, 2) => add_five_rows(&mut *from_mut(sums).cast(), left, [right[0], right[1]]),
                _ => {
                    for (row, sums) in sums.iter_mut().enumerate() {
                        for (sum, right) in sums.iter_mut().zip(right) {
                            *sum = sum.add_rounded_product(left.add(row), right);
                        }
                    }
                }
            }
        }
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
