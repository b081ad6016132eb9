//! A matrix as the body of an answer, written while it is read.

use std::io;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use kernel::entry_bytes::EntryBytes;
use kernel::format::{OutputFormat, ResultWriter};
use tokio::sync::mpsc;
use wire::Problem;

use super::{Band, MatrixRows, RowReader};
use crate::services::Services;

/// Pieces that are written and not yet sent: of half a megabyte as NPY, of up to two as text, or one row.
const PIECES_AHEAD: usize = 2;

/// Up to here writing takes less than a millisecond, and less than to have another thread do it.
const WRITTEN_AT_ONCE_ENTRIES: u64 = 10_000;

/// A body, and its length where it is known beforehand.
#[derive(Debug)]
pub(crate) struct MatrixBody {
    pub(crate) body: Body,
    pub(crate) length: Option<u64>,
}

/// Begins to write `matrix`. The first rows are read before this returns, so
/// that what is not there is an error and not an answer that breaks off.
pub(crate) async fn open(
    services: Services,
    matrix: MatrixRows,
    format: OutputFormat,
) -> Result<MatrixBody, Problem> {
    let (rows, cols) = matrix.sides();
    let writer = ResultWriter::new(format, rows as usize, cols as usize);
    let head = writer.head();
    let entries_bytes = u64::from(rows) * u64::from(cols) * 8;
    let length = (format == OutputFormat::Npy).then_some(head.len() as u64 + entries_bytes);
    let mut reader = RowReader::new(services, matrix);
    if u64::from(rows) * u64::from(cols) <= WRITTEN_AT_ONCE_ENTRIES {
        return written_at_once(writer, reader).await;
    }
    let first = reader.next_band().await?;
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(async move {
        let written = write(writer, format, first, reader, &sender).await;
        // An error means that nobody reads on.
        let _ = match written {
            Ok(()) => sender.send(Ok(None)).await,
            Err(error) => sender.send(Err(error)).await,
        };
    });
    let pieces = stream::try_unfold(pieces, async |mut pieces| {
        // Without its end, or with an error, the connection is closed: nobody takes the part for the whole.
        let broken_off = || Err(io::Error::other("the matrix was not read to its end"));
        let piece: Option<Bytes> = pieces.recv().await.unwrap_or_else(broken_off)?;
        Ok(piece.map(|piece| (piece, pieces)))
    });
    let head = stream::iter((!head.is_empty()).then(|| io::Result::Ok(Bytes::from(head))));
    Ok(MatrixBody {
        body: Body::from_stream(head.chain(pieces)),
        length,
    })
}

async fn written_at_once(
    mut writer: ResultWriter,
    mut reader: RowReader,
) -> Result<MatrixBody, Problem> {
    let mut text = writer.head();
    while let Some(band) = reader.next_band().await? {
        writer.write_rows(&band.entries(), &mut text);
    }
    text.extend(writer.tail());
    Ok(MatrixBody {
        length: Some(text.len() as u64),
        body: Body::from(text),
    })
}

/// A piece of the body, or `None` behind the last.
type Piece = io::Result<Option<Bytes>>;

/// Reads and writes while what was written before is sent. Ends early when nobody takes the pieces.
async fn write(
    mut writer: ResultWriter,
    format: OutputFormat,
    first: Option<Band>,
    mut reader: RowReader,
    pieces: &mpsc::Sender<Piece>,
) -> io::Result<()> {
    let mut next = first;
    while let Some(band) = next {
        let text;
        (writer, text) = write_band(writer, format, band).await?;
        if pieces.send(Ok(Some(text))).await.is_err() {
            return Ok(());
        }
        next = reader.next_band().await.map_err(io::Error::other)?;
    }
    let tail = writer.tail();
    if !tail.is_empty() {
        let _ = pieces.send(Ok(Some(Bytes::from(tail)))).await;
    }
    Ok(())
}

/// Writing numbers as text takes milliseconds a band, so it happens on a
/// thread that may take them.
async fn write_band(
    mut writer: ResultWriter,
    format: OutputFormat,
    band: Band,
) -> io::Result<(ResultWriter, Bytes)> {
    tokio::task::spawn_blocking(move || {
        let entries = band.entries();
        if format == OutputFormat::Npy {
            // As they lie in memory.
            return (writer, Bytes::from_owner(EntryBytes::new(entries)));
        }
        let mut text = Vec::new();
        writer.write_rows(&entries, &mut text);
        (writer, Bytes::from(text))
    })
    .await
    .map_err(io::Error::other)
}
