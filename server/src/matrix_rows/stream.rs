//! A matrix as the body of an answer, written while it is read.

use std::io;

use async_stream::try_stream;
use axum::body::Body;
use bytes::Bytes;
use kernel::format::{OutputFormat, ResultWriter};
use wire::Problem;

use super::{Band, MatrixRows, RowReader};
use crate::services::Services;

/// A body, and its length where the format tells it beforehand.
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
    let mut writer = ResultWriter::new(format, rows as usize, cols as usize);
    let head = writer.head();
    let entries_bytes = u64::from(rows) * u64::from(cols) * 8;
    let length = (format == OutputFormat::Npy).then_some(head.len() as u64 + entries_bytes);
    let mut reader = RowReader::new(services, matrix);
    let mut next = reader.next_band().await?;
    let stream = try_stream! {
        if !head.is_empty() {
            yield Bytes::from(head);
        }
        while let Some(band) = next {
            let (written, text) = write_band(writer, band).await?;
            writer = written;
            yield text;
            // An error here closes the connection: nobody takes the part for
            // the whole.
            next = reader.next_band().await.map_err(io::Error::other)?;
        }
        let tail = writer.tail();
        if !tail.is_empty() {
            yield Bytes::from(tail);
        }
    };
    // The stream's own type cannot be named, and its error is an `io::Error`.
    let stream: futures_util::stream::BoxStream<'static, io::Result<Bytes>> = Box::pin(stream);
    Ok(MatrixBody {
        body: Body::from_stream(stream),
        length,
    })
}

/// Writing numbers as text takes milliseconds a band, so it happens on a
/// thread that may take them.
async fn write_band(mut writer: ResultWriter, band: Band) -> io::Result<(ResultWriter, Bytes)> {
    tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        writer.write_rows(&band.entries(), &mut text);
        (writer, Bytes::from(text))
    })
    .await
    .map_err(io::Error::other)
}
