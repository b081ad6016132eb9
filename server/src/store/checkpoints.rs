//! Moves what was committed from SQLite's log to its file, beside the connection that writes.
//!
//! SQLite would do it within a commit, every thousand pages, and that commit would wait for the disk
//! twice: once in some thirty small jobs somebody waits ten times as long. Here a connection of its own
//! does it, which stops nobody, until the log is long and its end has to be caught up with.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Sqlite};
use tokio::sync::{Notify, mpsc, oneshot};

/// Between two of them: what they write twice they could have written once.
const PAUSE: Duration = Duration::from_secs(1);

/// Pages of the log from which on the writer waits for a moment, so that the log begins anew: few
/// enough that a slow card has them in a second.
const LOG_PAGES_MAX: i64 = 2048;

/// Tells the task that something was committed. It ends with the last of these.
#[derive(Debug, Clone)]
pub(super) struct Checkpoints {
    /// One word is as good as many.
    committed: Arc<Notify>,
    stops: mpsc::Sender<oneshot::Sender<()>>,
}

impl Checkpoints {
    /// Opens the connection and starts the task.
    pub(super) async fn start(options: &SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let connection = SqliteConnection::connect_with(options).await?;
        let committed = Arc::new(Notify::new());
        let (stops, stop_receiver) = mpsc::channel(1);
        tokio::spawn(run(connection, Arc::clone(&committed), stop_receiver));
        Ok(Self { committed, stops })
    }

    /// Something was committed.
    pub(super) fn on_commit(&self) {
        self.committed.notify_one();
    }

    /// Closes the connection.
    pub(super) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        // An error means that it has ended already.
        if self.stops.send(done).await.is_ok() {
            let _ = stopped.await;
        }
    }
}

async fn run(
    mut connection: SqliteConnection,
    committed: Arc<Notify>,
    mut stops: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let mut has_failed = false;
    let done = loop {
        tokio::select! {
            done = stops.recv() => break done,
            () = committed.notified() => {}
        }
        let moved = checkpoint(&mut connection).await;
        if let Err(error) = &moved
            && !has_failed
        {
            // Nothing is lost by it, and after the next commit it is tried again.
            tracing::warn!(%error, "what was committed stays in the log for now");
        }
        has_failed = moved.is_err();
        tokio::select! {
            done = stops.recv() => break done,
            // A rate: while much is written, so often.
            () = tokio::time::sleep(PAUSE) => {}
        }
    };
    let _ = connection.close().await;
    if let Some(done) = done {
        let _ = done.send(());
    }
}

async fn checkpoint(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let passive = "PRAGMA wal_checkpoint(PASSIVE)";
    if log_pages_after(connection, passive).await? >= LOG_PAGES_MAX {
        // What came meanwhile is little. Without this the writer would wait until all of it is moved.
        log_pages_after(connection, passive).await?;
        log_pages_after(connection, "PRAGMA wal_checkpoint(RESTART)").await?;
    }
    Ok(())
}

/// Pages of the log, those that are in the file now among them.
async fn log_pages_after(
    connection: &mut SqliteConnection,
    pragma: &'static str,
) -> Result<i64, sqlx::Error> {
    let answer = sqlx::query_as::<Sqlite, (i64, i64, i64)>(pragma);
    let (_is_busy, pages, _moved) = answer.fetch_one(connection).await?;
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sync;
    use crate::store::Store;

    /// What is in the file itself, without its log.
    fn file_bytes(folder: &std::path::Path) -> u64 {
        let file = std::fs::metadata(folder.join("matmesh.sqlite"));
        file.expect("the store has a file").len()
    }

    #[tokio::test]
    async fn what_is_committed_moves_to_the_file_without_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Sync::Never).await.unwrap();
        let before = file_bytes(folder.path());
        let many: Vec<_> = (0..40_u8)
            .map(|fill| bytes::Bytes::from(vec![fill; 60_000]))
            .map(|bytes| (wire::ChunkHash::of(&bytes), bytes))
            .collect();
        let job = wire::JobId::from_bytes([7; 16]);
        store.put_chunks(job, &many, true).await.unwrap();
        let moved = async {
            while file_bytes(folder.path()) < before + 40 * 60_000 {
                tokio::task::yield_now().await;
            }
        };
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, moved).await.expect("it moves");
        store.close().await;
    }
}
