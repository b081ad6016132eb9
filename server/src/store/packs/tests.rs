use std::slice::from_ref;

use wire::ChunkHash;

use super::*;
use crate::config::Sync;

const LARGE: usize = PACKED_BYTES_MIN;

fn job(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

fn chunk(fill: u8, length: usize) -> (ChunkHash, Bytes) {
    let bytes = Bytes::from(vec![fill; length]);
    (ChunkHash::of(&bytes), bytes)
}

/// The packs of a folder, with their lengths.
fn packs(folder: &Path) -> Vec<(String, u64)> {
    let Ok(entries) = std::fs::read_dir(folder.join("packs")) else {
        return Vec::new();
    };
    let entries = entries.map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, entry.metadata().unwrap().len())
    });
    let mut packs: Vec<_> = entries.collect();
    packs.sort();
    packs
}

async fn open(folder: &Path) -> Store {
    Store::open(folder, Sync::Alone).await.unwrap()
}

#[tokio::test]
async fn large_pieces_lie_in_the_pack_of_their_job_and_small_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store
        .put_chunks(job(1), &[chunk(1, LARGE - 1)], false)
        .await
        .unwrap();
    assert_eq!(packs(folder.path()), []);

    // One of them twice, as in a matrix of zeros.
    let pieces = [chunk(2, LARGE), chunk(3, LARGE + 1), chunk(2, LARGE)];
    store.put_chunks(job(1), &pieces, true).await.unwrap();
    let length = 2 * LARGE as u64 + 1;
    assert_eq!(packs(folder.path()), [(job(1).to_string(), length)]);
    store.sync_pieces(job(1)).await.unwrap();
    store.sync_pieces(job(9)).await.unwrap();
    for (hash, bytes) in &pieces {
        assert_eq!(store.chunk(*hash).await.unwrap().as_ref(), Some(bytes));
    }
}

#[tokio::test]
async fn a_piece_that_two_jobs_need_is_there_once_and_until_both_are_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (shared, own) = (chunk(1, LARGE), chunk(2, LARGE));
    store
        .put_chunks(job(1), from_ref(&shared), false)
        .await
        .unwrap();
    let both = [shared.clone(), own.clone()];
    store.put_chunks(job(2), &both, false).await.unwrap();
    let (first, second) = (job(1).to_string(), job(2).to_string());
    let length = LARGE as u64;
    assert_eq!(
        packs(folder.path()),
        [(first.clone(), length), (second, length)]
    );

    store.abandon_chunks(job(2)).await.unwrap();
    assert_eq!(packs(folder.path()), [(first, length)]);
    assert_eq!(store.chunk(own.0).await.unwrap(), None);
    assert_eq!(store.chunk(shared.0).await.unwrap(), Some(shared.1));
    let expired = (crate::store::changes::tests::expired(job(1)), None);
    store.apply(&[expired], &[], false).await.unwrap();
    store.remove_unnamed_packs().await.unwrap();
    assert_eq!(packs(folder.path()), []);
    assert_eq!(store.chunk(shared.0).await.unwrap(), None);
}

#[tokio::test]
async fn packs_are_removed_also_after_a_time_without_any() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for round in 0..3 {
        store.abandon_chunks(job(1)).await.unwrap();
        assert_eq!(packs(folder.path()), [], "round {round}");
        let kept = chunk(1, LARGE);
        store.put_chunks(job(1), &[kept], false).await.unwrap();
        assert_eq!(packs(folder.path()).len(), 1, "round {round}");
    }
}

#[tokio::test]
async fn what_was_not_committed_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let kept = chunk(1, LARGE);
    store
        .put_chunks(job(1), from_ref(&kept), false)
        .await
        .unwrap();
    let before = packs(folder.path());
    for _ in 0..2 {
        let mut writing = store.write(false).await.unwrap();
        let lost = vec![chunk(2, LARGE).1];
        writing.pack(job(1), lost.clone()).await.unwrap();
        writing.pack(job(1), lost).await.unwrap();
        assert!(packs(folder.path()) > before);
        drop(writing);
        // Whoever writes next comes after it.
        drop(store.writer.lend().await.unwrap());
        assert_eq!(packs(folder.path()), before);
    }
    let next = chunk(3, LARGE);
    store
        .put_chunks(job(1), from_ref(&next), false)
        .await
        .unwrap();
    for (hash, bytes) in [kept, next] {
        assert_eq!(store.chunk(hash).await.unwrap(), Some(bytes));
    }
}

#[tokio::test]
async fn a_start_removes_what_belongs_to_no_job() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store
        .put_chunks(job(1), &[chunk(1, LARGE)], false)
        .await
        .unwrap();
    store.close().await;
    let _store = open(folder.path()).await;
    assert_eq!(packs(folder.path()), []);
}

#[tokio::test]
async fn what_a_power_cut_took_from_a_pack_is_forgotten_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (kept, lost) = (chunk(1, LARGE), chunk(2, LARGE));
    for piece in [&kept, &lost] {
        store
            .put_chunks(job(1), from_ref(piece), true)
            .await
            .unwrap();
    }
    let pack = folder.path().join("packs").join(job(1).to_string());
    let file = OpenOptions::new().write(true).open(&pack).unwrap();
    file.set_len(2 * LARGE as u64 - 1).unwrap();
    store.forget_what_is_cut_off().await.unwrap();
    assert_eq!(store.chunk(kept.0).await.unwrap(), Some(kept.1));
    assert_eq!(store.chunk(lost.0).await.unwrap(), None);
    // And what comes again is stored again.
    store
        .put_chunks(job(1), from_ref(&lost), true)
        .await
        .unwrap();
    assert_eq!(store.chunk(lost.0).await.unwrap(), Some(lost.1));
}

#[tokio::test]
async fn a_piece_that_cannot_be_written_is_not_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let in_the_way = folder.path().join("packs");
    std::fs::write(&in_the_way, "").unwrap();
    let (hash, bytes) = chunk(1, LARGE);
    let refused = store
        .put_chunks(job(1), &[(hash, bytes.clone())], false)
        .await;
    assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    assert_eq!(store.chunk(hash).await.unwrap(), None);

    std::fs::remove_file(&in_the_way).unwrap();
    store
        .put_chunks(job(1), &[(hash, bytes.clone())], false)
        .await
        .unwrap();
    assert_eq!(store.chunk(hash).await.unwrap(), Some(bytes));
}

#[tokio::test]
async fn a_pack_that_is_cut_short_or_gone_gives_no_wrong_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (hash, bytes) = chunk(1, LARGE);
    store
        .put_chunks(job(1), &[(hash, bytes)], false)
        .await
        .unwrap();
    let pack = folder.path().join("packs").join(job(1).to_string());
    let file = OpenOptions::new().write(true).open(&pack).unwrap();
    file.set_len(10).unwrap();
    let damaged = store.chunk(hash).await;
    assert!(
        matches!(damaged, Err(StoreError::Damaged { .. })),
        "{damaged:?}"
    );
    std::fs::remove_file(&pack).unwrap();
    assert_eq!(store.chunk(hash).await.unwrap(), None);
}
