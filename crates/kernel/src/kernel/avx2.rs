//! The AVX2 kernel: 6 × 8 tiles, 12 accumulators of the 16 registers.
#![expect(
    unsafe_code,
    reason = "vector instructions, behind a proof that the processor has them"
)]

use core::arch::x86_64::{
    __m256d, _CMP_UNORD_Q, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm256_add_pd, _mm256_blendv_pd,
    _mm256_broadcast_sd, _mm256_cmp_pd, _mm256_fmadd_pd, _mm256_loadu_pd, _mm256_mul_pd,
    _mm256_set1_pd, _mm256_setzero_pd, _mm256_storeu_pd,
};
use core::ptr::from_mut;

use super::tile::{Panels, Vector, for_each_product, implement_engine};
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

/// Some k of a tile of two vectors, `turns` lists them from 0 on: row by row two multiplications, then their two
/// additions; `row: first second` are a row's sums among the operands. Left to itself the compiler multiplies and
/// adds by turns or moves instructions apart, and a Zen 4 core then needs 6.8 cycles for six rows instead of 6.05,
/// of 6 at least. All of it is one text, for with six rows every register is in use: told the order of each row
/// alone, the compiler would move sums to memory and back.
macro_rules! two_products_then_two_sums {
    ($name:ident, $turns:literal, $rows:literal, $($row:literal: $first:literal $second:literal),*) => {
        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn $name(sums: &mut [[__m256d; 2]; $rows], left: *const f64, right: *const f64) {
            // SAFETY: reads the entries that the caller vouches for, and writes to registers.
            unsafe {
                core::arch::asm!(
                    concat!(".irp k, ", $turns),
                    "vmovupd {right_0}, ymmword ptr [{right} + 64*\\k]",
                    "vmovupd {right_1}, ymmword ptr [{right} + 64*\\k + 32]",
                    $(
                        concat!("vbroadcastsd {factor}, qword ptr [{left} + 8*(", $rows, "*\\k + ", $row, ")]"),
                        "vmulpd {product}, {factor}, {right_0}",
                        "vmulpd {factor}, {factor}, {right_1}",
                        concat!("vaddpd {", $first, "}, {", $first, "}, {product}"),
                        concat!("vaddpd {", $second, "}, {", $second, "}, {factor}"),
                    )*
                    ".endr",
                    $(inout(ymm_reg) sums[$row][0], inout(ymm_reg) sums[$row][1],)*
                    left = in(reg) left,
                    right = in(reg) right,
                    right_0 = out(ymm_reg) _,
                    right_1 = out(ymm_reg) _,
                    factor = out(ymm_reg) _,
                    product = out(ymm_reg) _,
                    options(pure, readonly, nostack),
                );
            }
        }
    };
}

two_products_then_two_sums!(six_rows, "0", 6, 0: 0 1, 1: 2 3, 2: 4 5, 3: 6 7, 4: 8 9, 5: 10 11);
two_products_then_two_sums!(five_rows, "0", 5, 0: 0 1, 1: 2 3, 2: 4 5, 3: 6 7, 4: 8 9);
two_products_then_two_sums!(six_rows_at_four_k, "0, 1, 2, 3", 6, 0: 0 1, 1: 2 3, 2: 4 5, 3: 6 7, 4: 8 9, 5: 10 11);
two_products_then_two_sums!(five_rows_at_four_k, "0, 1, 2, 3", 5, 0: 0 1, 1: 2 3, 2: 4 5, 3: 6 7, 4: 8 9);

// SAFETY: each function is the instruction its name says.
unsafe impl Vector for __m256d {
    const LANES: usize = 4;
    const KS_PER_LINE_AHEAD: usize = 4;

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
    unsafe fn add_rounded_products<const ROWS: usize, const VECTORS: usize, const WIDTH: usize>(
        sums: &mut [[Self; VECTORS]; ROWS],
        mut panels: Panels,
    ) {
        // SAFETY: the caller vouches for AVX2 and for the entries; the casts change no type.
        unsafe {
            let is_ordered = (ROWS == 6 || ROWS == 5) && VECTORS == 2 && WIDTH == 2;
            if !is_ordered {
                for_each_product::<Self, ROWS, VECTORS, WIDTH>(
                    sums,
                    panels,
                    Self::add_rounded_product,
                );
                return;
            }
            let sums = from_mut(sums);
            let (mut left, mut right) = (panels.left, panels.right);
            for _ in 0..panels.depth / 4 {
                Self::prefetch_to_second_level(panels.ahead.next());
                match ROWS {
                    6 => six_rows_at_four_k(&mut *sums.cast(), left, right),
                    _ => five_rows_at_four_k(&mut *sums.cast(), left, right),
                }
                left = left.add(4 * ROWS);
                right = right.add(4 * WIDTH * Self::LANES);
            }
            for _ in 0..panels.depth % 4 {
                match ROWS {
                    6 => six_rows(&mut *sums.cast(), left, right),
                    _ => five_rows(&mut *sums.cast(), left, right),
                }
                left = left.add(ROWS);
                right = right.add(WIDTH * Self::LANES);
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

    #[inline(always)]
    unsafe fn prefetch_to_second_level(source: *const f64) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(source.cast()) }
    }
}
