//! The node's SQLite file: jobs, chunks, results.
//!
//! One connection writes, several read (WAL). Everything that the cluster
//! calls a [`cluster::Change`] is applied here before it is announced; many
//! changes share one transaction. What a transaction holds is all there or not
//! at all, whatever is pulled out of the wall meanwhile.

mod changes;
mod chunks;
mod replicas;
mod writing;

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::config::Sync;

/// Connections that read. Streams of results hold one each only while they
/// fetch a block.
const READERS_MAX: u32 = 4;

/// How long a reader waits for a lock; with WAL only a checkpoint holds one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The node's state on disk. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written.
    #[error("there is no room on the disk: free some and try again")]
    Full,
    /// Anything else that SQLite says.
    #[error("the store failed: {0}")]
    Failed(#[source] sqlx::Error),
    /// Bytes that are not what they were when they were written.
    #[error("the store holds a damaged {what}")]
    Damaged {
        /// What is damaged.
        what: &'static str,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // SQLITE_FULL is 13.
        let full = error
            .as_database_error()
            .and_then(|error| error.code())
            .is_some_and(|code| code == "13");
        if full {
            Self::Full
        } else {
            Self::Failed(error)
        }
    }
}

impl Store {
    /// Opens the store of a data folder, or makes it.
    pub async fn open(data_dir: &Path, sync: Sync) -> anyhow::Result<Self> {
        let path = data_dir.join("matmesh.sqlite");
        let options = SqliteConnectOptions::from_str("sqlite:")?
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Until results are copied to backups every write is one that no
            // backup has acknowledged, so `alone` syncs as `always` does.
            .synchronous(match sync {
                Sync::Always | Sync::Alone => SqliteSynchronous::Full,
                Sync::Never => SqliteSynchronous::Off,
            })
            .page_size(8192)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .with_context(|| format!("cannot open the store {}", path.display()))?;
        migrations()
            .run(&writer)
            .await
            .with_context(|| format!("cannot upgrade the store {}", path.display()))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await?;
        let store = Self { writer, readers };
        store.remove_unclaimed_chunks().await?;
        Ok(store)
    }

    /// Whether the store answers.
    pub async fn is_open(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.readers).await.is_ok()
    }

    /// Writes everything out and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// The schema and its upgrades. The macro that collects them from the folder
/// would have SQLite compiled a second time, for the build itself.
fn migrations() -> Migrator {
    let simple = |version, description: &'static str, sql: &'static str| {
        let kind = MigrationType::Simple;
        Migration::new(version, description.into(), kind, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![simple(
        1,
        "jobs",
        include_str!("../migrations/0001_jobs.sql"),
    )])
}

/// SQLite's integers are signed; every number stored here is far below 2⁶³.
fn to_stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn from_stored(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use wire::{ChunkHash, JobId};

    use super::*;

    const JOB: JobId = JobId::from_bytes([7; 16]);

    fn chunk(fill: u8, length: usize) -> [(ChunkHash, Bytes); 1] {
        let bytes = Bytes::from(vec![fill; length]);
        [(ChunkHash::of(&bytes), bytes)]
    }

    /// The disk has no more room than the file takes already.
    async fn fill_disk(store: &Store) {
        let mut connection = store.writer.acquire().await.unwrap();
        let limit = sqlx::raw_sql("PRAGMA max_page_count = 1");
        limit.execute(&mut *connection).await.unwrap();
    }

    #[test]
    fn every_file_of_the_folder_is_among_the_migrations() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let files = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<String> = files
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .collect();
        let migrations = migrations();
        let mut listed: Vec<&str> = migrations.iter().map(|one| one.sql.as_str()).collect();
        files.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, files);
    }

    #[tokio::test]
    async fn what_is_written_after_the_disk_was_full_is_durable() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Sync::Never).await.unwrap();
        fill_disk(&store).await;
        let large = chunk(1, 1 << 20);
        let refused = store.put_chunks(JOB, &large).await;
        assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");

        // Refused writes leave nothing; there is room again.
        let small = chunk(2, 100);
        store.put_chunks(JOB, &small).await.unwrap();
        assert_eq!(store.chunk(large[0].0).await.unwrap(), None);
        let read = store.chunk(small[0].0).await.unwrap();
        assert_eq!(
            read.as_ref(),
            Some(&small[0].1),
            "committed, so others read it"
        );
    }

    #[tokio::test]
    async fn a_write_that_is_given_up_half_way_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Sync::Never).await.unwrap();
        let given_up = chunk(1, 100);
        {
            let mut writing = store.write().await.unwrap();
            sqlx::query("INSERT INTO chunks (hash, bytes) VALUES (?, ?)")
                .bind(&given_up[0].0.as_bytes()[..])
                .bind(&given_up[0].1[..])
                .execute(&mut *writing)
                .await
                .unwrap();
        }
        let kept = chunk(2, 100);
        store.put_chunks(JOB, &kept).await.unwrap();
        assert_eq!(store.chunk(given_up[0].0).await.unwrap(), None);
        assert!(store.chunk(kept[0].0).await.unwrap().is_some());
    }
}
