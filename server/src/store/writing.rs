//! One transaction of the one connection that writes.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection};

use super::{Store, StoreError};
use crate::config::Sync;

/// A transaction under way. Dropped before [`Writing::commit`] it leaves
/// nothing behind.
///
/// SQLite ends a transaction by itself when the disk is full, and whoever
/// believes it still open then commits nothing ever again. So a connection on
/// which anything failed is not used a second time.
#[derive(Debug)]
pub(super) struct Writing {
    /// Taken only by a commit that succeeded.
    connection: Option<PoolConnection<Sqlite>>,
}

impl Store {
    /// Begins a transaction; the others wait for its end.
    pub(super) async fn write(&self) -> Result<Writing, StoreError> {
        self.begin(false).await
    }

    /// The same for what another node has, too: with `--sync alone` its end waits
    /// for the system, and not for the disk.
    pub(super) async fn write_backed(&self) -> Result<Writing, StoreError> {
        self.begin(self.sync == Sync::Alone).await
    }

    async fn begin(&self, is_relaxed: bool) -> Result<Writing, StoreError> {
        let mut writing = Writing {
            connection: Some(self.writer.acquire().await?),
        };
        // Whoever has the connection is the only one who looks at the flag. A new
        // connection waits for the disk, whatever the flag says of the one before.
        if self.is_relaxed.swap(is_relaxed, Ordering::Relaxed) != is_relaxed {
            let pragma = if is_relaxed {
                "PRAGMA synchronous = NORMAL"
            } else {
                "PRAGMA synchronous = FULL"
            };
            sqlx::raw_sql(pragma).execute(&mut *writing).await?;
        }
        sqlx::raw_sql("BEGIN IMMEDIATE")
            .execute(&mut *writing)
            .await?;
        Ok(writing)
    }
}

impl Writing {
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("COMMIT").execute(&mut *self).await?;
        self.connection = None;
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }
}

const TAKEN: &str = "only a commit takes the connection, and the transaction with it";

impl Deref for Writing {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect(TAKEN)
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect(TAKEN)
    }
}
