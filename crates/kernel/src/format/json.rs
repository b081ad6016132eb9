//! The `data` of a JSON submission: one array of numbers, flat or row by row.
//!
//! Read from the text itself rather than through a tree of values, which would take several times
//! the memory, and could neither say where something is nor tell 1e999 from a mistake in the text.

use super::number::quote;
use super::{Position, ReadError};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

/// The numbers of a JSON array.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonEntries {
    /// All numbers in order.
    pub entries: Vec<f64>,
    /// Rows and columns, when the array was written row by row.
    pub shape: Option<(usize, usize)>,
}

/// Reads `[1,2,3]` or `[[1,2],[3,4]]`. An empty array is read too: whether none is enough, the
/// caller knows.
///
/// # Errors
/// [`ReadError::Malformed`] with the byte when the text is not JSON, a bare `NaN` included;
/// [`ReadError::Unacceptable`] with the entry when rows differ in length, or something is JSON but
/// not a finite number.
pub fn parse_entries(text: &str) -> Result<JsonEntries, ReadError> {
    let mut parser = Parser {
        text: text.as_bytes(),
        next: 0,
        entries: Vec::new(),
        at: Position::Entry(1),
    };
    if parser.peek() != Some(b'[') {
        return Err(parser.unexpected("an array of numbers"));
    }
    parser.next += 1;
    let shape = if parser.peek() == Some(b'[') {
        Some(parser.read_rows()?)
    } else {
        parser.read_list(Position::Entry)?;
        None
    };
    if parser.peek().is_some() {
        return Err(parser.malformed("the end of the array"));
    }
    Ok(JsonEntries {
        entries: parser.entries,
        shape,
    })
}

struct Parser<'a> {
    text: &'a [u8],
    next: usize,
    entries: Vec<f64>,
    /// Where in the matrix the next number is.
    at: Position,
}

impl Parser<'_> {
    /// Rows up to the closing bracket of the whole; the first bracket of the first is next.
    fn read_rows(&mut self) -> Result<(usize, usize), ReadError> {
        let mut cols = None;
        let mut rows = 0;
        loop {
            self.at = Position::Row(rows + 1);
            if self.peek() != Some(b'[') {
                return Err(self.unexpected("a row of numbers"));
            }
            self.next += 1;
            rows += 1;
            let row = rows;
            let found = self.read_list(|column| Position::Cell { row, column })?;
            let cols = *cols.get_or_insert(found);
            if found != cols {
                let expected = format!("{cols} numbers, as in row 1, found {found}");
                return Err(ReadError::unacceptable(Position::Row(row), expected));
            }
            match self.peek() {
                Some(b',') => self.next += 1,
                Some(b']') => {
                    self.next += 1;
                    let rows = usize::try_from(rows).expect("each row took a byte of the text");
                    return Ok((rows, cols));
                }
                _ => return Err(self.malformed("a comma or the end of the array")),
            }
        }
    }

    /// Numbers up to the closing bracket, whose opening one was read; returns how many.
    fn read_list(&mut self, position: impl Fn(u64) -> Position) -> Result<usize, ReadError> {
        let before = self.entries.len();
        if self.peek() == Some(b']') {
            self.next += 1;
            return Ok(0);
        }
        loop {
            self.at = position((self.entries.len() - before) as u64 + 1);
            let number = self.read_number()?;
            self.entries.push(number);
            match self.peek() {
                Some(b',') => self.next += 1,
                Some(b']') => {
                    self.next += 1;
                    return Ok(self.entries.len() - before);
                }
                _ => return Err(self.malformed("a comma or the end of the array")),
            }
        }
    }

    fn read_number(&mut self) -> Result<f64, ReadError> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.unexpected("a number"));
        }
        let start = self.next;
        self.next += usize::from(self.text[start] == b'-');
        let is_zero = self.text.get(self.next) == Some(&b'0');
        let digits = self.skip_digits();
        let mut is_valid = digits == 1 || digits > 1 && !is_zero;
        if self.text.get(self.next) == Some(&b'.') {
            self.next += 1;
            is_valid &= self.skip_digits() > 0;
        }
        if let Some(b'e' | b'E') = self.text.get(self.next) {
            self.next += 1;
            self.next += usize::from(matches!(self.text.get(self.next), Some(b'+' | b'-')));
            is_valid &= self.skip_digits() > 0;
        }
        let token = &self.text[start..self.next];
        let number = core::str::from_utf8(token)
            .ok()
            .and_then(|token| token.parse::<f64>().ok());
        match number {
            Some(number) if is_valid && number.is_finite() => Ok(number),
            Some(_) if is_valid => {
                let expected = format!("a finite number, found {}", quote(token));
                Err(ReadError::unacceptable(self.at, expected))
            }
            _ => {
                self.next = start;
                Err(self.malformed("a JSON number"))
            }
        }
    }

    fn skip_digits(&mut self) -> usize {
        let start = self.next;
        while self.text.get(self.next).is_some_and(u8::is_ascii_digit) {
            self.next += 1;
        }
        self.next - start
    }

    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.next) {
            self.next += 1;
        }
        self.text.get(self.next).copied()
    }

    /// What stands here is not wanted: JSON of another kind, or no JSON at all.
    fn unexpected(&mut self, expected: &str) -> ReadError {
        let rest = &self.text[self.next..];
        let is_word = |word: &&[u8]| rest.starts_with(word);
        let is_json = matches!(rest.first(), Some(b'"' | b'[' | b'{' | b'-' | b'0'..=b'9'))
            || [&b"null"[..], b"true", b"false"].iter().any(is_word);
        if is_json {
            let end = rest
                .iter()
                .position(|byte| matches!(byte, b',' | b']'))
                .unwrap_or(rest.len());
            let expected = format!("{expected}, found {}", quote(&rest[..end.max(1)]));
            ReadError::unacceptable(self.at, expected)
        } else {
            self.malformed(expected)
        }
    }

    fn malformed(&self, expected: &str) -> ReadError {
        let rest = &self.text[self.next.min(self.text.len())..];
        let found = if rest.is_empty() {
            "the end of the text".to_owned()
        } else {
            quote(&rest[..rest.len().min(8)])
        };
        let at = Position::Byte(self.next as u64);
        ReadError::malformed(at, format!("{expected}, found {found}"))
    }
}
