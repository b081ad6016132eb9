//! Pieces of matrices, under their hash.

use bytes::Bytes;
use sqlx::Row;
use wire::{ChunkHash, JobId};

use super::{Store, StoreError};

impl Store {
    /// Stores chunks that a job needs, in one transaction. `is_backed` when another
    /// node has them.
    pub async fn put_chunks(
        &self,
        job: JobId,
        chunks: &[(ChunkHash, Bytes)],
        is_backed: bool,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(is_backed).await?;
        for (hash, bytes) in chunks {
            writing
                .add("INSERT OR IGNORE INTO chunks (hash, bytes) VALUES (?, ?)")
                .bind_bytes(hash.as_bytes())
                .bind_bytes(bytes);
            writing
                .add("INSERT OR IGNORE INTO job_chunks (job, hash) VALUES (?, ?)")
                .bind_bytes(job.as_bytes())
                .bind_bytes(hash.as_bytes());
            writing.flush_if_much().await?;
        }
        writing.commit().await
    }

    /// A chunk, its hash checked.
    pub async fn chunk(&self, hash: ChunkHash) -> Result<Option<Bytes>, StoreError> {
        let row = sqlx::query("SELECT bytes FROM chunks WHERE hash = ?")
            .bind(&hash.as_bytes()[..])
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let bytes = Bytes::from(row.try_get::<Vec<u8>, _>(0)?);
        if ChunkHash::of(&bytes) != hash {
            return Err(StoreError::Damaged { what: "chunk" });
        }
        Ok(Some(bytes))
    }

    /// Removes what was stored for a job that was then not accepted.
    pub async fn abandon_chunks(&self, job: JobId) -> Result<(), StoreError> {
        let mut writing = self.write(false).await?;
        super::changes::remove_chunks(&mut writing, job);
        writing.commit().await
    }

    /// Removes inputs of jobs that were never accepted: the node ended while it
    /// was storing them.
    pub(super) async fn remove_unclaimed_chunks(&self) -> Result<(), StoreError> {
        let mut writing = self.write(false).await?;
        writing.add("DELETE FROM job_chunks WHERE job NOT IN (SELECT id FROM jobs)");
        writing.add("DELETE FROM chunks WHERE hash NOT IN (SELECT hash FROM job_chunks)");
        writing.commit().await
    }
}
