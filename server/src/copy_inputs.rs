//! Inputs of jobs of which this node keeps a copy: fetched from the other
//! holders and stored, so that this node could lead.

use std::sync::Arc;

use cluster::Input;
use futures_util::{StreamExt, stream};
use tokio::sync::{Semaphore, mpsc};
use wire::{ChunkHash, JobRecord, NodeId};

use crate::chunks::turn_of;
use crate::driver::WantedInputs;
use crate::services::Services;
use crate::small_inputs::hashes_of;

/// Chunks of one copy that are fetched at once: enough to fill a link.
const CHUNKS_AT_ONCE: usize = 4;

/// Bytes that share a transaction.
const BATCH_BYTES: usize = 4 << 20;

/// Fetches for one copy after the other: chunks cross the network once, and
/// the links stay free for what devices wait for. A copy whose inputs came with
/// it and were too many to be stored with it waits for no other.
pub async fn run(services: Services, mut wanted: mpsc::UnboundedReceiver<WantedInputs>) {
    let turn = Arc::new(Semaphore::new(1));
    while let Some((record, holders)) = wanted.recv().await {
        tokio::spawn(copy(services.clone(), record, holders, Arc::clone(&turn)));
    }
}

async fn copy(
    services: Services,
    record: Box<JobRecord>,
    mut holders: Vec<NodeId>,
    turn: Arc<Semaphore>,
) {
    let job = record.id;
    holders.retain(|node| *node != services.node);
    let is_here = hashes_of(&record).all(|hash| services.chunks.cached(*hash).is_some());
    // The semaphore is never closed; without a turn nothing is worse than slow.
    let _turn = match is_here {
        true => None,
        false => turn.acquire().await.ok(),
    };
    let input = match fetch_and_store(&services, &record, &holders).await {
        Ok(()) => Input::InputsStored { job },
        Err(reason) => {
            tracing::warn!("The inputs of job {job} are not copied here yet: {reason}");
            Input::InputsMissing { job }
        }
    };
    services.driver.tell(input).await;
}

async fn fetch_and_store(
    services: &Services,
    record: &JobRecord,
    holders: &[NodeId],
) -> Result<(), String> {
    let mut hashes: Vec<ChunkHash> = hashes_of(record).copied().collect();
    hashes.sort_by_key(|hash| turn_of(services.node, *hash));
    let mut arriving = stream::iter(hashes)
        .map(|hash| async move {
            let found = services.chunks.get(hash, async || holders.to_vec()).await;
            found.map(|bytes| (hash, bytes))
        })
        .buffer_unordered(CHUNKS_AT_ONCE);
    let (mut batch, mut batch_bytes) = (Vec::new(), 0);
    loop {
        let found = arriving.next().await;
        let is_last = found.is_none();
        if let Some(found) = found {
            let (hash, bytes) = found.ok_or("no holder of a chunk answers")?;
            batch_bytes += bytes.len();
            batch.push((hash, bytes));
        }
        if batch_bytes >= BATCH_BYTES || is_last {
            let stored = services.store.put_chunks(record.id, &batch, true).await;
            stored.map_err(|error| error.to_string())?;
            batch.clear();
            batch_bytes = 0;
        }
        if is_last {
            return Ok(());
        }
    }
}
