//! Copies of a job's state unite to the same, in any order and any number of
//! times.

use std::collections::BTreeMap;

use cluster::Replica;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;
use wire::{
    Arithmetic, BlockCourse, BlockIndex, ChunkHash, CutShape, DoneBlock, Ended, Ending, Epoch,
    JobId, JobOptions, JobRecord, JobStatus, Leadership, MatrixSource, NodeId, Seed, Shape, Spread,
    Tally, WorkerId, WorkerKind,
};

fn record() -> JobRecord {
    JobRecord {
        id: JobId::from_bytes([1; 16]),
        shape: Shape {
            rows: 8,
            inner: 1,
            cols: 1,
        },
        options: JobOptions {
            arithmetic: Arithmetic::Fast,
            spread: Spread::All,
        },
        cut: CutShape {
            rows_per_block: 1,
            cols_per_block: 1,
        },
        a: MatrixSource::Random(Seed(1)),
        b: MatrixSource::Random(Seed(2)),
        origin: NodeId::from_bytes([1; 16]),
        submitted_at_unix_ms: 0,
        idempotency_key: None,
    }
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (1..4_u64, 1..3_u8).prop_map(|(number, byte)| Epoch {
        number,
        coordinator: NodeId::from_bytes([byte; 16]),
        incarnation: 0,
    })
}

fn done() -> impl Strategy<Value = DoneBlock> {
    let ids = (0..8_u32, 1..3_u8, 1..3_u8, epoch(), 0..2_u64);
    let words = (select(vec!["a", "b"]), select(vec!["c", "d"]));
    let kind = select(vec![WorkerKind::Native, WorkerKind::Browser]);
    let numbers = (select(vec![0.0, -0.0, 1.5, f64::NAN]), 0..2_u64);
    (ids, words, kind, numbers).prop_map(
        |(
            (block, hash, worker, epoch, leased_us),
            (name, device),
            kind,
            (compute_ms, operations),
        )| {
            DoneBlock {
                block: BlockIndex(block),
                hash: ChunkHash::from_bytes([hash; 32]),
                worker: WorkerId::from_bytes([worker; 16]),
                kind,
                name: name.to_owned(),
                device: device.to_owned(),
                compute_ms,
                course: BlockCourse {
                    leased_us,
                    ..BlockCourse::default()
                },
                operations,
                epoch,
                counted: 1,
            }
        },
    )
}

fn tally() -> impl Strategy<Value = Tally> {
    let count = || prop_oneof![0..5_u64, Just(u64::MAX)];
    (count(), count(), count(), count()).prop_map(|(computed, rejected, reassigned, begun_us)| {
        Tally {
            computed,
            rejected,
            reassigned,
            begun_us,
        }
    })
}

fn ended() -> impl Strategy<Value = Ended> {
    let ending = prop_oneof![
        Just(Ending::Complete),
        Just(Ending::Cancelled),
        select(vec!["one", "other"]).prop_map(|reason| Ending::Failed(reason.to_owned())),
    ];
    let elapsed = select(vec![0.0, 1.0, f64::NAN]);
    (ending, 0..3_u64, elapsed).prop_map(|(ending, at_unix_ms, elapsed_ms)| Ended {
        ending,
        at_unix_ms,
        elapsed_ms,
    })
}

fn replica() -> impl Strategy<Value = Replica> {
    let done = vec(done(), 0..8);
    let tallies = btree_map(epoch(), tally(), 0..4);
    let leadership = (epoch(), 0..3_u64, vec(epoch(), 0..3));
    (leadership, done, option::of(ended()), tallies).prop_map(|(leads, done, ended, tallies)| {
        let (epoch, version, backups) = leads;
        let leadership = Leadership {
            epoch,
            version,
            backups: backups.into_iter().map(|it| it.coordinator).collect(),
        };
        let mut replica = Replica::new(record(), leadership);
        for block in done {
            replica.record_done(block);
        }
        replica.ended = ended;
        replica.tallies = tallies;
        replica
    })
}

fn merged(one: &Replica, other: &Replica) -> Replica {
    let mut merged = one.clone();
    merged.merge(other);
    merged
}

/// A NaN is not equal to itself; its text is.
fn text(replica: &Replica) -> String {
    let done: BTreeMap<_, _> = replica
        .done
        .iter()
        .map(|(block, done)| (block, (done, done.compute_ms.to_bits())))
        .collect();
    format!("{replica:?} {done:?}")
}

proptest! {
    #[test]
    fn merging_a_copy_with_itself_changes_nothing(one in replica()) {
        prop_assert_eq!(text(&merged(&one, &one)), text(&one));
    }

    #[test]
    fn merging_twice_is_merging_once(one in replica(), other in replica()) {
        let once = merged(&one, &other);
        prop_assert_eq!(text(&merged(&once, &other)), text(&once));
    }

    #[test]
    fn either_side_may_merge_the_other(one in replica(), other in replica()) {
        prop_assert_eq!(text(&merged(&one, &other)), text(&merged(&other, &one)));
    }

    #[test]
    fn three_copies_unite_in_any_order(
        first in replica(),
        second in replica(),
        third in replica(),
    ) {
        let left = merged(&merged(&first, &second), &third);
        let right = merged(&first, &merged(&second, &third));
        prop_assert_eq!(text(&left), text(&right));
    }

    #[test]
    fn what_is_known_is_never_forgotten(one in replica(), other in replica()) {
        let both = merged(&one, &other);
        for side in [&one, &other] {
            assert!(both.epoch() >= side.epoch());
            assert!(side.done.keys().all(|block| both.done.contains_key(block)));
            let rises = |epoch, tally: &Tally| both.tallies[epoch].computed >= tally.computed;
            assert!(side.tallies.iter().all(|(epoch, tally)| rises(epoch, tally)));
            assert!(side.ended.is_none() || both.ended.is_some());
        }
        // All tallies together saturate.
        let _ = both.total_tally();
    }
}

#[test]
fn complete_stands_above_cancelled_and_cancelled_above_failed() {
    let at = |ending| Ended {
        ending,
        at_unix_ms: 0,
        elapsed_ms: 0.0,
    };
    let leadership = Leadership {
        epoch: Epoch {
            number: 1,
            coordinator: NodeId::from_bytes([1; 16]),
            incarnation: 0,
        },
        version: 0,
        backups: Vec::new(),
    };
    let mut replica = Replica::new(record(), leadership);
    assert_eq!(replica.status(), JobStatus::Running);
    replica.record_end(at(Ending::Failed("no device".to_owned())));
    assert_eq!(replica.status(), JobStatus::Failed);
    replica.record_end(at(Ending::Cancelled));
    assert_eq!(replica.status(), JobStatus::Cancelled);
    replica.record_end(at(Ending::Complete));
    replica.record_end(at(Ending::Cancelled));
    assert_eq!(replica.status(), JobStatus::Complete);
}
