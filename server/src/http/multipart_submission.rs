//! A job submitted as files, by a program or an HTML form.
//!
//! The files are read as they arrive: each piece goes to a thread that reads
//! the format, so a file is never held beside the matrix in it.

use std::path::Path;

use axum::body::{Body, HttpBody};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use bytes::Bytes;
use kernel::format::{Format, MatrixReader, ReadLimits};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wire::{Arithmetic, JobOptions, Problem, Spread};

use super::json_submission::read_options;
use super::submit::read_failed;
use super::upload::{Allowance, SILENCE_MAX, UploadStream, stalled};
use crate::jobs::store_failed;
use crate::submission::{Intake, IntakeError, Operand, Product};

/// Bytes that a part's headers may have, what the connection hands over at
/// once included.
const HEADERS_BYTES_MAX: u64 = 2 << 20;

/// Fields that are no files are a few words.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// A number as text with its separator takes at most this much, in Matrix
/// Market with its row and column before it.
const ENTRY_BYTES_MAX: u64 = 40;

/// Pieces of a file that wait for the thread that reads them.
const PIECES_WAITING_MAX: usize = 4;

/// A body up to this length is small: reading it where it arrives takes less time than waking a thread
/// for it, and about a millisecond if all of it is text.
const SMALL_BYTES_MAX: u64 = 256 << 10;

/// A larger matrix is kept on the disk until it is cut, so that many of any size may come at once.
const MEMORY_BYTES_MAX: usize = 256 << 20;

const ACCEPTED: &str = ".npy, .csv or .mtx (application/x-npy, text/csv, text/x-matrix-market)";

/// How files are read.
#[derive(Clone, Copy)]
struct ReadingOptions<'a> {
    side_max: u32,
    /// Where a large matrix is kept.
    folder: &'a Path,
    /// The whole body is.
    is_small: bool,
}

#[derive(Debug, Default)]
struct Parts {
    a: Option<Operand>,
    b: Option<Operand>,
    options: JobOptions,
}

/// Reads a submission whose matrices are files.
pub(super) async fn read(
    request: Request,
    side_max: u32,
    folder: &Path,
) -> Result<Product, Problem> {
    let (parts, body) = request.into_parts();
    let is_small = (body.size_hint().upper()).is_some_and(|bytes| bytes <= SMALL_BYTES_MAX);
    let (stream, allowance) = UploadStream::with_allowance(body, HEADERS_BYTES_MAX);
    let request = Request::from_parts(parts, Body::from_stream(stream));
    let mut multipart = Multipart::from_request(request, &())
        .await
        .map_err(|rejection| {
            Problem::new(
                400,
                format!(
                    "the multipart body cannot be read: {}",
                    rejection.body_text()
                ),
            )
        })?;
    let reading = ReadingOptions {
        side_max,
        folder,
        is_small,
    };
    let mut read = Parts::default();
    while let Some(field) = next_field(&mut multipart).await? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "a" => read_file("A", field, &mut read.a, reading, &allowance).await?,
            "b" => read_file("B", field, &mut read.b, reading, &allowance).await?,
            "options" => read.options = read_options(&read_text(field, &allowance).await?)?,
            "arithmetic" => {
                let text = read_text(field, &allowance).await?;
                read.options.arithmetic = arithmetic_named(text.trim())?;
            }
            "spread" => {
                let text = read_text(field, &allowance).await?;
                read.options.spread = spread_named(text.trim())?;
            }
            // A form may have fields that mean something to others only.
            _ => {
                read_text(field, &allowance).await?;
            }
        }
    }
    Ok(Product {
        a: read.a.ok_or_else(|| missing("A"))?,
        b: read.b.ok_or_else(|| missing("B"))?,
        options: read.options,
        idempotency_key: None,
    })
}

async fn next_field(multipart: &mut Multipart) -> Result<Option<Field<'_>>, Problem> {
    match tokio::time::timeout(SILENCE_MAX, multipart.next_field()).await {
        Ok(field) => field.map_err(|error| malformed(&error)),
        Err(_) => Err(stalled()),
    }
}

async fn next_piece(
    field: &mut Field<'_>,
    allowance: &Allowance,
) -> Result<Option<Bytes>, Problem> {
    let piece = match tokio::time::timeout(SILENCE_MAX, field.chunk()).await {
        Ok(piece) => piece.map_err(|error| malformed(&error))?,
        Err(_) => return Err(stalled()),
    };
    allowance.refill(piece.as_ref().map_or(0, Bytes::len));
    Ok(piece)
}

async fn read_file(
    name: &'static str,
    mut field: Field<'_>,
    matrix: &mut Option<Operand>,
    options: ReadingOptions<'_>,
    allowance: &Allowance,
) -> Result<(), Problem> {
    let side_max = options.side_max;
    if matrix.is_some() {
        return Err(Problem::new(422, format!("matrix {name} was sent twice")));
    }
    // A form's file field in which nothing was chosen.
    if field.file_name() == Some("") {
        return Err(missing(name));
    }
    let format = format_of(name, &field)?;
    let mut file_bytes_left = file_bytes_max(side_max);
    let reader = MatrixReader::new(format, ReadLimits { side_max });
    let intake = Intake::new(reader, options.folder.to_owned(), MEMORY_BYTES_MAX);
    // A few words of Matrix Market may be a matrix of gigabytes.
    let mut reading = match options.is_small && format != Format::MatrixMarket {
        true => Reading::InPlace(Ok(intake)),
        false => Reading::beside(intake),
    };
    while let Some(piece) = next_piece(&mut field, allowance).await? {
        file_bytes_left = file_bytes_left
            .checked_sub(piece.len() as u64)
            .ok_or_else(|| {
                let limit = file_bytes_max(side_max) >> 20;
                Problem::new(
                    413,
                    format!("matrix {name}: the file is over the limit of {limit} MiB"),
                )
            })?;
        // The reader stops at the first mistake, and says which it was below.
        if !reading.take(piece).await {
            break;
        }
    }
    let read = reading.finish().await?;
    *matrix = Some(read.map_err(|error| match error {
        IntakeError::Read(error) => read_failed(name, &error),
        IntakeError::Disk(error) => store_failed(&error),
    })?);
    Ok(())
}

/// A file that is being read, by this task or by a thread that may take its time.
enum Reading {
    InPlace(Result<Intake, IntakeError>),
    Beside(
        mpsc::Sender<Bytes>,
        JoinHandle<Result<Operand, IntakeError>>,
    ),
}

impl Reading {
    fn beside(intake: Intake) -> Self {
        let (pieces, waiting) = mpsc::channel(PIECES_WAITING_MAX);
        let reading = tokio::task::spawn_blocking(move || take_in(intake, waiting));
        Self::Beside(pieces, reading)
    }

    /// Whether more is wanted.
    async fn take(&mut self, piece: Bytes) -> bool {
        match self {
            Self::InPlace(intake) => {
                if let Ok(reader) = intake
                    && let Err(error) = reader.push(&piece)
                {
                    *intake = Err(error);
                }
                intake.is_ok()
            }
            Self::Beside(pieces, _) => pieces.send(piece).await.is_ok(),
        }
    }

    async fn finish(self) -> Result<Result<Operand, IntakeError>, Problem> {
        match self {
            Self::InPlace(intake) => Ok(intake.and_then(Intake::finish)),
            Self::Beside(pieces, reading) => {
                drop(pieces);
                let read = reading.await;
                read.map_err(|_| Problem::new(500, "reading the file failed"))
            }
        }
    }
}

fn take_in(mut intake: Intake, mut pieces: mpsc::Receiver<Bytes>) -> Result<Operand, IntakeError> {
    while let Some(piece) = pieces.blocking_recv() {
        intake.push(&piece)?;
    }
    intake.finish()
}

fn format_of(name: &str, field: &Field<'_>) -> Result<Format, Problem> {
    let by_name = field.file_name().and_then(Format::from_suffix);
    let by_type = || field.content_type().and_then(Format::from_media_type);
    by_name.or_else(by_type).ok_or_else(|| {
        let found = field
            .file_name()
            .or(field.content_type())
            .unwrap_or("a part without a file name");
        Problem::new(
            415,
            format!("matrix {name}: {found} is no known format, expected {ACCEPTED}"),
        )
    })
}

async fn read_text(mut field: Field<'_>, allowance: &Allowance) -> Result<String, Problem> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut text = Vec::new();
    while let Some(piece) = next_piece(&mut field, allowance).await? {
        if text.len() + piece.len() > TEXT_BYTES_MAX {
            let limit = TEXT_BYTES_MAX >> 10;
            return Err(Problem::new(
                413,
                format!("part {name:?} is over the limit of {limit} KiB"),
            ));
        }
        text.extend_from_slice(&piece);
    }
    String::from_utf8(text)
        .map_err(|_| Problem::new(400, format!("part {name:?} is not UTF-8 text")))
}

fn arithmetic_named(text: &str) -> Result<Arithmetic, Problem> {
    match text {
        "" | "reproducible" => Ok(Arithmetic::Reproducible),
        "fast" => Ok(Arithmetic::Fast),
        _ => Err(unknown_option("arithmetic", text, "reproducible or fast")),
    }
}

fn spread_named(text: &str) -> Result<Spread, Problem> {
    match text {
        "" | "all" => Ok(Spread::All),
        "fastest" => Ok(Spread::Fastest),
        _ => Err(unknown_option("spread", text, "all or fastest")),
    }
}

fn unknown_option(name: &str, text: &str, expected: &str) -> Problem {
    Problem::new(
        422,
        format!("options: {name} is {text:?}, expected {expected}"),
    )
}

fn missing(name: &str) -> Problem {
    let part = name.to_lowercase();
    let detail =
        format!("matrix {name} is missing: choose a file for it (part {part:?}), {ACCEPTED}");
    Problem::new(422, detail)
}

/// What the largest matrix takes in the most long-winded format.
fn file_bytes_max(side_max: u32) -> u64 {
    let entries = u64::from(side_max) * u64::from(side_max);
    entries * ENTRY_BYTES_MAX + (1 << 20)
}

fn malformed(error: &MultipartError) -> Problem {
    Problem::new(
        400,
        format!("the multipart body cannot be read: {}", error.body_text()),
    )
}
