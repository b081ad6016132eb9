//! Records of jobs, for all tests of this crate.

use kernel::cut::{Cut, ProductShape};
use wire::{
    Arithmetic, ChunkHash, CutShape, JobId, JobOptions, JobRecord, MatrixSource, NodeId, Seed,
    Shape, Spread,
};

/// A job of `blocks` blocks of ten rows, each of 20 million operations: 20 ms
/// for a thread of 1000 MFLOPS.
pub(crate) fn product(id: JobId, blocks: u32) -> JobRecord {
    JobRecord {
        id,
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
        origin: NodeId::from_bytes([1; 16]),
        submitted_at_unix_ms: 0,
        idempotency_key: None,
    }
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
