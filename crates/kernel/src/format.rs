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

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
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

/// In which order a file lists its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Row by row.
    RowMajor,
    /// Column by column.
    ColumnMajor,
}

/// What a reader still has of a matrix when its file has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    /// Rows of the whole matrix.
    pub rows: usize,
    /// Columns of the whole matrix.
    pub cols: usize,
    /// Of these entries and of those that were taken before.
    pub order: Order,
    /// The entries that were not taken.
    pub entries: Vec<f64>,
}

impl Rest {
    /// The matrix, when nothing was taken.
    fn into_matrix(self) -> Result<Matrix, ReadError> {
        let entries = match self.order {
            Order::RowMajor => self.entries,
            Order::ColumnMajor => transpose(&self.entries, self.cols, self.rows),
        };
        Matrix::new(self.rows, self.cols, entries)
            .map_err(|error| ReadError::malformed(Position::End, error.to_string()))
    }
}

/// Reads one matrix from a stream of bytes.
///
/// One that is too large for the memory is taken away while it is read:
///
/// ```
/// use kernel::format::{Format, MatrixReader, Order, ReadLimits};
///
/// let mut reader = MatrixReader::new(Format::Csv, ReadLimits { side_max: 100 });
/// let mut entries = Vec::new();
/// for piece in [b"1,2\n3".as_slice(), b",4\n5,6\n"] {
///     reader.push(piece)?;
///     entries.extend(reader.take_entries());
/// }
/// let rest = reader.finish_rest()?;
/// entries.extend(rest.entries);
/// assert_eq!((rest.rows, rest.cols, rest.order), (3, 2, Order::RowMajor));
/// assert_eq!(entries, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// # Ok::<(), kernel::format::ReadError>(())
/// ```
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

    /// Entries that were read and not taken, as far as they can be taken.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.reader {
            AnyReader::Npy(reader) => reader.held(),
            AnyReader::Csv(reader) => reader.held(),
            AnyReader::MatrixMarket(reader) => reader.held(),
        }
    }

    /// Takes away what was read so far, in the order of the file, which
    /// [`MatrixReader::finish_rest`] tells. Nothing, as long as entries may still come for any
    /// place: of `coordinate` and symmetric Matrix Market files.
    #[must_use]
    pub fn take_entries(&mut self) -> Vec<f64> {
        match &mut self.reader {
            AnyReader::Npy(reader) => reader.take_entries(),
            AnyReader::Csv(reader) => reader.take_entries(),
            AnyReader::MatrixMarket(reader) => reader.take_entries(),
        }
    }

    /// The matrix, when the file ended here.
    ///
    /// # Errors
    /// When the file is not whole, a push failed before, or entries were taken.
    pub fn finish(self) -> Result<Matrix, ReadError> {
        self.finish_rest()?.into_matrix()
    }

    /// What is left of the matrix, when the file ended here.
    ///
    /// # Errors
    /// When the file is not whole, or a push failed before.
    pub fn finish_rest(self) -> Result<Rest, ReadError> {
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
///
/// # Panics
/// When there are less than rows · cols entries.
#[must_use]
pub fn transpose(entries: &[f64], rows: usize, cols: usize) -> Vec<f64> {
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
