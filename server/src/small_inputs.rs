//! Small inputs travel with the first word of their job: a backup then need not ask
//! for each of their chunks, and has what its devices compute with.

use std::borrow::Cow;

use bytes::Bytes;
use wire::{ChunkHash, CopyHead, JobRecord, MatrixSource, PeerMessage};

use crate::chunks::Chunks;

/// Larger ones are fetched, at a pace that leaves the line free for heartbeats:
/// this many bytes take a quarter of a second on a slow wireless one.
const BYTES_MAX: usize = 256 << 10;

/// A message as it leaves, and what follows its envelope: of a job's first head
/// all its inputs, if they are small and at hand.
pub(crate) fn attach<'m>(
    message: &'m PeerMessage,
    chunks: &Chunks,
) -> (Cow<'m, PeerMessage>, Vec<u8>) {
    let none = (Cow::Borrowed(message), Vec::new());
    let PeerMessage::CopyHead {
        job,
        number,
        head,
        inputs: _,
    } = message
    else {
        return none;
    };
    if !is_first(*number, head) {
        return none;
    }
    let (mut inputs, mut payload) = (Vec::new(), Vec::new());
    for hash in hashes_of(&head.record) {
        let found = chunks.cached(*hash);
        let Some(bytes) = found.filter(|found| payload.len() + found.len() <= BYTES_MAX) else {
            return none;
        };
        payload.extend_from_slice(&bytes);
        // At most the bound, so it fits.
        inputs.extend(u32::try_from(bytes.len()));
    }
    if inputs.is_empty() {
        return none;
    }
    let message = PeerMessage::CopyHead {
        job: *job,
        number: *number,
        head: head.clone(),
        inputs,
    };
    (Cow::Owned(message), payload)
}

/// Keeps the inputs that came with a head, those that are what their hash says.
pub(crate) fn take(head: &CopyHead, inputs: &[u32], payload: &Bytes, chunks: &Chunks) {
    if payload.len() > BYTES_MAX {
        return;
    }
    let mut start = 0;
    for (hash, length) in hashes_of(&head.record).zip(inputs) {
        let end = start + *length as usize;
        if end > payload.len() {
            return;
        }
        let bytes = payload.slice(start..end);
        if ChunkHash::of(&bytes) == *hash {
            // A copy of its own: a slice would keep the whole frame.
            chunks.remember(*hash, Bytes::copy_from_slice(&bytes));
        }
        start = end;
    }
}

/// Its backups know nothing of the job yet.
fn is_first(number: u64, head: &CopyHead) -> bool {
    number == 1 && head.leadership.epoch.number == 1
}

/// The chunks of both inputs, as they are stored.
pub(crate) fn hashes_of(record: &JobRecord) -> impl Iterator<Item = &ChunkHash> {
    let sources = [&record.a, &record.b].into_iter();
    let hashes = sources.filter_map(|source| match source {
        MatrixSource::Chunks(hashes) => Some(hashes),
        MatrixSource::Random(_) => None,
    });
    hashes.flatten()
}
