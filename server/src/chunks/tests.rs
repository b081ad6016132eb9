use tokio::task::JoinHandle;
use wire::decode_peer_frame;

use super::*;
use crate::addresses::Addresses;
use crate::config::Sync;
use crate::links::{Greeted, Outbox};

const OWN: NodeId = NodeId::from_bytes([1; 16]);
const HOLDER: NodeId = NodeId::from_bytes([2; 16]);
const NAMED: NodeId = NodeId::from_bytes([3; 16]);

/// A node with links to the other two.
struct Scene {
    chunks: Chunks,
    holder: Outbox,
    named: Outbox,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Sync::Never).await.unwrap();
        let links = Links::new(OWN, Addresses::none()).0;
        Self {
            holder: links.enter(Greeted::of(HOLDER), HOLDER).unwrap(),
            named: links.enter(Greeted::of(NAMED), NAMED).unwrap(),
            chunks: Chunks::new(store, links),
            _folder: folder,
        }
    }

    fn get(&self, hash: ChunkHash) -> JoinHandle<Option<Bytes>> {
        let chunks = self.chunks.clone();
        tokio::spawn(async move { chunks.get(hash, async || vec![HOLDER]).await })
    }

    async fn answer(&self, peer: NodeId, hash: ChunkHash, ask: ChunkAsk) -> PeerMessage {
        let frame = self.chunks.answer(peer, hash, ask).await;
        decode_peer_frame(&frame).unwrap().0
    }
}

fn large() -> (ChunkHash, Bytes) {
    let bytes = Bytes::from(vec![7; SHARED_CHUNK_BYTES_MIN]);
    (ChunkHash::of(&bytes), bytes)
}

fn request(hash: ChunkHash, ask: ChunkAsk) -> Option<PeerMessage> {
    Some(PeerMessage::ChunkRequest { hash, ask })
}

#[tokio::test]
async fn a_chunk_comes_from_the_node_that_its_holder_names() {
    let mut scene = Scene::new().await;
    let (hash, bytes) = large();
    let got = scene.get(hash);
    assert_eq!(scene.holder.next().await, request(hash, ChunkAsk::Open));
    scene.chunks.on_elsewhere(HOLDER, hash, NAMED);
    assert_eq!(scene.named.next().await, request(hash, ChunkAsk::Referred));
    scene.chunks.on_chunk(NAMED, hash, bytes.clone());
    assert_eq!(got.await.unwrap(), Some(bytes));
}

#[tokio::test]
async fn a_node_that_was_named_and_has_nothing_costs_one_more_question() {
    let mut scene = Scene::new().await;
    let (hash, bytes) = large();
    let got = scene.get(hash);
    scene.holder.next().await;
    scene.chunks.on_elsewhere(HOLDER, hash, NAMED);
    scene.named.next().await;
    scene.chunks.on_missing(NAMED, hash);
    let again = request(hash, ChunkAsk::InsteadOf { node: NAMED });
    assert_eq!(scene.holder.next().await, again);
    // Late, and not from the one that is asked now: it says nothing.
    scene.chunks.on_missing(NAMED, hash);
    scene.chunks.on_chunk(HOLDER, hash, bytes.clone());
    assert_eq!(got.await.unwrap(), Some(bytes));
}

#[tokio::test]
async fn a_node_that_was_named_and_is_silent_is_waited_for_some_times_as_long_as_chunks_take() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.chunks.referred_patience(), REFERRED_PATIENCE_MAX);
    let quick = Bytes::from_static(b"quick");
    let got = scene.get(ChunkHash::of(&quick));
    scene.holder.next().await;
    scene.chunks.on_chunk(HOLDER, ChunkHash::of(&quick), quick);
    got.await.unwrap().unwrap();
    assert!(scene.chunks.referred_patience() < REFERRED_PATIENCE_MAX);

    let (hash, bytes) = large();
    let got = scene.get(hash);
    scene.holder.next().await;
    scene.chunks.on_elsewhere(HOLDER, hash, NAMED);
    let again = request(hash, ChunkAsk::InsteadOf { node: NAMED });
    assert_eq!(scene.holder.next().await, again);
    // What the slow one sends after all is as good.
    scene.chunks.on_chunk(NAMED, hash, bytes.clone());
    assert_eq!(got.await.unwrap(), Some(bytes));
}

#[tokio::test]
async fn a_holder_that_names_a_node_without_a_link_is_asked_again() {
    let mut scene = Scene::new().await;
    let (hash, bytes) = large();
    let got = scene.get(hash);
    scene.holder.next().await;
    let stranger = NodeId::from_bytes([4; 16]);
    scene.chunks.on_elsewhere(HOLDER, hash, stranger);
    let again = request(hash, ChunkAsk::InsteadOf { node: stranger });
    assert_eq!(scene.holder.next().await, again);
    scene.chunks.on_chunk(HOLDER, hash, bytes.clone());
    assert_eq!(got.await.unwrap(), Some(bytes));
}

#[tokio::test]
async fn wrong_bytes_count_only_from_the_one_that_is_asked() {
    let mut scene = Scene::new().await;
    let (hash, bytes) = large();
    let got = scene.get(hash);
    scene.holder.next().await;
    scene
        .chunks
        .on_chunk(NAMED, hash, Bytes::from_static(b"wrong"));
    assert!(!got.is_finished());
    scene.chunks.on_chunk(HOLDER, hash, bytes.clone());
    assert_eq!(got.await.unwrap(), Some(bytes));

    let other = ChunkHash::from_bytes([6; 32]);
    let got = scene.get(other);
    scene.holder.next().await;
    scene
        .chunks
        .on_chunk(HOLDER, other, Bytes::from_static(b"wrong"));
    assert_eq!(got.await.unwrap(), None);
}

#[tokio::test]
async fn a_holder_that_does_not_answer_makes_nobody_wait_for_another() {
    let mut scene = Scene::new().await;
    let silent: Vec<ChunkHash> = (0..=FETCHED_AT_ONCE)
        .map(|number| ChunkHash::of(&number.to_le_bytes()))
        .collect();
    let waiting: Vec<_> = silent.iter().map(|hash| scene.get(*hash)).collect();
    for _ in 0..FETCHED_AT_ONCE {
        scene.holder.next().await.unwrap();
    }
    // All places at that holder are taken; there are others at this one.
    let (hash, bytes) = large();
    let chunks = scene.chunks.clone();
    let got = tokio::spawn(async move { chunks.get(hash, async || vec![NAMED]).await });
    assert_eq!(scene.named.next().await, request(hash, ChunkAsk::Open));
    scene.chunks.on_chunk(NAMED, hash, bytes.clone());
    assert_eq!(got.await.unwrap(), Some(bytes));
    assert!(waiting.iter().all(|one| !one.is_finished()));
    // When its link is lost nobody waits for it any longer.
    drop(scene.holder);
    scene.chunks.on_link_lost(HOLDER);
    for one in waiting {
        assert_eq!(one.await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_large_chunk_is_given_once_and_a_small_one_each_time() {
    let scene = Scene::new().await;
    let (hash, bytes) = large();
    scene.chunks.remember(hash, bytes);
    let first = scene.answer(HOLDER, hash, ChunkAsk::Open).await;
    assert_eq!(first, PeerMessage::Chunk { hash });
    let second = scene.answer(NAMED, hash, ChunkAsk::Open).await;
    assert_eq!(second, PeerMessage::ChunkElsewhere { hash, node: HOLDER });

    let small = Bytes::from(vec![7; SHARED_CHUNK_BYTES_MIN - 1]);
    let hash = ChunkHash::of(&small);
    scene.chunks.remember(hash, small);
    for peer in [HOLDER, NAMED] {
        let answer = scene.answer(peer, hash, ChunkAsk::Open).await;
        assert_eq!(answer, PeerMessage::Chunk { hash });
    }
}

#[tokio::test]
async fn whoever_is_referred_here_gets_a_chunk_that_is_still_on_its_way() {
    let mut scene = Scene::new().await;
    let (hash, bytes) = large();
    let got = scene.get(hash);
    assert_eq!(scene.holder.next().await, request(hash, ChunkAsk::Open));
    let mut answer = Box::pin(scene.answer(NAMED, hash, ChunkAsk::Referred));
    // It waits.
    assert!(futures_util::poll!(&mut answer).is_pending());
    scene.chunks.on_chunk(HOLDER, hash, bytes);
    assert_eq!(answer.await, PeerMessage::Chunk { hash });
    assert!(got.await.unwrap().is_some());
    let missing = ChunkHash::from_bytes([5; 32]);
    let answer = scene.answer(NAMED, missing, ChunkAsk::Referred).await;
    assert_eq!(answer, PeerMessage::ChunkMissing { hash: missing });
}

#[tokio::test]
async fn each_node_asks_for_the_same_chunks_in_another_order() {
    let hashes: Vec<ChunkHash> = (0..64_u8).map(|n| ChunkHash::of(&[n])).collect();
    let order = |node| {
        let mut order = hashes.clone();
        order.sort_by_key(|hash| turn_of(node, *hash));
        order
    };
    let orders = [OWN, HOLDER, NodeId::from_bytes([0xf0; 16])].map(order);
    assert_ne!(orders[0], orders[2]);
    assert_ne!(orders[1], orders[2]);
    // The same bytes of a node, the same order.
    assert_eq!(orders[0], order(OWN));
}
