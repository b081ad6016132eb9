//! Messages of any kind and content, about few nodes, devices, jobs and blocks,
//! so that they meet what is there.

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use wire::{
    Acquaintance, Arithmetic, BlockCourse, BlockIndex, BlockProof, BlockSet, BlockTask,
    BrowserStatus, ChunkHash, CopyHead, CutShape, DoneBlock, Ended, Ending, Epoch, Exchange,
    ExpiredJob, HeldLease, JobId, JobOptions, JobRecord, JobStatus, JobSummary, Leadership,
    MatrixSource, NodeId, NodeStatus, PeerMessage, Refusal, Seed, Shape, Tally, TaskInput,
    WorkerId, WorkerKind,
};

use crate::OWN;

pub(crate) fn node() -> impl Strategy<Value = NodeId> {
    select(vec![1_u8, 2, 3, 9]).prop_map(|byte| NodeId::from_bytes([byte; 16]))
}

pub(crate) fn worker() -> impl Strategy<Value = WorkerId> {
    let few = select(vec![1_u8, 2, 3, 7]).prop_map(|byte| WorkerId::from_bytes([byte; 16]));
    prop_oneof![4 => few, 1 => any::<[u8; 16]>().prop_map(WorkerId::from_bytes)]
}

pub(crate) fn job() -> impl Strategy<Value = JobId> {
    let few = select(vec![1_u8, 2, 3]).prop_map(|byte| JobId::from_bytes([byte; 16]));
    prop_oneof![8 => few, 1 => any::<[u8; 16]>().prop_map(JobId::from_bytes)]
}

pub(crate) fn block() -> impl Strategy<Value = BlockIndex> {
    prop_oneof![4 => 0..20_u32, 1 => any::<u32>()].prop_map(BlockIndex)
}

pub(crate) fn number() -> impl Strategy<Value = f64> {
    let extremes = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        1e-17,
        0.0,
        -1.0,
    ];
    prop_oneof![1 => select(extremes.to_vec()), 1 => any::<f64>(), 2 => 1.0..1e5]
}

pub(crate) fn count() -> impl Strategy<Value = u32> {
    prop_oneof![2 => 0..9_u32, 1 => select(vec![u32::MAX, 1 << 31, 1024])]
}

pub(crate) fn epoch() -> impl Strategy<Value = Epoch> {
    let number = prop_oneof![4 => 0..3_u64, 1 => Just(u64::MAX)];
    (number, node()).prop_map(|(number, coordinator)| Epoch {
        number,
        coordinator,
        incarnation: 0,
    })
}

pub(crate) fn exchange() -> impl Strategy<Value = Exchange> {
    let name = select(vec!["phone".to_owned(), "ä".repeat(1000)]);
    (worker(), name, count(), number(), count()).prop_map(
        |(worker, name, threads, mflops, slots)| Exchange {
            worker,
            kind: WorkerKind::Browser,
            device: name.clone(),
            name,
            threads,
            mflops,
            slots,
        },
    )
}

pub(crate) fn proof() -> impl Strategy<Value = BlockProof> {
    let hash = select(vec![None, Some(ChunkHash::from_bytes([1; 32]))]);
    let bytes = select(vec![80_u64, 80, 80, 0, u64::MAX]);
    (number(), any::<u64>(), hash, bytes).prop_map(|(compute_ms, operations, hash, bytes)| {
        BlockProof {
            compute_ms,
            receive_us: u64::MAX,
            wait_us: operations,
            operations,
            hash,
            bytes,
        }
    })
}

pub(crate) fn task() -> impl Strategy<Value = BlockTask> {
    let input = TaskInput::Random {
        seed: Seed(0),
        matrix_cols: 1,
        row_start: 0,
        col_start: 0,
    };
    (job(), block(), count(), count()).prop_map(move |(job, block, rows, cols)| BlockTask {
        job,
        block,
        row_start: 0,
        rows,
        inner: rows,
        cols,
        arithmetic: Arithmetic::Fast,
        a: input.clone(),
        b: input.clone(),
    })
}

pub(crate) fn summary() -> impl Strategy<Value = JobSummary> {
    let status = select(vec![
        JobStatus::Running,
        JobStatus::Complete,
        JobStatus::Failed,
        JobStatus::Cancelled,
    ]);
    let version = prop_oneof![0..5_u64, Just(u64::MAX)];
    (job(), status, epoch(), version, count(), any::<u64>()).prop_map(
        |(id, status, epoch, version, blocks, submitted_at_unix_ms)| JobSummary {
            id,
            status,
            epoch,
            version,
            holders: vec![OWN; 100],
            shape: Shape {
                rows: blocks,
                inner: blocks,
                cols: blocks,
            },
            options: JobOptions::default(),
            blocks_total: blocks,
            blocks_done: u32::MAX,
            submitted_at_unix_ms,
            idempotency_key: Some("k".repeat(3000)),
            reopened: false,
            fetched: false,
        },
    )
}

pub(crate) fn status() -> impl Strategy<Value = NodeStatus> {
    let browser =
        (worker(), count(), number()).prop_map(|(worker, threads, mflops)| BrowserStatus {
            worker,
            device: String::new(),
            threads,
            mflops,
            operations: u64::MAX,
            visible: true,
            contributing: true,
        });
    let browsers = (browser, 0..2000_usize).prop_map(|(browser, length)| vec![browser; length]);
    (any::<u64>(), browsers, count(), number()).prop_map(|(version, browsers, threads, mflops)| {
        NodeStatus {
            version,
            name: String::new(),
            addresses: vec![([10, 0, 0, 1], 1).into(); 50],
            device: String::new(),
            cores: threads,
            threads,
            mflops,
            operations: u64::MAX,
            browsers,
        }
    })
}

pub(crate) fn block_set() -> impl Strategy<Value = BlockSet> {
    let some = btree_set(0..20_u32, 0..6).prop_map(|set| set.into_iter().map(BlockIndex).collect());
    let all = Just((0..2000).map(BlockIndex).collect());
    prop_oneof![some, all]
}

pub(crate) fn done() -> impl Strategy<Value = DoneBlock> {
    (block(), worker(), epoch(), number()).prop_map(|(block, worker, epoch, compute_ms)| {
        DoneBlock {
            block,
            hash: ChunkHash::from_bytes([1; 32]),
            worker,
            kind: WorkerKind::Native,
            name: "n".repeat(600),
            device: String::new(),
            compute_ms,
            course: BlockCourse {
                leased_us: u64::MAX,
                taken_from: Some(worker),
                ..BlockCourse::default()
            },
            operations: u64::MAX,
            epoch,
            counted: 1,
        }
    })
}

/// Heads of jobs that are, and of jobs that cannot be.
pub(crate) fn head() -> impl Strategy<Value = CopyHead> {
    let leadership =
        (epoch(), any::<u64>(), vec(node(), 0..600)).prop_map(|(epoch, version, backups)| {
            Leadership {
                epoch,
                version,
                backups,
            }
        });
    let ended = option::of(Just(Ended {
        ending: Ending::Complete,
        at_unix_ms: u64::MAX,
        elapsed_ms: f64::NAN,
    }));
    (summary(), leadership, 0..3_u32, ended, any::<u64>()).prop_map(
        |(summary, leadership, rows_per_block, ended, age_ms)| CopyHead {
            record: JobRecord {
                id: summary.id,
                shape: summary.shape,
                options: summary.options,
                cut: CutShape {
                    rows_per_block,
                    cols_per_block: summary.shape.cols,
                },
                a: MatrixSource::Random(Seed(0)),
                b: MatrixSource::Chunks(Vec::new()),
                origin: OWN,
                submitted_at_unix_ms: summary.submitted_at_unix_ms,
                idempotency_key: None,
            },
            leadership,
            tallies: Vec::new(),
            ended,
            age_ms,
        },
    )
}

pub(crate) fn message() -> impl Strategy<Value = PeerMessage> {
    let blocks = || vec(block(), 0..4);
    let tasks = vec(task(), 0..40);
    let lease = (job(), epoch(), worker(), tasks).prop_map(|(job, epoch, worker, tasks)| {
        let own = tasks.into_iter().map(|task| BlockTask { job, ..task });
        PeerMessage::Lease {
            job,
            epoch,
            worker,
            tasks: own.collect(),
        }
    });
    let give_back =
        (job(), worker(), blocks(), any::<bool>()).prop_map(|(job, worker, blocks, gone)| {
            PeerMessage::GiveBack {
                job,
                worker,
                blocks,
                gone,
            }
        });
    let dropped = (job(), worker(), blocks()).prop_map(|(job, worker, blocks)| PeerMessage::Drop {
        job,
        worker,
        blocks,
    });
    let result = (job(), block(), exchange(), proof()).prop_map(|(job, block, exchange, proof)| {
        PeerMessage::Result {
            job,
            block,
            exchange,
            proof,
        }
    });
    let counted =
        (job(), block(), worker(), any::<bool>()).prop_map(|(job, block, worker, counted)| {
            PeerMessage::Counted {
                job,
                block,
                worker,
                counted,
            }
        });
    let acquaintances = (node(), 0..600_usize).prop_map(|(node, length)| {
        let acquaintance = Acquaintance {
            node,
            addresses: Vec::new(),
        };
        PeerMessage::Acquaintances(vec![acquaintance; length])
    });
    let held =
        (job(), epoch(), vec((exchange(), blocks()), 0..4)).prop_map(|(job, epoch, leases)| {
            PeerMessage::Held {
                job,
                epoch,
                leases: leases
                    .into_iter()
                    .map(|(exchange, blocks)| HeldLease { exchange, blocks })
                    .collect(),
            }
        });
    let state = (
        job(),
        epoch(),
        any::<u64>(),
        any::<[bool; 3]>(),
        block_set(),
    )
        .prop_map(
            |(job, epoch, head, [has_inputs, has_end, is_all], blocks)| PeerMessage::CopyState {
                job,
                epoch,
                head,
                has_inputs,
                has_end,
                blocks,
                is_all,
            },
        );
    let copied = (job(), epoch(), done(), any::<u64>()).prop_map(|(job, epoch, done, computed)| {
        PeerMessage::CopyBlock {
            job,
            epoch,
            done: Box::new(done),
            tally: Tally {
                computed,
                ..Tally::default()
            },
            bytes: 80,
        }
    });
    let refusal = prop_oneof![
        Just(Refusal::HigherStands),
        epoch().prop_map(Refusal::CoordinatorLives)
    ];
    prop_oneof![
        2 => held,
        4 => (head(), 0..5_u64).prop_map(|(head, number)| PeerMessage::CopyHead {
            job: head.record.id,
            number,
            head: Box::new(head),
            inputs: Vec::new(),
        }),
        4 => copied,
        4 => state,
        3 => (job(), epoch(), block_set())
            .prop_map(|(job, epoch, have)| PeerMessage::CopyRequest { job, epoch, have }),
        2 => (job(), block_set())
            .prop_map(|(job, blocks)| PeerMessage::Inventory { job, blocks }),
        2 => (job(), epoch()).prop_map(|(job, epoch)| PeerMessage::Election { job, epoch }),
        2 => (job(), refusal).prop_map(|(job, refusal)| PeerMessage::Refused { job, refusal }),
        2 => (job(), epoch()).prop_map(|(job, epoch)| PeerMessage::Resign { job, epoch }),
        1 => (job(), prop_oneof![Just(0), any::<u64>()]).prop_map(|(job, submitted_at_unix_ms)| {
            let expired = ExpiredJob {
                job,
                submitted_at_unix_ms,
                is_deleted: submitted_at_unix_ms % 2 == 0,
            };
            PeerMessage::Expired {
                jobs: vec![expired; 3],
            }
        }),
        1 => job().prop_map(|job| PeerMessage::Fetched { jobs: vec![job; 2] }),
        1 => (job(), epoch()).prop_map(|(job, epoch)| PeerMessage::Withdrawn { job, epoch }),
        1 => proptest::collection::vec(summary(), 0..4).prop_map(PeerMessage::Directory),
        1 => node().prop_map(|node| PeerMessage::Missing { node }),
        1 => (node(), any::<bool>()).prop_map(|(node, alive)| PeerMessage::Seen { node, alive }),
        1 => any::<u64>().prop_map(|sequence| PeerMessage::Heartbeat { sequence }),
        1 => status().prop_map(PeerMessage::Status),
        1 => acquaintances,
        1 => Just(PeerMessage::Goodbye),
        2 => summary().prop_map(PeerMessage::Job),
        4 => (job(), exchange()).prop_map(|(job, exchange)| PeerMessage::Pull { job, exchange }),
        3 => lease,
        1 => (job(), worker()).prop_map(|(job, worker)| PeerMessage::NoWork { job, worker }),
        1 => job().prop_map(|job| PeerMessage::WorkAvailable { job }),
        2 => give_back,
        1 => dropped,
        4 => result,
        2 => counted,
        1 => job().prop_map(|job| PeerMessage::Cancel { job }),
    ]
}
