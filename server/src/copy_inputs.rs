//! Inputs of jobs of which this node keeps a copy: fetched from the other
//! holders and stored, so that this node could lead.

use bytes::Bytes;
use cluster::Input;
use tokio::sync::mpsc;
use wire::{ChunkHash, JobId, JobRecord, MatrixSource, NodeId};

use crate::driver::WantedInputs;
use crate::services::Services;

/// Chunks that share a transaction: a few megabytes.
const CHUNKS_AT_ONCE: usize = 4;

/// Fetches for one copy after the other: chunks cross the network once, and
/// the links stay free for what devices wait for.
pub async fn run(services: Services, mut wanted: mpsc::UnboundedReceiver<WantedInputs>) {
    while let Some((record, holders)) = wanted.recv().await {
        let job = record.id;
        let input = match copy(&services, &record, &holders).await {
            Ok(()) => Input::InputsStored { job },
            Err(reason) => {
                tracing::warn!("The inputs of job {job} are not copied here yet: {reason}");
                Input::InputsMissing { job }
            }
        };
        services.driver.tell(input).await;
    }
}

async fn copy(services: &Services, record: &JobRecord, holders: &[NodeId]) -> Result<(), String> {
    let own = services.node;
    let others: Vec<NodeId> = holders
        .iter()
        .copied()
        .filter(|node| *node != own)
        .collect();
    for source in [&record.a, &record.b] {
        let MatrixSource::Chunks(hashes) = source else {
            continue;
        };
        for some in hashes.chunks(CHUNKS_AT_ONCE) {
            copy_some(services, record.id, some, &others).await?;
        }
    }
    Ok(())
}

async fn copy_some(
    services: &Services,
    job: JobId,
    hashes: &[ChunkHash],
    holders: &[NodeId],
) -> Result<(), String> {
    let mut chunks: Vec<(ChunkHash, Bytes)> = Vec::with_capacity(hashes.len());
    for hash in hashes {
        let found = services.chunks.get(*hash, async || holders.to_vec()).await;
        let bytes = found.ok_or("no holder of a chunk answers")?;
        chunks.push((*hash, bytes));
    }
    let stored = services.store.put_chunks(job, &chunks, true).await;
    stored.map_err(|error| error.to_string())
}
