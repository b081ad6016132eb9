//! What a release finds that was written by the ones before.

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use wire::{BlockIndex, Ending, JobId};

use super::super::{changes, migrations};
use super::{Store, Sync, chunk};

const JOB: [u8; 16] = *b"0123456789\0\xffcdef";
const EXPIRED: [u8; 16] = *b"\0\0expired before";
const NODE: &[u8] = &[1; 16];

/// Its rows lay under its id as it is.
#[tokio::test]
async fn jobs_from_before_they_lay_in_order_of_time_are_found_and_expire() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other, result] = [chunk(1, 100), chunk(2, 100), chunk(3, 32)].map(|[chunk]| chunk);
    let inputs = vec![one, other];
    let job = JobId::from_bytes(JOB);
    let (accepted, _) = changes::tests::accepted(job, &inputs);
    let cluster::Change::Accepted { record, .. } = accepted else {
        unreachable!("it is what a job begins with");
    };
    let record = rmp_serde::to_vec_named(&record).unwrap();
    let ending = rmp_serde::to_vec_named(&Ending::Complete).unwrap();
    // Where the one lay the other is to lie.
    let mut other_way_round = JOB;
    other_way_round.rotate_right(6);
    // The second input lies in the job's pack.
    let packs = folder.path().join("packs");
    std::fs::create_dir(&packs).unwrap();
    std::fs::write(packs.join(job.to_string()), &inputs[1].1).unwrap();
    let rows: [(&str, &[&[u8]]); 9] = [
        ("jobs (id, record, epoch_number, epoch_coordinator) VALUES (?, ?, 1, ?)", &[&JOB, &record, NODE]),
        ("blocks (job, block, hash, worker, kind, name, device, compute_ms, operations, epoch_number,
          epoch_coordinator) VALUES (?, 0, ?, ?, 'native', 'one', 'of a kind', 1.5, 16, 1, ?)",
         &[&JOB, result.0.as_bytes(), NODE, NODE]),
        ("results (job, block, bytes) VALUES (?, 0, ?), (?, 0, ?)",
         &[&JOB, &result.1, &other_way_round, b"of another"]),
        ("tallies (job, epoch_number, epoch_coordinator, computed, rejected, reassigned)
          VALUES (?, 1, ?, 7, 0, 0)", &[&JOB, NODE]),
        ("endings (job, ending, at_unix_ms, elapsed_ms) VALUES (?, ?, 5, 2.5)", &[&JOB, &ending]),
        ("tombstones (job, at_unix_ms) VALUES (?, 6)", &[&EXPIRED]),
        ("job_chunks (job, hash) VALUES (?, ?), (?, ?)",
         &[&JOB, inputs[0].0.as_bytes(), &JOB, inputs[1].0.as_bytes()]),
        ("chunks (hash, bytes) VALUES (?, ?)", &[inputs[0].0.as_bytes(), &inputs[0].1]),
        ("chunks (hash, bytes, pack, start, length) VALUES (?, x'', ?, 0, 100)",
         &[inputs[1].0.as_bytes(), &JOB]),
    ];
    {
        let options = SqliteConnectOptions::new().filename(folder.path().join("matmesh.sqlite"));
        let options = options.create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let earlier = migrations().iter().take(4).cloned().collect();
        let earlier = Migrator::with_migrations(earlier);
        earlier.run(&mut connection).await.unwrap();
        for (row, values) in rows {
            let insert = AssertSqlSafe(format!("INSERT INTO {row}"));
            let query = values
                .iter()
                .fold(sqlx::query(insert), |query, value| query.bind(*value));
            query.execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    let store = Store::open(folder.path(), Sync::Never).await.unwrap();
    let jobs = store.jobs().await.unwrap();
    let [restored] = &jobs[..] else {
        panic!("one job, not {}", jobs.len());
    };
    assert!(restored.has_inputs);
    let replica = &restored.replica;
    assert_eq!(replica.record.id, job);
    assert_eq!(replica.status(), wire::JobStatus::Complete);
    assert_eq!(replica.done.len(), 1);
    assert_eq!(replica.total_tally().computed, 7);
    let found = store.result(job, BlockIndex(0)).await.unwrap();
    assert_eq!(found.as_ref(), Some(&result.1));
    for (hash, bytes) in &inputs {
        assert_eq!(store.chunk(*hash).await.unwrap().as_ref(), Some(bytes));
    }
    assert!(store.is_expired(JobId::from_bytes(EXPIRED)).await.unwrap());

    let over = (changes::tests::expired(job), None);
    store.apply(&[over], &[], false).await.unwrap();
    assert!(store.is_expired(job).await.unwrap());
    assert!(store.jobs().await.unwrap().is_empty());
    assert_eq!(store.result(job, BlockIndex(0)).await.unwrap(), None);
    store.remove_unnamed_packs().await.unwrap();
    for (hash, _) in &inputs {
        assert_eq!(store.chunk(*hash).await.unwrap(), None);
    }
    assert_eq!(std::fs::read_dir(&packs).unwrap().count(), 0);
}
