//! Time as an argument. The driver reads the clocks; nothing here does.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on the node's own steady clock: microseconds since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment {
    micros: u64,
}

impl Moment {
    /// After all others.
    pub(crate) const NEVER: Self = Self { micros: u64::MAX };

    /// So many microseconds after the node started.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// The time from `earlier` until this; zero when `earlier` is the later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self {
            micros: self.micros.saturating_add(micros),
        }
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self {
            micros: self.micros.saturating_sub(micros),
        }
    }
}

/// Now, by both clocks of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// The steady clock, which all decisions go by.
    pub moment: Moment,
    /// Milliseconds since 1970, to show to people; it may jump.
    pub unix_ms: u64,
}
