//! How long this node has been running, over all its starts.
//!
//! Times to live are counted by it. Calendars jump: a board without a battery starts in 1970, a person sets
//! the year, and there is no internet to put it right. What is missing is the time in which the node was off,
//! so a result is kept rather longer than shorter; those who were there meanwhile say when a job is over.

use std::time::{Duration, Instant};

use super::{Store, StoreError, from_stored, to_stored};

/// See the module. It goes on from what an earlier process wrote down last.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunningClock {
    before_ms: u64,
    started: Instant,
}

impl RunningClock {
    fn from_ms(before_ms: u64) -> Self {
        Self {
            before_ms,
            started: Instant::now(),
        }
    }

    /// Milliseconds; only differences mean anything.
    pub(super) fn now_ms(self) -> u64 {
        let since = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.before_ms.saturating_add(since)
    }

    /// How long ago a moment was.
    pub(super) fn since(self, earlier_ms: u64) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(earlier_ms))
    }
}

impl Store {
    /// Reads what was written down last.
    pub(super) async fn read_clock(
        connection: &mut sqlx::SqliteConnection,
    ) -> Result<RunningClock, StoreError> {
        let known: i64 = sqlx::query_scalar("SELECT running_ms FROM running_clock")
            .fetch_one(connection)
            .await?;
        Ok(RunningClock::from_ms(from_stored(known)))
    }

    /// Writes down how long this node has been running. What is lost of it is kept longer.
    pub async fn save_clock(&self) -> Result<(), StoreError> {
        let mut writing = self.write(true).await?;
        writing
            .add("INSERT OR REPLACE INTO running_clock (only, running_ms) VALUES (1, ?)")
            .bind(to_stored(self.clock.now_ms()));
        writing.commit().await
    }
}
