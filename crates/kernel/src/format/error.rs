//! Why a file is refused, in words a person can act on.

use alloc::string::String;
use core::fmt;

/// Where in a file something is. Lines, rows, columns and entries count from 1, bytes from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Before this byte.
    Byte(u64),
    /// In this line of a text.
    Line(u64),
    /// In this row of the matrix.
    Row(u64),
    /// In this entry of the matrix.
    Cell {
        /// Row, from 1.
        row: u64,
        /// Column, from 1.
        column: u64,
    },
    /// In this number of a flat list.
    Entry(u64),
    /// In what the file says about itself.
    Header,
    /// At the end of the file.
    End,
}

/// Why a file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is not a file of its format (400).
    #[error("{at}: expected {expected}")]
    Malformed {
        /// Where reading stopped.
        at: Position,
        /// What would have been right there, and what was found.
        expected: String,
    },
    /// It can be read, but is not a matrix that can be multiplied (422).
    #[error("{at}: expected {expected}")]
    Unacceptable {
        /// Where it is.
        at: Position,
        /// What would have been right there, and what was found.
        expected: String,
    },
    /// A side is longer than this mesh accepts (413).
    #[error("{at}: expected at most {limit} rows and {limit} columns")]
    TooLarge {
        /// Where that became clear.
        at: Position,
        /// The longest side that is accepted.
        limit: u32,
    },
}

impl ReadError {
    pub(super) fn malformed(at: Position, expected: impl Into<String>) -> Self {
        Self::Malformed {
            at,
            expected: expected.into(),
        }
    }

    pub(super) fn unacceptable(at: Position, expected: impl Into<String>) -> Self {
        Self::Unacceptable {
            at,
            expected: expected.into(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(byte) => write!(formatter, "byte {byte}"),
            Self::Line(line) => write!(formatter, "line {line}"),
            Self::Row(row) => write!(formatter, "row {row}"),
            Self::Cell { row, column } => write!(formatter, "row {row}, column {column}"),
            Self::Entry(entry) => write!(formatter, "entry {entry}"),
            Self::Header => formatter.write_str("header"),
            Self::End => formatter.write_str("end of the file"),
        }
    }
}
