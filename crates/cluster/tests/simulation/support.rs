//! A mesh in memory: real nodes, and everything around them simulated.

pub(crate) mod device;
mod looking;
pub(crate) mod mesh;
mod network;
mod queue;
pub(crate) mod random;
mod running;
pub(crate) mod store;

use std::time::Duration;

use cluster::WorkerProfile;
use wire::{CutShape, JobId, JobRecord, MatrixSource, NodeId, Shape, Spread, WorkerId, WorkerKind};

pub(crate) use crate::records::of_files;
use crate::records::product;

pub(crate) fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

/// The native worker of a node has the node's bits.
pub(crate) fn native(number: u8) -> WorkerId {
    WorkerId::from(node(number))
}

pub(crate) fn page(number: u8) -> WorkerId {
    let mut bytes = [0xcc; 16];
    bytes[15] = number;
    WorkerId::from_bytes(bytes)
}

pub(crate) fn job(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The job of this number, of so many blocks.
pub(crate) fn record(number: u8, blocks: u32) -> JobRecord {
    product(job(number), blocks)
}

/// A job of `blocks` blocks of a row each that is tiny: blocks are given away unasked.
pub(crate) fn tiny(number: u8, blocks: u32) -> JobRecord {
    let mut record = record(number, blocks);
    record.shape = Shape {
        rows: blocks,
        inner: 100,
        cols: 100,
    };
    record.cut = CutShape {
        rows_per_block: 1,
        cols_per_block: 100,
    };
    record
}

/// Whether nothing of a job's inputs has to be copied.
pub(crate) fn is_seeded(record: &JobRecord) -> bool {
    let is_seed = |source: &MatrixSource| matches!(source, MatrixSource::Random(_));
    is_seed(&record.a) && is_seed(&record.b)
}

/// The same for the devices that shorten the job only.
pub(crate) fn fastest(number: u8, blocks: u32) -> JobRecord {
    let mut record = record(number, blocks);
    record.options.spread = Spread::Fastest;
    record
}

/// 2 × 2 by blocks of one row, as a person's first try is.
pub(crate) fn two_by_two(number: u8) -> JobRecord {
    let mut record = record(number, 1);
    record.shape = Shape {
        rows: 2,
        inner: 2,
        cols: 2,
    };
    record.cut = CutShape {
        rows_per_block: 1,
        cols_per_block: 2,
    };
    record
}

pub(crate) fn profile(kind: WorkerKind, threads: u32, mflops: f64) -> WorkerProfile {
    WorkerProfile {
        kind,
        name: "device".to_owned(),
        device: "simulated".to_owned(),
        threads,
        mflops,
        contributing: true,
        visible: true,
    }
}
