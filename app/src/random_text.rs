//! both: random entries for the cells that people see and edit.
//!
//! Not the entries of a random matrix: those the devices make themselves from
//! the job's seed. These fill the grids, with three digits so that they fit. A
//! cell depends on the seed and its place alone, so the server and the browser
//! agree about the first rendering.

/// The text of a number in [0, 1).
pub(crate) fn random_cell(seed: u64, row: u32, column: u32) -> String {
    let place = (u64::from(row) << 32) | u64::from(column);
    let thousandths = mix(mix(seed) ^ place) % 1000;
    format!("0.{thousandths:03}")
}

/// The text of a whole number from −9 to 9.
pub(crate) fn random_whole_cell(seed: u64, row: u32, column: u32) -> String {
    let place = (u64::from(row) << 32) | u64::from(column);
    let steps = mix(mix(seed) ^ place) % 19;
    // Below 19, so both are small.
    let above = steps.saturating_sub(9);
    let below = 9_u64.saturating_sub(steps);
    if below > 0 {
        format!("-{below}")
    } else {
        above.to_string()
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_a_number_below_one_and_depends_on_its_place() {
        let number: f64 = random_cell(7, 0, 0).parse().unwrap();
        assert!((0.0..1.0).contains(&number));
        assert_ne!(random_cell(7, 0, 1), random_cell(7, 1, 0));
        assert_eq!(random_cell(7, 3, 4), random_cell(7, 3, 4));
    }
}
