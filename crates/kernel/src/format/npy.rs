//! NPY, NumPy's own format: a header that says the type, order and shape, then the entries.
//!
//! Versions 1, 2 and 3; f8, f4, i8 and i4 of either byte order; C and Fortran order; two dimensions.

mod header;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use super::number::exact_integer;
use super::{Order, Position, ReadError, ReadLimits, Rest};
use crate::entry_bytes::ENTRY_BYTES;
use header::{EntryKind, Header};

const MAGIC: [u8; 6] = *b"\x93NUMPY";
/// Headers of plain arrays are a few dozen bytes, padded to 64 or 128; those of structured types,
/// which no matrix has, can be longer.
const HEADER_BYTES_MAX: usize = 1 << 16;

/// Reads an NPY file.
#[derive(Debug)]
pub(super) struct NpyReader {
    limits: ReadLimits,
    bytes_taken: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The magic, the version, the header's length and the header itself.
    Header(VecDeque<u8>),
    Entries(EntryReader),
}

impl NpyReader {
    pub(super) fn new(limits: ReadLimits) -> Self {
        Self {
            limits,
            bytes_taken: 0,
            stage: Stage::Header(VecDeque::new()),
        }
    }

    pub(super) fn announced_shape(&self) -> Option<(u32, u32)> {
        match &self.stage {
            Stage::Header(_) => None,
            Stage::Entries(reader) => Some((reader.header.rows, reader.header.cols)),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        self.bytes_taken += bytes.len() as u64;
        match &mut self.stage {
            Stage::Entries(reader) => reader.push(bytes),
            Stage::Header(opening) => {
                opening.extend(bytes);
                let opening = opening.make_contiguous();
                let Some((header, length)) = read_opening(opening, self.limits)? else {
                    return Ok(());
                };
                let mut reader = EntryReader::new(header, length as u64);
                reader.push(&opening[length..])?;
                self.stage = Stage::Entries(reader);
                Ok(())
            }
        }
    }

    pub(super) fn held(&self) -> usize {
        match &self.stage {
            Stage::Header(_) => 0,
            Stage::Entries(reader) => reader.entries.len(),
        }
    }

    pub(super) fn take_entries(&mut self) -> Vec<f64> {
        match &mut self.stage {
            Stage::Header(_) => Vec::new(),
            Stage::Entries(reader) => {
                reader.taken += reader.entries.len();
                core::mem::take(&mut reader.entries)
            }
        }
    }

    pub(super) fn finish(self) -> Result<Rest, ReadError> {
        match self.stage {
            Stage::Entries(reader) => reader.finish(),
            Stage::Header(_) => Err(ReadError::malformed(
                Position::Byte(self.bytes_taken),
                "more of the NPY header, found the end of the file",
            )),
        }
    }
}

/// The header and the number of bytes before the entries, once they are all there.
fn read_opening(bytes: &[u8], limits: ReadLimits) -> Result<Option<(Header, usize)>, ReadError> {
    let seen = bytes.len().min(MAGIC.len());
    if bytes[..seen] != MAGIC[..seen] {
        let expected = "an NPY file, which begins with the bytes \\x93NUMPY";
        return Err(ReadError::malformed(Position::Byte(0), expected));
    }
    let Some(version) = bytes.get(MAGIC.len()) else {
        return Ok(None);
    };
    let length_bytes = match version {
        1 => 2,
        2 | 3 => 4,
        other => {
            let expected = format!("NPY version 1, 2 or 3, found {other}");
            return Err(ReadError::malformed(Position::Byte(6), expected));
        }
    };
    let first = MAGIC.len() + 2;
    let Some(length) = bytes.get(first..first + length_bytes) else {
        return Ok(None);
    };
    let length = length
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    if length > HEADER_BYTES_MAX {
        let expected = format!("a header of at most {HEADER_BYTES_MAX} bytes, found {length}");
        return Err(ReadError::malformed(Position::Byte(first as u64), expected));
    }
    let first = first + length_bytes;
    let Some(words) = bytes.get(first..first + length) else {
        return Ok(None);
    };
    Header::parse(words, first as u64, limits).map(|header| Some((header, first + length)))
}

/// Reads the entries after a header.
#[derive(Debug)]
struct EntryReader {
    header: Header,
    first_byte: u64,
    /// Entries as they come, so column by column in Fortran order.
    entries: Vec<f64>,
    /// How many were taken away before these.
    taken: usize,
    entries_expected: u64,
    /// The beginning of an entry whose end is still to come.
    partial: Vec<u8>,
}

impl EntryReader {
    fn new(header: Header, first_byte: u64) -> Self {
        let entries_expected = u64::from(header.rows) * u64::from(header.cols);
        Self {
            header,
            first_byte,
            entries: Vec::new(),
            taken: 0,
            entries_expected,
            partial: Vec::new(),
        }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), ReadError> {
        let width = self.header.kind.width();
        let came = self.bytes_came() + bytes.len() as u64;
        let expected = self.entries_expected * width as u64;
        if came > expected {
            return Err(self.wrong_length(came));
        }
        if !self.partial.is_empty() {
            let (head, rest) = bytes.split_at(bytes.len().min(width - self.partial.len()));
            self.partial.extend_from_slice(head);
            bytes = rest;
            if self.partial.len() < width {
                return Ok(());
            }
            let whole = core::mem::take(&mut self.partial);
            self.push_entries(&whole)?;
        }
        let (whole, rest) = bytes.split_at(bytes.len() - bytes.len() % width);
        self.push_entries(whole)?;
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    fn finish(self) -> Result<Rest, ReadError> {
        if self.came() as u64 != self.entries_expected {
            return Err(self.wrong_length(self.bytes_came()));
        }
        Ok(Rest {
            rows: self.header.rows as usize,
            cols: self.header.cols as usize,
            order: match self.header.is_fortran_order {
                true => Order::ColumnMajor,
                false => Order::RowMajor,
            },
            entries: self.entries,
        })
    }

    /// Entries that are whole.
    fn came(&self) -> usize {
        self.taken + self.entries.len()
    }

    /// Whole entries, appended.
    fn push_entries(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        let first = self.came();
        let (kind, is_big) = (self.header.kind, self.header.is_big_endian);
        if kind == EntryKind::F8 && !is_big {
            return self.push_as_they_are(bytes);
        }
        let ordered = |mut bytes: [u8; 8], width: usize| {
            if is_big {
                bytes[..width].reverse();
            }
            bytes
        };
        self.reserve(bytes.len() / kind.width());
        for (index, chunk) in bytes.chunks_exact(kind.width()).enumerate() {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            let eight = ordered(eight, chunk.len());
            let four = [eight[0], eight[1], eight[2], eight[3]];
            let entry = match kind {
                EntryKind::F8 => f64::from_le_bytes(eight),
                EntryKind::F4 => f64::from(f32::from_le_bytes(four)),
                EntryKind::I4 => f64::from(i32::from_le_bytes(four)),
                EntryKind::I8 => {
                    let value = i64::from_le_bytes(eight);
                    exact_integer(value, || self.header.position(first + index))?
                }
            };
            if !entry.is_finite() {
                let expected = format!("a finite number, found {entry}");
                return Err(ReadError::unacceptable(
                    self.header.position(first + index),
                    expected,
                ));
            }
            self.entries.push(entry);
        }
        Ok(())
    }

    /// Entries whose bytes are those of an f64 already.
    fn push_as_they_are(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        let held = self.entries.len();
        // They lie anywhere in a piece of a file.
        let (whole, _) = bytes.as_chunks::<ENTRY_BYTES>();
        self.reserve(whole.len());
        let entries = whole.iter().copied().map(f64::from_le_bytes);
        self.entries.extend(entries);
        let came = &self.entries[held..];
        // Looked at all of them first: a search that may stop anywhere is a slow one.
        if came.iter().fold(true, |all, entry| all & entry.is_finite()) {
            return Ok(());
        }
        let bad = came.iter().position(|entry| !entry.is_finite());
        let index = held + bad.unwrap_or_default();
        let expected = format!("a finite number, found {}", self.entries[index]);
        let at = self.header.position(self.taken + index);
        Err(ReadError::unacceptable(at, expected))
    }

    /// Makes room for some more entries: twice what is there, but never more than will come.
    fn reserve(&mut self, more: usize) {
        let length = self.entries.len();
        if self.entries.capacity() - length < more {
            let all = usize::try_from(self.entries_expected).unwrap_or(usize::MAX) - self.taken;
            let wanted = (2 * length).max(length + more).min(all.max(length + more));
            self.entries.reserve_exact(wanted - length);
        }
    }

    fn bytes_came(&self) -> u64 {
        let whole = self.came() as u64 * self.header.kind.width() as u64;
        whole + self.partial.len() as u64
    }

    fn wrong_length(&self, found: u64) -> ReadError {
        let Header {
            rows, cols, kind, ..
        } = &self.header;
        let expected = self.entries_expected * kind.width() as u64;
        let more = if found > expected { "at least " } else { "" };
        ReadError::malformed(
            Position::Byte(self.first_byte + found.min(expected)),
            format!(
                "{expected} bytes of entries for {rows} × {cols} of {} bytes each, found \
                 {more}{found}",
                kind.width()
            ),
        )
    }
}
