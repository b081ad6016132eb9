//! Reads jobs back: all of them at start, their results whenever asked.

use bytes::Bytes;
use cluster::{DoneBlock, Ended, Replica, Tally};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use wire::{BlockIndex, ChunkHash, Epoch, JobId, NodeId, WorkerId, WorkerKind};

use super::{Store, StoreError, from_stored};

impl Store {
    /// The bytes of a block that is done, its hash checked.
    pub async fn result(&self, job: JobId, block: BlockIndex) -> Result<Option<Bytes>, StoreError> {
        let row = sqlx::query(
            "SELECT results.bytes, blocks.hash FROM results JOIN blocks USING (job, block)
             WHERE job = ? AND block = ?",
        )
        .bind(&job.as_bytes()[..])
        .bind(i64::from(block.0))
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let bytes = Bytes::from(row.try_get::<Vec<u8>, _>(0)?);
        if ChunkHash::of(&bytes).as_bytes()[..] != row.try_get::<Vec<u8>, _>(1)?[..] {
            return Err(StoreError::Damaged { what: "result" });
        }
        Ok(Some(bytes))
    }

    /// Whether a job was here and its time to live is over.
    pub async fn is_expired(&self, job: JobId) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM tombstones WHERE job = ?")
            .bind(&job.as_bytes()[..])
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.is_some())
    }

    /// Every job that is not expired.
    pub async fn replicas(&self) -> Result<Vec<Replica>, StoreError> {
        let rows = sqlx::query("SELECT record, epoch_number, epoch_coordinator FROM jobs")
            .fetch_all(&self.readers)
            .await?;
        let mut replicas = Vec::with_capacity(rows.len());
        for row in rows {
            let record = rmp_serde::from_slice(&row.try_get::<Vec<u8>, _>(0)?)
                .map_err(|_| StoreError::Damaged { what: "job" })?;
            let mut replica = Replica::new(record, epoch_at(&row, 1)?);
            self.read_blocks(&mut replica).await?;
            self.read_tallies(&mut replica).await?;
            self.read_ending(&mut replica).await?;
            replicas.push(replica);
        }
        Ok(replicas)
    }

    async fn read_blocks(&self, replica: &mut Replica) -> Result<(), StoreError> {
        let rows = sqlx::query(
            "SELECT block, hash, worker, kind, name, device, compute_ms, operations, epoch_number,
             epoch_coordinator FROM blocks WHERE job = ?",
        )
        .bind(&replica.record.id.as_bytes()[..])
        .fetch_all(&self.readers)
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
                operations: from_stored(row.try_get(7)?),
                epoch: epoch_at(&row, 8)?,
            });
        }
        Ok(())
    }

    async fn read_tallies(&self, replica: &mut Replica) -> Result<(), StoreError> {
        let rows = sqlx::query(
            "SELECT epoch_number, epoch_coordinator, accepted, computed, rejected, reassigned
             FROM tallies WHERE job = ?",
        )
        .bind(&replica.record.id.as_bytes()[..])
        .fetch_all(&self.readers)
        .await?;
        for row in rows {
            let tally = Tally {
                accepted: from_stored(row.try_get(2)?),
                computed: from_stored(row.try_get(3)?),
                rejected: from_stored(row.try_get(4)?),
                reassigned: from_stored(row.try_get(5)?),
            };
            replica.raise_tally(epoch_at(&row, 0)?, tally);
        }
        Ok(())
    }

    async fn read_ending(&self, replica: &mut Replica) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT ending, at_unix_ms, elapsed_ms FROM endings WHERE job = ?")
            .bind(&replica.record.id.as_bytes()[..])
            .fetch_optional(&self.readers)
            .await?;
        if let Some(row) = row {
            let ending = rmp_serde::from_slice(&row.try_get::<Vec<u8>, _>(0)?)
                .map_err(|_| StoreError::Damaged { what: "ending" })?;
            let at_unix_ms = from_stored(row.try_get(1)?);
            replica.record_end(Ended {
                ending,
                at_unix_ms,
                elapsed_ms: row.try_get(2)?,
            });
        }
        Ok(())
    }
}

fn bytes_at<const N: usize>(row: &SqliteRow, column: usize) -> Result<[u8; N], StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    bytes
        .try_into()
        .map_err(|_| StoreError::Damaged { what: "id or hash" })
}

fn epoch_at(row: &SqliteRow, column: usize) -> Result<Epoch, StoreError> {
    let number = from_stored(row.try_get(column)?);
    let coordinator = NodeId::from_bytes(bytes_at(row, column + 1)?);
    Ok(Epoch {
        number,
        coordinator,
    })
}
