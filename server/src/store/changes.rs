//! Applies the cluster's changes.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cluster::Change;
use wire::{
    DoneBlock, Ended, Epoch, ExpiredJob, JobId, JobRecord, Leadership, NodeId, Tally, WorkerKind,
};

use super::chunks::add_chunks;
use super::packs::{Place, is_packed};
use super::writing::Writing;
use super::{Store, StoreError, key_of, to_stored};
use crate::small_inputs::Inputs;

/// A change, and the bytes of the result when it is a block that is done.
pub(crate) type StoredChange = (Change, Option<Bytes>);

/// A job, and all chunks of its inputs.
pub(crate) type JobInputs = (JobId, Inputs);

impl Store {
    /// Stores inputs and applies changes, job by job, those of a job in their order, all or none. Applying
    /// one again changes nothing. `is_backed` when another node has what they are about.
    pub async fn apply(
        &self,
        changes: &[StoredChange],
        inputs: &[JobInputs],
        is_backed: bool,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(is_backed).await?;
        let places = pack_results(&mut writing, changes).await?;
        let (expired, living): (Vec<_>, Vec<_>) =
            (parts(changes, inputs).into_iter()).partition(|(_, part)| part.is_expiry(changes));
        if !expired.is_empty() {
            // However many there are, they are few texts.
            writing.begin_part().await?;
        }
        for (_, part) in expired {
            for index in part.changes {
                add_change(&mut writing, &changes[index].0, &mut Tallies::new());
            }
            writing.flush_if_much().await?;
        }
        for (job, part) in living {
            // A job by itself is one of a few texts, which SQLite reads once; several together are hardly
            // ever the same again.
            writing.begin_part().await?;
            for chunks in part.inputs {
                add_chunks(&mut writing, job, chunks).await?;
            }
            let mut tallies = Tallies::new();
            // Blocks side by side are one statement, and so are their results.
            let is_block = |index: &usize| matches!(changes[*index].0, Change::Done { .. });
            for run in part
                .changes
                .chunk_by(|one, next| is_block(one) && is_block(next))
            {
                for index in run {
                    add_change(&mut writing, &changes[*index].0, &mut tallies);
                    writing.flush_if_much().await?;
                }
                for index in run.iter().filter(|index| is_block(index)) {
                    put_result(&mut writing, &changes[*index], places[*index])?;
                    writing.flush_if_much().await?;
                }
            }
            for (epoch, tally) in tallies {
                put_tally(&mut writing, job, epoch, tally);
                writing.flush_if_much().await?;
            }
        }
        if writing.is_synced() {
            // What of a job was written while another node had it may still be on its way to the disk.
            for (change, _) in changes {
                if let Change::Head { job, .. } = change {
                    self.sync_pieces(*job).await?;
                }
            }
        }
        writing.commit().await?;
        if (changes.iter())
            .any(|(change, _)| matches!(change, Change::Expired(_) | Change::Withdrawn { .. }))
        {
            // Nothing waits for the room that it gives back.
            let own = self.clone();
            tokio::spawn(async move {
                if let Err(error) = own.remove_unnamed_packs().await {
                    tracing::warn!(%error, "files of a job whose time is over stay behind");
                }
            });
        }
        Ok(())
    }
}

/// What one job brings to a transaction.
#[derive(Debug, Default)]
struct Part<'a> {
    inputs: Vec<&'a Inputs>,
    /// Their places among all changes, in their order.
    changes: Vec<usize>,
}

impl Part<'_> {
    /// It brings nothing but a job's end of life.
    fn is_expiry(&self, changes: &[StoredChange]) -> bool {
        let is_alone = self.inputs.is_empty() && self.changes.len() == 1;
        is_alone && matches!(changes[self.changes[0]].0, Change::Expired(_))
    }
}

fn parts<'a>(changes: &[StoredChange], inputs: &'a [JobInputs]) -> BTreeMap<JobId, Part<'a>> {
    let mut parts: BTreeMap<JobId, Part<'_>> = BTreeMap::new();
    for (job, chunks) in inputs {
        parts.entry(*job).or_default().inputs.push(chunks);
    }
    for (index, (change, _)) in changes.iter().enumerate() {
        parts.entry(change.job()).or_default().changes.push(index);
    }
    parts
}

/// Writes the large results among the changes; where each lies, if it is one.
async fn pack_results(
    writing: &mut Writing,
    changes: &[StoredChange],
) -> Result<Vec<Option<Place>>, StoreError> {
    let mut by_job: BTreeMap<JobId, Vec<(usize, Bytes)>> = BTreeMap::new();
    for (index, (change, bytes)) in changes.iter().enumerate() {
        if let Some(bytes) = bytes.as_ref().filter(|bytes| is_packed(bytes)) {
            let large = by_job.entry(change.job()).or_default();
            large.push((index, bytes.clone()));
        }
    }
    let mut places = vec![None; changes.len()];
    for (job, large) in by_job {
        let (indices, pieces): (Vec<usize>, Vec<Bytes>) = large.into_iter().unzip();
        for (index, place) in indices.into_iter().zip(writing.pack(job, pieces).await?) {
            places[index] = Some(place);
        }
    }
    Ok(places)
}

/// Every block of a job that is done brings the tally of its epoch; only the last one of a
/// transaction is written.
type Tallies = BTreeMap<Epoch, Tally>;

/// All of a change but the bytes of a result.
fn add_change(writing: &mut Writing, change: &Change, tallies: &mut Tallies) {
    match change {
        Change::Accepted { record, leadership } => put_job(writing, record, leadership),
        Change::Head {
            job,
            leadership,
            tallies: told,
            ended,
        } => {
            put_leadership(writing, *job, leadership);
            for (epoch, tally) in told {
                tallies.entry(*epoch).or_default().raise(*tally);
            }
            if let Some((ended, ago)) = ended {
                put_ending(writing, *job, ended, *ago);
            }
        }
        Change::Done { job, done, tally } => {
            put_block(writing, *job, done);
            tallies.entry(done.epoch).or_default().raise(*tally);
        }
        Change::Lost { job, block } => {
            for statement in REMOVE_BLOCK {
                writing
                    .add(statement)
                    .bind_bytes(&key_of(*job))
                    .bind(i64::from(block.0));
            }
        }
        Change::Expired(expired) => {
            tallies.clear();
            expire(writing, *expired);
        }
        Change::Withdrawn { job } => {
            tallies.clear();
            remove(writing, *job);
        }
    }
}

fn put_job(writing: &mut Writing, record: &JobRecord, leadership: &Leadership) {
    let encoded = rmp_serde::to_vec_named(record).expect("records have no unencodable part");
    let epoch = leadership.epoch;
    writing
        .add(
            "INSERT OR IGNORE INTO jobs (id, record, epoch_number, epoch_coordinator,
         leadership_version, backups) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind_bytes(&key_of(record.id))
        .bind(encoded)
        .bind(to_stored(epoch.number))
        .bind(leader_of(epoch))
        .bind(to_stored(leadership.version))
        .bind(ids_of(&leadership.backups));
}

fn put_leadership(writing: &mut Writing, job: JobId, leadership: &Leadership) {
    let epoch = leadership.epoch;
    writing
        .add(
            "UPDATE jobs SET epoch_number = ?, epoch_coordinator = ?, leadership_version = ?,
         backups = ? WHERE id = ?",
        )
        .bind(to_stored(epoch.number))
        .bind(leader_of(epoch))
        .bind(to_stored(leadership.version))
        .bind(ids_of(&leadership.backups))
        .bind_bytes(&key_of(job));
}

/// The coordinator of an epoch, and which of its processes: those of earlier versions have none.
fn leader_of(epoch: Epoch) -> Vec<u8> {
    let mut leader = epoch.coordinator.as_bytes().to_vec();
    if epoch.incarnation != 0 {
        leader.extend(epoch.incarnation.to_le_bytes());
    }
    leader
}

fn ids_of(nodes: &[NodeId]) -> Vec<u8> {
    nodes.iter().flat_map(|node| *node.as_bytes()).collect()
}

fn put_block(writing: &mut Writing, job: JobId, done: &DoneBlock) {
    let kind = match done.kind {
        WorkerKind::Native => "native",
        WorkerKind::Browser => "browser",
    };
    writing.add_row(
        "INSERT OR REPLACE INTO blocks (job, block, hash, worker, kind, name, device, compute_ms,
         operations, epoch_number, epoch_coordinator, counted, leased_us, stored_us, receive_us,
         wait_us, taken_from) VALUES",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind_bytes(&key_of(job))
    .bind(i64::from(done.block.0))
    .bind_bytes(done.hash.as_bytes())
    .bind_bytes(done.worker.as_bytes())
    .bind(kind)
    .bind(done.name.as_str())
    .bind(done.device.as_str())
    .bind(done.compute_ms)
    .bind(to_stored(done.operations))
    .bind(to_stored(done.epoch.number))
    .bind(leader_of(done.epoch))
    .bind(i64::from(done.counted))
    .bind(to_stored(done.course.leased_us))
    .bind(to_stored(done.course.stored_us))
    .bind(to_stored(done.course.receive_us))
    .bind(to_stored(done.course.wait_us))
    .bind(
        done.course
            .taken_from
            .map(|worker| worker.as_bytes().to_vec()),
    );
}

/// The bytes of a block, or where they lie.
fn put_result(
    writing: &mut Writing,
    (change, bytes): &StoredChange,
    place: Option<Place>,
) -> Result<(), StoreError> {
    let Change::Done { job, done, .. } = change else {
        return Ok(());
    };
    let bytes = bytes.as_ref().ok_or(StoreError::Damaged {
        what: "result: its bytes are gone",
    })?;
    writing
        .add_row(
            "INSERT OR REPLACE INTO results (job, block, bytes, pack, start, length) VALUES",
            "(?, ?, ?, ?, ?, ?)",
        )
        .bind_bytes(&key_of(*job))
        .bind(i64::from(done.block.0))
        .bind_piece(bytes, place);
    Ok(())
}

fn put_tally(writing: &mut Writing, job: JobId, epoch: Epoch, tally: Tally) {
    writing.add(
        "INSERT INTO tallies (job, epoch_number, epoch_coordinator, computed, rejected, reassigned,
         begun_us)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET computed = max(computed, excluded.computed),
         rejected = max(rejected, excluded.rejected),
         reassigned = max(reassigned, excluded.reassigned),
         begun_us = max(begun_us, excluded.begun_us)",
    )
    .bind_bytes(&key_of(job))
    .bind(to_stored(epoch.number))
    .bind(leader_of(epoch))
    .bind(to_stored(tally.computed))
    .bind(to_stored(tally.rejected))
    .bind(to_stored(tally.reassigned))
    .bind(to_stored(tally.begun_us));
}

fn put_ending(writing: &mut Writing, job: JobId, ended: &Ended, ago: Duration) {
    let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
    let here_at = writing.now_ms().saturating_sub(ago);
    let encoded = rmp_serde::to_vec_named(&ended.ending).expect("endings have no unencodable part");
    writing
        .add(
            "INSERT OR REPLACE INTO endings (job, ending, at_unix_ms, elapsed_ms, here_at_unix_ms)
         VALUES (?, ?, ?, ?, ?)",
        )
        .bind_bytes(&key_of(job))
        .bind(encoded)
        .bind(to_stored(ended.at_unix_ms))
        .bind(ended.elapsed_ms)
        .bind(to_stored(here_at));
}

/// A block whose bytes are damaged.
const REMOVE_BLOCK: [&str; 2] = [
    "DELETE FROM blocks WHERE job = ? AND block = ?",
    "DELETE FROM results WHERE job = ? AND block = ?",
];

/// All of a job but its inputs.
pub(super) const REMOVE: [&str; 5] = [
    "DELETE FROM jobs WHERE id = ?",
    "DELETE FROM blocks WHERE job = ?",
    "DELETE FROM results WHERE job = ?",
    "DELETE FROM tallies WHERE job = ?",
    "DELETE FROM endings WHERE job = ?",
];

/// Remembers the id of a job that is gone, and removes the rest.
fn expire(writing: &mut Writing, expired: ExpiredJob) {
    let now_ms = to_stored(writing.now_ms());
    writing
        .add(
            "INSERT OR IGNORE INTO tombstones (job, at_unix_ms, submitted_at_unix_ms, is_deleted)
         VALUES (?, ?, ?, ?)",
        )
        .bind_bytes(&key_of(expired.job))
        .bind(now_ms)
        .bind(to_stored(expired.submitted_at_unix_ms))
        .bind(i64::from(expired.is_deleted));
    remove(writing, expired.job);
}

fn remove(writing: &mut Writing, job: JobId) {
    for statement in REMOVE {
        writing.add(statement).bind_bytes(&key_of(job));
    }
    remove_chunks(writing, job);
}

/// The chunks that only this job claims.
pub(super) const REMOVE_CHUNKS: &str =
    "DELETE FROM chunks WHERE hash IN (SELECT hash FROM job_chunks
    WHERE job = ?) AND NOT EXISTS
    (SELECT 1 FROM job_chunks WHERE job_chunks.hash = chunks.hash AND job_chunks.job <> ?)";

pub(super) const REMOVE_CLAIMS: &str = "DELETE FROM job_chunks WHERE job = ?";

/// Removes a job's claim on its chunks, and the chunks that no job claims.
pub(super) fn remove_chunks(writing: &mut Writing, job: JobId) {
    writing
        .add(REMOVE_CHUNKS)
        .bind_bytes(&key_of(job))
        .bind_bytes(&key_of(job));
    writing.add(REMOVE_CLAIMS).bind_bytes(&key_of(job));
}

#[cfg(test)]
pub(super) mod tests {
    use sqlx::Connection;
    use wire::{Arithmetic, ChunkHash, CutShape, JobOptions, MatrixSource, Shape, Spread};

    use super::*;
    use crate::config::Sync;

    const NODE: NodeId = NodeId::from_bytes([1; 16]);

    pub(in crate::store) fn accepted(job: JobId, inputs: &Inputs) -> StoredChange {
        let source = |(hash, _): &(ChunkHash, Bytes)| MatrixSource::Chunks(vec![*hash]);
        let record = JobRecord {
            id: job,
            shape: Shape {
                rows: 2,
                inner: 2,
                cols: 2,
            },
            options: JobOptions {
                arithmetic: Arithmetic::Reproducible,
                spread: Spread::All,
            },
            cut: CutShape {
                rows_per_block: 2,
                cols_per_block: 2,
            },
            a: source(&inputs[0]),
            b: source(&inputs[1]),
            origin: NODE,
            submitted_at_unix_ms: 0,
            idempotency_key: None,
        };
        let epoch = Epoch {
            number: 1,
            coordinator: NODE,
            incarnation: 0,
        };
        let leadership = Leadership {
            epoch,
            version: 0,
            backups: Vec::new(),
        };
        let record = Box::new(record);
        (Change::Accepted { record, leadership }, None)
    }

    pub(in crate::store) fn expired(job: JobId) -> Change {
        Change::Expired(ExpiredJob {
            job,
            submitted_at_unix_ms: 0,
            is_deleted: false,
        })
    }

    fn chunk(fill: u8, length: usize) -> (ChunkHash, Bytes) {
        let bytes = Bytes::from(vec![fill; length]);
        (ChunkHash::of(&bytes), bytes)
    }

    #[tokio::test]
    async fn jobs_are_stored_together_with_their_inputs() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Sync::Alone).await.unwrap();
        let shared = chunk(9, 60_000);
        let inputs: Vec<JobInputs> = (1..=3)
            .map(|number| {
                let chunks = vec![chunk(number, 100), shared.clone()];
                (JobId::from_bytes([number; 16]), chunks)
            })
            .collect();
        let changes: Vec<_> = (inputs.iter())
            .map(|(job, inputs)| accepted(*job, inputs))
            .collect();
        store.apply(&changes, &inputs, true).await.unwrap();
        store.close().await;

        let store = Store::open(folder.path(), Sync::Alone).await.unwrap();
        let jobs = store.jobs().await.unwrap();
        let found: Vec<_> = (jobs.iter())
            .map(|job| (job.replica.record.id, job.has_inputs))
            .collect();
        let expected: Vec<_> = inputs.iter().map(|(job, _)| (*job, true)).collect();
        assert_eq!(found, expected);
        for (hash, bytes) in inputs.iter().flat_map(|(_, chunks)| chunks) {
            assert_eq!(store.chunk(*hash).await.unwrap().as_ref(), Some(bytes));
        }
    }

    /// Reading a text of SQL takes longer than doing what it says.
    #[tokio::test]
    async fn texts_are_read_once_however_many_jobs_come_together() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Sync::Alone).await.unwrap();
        let mut numbers = 1..;
        // Every other job is a single statement.
        let mut apply = async |count: usize| {
            let jobs: Vec<JobInputs> = (numbers.by_ref().take(count))
                .map(|number| {
                    let inputs = vec![chunk(number, 100), chunk(number, 101)];
                    (JobId::from_bytes([number; 16]), inputs)
                })
                .collect();
            let changes: Vec<_> = (jobs.iter())
                .map(|(job, inputs)| accepted(*job, inputs))
                .collect();
            let stored: Vec<_> = jobs.into_iter().step_by(2).collect();
            store.apply(&changes, &stored, true).await.unwrap();
            let writer = store.writer.lend().await.unwrap();
            writer.cached_statements_size()
        };
        // First, between the others and last, with inputs and without.
        for count in 1..=4 {
            apply(count).await;
        }
        let read = apply(3).await;
        for count in 4..=9 {
            assert_eq!(apply(count).await, read, "{count} jobs");
        }
    }

    #[tokio::test]
    async fn a_chunk_stays_for_the_job_that_comes_when_another_expires() {
        // The one that comes is before the other in order, and after it.
        for (old, new) in [(1, 2), (2, 1)] {
            // In the file, and in a pack.
            for length in [100, 200_000] {
                let folder = tempfile::tempdir().unwrap();
                let store = Store::open(folder.path(), Sync::Alone).await.unwrap();
                let [old, new] = [old, new].map(|number| JobId::from_bytes([number; 16]));
                let inputs = vec![chunk(7, length), chunk(8, length)];
                let stored = [(old, inputs.clone())];
                let changes = [accepted(old, &inputs)];
                store.apply(&changes, &stored, true).await.unwrap();

                let changes = [(expired(old), None), accepted(new, &inputs)];
                let stored = [(new, inputs.clone())];
                store.apply(&changes, &stored, true).await.unwrap();
                let jobs = store.jobs().await.unwrap();
                let ids: Vec<_> = jobs.iter().map(|job| job.replica.record.id).collect();
                assert_eq!(ids, [new]);
                for (hash, bytes) in &inputs {
                    let found = store.chunk(*hash).await.unwrap();
                    assert_eq!(found.as_ref(), Some(bytes), "{length} bytes");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_job_that_comes_and_expires_at_a_time_is_what_came_last() {
        let job = JobId::from_bytes([1; 16]);
        let inputs = vec![chunk(7, 100), chunk(8, 100)];
        let expired = || (expired(job), None);
        for (changes, is_there) in [
            ([accepted(job, &inputs), expired()], false),
            ([expired(), accepted(job, &inputs)], true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path(), Sync::Alone).await.unwrap();
            store.apply(&changes, &[], true).await.unwrap();
            assert_eq!(store.jobs().await.unwrap().len(), usize::from(is_there));
            assert!(store.is_expired(job).await.unwrap());
        }
    }
}
