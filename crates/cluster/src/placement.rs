//! Who gets how much: pure arithmetic over measured speeds.

use std::time::Duration;

use crate::limits::{BYTES_PER_SECOND_EXPECTED, OVERHEAD_EXPECTED};

/// What a thread is taken to do until it is measured: a slow phone.
const THREAD_MFLOPS_UNKNOWN: f64 = 500.0;

/// How much the newest measurement weighs. Half follows a device that is
/// throttled within a few blocks and still smooths a single hiccup.
const NEWEST_WEIGHT: f64 = 0.5;

/// The measured speed of a device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Speed {
    thread_mflops: f64,
    threads: u32,
}

impl Speed {
    /// From what the device says of itself: MFLOPS over all its threads.
    pub(crate) fn claimed(mflops: f64, threads: u32) -> Self {
        let threads = threads.max(1);
        let claimed = mflops / f64::from(threads);
        let usable = claimed.is_finite() && claimed > 0.0;
        Self {
            thread_mflops: if usable {
                claimed
            } else {
                THREAD_MFLOPS_UNKNOWN
            },
            threads,
        }
    }

    /// Learns from a block that one thread computed.
    pub(crate) fn observe(&mut self, operations: u64, compute_ms: f64) {
        // Below 0.05 ms the clock of a browser says nothing.
        if compute_ms < 0.05 {
            return;
        }
        let observed = to_f64(operations) / compute_ms / 1e3;
        self.thread_mflops += NEWEST_WEIGHT * (observed - self.thread_mflops);
    }

    /// Over all threads.
    pub(crate) fn mflops(self) -> f64 {
        self.thread_mflops * f64::from(self.threads)
    }

    /// How long one thread computes a block of so many operations.
    pub(crate) fn compute_time(self, operations: u64) -> Duration {
        seconds(to_f64(operations) / (self.thread_mflops * 1e6))
    }

    /// From lease to result, inputs and a slow link included. `blocks_ahead`
    /// are those that the device has still to do before.
    pub(crate) fn expected_time(
        self,
        operations: u64,
        input_bytes: u64,
        blocks_ahead: u32,
    ) -> Duration {
        let rounds = blocks_ahead / self.threads + 1;
        OVERHEAD_EXPECTED
            + seconds(to_f64(input_bytes) / BYTES_PER_SECOND_EXPECTED)
            + self.compute_time(operations) * rounds
    }
}

/// How many of `free` blocks a device is given at once: half of its fair
/// share, so that leases shrink towards the end and all devices end together;
/// at least one, at most what it has room for.
pub(crate) fn share_of(free: usize, own_mflops: f64, all_mflops: f64, slots: u32) -> u32 {
    let fair = f64::from(u32::try_from(free).unwrap_or(u32::MAX)) * own_mflops
        / all_mflops.max(own_mflops).max(f64::MIN_POSITIVE);
    let half = (fair / 2.0).ceil().clamp(1.0, f64::from(slots.max(1)));
    // In range by the clamp.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to u32"
    )]
    let blocks = half as u32;
    blocks
}

/// Whether a device shortens a job that the `others` would finish without it:
/// it must return its one block before they are through with all of them.
pub(crate) fn shortens(
    own: Speed,
    others_mflops: f64,
    block_operations: u64,
    free_blocks: usize,
) -> bool {
    if others_mflops <= 0.0 {
        return true;
    }
    let remaining =
        to_f64(block_operations) * f64::from(u32::try_from(free_blocks).unwrap_or(u32::MAX));
    own.compute_time(block_operations) < seconds(remaining / (others_mflops * 1e6))
}

fn seconds(seconds: f64) -> Duration {
    // A day stands for "never": no block takes that long.
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(86_400))
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn to_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_shrinks_towards_the_end_and_never_is_nothing() {
        assert_eq!(share_of(64, 100.0, 200.0, 100), 16);
        assert_eq!(share_of(8, 100.0, 200.0, 100), 2);
        assert_eq!(share_of(1, 1.0, 1e6, 100), 1);
    }

    #[test]
    fn a_share_is_never_more_than_the_device_has_room_for() {
        assert_eq!(share_of(1000, 100.0, 100.0, 4), 4);
    }

    #[test]
    fn a_slow_device_does_not_shorten_a_job_that_is_nearly_done() {
        let phone = Speed::claimed(100.0, 1);
        assert!(!shortens(phone, 100_000.0, 1_000_000_000, 2));
        assert!(shortens(phone, 100_000.0, 1_000_000_000, 2000));
        assert!(shortens(phone, 0.0, 1_000_000_000, 2));
    }

    #[test]
    fn a_claim_that_is_no_speed_is_taken_as_unknown() {
        for claim in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Speed::claimed(claim, 1), Speed::claimed(0.0, 1));
        }
    }

    #[test]
    fn speed_follows_what_is_measured() {
        let mut speed = Speed::claimed(1e6, 1);
        for _ in 0..20 {
            speed.observe(1_000_000, 1.0);
        }
        assert!((speed.mflops() - 1000.0).abs() < 2.0, "{speed:?}");
    }
}
