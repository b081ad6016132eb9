//! Messages between nodes. PROTOCOL.md tells their story in prose.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{
    BlockIndex, BlockProof, BlockSet, BlockTask, ChunkHash, CopyHead, DoneBlock, Epoch, JobId,
    JobSummary, NodeId, Tally, WorkerId, WorkerKind,
};

/// What a node tells the others about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Counts up with each change, so that a late one is known as such.
    pub version: u64,
    /// Shown to people.
    pub name: String,
    /// Where browsers and nodes reach it, the best first. Never text: what others report becomes part
    /// of URLs and of the rule for origins.
    pub addresses: Vec<SocketAddr>,
    /// Processor and system.
    pub device: String,
    /// Threads of the processor.
    pub cores: u32,
    /// Threads that compute; 0 computes nothing itself.
    pub threads: u32,
    /// Measured over all computing threads.
    pub mflops: f64,
    /// Floating-point operations of its own that count, since it started; told every few seconds.
    pub operations: u64,
    /// The pages that compute through it.
    pub browsers: Vec<BrowserStatus>,
}

/// A page that computes through a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BrowserStatus {
    /// The id the page drew.
    pub worker: WorkerId,
    /// Browser and system.
    pub device: String,
    /// Web Workers.
    pub threads: u32,
    /// Measured over all of them.
    pub mflops: f64,
    /// Floating-point operations that count, since it joined its node.
    pub operations: u64,
    /// False while the tab is in the background.
    pub visible: bool,
    /// False while switched off by its person.
    pub contributing: bool,
}

/// Where a node is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acquaintance {
    /// The node.
    pub node: NodeId,
    /// The best first.
    pub addresses: Vec<SocketAddr>,
}

/// A worker's request, with what its coordinator needs to know to place work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The device that computes.
    pub worker: WorkerId,
    /// What it is.
    pub kind: WorkerKind,
    /// The device's or node's name.
    pub name: String,
    /// Processor or browser, and system.
    pub device: String,
    /// Threads that compute.
    pub threads: u32,
    /// Measured over all threads.
    pub mflops: f64,
    /// Blocks it can take now.
    pub slots: u32,
}

/// What a device is computing of a job, for a coordinator that did not lease it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldLease {
    /// The device.
    pub exchange: Exchange,
    /// Its blocks.
    pub blocks: Vec<BlockIndex>,
}

/// Why a holder does not let a candidate lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// There is a coordinator of this epoch, and it lives as far as is known.
    CoordinatorLives(Epoch),
    /// The refusing node has the higher id and stands for election itself.
    HigherStands,
}

/// How the one who needs a chunk came to ask this node for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChunkAsk {
    /// Give it, or say who else gives it.
    Open,
    /// Another node said that this one gives it. It does, also when the chunk is
    /// still on its way to it.
    Referred,
    /// The node that was named did not give it; give it yourself.
    InsteadOf {
        /// That node.
        node: NodeId,
    },
}

/// A job whose time to live is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExpiredJob {
    /// The job.
    pub job: JobId,
    /// When it was submitted, as its record says: an `Idempotency-Key` may bring the same id again. 0 where
    /// that is not known.
    pub submitted_at_unix_ms: u64,
    /// Somebody deleted it before its time was over: it is gone wherever it still is.
    pub is_deleted: bool,
}

/// One message from node to node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PeerMessage {
    /// The sender lives.
    Heartbeat {
        /// Counts up.
        sequence: u64,
    },
    /// The sender, when something of it changed.
    Status(NodeStatus),
    /// Nodes that the sender is linked to, so that a newcomer who knows one of
    /// the mesh comes to know them all.
    Acquaintances(Vec<Acquaintance>),
    /// The sender leaves on purpose; it is not missed for a time-out's length.
    Goodbye,
    /// Where a job stands, from its coordinator.
    Job(JobSummary),
    /// A page of the directory, on a new link: where these jobs stand, as the sender knows. In pages,
    /// because a directory grows with the life of a mesh and a queue of messages must not.
    Directory(Vec<JobSummary>),
    /// Worker's node to coordinator: this device has room.
    Pull {
        /// The job it wants blocks of.
        job: JobId,
        /// The device.
        exchange: Exchange,
    },
    /// Coordinator to worker's node: these blocks are the device's until the
    /// coordinator's block time-out.
    Lease {
        /// The job.
        job: JobId,
        /// The coordinator's epoch; a smaller one than is known is refused.
        epoch: Epoch,
        /// The device.
        worker: WorkerId,
        /// Blocks, in the order in which to compute them.
        tasks: Vec<BlockTask>,
    },
    /// Coordinator to worker's node: nothing for this device now.
    NoWork {
        /// The job.
        job: JobId,
        /// The device.
        worker: WorkerId,
    },
    /// Coordinator to all: blocks are pending again; pull if there is room.
    WorkAvailable {
        /// The job.
        job: JobId,
    },
    /// Worker's node to coordinator: these leases are given back.
    GiveBack {
        /// The job.
        job: JobId,
        /// The device.
        worker: WorkerId,
        /// The blocks; empty is all that the device has.
        blocks: Vec<BlockIndex>,
        /// True when the device itself is gone.
        gone: bool,
    },
    /// Coordinator to worker's node: no need to compute these.
    Drop {
        /// The job.
        job: JobId,
        /// The device.
        worker: WorkerId,
        /// The blocks; empty is all that the device has.
        blocks: Vec<BlockIndex>,
    },
    /// Worker's node to coordinator: a result, its bytes behind the envelope.
    Result {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
        /// The device, its `slots` the room it has now: a result is a pull too.
        exchange: Exchange,
        /// What it took; the hash is always there.
        proof: BlockProof,
    },
    /// Coordinator to worker's node: the result was recorded, or is not needed;
    /// either way it need not be kept.
    Counted {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
        /// The device.
        worker: WorkerId,
        /// True when this device has the credit.
        counted: bool,
    },
    /// Worker's node to a coordinator that is new to it: what its devices are
    /// computing, or have computed and keep for it: those results follow, perhaps seconds later.
    /// Sent also when that is nothing, for the coordinator waits.
    Held {
        /// The job.
        job: JobId,
        /// The epoch that it answers.
        epoch: Epoch,
        /// One entry a device.
        leases: Vec<HeldLease>,
    },
    /// Coordinator to backup, and any holder to whoever asked: a copy without
    /// its blocks. A backup answers with `CopyState` once it is stored.
    CopyHead {
        /// The job.
        job: JobId,
        /// Counts up with each change at the sender; the answer names it.
        number: u64,
        /// The copy.
        head: Box<CopyHead>,
        /// Lengths of the chunks behind the envelope: all that the record names, in
        /// its order. None where a backup is to fetch them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inputs: Vec<u32>,
    },
    /// The same for one block, its bytes behind the envelope.
    CopyBlock {
        /// The job.
        job: JobId,
        /// The sender's epoch.
        epoch: Epoch,
        /// The block.
        done: Box<DoneBlock>,
        /// The tally of the epoch in which it was counted.
        tally: Tally,
        /// Length of its bytes.
        bytes: u64,
    },
    /// A holder to the coordinator: what is stored there. Sent unasked when
    /// the coordinator is new to it or is back.
    CopyState {
        /// The job.
        job: JobId,
        /// The highest epoch that the sender knows; the coordinator of a
        /// smaller one steps down.
        epoch: Epoch,
        /// The last head that it stored of those that this coordinator numbered.
        head: u64,
        /// True when its inputs are stored as well.
        has_inputs: bool,
        /// The end is, if the job has ended.
        has_end: bool,
        /// The blocks that are stored.
        blocks: BlockSet,
        /// True when `blocks` are all of them, false when they are news only.
        is_all: bool,
    },
    /// A holder to a candidate or a coordinator: what is stored here.
    /// The blocks that the other lacks follow, and may be seconds behind this message, which overtakes them; so
    /// the receiver waits for them, and nobody computes them again.
    Inventory {
        /// The job.
        job: JobId,
        /// The blocks that are stored.
        blocks: BlockSet,
    },
    /// A candidate, or a coordinator that lacks blocks, to a holder: send what
    /// I do not have, then your state.
    CopyRequest {
        /// The job.
        job: JobId,
        /// The epoch that the sender stands for or leads.
        epoch: Epoch,
        /// What it has.
        have: BlockSet,
    },
    /// A holder to the holders with higher ids: the coordinator is gone. Who
    /// gets it answers and stands itself, or refuses.
    Election {
        /// The job.
        job: JobId,
        /// The epoch whose coordinator is missed.
        epoch: Epoch,
    },
    /// A holder to one that stands for election.
    Refused {
        /// The job.
        job: JobId,
        /// Why.
        refusal: Refusal,
    },
    /// A coordinator that leaves on purpose, to its backups: elect another.
    Resign {
        /// The job.
        job: JobId,
        /// The epoch that ends.
        epoch: Epoch,
    },
    /// These jobs are gone: their time to live was over before the receiver came back to speak
    /// of them, or somebody deleted them.
    Expired {
        /// The jobs.
        jobs: Vec<ExpiredJob>,
    },
    /// Somebody was sent the whole results of these jobs: where a directory is full, they go first.
    Fetched {
        /// The jobs.
        jobs: Vec<JobId>,
    },
    /// The coordinator of this epoch never acknowledged the job to its submitter, and drops it. Whoever
    /// has a copy goes on without it; for all others the job never was.
    Withdrawn {
        /// The job.
        job: JobId,
        /// The sender's epoch.
        epoch: Epoch,
    },
    /// The sender's link to a node broke: does it still answer to you?
    Missing {
        /// The node.
        node: NodeId,
    },
    /// The answer: whether the sender has a link to it that works.
    Seen {
        /// The node.
        node: NodeId,
        /// Whether it answers.
        alive: bool,
    },
    /// Somebody cancels a job at another node.
    Cancel {
        /// The job.
        job: JobId,
    },
    /// Needs a chunk.
    ChunkRequest {
        /// Which.
        hash: ChunkHash,
        /// From whom.
        ask: ChunkAsk,
    },
    /// A chunk, its bytes behind the envelope.
    Chunk {
        /// Which.
        hash: ChunkHash,
    },
    /// The sender does not have that chunk.
    ChunkMissing {
        /// Which.
        hash: ChunkHash,
    },
    /// Another node has that chunk, or is about to.
    ChunkElsewhere {
        /// Which.
        hash: ChunkHash,
        /// Where.
        node: NodeId,
    },
}

impl PeerMessage {
    /// Whether it stays behind the blocks that were sent before it. All others overtake them, so that
    /// heartbeats and leases never wait behind megabytes.
    #[must_use]
    pub fn goes_behind_blocks(&self) -> bool {
        match self {
            Self::Result { .. }
            | Self::CopyBlock { .. }
            | Self::CopyState { is_all: true, .. }
            | Self::Directory(_) => true,
            // An end means that all blocks are there.
            Self::CopyHead { head, .. } => head.ended.is_some(),
            _ => false,
        }
    }
}
