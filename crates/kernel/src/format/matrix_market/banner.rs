//! The first line of a Matrix Market file.

use crate::format::number::quote;
use crate::format::{Position, ReadError};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// How the matrix is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Banner {
    pub(super) layout: Layout,
    pub(super) field: Field,
    pub(super) symmetry: Symmetry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Array,
    Coordinate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Real,
    Integer,
    Pattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symmetry {
    General,
    Symmetric,
    Skew,
}

impl Banner {
    pub(super) fn parse(line: &[u8], at: Position) -> Result<Self, ReadError> {
        let text = String::from_utf8_lossy(line).to_ascii_lowercase();
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let &["%%matrixmarket", object, layout, field, symmetry] = words.as_slice() else {
            let expected = format!(
                "a banner such as \"%%MatrixMarket matrix array real general\", found {}",
                quote(line)
            );
            return Err(ReadError::malformed(at, expected));
        };
        if object != "matrix" {
            return Err(unknown(at, "matrix", object));
        }
        let layout = match layout {
            "array" => Layout::Array,
            "coordinate" => Layout::Coordinate,
            other => return Err(unknown(at, "array or coordinate", other)),
        };
        let field = match field {
            "real" | "double" => Field::Real,
            "integer" => Field::Integer,
            "pattern" if layout == Layout::Coordinate => Field::Pattern,
            "pattern" => return Err(unknown(at, "values in an array", "pattern")),
            other => return Err(unknown(at, "real, integer or pattern values", other)),
        };
        let symmetry = match symmetry {
            "general" => Symmetry::General,
            "symmetric" => Symmetry::Symmetric,
            "skew-symmetric" if field != Field::Pattern => Symmetry::Skew,
            other => return Err(unknown(at, "general, symmetric or skew-symmetric", other)),
        };
        Ok(Self {
            layout,
            field,
            symmetry,
        })
    }
}

/// Valid Matrix Market perhaps, but nothing that is multiplied here.
fn unknown(at: Position, expected: &str, found: &str) -> ReadError {
    ReadError::unacceptable(at, format!("{expected}, found {}", quote(found.as_bytes())))
}
