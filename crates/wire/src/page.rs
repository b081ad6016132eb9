//! Messages between a page that computes and the node that served it.
//!
//! Their envelope is JSON, which a browser reads without a library and a
//! student reads in the developer tools; matrices follow it as raw bytes.

use serde::{Deserialize, Serialize};

use crate::{BlockIndex, BlockProof, BlockTask, ChunkHash, JobId, NodeId, WorkerId};

/// What a page tells of its device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageStatus {
    /// For people: browser and system, such as `Chromium 140, Android`.
    pub device: String,
    /// Web Workers that compute.
    pub threads: u32,
    /// Measured by a short multiplication over all threads; 0 is not yet known.
    pub mflops: f64,
    /// False while the tab is in the background, where browsers slow it down.
    pub visible: bool,
    /// False while the person has switched `Contribute this device` off.
    pub contributing: bool,
}

/// A block in the hands of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBlock {
    /// The job.
    pub job: JobId,
    /// The block.
    pub block: BlockIndex,
}

/// One message between a page and its node; the comment says who sends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PageMessage {
    /// Page: the first message. `protocol` must be the node's.
    Hello {
        /// [`crate::PAGE_PROTOCOL_VERSION`].
        protocol: u32,
        /// The id this tab drew.
        worker: WorkerId,
        /// The device.
        status: PageStatus,
    },
    /// Node: the answer to `Hello`.
    Welcome {
        /// The node that serves the page.
        node: NodeId,
        /// Its name, shown to people.
        name: String,
        /// Addresses (`http://host:port`) of live nodes, to move to when this
        /// one dies.
        nodes: Vec<String>,
    },
    /// Node: the addresses changed.
    Nodes {
        /// Addresses of live nodes.
        nodes: Vec<String>,
    },
    /// Node: another page came with the same id (a duplicated tab): draw a new
    /// one and come again.
    Superseded,
    /// Page: something of its status changed.
    Status {
        /// The device.
        status: PageStatus,
    },
    /// Page: the path of what it shows. Its news are wanted from now on, all of it first.
    Watch {
        /// Such as `/nodes`.
        path: String,
    },
    /// Node: what is new to what the page shows. [`crate::News`] follow as JSON.
    News,
    /// Node: compute this block. A page has as many as its threads, and as
    /// many again on their way.
    Task {
        /// The block.
        task: BlockTask,
    },
    /// Node: stop; the job ended or the block is somebody else's.
    Drop {
        /// The job.
        job: JobId,
        /// One block, or all of the job.
        block: Option<BlockIndex>,
    },
    /// Page: what it computes or will, after its link was made anew: here or at
    /// another node.
    Holding {
        /// The blocks.
        blocks: Vec<HeldBlock>,
    },
    /// Page: needs a chunk.
    ChunkRequest {
        /// Which.
        hash: ChunkHash,
    },
    /// Node: the chunk, its bytes behind the envelope.
    Chunk {
        /// Which.
        hash: ChunkHash,
    },
    /// Node: no holder of the chunk answers; the page gives the block back.
    ChunkMissing {
        /// Which.
        hash: ChunkHash,
    },
    /// Page: cannot compute this block (no memory, inputs missing).
    GiveBack {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
        /// A sentence for the log.
        reason: String,
    },
    /// Page: the block, its bytes behind the envelope. The page keeps them
    /// until `Counted` or `Drop` comes.
    Result {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
        /// What it took.
        proof: BlockProof,
    },
    /// Node: the result counts, or does not (late, or refused).
    Counted {
        /// The job.
        job: JobId,
        /// The block.
        block: BlockIndex,
        /// True when this device has the credit for the block.
        counted: bool,
        /// Rows of C that are in the block, for the page's own account.
        rows: u32,
    },
}
