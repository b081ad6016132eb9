//! What a store does whose disk is full or damaged, and how it is built.
use bytes::Bytes;
use sqlx::{AssertSqlSafe, Row};
use wire::{ChunkHash, JobId};

use super::*;

mod upgrade;

const JOB: JobId = JobId::from_bytes([7; 16]);

fn chunk(fill: u8, length: usize) -> [(ChunkHash, Bytes); 1] {
    let bytes = Bytes::from(vec![fill; length]);
    [(ChunkHash::of(&bytes), bytes)]
}

/// The disk has no more room than the file takes already.
async fn fill_disk(store: &Store) {
    let mut connection = store.writer.lend().await.unwrap();
    let limit = sqlx::raw_sql("PRAGMA max_page_count = 1");
    limit.execute(&mut *connection).await.unwrap();
}

/// What `.cargo/config.toml` says; whoever sets the variable otherwise has a slower store.
#[tokio::test]
async fn sqlite_takes_no_lock_for_its_memory() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Sync::Never).await.unwrap();
    let options: Vec<String> = sqlx::query_scalar("PRAGMA compile_options")
        .fetch_all(&mut *store.readers.lend().await.unwrap())
        .await
        .unwrap();
    let has = |option: &str| options.iter().any(|one| one == option);
    assert!(has("DEFAULT_MEMSTATUS=0"), "{options:?}");
    assert!(!has("ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
}

#[test]
fn every_file_of_the_folder_is_among_the_migrations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<String> = files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let migrations = migrations();
    let mut listed: Vec<&str> = migrations.iter().map(|one| one.sql.as_str()).collect();
    files.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, files);
}

/// Ten thousand jobs may be there, with hundreds of megabytes of results.
#[tokio::test]
async fn what_is_asked_when_a_job_expires_reads_no_table_from_end_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Sync::Never).await.unwrap();
    let mut connection = store.writer.lend().await.unwrap();
    let asked = (changes::REMOVE.into_iter())
        .chain([
            changes::REMOVE_CHUNKS,
            changes::REMOVE_CLAIMS,
            packs::NAMED_PACKS,
        ])
        .chain(packs::FORGET_CUT_OFF);
    for statement in asked {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let steps = sqlx::query(explain)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        for step in steps {
            let step: String = step.get("detail");
            // All packs are what is asked for, and the index has nothing else.
            let is_wanted = statement == packs::NAMED_PACKS && step.ends_with("_by_pack");
            assert!(
                !step.starts_with("SCAN") || step == "SCAN CONSTANT ROW" || is_wanted,
                "{statement}: {step}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_written_after_the_disk_was_full_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Sync::Never).await.unwrap();
    fill_disk(&store).await;
    // Each of them is a blob in the file.
    let large: Vec<_> = (0..40).flat_map(|fill| chunk(fill, 60_000)).collect();
    let refused = store.put_chunks(JOB, &large, false).await;
    assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");

    // Refused writes leave nothing; there is room again.
    let small = chunk(2, 100);
    store.put_chunks(JOB, &small, false).await.unwrap();
    assert_eq!(store.chunk(large[0].0).await.unwrap(), None);
    let read = store.chunk(small[0].0).await.unwrap();
    assert_eq!(
        read.as_ref(),
        Some(&small[0].1),
        "committed, so others read it"
    );
}

#[tokio::test]
async fn a_write_that_is_given_up_half_way_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Sync::Never).await.unwrap();
    let given_up = chunk(1, 100);
    {
        let mut writing = store.write(false).await.unwrap();
        writing
            .add("INSERT INTO chunks (hash, bytes) VALUES (?, ?)")
            .bind_bytes(given_up[0].0.as_bytes())
            .bind_bytes(&given_up[0].1);
        writing.flush().await.unwrap();
    }
    let kept = chunk(2, 100);
    store.put_chunks(JOB, &kept, false).await.unwrap();
    assert_eq!(store.chunk(given_up[0].0).await.unwrap(), None);
    assert!(store.chunk(kept[0].0).await.unwrap().is_some());
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_not_deleted() {
    // Not a database at all; a database with a hole; a job nobody can read.
    for damage in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("matmesh.sqlite");
        let store = Store::open(folder.path(), Sync::Never).await.unwrap();
        let many: Vec<_> = (0..20).flat_map(|fill| chunk(fill, 60_000)).collect();
        store.put_chunks(JOB, &many, false).await.unwrap();
        let packed = chunk(30, 1 << 20);
        store.put_chunks(JOB, &packed, false).await.unwrap();
        if damage == 2 {
            let mut writing = store.write(false).await.unwrap();
            writing.add(
                "INSERT INTO jobs (id, record, epoch_number, epoch_coordinator, leadership_version,
                 backups) VALUES (x'07', x'ff', 1, x'07', 0, x'')",
            );
            writing.commit().await.unwrap();
        }
        store.close().await;
        let mut bytes = std::fs::read(&path).unwrap();
        match damage {
            0 => bytes = b"this was a shopping list once, long enough to be read".repeat(20),
            1 => bytes[8192..5 * 8192].fill(0x55),
            _ => {}
        }
        std::fs::write(&path, &bytes).unwrap();

        let store = Store::open(folder.path(), Sync::Never).await.unwrap();
        assert!(store.jobs().await.unwrap().is_empty());
        store.put_chunks(JOB, &chunk(2, 100), false).await.unwrap();
        let names = files(folder.path());
        let aside = names.iter().find(|name| {
            let of_file = name.strip_prefix("matmesh.sqlite.damaged-");
            of_file.is_some_and(|time| time.parse::<u64>().is_ok())
        });
        let aside = aside.unwrap_or_else(|| panic!("damage {damage}: {names:?}"));
        let kept = std::fs::read(folder.path().join(aside)).unwrap();
        assert_eq!(kept, bytes, "damage {damage}");
        let pack = aside.replace("matmesh.sqlite", "packs");
        let pack = folder.path().join(pack).join(JOB.to_string());
        let kept = std::fs::read(pack).unwrap();
        assert_eq!(kept, packed[0].1, "damage {damage}");
    }
}

#[tokio::test]
async fn an_upgrade_from_a_newer_release_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Sync::Never).await.unwrap();
    let mut writing = store.write(false).await.unwrap();
    writing.add(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of a later release', 1, x'00', 0)",
    );
    writing.commit().await.unwrap();
    store.close().await;
    let refused = Store::open(folder.path(), Sync::Never).await.unwrap_err();
    assert!(
        format!("{refused:#}").contains("a newer version of matmesh"),
        "{refused:#}"
    );
    assert!(
        files(folder.path())
            .iter()
            .all(|name| !name.contains("damaged"))
    );
}
