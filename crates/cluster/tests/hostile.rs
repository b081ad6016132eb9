//! Peers that send anything: the node neither panics nor grows without bound,
//! and its driver never spins.

use std::time::Duration;

use cluster::{Input, Moment, Node, NodeConfig, Now, WorkerProfile, limits};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_oneof, proptest};
use proptest::sample::select;
use wire::{
    Acquaintance, Arithmetic, BlockIndex, BlockProof, BlockSet, BlockTask, BrowserStatus,
    ChunkHash, CopyHead, CutShape, DoneBlock, Ended, Ending, Epoch, Exchange, HeldLease, JobId,
    JobOptions, JobRecord, JobStatus, JobSummary, Leadership, MatrixSource, NodeId, NodeStatus,
    PeerMessage, Refusal, Seed, Shape, Spread, Tally, TaskInput, WorkerId, WorkerKind,
};

const OWN: NodeId = NodeId::from_bytes([1; 16]);

/// Few ids, so that messages meet what is there.
fn node() -> impl Strategy<Value = NodeId> {
    select(vec![1_u8, 2, 3, 9]).prop_map(|byte| NodeId::from_bytes([byte; 16]))
}

fn worker() -> impl Strategy<Value = WorkerId> {
    let few = select(vec![1_u8, 2, 3, 7]).prop_map(|byte| WorkerId::from_bytes([byte; 16]));
    prop_oneof![4 => few, 1 => any::<[u8; 16]>().prop_map(WorkerId::from_bytes)]
}

fn job() -> impl Strategy<Value = JobId> {
    let few = select(vec![1_u8, 2, 3]).prop_map(|byte| JobId::from_bytes([byte; 16]));
    prop_oneof![8 => few, 1 => any::<[u8; 16]>().prop_map(JobId::from_bytes)]
}

fn block() -> impl Strategy<Value = BlockIndex> {
    prop_oneof![4 => 0..20_u32, 1 => any::<u32>()].prop_map(BlockIndex)
}

fn number() -> impl Strategy<Value = f64> {
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

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![2 => 0..9_u32, 1 => select(vec![u32::MAX, 1 << 31, 1024])]
}

fn epoch() -> impl Strategy<Value = Epoch> {
    let number = prop_oneof![4 => 0..3_u64, 1 => Just(u64::MAX)];
    (number, node()).prop_map(|(number, coordinator)| Epoch {
        number,
        coordinator,
    })
}

fn exchange() -> impl Strategy<Value = Exchange> {
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

fn proof() -> impl Strategy<Value = BlockProof> {
    let hash = select(vec![None, Some(ChunkHash::from_bytes([1; 32]))]);
    let bytes = select(vec![80_u64, 80, 80, 0, u64::MAX]);
    (number(), any::<u64>(), hash, bytes).prop_map(|(compute_ms, operations, hash, bytes)| {
        BlockProof {
            compute_ms,
            operations,
            hash,
            bytes,
        }
    })
}

fn task() -> impl Strategy<Value = BlockTask> {
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

fn summary() -> impl Strategy<Value = JobSummary> {
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
        },
    )
}

fn status() -> impl Strategy<Value = NodeStatus> {
    let browser =
        (worker(), count(), number()).prop_map(|(worker, threads, mflops)| BrowserStatus {
            worker,
            device: String::new(),
            threads,
            mflops,
            visible: true,
            contributing: true,
        });
    let browsers = (browser, 0..2000_usize).prop_map(|(browser, length)| vec![browser; length]);
    (any::<u64>(), browsers, count(), number()).prop_map(|(version, browsers, threads, mflops)| {
        NodeStatus {
            version,
            name: String::new(),
            addresses: vec!["10.0.0.1:1".to_owned(); 50],
            device: String::new(),
            cores: threads,
            threads,
            mflops,
            browsers,
        }
    })
}

fn block_set() -> impl Strategy<Value = BlockSet> {
    let some = btree_set(0..20_u32, 0..6).prop_map(|set| set.into_iter().map(BlockIndex).collect());
    let all = Just((0..2000).map(BlockIndex).collect());
    prop_oneof![some, all]
}

fn done() -> impl Strategy<Value = DoneBlock> {
    (block(), worker(), epoch(), number()).prop_map(|(block, worker, epoch, compute_ms)| {
        DoneBlock {
            block,
            hash: ChunkHash::from_bytes([1; 32]),
            worker,
            kind: WorkerKind::Native,
            name: "n".repeat(600),
            device: String::new(),
            compute_ms,
            operations: u64::MAX,
            epoch,
            counted: 1,
        }
    })
}

/// Heads of jobs that are, and of jobs that cannot be.
fn head() -> impl Strategy<Value = CopyHead> {
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

fn message() -> impl Strategy<Value = PeerMessage> {
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
            done,
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
        }),
        4 => copied,
        4 => state,
        3 => (job(), epoch(), block_set())
            .prop_map(|(job, epoch, have)| PeerMessage::CopyRequest { job, epoch, have }),
        2 => (job(), epoch()).prop_map(|(job, epoch)| PeerMessage::Election { job, epoch }),
        2 => (job(), refusal).prop_map(|(job, refusal)| PeerMessage::Refused { job, refusal }),
        2 => (job(), epoch()).prop_map(|(job, epoch)| PeerMessage::Resign { job, epoch }),
        1 => job().prop_map(|job| PeerMessage::Expired { job }),
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

#[derive(Debug, Clone)]
enum Step {
    Message(NodeId, PeerMessage),
    Own(Input),
    /// So many milliseconds pass; the node is woken at each deadline.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let profile = (count(), number(), any::<bool>()).prop_map(|(threads, mflops, contributing)| {
        WorkerProfile {
            kind: WorkerKind::Browser,
            name: String::new(),
            device: String::new(),
            threads,
            mflops,
            contributing,
            visible: true,
        }
    });
    let result = (worker(), job(), block(), proof()).prop_map(|(worker, job, block, proof)| {
        Input::WorkerResult {
            worker,
            job,
            block,
            proof,
        }
    });
    let gave_back = (worker(), job(), block())
        .prop_map(|(worker, job, block)| Input::WorkerGaveBack { worker, job, block });
    let own = prop_oneof![
        2 => node().prop_map(|peer| Input::LinkUp { peer }),
        1 => node().prop_map(|peer| Input::LinkDown { peer }),
        2 => (worker(), profile).prop_map(|(worker, profile)| Input::Worker { worker, profile }),
        1 => worker().prop_map(|worker| Input::WorkerLeft { worker }),
        3 => result,
        1 => gave_back,
        1 => job().prop_map(|job| Input::Cancel { job }),
    ];
    prop_oneof![
        12 => (node(), message()).prop_map(|(from, message)| Step::Message(from, message)),
        4 => own.prop_map(Step::Own),
        2 => (0..40_000_u64).prop_map(Step::Wait),
    ]
}

/// Sixteen blocks of one row and ten columns: 80 bytes each.
fn record(number: u8, spread: Spread) -> JobRecord {
    JobRecord {
        id: JobId::from_bytes([number; 16]),
        shape: Shape {
            rows: 16,
            inner: 20_000,
            cols: 10,
        },
        options: JobOptions {
            arithmetic: Arithmetic::Reproducible,
            spread,
        },
        cut: CutShape {
            rows_per_block: 1,
            cols_per_block: 10,
        },
        a: MatrixSource::Random(Seed(1)),
        b: MatrixSource::Random(Seed(2)),
        origin: OWN,
        submitted_at_unix_ms: 0,
        idempotency_key: None,
    }
}

struct Driver {
    node: Node,
    micros: u64,
}

impl Driver {
    fn new() -> Self {
        let config = NodeConfig {
            result_ttl: Duration::from_secs(60),
            ..NodeConfig::default()
        };
        let node = Node::new(OWN, config, Now::default());
        let mut driver = Self { node, micros: 0 };
        let peer = NodeId::from_bytes([2; 16]);
        driver.feed(Input::LinkUp { peer });
        driver.feed(Input::Submit(Box::new(record(1, Spread::All))));
        driver.feed(Input::Submit(Box::new(record(2, Spread::Fastest))));
        driver
    }

    fn feed(&mut self, input: Input) -> usize {
        let now = Now {
            moment: Moment::from_micros(self.micros),
            unix_ms: self.micros / 1000,
        };
        let outputs = self.node.handle(now, input);
        let deadline = self.node.next_deadline();
        assert!(deadline > now.moment, "the driver would spin");
        let coordinators = (1..=2).filter_map(|number| {
            let job = JobId::from_bytes([number; 16]);
            self.node.progress(job, now.moment)
        });
        for progress in coordinators {
            assert_eq!(progress.accepted, u64::from(progress.blocks.done));
            for view in progress.contributions {
                assert!(view.compute_ms.is_finite());
                assert!(view.name.chars().count() <= limits::NAME_CHARS_MAX);
            }
        }
        outputs.len()
    }

    fn wait(&mut self, millis: u64) {
        let end = self.micros + millis * 1000;
        loop {
            let deadline = self.node.next_deadline();
            let due = deadline.since(Moment::default()).as_micros();
            let due = u64::try_from(due).expect("tests are short");
            if due > end {
                break;
            }
            self.micros = due;
            self.feed(Input::Tick);
        }
        self.micros = end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn whatever_peers_send_the_node_does_not_panic_spin_or_flood(
        steps in vec(step(), 1..120),
    ) {
        let mut driver = Driver::new();
        for step in steps {
            match step {
                Step::Wait(millis) => driver.wait(millis),
                Step::Own(input) => {
                    driver.feed(input);
                }
                Step::Message(from, message) => {
                    let outputs = driver.feed(Input::Peer { from, message });
                    prop_assert!(outputs < 5_000, "{outputs} outputs for one message");
                }
            }
        }
        driver.wait(200_000);
    }
}

#[test]
fn a_flood_of_devices_does_not_grow_a_job() {
    let mut driver = Driver::new();
    let job = JobId::from_bytes([1; 16]);
    let from = NodeId::from_bytes([2; 16]);
    let exchange = |number: u32| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        Exchange {
            worker: WorkerId::from_bytes(bytes),
            kind: WorkerKind::Browser,
            name: "x".repeat(10_000),
            device: "x".repeat(10_000),
            threads: 1,
            mflops: 1000.0,
            slots: 1,
        }
    };
    let length = |driver: &Driver| format!("{:?}", driver.node.coordinator(job)).len();
    let most = u32::try_from(limits::PARTICIPANTS_MAX).unwrap();
    for number in 0..most {
        let exchange = exchange(number);
        let message = PeerMessage::Pull { job, exchange };
        driver.feed(Input::Peer { from, message });
    }
    let before = length(&driver);
    for number in most..2 * most {
        let exchange = exchange(number);
        let message = PeerMessage::Pull { job, exchange };
        driver.feed(Input::Peer { from, message });
    }
    assert!(length(&driver) <= before + before / 10);
}

#[test]
fn a_flood_of_jobs_stays_within_the_directory() {
    let mut driver = Driver::new();
    let from = NodeId::from_bytes([2; 16]);
    for number in 0..12_000_u32 {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        let summary = JobSummary {
            id: JobId::from_bytes(bytes),
            status: if number % 2 == 0 {
                JobStatus::Running
            } else {
                JobStatus::Complete
            },
            epoch: Epoch {
                number: 1,
                coordinator: from,
            },
            version: 1,
            holders: vec![from; 1000],
            shape: Shape {
                rows: 1,
                inner: 1,
                cols: 1,
            },
            options: JobOptions::default(),
            blocks_total: 1,
            blocks_done: 0,
            submitted_at_unix_ms: number.into(),
            idempotency_key: None,
            reopened: false,
        };
        let message = PeerMessage::Job(summary);
        driver.feed(Input::Peer { from, message });
    }
    let jobs = driver.node.jobs();
    assert_eq!(jobs.len(), limits::DIRECTORY_JOBS_MAX);
    let holders = jobs.iter().map(|job| job.holders.len()).max();
    assert_eq!(holders, Some(limits::HOLDERS_MAX));
}

#[test]
fn a_flood_of_leases_gives_a_device_no_more_than_twice_its_room() {
    let mut driver = Driver::new();
    let worker = WorkerId::from_bytes([7; 16]);
    let profile = WorkerProfile {
        kind: WorkerKind::Browser,
        name: String::new(),
        device: String::new(),
        threads: 2,
        mflops: 1000.0,
        contributing: true,
        visible: true,
    };
    driver.feed(Input::Worker { worker, profile });
    let from = NodeId::from_bytes([2; 16]);
    let job = JobId::from_bytes([3; 16]);
    let mut given = 0;
    for number in 0..1000 {
        let input = TaskInput::Chunks { chunks: Vec::new() };
        let task = BlockTask {
            job,
            block: BlockIndex(number),
            row_start: 0,
            rows: 1,
            inner: 1,
            cols: 1,
            arithmetic: Arithmetic::Fast,
            a: input.clone(),
            b: input,
        };
        let message = PeerMessage::Lease {
            job,
            epoch: Epoch {
                number: 1,
                coordinator: from,
            },
            worker,
            tasks: vec![task],
        };
        let now = Now::default();
        let outputs = driver.node.handle(now, Input::Peer { from, message });
        let tasks = outputs
            .iter()
            .filter(|output| matches!(output, cluster::Output::ToWorker { .. }));
        given += tasks.count();
    }
    assert!(given <= 2 * 4, "{given}");
}
