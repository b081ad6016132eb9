//! One message of each variant, with every field set.

use wire::{
    Acquaintance, Arithmetic, BlockCourse, BlockIndex, BlockProof, BlockSet, BlockTask,
    BrowserStatus, Chunk, ChunkAsk, ChunkHash, CopyHead, CutShape, DoneBlock, Ended, Ending, Epoch,
    Exchange, ExpiredJob, HeldBlock, HeldLease, JobId, JobOptions, JobRecord, JobStatus,
    JobSummary, Leadership, MatrixSource, NodeId, NodeStatus, PageMessage, PageStatus, PeerMessage,
    Refusal, Seed, Shape, Spread, Tally, TaskInput, WorkerId, WorkerKind,
};

pub(crate) fn record_id() -> JobId {
    JobId::from_bytes([0x33; 16])
}

fn node() -> NodeId {
    NodeId::from_bytes([0x11; 16])
}

fn worker() -> WorkerId {
    WorkerId::from_bytes([0x22; 16])
}

fn hash() -> ChunkHash {
    ChunkHash::from_bytes([0xab; 32])
}

fn epoch() -> Epoch {
    Epoch {
        number: 300,
        coordinator: node(),
        incarnation: 0,
    }
}

fn exchange() -> Exchange {
    Exchange {
        worker: worker(),
        kind: WorkerKind::Browser,
        name: "phone".to_owned(),
        device: "Chromium 140, Android".to_owned(),
        threads: 8,
        mflops: 1234.5,
        slots: 16,
    }
}

fn proof() -> BlockProof {
    BlockProof {
        compute_ms: 12.25,
        receive_us: 300,
        wait_us: 40,
        operations: 100_000_000,
        hash: Some(hash()),
        bytes: 80_000,
    }
}

fn task(a: TaskInput, b: TaskInput) -> BlockTask {
    BlockTask {
        job: record_id(),
        block: BlockIndex(70_000),
        row_start: 26,
        rows: 13,
        inner: 200,
        cols: 200,
        arithmetic: Arithmetic::Fast,
        a,
        b,
    }
}

fn random() -> TaskInput {
    TaskInput::Random {
        seed: Seed(u64::MAX),
        matrix_cols: 200,
        row_start: 26,
        col_start: 0,
    }
}

fn chunks() -> TaskInput {
    TaskInput::Chunks {
        chunks: vec![
            Chunk {
                hash: hash(),
                rows: 8,
            },
            Chunk {
                hash: ChunkHash::from_bytes([0; 32]),
                rows: 5,
            },
        ],
    }
}

fn summary() -> JobSummary {
    JobSummary {
        id: record_id(),
        status: JobStatus::Running,
        epoch: epoch(),
        version: 1_700_000_000_001,
        holders: vec![node(), NodeId::from_bytes([0xff; 16])],
        shape: Shape {
            rows: 200,
            inner: 300,
            cols: 400,
        },
        options: JobOptions {
            arithmetic: Arithmetic::Reproducible,
            spread: Spread::Fastest,
        },
        blocks_total: 16,
        blocks_done: 3,
        submitted_at_unix_ms: 1_700_000_000_000,
        idempotency_key: Some("key".to_owned()),
        reopened: false,
        fetched: false,
    }
}

fn head() -> CopyHead {
    CopyHead {
        record: JobRecord {
            id: record_id(),
            shape: summary().shape,
            options: summary().options,
            cut: CutShape {
                rows_per_block: 13,
                cols_per_block: 400,
            },
            a: MatrixSource::Random(Seed(7)),
            b: MatrixSource::Chunks(vec![hash()]),
            origin: node(),
            submitted_at_unix_ms: 1_700_000_000_000,
            idempotency_key: None,
        },
        leadership: Leadership {
            epoch: epoch(),
            version: 2,
            backups: vec![node()],
        },
        tallies: vec![(epoch(), tally())],
        ended: Some(Ended {
            ending: Ending::Complete,
            at_unix_ms: 1_700_000_000_500,
            elapsed_ms: 499.5,
        }),
        age_ms: 12,
    }
}

fn done() -> DoneBlock {
    DoneBlock {
        block: BlockIndex(70_000),
        hash: hash(),
        worker: worker(),
        kind: WorkerKind::Browser,
        name: "phone".to_owned(),
        device: "Safari, iOS".to_owned(),
        compute_ms: 1.5,
        course: BlockCourse {
            leased_us: 100_000,
            stored_us: 102_500,
            receive_us: 300,
            wait_us: 40,
            taken_from: Some(worker()),
        },
        operations: 1_040_000,
        epoch: epoch(),
        counted: 1,
    }
}

fn tally() -> Tally {
    Tally {
        computed: 3,
        rejected: 2,
        reassigned: 1,
        begun_us: 70_000,
    }
}

fn node_status() -> NodeStatus {
    NodeStatus {
        version: 2,
        name: "laptop".to_owned(),
        addresses: ["192.168.1.7:8080", "[fe80::1]:8080"]
            .map(|address| address.parse().expect("an address"))
            .to_vec(),
        device: "AMD EPYC, linux x86_64".to_owned(),
        cores: 16,
        threads: 15,
        mflops: 1e5,
        operations: 9_000_000_000,
        browsers: vec![BrowserStatus {
            worker: worker(),
            device: "Safari, iOS".to_owned(),
            threads: 6,
            mflops: 0.5,
            operations: 1_040_000,
            visible: true,
            contributing: false,
        }],
    }
}

fn page_status() -> PageStatus {
    PageStatus {
        device: "Chromium 140, Android".to_owned(),
        threads: 8,
        mflops: 2500.5,
        visible: true,
        contributing: true,
    }
}

pub(crate) fn peer_samples() -> Vec<(&'static str, PeerMessage)> {
    let (job, worker, block) = (record_id(), worker(), BlockIndex(70_000));
    let lease = |task| PeerMessage::Lease {
        job,
        epoch: epoch(),
        worker,
        tasks: vec![task],
    };
    vec![
        ("Heartbeat", PeerMessage::Heartbeat { sequence: 7 }),
        ("Status", PeerMessage::Status(node_status())),
        (
            "Acquaintances",
            PeerMessage::Acquaintances(vec![Acquaintance {
                node: node(),
                addresses: vec!["10.0.0.2:8080".parse().expect("an address")],
            }]),
        ),
        ("Goodbye", PeerMessage::Goodbye),
        ("Job", PeerMessage::Job(summary())),
        ("Directory", PeerMessage::Directory(vec![summary()])),
        (
            "Pull",
            PeerMessage::Pull {
                job,
                exchange: exchange(),
            },
        ),
        ("Lease/chunks", lease(task(chunks(), chunks()))),
        ("Lease/random", lease(task(random(), chunks()))),
        ("NoWork", PeerMessage::NoWork { job, worker }),
        ("WorkAvailable", PeerMessage::WorkAvailable { job }),
        (
            "GiveBack",
            PeerMessage::GiveBack {
                job,
                worker,
                blocks: vec![block, BlockIndex(0)],
                gone: true,
            },
        ),
        (
            "Drop",
            PeerMessage::Drop {
                job,
                worker,
                blocks: Vec::new(),
            },
        ),
        (
            "Result",
            PeerMessage::Result {
                job,
                block,
                exchange: exchange(),
                proof: proof(),
            },
        ),
        (
            "Counted",
            PeerMessage::Counted {
                job,
                block,
                worker,
                counted: true,
            },
        ),
        (
            "Held",
            PeerMessage::Held {
                job,
                epoch: epoch(),
                leases: vec![HeldLease {
                    exchange: exchange(),
                    blocks: vec![block],
                }],
            },
        ),
        (
            "CopyHead",
            PeerMessage::CopyHead {
                job,
                number: 3,
                head: Box::new(head()),
                inputs: Vec::new(),
            },
        ),
        (
            "CopyHead/inputs",
            PeerMessage::CopyHead {
                job,
                number: 1,
                head: Box::new(head()),
                inputs: vec![3, 1],
            },
        ),
        (
            "CopyBlock",
            PeerMessage::CopyBlock {
                job,
                epoch: epoch(),
                done: Box::new(done()),
                tally: tally(),
                bytes: 8 * 13 * 200,
            },
        ),
        (
            "CopyState",
            PeerMessage::CopyState {
                job,
                epoch: epoch(),
                head: 3,
                has_inputs: true,
                has_end: false,
                blocks: (0..3).chain([5]).map(BlockIndex).collect(),
                is_all: true,
            },
        ),
        (
            "Inventory",
            PeerMessage::Inventory {
                job,
                blocks: [BlockIndex(3), BlockIndex(4)].into_iter().collect(),
            },
        ),
        (
            "CopyRequest",
            PeerMessage::CopyRequest {
                job,
                epoch: epoch(),
                have: BlockSet::default(),
            },
        ),
        (
            "Election",
            PeerMessage::Election {
                job,
                epoch: epoch(),
            },
        ),
        (
            "Refused/lives",
            PeerMessage::Refused {
                job,
                refusal: Refusal::CoordinatorLives(epoch()),
            },
        ),
        (
            "Refused/higher",
            PeerMessage::Refused {
                job,
                refusal: Refusal::HigherStands,
            },
        ),
        (
            "Resign",
            PeerMessage::Resign {
                job,
                epoch: epoch(),
            },
        ),
        (
            "Expired",
            PeerMessage::Expired {
                jobs: vec![ExpiredJob {
                    job,
                    submitted_at_unix_ms: 1_700_000_000_000,
                    is_deleted: false,
                }],
            },
        ),
        ("Fetched", PeerMessage::Fetched { jobs: vec![job] }),
        (
            "Withdrawn",
            PeerMessage::Withdrawn {
                job,
                epoch: epoch(),
            },
        ),
        ("Missing", PeerMessage::Missing { node: node() }),
        (
            "Seen",
            PeerMessage::Seen {
                node: node(),
                alive: false,
            },
        ),
        ("Cancel", PeerMessage::Cancel { job }),
        (
            "ChunkRequest",
            PeerMessage::ChunkRequest {
                hash: hash(),
                ask: ChunkAsk::Open,
            },
        ),
        (
            "ChunkRequest/referred",
            PeerMessage::ChunkRequest {
                hash: hash(),
                ask: ChunkAsk::Referred,
            },
        ),
        (
            "ChunkRequest/instead-of",
            PeerMessage::ChunkRequest {
                hash: hash(),
                ask: ChunkAsk::InsteadOf { node: node() },
            },
        ),
        ("Chunk", PeerMessage::Chunk { hash: hash() }),
        ("ChunkMissing", PeerMessage::ChunkMissing { hash: hash() }),
        (
            "ChunkElsewhere",
            PeerMessage::ChunkElsewhere {
                hash: hash(),
                node: node(),
            },
        ),
    ]
}

pub(crate) fn page_samples() -> Vec<(&'static str, PageMessage)> {
    let (job, block) = (record_id(), BlockIndex(70_000));
    let nodes = vec!["http://10.0.0.2:8080".to_owned()];
    vec![
        (
            "Hello",
            PageMessage::Hello {
                protocol: 2,
                worker: worker(),
                status: page_status(),
            },
        ),
        (
            "Welcome",
            PageMessage::Welcome {
                node: node(),
                name: "laptop".to_owned(),
                nodes: nodes.clone(),
            },
        ),
        ("Nodes", PageMessage::Nodes { nodes }),
        ("Superseded", PageMessage::Superseded),
        (
            "Watch",
            PageMessage::Watch {
                path: "/nodes".to_owned(),
            },
        ),
        ("News", PageMessage::News),
        (
            "Status",
            PageMessage::Status {
                status: page_status(),
            },
        ),
        (
            "Task/chunks",
            PageMessage::Task {
                task: task(chunks(), chunks()),
            },
        ),
        (
            "Task/random",
            PageMessage::Task {
                task: task(random(), chunks()),
            },
        ),
        (
            "Drop/block",
            PageMessage::Drop {
                job,
                block: Some(block),
            },
        ),
        ("Drop/job", PageMessage::Drop { job, block: None }),
        (
            "Holding",
            PageMessage::Holding {
                blocks: vec![HeldBlock { job, block }],
            },
        ),
        ("ChunkRequest", PageMessage::ChunkRequest { hash: hash() }),
        ("Chunk", PageMessage::Chunk { hash: hash() }),
        ("ChunkMissing", PageMessage::ChunkMissing { hash: hash() }),
        (
            "GiveBack",
            PageMessage::GiveBack {
                job,
                block,
                reason: "no memory".to_owned(),
            },
        ),
        (
            "Result",
            PageMessage::Result {
                job,
                block,
                proof: BlockProof {
                    hash: None,
                    ..proof()
                },
            },
        ),
        (
            "Counted",
            PageMessage::Counted {
                job,
                block,
                counted: true,
                rows: 13,
            },
        ),
    ]
}
