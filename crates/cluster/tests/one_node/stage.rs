//! The node, its clock, and the lines of the others.

use std::collections::BTreeSet;
use std::time::Duration;

use cluster::{Event, Input, Node, NodeConfig, Now, Output, WorkerProfile};
use wire::{
    Arithmetic, BlockCourse, BlockIndex, BlockProof, BlockSet, BlockTask, ChunkHash, CopyHead,
    DoneBlock, Ended, Ending, Epoch, Exchange, JobId, JobRecord, JobStatus, JobSummary, Leadership,
    NodeId, PeerMessage, Seed, Tally, TaskInput, WorkerId, WorkerKind,
};

pub(crate) use crate::records::of_files;
use crate::records::product;

pub(crate) const JOB: JobId = JobId::from_bytes([1; 16]);

pub(crate) const INCARNATION: u64 = 7;

/// Milliseconds between two signs of life of a peer.
const BEAT: u64 = 100;

pub(crate) fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

pub(crate) fn native(number: u8) -> WorkerId {
    WorkerId::from(node(number))
}

pub(crate) fn epoch(number: u64, coordinator: u8) -> Epoch {
    Epoch {
        number,
        coordinator: node(coordinator),
        incarnation: 0,
    }
}

/// A product of so many blocks of 10 × 1000, made from seeds.
pub(crate) fn record(blocks: u32) -> JobRecord {
    JobRecord {
        submitted_at_unix_ms: 5,
        ..product(JOB, blocks)
    }
}

pub(crate) fn head(record: JobRecord, epoch: Epoch, backups: &[u8]) -> CopyHead {
    CopyHead {
        record,
        leadership: Leadership {
            epoch,
            version: 0,
            backups: backups.iter().copied().map(node).collect(),
        },
        tallies: Vec::new(),
        ended: None,
        age_ms: 10,
    }
}

pub(crate) fn ended(head: CopyHead, ending: Ending) -> CopyHead {
    let ended = Ended {
        ending,
        at_unix_ms: 10,
        elapsed_ms: 5.0,
    };
    CopyHead {
        ended: Some(ended),
        ..head
    }
}

pub(crate) fn copy_head(number: u64, head: CopyHead) -> PeerMessage {
    PeerMessage::CopyHead {
        job: JOB,
        number,
        head: Box::new(head),
        inputs: Vec::new(),
    }
}

/// A block that a device of node 1 computed.
pub(crate) fn copy_block(block: u32, epoch: Epoch) -> PeerMessage {
    let done = DoneBlock {
        block: BlockIndex(block),
        hash: ChunkHash::of(&block.to_le_bytes()),
        worker: native(1),
        kind: WorkerKind::Native,
        name: String::new(),
        device: String::new(),
        compute_ms: 1.0,
        course: BlockCourse::default(),
        operations: 20_000_000,
        epoch,
        counted: 1,
    };
    PeerMessage::CopyBlock {
        job: JOB,
        epoch,
        done: Box::new(done),
        tally: Tally::default(),
        bytes: 80_000,
    }
}

pub(crate) fn blocks(blocks: &[u32]) -> BlockSet {
    blocks.iter().copied().map(BlockIndex).collect()
}

/// What a holder has, with all inputs.
pub(crate) fn copy_state(epoch: Epoch, head: u64, has_end: bool, has: &[u32]) -> PeerMessage {
    PeerMessage::CopyState {
        job: JOB,
        epoch,
        head,
        has_inputs: true,
        has_end,
        blocks: blocks(has),
        is_all: true,
    }
}

pub(crate) fn copy_request(epoch: Epoch, have: &[u32]) -> PeerMessage {
    PeerMessage::CopyRequest {
        job: JOB,
        epoch,
        have: blocks(have),
    }
}

pub(crate) fn summary(status: JobStatus, epoch: Epoch, version: u64, holders: &[u8]) -> JobSummary {
    let record = record(4);
    JobSummary {
        id: JOB,
        status,
        epoch,
        version,
        holders: holders.iter().copied().map(node).collect(),
        shape: record.shape,
        options: record.options,
        blocks_total: 4,
        blocks_done: 0,
        submitted_at_unix_ms: record.submitted_at_unix_ms,
        idempotency_key: None,
        reopened: false,
        fetched: false,
    }
}

pub(crate) fn exchange(worker: WorkerId, kind: WorkerKind, slots: u32) -> Exchange {
    Exchange {
        worker,
        kind,
        name: String::new(),
        device: String::new(),
        threads: 1,
        mflops: 1000.0,
        slots,
    }
}

/// A node's own device wants a block.
pub(crate) fn pull(number: u8) -> PeerMessage {
    PeerMessage::Pull {
        job: JOB,
        exchange: exchange(native(number), WorkerKind::Native, 1),
    }
}

/// The result of a node's own device.
pub(crate) fn result(number: u8, block: u32) -> PeerMessage {
    PeerMessage::Result {
        job: JOB,
        block: BlockIndex(block),
        exchange: exchange(native(number), WorkerKind::Native, 0),
        proof: proof(block),
    }
}

pub(crate) fn proof(block: u32) -> BlockProof {
    BlockProof {
        compute_ms: 1.0,
        receive_us: 0,
        wait_us: 0,
        operations: 20_000_000,
        bytes: 80_000,
        hash: Some(ChunkHash::of(&block.to_le_bytes())),
    }
}

pub(crate) fn held(epoch: Epoch) -> PeerMessage {
    PeerMessage::Held {
        job: JOB,
        epoch,
        leases: Vec::new(),
    }
}

pub(crate) fn lease(epoch: Epoch, worker: WorkerId, block: u32) -> PeerMessage {
    let input = TaskInput::Random {
        seed: Seed(1),
        matrix_cols: 1000,
        row_start: 0,
        col_start: 0,
    };
    let task = BlockTask {
        job: JOB,
        block: BlockIndex(block),
        row_start: 10 * block,
        rows: 10,
        inner: 1000,
        cols: 1000,
        arithmetic: Arithmetic::Reproducible,
        a: input.clone(),
        b: input,
    };
    PeerMessage::Lease {
        job: JOB,
        epoch,
        worker,
        tasks: vec![task],
    }
}

#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) node: Node,
    now: Now,
    /// Peers that say from time to time that they live.
    alive: BTreeSet<u8>,
}

impl Stage {
    /// A node with links to these.
    pub(crate) fn new(own: u8, peers: &[u8]) -> Self {
        Self::with_config(own, peers, NodeConfig::default())
    }

    pub(crate) fn with_config(own: u8, peers: &[u8], config: NodeConfig) -> Self {
        let now = Now::default();
        let mut stage = Self {
            node: Node::new(node(own), INCARNATION, config, now),
            now,
            alive: BTreeSet::new(),
        };
        stage.now.unix_ms = 1_000_000;
        stage.now.moment = stage.now.moment + Duration::from_secs(1);
        for peer in peers {
            stage.links(*peer);
        }
        stage
    }

    /// A node that has a copy of a job of four blocks, of which it has these; node 1 leads it.
    pub(crate) fn with_copy(own: u8, peers: &[u8], holders: &[u8], has: &[u32]) -> Self {
        let mut stage = Self::new(own, peers);
        stage.hears(1, copy_head(1, head(record(4), epoch(1, 1), holders)));
        for block in has {
            stage.hears(1, copy_block(*block, epoch(1, 1)));
        }
        stage
    }

    /// A node that leads a job of four blocks.
    pub(crate) fn leading(own: u8, peers: &[u8]) -> Self {
        let mut stage = Self::new(own, peers);
        stage.input(Input::Submit(Box::new(record(4))));
        for peer in peers {
            stage.hears(*peer, copy_state(stage.epoch(), 1, false, &[]));
        }
        stage
    }

    pub(crate) fn epoch(&self) -> Epoch {
        let replica = self.node.replica(JOB).expect("there is a copy");
        replica.epoch()
    }

    pub(crate) fn input(&mut self, input: Input) -> Vec<Output> {
        self.node.handle(self.now, input)
    }

    pub(crate) fn inputs(&mut self, inputs: Vec<Input>) -> Vec<Output> {
        self.node.handle_all(self.now, inputs)
    }

    pub(crate) fn links(&mut self, peer: u8) -> Vec<Output> {
        self.alive.insert(peer);
        self.input(Input::LinkUp { peer: node(peer) })
    }

    /// The link breaks and is there again at once.
    pub(crate) fn links_anew(&mut self, peer: u8) -> Vec<Output> {
        self.input(Input::LinkDown { peer: node(peer) });
        self.links(peer)
    }

    pub(crate) fn hears(&mut self, from: u8, message: PeerMessage) -> Vec<Output> {
        let from = node(from);
        self.input(Input::Peer { from, message })
    }

    pub(crate) fn told(from: u8, message: PeerMessage) -> Input {
        Input::Peer {
            from: node(from),
            message,
        }
    }

    /// Nothing more comes from it, though its link is open.
    pub(crate) fn falls_silent(&mut self, peer: u8) {
        self.alive.remove(&peer);
    }

    /// Its machine refuses from now on.
    pub(crate) fn dies(&mut self, peer: u8) -> Vec<Output> {
        self.alive.remove(&peer);
        let peer = node(peer);
        let mut outputs = self.input(Input::LinkDown { peer });
        outputs.extend(self.input(Input::Refused { peer }));
        outputs.extend(self.passes(150));
        outputs
    }

    /// So many milliseconds pass, in which the node wakes when it wants to.
    pub(crate) fn passes(&mut self, millis: u64) -> Vec<Output> {
        let mut outputs = Vec::new();
        for beat in 0..millis.div_ceil(BEAT) {
            let end = self.now.moment + Duration::from_millis(BEAT.min(millis - beat * BEAT));
            loop {
                let due = self.node.next_deadline();
                if due > end {
                    break;
                }
                self.now.moment = self.now.moment.max(due);
                outputs.extend(self.input(Input::Tick));
                assert!(self.node.next_deadline() > due, "it does not come to rest");
            }
            self.now.moment = end;
            self.now.unix_ms += BEAT;
            for peer in self.alive.clone() {
                let message = PeerMessage::Heartbeat { sequence: 1 };
                outputs.extend(self.hears(peer, message));
            }
        }
        outputs
    }

    /// The process stands still for so long.
    pub(crate) fn sleeps(&mut self, millis: u64) -> Vec<Output> {
        self.now.moment = self.now.moment + Duration::from_millis(millis);
        self.input(Input::Tick)
    }

    /// Its own device, a thread of 1000 MFLOPS.
    pub(crate) fn computes(&mut self) -> Vec<Output> {
        let profile = WorkerProfile {
            kind: WorkerKind::Native,
            name: String::new(),
            device: String::new(),
            threads: 1,
            mflops: 1000.0,
            contributing: true,
            visible: true,
        };
        let worker = WorkerId::from(self.node.id());
        self.input(Input::Worker { worker, profile })
    }
}

// ----- what it did ---------------------------------------------------------

/// Messages to a node.
pub(crate) fn sent_to(outputs: &[Output], peer: u8) -> Vec<&PeerMessage> {
    let sent = outputs.iter().filter_map(|output| match output {
        Output::Send { to, message } if *to == node(peer) => Some(message),
        _ => None,
    });
    sent.collect()
}

/// How many messages to a node are of a kind.
pub(crate) fn count(outputs: &[Output], peer: u8, is_wanted: fn(&PeerMessage) -> bool) -> usize {
    let sent = sent_to(outputs, peer);
    sent.into_iter()
        .filter(|message| is_wanted(message))
        .count()
}

pub(crate) fn events(outputs: &[Output]) -> Vec<&Event> {
    let events = outputs.iter().filter_map(|output| match output {
        Output::Event(event) => Some(event),
        _ => None,
    });
    events.collect()
}

pub(crate) fn stands(outputs: &[Output]) -> bool {
    (events(outputs).iter()).any(|event| matches!(event, Event::ElectionStarted { .. }))
}

/// The epochs that it won.
pub(crate) fn won(outputs: &[Output]) -> Vec<(u64, u32)> {
    let won = events(outputs).into_iter().filter_map(|event| match event {
        Event::ElectionWon { epoch, done, .. } => Some((epoch.number, *done)),
        _ => None,
    });
    won.collect()
}

/// Whether a device of a node is given a block.
pub(crate) fn leases(outputs: &[Output], peer: u8) -> usize {
    count(
        outputs,
        peer,
        |it| matches!(it, PeerMessage::Lease { tasks, .. } if !tasks.is_empty()),
    )
}
