//! A job's matrices: where they are, and what a page shows of the result.

use std::collections::BTreeMap;

use cluster::Node;
use kernel::format::{OutputFormat, ResultWriter};
use wire::{JobId, JobStatus, MatrixSource, Problem, ResultPreview, Shape};

use super::{Place, ask_coordinator, expired, locate, path_of};
use crate::http::forward::Question;
use crate::matrix_rows::{MatrixRows, RowReader};
use crate::services::Services;

/// No preview is larger; pages show 15 rows and columns.
const CORNER_SIDE_MAX: u32 = 100;

/// Blocks of the largest result of which some may be in memory.
const SMALL_BLOCKS_MAX: usize = 256;

/// One of a job's two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputName {
    /// The left factor.
    A,
    /// The right factor.
    B,
}

/// The upper left corner of a result.
pub(crate) async fn preview(
    services: &Services,
    job: JobId,
    side: u32,
) -> Result<ResultPreview, Problem> {
    match locate(services, job).await? {
        Place::Here => match preview_here(services, job, side).await {
            Err(problem) if problem.status >= 500 => {
                preview_elsewhere(services, job, side, problem).await
            }
            preview => preview,
        },
        Place::At(node) => {
            let away = crate::http::forward::away(node, "");
            preview_elsewhere(services, job, side, away).await
        }
    }
}

/// The same from the first other holder that can give it.
async fn preview_elsewhere(
    services: &Services,
    job: JobId,
    side: u32,
    problem: Problem,
) -> Result<ResultPreview, Problem> {
    let mut first = None;
    for node in services.holders(job, None).await {
        let question = Question::read(format!("{}/result/corner?side={side}", path_of(job)));
        match ask_coordinator(services, node, question).await {
            Ok(preview) => return Ok(preview),
            Err(problem) => first.get_or_insert(problem),
        };
    }
    Err(first.unwrap_or(problem))
}

/// The upper left corner of a result that is here.
pub(crate) async fn preview_here(
    services: &Services,
    job: JobId,
    side: u32,
) -> Result<ResultPreview, Problem> {
    let side = side.min(CORNER_SIDE_MAX);
    let result = result_here(services, job).await?;
    let (rows, cols) = result.sides();
    let mut reader = RowReader::new(services.clone(), result.left_part(side));
    let mut corner: Vec<Vec<String>> = Vec::new();
    let wanted = rows.min(side) as usize;
    while corner.len() < wanted {
        let Some(band) = reader.next_band().await? else {
            break;
        };
        let width = band.width();
        let texts = band
            .entries()
            .chunks(width)
            .map(|row| row_texts(&row[..width.min(side as usize)]))
            .collect::<Vec<_>>();
        corner.extend(texts);
    }
    corner.truncate(wanted);
    Ok(ResultPreview { rows, cols, corner })
}

/// The result of a complete job that this node answers for.
pub(crate) async fn result_here(services: &Services, job: JobId) -> Result<MatrixRows, Problem> {
    let look = move |node: &Node, _| {
        let (replica, cut) = (node.replica(job)?, *node.cut(job)?);
        let done = replica.done.len();
        // Of one of more blocks none is looked for in memory.
        let blocks = replica
            .done
            .values()
            .take(if done <= SMALL_BLOCKS_MAX { done } else { 0 });
        let hashes: BTreeMap<_, _> = blocks.map(|done| (done.block, done.hash)).collect();
        Some((replica.status(), done, cut, hashes))
    };
    let (status, done, cut, hashes) = services
        .driver
        .look(look)
        .await?
        .ok_or_else(|| expired(job))?;
    match status {
        JobStatus::Complete if done < cut.block_count() as usize => Err(Problem::new(
            503,
            format!("job {job} is complete, and not all of it is here yet: try again"),
        )),
        JobStatus::Complete => Ok(MatrixRows::result(job, &cut, &hashes)),
        JobStatus::Running => {
            let detail = format!(
                "job {job} is not complete yet: {done} of {} blocks are done",
                cut.block_count()
            );
            Err(Problem::new(409, detail))
        }
        JobStatus::Failed | JobStatus::Cancelled => Err(Problem::new(
            409,
            format!("job {job} is {status}: it has no result"),
        )),
    }
}

/// An input of a job that this node answers for.
pub(crate) async fn input_here(
    services: &Services,
    job: JobId,
    name: InputName,
) -> Result<MatrixRows, Problem> {
    let look = move |node: &Node, _| {
        let record = &node.replica(job)?.record;
        let source = match name {
            InputName::A => record.a.clone(),
            InputName::B => record.b.clone(),
        };
        Some((record.shape, source, *node.cut(job)?))
    };
    let (shape, source, cut) = services
        .driver
        .look(look)
        .await?
        .ok_or_else(|| expired(job))?;
    let Shape { rows, inner, cols } = shape;
    let (rows, cols) = match name {
        InputName::A => (rows, inner),
        InputName::B => (inner, cols),
    };
    match (source, name) {
        (MatrixSource::Random(seed), _) => Ok(MatrixRows::seeded(seed, rows, cols)),
        (MatrixSource::Chunks(hashes), InputName::A) => {
            MatrixRows::chunks(job, (rows, cols), &cut.all_left_chunks(), &hashes)
        }
        (MatrixSource::Chunks(hashes), InputName::B) => {
            MatrixRows::chunks(job, (rows, cols), &cut.all_right_chunks(), &hashes)
        }
    }
}

/// Numbers as a CSV file has them: the shortest digits that read back.
fn row_texts(row: &[f64]) -> Vec<String> {
    let mut text = Vec::new();
    ResultWriter::new(OutputFormat::Csv, 1, row.len()).write_rows(row, &mut text);
    let text = String::from_utf8_lossy(&text);
    text.trim_end().split(',').map(str::to_owned).collect()
}
