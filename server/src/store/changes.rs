//! Applies the cluster's changes.

use std::time::Duration;

use bytes::Bytes;
use cluster::Change;
use sqlx::SqliteConnection;
use wire::{DoneBlock, Ended, Epoch, JobId, JobRecord, Leadership, NodeId, Tally, WorkerKind};

use super::{Store, StoreError, to_stored, unix_ms};

/// A change, and the bytes of the result when it is a block that is done.
pub(crate) type StoredChange = (Change, Option<Bytes>);

impl Store {
    /// Applies changes in their order, all or none. Applying one again changes
    /// nothing. `is_backed` when another node has what they are about.
    pub async fn apply(&self, changes: &[StoredChange], is_backed: bool) -> Result<(), StoreError> {
        let mut transaction = if is_backed {
            self.write_backed().await?
        } else {
            self.write().await?
        };
        for (change, bytes) in changes {
            apply_one(&mut transaction, change, bytes.as_ref()).await?;
        }
        transaction.commit().await
    }
}

async fn apply_one(
    transaction: &mut SqliteConnection,
    change: &Change,
    bytes: Option<&Bytes>,
) -> Result<(), StoreError> {
    match change {
        Change::Accepted { record, leadership } => put_job(transaction, record, leadership).await,
        Change::Head {
            job,
            leadership,
            tallies,
            ended,
        } => {
            put_leadership(transaction, *job, leadership).await?;
            for (epoch, tally) in tallies {
                put_tally(transaction, *job, *epoch, *tally).await?;
            }
            match ended {
                Some((ended, ago)) => put_ending(transaction, *job, ended, *ago).await,
                None => Ok(()),
            }
        }
        Change::Done { job, done, tally } => {
            let bytes = bytes.ok_or(StoreError::Damaged {
                what: "result: its bytes are gone",
            })?;
            put_block(transaction, *job, done, bytes).await?;
            put_tally(transaction, *job, done.epoch, *tally).await
        }
        Change::Expired { job } => expire(transaction, *job).await,
    }
}

async fn put_job(
    connection: &mut SqliteConnection,
    record: &JobRecord,
    leadership: &Leadership,
) -> Result<(), StoreError> {
    let encoded = rmp_serde::to_vec_named(record).expect("records have no unencodable part");
    let epoch = leadership.epoch;
    sqlx::query(
        "INSERT OR IGNORE INTO jobs (id, record, epoch_number, epoch_coordinator,
         leadership_version, backups) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&record.id.as_bytes()[..])
    .bind(encoded)
    .bind(to_stored(epoch.number))
    .bind(&epoch.coordinator.as_bytes()[..])
    .bind(to_stored(leadership.version))
    .bind(ids_of(&leadership.backups))
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_leadership(
    connection: &mut SqliteConnection,
    job: JobId,
    leadership: &Leadership,
) -> Result<(), StoreError> {
    let epoch = leadership.epoch;
    sqlx::query(
        "UPDATE jobs SET epoch_number = ?, epoch_coordinator = ?, leadership_version = ?,
         backups = ? WHERE id = ?",
    )
    .bind(to_stored(epoch.number))
    .bind(&epoch.coordinator.as_bytes()[..])
    .bind(to_stored(leadership.version))
    .bind(ids_of(&leadership.backups))
    .bind(&job.as_bytes()[..])
    .execute(connection)
    .await?;
    Ok(())
}

fn ids_of(nodes: &[NodeId]) -> Vec<u8> {
    nodes.iter().flat_map(|node| *node.as_bytes()).collect()
}

async fn put_block(
    connection: &mut SqliteConnection,
    job: JobId,
    done: &DoneBlock,
    bytes: &Bytes,
) -> Result<(), StoreError> {
    let kind = match done.kind {
        WorkerKind::Native => "native",
        WorkerKind::Browser => "browser",
    };
    sqlx::query(
        "INSERT OR REPLACE INTO blocks (job, block, hash, worker, kind, name, device, compute_ms,
         operations, epoch_number, epoch_coordinator, counted, leased_us, stored_us, receive_us,
         wait_us, taken_from)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&job.as_bytes()[..])
    .bind(i64::from(done.block.0))
    .bind(&done.hash.as_bytes()[..])
    .bind(&done.worker.as_bytes()[..])
    .bind(kind)
    .bind(&done.name)
    .bind(&done.device)
    .bind(done.compute_ms)
    .bind(to_stored(done.operations))
    .bind(to_stored(done.epoch.number))
    .bind(&done.epoch.coordinator.as_bytes()[..])
    .bind(i64::from(done.counted))
    .bind(to_stored(done.course.leased_us))
    .bind(to_stored(done.course.stored_us))
    .bind(to_stored(done.course.receive_us))
    .bind(to_stored(done.course.wait_us))
    .bind(
        done.course
            .taken_from
            .map(|worker| worker.as_bytes().to_vec()),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query("INSERT OR REPLACE INTO results (job, block, bytes) VALUES (?, ?, ?)")
        .bind(&job.as_bytes()[..])
        .bind(i64::from(done.block.0))
        .bind(&bytes[..])
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_tally(
    connection: &mut SqliteConnection,
    job: JobId,
    epoch: Epoch,
    tally: Tally,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tallies (job, epoch_number, epoch_coordinator, computed, rejected, reassigned,
         begun_us)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET computed = max(computed, excluded.computed),
         rejected = max(rejected, excluded.rejected),
         reassigned = max(reassigned, excluded.reassigned),
         begun_us = max(begun_us, excluded.begun_us)",
    )
    .bind(&job.as_bytes()[..])
    .bind(to_stored(epoch.number))
    .bind(&epoch.coordinator.as_bytes()[..])
    .bind(to_stored(tally.computed))
    .bind(to_stored(tally.rejected))
    .bind(to_stored(tally.reassigned))
    .bind(to_stored(tally.begun_us))
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_ending(
    connection: &mut SqliteConnection,
    job: JobId,
    ended: &Ended,
    ago: Duration,
) -> Result<(), StoreError> {
    let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
    let here_at = unix_ms().saturating_sub(ago);
    let encoded = rmp_serde::to_vec_named(&ended.ending).expect("endings have no unencodable part");
    sqlx::query(
        "INSERT OR REPLACE INTO endings (job, ending, at_unix_ms, elapsed_ms, here_at_unix_ms)
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(&job.as_bytes()[..])
    .bind(encoded)
    .bind(to_stored(ended.at_unix_ms))
    .bind(ended.elapsed_ms)
    .bind(to_stored(here_at))
    .execute(connection)
    .await?;
    Ok(())
}

async fn expire(connection: &mut SqliteConnection, job: JobId) -> Result<(), StoreError> {
    let id = &job.as_bytes()[..];
    sqlx::query(
        "INSERT OR IGNORE INTO tombstones (job, at_unix_ms) VALUES (?, unixepoch() * 1000)",
    )
    .bind(id)
    .execute(&mut *connection)
    .await?;
    for statement in [
        "DELETE FROM jobs WHERE id = ?",
        "DELETE FROM blocks WHERE job = ?",
        "DELETE FROM results WHERE job = ?",
        "DELETE FROM tallies WHERE job = ?",
        "DELETE FROM endings WHERE job = ?",
    ] {
        sqlx::query(statement)
            .bind(id)
            .execute(&mut *connection)
            .await?;
    }
    remove_chunks(connection, job).await
}

/// Removes a job's claim on its chunks, and the chunks that no job claims.
pub(super) async fn remove_chunks(
    connection: &mut SqliteConnection,
    job: JobId,
) -> Result<(), StoreError> {
    let id = &job.as_bytes()[..];
    sqlx::query(
        "DELETE FROM chunks WHERE hash IN (SELECT hash FROM job_chunks WHERE job = ?1) AND NOT EXISTS
         (SELECT 1 FROM job_chunks WHERE job_chunks.hash = chunks.hash AND job_chunks.job <> ?1)",
    )
    .bind(id)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM job_chunks WHERE job = ?")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}
