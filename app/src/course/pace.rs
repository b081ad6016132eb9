//! both: how quickly blocks come in.

use wire::CourseView;

/// How quickly blocks come in, over the last moments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    pub(crate) blocks_per_s: f64,
}

/// Long enough to be steady, short enough to show that a device joined.
const PACE_US: u64 = 3_000_000;

impl Pace {
    /// Nothing as long as no block came in.
    #[expect(clippy::cast_precision_loss, reason = "shown to people")]
    pub(crate) fn of(course: &CourseView) -> Option<Self> {
        let from = course.age_us.saturating_sub(PACE_US);
        let stored = course.blocks.iter().filter_map(|block| block.stored_us);
        let recent = stored.filter(|at| *at >= from).count();
        let over_us = course.age_us - from;
        if recent == 0 || over_us == 0 {
            return None;
        }
        Some(Self {
            blocks_per_s: recent as f64 * 1e6 / over_us as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use wire::{BlockIndex, BlockView};

    use super::*;

    fn course(stored_us: &[Option<u64>], age_us: u64) -> CourseView {
        let block = |(&stored_us, number)| BlockView {
            block: BlockIndex(number),
            device: 0,
            leased_us: 0,
            receive_us: 0,
            wait_us: 0,
            compute_us: 0,
            stored_us,
            epoch: 1,
            is_verified: false,
            taken_from: None,
        };
        CourseView {
            age_us,
            blocks: stored_us.iter().zip(0..).map(block).collect(),
            ..CourseView::default()
        }
    }

    #[test]
    fn the_pace_is_that_of_the_last_moments() {
        assert_eq!(Pace::of(&course(&[], 4_000)), None);
        let recent = Pace::of(&course(&[Some(3_000), None], 4_000)).unwrap();
        assert!((recent.blocks_per_s - 250.0).abs() < 1e-9);
        assert_eq!(Pace::of(&course(&[Some(3_000)], 60_000_000)), None);
    }
}
