//! Matrix files as streams: NPY, CSV and Matrix Market are read from byte slices as they arrive,
//! and written row by row; JSON is written likewise, and the `data` of a submission is read whole.
//!
//! Everything that comes in is hostile. A reader never believes a header: memory grows with the
//! bytes that came, sides are checked against the limit before anything is stored, and every error
//! says where it is and what was expected there.

pub mod json;

mod csv;
mod error;
mod matrix_market;
mod npy;
mod number;
mod writer;

pub use error::{Position, ReadError};
pub use writer::{OutputFormat, ResultWriter};

use crate::Matrix;

/// A file format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// NumPy's `.npy`, versions 1 to 3.
    Npy,
    /// Numbers between commas, one row a line, no header.
    Csv,
    /// Matrix Market, `array` and `coordinate`.
    MatrixMarket,
}

impl Format {
    /// The format of a file with this name, by its suffix; upper or lower case.
    #[must_use]
    pub fn from_suffix(file_name: &str) -> Option<Self> {
        let (_, suffix) = file_name.rsplit_once('.')?;
        match suffix.to_ascii_lowercase().as_str() {
            "npy" => Some(Self::Npy),
            "csv" => Some(Self::Csv),
            "mtx" => Some(Self::MatrixMarket),
            _ => None,
        }
    }

    /// The format of this media type, parameters such as `charset` aside.
    #[must_use]
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/x-npy" => Some(Self::Npy),
            "text/csv" => Some(Self::Csv),
            "text/x-matrix-market" | "application/x-matrix-market" => Some(Self::MatrixMarket),
            _ => None,
        }
    }

    /// The media type it is sent as.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Npy => "application/x-npy",
            Self::Csv => "text/csv",
            Self::MatrixMarket => "text/x-matrix-market",
        }
    }
}

/// Bounds for what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Largest number of rows, and of columns.
    pub side_max: u32,
}

/// Reads one matrix from a stream of bytes.
#[derive(Debug)]
pub struct MatrixReader {
    reader: AnyReader,
    failure: Option<ReadError>,
}

#[derive(Debug)]
enum AnyReader {
    Npy(npy::NpyReader),
    Csv(Box<csv::CsvReader>),
    MatrixMarket(matrix_market::MatrixMarketReader),
}

impl MatrixReader {
    /// A reader for one file in this format.
    #[must_use]
    pub fn new(format: Format, limits: ReadLimits) -> Self {
        let reader = match format {
            Format::Npy => AnyReader::Npy(npy::NpyReader::new(limits)),
            Format::Csv => AnyReader::Csv(Box::new(csv::CsvReader::new(limits))),
            Format::MatrixMarket => {
                AnyReader::MatrixMarket(matrix_market::MatrixMarketReader::new(limits))
            }
        };
        Self {
            reader,
            failure: None,
        }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// As soon as the bytes so far cannot be the beginning of an acceptable file; every later call
    /// then says the same.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let outcome = match &mut self.reader {
            AnyReader::Npy(reader) => reader.push(bytes),
            AnyReader::Csv(reader) => reader.push(bytes),
            AnyReader::MatrixMarket(reader) => reader.push(bytes),
        };
        self.failure = outcome.as_ref().err().cloned();
        outcome
    }

    /// The rows and columns that the file announces in its header, once that was read. A CSV file
    /// announces nothing.
    #[must_use]
    pub fn announced_shape(&self) -> Option<(u32, u32)> {
        match &self.reader {
            AnyReader::Npy(reader) => reader.announced_shape(),
            AnyReader::Csv(_) => None,
            AnyReader::MatrixMarket(reader) => reader.announced_shape(),
        }
    }

    /// The matrix, when the file ended here.
    ///
    /// # Errors
    /// When the file is not whole, or a push failed before.
    pub fn finish(self) -> Result<Matrix, ReadError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        match self.reader {
            AnyReader::Npy(reader) => reader.finish(),
            AnyReader::Csv(reader) => reader.finish(),
            AnyReader::MatrixMarket(reader) => reader.finish(),
        }
    }
}

/// The transpose of a rows × cols matrix, by squares that fit a cache.
fn transpose(entries: &[f64], rows: usize, cols: usize) -> Vec<f64> {
    const SQUARE: usize = 32;
    let mut out = vec![0.0; entries.len()];
    for row_start in (0..rows).step_by(SQUARE) {
        for col_start in (0..cols).step_by(SQUARE) {
            for row in row_start..rows.min(row_start + SQUARE) {
                for col in col_start..cols.min(col_start + SQUARE) {
                    out[col * rows + row] = entries[row * cols + col];
                }
            }
        }
    }
    out
}
