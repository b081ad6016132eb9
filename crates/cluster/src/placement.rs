//! Who gets how much: pure arithmetic over measured speeds.

use std::time::Duration;

use crate::limits::{BYTES_PER_SECOND_EXPECTED, OVERHEAD_EXPECTED, THREAD_MFLOPS_MAX, THREADS_MAX};

/// What a thread is taken to do until it is measured: a slow phone.
const THREAD_MFLOPS_UNKNOWN: f64 = 500.0;

/// How much the newest measurement weighs. Half follows a device that is
/// throttled within a few blocks and still smooths a single hiccup.
const NEWEST_WEIGHT: f64 = 0.5;

/// The devices that take work, as those who cut a job want to know them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workforce {
    /// How many there are.
    pub devices: usize,
    /// Threads of all of them.
    pub threads: u32,
    /// MFLOPS of a thread of the slowest; zero where there is no device.
    pub slowest_thread_mflops: f64,
    /// Whether a page may come to take work, which holds less than a node: also one in the background.
    pub has_pages: bool,
}

impl Workforce {
    /// From what each device says of itself: its threads, and MFLOPS over all of them.
    pub(crate) fn new(devices: impl Iterator<Item = (u32, f64)>, has_pages: bool) -> Self {
        let nobody = Self {
            devices: 0,
            threads: 0,
            slowest_thread_mflops: 0.0,
            has_pages,
        };
        devices.fold(nobody, |all, (threads, mflops)| {
            let speed = Speed::claimed(mflops, threads);
            let slowest = match all.devices {
                0 => speed.thread_mflops,
                _ => all.slowest_thread_mflops.min(speed.thread_mflops),
            };
            Self {
                devices: all.devices + 1,
                threads: all.threads.saturating_add(speed.threads),
                slowest_thread_mflops: slowest,
                has_pages,
            }
        })
    }
}

/// The measured speed of a device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Speed {
    thread_mflops: f64,
    threads: u32,
    /// From then on claims are no longer listened to.
    is_measured: bool,
}

impl Speed {
    /// From what the device says of itself: MFLOPS over all its threads.
    pub(crate) fn claimed(mflops: f64, threads: u32) -> Self {
        let threads = threads.clamp(1, THREADS_MAX);
        let claimed = mflops / f64::from(threads);
        let usable = claimed.is_finite() && claimed > 0.0;
        Self {
            thread_mflops: if usable {
                claimed.min(THREAD_MFLOPS_MAX)
            } else {
                THREAD_MFLOPS_UNKNOWN
            },
            threads,
            is_measured: false,
        }
    }

    /// The device says something new of itself: what was measured stands.
    pub(crate) fn claim_again(&mut self, mflops: f64, threads: u32) {
        let claimed = Self::claimed(mflops, threads);
        self.threads = claimed.threads;
        if !self.is_measured {
            self.thread_mflops = claimed.thread_mflops;
        }
    }

    /// Learns from a block that one thread computed.
    pub(crate) fn observe(&mut self, operations: u64, compute_ms: f64) {
        // Below 0.05 ms the clock of a browser says nothing.
        if compute_ms < 0.05 {
            return;
        }
        let observed = (to_f64(operations) / compute_ms / 1e3).min(THREAD_MFLOPS_MAX);
        self.is_measured = true;
        self.thread_mflops += NEWEST_WEIGHT * (observed - self.thread_mflops);
    }

    /// Over all threads.
    pub(crate) fn mflops(self) -> f64 {
        self.thread_mflops * f64::from(self.threads)
    }

    /// Whether it is known from a block, and not from what the device says.
    pub(crate) fn is_measured(self) -> bool {
        self.is_measured
    }

    /// How long until a block is computed that comes behind `blocks_ahead` others.
    pub(crate) fn queue_time(self, operations: u64, blocks_ahead: u32) -> Duration {
        self.compute_time(operations) * (blocks_ahead / self.threads + 1)
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
        OVERHEAD_EXPECTED
            + seconds(to_f64(input_bytes) / BYTES_PER_SECOND_EXPECTED)
            + self.queue_time(operations, blocks_ahead)
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
    // Of speeds that are no numbers comes a share that is none.
    blocks.max(1)
}

/// The devices beside one that can be counted on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Others {
    mflops: f64,
    /// The fastest single thread among them: what one block costs at best.
    thread_mflops_max: f64,
}

impl Others {
    /// All of them together.
    pub(crate) fn mflops(self) -> f64 {
        self.mflops
    }
}

impl FromIterator<Speed> for Others {
    fn from_iter<I: IntoIterator<Item = Speed>>(speeds: I) -> Self {
        speeds
            .into_iter()
            .fold(Self::default(), |others, speed| Self {
                mflops: others.mflops + speed.mflops(),
                thread_mflops_max: others.thread_mflops_max.max(speed.thread_mflops),
            })
    }
}

/// Whether a device shortens a job that the `others` would finish without it:
/// it must return one block more, behind those that it has, before they are through
/// with all that are free, which takes them a block's time at least. So the fastest device is always
/// welcome, and a last block never waits for somebody better.
pub(crate) fn shortens(
    (own, blocks_ahead): (Speed, u32),
    others: Others,
    block_operations: u64,
    free_blocks: usize,
) -> bool {
    if others.mflops <= 0.0 || own.thread_mflops >= others.thread_mflops_max {
        return true;
    }
    let block = to_f64(block_operations);
    let all = block * f64::from(u32::try_from(free_blocks).unwrap_or(u32::MAX));
    let together = all / (others.mflops * 1e6);
    let one = block / (others.thread_mflops_max * 1e6);
    own.queue_time(block_operations, blocks_ahead) < seconds(together.max(one))
}

fn seconds(seconds: f64) -> Duration {
    // A day stands for "never": no block takes that long, and times that are
    // multiplied must not overflow.
    let never = Duration::from_secs(86_400);
    Duration::try_from_secs_f64(seconds).map_or(never, |found| found.min(never))
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(crate) fn to_f64(number: u64) -> f64 {
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
        let others = Others::from_iter([Speed::claimed(100_000.0, 10)]);
        assert!(!shortens((phone, 0), others, 1_000_000_000, 2));
        assert!(shortens((phone, 0), others, 1_000_000_000, 2000));
        assert!(shortens((phone, 0), Others::default(), 1_000_000_000, 2));
    }

    #[test]
    fn what_a_device_has_to_do_before_counts() {
        let phone = Speed::claimed(1000.0, 2);
        let others = Others::from_iter([Speed::claimed(10_000.0, 1)]);
        // The others need a second for ten blocks, the phone one for each.
        let still = |ahead| shortens((phone, ahead), others, 1_000_000_000, 21);
        assert!(still(1));
        assert!(!still(2));
    }

    #[test]
    fn among_equal_devices_each_is_welcome_to_the_last_block() {
        let phone = Speed::claimed(400.0, 4);
        let others = Others::from_iter([phone, phone, phone]);
        assert!(shortens((phone, 0), others, 1_000_000_000, 1));
    }

    #[test]
    fn a_workforce_is_as_slow_as_its_slowest_thread() {
        let of = |devices: &[(u32, f64)]| Workforce::new(devices.iter().copied(), false);
        let speed = |devices| of(devices).slowest_thread_mflops;
        let both = of(&[(4, 80_000.0), (2, 1000.0)]);
        assert_eq!((both.devices, both.threads), (2, 6));
        assert!((both.slowest_thread_mflops - 500.0).abs() < 1e-9);
        assert!((speed(&[(4, 80_000.0)]) - 20_000.0).abs() < 1e-9);
        // Who is not measured, and who is not there yet, is not taken for fast.
        assert!(speed(&[(4, 80_000.0), (1, 0.0)]) < 1000.0);
        assert!(speed(&[]) < 1000.0);
        assert_eq!((of(&[]).devices, of(&[]).threads), (0, 0));
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

    proptest::proptest! {
        #[test]
        fn a_share_is_at_least_one_block_and_at_most_the_room(
            free in 0..2_000_000_usize,
            own in proptest::num::f64::ANY,
            all in proptest::num::f64::ANY,
            slots in proptest::num::u32::ANY,
        ) {
            let share = share_of(free, own, all, slots);
            assert!((1..=slots.max(1)).contains(&share), "{share} of {slots}");
        }

        #[test]
        fn a_faster_device_never_gets_less(
            free in 1..10_000_usize,
            own in 1.0..1e6_f64,
            more in 1.0..1e6_f64,
            others in 0.0..1e6_f64,
        ) {
            let share = share_of(free, own, own + others, 64);
            let larger = share_of(free, own + more, own + more + others, 64);
            assert!(larger >= share);
        }

        #[test]
        fn no_claim_and_no_measurement_makes_a_time_that_overflows(
            claim in proptest::num::f64::ANY,
            threads in proptest::num::u32::ANY,
            measured in proptest::collection::vec((proptest::num::u64::ANY, 0.0..f64::MAX), 0..40),
            operations in proptest::num::u64::ANY,
            bytes in proptest::num::u64::ANY,
            ahead in proptest::num::u32::ANY,
        ) {
            let mut speed = Speed::claimed(claim, threads);
            for (done, compute_ms) in measured {
                speed.observe(done, compute_ms);
            }
            let expected = speed.expected_time(operations, bytes, ahead);
            assert!(expected >= speed.compute_time(operations));
            assert!(expected.checked_mul(crate::limits::PATIENCE).is_some());
            assert!(speed.mflops().is_finite() && speed.mflops() >= 0.0);
        }

        #[test]
        fn of_all_devices_one_at_least_is_welcome(
            claims in proptest::collection::vec((1.0..1e6_f64, 1..64_u32), 1..10),
            free in 1..1000_usize,
        ) {
            let speeds: Vec<Speed> = claims
                .into_iter()
                .map(|(mflops, threads)| Speed::claimed(mflops, threads))
                .collect();
            let is_welcome = |own: usize| {
                let others = speeds.iter().enumerate();
                let others = others.filter(|(index, _)| *index != own);
                let others: Others = others.map(|(_, speed)| *speed).collect();
                shortens((speeds[own], 0), others, 20_000_000, free)
            };
            assert!((0..speeds.len()).any(is_welcome));
        }
    }
}
