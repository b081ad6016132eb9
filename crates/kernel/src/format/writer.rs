//! Matrices written row by row, so that a result of any size streams.

use super::number::NumberText;
use crate::entry_bytes::bytes_of;
use alloc::format;
use alloc::vec::Vec;

/// A file format that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputFormat {
    /// NumPy's `.npy`, version 1, `<f8`, C order.
    Npy,
    /// Numbers between commas, one row a line, no header.
    Csv,
    /// Matrix Market, `coordinate real general` with every entry listed row by row: its `array`
    /// form is column by column, which a stream of rows cannot be.
    MatrixMarket,
    /// `{"rows":R,"cols":C,"data":[…]}`, row-major; infinities and NaN as strings.
    Json,
}

impl OutputFormat {
    /// The format of a file with this name, by its suffix; upper or lower case.
    #[must_use]
    pub fn from_suffix(file_name: &str) -> Option<Self> {
        let (_, suffix) = file_name.rsplit_once('.')?;
        Self::from_name(suffix)
    }

    /// The format by the short name that `?format=` and `--format` take.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "npy" => Some(Self::Npy),
            "csv" => Some(Self::Csv),
            "mtx" => Some(Self::MatrixMarket),
            "json" => Some(Self::Json),
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
            Self::Json => "application/json",
        }
    }

    /// The short name: the suffix of such files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Npy => "npy",
            Self::Csv => "csv",
            Self::MatrixMarket => "mtx",
            Self::Json => "json",
        }
    }
}

/// Writes one matrix: [`head`](Self::head), all rows in order, [`tail`](Self::tail).
#[derive(Debug)]
pub struct ResultWriter {
    format: OutputFormat,
    rows: usize,
    cols: usize,
    entries_written: usize,
    number: NumberText,
}

impl ResultWriter {
    /// A writer for a rows × cols matrix.
    #[must_use]
    pub fn new(format: OutputFormat, rows: usize, cols: usize) -> Self {
        Self {
            format,
            rows,
            cols,
            entries_written: 0,
            number: NumberText::new(),
        }
    }

    /// The bytes before the first row.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let (rows, cols) = (self.rows, self.cols);
        match self.format {
            OutputFormat::Npy => npy_head(rows, cols),
            OutputFormat::Csv => Vec::new(),
            OutputFormat::MatrixMarket => format!(
                "%%MatrixMarket matrix coordinate real general\n{rows} {cols} {}\n",
                rows.saturating_mul(cols)
            )
            .into_bytes(),
            OutputFormat::Json => {
                format!("{{\"rows\":{rows},\"cols\":{cols},\"data\":[").into_bytes()
            }
        }
    }

    /// Appends the next rows, whole ones, to `out`.
    ///
    /// # Panics
    /// When `rows` are not whole rows.
    pub fn write_rows(&mut self, rows: &[f64], out: &mut Vec<u8>) {
        assert!(
            rows.is_empty() || (self.cols > 0 && rows.len().is_multiple_of(self.cols)),
            "rows are written whole"
        );
        match self.format {
            OutputFormat::Npy => out.extend_from_slice(&bytes_of(rows)),
            OutputFormat::Csv => self.write_csv(rows, out),
            OutputFormat::MatrixMarket => self.write_coordinates(rows, out),
            OutputFormat::Json => self.write_json(rows, out),
        }
        self.entries_written += rows.len();
    }

    /// The bytes after the last row.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        match self.format {
            OutputFormat::Json => b"]}\n".to_vec(),
            OutputFormat::Npy | OutputFormat::Csv | OutputFormat::MatrixMarket => Vec::new(),
        }
    }

    fn write_csv(&mut self, rows: &[f64], out: &mut Vec<u8>) {
        for row in rows.chunks_exact(self.cols.max(1)) {
            for (col, entry) in row.iter().enumerate() {
                if col > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(self.number.format(*entry).as_bytes());
            }
            out.push(b'\n');
        }
    }

    fn write_coordinates(&mut self, rows: &[f64], out: &mut Vec<u8>) {
        let first_row = self.entries_written / self.cols.max(1);
        for (row, entries) in rows.chunks_exact(self.cols.max(1)).enumerate() {
            let row_text = format!("{} ", first_row + row + 1);
            for (col, entry) in entries.iter().enumerate() {
                out.extend_from_slice(row_text.as_bytes());
                write_integer(col + 1, out);
                out.push(b' ');
                out.extend_from_slice(self.number.format(*entry).as_bytes());
                out.push(b'\n');
            }
        }
    }

    fn write_json(&mut self, rows: &[f64], out: &mut Vec<u8>) {
        for (index, entry) in rows.iter().enumerate() {
            if self.entries_written + index > 0 {
                out.push(b',');
            }
            let text = self.number.format(*entry);
            if entry.is_finite() {
                out.extend_from_slice(text.as_bytes());
            } else {
                out.push(b'"');
                out.extend_from_slice(text.as_bytes());
                out.push(b'"');
            }
        }
    }
}

/// The header is padded with spaces so that the entries start at a multiple of 64 bytes, as NumPy
/// wants it for mapping files into memory.
fn npy_head(rows: usize, cols: usize) -> Vec<u8> {
    const PREFIX: [u8; 8] = *b"\x93NUMPY\x01\x00";
    const ALIGNMENT: usize = 64;
    let words = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {cols}), }}");
    let length = (PREFIX.len() + 2 + words.len() + 1).next_multiple_of(ALIGNMENT);
    let header_length = u16::try_from(length - PREFIX.len() - 2)
        .expect("two numbers make a header far below 64 KiB");
    let mut head = PREFIX.to_vec();
    head.extend(header_length.to_le_bytes());
    head.extend(words.into_bytes());
    head.resize(length - 1, b' ');
    head.push(b'\n');
    head
}

/// Decimal digits without the detour through the formatting machinery.
fn write_integer(mut value: usize, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b"0123456789"[value % 10];
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}
