//! The header of an NPY file: a Python dictionary with the keys `descr`, `fortran_order`, `shape`.

use crate::format::number::quote;
use crate::format::{Position, ReadError, ReadLimits};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

const KINDS: &str = "f8, f4, i8 or i4";

/// What a header says of a matrix that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: EntryKind,
    pub(super) is_big_endian: bool,
    pub(super) is_fortran_order: bool,
    pub(super) rows: u32,
    pub(super) cols: u32,
}

/// The type of the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    F8,
    F4,
    I8,
    I4,
}

impl EntryKind {
    pub(super) fn width(self) -> usize {
        match self {
            Self::F8 | Self::I8 => 8,
            Self::F4 | Self::I4 => 4,
        }
    }
}

impl Header {
    /// Reads the dictionary, which begins at byte `first_byte` of the file.
    pub(super) fn parse(
        words: &[u8],
        first_byte: u64,
        limits: ReadLimits,
    ) -> Result<Self, ReadError> {
        let mut cursor = Cursor {
            words,
            next: 0,
            first_byte,
        };
        let (mut descr, mut order, mut shape) = (None, None, None);
        cursor.expect(b'{')?;
        while !cursor.accept(b'}') {
            let key_at = cursor.position();
            let key = cursor.string()?;
            cursor.expect(b':')?;
            match key {
                b"descr" => descr = Some(cursor.entry_type()?),
                b"fortran_order" => order = Some(cursor.boolean()?),
                b"shape" => shape = Some(cursor.shape()?),
                _ => {
                    let expected = format!(
                        "one of the keys descr, fortran_order and shape, found {}",
                        quote(key)
                    );
                    return Err(ReadError::malformed(key_at, expected));
                }
            }
            if !cursor.accept(b',') {
                cursor.expect(b'}')?;
                break;
            }
        }
        if let Some(byte) = cursor.peek() {
            let expected = format!("the end of the header, found {}", quote(&[byte]));
            return Err(ReadError::malformed(cursor.position(), expected));
        }
        let (Some((kind, is_big_endian)), Some(is_fortran_order), Some(shape)) =
            (descr, order, shape)
        else {
            let expected = "all of the keys descr, fortran_order and shape";
            return Err(ReadError::malformed(Position::Header, expected));
        };
        let (rows, cols) = check_shape(&shape, limits)?;
        Ok(Self {
            kind,
            is_big_endian,
            is_fortran_order,
            rows,
            cols,
        })
    }

    /// Where entry number `index` of the file is in the matrix.
    pub(super) fn position(&self, index: usize) -> Position {
        let (rows, cols) = (u64::from(self.rows), u64::from(self.cols));
        let index = index as u64;
        let (row, column) = if self.is_fortran_order {
            (index % rows, index / rows)
        } else {
            (index / cols, index % cols)
        };
        Position::Cell {
            row: row + 1,
            column: column + 1,
        }
    }
}

fn check_shape(shape: &[u64], limits: ReadLimits) -> Result<(u32, u32), ReadError> {
    let at = Position::Header;
    let &[rows, cols] = shape else {
        let hint = if shape.len() == 1 {
            " (reshape it to (1, n) or (n, 1))"
        } else {
            ""
        };
        let expected = format!(
            "a matrix of two dimensions, found an array of {}{hint}",
            shape.len()
        );
        return Err(ReadError::unacceptable(at, expected));
    };
    if rows == 0 || cols == 0 {
        let expected = format!("at least one row and one column, found {rows} × {cols}");
        return Err(ReadError::unacceptable(at, expected));
    }
    let limit = limits.side_max;
    match (u32::try_from(rows), u32::try_from(cols)) {
        (Ok(rows), Ok(cols)) if rows <= limit && cols <= limit => Ok((rows, cols)),
        _ => Err(ReadError::TooLarge { at, limit }),
    }
}

/// A place in the dictionary. Spaces and line ends between words mean nothing.
struct Cursor<'a> {
    words: &'a [u8],
    next: usize,
    first_byte: u64,
}

impl<'a> Cursor<'a> {
    fn position(&self) -> Position {
        Position::Byte(self.first_byte + self.next as u64)
    }

    fn peek(&mut self) -> Option<u8> {
        while self
            .words
            .get(self.next)
            .is_some_and(u8::is_ascii_whitespace)
        {
            self.next += 1;
        }
        self.words.get(self.next).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.next += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8) -> Result<(), ReadError> {
        if self.accept(byte) {
            Ok(())
        } else {
            Err(self.unexpected(&quote(&[byte])))
        }
    }

    fn unexpected(&mut self, expected: &str) -> ReadError {
        let found = self
            .peek()
            .map_or("the end of the header".to_owned(), |byte| quote(&[byte]));
        ReadError::malformed(
            self.position(),
            format!("{expected} in the header, found {found}"),
        )
    }

    /// A string in single or double quotes. Escapes occur in no key and no type of a matrix.
    fn string(&mut self) -> Result<&'a [u8], ReadError> {
        let mark = match self.peek() {
            Some(mark @ (b'\'' | b'"')) => mark,
            _ => return Err(self.unexpected("a quoted word")),
        };
        let rest = &self.words[self.next + 1..];
        let Some(length) = rest.iter().position(|byte| *byte == mark) else {
            return Err(self.unexpected("a quoted word that ends"));
        };
        self.next += length + 2;
        Ok(&rest[..length])
    }

    fn entry_type(&mut self) -> Result<(EntryKind, bool), ReadError> {
        if self.peek() == Some(b'[') {
            let expected = format!("entries of type {KINDS}, found a structured type");
            return Err(ReadError::unacceptable(Position::Header, expected));
        }
        let name = self.string()?;
        let (order, kind) = name.split_first().unwrap_or((&b' ', b""));
        let kind = match (order, kind) {
            (b'<' | b'>', b"f8") => EntryKind::F8,
            (b'<' | b'>', b"f4") => EntryKind::F4,
            (b'<' | b'>', b"i8") => EntryKind::I8,
            (b'<' | b'>', b"i4") => EntryKind::I4,
            _ => {
                let expected = format!("entries of type {KINDS}, found {}", quote(name));
                return Err(ReadError::unacceptable(Position::Header, expected));
            }
        };
        Ok((kind, *order == b'>'))
    }

    fn boolean(&mut self) -> Result<bool, ReadError> {
        self.peek();
        let rest = &self.words[self.next..];
        for (word, value) in [(&b"True"[..], true), (b"False", false)] {
            if rest.starts_with(word) {
                self.next += word.len();
                return Ok(value);
            }
        }
        Err(self.unexpected("True or False"))
    }

    /// A tuple of numbers. More than 32 dimensions NumPy itself does not have.
    fn shape(&mut self) -> Result<Vec<u64>, ReadError> {
        const DIMENSIONS_MAX: usize = 32;
        let mut shape = Vec::new();
        self.expect(b'(')?;
        while !self.accept(b')') {
            shape.push(self.number()?);
            if shape.len() > DIMENSIONS_MAX {
                return Err(self.unexpected("at most 32 dimensions"));
            }
            if !self.accept(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(shape)
    }

    /// A whole number; saturates, since what is that large is refused anyway.
    fn number(&mut self) -> Result<u64, ReadError> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.unexpected("a whole number"));
        }
        let mut value = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.words.get(self.next) {
            value = value
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'));
            self.next += 1;
        }
        // Python 2 wrote long integers as 3L.
        self.next += usize::from(self.words.get(self.next) == Some(&b'L'));
        Ok(value)
    }
}
