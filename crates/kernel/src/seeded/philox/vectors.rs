//! Philox for many counters side by side, one in each lane of a vector.
//!
//! No vector instruction multiplies 64 bits by 64 into 128, so a product is put together from four
//! of 32 bits, and that still takes half to a third of the time of one counter after the other. The
//! loops over lanes are plain: the compiler makes vectors of them where it may use such instructions.
#![expect(
    unsafe_code,
    reason = "vector instructions, behind a proof that the processor has them"
)]
#![expect(
    clippy::inline_always,
    reason = "the vectors of the caller are only used in what becomes a part of it"
)]

use super::{
    KEY_STEP_0, KEY_STEP_1, LANES, MULTIPLIER_0, MULTIPLIER_1, ROUNDS, multiply_in_halves,
    to_uniform,
};

/// Fills the beginning of `out` from this counter on, and tells how many entries of it: none where
/// the processor has no vectors that are worth it.
pub(super) fn fill_beginning(key: u64, counter: u64, out: &mut [f64]) -> usize {
    if std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512dq")
    {
        // SAFETY: the processor has both.
        return unsafe { with_avx512(key, counter, out) };
    }
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has it.
        return unsafe { with_avx2(key, counter, out) };
    }
    0
}

#[target_feature(enable = "avx512f,avx512dq")]
fn with_avx512(key: u64, counter: u64, out: &mut [f64]) -> usize {
    fill::<16>(key, counter, out)
}

#[target_feature(enable = "avx2")]
fn with_avx2(key: u64, counter: u64, out: &mut [f64]) -> usize {
    fill::<8>(key, counter, out)
}

#[inline(always)]
fn fill<const COUNTERS: usize>(key: u64, mut counter: u64, out: &mut [f64]) -> usize {
    let mut groups = out.chunks_exact_mut(COUNTERS * LANES);
    let mut filled = 0;
    for group in &mut groups {
        let words = philox::<COUNTERS>(key, counter);
        for (index, entries) in group.chunks_exact_mut(LANES).enumerate() {
            for (entry, word) in entries.iter_mut().zip(&words) {
                *entry = to_uniform(word[index]);
            }
        }
        filled += COUNTERS * LANES;
        counter = counter.wrapping_add(COUNTERS as u64);
    }
    filled
}

/// The same as [`super::philox`], for this counter and those that follow: the first word of each,
/// the second of each, and so on.
#[inline(always)]
fn philox<const COUNTERS: usize>(key: u64, counter: u64) -> [[u64; COUNTERS]; LANES] {
    let first = core::array::from_fn(|index| counter.wrapping_add(index as u64));
    let [mut a, mut b, mut c, mut d] = [first, [0; COUNTERS], [0; COUNTERS], [0; COUNTERS]];
    let mut keys = [key, 0_u64];
    for _ in 0..ROUNDS {
        for index in 0..COUNTERS {
            let (high_0, low_0) = multiply_in_halves(MULTIPLIER_0, a[index]);
            let (high_1, low_1) = multiply_in_halves(MULTIPLIER_1, c[index]);
            a[index] = high_1 ^ b[index] ^ keys[0];
            b[index] = low_1;
            c[index] = high_0 ^ d[index] ^ keys[1];
            d[index] = low_0;
        }
        keys = [
            keys[0].wrapping_add(KEY_STEP_0),
            keys[1].wrapping_add(KEY_STEP_1),
        ];
    }
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// One counter after the other.
    fn plain(key: u64, mut counter: u64, count: usize) -> Vec<f64> {
        let mut all = Vec::new();
        for _ in 0..count / LANES {
            all.extend(super::super::uniform_lanes(key, counter));
            counter = counter.wrapping_add(1);
        }
        all
    }

    #[test]
    fn every_width_has_the_numbers_of_one_counter_after_the_other() {
        for (key, counter) in [(0, 1), (7, 12_345), (u64::MAX, u64::MAX - 20)] {
            // A whole number of groups, and some entries that are left to others.
            let mut out = [0.5; 3 * 16 * LANES + 5];
            for fill in [fill_beginning, fill::<1>, fill::<8>, fill::<16>] {
                out.fill(0.5);
                let filled = fill(key, counter, &mut out);
                assert_eq!(out[..filled], plain(key, counter, filled));
                assert!(out[filled..].iter().all(|entry| *entry == 0.5));
            }
        }
    }

    #[test]
    fn what_the_processor_has_is_used() {
        let mut out = [0.0; 16 * LANES];
        let has_any = std::arch::is_x86_feature_detected!("avx2");
        assert_eq!(fill_beginning(7, 1, &mut out) > 0, has_any);
    }
}
