//! The node's state on disk: jobs, chunks, results. All of it is in one SQLite file, but for
//! the bytes of large pieces, which lie in [`packs`] beside it.
//!
//! One connection writes, several read (WAL). Everything that the cluster
//! calls a [`cluster::Change`] is applied here before it is announced; many
//! changes share one transaction. What a transaction holds is all there or not
//! at all, whatever is pulled out of the wall meanwhile.

mod changes;
mod checkpoints;
mod chunks;
mod connections;
mod packs;
mod peers;
mod replicas;
mod running_clock;
mod writing;

use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use wire::JobId;

use crate::config::Sync;
use checkpoints::Checkpoints;
use connections::Connections;
use packs::Packs;
use running_clock::RunningClock;

pub(crate) use changes::{JobInputs, StoredChange};
pub(crate) use packs::is_packed;
pub use peers::KnownPeer;

/// Connections that read. Streams of results hold them only while they fetch
/// blocks.
const READERS_MAX: u32 = 4;

/// Rows are small, for large pieces lie in packs: a change of a few writes as many of these to the log.
/// Of a file that is there already the size stays.
const PAGE_BYTES: u32 = 4096;

/// See [`Store::has_ample_room`].
const AMPLE_BYTES: u64 = 64 << 20;

/// How long the writer waits for the log to begin anew, on a slow card. The driver says that this node
/// lives for three times as long, before it says that it cannot write.
const LOG_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a reader waits for a lock; with WAL only a checkpoint holds one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// The node's state on disk. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Connections,
    readers: Connections,
    path: PathBuf,
    packs: Packs,
    checkpoints: Checkpoints,
    clock: RunningClock,
    sync: Sync,
    /// The writer's transactions do not wait for the disk at present.
    is_relaxed: Arc<AtomicBool>,
}

/// What every file of SQLite begins with.
const SQLITE_HEADER: &[u8] = b"SQLite format 3\0";

/// A larger file is not read through at the start: what is damaged in it shows
/// when it is read, by its hash.
const CHECKED_BYTES_MAX: u64 = 256 << 20;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written.
    #[error("there is no room on the disk: free some and try again")]
    Full,
    /// Nothing was written.
    #[error(
        "the data folder cannot be written: make it writable, or start with another --data-dir"
    )]
    ReadOnly,
    /// The file is not what SQLite wrote.
    #[error(
        "the store's file is damaged: start this node again, it then sets the file aside and \
         gets its jobs back from the other nodes"
    )]
    Broken,
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

impl StoreError {
    /// Whether trying the same again is in vain, whatever happens to the disk.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Broken)
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full,
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // SQLite's result codes; the lower byte says what kind it is.
        let code = error.as_database_error().and_then(|error| error.code());
        match code.and_then(|code| code.parse::<i32>().ok()) {
            Some(code) => match code & 0xff {
                8 => Self::ReadOnly,
                11 | 26 => Self::Broken,
                13 => Self::Full,
                _ => Self::Failed(error),
            },
            None => Self::Failed(error),
        }
    }
}

impl Store {
    /// Opens the store of a data folder, or makes it. A file that is damaged is
    /// set aside, and the node begins with an empty one.
    pub async fn open(data_dir: &Path, sync: Sync) -> anyhow::Result<Self> {
        let path = data_dir.join("matmesh.sqlite");
        match Self::open_file(&path, sync).await {
            Err(error) if is_damage(&error) => {
                let aside = set_aside(&path)
                    .with_context(|| format!("cannot set aside the damaged {}", path.display()))?;
                tracing::error!(
                    "the store {} is damaged ({error:#}) and was set aside as {}: this node gets \
                     its jobs back from the others; those that it alone had are lost",
                    path.display(),
                    aside.display()
                );
                Self::open_file(&path, sync).await
            }
            other => other,
        }
    }

    async fn open_file(path: &Path, sync: Sync) -> anyhow::Result<Self> {
        check_header(path)?;
        let options = SqliteConnectOptions::from_str("sqlite:")?
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What `alone` does not sync it says transaction by transaction.
            .synchronous(match sync {
                Sync::Always | Sync::Alone => SqliteSynchronous::Full,
                Sync::Never => SqliteSynchronous::Off,
            })
            .page_size(PAGE_BYTES)
            .busy_timeout(BUSY_TIMEOUT);
        // What it commits is moved from the log to the file by another connection.
        let writing = (options.clone())
            .pragma("wal_autocheckpoint", "0")
            .busy_timeout(LOG_TIMEOUT);
        let writer = (Connections::open(writing, 1).await)
            .map_err(StoreError::from)
            .with_context(|| format!("cannot open the store {}", path.display()))?;
        let suspicion = suspicion_of(path);
        if std::fs::metadata(path)?.len() <= CHECKED_BYTES_MAX || suspicion.exists() {
            let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
                .fetch_one(&mut *writer.lend().await?)
                .await
                .map_err(StoreError::from)?;
            if found != "ok" {
                return Err(anyhow::Error::new(StoreError::Broken).context(found));
            }
            let _ = std::fs::remove_file(suspicion);
        }
        let upgraded = migrations().run(&mut *writer.lend().await?).await;
        if let Err(MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..)) = upgraded {
            anyhow::bail!(
                "the store {} was written by a newer version of matmesh: start that version, or this one \
                 with another --data-dir",
                path.display()
            );
        }
        upgraded.with_context(|| format!("cannot upgrade the store {}", path.display()))?;
        let clock = Self::read_clock(&mut *writer.lend().await?).await?;
        let checkpoints = Checkpoints::start(&options).await?;
        let reading = options.read_only(true).create_if_missing(false);
        let readers = Connections::open(reading, READERS_MAX).await?;
        let store = Self {
            writer,
            readers,
            path: path.to_path_buf(),
            packs: Packs::beside(path),
            checkpoints,
            clock,
            sync,
            is_relaxed: Arc::default(),
        };
        store.forget_what_is_cut_off().await?;
        // Whether all of it can be read back, before anything is removed.
        store.jobs().await?;
        store.remove_unclaimed_chunks().await?;
        if let Err(error) = store.save_clock().await {
            // A full disk is no reason not to start: what is here can be read.
            tracing::warn!(%error, "how long this node was running is not written down");
        }
        Ok(store)
    }

    /// SQLite found the file damaged: the next start reads all of it, however
    /// large it is, and sets it aside.
    pub fn suspect(&self) {
        if let Err(error) = std::fs::write(suspicion_of(&self.path), b"") {
            tracing::warn!(%error, "cannot note that the store is damaged");
        }
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Whether the disk takes a small job without question: where it may not, inputs are stored by
    /// themselves, so that it is their sender who hears of it.
    pub(crate) fn has_ample_room(&self) -> bool {
        let disk = rustix::fs::statvfs(self.folder());
        disk.is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= AMPLE_BYTES)
    }

    /// Whether the store answers.
    pub async fn is_open(&self) -> bool {
        let Ok(mut reader) = self.readers.lend().await else {
            return false;
        };
        sqlx::query("SELECT 1").execute(&mut *reader).await.is_ok()
    }

    /// Writes everything out and closes the file.
    pub async fn close(&self) {
        if let Err(error) = self.save_clock().await {
            tracing::warn!(%error, "how long this node was running is not written down");
        }
        self.checkpoints.stop().await;
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
    let jobs = include_str!("../migrations/0001_jobs.sql");
    let copies = include_str!("../migrations/0002_copies.sql");
    let courses = include_str!("../migrations/0003_courses.sql");
    let packs = include_str!("../migrations/0004_packs.sql");
    let order = include_str!("../migrations/0005_in_order_of_time.sql");
    let packs_by_name = include_str!("../migrations/0006_packs_by_name.sql");
    let long_life = include_str!("../migrations/0007_long_life.sql");
    let deleted_jobs = include_str!("../migrations/0008_deleted_jobs.sql");
    Migrator::with_migrations(vec![
        simple(1, "jobs", jobs),
        simple(2, "copies", copies),
        simple(3, "courses", courses),
        simple(4, "packs", packs),
        simple(5, "in order of time", order),
        simple(6, "packs by name", packs_by_name),
        simple(7, "long life", long_life),
        simple(8, "deleted jobs", deleted_jobs),
    ])
}

/// SQLite takes a file that is too short to be one of its own for a new one, and
/// writes over it.
fn check_header(path: &Path) -> anyhow::Result<()> {
    let mut header = Vec::new();
    match std::fs::File::open(path) {
        Ok(file) => file
            .take(SQLITE_HEADER.len() as u64)
            .read_to_end(&mut header)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let text = format!("cannot read the store {}", path.display());
            return Err(anyhow::Error::new(error).context(text));
        }
    };
    if header.is_empty() || header == SQLITE_HEADER {
        return Ok(());
    }
    Err(StoreError::Broken.into())
}

/// Whether a store does not open because its file is damaged.
fn is_damage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        if let Some(error) = cause.downcast_ref::<StoreError>() {
            return matches!(error, StoreError::Broken | StoreError::Damaged { .. });
        }
        let code = cause.downcast_ref::<sqlx::Error>();
        let code = code.and_then(sqlx::Error::as_database_error);
        let code = code.and_then(|error| error.code());
        matches!(code.as_deref(), Some("11" | "26"))
    })
}

/// Where a store that was found damaged is noted.
fn suspicion_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-suspect");
    PathBuf::from(name)
}

/// Gives a store's files another name; the new name of the first.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let suffix = format!(".damaged-{}", now.unwrap_or_default().as_secs());
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    for ending in ["", "-wal", "-shm", "-suspect"] {
        let file = beside(ending);
        if file.exists() {
            std::fs::rename(&file, beside(&format!("{suffix}{ending}")))?;
        }
    }
    let packs = packs::folder_beside(path);
    if packs.exists() {
        let mut name = packs.clone().into_os_string();
        name.push(&suffix);
        std::fs::rename(&packs, name)?;
    }
    Ok(beside(&suffix))
}

/// What a job's rows are found by, in every table: its id, with the time it ends with in front. So the
/// rows of jobs that are new lie together, and few pages are written.
fn key_of(job: JobId) -> [u8; 16] {
    let mut key = *job.as_bytes();
    key.rotate_right(JobId::TIME_BYTES);
    key
}

/// The job that has this key.
fn job_of(mut key: [u8; 16]) -> JobId {
    key.rotate_left(JobId::TIME_BYTES);
    JobId::from_bytes(key)
}

/// SQLite's integers are signed; every number stored here is far below 2⁶³.
fn to_stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn from_stored(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests;
