//! Messages of any content that either end of a socket may write.

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use wire::{
    Acquaintance, Arithmetic, BlockCourse, BlockIndex, BlockProof, BlockSet, BlockTask,
    BrowserStatus, Chunk, ChunkAsk, ChunkHash, CopyHead, CutShape, DoneBlock, Ended, Ending, Epoch,
    Exchange, ExpiredJob, HeldBlock, HeldLease, JobId, JobOptions, JobRecord, JobStatus,
    JobSummary, Leadership, MatrixSource, NodeId, NodeStatus, PageMessage, PageStatus, PeerMessage,
    Refusal, Seed, Shape, Spread, Tally, TaskInput, WorkerId, WorkerKind,
};

/// Times and speeds. JSON has no infinity, and these are finite; nor are their
/// last bits promised there: those of matrices travel raw, behind the envelope.
pub(crate) fn number() -> impl Strategy<Value = f64> {
    any::<i32>().prop_map(|eighths| f64::from(eighths) / 8.0)
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..12).prop_map(String::from_iter)
}

pub(crate) fn node() -> impl Strategy<Value = NodeId> {
    any::<[u8; 16]>().prop_map(NodeId::from_bytes)
}

pub(crate) fn worker() -> impl Strategy<Value = WorkerId> {
    any::<[u8; 16]>().prop_map(WorkerId::from_bytes)
}

pub(crate) fn job() -> impl Strategy<Value = JobId> {
    any::<[u8; 16]>().prop_map(JobId::from_bytes)
}

pub(crate) fn hash() -> impl Strategy<Value = ChunkHash> {
    any::<[u8; 32]>().prop_map(ChunkHash::from_bytes)
}

pub(crate) fn block() -> impl Strategy<Value = BlockIndex> {
    any::<u32>().prop_map(BlockIndex)
}

pub(crate) fn epoch() -> impl Strategy<Value = Epoch> {
    (any::<u64>(), node()).prop_map(|(number, coordinator)| Epoch {
        number,
        coordinator,
        incarnation: 0,
    })
}

pub(crate) fn kind() -> impl Strategy<Value = WorkerKind> {
    prop_oneof![Just(WorkerKind::Native), Just(WorkerKind::Browser)]
}

pub(crate) fn arithmetic() -> impl Strategy<Value = Arithmetic> {
    prop_oneof![Just(Arithmetic::Reproducible), Just(Arithmetic::Fast)]
}

pub(crate) fn exchange() -> impl Strategy<Value = Exchange> {
    let device = (worker(), kind(), text(), text());
    (device, any::<u32>(), number(), any::<u32>()).prop_map(
        |((worker, kind, name, device), threads, mflops, slots)| Exchange {
            worker,
            kind,
            name,
            device,
            threads,
            mflops,
            slots,
        },
    )
}

pub(crate) fn proof() -> impl Strategy<Value = BlockProof> {
    (
        number(),
        any::<[u64; 3]>(),
        option::of(hash()),
        any::<u64>(),
    )
        .prop_map(
            |(compute_ms, [receive_us, wait_us, operations], hash, bytes)| BlockProof {
                compute_ms,
                receive_us,
                wait_us,
                operations,
                hash,
                bytes,
            },
        )
}

pub(crate) fn input() -> impl Strategy<Value = TaskInput> {
    let random = (any::<u64>(), any::<[u32; 3]>()).prop_map(
        |(seed, [matrix_cols, row_start, col_start])| TaskInput::Random {
            seed: Seed(seed),
            matrix_cols,
            row_start,
            col_start,
        },
    );
    let chunk = (hash(), any::<u32>()).prop_map(|(hash, rows)| Chunk { hash, rows });
    let chunks = vec(chunk, 0..4).prop_map(|chunks| TaskInput::Chunks { chunks });
    prop_oneof![random, chunks]
}

pub(crate) fn task() -> impl Strategy<Value = BlockTask> {
    let sides = any::<[u32; 4]>();
    (job(), block(), sides, arithmetic(), input(), input()).prop_map(
        |(job, block, [row_start, rows, inner, cols], arithmetic, a, b)| BlockTask {
            job,
            block,
            row_start,
            rows,
            inner,
            cols,
            arithmetic,
            a,
            b,
        },
    )
}

pub(crate) fn browser() -> impl Strategy<Value = BrowserStatus> {
    (worker(), text(), any::<u32>(), number(), any::<[bool; 2]>()).prop_map(
        |(worker, device, threads, mflops, [visible, contributing])| BrowserStatus {
            operations: threads.into(),
            worker,
            device,
            threads,
            mflops,
            visible,
            contributing,
        },
    )
}

fn address() -> impl Strategy<Value = std::net::SocketAddr> {
    let v4 = any::<([u8; 4], u16)>().prop_map(std::net::SocketAddr::from);
    let v6 = any::<([u8; 16], u16)>().prop_map(std::net::SocketAddr::from);
    prop_oneof![v4, v6]
}

pub(crate) fn node_status() -> impl Strategy<Value = NodeStatus> {
    let words = (text(), vec(address(), 0..3), text());
    let numbers = (any::<u64>(), any::<[u32; 2]>(), number());
    (words, numbers, vec(browser(), 0..3)).prop_map(
        |((name, addresses, device), (version, [cores, threads], mflops), browsers)| NodeStatus {
            operations: version / 2,
            version,
            name,
            addresses,
            device,
            cores,
            threads,
            mflops,
            browsers,
        },
    )
}

pub(crate) fn summary() -> impl Strategy<Value = JobSummary> {
    let status = prop_oneof![
        Just(JobStatus::Running),
        Just(JobStatus::Complete),
        Just(JobStatus::Failed),
        Just(JobStatus::Cancelled),
    ];
    let spread = prop_oneof![Just(Spread::All), Just(Spread::Fastest)];
    let ids = (job(), epoch(), vec(node(), 0..4));
    let numbers = (any::<[u32; 5]>(), any::<[u64; 2]>());
    let options = (arithmetic(), spread);
    (ids, status, numbers, options, option::of(text())).prop_map(
        |((id, epoch, holders), status, numbers, (arithmetic, spread), idempotency_key)| {
            let ([rows, inner, cols, blocks_total, blocks_done], [version, submitted]) = numbers;
            JobSummary {
                id,
                status,
                epoch,
                version,
                holders,
                shape: Shape { rows, inner, cols },
                options: JobOptions { arithmetic, spread },
                blocks_total,
                blocks_done,
                submitted_at_unix_ms: submitted,
                idempotency_key,
                reopened: false,
                fetched: true,
            }
        },
    )
}

pub(crate) fn tally() -> impl Strategy<Value = Tally> {
    any::<[u64; 4]>().prop_map(|[computed, rejected, reassigned, begun_us]| Tally {
        computed,
        rejected,
        reassigned,
        begun_us,
    })
}

fn course() -> impl Strategy<Value = BlockCourse> {
    (any::<[u64; 4]>(), option::of(worker())).prop_map(
        |([leased_us, stored_us, receive_us, wait_us], taken_from)| BlockCourse {
            leased_us,
            stored_us,
            receive_us,
            wait_us,
            taken_from,
        },
    )
}

pub(crate) fn done() -> impl Strategy<Value = DoneBlock> {
    let ids = (block(), hash(), worker(), epoch(), kind());
    let numbers = (number(), any::<u64>(), any::<u32>());
    (ids, [text(), text()], numbers, course()).prop_map(
        |(
            (block, hash, worker, epoch, kind),
            [name, device],
            (compute_ms, operations, counted),
            course,
        )| {
            DoneBlock {
                block,
                hash,
                worker,
                kind,
                name,
                device,
                compute_ms,
                course,
                operations,
                epoch,
                counted,
            }
        },
    )
}

pub(crate) fn block_set() -> impl Strategy<Value = BlockSet> {
    btree_set(any::<u32>(), 0..20).prop_map(|blocks| blocks.into_iter().map(BlockIndex).collect())
}

pub(crate) fn head() -> impl Strategy<Value = CopyHead> {
    let source = || {
        prop_oneof![
            any::<u64>().prop_map(|seed| MatrixSource::Random(Seed(seed))),
            vec(hash(), 0..4).prop_map(MatrixSource::Chunks),
        ]
    };
    let ended =
        (text(), any::<u64>(), number()).prop_map(|(reason, at_unix_ms, elapsed_ms)| Ended {
            ending: Ending::Failed(reason),
            at_unix_ms,
            elapsed_ms,
        });
    let leadership =
        (epoch(), any::<u64>(), vec(node(), 0..4)).prop_map(|(epoch, version, backups)| {
            Leadership {
                epoch,
                version,
                backups,
            }
        });
    let fixed = (summary(), source(), source(), node(), any::<[u32; 2]>());
    (
        fixed,
        leadership,
        vec((epoch(), tally()), 0..4),
        option::of(ended),
        any::<u64>(),
    )
        .prop_map(
            |((summary, a, b, origin, [rows, cols]), leadership, tallies, ended, age_ms)| {
                CopyHead {
                    record: JobRecord {
                        id: summary.id,
                        shape: summary.shape,
                        options: summary.options,
                        cut: CutShape {
                            rows_per_block: rows,
                            cols_per_block: cols,
                        },
                        a,
                        b,
                        origin,
                        submitted_at_unix_ms: summary.submitted_at_unix_ms,
                        idempotency_key: summary.idempotency_key,
                    },
                    leadership,
                    tallies,
                    ended,
                    age_ms,
                }
            },
        )
}

pub(crate) fn peer_message() -> impl Strategy<Value = PeerMessage> {
    let acquaintance = (node(), vec(address(), 0..3))
        .prop_map(|(node, addresses)| Acquaintance { node, addresses });
    let lease =
        (job(), epoch(), worker(), vec(task(), 0..4)).prop_map(|(job, epoch, worker, tasks)| {
            PeerMessage::Lease {
                job,
                epoch,
                worker,
                tasks,
            }
        });
    let give_back = (job(), worker(), vec(block(), 0..9), any::<bool>()).prop_map(
        |(job, worker, blocks, gone)| PeerMessage::GiveBack {
            job,
            worker,
            blocks,
            gone,
        },
    );
    let dropped =
        (job(), worker(), vec(block(), 0..9)).prop_map(|(job, worker, blocks)| PeerMessage::Drop {
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
    let held = (job(), epoch(), vec((exchange(), vec(block(), 0..9)), 0..4)).prop_map(
        |(job, epoch, leases)| PeerMessage::Held {
            job,
            epoch,
            leases: leases
                .into_iter()
                .map(|(exchange, blocks)| HeldLease { exchange, blocks })
                .collect(),
        },
    );
    let copied = (job(), epoch(), done(), tally(), any::<u64>()).prop_map(
        |(job, epoch, done, tally, bytes)| PeerMessage::CopyBlock {
            job,
            epoch,
            done: Box::new(done),
            tally,
            bytes,
        },
    );
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
    let refused = (
        job(),
        prop_oneof![
            Just(Refusal::HigherStands),
            epoch().prop_map(Refusal::CoordinatorLives)
        ],
    )
        .prop_map(|(job, refusal)| PeerMessage::Refused { job, refusal });
    let chunk_ask = prop_oneof![
        Just(ChunkAsk::Open),
        Just(ChunkAsk::Referred),
        node().prop_map(|node| ChunkAsk::InsteadOf { node }),
    ];
    prop_oneof![
        held,
        (job(), any::<u64>(), head(), vec(any::<u32>(), 0..4)).prop_map(
            |(job, number, head, inputs)| {
                PeerMessage::CopyHead {
                    job,
                    number,
                    head: Box::new(head),
                    inputs,
                }
            }
        ),
        copied,
        state,
        (job(), epoch(), block_set()).prop_map(|(job, epoch, have)| PeerMessage::CopyRequest {
            job,
            epoch,
            have
        }),
        (job(), epoch()).prop_map(|(job, epoch)| PeerMessage::Election { job, epoch }),
        refused,
        (job(), epoch()).prop_map(|(job, epoch)| PeerMessage::Resign { job, epoch }),
        vec((job(), any::<u64>(), any::<bool>()), 0..4).prop_map(|jobs| PeerMessage::Expired {
            jobs: jobs
                .into_iter()
                .map(|(job, submitted_at_unix_ms, is_deleted)| ExpiredJob {
                    job,
                    submitted_at_unix_ms,
                    is_deleted,
                })
                .collect(),
        }),
        vec(job(), 0..4).prop_map(|jobs| PeerMessage::Fetched { jobs }),
        (job(), epoch()).prop_map(|(job, epoch)| PeerMessage::Withdrawn { job, epoch }),
        (job(), block_set()).prop_map(|(job, blocks)| PeerMessage::Inventory { job, blocks }),
        vec(summary(), 0..3).prop_map(PeerMessage::Directory),
        node().prop_map(|node| PeerMessage::Missing { node }),
        (node(), any::<bool>()).prop_map(|(node, alive)| PeerMessage::Seen { node, alive }),
        any::<u64>().prop_map(|sequence| PeerMessage::Heartbeat { sequence }),
        node_status().prop_map(PeerMessage::Status),
        vec(acquaintance, 0..4).prop_map(PeerMessage::Acquaintances),
        Just(PeerMessage::Goodbye),
        summary().prop_map(PeerMessage::Job),
        (job(), exchange()).prop_map(|(job, exchange)| PeerMessage::Pull { job, exchange }),
        lease,
        (job(), worker()).prop_map(|(job, worker)| PeerMessage::NoWork { job, worker }),
        job().prop_map(|job| PeerMessage::WorkAvailable { job }),
        give_back,
        dropped,
        result,
        counted,
        job().prop_map(|job| PeerMessage::Cancel { job }),
        (hash(), chunk_ask).prop_map(|(hash, ask)| PeerMessage::ChunkRequest { hash, ask }),
        hash().prop_map(|hash| PeerMessage::Chunk { hash }),
        hash().prop_map(|hash| PeerMessage::ChunkMissing { hash }),
        (hash(), node()).prop_map(|(hash, node)| PeerMessage::ChunkElsewhere { hash, node }),
    ]
}

pub(crate) fn page_status() -> impl Strategy<Value = PageStatus> {
    (text(), any::<u32>(), number(), any::<[bool; 2]>()).prop_map(
        |(device, threads, mflops, [visible, contributing])| PageStatus {
            device,
            threads,
            mflops,
            visible,
            contributing,
        },
    )
}

pub(crate) fn page_message() -> impl Strategy<Value = PageMessage> {
    let hello = (any::<u32>(), worker(), page_status()).prop_map(|(protocol, worker, status)| {
        PageMessage::Hello {
            protocol,
            worker,
            status,
        }
    });
    let welcome = (node(), text(), vec(text(), 0..3))
        .prop_map(|(node, name, nodes)| PageMessage::Welcome { node, name, nodes });
    let counted =
        (job(), block(), any::<bool>(), any::<u32>()).prop_map(|(job, block, counted, rows)| {
            PageMessage::Counted {
                job,
                block,
                counted,
                rows,
            }
        });
    prop_oneof![
        vec((job(), block()), 0..9).prop_map(|blocks| PageMessage::Holding {
            blocks: blocks
                .into_iter()
                .map(|(job, block)| HeldBlock { job, block })
                .collect(),
        }),
        hello,
        welcome,
        vec(text(), 0..3).prop_map(|nodes| PageMessage::Nodes { nodes }),
        Just(PageMessage::Superseded),
        Just(PageMessage::News),
        text().prop_map(|path| PageMessage::Watch { path }),
        page_status().prop_map(|status| PageMessage::Status { status }),
        task().prop_map(|task| PageMessage::Task { task }),
        (job(), option::of(block())).prop_map(|(job, block)| PageMessage::Drop { job, block }),
        hash().prop_map(|hash| PageMessage::ChunkRequest { hash }),
        hash().prop_map(|hash| PageMessage::Chunk { hash }),
        hash().prop_map(|hash| PageMessage::ChunkMissing { hash }),
        (job(), block(), text()).prop_map(|(job, block, reason)| PageMessage::GiveBack {
            job,
            block,
            reason
        }),
        (job(), block(), proof()).prop_map(|(job, block, proof)| PageMessage::Result {
            job,
            block,
            proof
        }),
        counted,
    ]
}
