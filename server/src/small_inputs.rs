//! Small inputs travel with the first word of their job: a backup then need not ask
//! for each of their chunks, and has what its devices compute with.

use std::borrow::Cow;

use bytes::Bytes;
use wire::{ChunkHash, CopyHead, JobRecord, MatrixSource, PeerMessage};

use crate::chunks::Chunks;
use crate::store::is_packed;

/// Larger ones are fetched, at a pace that leaves the line free for heartbeats:
/// this many bytes take a quarter of a second on a slow wireless one.
pub(crate) const BYTES_MAX: usize = 256 << 10;

/// All chunks of a job's inputs.
pub(crate) type Inputs = Vec<(ChunkHash, Bytes)>;

/// Whether all of them go into SQLite's own file: then they are stored in the transaction of their
/// job, for nothing is to be written beside it.
pub(crate) fn are_blobs(inputs: &Inputs) -> bool {
    inputs.iter().all(|(_, bytes)| !is_packed(bytes))
}

/// The inputs of a job if they are small and at hand, all of them.
pub(crate) fn at_hand(record: &JobRecord, chunks: &Chunks) -> Option<Inputs> {
    let mut total = 0;
    let found = hashes_of(record).map(|hash| {
        let bytes = chunks.cached(*hash)?;
        total += bytes.len();
        (total <= BYTES_MAX).then_some((*hash, bytes))
    });
    found.collect()
}

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
    let Some(found) = at_hand(&head.record, chunks).filter(|found| !found.is_empty()) else {
        return none;
    };
    let mut payload = Vec::new();
    for (_, bytes) in &found {
        payload.extend_from_slice(bytes);
    }
    // At most the bound, so each fits.
    let lengths = found
        .iter()
        .flat_map(|(_, bytes)| u32::try_from(bytes.len()));
    let inputs = lengths.collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sync;
    use crate::links::Links;
    use crate::store::Store;
    use wire::{Arithmetic, CutShape, Epoch, JobId, JobOptions, Leadership, NodeId, Shape, Spread};

    const NODE: NodeId = NodeId::from_bytes([1; 16]);

    async fn chunks(folder: &tempfile::TempDir) -> Chunks {
        let store = Store::open(folder.path(), Sync::Never).await.unwrap();
        Chunks::new(
            store,
            Links::new(NODE, crate::addresses::Addresses::none()).0,
        )
    }

    fn head_of(a: &[&Bytes], b: &[&Bytes]) -> CopyHead {
        let source = |parts: &[&Bytes]| {
            let hashes = parts.iter().map(|part| ChunkHash::of(part));
            MatrixSource::Chunks(hashes.collect())
        };
        let record = JobRecord {
            id: JobId::from_bytes([2; 16]),
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
                rows_per_block: 1,
                cols_per_block: 2,
            },
            a: source(a),
            b: source(b),
            origin: NODE,
            submitted_at_unix_ms: 0,
            idempotency_key: None,
        };
        CopyHead {
            record,
            leadership: Leadership {
                epoch: Epoch {
                    number: 1,
                    coordinator: NODE,
                    incarnation: 0,
                },
                version: 0,
                backups: Vec::new(),
            },
            tallies: Vec::new(),
            ended: None,
            age_ms: 0,
        }
    }

    fn message(number: u64, head: &CopyHead) -> PeerMessage {
        PeerMessage::CopyHead {
            job: head.record.id,
            number,
            head: Box::new(head.clone()),
            inputs: Vec::new(),
        }
    }

    fn lengths(message: &PeerMessage) -> &[u32] {
        match message {
            PeerMessage::CopyHead { inputs, .. } => inputs,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_is_attached_is_at_hand_where_it_is_taken() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (here, there) = (chunks(&folders[0]).await, chunks(&folders[1]).await);
        let parts = [&b"first row"[..], b"second row", b"all of B"].map(Bytes::from_static);
        for part in &parts {
            here.remember(ChunkHash::of(part), part.clone());
        }
        let head = head_of(&[&parts[0], &parts[1]], &[&parts[2]]);
        let first = message(1, &head);
        let (sent, payload) = attach(&first, &here);
        assert_eq!(lengths(&sent), [9, 10, 8]);
        take(&head, lengths(&sent), &Bytes::from(payload), &there);
        for part in &parts {
            assert_eq!(there.cached(ChunkHash::of(part)).as_ref(), Some(part));
        }
        // A later head finds them there.
        let second = message(2, &head);
        assert!(lengths(&attach(&second, &here).0).is_empty());
    }

    #[tokio::test]
    async fn large_inputs_and_those_that_are_not_at_hand_stay() {
        let folder = tempfile::tempdir().unwrap();
        let here = chunks(&folder).await;
        let [small, large] = [8, BYTES_MAX].map(|length| Bytes::from(vec![7; length]));
        let head = head_of(&[&small], &[&large]);
        let first = message(1, &head);
        here.remember(ChunkHash::of(&small), small);
        assert!(lengths(&attach(&first, &here).0).is_empty(), "not at hand");
        here.remember(ChunkHash::of(&large), large);
        let (sent, payload) = attach(&first, &here);
        assert!(lengths(&sent).is_empty() && payload.is_empty(), "too large");
    }

    #[tokio::test]
    async fn wrong_bytes_and_impossible_lengths_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let there = chunks(&folder).await;
        let (a, b) = (Bytes::from_static(b"right"), Bytes::from_static(b"also"));
        let head = head_of(&[&a], &[&b]);
        let wrong = Bytes::from_static(b"wrongalso");
        take(&head, &[5, 4], &wrong, &there);
        assert_eq!(there.cached(ChunkHash::of(&a)), None);
        assert_eq!(there.cached(ChunkHash::of(&b)), Some(b.clone()));
        let right = Bytes::from_static(b"right");
        for lengths in [&[6][..], &[u32::MAX, u32::MAX], &[0, 5], &[]] {
            take(&head, lengths, &right, &there);
            assert_eq!(there.cached(ChunkHash::of(&a)), None, "{lengths:?}");
        }
        take(&head, &[5, 9], &right, &there);
        assert_eq!(there.cached(ChunkHash::of(&a)), Some(a));
    }
}
