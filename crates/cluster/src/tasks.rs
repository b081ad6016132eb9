//! From a job's record to the tasks of its blocks.

use kernel::cut::{Cut, CutError, ProductShape};
use wire::{BlockIndex, BlockTask, Chunk, JobRecord, MatrixSource, Shape, Spread, TaskInput};

/// The cut that a record states, checked: a record may come from elsewhere.
pub(crate) fn cut_of(record: &JobRecord) -> Result<Cut, CutError> {
    let shape = product_of(record.shape);
    Cut::from_parts(shape, record.cut.rows_per_block, record.cut.cols_per_block)
}

/// Whether blocks of such a job are given to the devices that are there without being asked: waiting
/// for their questions would take longer than computing. What is larger is given to those that have
/// room, because it takes room.
pub(crate) fn is_given_unasked(shape: Shape, spread: Spread) -> bool {
    spread == Spread::All && product_of(shape).is_tiny()
}

fn product_of(Shape { rows, inner, cols }: Shape) -> ProductShape {
    ProductShape { rows, inner, cols }
}

/// All that a worker needs to compute a block; `None` when the cut has no such
/// block or the record names too few chunks.
pub(crate) fn task_of(record: &JobRecord, cut: &Cut, index: BlockIndex) -> Option<BlockTask> {
    let block = cut.block(index.0)?;
    let row_block = index.0 % cut.row_blocks();
    let col_block = index.0 / cut.row_blocks();
    let left: Vec<u32> = rows_of(&cut.left_chunks(row_block));
    let right: Vec<u32> = rows_of(&cut.right_chunks(col_block));
    // All blocks but the last have as many chunks as the first.
    let left_before = row_block as usize * cut.left_chunks(0).len();
    let right_before = col_block as usize * cut.right_chunks(0).len();
    Some(BlockTask {
        job: record.id,
        block: index,
        row_start: block.rows.start,
        rows: block.rows.end - block.rows.start,
        inner: record.shape.inner,
        cols: block.cols.end - block.cols.start,
        arithmetic: record.options.arithmetic,
        a: input_of(
            &record.a,
            &left,
            left_before,
            record.shape.inner,
            block.rows.start,
            0,
        )?,
        b: input_of(
            &record.b,
            &right,
            right_before,
            record.shape.cols,
            0,
            block.cols.start,
        )?,
    })
}

fn rows_of(rectangles: &[kernel::cut::Rectangle]) -> Vec<u32> {
    rectangles
        .iter()
        .map(|rectangle| rectangle.rows.end - rectangle.rows.start)
        .collect()
}

fn input_of(
    source: &MatrixSource,
    chunk_rows: &[u32],
    chunks_before: usize,
    matrix_cols: u32,
    row_start: u32,
    col_start: u32,
) -> Option<TaskInput> {
    match source {
        MatrixSource::Random(seed) => Some(TaskInput::Random {
            seed: *seed,
            matrix_cols,
            row_start,
            col_start,
        }),
        MatrixSource::Chunks(hashes) => {
            let hashes = hashes.get(chunks_before..chunks_before + chunk_rows.len())?;
            let chunks = hashes.iter().zip(chunk_rows);
            Some(TaskInput::Chunks {
                chunks: chunks
                    .map(|(hash, rows)| Chunk {
                        hash: *hash,
                        rows: *rows,
                    })
                    .collect(),
            })
        }
    }
}
