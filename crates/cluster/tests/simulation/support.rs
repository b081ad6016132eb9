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
use kernel::cut::{Cut, ProductShape};
use wire::{
    Arithmetic, ChunkHash, CutShape, JobId, JobOptions, JobRecord, MatrixSource, NodeId, Seed,
    Shape, Spread, WorkerId, WorkerKind,
};

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

/// A job of `blocks` blocks of ten rows, each of 20 million operations: 20 ms
/// for a thread of 1000 MFLOPS.
pub(crate) fn record(number: u8, blocks: u32) -> JobRecord {
    JobRecord {
        id: job(number),
        shape: Shape {
            rows: 10 * blocks,
            inner: 1000,
            cols: 1000,
        },
        options: JobOptions {
            arithmetic: Arithmetic::Reproducible,
            spread: Spread::All,
        },
        cut: CutShape {
            rows_per_block: 10,
            cols_per_block: 1000,
        },
        a: MatrixSource::Random(Seed(1)),
        b: MatrixSource::Random(Seed(2)),
        origin: node(1),
        submitted_at_unix_ms: 0,
        idempotency_key: None,
    }
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

/// The same of two files, which must be copied for a node to lead.
pub(crate) fn of_files(mut record: JobRecord) -> JobRecord {
    let Shape { rows, inner, cols } = record.shape;
    let CutShape {
        rows_per_block,
        cols_per_block,
    } = record.cut;
    let product = ProductShape { rows, inner, cols };
    let cut = Cut::from_parts(product, rows_per_block, cols_per_block).expect("a cut");
    let chunks = |count: usize| {
        let hash = |index: usize| ChunkHash::of(&index.to_le_bytes());
        MatrixSource::Chunks((0..count).map(hash).collect())
    };
    record.a = chunks(cut.all_left_chunks().len());
    record.b = chunks(cut.all_right_chunks().len());
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
