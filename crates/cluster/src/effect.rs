//! What goes into a node and what comes out.

use std::net::SocketAddr;
use std::time::Duration;

use wire::{
    BlockIndex, BlockProof, BlockTask, ChunkHash, DoneBlock, Ended, Epoch, Exchange, ExpiredJob,
    JobId, JobRecord, Leadership, NodeId, NodeStatus, PeerMessage, Tally, WorkerId, WorkerKind,
};

use crate::replica::Replica;

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
    /// The second look: the peer's machine refused the connection, so no
    /// process listens there.
    Refused {
        /// The peer.
        peer: NodeId,
    },
    /// Every address at which the peer was ever known was tried, and no node answered.
    Unreached {
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
    /// A page that came from another node: what it has begun there.
    WorkerHolds {
        /// The device.
        worker: WorkerId,
        /// Blocks that it computes or will.
        blocks: Vec<(JobId, BlockIndex)>,
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
    /// A job was submitted here; its inputs are stored already, or are with its record.
    Submit(Box<JobRecord>),
    /// The submission of a job failed: the job was never announced, and somebody may have
    /// submitted it elsewhere since.
    Withdraw {
        /// The job.
        job: JobId,
        /// Of that submission: under one key there may be others.
        submitted_at_unix_ms: u64,
    },
    /// Somebody cancels a job.
    Cancel {
        /// The job.
        job: JobId,
    },
    /// Somebody deletes a job, and with it its result; one that runs is cancelled.
    Delete {
        /// The job.
        job: JobId,
    },
    /// Somebody was sent the whole result of a job by this node.
    Fetched {
        /// The job.
        job: JobId,
    },
    /// A job from this node's store, at start.
    Restore(Box<Restored>),
    /// A job whose time was over before this node started: nobody brings it back.
    Buried(ExpiredJob),
    /// The stored bytes of a block are not what they were.
    ResultDamaged {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
    },
    /// The inputs of a job are stored here, as [`Output::FetchInputs`] asked.
    InputsStored {
        /// The job.
        job: JobId,
    },
    /// They could not be fetched: no holder answered, or there is no room.
    InputsMissing {
        /// The job.
        job: JobId,
    },
    /// The node is about to stop: hand its jobs over.
    Resign,
    /// The node stops now: say goodbye.
    Leave,
}

/// A copy of a job that was on disk while the node was away.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// The copy.
    pub replica: Replica,
    /// How long ago it ended, if it did, by this node's own calendar.
    pub ended_ago: Duration,
    /// Whether every chunk of its inputs is on disk, too: a node may have died
    /// while it copied them.
    pub has_inputs: bool,
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
    /// Fetch the chunks of this job from its holders and store them; then
    /// [`Input::InputsStored`] or [`Input::InputsMissing`].
    FetchInputs {
        /// The job.
        record: Box<JobRecord>,
        /// Who has them, the best first.
        holders: Vec<NodeId>,
    },
    /// The link to this peer is dead, though nobody closed it: close it.
    CloseLink {
        /// The peer.
        peer: NodeId,
    },
    /// There is a node at these addresses: link to it.
    Dial {
        /// The node.
        peer: NodeId,
        /// The best first.
        addresses: Vec<SocketAddr>,
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
    /// A job that is new here: submitted here, or copied from its coordinator.
    Accepted {
        /// All that is fixed.
        record: Box<JobRecord>,
        /// Who leads and who holds.
        leadership: Leadership,
    },
    /// All of a job but its blocks, as it is now.
    Head {
        /// The job.
        job: JobId,
        /// Who leads and who holds.
        leadership: Leadership,
        /// The tallies that rose.
        tallies: Vec<(Epoch, Tally)>,
        /// How it ended, and how long ago: calendars differ between nodes, so
        /// the store counts from its own.
        ended: Option<(Ended, Duration)>,
    },
    /// A block is done; its bytes are those kept for (job, block, worker).
    /// A record that is stored already and does not stand against this one is
    /// replaced.
    Done {
        /// The job.
        job: JobId,
        /// The block and its proof.
        done: Box<DoneBlock>,
        /// The tally of the epoch in which it was counted.
        tally: Tally,
    },
    /// The bytes of a block are damaged: remove it.
    Lost {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
    },
    /// The job is gone: keep its id, remove the rest.
    Expired(ExpiredJob),
    /// Remove all of the job, as if it had never been here.
    Withdrawn {
        /// The job.
        job: JobId,
    },
}

impl Change {
    /// The job that changes.
    #[must_use]
    pub fn job(&self) -> JobId {
        match self {
            Self::Accepted { record, .. } => record.id,
            Self::Expired(expired) => expired.job,
            Self::Head { job, .. }
            | Self::Done { job, .. }
            | Self::Lost { job, .. }
            | Self::Withdrawn { job } => *job,
        }
    }
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
    /// A submitted job and its inputs are stored here and on the backups that
    /// it names: it is not lost any more.
    JobSafe {
        /// The job.
        job: JobId,
    },
    /// This node stands for election.
    ElectionStarted {
        /// The job.
        job: JobId,
    },
    /// This node leads a job from now on.
    ElectionWon {
        /// The job.
        job: JobId,
        /// Its epoch.
        epoch: Epoch,
        /// Blocks that are still to be computed.
        pending: u32,
        /// Blocks that are done.
        done: u32,
    },
    /// This node led a job and found out that another does.
    SteppedDown {
        /// The job.
        job: JobId,
        /// The epoch that ended.
        from: Epoch,
        /// The epoch that stands.
        to: Epoch,
    },
    /// A peer is taken for dead.
    PeerLost {
        /// The peer.
        peer: NodeId,
        /// True when it was silent, false when its machine refused.
        silent: bool,
    },
    /// A peer's liveness or status changed.
    MeshChanged,
}

impl Event {
    /// The job of which it tells, if it is of one.
    #[must_use]
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::BlockDone { job, .. }
            | Self::JobEnded { job, .. }
            | Self::JobChanged { job }
            | Self::ResultRefused { job, .. }
            | Self::BlockReassigned { job, .. }
            | Self::JobSafe { job }
            | Self::ElectionStarted { job }
            | Self::ElectionWon { job, .. }
            | Self::SteppedDown { job, .. } => Some(*job),
            Self::PeerLost { .. } | Self::MeshChanged => None,
        }
    }
}
