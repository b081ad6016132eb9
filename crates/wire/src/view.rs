//! What people and programs are shown of the mesh: the API's answers and the
//! pages' material.

use serde::{Deserialize, Serialize};

use crate::{JobId, JobOptions, JobStatus, NodeId, WorkerId};

/// What a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerKind {
    /// A node's own compute.
    Native,
    /// A page.
    Browser,
}

/// How many blocks are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BlockCounts {
    /// Blocks of the cut.
    pub total: u32,
    /// Given to nobody.
    pub pending: u32,
    /// Leased to a worker.
    pub assigned: u32,
    /// Recorded.
    pub done: u32,
}

/// What one device did for one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContributionView {
    /// The device.
    pub worker: WorkerId,
    /// What it is.
    pub kind: WorkerKind,
    /// Its name.
    pub name: String,
    /// Processor or browser, and system.
    pub device: String,
    /// Blocks that count.
    pub blocks: u32,
    /// Distinct rows of C in them.
    pub rows: u32,
    /// 2 · rows · inner · cols, summed over its blocks.
    pub operations: u64,
    /// Milliseconds it computed, summed over its blocks.
    pub compute_ms: f64,
    /// operations / `compute_ms` / 1000; null at 0 ms.
    pub mflops: Option<f64>,
    /// Blocks whose result was checked.
    pub verified_blocks: u32,
}

/// A job, as the API tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// The job's id.
    pub id: JobId,
    /// Where it stands.
    pub status: JobStatus,
    /// Rows of A and C.
    pub rows: u32,
    /// Columns of A, rows of B.
    pub inner: u32,
    /// Columns of B and C.
    pub cols: u32,
    /// What the submitter chose.
    pub options: JobOptions,
    /// Who coordinates it.
    pub coordinator: NodeId,
    /// The number of the coordinator's epoch.
    pub epoch: u64,
    /// Nodes that hold a copy of its state beside the coordinator.
    pub backups: Vec<NodeId>,
    /// How many blocks are where.
    pub blocks: BlockCounts,
    /// Counted one by one as results were counted.
    pub accepted_results: u64,
    /// Every result that a coordinator of the job received, counted or not.
    pub computed_results: u64,
    /// Results that were wrong in form or content.
    pub rejected_results: u64,
    /// Blocks that were taken from one worker and given to another.
    pub reassigned_blocks: u64,
    /// RFC 3339.
    pub submitted_at: String,
    /// RFC 3339; null while it runs.
    pub completed_at: Option<String>,
    /// Milliseconds from submission to the end, or until now.
    pub elapsed_ms: f64,
    /// RFC 3339; null while it runs.
    pub expires_at: Option<String>,
    /// One a device, the one with most rows first.
    pub contributions: Vec<ContributionView>,
    /// Bytes of its result and its inputs on each of its holders; null where none of them answers. An input that
    /// several jobs share counts for each.
    #[serde(default)]
    pub disk_bytes: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Whether a node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeLiveness {
    /// Heard from lately.
    Alive,
    /// Its link broke or it is silent; being looked at again.
    Suspect,
    /// Silent for the heartbeat time-out.
    Unreachable,
}

/// A page that computes through a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BrowserView {
    /// The page.
    pub id: WorkerId,
    /// Browser and system.
    pub device: String,
    /// Web Workers that compute.
    pub threads: u32,
    /// Measured over all of them.
    pub mflops: f64,
    /// Floating-point operations that count, since it joined this node.
    #[serde(default)]
    pub operations: u64,
    /// False while the tab is in the background.
    pub visible: bool,
    /// False while switched off by its person.
    #[serde(default)]
    pub contributing: bool,
}

/// A node, as the API tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// The node.
    pub id: NodeId,
    /// Shown to people.
    pub name: String,
    /// `host:port`, the best of its addresses.
    pub address: String,
    /// Whether it answers.
    pub status: NodeLiveness,
    /// True for the node that gives this answer.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Threads of its processor.
    pub cores: u32,
    /// Measured over all computing threads.
    pub mflops: f64,
    /// Floating-point operations that count, since it started.
    #[serde(default)]
    pub operations: u64,
    /// Processor and system.
    #[serde(default)]
    pub device: String,
    /// While it is unreachable: nodes that reach it. The network keeps it and the node that gives this answer
    /// apart, and what it coordinates gives no work to devices here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen_by: Vec<NodeId>,
    /// Its pages.
    pub browsers: Vec<BrowserView>,
}

/// One device's account over all jobs that this node knows of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceView {
    /// The device.
    pub worker: WorkerId,
    /// Its name.
    pub name: String,
    /// Processor or browser, and system.
    pub device: String,
    /// Rows of C that count.
    pub rows: u64,
    /// Floating-point operations.
    pub operations: u64,
    /// Milliseconds it computed.
    pub compute_ms: f64,
}

/// How another device joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinView {
    /// `http://host:port`, the best first.
    pub addresses: Vec<String>,
    /// The best address as a QR code, SVG.
    pub qr_svg: String,
}

/// The upper left corner of a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultPreview {
    /// Rows of the whole result.
    pub rows: u32,
    /// Columns of the whole result.
    pub cols: u32,
    /// The corner, a row each; text, because JSON has no infinity.
    pub corner: Vec<Vec<String>>,
}
