//! CSV: numbers between commas, one row of the matrix a line. Cells may be quoted, lines may end in
//! CRLF, blank lines are skipped, and there is no header row.
//!
//! The state machine is `csv-core`'s; here are the bounds, the shape and the messages.

use alloc::format;
use alloc::vec::Vec;
use csv_core::{ReadFieldResult, Reader};

use super::number::{TOKEN_BYTES_MAX, parse_number, quote};
use super::{Order, Position, ReadError, ReadLimits, Rest};

const BYTE_ORDER_MARK: [u8; 3] = *b"\xef\xbb\xbf";

/// Reads a CSV file.
#[derive(Debug)]
pub(super) struct CsvReader {
    machine: Reader,
    side_max: usize,
    /// The first bytes, held back until it is clear whether they are a byte order mark.
    opening: Option<Vec<u8>>,
    cell: [u8; TOKEN_BYTES_MAX],
    cell_length: usize,
    /// Within a quoted cell: so far an odd number of quotation marks.
    quote_is_open: bool,
    cols: Option<usize>,
    cells_in_row: usize,
    rows: usize,
    entries: Vec<f64>,
}

impl CsvReader {
    pub(super) fn new(limits: ReadLimits) -> Self {
        Self {
            machine: Reader::new(),
            side_max: limits.side_max as usize,
            opening: Some(Vec::new()),
            cell: [0; TOKEN_BYTES_MAX],
            cell_length: 0,
            quote_is_open: false,
            cols: None,
            cells_in_row: 0,
            rows: 0,
            entries: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        let Some(mut opening) = self.opening.take() else {
            return self.read(bytes);
        };
        opening.extend_from_slice(bytes);
        if opening.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(&opening) {
            self.opening = Some(opening);
            return Ok(());
        }
        self.read(opening.strip_prefix(&BYTE_ORDER_MARK).unwrap_or(&opening))
    }

    pub(super) fn held(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn take_entries(&mut self) -> Vec<f64> {
        core::mem::take(&mut self.entries)
    }

    pub(super) fn finish(mut self) -> Result<Rest, ReadError> {
        if let Some(opening) = self.opening.take() {
            self.read(&opening)?;
        }
        // An empty slice tells the machine that this is the end, as often as it has something left.
        while self.step(&[])?.1 {}
        if self.quote_is_open {
            return Err(ReadError::malformed(
                Position::End,
                "a closing quotation mark before the end of the file",
            ));
        }
        let cols = self.cols.unwrap_or(0);
        if self.rows == 0 || cols == 0 {
            return Err(ReadError::unacceptable(
                Position::End,
                "at least one row of numbers",
            ));
        }
        // Each row was found to have as many.
        Ok(Rest {
            rows: self.rows,
            cols,
            order: Order::RowMajor,
            entries: self.entries,
        })
    }

    fn read(&mut self, mut bytes: &[u8]) -> Result<(), ReadError> {
        let marks = bytes.iter().filter(|byte| **byte == b'"').count();
        self.quote_is_open ^= marks % 2 == 1;
        while !bytes.is_empty() {
            let (taken, _) = self.step(bytes)?;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// One step of the machine: bytes taken, and whether it has more to say about these.
    fn step(&mut self, bytes: &[u8]) -> Result<(usize, bool), ReadError> {
        let room = &mut self.cell[self.cell_length..];
        let (outcome, taken, written) = self.machine.read_field(bytes, room);
        self.cell_length += written;
        match outcome {
            ReadFieldResult::InputEmpty => Ok((taken, false)),
            ReadFieldResult::OutputFull => Err(ReadError::malformed(
                self.position(),
                format!(
                    "a number of at most {TOKEN_BYTES_MAX} characters, found a longer cell (is a \
                     quotation mark not closed?)"
                ),
            )),
            ReadFieldResult::Field { record_end } => {
                self.take_cell()?;
                if record_end {
                    self.end_row()?;
                }
                Ok((taken, true))
            }
            ReadFieldResult::End => Ok((taken, false)),
        }
    }

    fn take_cell(&mut self) -> Result<(), ReadError> {
        self.cells_in_row += 1;
        if self.cells_in_row > self.side_max {
            return Err(self.too_large());
        }
        let text = &self.cell[..self.cell_length];
        let at = self.position();
        let number = parse_number(text, || at).map_err(|error| explain_cell(text, at, error))?;
        self.entries.push(number);
        self.cell_length = 0;
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), ReadError> {
        self.rows += 1;
        if self.rows > self.side_max {
            return Err(self.too_large());
        }
        let found = core::mem::take(&mut self.cells_in_row);
        let cols = *self.cols.get_or_insert(found);
        if found == cols {
            return Ok(());
        }
        let at = Position::Row(self.rows as u64);
        Err(ReadError::unacceptable(
            at,
            format!("{cols} numbers, as in row 1, found {found}"),
        ))
    }

    fn position(&self) -> Position {
        Position::Cell {
            row: self.rows as u64 + 1,
            column: self.cells_in_row.max(1) as u64,
        }
    }

    fn too_large(&self) -> ReadError {
        let limit = u32::try_from(self.side_max).unwrap_or(u32::MAX);
        ReadError::TooLarge {
            at: Position::Row(self.rows.max(1) as u64),
            limit,
        }
    }
}

/// Turns "not a number" into what is probably behind it.
fn explain_cell(text: &[u8], at: Position, error: ReadError) -> ReadError {
    if text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        let expected = "a cell that ends on its line (is a quotation mark not closed?)";
        return ReadError::malformed(at, expected);
    }
    if core::str::from_utf8(text).is_err() || text.contains(&0) {
        return ReadError::malformed(at, format!("text, found the bytes {}", quote(text)));
    }
    let hint = if text.contains(&b';') {
        "; cells are separated by commas, not by semicolons"
    } else if text.trim_ascii().contains(&b'\t') {
        "; cells are separated by commas, not by tabs"
    } else if text.trim_ascii().iter().any(|byte| matches!(byte, b' ')) {
        "; cells are separated by commas, not by spaces"
    } else if matches!(at, Position::Cell { row: 1, .. }) && is_word(text) {
        "; the file must have no header row"
    } else {
        ""
    };
    match error {
        ReadError::Unacceptable { at, expected } => ReadError::Unacceptable {
            at,
            expected: expected + hint,
        },
        other => other,
    }
}

/// Whether this looks like a column's name: it begins like a word, and is not how a program writes
/// infinity or NaN.
fn is_word(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let is_number = core::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok());
    text.first().is_some_and(u8::is_ascii_alphabetic) && !is_number
}
