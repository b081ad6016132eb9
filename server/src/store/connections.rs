//! Connections to the store's file, lent one at a time.
//!
//! sqlx's own pool asks a connection whether it still lives when it is lent and when it comes back:
//! right for a server across a network, but here each question is a turn of the connection's thread, and
//! a small transaction takes no longer than one. A connection to a file does not die while it waits.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Error};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who has waited this long hears that the disk does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// At most so many connections of one kind. Cloning it is cheap.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    options: Arc<SqliteConnectOptions>,
    /// A permit for each connection that may be lent.
    permits: Arc<Semaphore>,
    count: u32,
    idle: Idle,
}

type Idle = Arc<Mutex<Vec<SqliteConnection>>>;

/// A connection that is lent; dropped it comes back.
#[derive(Debug)]
pub(super) struct Lent {
    /// `None` once it is not to come back, as is the permit.
    connection: Option<SqliteConnection>,
    permit: Option<OwnedSemaphorePermit>,
    idle: Idle,
}

impl Connections {
    /// Opens the first of at most `count` connections; the others are opened when they are needed.
    pub(super) async fn open(options: SqliteConnectOptions, count: u32) -> Result<Self, Error> {
        let first = SqliteConnection::connect_with(&options).await?;
        Ok(Self {
            options: Arc::new(options),
            permits: Arc::new(Semaphore::new(count as usize)),
            count,
            idle: Arc::new(Mutex::new(vec![first])),
        })
    }

    /// Lends a connection, to whoever has waited longest.
    pub(super) async fn lend(&self) -> Result<Lent, Error> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        let permit = tokio::time::timeout(PATIENCE, permit).await;
        let permit = permit.map_err(|_| Error::PoolTimedOut)?;
        let permit = permit.map_err(|_| Error::PoolClosed)?;
        let idle = lock(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => SqliteConnection::connect_with(&self.options).await?,
        };
        Ok(Lent {
            connection: Some(connection),
            permit: Some(permit),
            idle: Arc::clone(&self.idle),
        })
    }

    /// Waits for those that are lent, and closes all.
    pub(super) async fn close(&self) {
        // An error means that they are closed already.
        let Ok(_all) = self.permits.acquire_many(self.count).await else {
            return;
        };
        self.permits.close();
        let idle = std::mem::take(&mut *lock(&self.idle));
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "a connection to the store was not closed in good order");
            }
        }
    }
}

impl Lent {
    /// It is not lent again: another is opened in its place, when what it had under way is rolled back
    /// and `tidy` is done, which may wait for a disk.
    pub(super) fn give_up(&mut self, tidy: impl FnOnce() + Send + 'static) {
        let given_up = (self.connection.take(), self.permit.take());
        // Without a runtime nobody waits for another one.
        let (Ok(runtime), (Some(connection), Some(permit))) =
            (tokio::runtime::Handle::try_current(), given_up)
        else {
            return;
        };
        runtime.spawn(async move {
            // What failed before may make this fail, too.
            let _ = connection.close().await;
            let _ = tokio::task::spawn_blocking(tidy).await;
            drop(permit);
        });
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            lock(&self.idle).push(connection);
        }
    }
}

impl Deref for Lent {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect(GIVEN_UP)
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect(GIVEN_UP)
    }
}

const GIVEN_UP: &str = "nobody uses a connection that was given up";

fn lock(idle: &Mutex<Vec<SqliteConnection>>) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    async fn two() -> (tempfile::TempDir, Connections) {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("some.sqlite"))
            .create_if_missing(true);
        (folder, Connections::open(options, 2).await.unwrap())
    }

    /// Leaves a trace that only this connection sees.
    async fn mark(lent: &mut Lent) {
        let mark = sqlx::raw_sql("CREATE TEMP TABLE mark (n)");
        mark.execute(&mut **lent).await.unwrap();
    }

    async fn is_marked(lent: &mut Lent) -> bool {
        let marks = "SELECT COUNT(*) FROM sqlite_temp_schema WHERE name = 'mark'";
        let found: i64 = sqlx::query_scalar(marks)
            .fetch_one(&mut **lent)
            .await
            .unwrap();
        found > 0
    }

    #[tokio::test]
    async fn no_more_are_lent_than_there_may_be() {
        let (_folder, connections) = two().await;
        let mut first = connections.lend().await.unwrap();
        let _second = connections.lend().await.unwrap();
        mark(&mut first).await;
        let mut third = std::pin::pin!(connections.lend());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        let mut third = third.await.unwrap();
        assert!(
            is_marked(&mut third).await,
            "another was opened instead of waiting for this one"
        );
    }

    #[tokio::test]
    async fn a_lent_one_comes_back_as_it_was_unless_it_is_given_up() {
        let (_folder, connections) = two().await;
        let mut lent = connections.lend().await.unwrap();
        mark(&mut lent).await;
        drop(lent);
        for expected in [true, false] {
            let mut lent = connections.lend().await.unwrap();
            assert_eq!(is_marked(&mut lent).await, expected);
            lent.give_up(|| {});
        }
    }

    #[tokio::test]
    async fn closing_waits_for_those_that_are_lent_and_then_nothing_is_lent() {
        let (_folder, connections) = two().await;
        let lent = connections.lend().await.unwrap();
        let closing = tokio::spawn({
            let connections = connections.clone();
            async move { connections.close().await }
        });
        tokio::task::yield_now().await;
        assert!(!closing.is_finished());
        drop(lent);
        closing.await.unwrap();
        assert!(matches!(connections.lend().await, Err(Error::PoolClosed)));
    }
}
