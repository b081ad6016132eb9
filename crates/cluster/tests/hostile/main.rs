//! Peers that send anything: the node neither panics nor grows without bound,
//! and its driver never spins.

mod messages;

use std::time::Duration;

use cluster::{Input, Moment, Node, NodeConfig, Now, WorkerProfile, limits};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, prop_oneof, proptest};
use wire::{
    Arithmetic, BlockIndex, BlockTask, CutShape, Epoch, Exchange, JobId, JobOptions, JobRecord,
    JobStatus, JobSummary, MatrixSource, NodeId, PeerMessage, Seed, Shape, Spread, TaskInput,
    WorkerId, WorkerKind,
};

use self::messages::{block, count, job, message, node, number, proof, worker};

const OWN: NodeId = NodeId::from_bytes([1; 16]);

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
        let node = Node::new(OWN, 1, config, Now::default());
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
    let most = limits::DIRECTORY_JOBS_MAX + limits::DIRECTORY_RESERVE;
    for number in 0..u32::try_from(most).expect("few") + 2000 {
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
                incarnation: 0,
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
            fetched: false,
        };
        let message = PeerMessage::Job(summary);
        driver.feed(Input::Peer { from, message });
    }
    assert_eq!(driver.node.jobs().count(), most);
    let holders = driver.node.jobs().map(|job| job.holders.len()).max();
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
                incarnation: 0,
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
