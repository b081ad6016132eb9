//! From a job's record to the tasks of its blocks.

use crate::limits::TASK_RIGHT_BYTES_MAX;
use kernel::cut::{BLOCK_ENTRIES_MAX, Cut, CutError, LEFT_BYTES_MAX, ProductShape};
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

/// Whether a task can be a block of a job of this shape, as a worker checks before it makes room for it. A cut
/// is known to holders only; these are the bounds of any.
pub(crate) fn is_task_of(shape: Shape, side_max: u32, task: &BlockTask) -> bool {
    let (rows, inner, cols) = (
        u64::from(task.rows),
        u64::from(task.inner),
        u64::from(task.cols),
    );
    // The shape first: what is within its bounds is small enough to be multiplied.
    let is_within = shape.rows.max(shape.inner).max(shape.cols) <= side_max
        && task.inner == shape.inner
        && (1..=u64::from(shape.rows)).contains(&(u64::from(task.row_start) + rows))
        && (1..=u64::from(shape.cols)).contains(&cols)
        && rows > 0
        && rows <= u64::from(shape.rows);
    if !is_within {
        return false;
    }
    // A side that is as short as a cut makes it may have any length of the other.
    let is_small = rows * cols <= BLOCK_ENTRIES_MAX
        && rows.saturating_sub(1) * inner * 8 <= LEFT_BYTES_MAX
        && cols.saturating_sub(COLUMNS_FEWEST) * inner * 8 <= TASK_RIGHT_BYTES_MAX;
    let has_rows = |input: &TaskInput, wanted: u64| match input {
        TaskInput::Random { .. } => true,
        TaskInput::Chunks { chunks } => {
            let rows: u64 = chunks.iter().map(|chunk| u64::from(chunk.rows)).sum();
            rows == wanted
        }
    };
    is_small && has_rows(&task.a, rows) && has_rows(&task.b, inner)
}

/// Columns that a cut gives a block however long they are.
const COLUMNS_FEWEST: u64 = 24;

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
