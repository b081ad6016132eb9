//! Reads jobs back: all of them at start, their results whenever asked.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use cluster::limits::{TOMBSTONE, TOMBSTONES_MAX};
use cluster::{Replica, Restored};
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
        let newest =
            "SELECT job, submitted_at_unix_ms FROM tombstones ORDER BY at_unix_ms DESC LIMIT ?";
        let rows = sqlx::query(newest)
            .bind(i64::try_from(TOMBSTONES_MAX).unwrap_or(i64::MAX))
            .fetch_all(&mut *self.readers.lend().await?)
            .await?;
        let jobs = rows.iter().map(|row| {
            Ok(ExpiredJob {
                job: job_of(bytes_at(row, 0)?),
                submitted_at_unix_ms: from_stored(row.try_get(1)?),
            })
        });
        jobs.collect()
    }

    /// Every job that is not expired.
    pub async fn jobs(&self) -> Result<Vec<Restored>, StoreError> {
        let rows = sqlx::query(
            "SELECT record, epoch_number, epoch_coordinator, leadership_version, backups FROM jobs",
        )
        .fetch_all(&mut *self.readers.lend().await?)
        .await?;
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            let record = rmp_serde::from_slice(&row.try_get::<Vec<u8>, _>(0)?)
                .map_err(|_| StoreError::Damaged { what: "job" })?;
            let leadership = Leadership {
                epoch: epoch_at(&row, 1)?,
                version: from_stored(row.try_get(3)?),
                backups: ids_at(&row, 4)?,
            };
            let mut replica = Replica::new(record, leadership);
            self.read_blocks(&mut replica).await?;
            self.read_tallies(&mut replica).await?;
            let ended_ago = self.read_ending(&mut replica).await?;
            let has_inputs = self.has_inputs(&replica.record).await?;
            jobs.push(Restored {
                replica,
                ended_ago,
                has_inputs,
            });
        }
        Ok(jobs)
    }

    /// Whether every chunk that a job is made from is here; a chunk's claim is
    /// stored together with its bytes.
    async fn has_inputs(&self, record: &JobRecord) -> Result<bool, StoreError> {
        let hashes = [&record.a, &record.b].into_iter().filter_map(chunks_of);
        let wanted: BTreeSet<&ChunkHash> = hashes.flatten().collect();
        let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM job_chunks WHERE job = ?")
            .bind(&key_of(record.id)[..])
            .fetch_one(&mut *self.readers.lend().await?)
            .await?;
        Ok(usize::try_from(found).unwrap_or(0) >= wanted.len())
    }

    async fn read_blocks(&self, replica: &mut Replica) -> Result<(), StoreError> {
        let rows = sqlx::query(
            "SELECT block, hash, worker, kind, name, device, compute_ms, operations, epoch_number,
             epoch_coordinator, counted, leased_us, stored_us, receive_us, wait_us, taken_from
             FROM blocks WHERE job = ?",
        )
        .bind(&key_of(replica.record.id)[..])
        .fetch_all(&mut *self.readers.lend().await?)
        .await?;
        for row in rows {
            let kind = match row.try_get::<String, _>(3)?.as_str() {
                "browser" => WorkerKind::Browser,
                _ => WorkerKind::Native,
            };
            let block =
                u32::try_from(row.try_get::<i64, _>(0)?).map_err(|_| StoreError::Damaged {
                    what: "block number",
                })?;
            replica.record_done(DoneBlock {
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

    async fn read_tallies(&self, replica: &mut Replica) -> Result<(), StoreError> {
        let rows = sqlx::query(
            "SELECT epoch_number, epoch_coordinator, computed, rejected, reassigned, begun_us
             FROM tallies WHERE job = ?",
        )
        .bind(&key_of(replica.record.id)[..])
        .fetch_all(&mut *self.readers.lend().await?)
        .await?;
        for row in rows {
            let tally = Tally {
                computed: from_stored(row.try_get(2)?),
                rejected: from_stored(row.try_get(3)?),
                reassigned: from_stored(row.try_get(4)?),
                begun_us: from_stored(row.try_get(5)?),
            };
            replica.raise_tally(epoch_at(&row, 0)?, tally);
        }
        Ok(())
    }

    /// How long this node has been running since it ended.
    async fn read_ending(&self, replica: &mut Replica) -> Result<Duration, StoreError> {
        let row = sqlx::query(
            "SELECT ending, at_unix_ms, elapsed_ms, here_at_unix_ms FROM endings WHERE job = ?",
        )
        .bind(&key_of(replica.record.id)[..])
        .fetch_optional(&mut *self.readers.lend().await?)
        .await?;
        let Some(row) = row else {
            return Ok(Duration::ZERO);
        };
        let ending = rmp_serde::from_slice(&row.try_get::<Vec<u8>, _>(0)?)
            .map_err(|_| StoreError::Damaged { what: "ending" })?;
        replica.record_end(Ended {
            ending,
            at_unix_ms: from_stored(row.try_get(1)?),
            elapsed_ms: row.try_get(2)?,
        });
        let here_at = from_stored(row.try_get(3)?);
        Ok(self.clock.since(here_at))
    }
}

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
    let number = from_stored(row.try_get(column)?);
    let coordinator = NodeId::from_bytes(bytes_at(row, column + 1)?);
    Ok(Epoch {
        number,
        coordinator,
    })
}
