//! Reads jobs back: all of them at start, their results whenever asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use cluster::limits::{TOMBSTONE, TOMBSTONES_MAX};
use cluster::{Replica, Restored};
use futures_util::TryStreamExt;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use wire::{
    BlockCourse, BlockIndex, ChunkHash, DoneBlock, Ended, Epoch, ExpiredJob, JobId, JobRecord,
    Leadership, MatrixSource, NodeId, Tally, WorkerId, WorkerKind,
};

use super::{Store, StoreError, from_stored, job_of, key_of, to_stored};

impl Store {
    /// The bytes of a block that is done, its hash checked.
    pub async fn result(&self, job: JobId, block: BlockIndex) -> Result<Option<Bytes>, StoreError> {
        let row = sqlx::query(
            "SELECT results.bytes, pack, start, length, blocks.hash
             FROM results JOIN blocks USING (job, block)
             WHERE job = ? AND block = ?",
        )
        .bind(&key_of(job)[..])
        .bind(i64::from(block.0))
        .fetch_optional(&mut *self.readers.lend().await?)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(bytes) = self.piece(&row).await? else {
            return Ok(None);
        };
        if ChunkHash::of(&bytes).as_bytes()[..] != row.try_get::<Vec<u8>, _>(4)?[..] {
            return Err(StoreError::Damaged { what: "result" });
        }
        Ok(Some(bytes))
    }

    /// Whether a job was here and its time to live is over.
    pub async fn is_expired(&self, job: JobId) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM tombstones WHERE job = ?")
            .bind(&key_of(job)[..])
            .fetch_optional(&mut *self.readers.lend().await?)
            .await?;
        Ok(row.is_some())
    }

    /// Jobs whose time to live is over, as long as somebody could bring them back.
    pub async fn buried(&self) -> Result<Vec<ExpiredJob>, StoreError> {
        let since = self.clock.now_ms().saturating_sub(to_millis(TOMBSTONE));
        let mut writing = self.write(false).await?;
        writing
            .add("DELETE FROM tombstones WHERE at_unix_ms < ?")
            .bind(to_stored(since));
        writing.commit().await?;
        let newest = "SELECT job, submitted_at_unix_ms, is_deleted FROM tombstones ORDER BY at_unix_ms DESC LIMIT ?";
        let rows = sqlx::query(newest)
            .bind(i64::try_from(TOMBSTONES_MAX).unwrap_or(i64::MAX))
            .fetch_all(&mut *self.readers.lend().await?)
            .await?;
        let jobs = rows.iter().map(|row| {
            Ok(ExpiredJob {
                job: job_of(bytes_at(row, 0)?),
                submitted_at_unix_ms: from_stored(row.try_get(1)?),
                is_deleted: row.try_get(2)?,
            })
        });
        jobs.collect()
    }

    /// Every job that is not gone. Each table is read once, whatever the number of jobs.
    pub async fn jobs(&self) -> Result<Vec<Restored>, StoreError> {
        let mut jobs = self.read_heads().await?;
        self.read_blocks(&mut jobs).await?;
        self.read_tallies(&mut jobs).await?;
        self.read_endings(&mut jobs).await?;
        self.read_claims(&mut jobs).await?;
        Ok(jobs.into_values().map(|(job, _)| job).collect())
    }

    async fn read_heads(&self) -> Result<Jobs, StoreError> {
        let mut reader = self.readers.lend().await?;
        let mut rows = sqlx::query(
            "SELECT record, epoch_number, epoch_coordinator, leadership_version, backups FROM jobs",
        )
        .fetch(&mut *reader);
        let mut jobs = Jobs::new();
        while let Some(row) = rows.try_next().await? {
            let record: JobRecord = rmp_serde::from_slice(&row.try_get::<Vec<u8>, _>(0)?)
                .map_err(|_| StoreError::Damaged { what: "job" })?;
            let leadership = Leadership {
                epoch: epoch_at(&row, 1)?,
                version: from_stored(row.try_get(3)?),
                backups: ids_at(&row, 4)?,
            };
            let hashes = [&record.a, &record.b].into_iter().filter_map(chunks_of);
            let wanted: BTreeSet<&ChunkHash> = hashes.flatten().collect();
            let wanted = wanted.len();
            let restored = Restored {
                replica: Replica::new(record, leadership),
                ended_ago: Duration::ZERO,
                has_inputs: wanted == 0,
            };
            jobs.insert(restored.replica.record.id, (restored, wanted));
        }
        Ok(jobs)
    }

    async fn read_blocks(&self, jobs: &mut Jobs) -> Result<(), StoreError> {
        let mut reader = self.readers.lend().await?;
        let mut rows = sqlx::query(
            "SELECT block, hash, worker, kind, name, device, compute_ms, operations, epoch_number,
             epoch_coordinator, counted, leased_us, stored_us, receive_us, wait_us, taken_from, job
             FROM blocks",
        )
        .fetch(&mut *reader);
        while let Some(row) = rows.try_next().await? {
            let Some((job, _)) = jobs.get_mut(&job_of(bytes_at(&row, 16)?)) else {
                continue;
            };
            let kind = match row.try_get::<String, _>(3)?.as_str() {
                "browser" => WorkerKind::Browser,
                _ => WorkerKind::Native,
            };
            let block =
                u32::try_from(row.try_get::<i64, _>(0)?).map_err(|_| StoreError::Damaged {
                    what: "block number",
                })?;
            job.replica.record_done(DoneBlock {
                block: BlockIndex(block),
                hash: ChunkHash::from_bytes(bytes_at(&row, 1)?),
                worker: WorkerId::from_bytes(bytes_at(&row, 2)?),
                kind,
                name: row.try_get(4)?,
                device: row.try_get(5)?,
                compute_ms: row.try_get(6)?,
                course: course_at(&row, 11)?,
                operations: from_stored(row.try_get(7)?),
                epoch: epoch_at(&row, 8)?,
                counted: u32::try_from(row.try_get::<i64, _>(10)?).unwrap_or(u32::MAX),
            });
        }
        Ok(())
    }

    async fn read_tallies(&self, jobs: &mut Jobs) -> Result<(), StoreError> {
        let mut reader = self.readers.lend().await?;
        let mut rows = sqlx::query(
            "SELECT epoch_number, epoch_coordinator, computed, rejected, reassigned, begun_us, job
             FROM tallies",
        )
        .fetch(&mut *reader);
        while let Some(row) = rows.try_next().await? {
            let tally = Tally {
                computed: from_stored(row.try_get(2)?),
                rejected: from_stored(row.try_get(3)?),
                reassigned: from_stored(row.try_get(4)?),
                begun_us: from_stored(row.try_get(5)?),
            };
            if let Some((job, _)) = jobs.get_mut(&job_of(bytes_at(&row, 6)?)) {
                job.replica.raise_tally(epoch_at(&row, 0)?, tally);
            }
        }
        Ok(())
    }

    /// How jobs ended, and for how long this node has been running since.
    async fn read_endings(&self, jobs: &mut Jobs) -> Result<(), StoreError> {
        let mut reader = self.readers.lend().await?;
        let mut rows =
            sqlx::query("SELECT ending, at_unix_ms, elapsed_ms, here_at_unix_ms, job FROM endings")
                .fetch(&mut *reader);
        while let Some(row) = rows.try_next().await? {
            let Some((job, _)) = jobs.get_mut(&job_of(bytes_at(&row, 4)?)) else {
                continue;
            };
            let ending = rmp_serde::from_slice(&row.try_get::<Vec<u8>, _>(0)?)
                .map_err(|_| StoreError::Damaged { what: "ending" })?;
            job.replica.record_end(Ended {
                ending,
                at_unix_ms: from_stored(row.try_get(1)?),
                elapsed_ms: row.try_get(2)?,
            });
            job.ended_ago = self.clock.since(from_stored(row.try_get(3)?));
        }
        Ok(())
    }

    /// Whether every chunk that a job is made from is here; a chunk's claim is
    /// stored together with its bytes.
    async fn read_claims(&self, jobs: &mut Jobs) -> Result<(), StoreError> {
        let mut reader = self.readers.lend().await?;
        let mut rows =
            sqlx::query("SELECT job, COUNT(*) FROM job_chunks GROUP BY job").fetch(&mut *reader);
        while let Some(row) = rows.try_next().await? {
            if let Some((job, wanted)) = jobs.get_mut(&job_of(bytes_at(&row, 0)?)) {
                let found = usize::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0);
                job.has_inputs = found >= *wanted;
            }
        }
        Ok(())
    }
}

/// What was read of each, and how many chunks its inputs are made of.
type Jobs = BTreeMap<JobId, (Restored, usize)>;

fn chunks_of(source: &MatrixSource) -> Option<&Vec<ChunkHash>> {
    match source {
        MatrixSource::Chunks(hashes) => Some(hashes),
        MatrixSource::Random(_) => None,
    }
}

fn to_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn bytes_at<const N: usize>(row: &SqliteRow, column: usize) -> Result<[u8; N], StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    bytes
        .try_into()
        .map_err(|_| StoreError::Damaged { what: "id or hash" })
}

fn ids_at(row: &SqliteRow, column: usize) -> Result<Vec<NodeId>, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    let (ids, rest) = bytes.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(StoreError::Damaged {
            what: "list of backups",
        });
    }
    Ok(ids.iter().copied().map(NodeId::from_bytes).collect())
}

fn course_at(row: &SqliteRow, column: usize) -> Result<BlockCourse, StoreError> {
    let taken_from: Option<Vec<u8>> = row.try_get(column + 4)?;
    Ok(BlockCourse {
        leased_us: from_stored(row.try_get(column)?),
        stored_us: from_stored(row.try_get(column + 1)?),
        receive_us: from_stored(row.try_get(column + 2)?),
        wait_us: from_stored(row.try_get(column + 3)?),
        taken_from: match taken_from {
            Some(_) => Some(WorkerId::from_bytes(bytes_at(row, column + 4)?)),
            None => None,
        },
    })
}

fn epoch_at(row: &SqliteRow, column: usize) -> Result<Epoch, StoreError> {
    let damaged = StoreError::Damaged { what: "epoch" };
    let leader: Vec<u8> = row.try_get(column + 1)?;
    let (coordinator, incarnation) = leader.split_first_chunk().ok_or(damaged)?;
    let incarnation = match incarnation {
        [] => 0,
        other => {
            let bytes = other.try_into();
            u64::from_le_bytes(bytes.map_err(|_| StoreError::Damaged { what: "epoch" })?)
        }
    };
    Ok(Epoch {
        number: from_stored(row.try_get(column)?),
        coordinator: NodeId::from_bytes(*coordinator),
        incarnation,
    })
}
