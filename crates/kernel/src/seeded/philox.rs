//! Philox4x64-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
//! 2011), in NumPy's arrangement of key and counter.

#[cfg(target_arch = "x86_64")]
mod vectors;

const MULTIPLIER_0: u64 = 0xd2e7_470e_e14c_6c93;
const MULTIPLIER_1: u64 = 0xca5a_8263_9512_1157;
const KEY_STEP_0: u64 = 0x9e37_79b9_7f4a_7c15;
const KEY_STEP_1: u64 = 0xbb67_ae85_84ca_a73b;
const ROUNDS: usize = 10;
const LANES: usize = 4;

/// Writes the uniform numbers that come first in NumPy's stream for this key after `first` others.
pub(super) fn fill_uniform(key: u64, first: u64, out: &mut [f64]) {
    let skipped = usize::from(first.to_le_bytes()[0]) % LANES;
    let mut counter = first / 4 + 1;
    let (head, rest) = out.split_at_mut(((LANES - skipped) % LANES).min(out.len()));
    if !head.is_empty() {
        let lanes = uniform_lanes(key, counter);
        head.copy_from_slice(&lanes[skipped..skipped + head.len()]);
        counter = counter.wrapping_add(1);
    }
    #[cfg(target_arch = "x86_64")]
    let rest = {
        let filled = vectors::fill_beginning(key, counter, rest);
        counter = counter.wrapping_add((filled / LANES) as u64);
        &mut rest[filled..]
    };
    let mut whole = rest.chunks_exact_mut(LANES);
    for lanes in &mut whole {
        lanes.copy_from_slice(&uniform_lanes(key, counter));
        counter = counter.wrapping_add(1);
    }
    let tail = whole.into_remainder();
    if !tail.is_empty() {
        tail.copy_from_slice(&uniform_lanes(key, counter)[..tail.len()]);
    }
}

#[inline]
fn uniform_lanes(key: u64, counter: u64) -> [f64; LANES] {
    philox(key, counter).map(to_uniform)
}

/// The upper 53 bits as a multiple of 2⁻⁵³: every value is exact.
#[inline]
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits are exactly what an f64 holds"
)]
fn to_uniform(bits: u64) -> f64 {
    (bits >> 11).cast_signed() as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// The four outputs at counter (`counter`, 0, 0, 0) under key (`key`, 0). Matrices have fewer than
/// 2⁶⁶ entries, so the other words of the counter stay zero.
#[inline]
fn philox(key: u64, counter: u64) -> [u64; LANES] {
    let mut words = [counter, 0, 0, 0];
    let mut keys = [key, 0];
    for _ in 0..ROUNDS {
        let (high_0, low_0) = multiply_wide(MULTIPLIER_0, words[0]);
        let (high_1, low_1) = multiply_wide(MULTIPLIER_1, words[2]);
        words = [
            high_1 ^ words[1] ^ keys[0],
            low_1,
            high_0 ^ words[3] ^ keys[1],
            low_0,
        ];
        keys = [
            keys[0].wrapping_add(KEY_STEP_0),
            keys[1].wrapping_add(KEY_STEP_1),
        ];
    }
    words
}

/// The (high, low) halves of a 128-bit product.
#[cfg(not(target_arch = "wasm32"))]
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the halves are what is wanted"
)]
fn multiply_wide(left: u64, right: u64) -> (u64, u64) {
    let product = u128::from(left) * u128::from(right);
    ((product >> 64) as u64, product as u64)
}

/// The (high, low) halves of a 128-bit product: WebAssembly has no wider multiplication, and a
/// `u128` would call a library function.
#[cfg(target_arch = "wasm32")]
#[inline]
fn multiply_wide(left: u64, right: u64) -> (u64, u64) {
    multiply_in_halves(left, right)
}

/// The same from four products of 32-bit halves.
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64"))]
#[inline]
fn multiply_in_halves(left: u64, right: u64) -> (u64, u64) {
    const LOW: u64 = 0xffff_ffff;
    let (left_high, left_low) = (left >> 32, left & LOW);
    let (right_high, right_low) = (right >> 32, right & LOW);
    let low = left_low * right_low;
    let middle = left_high * right_low + (low >> 32);
    let middle_low = left_low * right_high + (middle & LOW);
    let high = left_high * right_high + (middle >> 32) + (middle_low >> 32);
    (high, middle_low << 32 | low & LOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The upper 53 bits of the numbers from `first` on.
    fn bits<const COUNT: usize>(key: u64, first: u64) -> [u64; COUNT] {
        let mut out = [0.0; COUNT];
        fill_uniform(key, first, &mut out);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "multiples of 2⁻⁵³ in [0, 1)"
        )]
        out.map(|uniform| (uniform * 9_007_199_254_740_992.0) as u64)
    }

    // The values below are what NumPy 2.4.6 prints for
    //   g = np.random.Generator(np.random.Philox(key=s))
    //   [hex(int(x * 2**53)) for x in g.random((3, 5)).ravel()[:9]]

    #[test]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn seed_0_is_numpys() {
        let numpy = [
            0x5e97_4c81_1c9b,
            0x7_bac5_6173_9518,
            0x3_90cc_f4ab_b205,
            0x12_0faf_40a5_fab6,
            0x10_137e_6451_0730,
            0x8_e225_173d_00fe,
            0x1e_4a17_41b7_d80c,
            0x1f_8dda_ccec_f48a,
            0x8_1f50_de1e_f032,
        ];
        assert_eq!(bits(0, 0), numpy);
    }

    #[test]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn seed_7_is_numpys() {
        let numpy = [
            0x1b_e806_9705_3d3f,
            0x9_73a2_19bf_1cc8,
            0xd_7170_afca_0d55,
            0xc_f8f9_28b6_374d,
            0x2_a6a5_b4ef_d9dd,
            0x16_4ad1_1064_fee5,
            0x9_7bc2_eafb_2a14,
            0x13_dba4_dd0a_b928,
            0x7391_fbcb_64e0,
        ];
        assert_eq!(bits(7, 0), numpy);
    }

    #[test]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn the_largest_seed_is_numpys() {
        let numpy = [
            0x7_84a4_38b1_bbcb,
            0x16_f435_abb5_c260,
            0xd_285d_5d3f_a5fd,
            0x16_eaa5_d0f1_a384,
            0xb_3487_3812_d82f,
            0x18_6999_8492_571f,
            0x10_a6ff_7543_007c,
            0x9_cc25_2ddd_cf3d,
            0x1_c897_e23e_b242,
        ];
        assert_eq!(bits(u64::MAX, 0), numpy);
    }

    #[test]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn a_start_far_inside_at_any_lane_is_numpys() {
        // g = np.random.Generator(np.random.Philox(key=7)); x = g.random(1000003)
        // [hex(int(v * 2**53)) for v in x[999998:]]
        let numpy = [
            0x11_fb21_cad3_a89f,
            0x19_7bd6_30a6_22fe,
            0xa_0c61_501b_a44e,
            0xd_c2a6_2927_991d,
            0x10_95a4_87c5_cb5a,
        ];
        assert_eq!(bits(7, 999_998), numpy);
        assert_eq!(bits::<1>(7, 999_999)[..], numpy[1..2]);
        assert_eq!(bits::<2>(7, 1_000_000)[..], numpy[2..4]);
        assert_eq!(bits::<2>(7, 1_000_001)[..], numpy[3..5]);
    }
}
