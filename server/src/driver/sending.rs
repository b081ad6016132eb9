//! Messages as they leave: with the bytes that belong to them, and made a frame once, however many
//! nodes get them.

use std::collections::VecDeque;

use bytes::Bytes;
use wire::{BlockIndex, JobId, NodeId, PeerMessage, encode_peer_frame};

use super::World;
use crate::small_inputs;
use crate::store::StoreError;

/// Frames that are kept for the next node: what a batch has for one backup, it has for the others.
const FRAMES_KEPT_MAX: usize = 32;

/// Sends the messages of one batch.
#[derive(Debug)]
pub(super) struct Sending<'w> {
    world: &'w World,
    /// The latest frames that other nodes may get, too.
    kept: VecDeque<(PeerMessage, Bytes)>,
}

impl<'w> Sending<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        Self {
            world,
            kept: VecDeque::new(),
        }
    }

    /// Sends a message. When there is no link, or its bytes are gone, it is dropped. A block whose stored bytes are
    /// damaged is returned.
    pub(super) async fn send(
        &mut self,
        to: NodeId,
        message: PeerMessage,
    ) -> Option<(JobId, BlockIndex)> {
        let links = &self.world.links;
        if !links.is_open(to) {
            return None;
        }
        let is_behind = message.goes_behind_blocks();
        if let Some((_, frame)) = self.kept.iter().find(|(kept, _)| *kept == message) {
            links.send_frame(to, frame.clone(), is_behind);
            return None;
        }
        let frame = match self.frame_of(&message).await {
            Ok(frame) => frame?,
            Err(damaged) => return Some(damaged),
        };
        links.send_frame(to, frame.clone(), is_behind);
        if is_for_many(&message) {
            if self.kept.len() == FRAMES_KEPT_MAX {
                self.kept.pop_front();
            }
            self.kept.push_back((message, frame));
        }
        None
    }

    async fn frame_of(&self, message: &PeerMessage) -> Result<Option<Bytes>, (JobId, BlockIndex)> {
        let payload = match message {
            PeerMessage::Result {
                job,
                block,
                exchange,
                proof,
            } => {
                let key = (*job, *block, exchange.worker);
                let bytes = (proof.hash).and_then(|hash| self.world.results.get(key, hash));
                let Some(bytes) = bytes else { return Ok(None) };
                bytes
            }
            PeerMessage::CopyBlock { job, done, .. } => {
                let key = (*job, done.block, done.worker);
                match self.world.results.get(key, done.hash) {
                    Some(bytes) => bytes,
                    // Long since stored: a backup catches up.
                    None => match self.world.store.result(*job, done.block).await {
                        Ok(Some(found)) => found,
                        // Its row is there, and its bytes are not.
                        Ok(None) | Err(StoreError::Damaged { .. }) => {
                            return Err((*job, done.block));
                        }
                        Err(error) => {
                            let block = done.block;
                            tracing::error!(%job, %block, %error, "a result cannot be copied");
                            return Ok(None);
                        }
                    },
                }
            }
            _ => {
                let (message, inputs) = small_inputs::attach(message, &self.world.chunks);
                return Ok(Some(encode_peer_frame(&message, &inputs).into()));
            }
        };
        Ok(Some(encode_peer_frame(message, &payload).into()))
    }
}

/// Whether a node says it to several others: copies to its backups, news of a job to all.
fn is_for_many(message: &PeerMessage) -> bool {
    matches!(
        message,
        PeerMessage::CopyHead { .. } | PeerMessage::CopyBlock { .. } | PeerMessage::Job(_)
    )
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use wire::{
        BlockCourse, BlockIndex, ChunkHash, DoneBlock, Epoch, JobId, Tally, WorkerId, WorkerKind,
        decode_peer_frame,
    };

    use super::*;
    use crate::addresses::Addresses;
    use crate::chunks::Chunks;
    use crate::config::Sync;
    use crate::links::{Greeted, Links};
    use crate::results::ResultsUnderWay;
    use crate::store::Store;
    use crate::workers::Workers;

    const OWN: NodeId = NodeId::from_bytes([1; 16]);

    async fn world(folder: &tempfile::TempDir) -> World {
        let store = Store::open(folder.path(), Sync::Never).await.unwrap();
        let links = Links::new(OWN, Addresses::none()).0;
        World {
            chunks: Chunks::new(store.clone(), links.clone()),
            store,
            links,
            workers: Workers::default(),
            results: ResultsUnderWay::default(),
            inputs: mpsc::unbounded_channel().0,
        }
    }

    fn copy_of_block(block: u32, bytes: &[u8]) -> PeerMessage {
        let epoch = Epoch {
            number: 1,
            coordinator: OWN,
            incarnation: 0,
        };
        PeerMessage::CopyBlock {
            job: JobId::from_bytes([2; 16]),
            epoch,
            done: Box::new(DoneBlock {
                block: BlockIndex(block),
                hash: ChunkHash::of(bytes),
                worker: WorkerId::from(OWN),
                kind: WorkerKind::Native,
                name: String::new(),
                device: String::new(),
                compute_ms: 1.0,
                course: BlockCourse::default(),
                operations: 8,
                epoch,
                counted: 1,
            }),
            tally: Tally::default(),
            bytes: bytes.len() as u64,
        }
    }

    #[tokio::test]
    async fn what_several_nodes_get_is_made_once_and_each_gets_its_own_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let world = world(&folder).await;
        let peers = [2, 3].map(|id| NodeId::from_bytes([id; 16]));
        let mut outboxes = peers.map(|peer| world.links.enter(Greeted::of(peer), OWN).unwrap());
        let blocks = [(0, &b"first"[..]), (1, b"second")];
        for (block, bytes) in blocks {
            let key = (
                JobId::from_bytes([2; 16]),
                BlockIndex(block),
                WorkerId::from(OWN),
            );
            let hash = ChunkHash::of(bytes);
            world.results.keep(key, hash, Bytes::copy_from_slice(bytes));
        }
        let mut sending = Sending::new(&world);
        for peer in peers {
            for (block, bytes) in blocks {
                sending.send(peer, copy_of_block(block, bytes)).await;
            }
        }
        let mut frames = Vec::new();
        for outbox in &mut outboxes {
            for (block, bytes) in blocks {
                let frame = outbox.next_behind().await.unwrap();
                let (message, payload) = decode_peer_frame(&frame).unwrap();
                assert_eq!((message, payload), (copy_of_block(block, bytes), bytes));
                frames.push(frame.as_ptr());
            }
        }
        assert_eq!(
            frames[..2],
            frames[2..],
            "the second node has the same memory"
        );
    }

    #[tokio::test]
    async fn what_has_no_bytes_is_not_sent_and_does_not_stop_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let world = world(&folder).await;
        let peer = NodeId::from_bytes([2; 16]);
        let mut outbox = world.links.enter(Greeted::of(peer), OWN).unwrap();
        let mut sending = Sending::new(&world);
        sending.send(peer, copy_of_block(0, b"gone")).await;
        sending
            .send(NodeId::from_bytes([9; 16]), PeerMessage::Goodbye)
            .await;
        sending.send(peer, PeerMessage::Goodbye).await;
        assert_eq!(outbox.next().await, Some(PeerMessage::Goodbye));
    }
}
