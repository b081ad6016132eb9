//! Frames under any content: nothing that comes in ends the process, and what
//! goes out comes back as it was.

#[path = "golden/samples.rs"]
mod samples;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use wire::{
    Acquaintance, Arithmetic, BlockIndex, BlockProof, BlockTask, BrowserStatus, Chunk, ChunkHash,
    Epoch, Exchange, JobId, JobOptions, JobStatus, JobSummary, NodeId, NodeStatus,
    PROTOCOL_VERSION, PageMessage, PageStatus, PeerMessage, Seed, Shape, Spread, TaskInput,
    WorkerId, WorkerKind, decode_page_frame, decode_peer_frame, encode_page_frame,
    encode_peer_frame,
};

/// Times and speeds. JSON has no infinity, and these are finite; nor are their
/// last bits promised there: those of matrices travel raw, behind the envelope.
fn number() -> impl Strategy<Value = f64> {
    any::<i32>().prop_map(|eighths| f64::from(eighths) / 8.0)
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..12).prop_map(String::from_iter)
}

fn node() -> impl Strategy<Value = NodeId> {
    any::<[u8; 16]>().prop_map(NodeId::from_bytes)
}

fn worker() -> impl Strategy<Value = WorkerId> {
    any::<[u8; 16]>().prop_map(WorkerId::from_bytes)
}

fn job() -> impl Strategy<Value = JobId> {
    any::<[u8; 16]>().prop_map(JobId::from_bytes)
}

fn hash() -> impl Strategy<Value = ChunkHash> {
    any::<[u8; 32]>().prop_map(ChunkHash::from_bytes)
}

fn block() -> impl Strategy<Value = BlockIndex> {
    any::<u32>().prop_map(BlockIndex)
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (any::<u64>(), node()).prop_map(|(number, coordinator)| Epoch {
        number,
        coordinator,
    })
}

fn kind() -> impl Strategy<Value = WorkerKind> {
    prop_oneof![Just(WorkerKind::Native), Just(WorkerKind::Browser)]
}

fn arithmetic() -> impl Strategy<Value = Arithmetic> {
    prop_oneof![Just(Arithmetic::Reproducible), Just(Arithmetic::Fast)]
}

fn exchange() -> impl Strategy<Value = Exchange> {
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

fn proof() -> impl Strategy<Value = BlockProof> {
    (number(), any::<u64>(), option::of(hash()), any::<u64>()).prop_map(
        |(compute_ms, operations, hash, bytes)| BlockProof {
            compute_ms,
            operations,
            hash,
            bytes,
        },
    )
}

fn input() -> impl Strategy<Value = TaskInput> {
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

fn task() -> impl Strategy<Value = BlockTask> {
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

fn browser() -> impl Strategy<Value = BrowserStatus> {
    (worker(), text(), any::<u32>(), number(), any::<[bool; 2]>()).prop_map(
        |(worker, device, threads, mflops, [visible, contributing])| BrowserStatus {
            worker,
            device,
            threads,
            mflops,
            visible,
            contributing,
        },
    )
}

fn node_status() -> impl Strategy<Value = NodeStatus> {
    let words = (text(), vec(text(), 0..3), text());
    let numbers = (any::<u64>(), any::<[u32; 2]>(), number());
    (words, numbers, vec(browser(), 0..3)).prop_map(
        |((name, addresses, device), (version, [cores, threads], mflops), browsers)| NodeStatus {
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

fn summary() -> impl Strategy<Value = JobSummary> {
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
            }
        },
    )
}

fn peer_message() -> impl Strategy<Value = PeerMessage> {
    let acquaintance =
        (node(), vec(text(), 0..3)).prop_map(|(node, addresses)| Acquaintance { node, addresses });
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
    prop_oneof![
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
        hash().prop_map(|hash| PeerMessage::ChunkRequest { hash }),
        hash().prop_map(|hash| PeerMessage::Chunk { hash }),
        hash().prop_map(|hash| PeerMessage::ChunkMissing { hash }),
    ]
}

fn page_status() -> impl Strategy<Value = PageStatus> {
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

fn page_message() -> impl Strategy<Value = PageMessage> {
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
        hello,
        welcome,
        vec(text(), 0..3).prop_map(|nodes| PageMessage::Nodes { nodes }),
        Just(PageMessage::Superseded),
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

fn frame_around(envelope: &[u8]) -> Vec<u8> {
    let mut frame = PROTOCOL_VERSION.to_le_bytes().to_vec();
    frame.extend_from_slice(&u32::try_from(envelope.len()).expect("small").to_le_bytes());
    frame.extend_from_slice(envelope);
    frame
}

proptest! {
    #[test]
    fn any_peer_message_comes_back_as_it_was(
        message in peer_message(),
        payload in vec(any::<u8>(), 0..40),
    ) {
        let frame = encode_peer_frame(&message, &payload);
        prop_assert_eq!(decode_peer_frame(&frame), Ok((message, &payload[..])));
    }

    #[test]
    fn any_page_message_comes_back_as_it_was(
        message in page_message(),
        payload in vec(any::<u8>(), 0..40),
    ) {
        let frame = encode_page_frame(&message, &payload);
        prop_assert_eq!(decode_page_frame(&frame), Ok((message, &payload[..])));
    }

    #[test]
    fn arbitrary_bytes_are_answered_with_an_error_or_a_message(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode_peer_frame(&bytes);
        let _ = decode_page_frame(&bytes);
        let framed = frame_around(&bytes);
        let _ = decode_peer_frame(&framed);
        let _ = decode_page_frame(&framed);
    }

    /// Random bytes are hardly ever nearly a message; a message with a few
    /// bytes changed always is.
    #[test]
    fn a_damaged_frame_is_answered_with_an_error_or_a_message(
        which in any::<proptest::sample::Index>(),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..5),
        end in any::<proptest::sample::Index>(),
    ) {
        let damage = |mut frame: Vec<u8>| {
            for (at, byte) in &changes {
                let at = at.index(frame.len());
                frame[at] = *byte;
            }
            frame.truncate(end.index(frame.len() + 1));
            frame
        };
        let peers = samples::peer_samples();
        let _ = decode_peer_frame(&damage(encode_peer_frame(&which.get(&peers).1, &[])));
        let pages = samples::page_samples();
        let _ = decode_page_frame(&damage(encode_page_frame(&which.get(&pages).1, &[])));
    }
}
