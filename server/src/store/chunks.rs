//! Pieces of matrices, under their hash.

use std::collections::BTreeMap;

use bytes::Bytes;
use wire::{ChunkHash, JobId};

use super::packs::{Place, is_packed};
use super::writing::Writing;
use super::{Store, StoreError, key_of};

impl Store {
    /// Stores chunks that a job needs, in one transaction. `is_backed` when another
    /// node has them, or when [`Store::sync_pieces`] and another transaction follow.
    pub async fn put_chunks(
        &self,
        job: JobId,
        chunks: &[(ChunkHash, Bytes)],
        is_backed: bool,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(is_backed).await?;
        add_chunks(&mut writing, job, chunks).await?;
        writing.commit().await
    }

    /// A chunk, its hash checked.
    pub async fn chunk(&self, hash: ChunkHash) -> Result<Option<Bytes>, StoreError> {
        let row = sqlx::query("SELECT bytes, pack, start, length FROM chunks WHERE hash = ?")
            .bind(&hash.as_bytes()[..])
            .fetch_optional(&mut *self.readers.lend().await?)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(bytes) = self.piece(&row).await? else {
            return Ok(None);
        };
        if ChunkHash::of(&bytes) != hash {
            return Err(StoreError::Damaged { what: "chunk" });
        }
        Ok(Some(bytes))
    }

    /// Removes what was stored for a job that was then not accepted.
    pub async fn abandon_chunks(&self, job: JobId) -> Result<(), StoreError> {
        let mut writing = self.write(false).await?;
        super::changes::remove_chunks(&mut writing, job);
        writing.commit().await?;
        self.remove_unnamed_packs().await
    }

    /// Removes inputs of jobs that were never accepted: the node ended while it
    /// was storing them.
    pub(super) async fn remove_unclaimed_chunks(&self) -> Result<(), StoreError> {
        let mut writing = self.write(false).await?;
        writing.add("DELETE FROM job_chunks WHERE job NOT IN (SELECT id FROM jobs)");
        writing.add("DELETE FROM chunks WHERE hash NOT IN (SELECT hash FROM job_chunks)");
        writing.commit().await?;
        self.remove_unnamed_packs().await
    }
}

/// Adds chunks that a job needs. What is large among them is written to the job's pack at once, unless
/// another job's pack has it.
pub(super) async fn add_chunks(
    writing: &mut Writing,
    job: JobId,
    chunks: &[(ChunkHash, Bytes)],
) -> Result<(), StoreError> {
    let mut large = BTreeMap::new();
    for (hash, bytes) in chunks.iter().filter(|(_, bytes)| is_packed(bytes)) {
        if !large.contains_key(hash) && !has_chunk(writing, *hash).await? {
            large.insert(*hash, bytes.clone());
        }
    }
    let (hashes, pieces): (Vec<ChunkHash>, Vec<Bytes>) = large.into_iter().unzip();
    let places = writing.pack(job, pieces).await?;
    let places: BTreeMap<ChunkHash, Place> = hashes.into_iter().zip(places).collect();
    for (hash, bytes) in chunks {
        let place = places.get(hash).copied();
        if place.is_some() || !is_packed(bytes) {
            writing
                .add_row(
                    "INSERT OR IGNORE INTO chunks (hash, bytes, pack, start, length) VALUES",
                    "(?, ?, ?, ?, ?)",
                )
                .bind_bytes(hash.as_bytes())
                .bind_piece(bytes, place);
        }
        writing.flush_if_much().await?;
    }
    for (hash, _) in chunks {
        writing
            .add_row(
                "INSERT OR IGNORE INTO job_chunks (job, hash) VALUES",
                "(?, ?)",
            )
            .bind_bytes(&key_of(job))
            .bind_bytes(hash.as_bytes());
        writing.flush_if_much().await?;
    }
    Ok(())
}

/// Nobody changes it meanwhile, for the connection is the only one that writes.
async fn has_chunk(writing: &mut Writing, hash: ChunkHash) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT 1 FROM chunks WHERE hash = ?")
        .bind(&hash.as_bytes()[..])
        .fetch_optional(&mut **writing.connection())
        .await?;
    Ok(row.is_some())
}
