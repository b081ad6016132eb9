//! What goes into a node and what comes out.

use std::time::Duration;

use wire::{
    BlockIndex, BlockProof, BlockTask, ChunkHash, Epoch, Exchange, JobId, JobRecord, NodeId,
    NodeStatus, PeerMessage, WorkerId, WorkerKind,
};

use crate::replica::{DoneBlock, Ended, Replica, Tally};

/// A device that computes through this node.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerProfile {
    /// What it is.
    pub kind: WorkerKind,
    /// The name of the node, or of the page's device.
    pub name: String,
    /// Processor or browser, and system.
    pub device: String,
    /// Threads that compute.
    pub threads: u32,
    /// Measured over all of them; 0 is not yet known.
    pub mflops: f64,
    /// False while it must not be given work.
    pub contributing: bool,
    /// False while its tab is in the background.
    pub visible: bool,
}

impl WorkerProfile {
    /// The profile as it travels with a pull or a result.
    #[must_use]
    pub fn exchange(&self, worker: WorkerId, slots: u32) -> Exchange {
        Exchange {
            worker,
            kind: self.kind,
            name: self.name.clone(),
            device: self.device.clone(),
            threads: self.threads,
            mflops: self.mflops,
            slots,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A deadline has come.
    Tick,
    /// A link to a peer, whose identity was proved, is open.
    LinkUp {
        /// The peer.
        peer: NodeId,
    },
    /// The link to a peer broke.
    LinkDown {
        /// The peer.
        peer: NodeId,
    },
    /// A message came.
    Peer {
        /// Who sent it.
        from: NodeId,
        /// The message.
        message: PeerMessage,
    },
    /// Something of this node itself changed.
    OwnStatus(NodeStatus),
    /// A device computes through this node from now on, or its profile changed.
    Worker {
        /// The device.
        worker: WorkerId,
        /// All of its profile.
        profile: WorkerProfile,
    },
    /// A device is gone.
    WorkerLeft {
        /// The device.
        worker: WorkerId,
    },
    /// A device finished a block; the bytes are kept outside until
    /// [`Output::ReleaseResult`].
    WorkerResult {
        /// The device.
        worker: WorkerId,
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
        /// What it took, hash included.
        proof: BlockProof,
    },
    /// A device cannot compute a block.
    WorkerGaveBack {
        /// The device.
        worker: WorkerId,
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
    },
    /// A job was submitted here; its inputs are stored already.
    Submit(Box<JobRecord>),
    /// Somebody cancels a job.
    Cancel {
        /// The job.
        job: JobId,
    },
    /// A job from this node's store, at start.
    Restore(Box<Replica>),
    /// The node is about to stop: say goodbye.
    Leave,
}

/// What to do, strictly in the order given.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Make this durable before anything that follows is done.
    Persist(Change),
    /// Send a message; when there is no link it is dropped.
    Send {
        /// To whom.
        to: NodeId,
        /// The message. For a result the sender adds the kept bytes.
        message: PeerMessage,
    },
    /// Tell a device of this node.
    ToWorker {
        /// The device.
        worker: WorkerId,
        /// What it is told.
        command: WorkerCommand,
    },
    /// The bytes of this result need not be kept any longer.
    ReleaseResult {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
        /// The device that computed it.
        worker: WorkerId,
        /// Which of its results: of each that came one is released.
        hash: ChunkHash,
    },
    /// The link to this peer is dead, though nobody closed it: close it.
    CloseLink {
        /// The peer.
        peer: NodeId,
    },
    /// There is a node at these addresses (`host:port`): link to it.
    Dial {
        /// The node.
        peer: NodeId,
        /// The best first.
        addresses: Vec<String>,
    },
    /// Worth a log line and a look at the views.
    Event(Event),
}

/// What a device of this node is told.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkerCommand {
    /// Compute this block. Inputs that are not here are at `coordinator`.
    Task {
        /// The block.
        task: BlockTask,
        /// Who leases it.
        coordinator: NodeId,
    },
    /// Stop: one block, or all of a job.
    Drop {
        /// The job.
        job: JobId,
        /// The block.
        block: Option<BlockIndex>,
    },
    /// A result was recorded, or is not needed.
    Counted {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
        /// True when this device has the credit.
        counted: bool,
    },
}

/// A growth of the stored state; the store applies each in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A new job, coordinated here.
    Accepted {
        /// All that is fixed.
        record: Box<JobRecord>,
        /// The first epoch.
        epoch: Epoch,
    },
    /// A block is done; its bytes are those kept for (job, block, worker).
    Done {
        /// The job.
        job: JobId,
        /// The block and its proof.
        done: DoneBlock,
        /// The epoch in which it was counted.
        epoch: Epoch,
        /// The epoch's tally, this result included.
        tally: Tally,
    },
    /// The job ended.
    Ended {
        /// The job.
        job: JobId,
        /// How and when.
        ended: Ended,
        /// The epoch in which it ended.
        epoch: Epoch,
        /// The epoch's last tally.
        tally: Tally,
    },
    /// The job's time to live is over: keep its id, remove the rest.
    Expired {
        /// The job.
        job: JobId,
    },
}

/// Something that people and programs watch for.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A block counts.
    BlockDone {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
        /// Who computed it.
        worker: WorkerId,
        /// Milliseconds it computed.
        compute_ms: f64,
    },
    /// A job ended.
    JobEnded {
        /// The job.
        job: JobId,
        /// How.
        ended: Ended,
        /// From submission to the end.
        elapsed: Duration,
    },
    /// Something of a job that is coordinated here or of the directory changed.
    JobChanged {
        /// The job.
        job: JobId,
    },
    /// A result was wrong in form.
    ResultRefused {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
        /// Who sent it.
        worker: WorkerId,
        /// A sentence for the log.
        reason: String,
    },
    /// A block goes from one device to another.
    BlockReassigned {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
    },
    /// A peer's liveness or status changed.
    MeshChanged,
}
