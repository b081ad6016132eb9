//! Matrix Market, as NIST describes it: a banner that says how the matrix is written, comments, a
//! line of sizes, then `array` values column by column or `coordinate` entries in any order.
//!
//! Read are `real`, `integer` and `pattern` (every listed entry is 1), `general`, `symmetric` and
//! `skew-symmetric`. Entries that are listed twice are added up, as SciPy does.
//!
//! A sparse file may be small and its matrix large; the zeros are asked for at once, which operating
//! systems grant without touching them. [`super::MatrixReader::announced_shape`] lets a caller
//! decline before it uses them.

mod banner;

use super::number::{INTEGER_MAX, TOKEN_BYTES_MAX, parse_number, quote};
use super::{Order, Position, ReadError, ReadLimits, Rest};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use banner::{Banner, Field, Layout, Symmetry};

/// Reads a Matrix Market file.
#[derive(Debug)]
pub(super) struct MatrixMarketReader {
    limits: ReadLimits,
    /// The beginning of a line whose end is still to come; cut at the longest that has a meaning.
    partial: Vec<u8>,
    line: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Banner,
    Sizes(Banner),
    Entries(Entries),
}

/// The entries so far.
#[derive(Debug)]
struct Entries {
    banner: Banner,
    rows: u32,
    cols: u32,
    expected: u64,
    came: u64,
    /// Row-major, once a place is known; of `array` files the values as they come.
    values: Vec<f64>,
}

impl MatrixMarketReader {
    pub(super) fn new(limits: ReadLimits) -> Self {
        Self {
            limits,
            partial: Vec::new(),
            line: 0,
            stage: Stage::Banner,
        }
    }

    pub(super) fn announced_shape(&self) -> Option<(u32, u32)> {
        match &self.stage {
            Stage::Entries(entries) => Some((entries.rows, entries.cols)),
            Stage::Banner | Stage::Sizes(_) => None,
        }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), ReadError> {
        while let Some(length) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&bytes[..length], &bytes[length + 1..]);
            if self.partial.is_empty() {
                self.take_line(line)?;
            } else {
                self.keep(line);
                let line = core::mem::take(&mut self.partial);
                self.take_line(&line)?;
            }
            bytes = rest;
        }
        self.keep(bytes);
        Ok(())
    }

    pub(super) fn held(&self) -> usize {
        match &self.stage {
            Stage::Entries(entries) if entries.are_final() => entries.values.len(),
            _ => 0,
        }
    }

    pub(super) fn take_entries(&mut self) -> Vec<f64> {
        match &mut self.stage {
            Stage::Entries(entries) if entries.are_final() => core::mem::take(&mut entries.values),
            _ => Vec::new(),
        }
    }

    pub(super) fn finish(mut self) -> Result<Rest, ReadError> {
        let rest = core::mem::take(&mut self.partial);
        if !rest.is_empty() {
            self.take_line(&rest)?;
        }
        match self.stage {
            Stage::Entries(entries) => entries.finish(),
            Stage::Banner => Err(ReadError::malformed(
                Position::End,
                "a %%MatrixMarket banner",
            )),
            Stage::Sizes(_) => Err(ReadError::malformed(Position::End, "a line of sizes")),
        }
    }

    /// Keeps a part of a line, one byte more than the longest that is read, so that its length
    /// tells that it was cut.
    fn keep(&mut self, bytes: &[u8]) {
        let room = (TOKEN_BYTES_MAX + 1).saturating_sub(self.partial.len());
        self.partial
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), ReadError> {
        self.line += 1;
        let at = Position::Line(self.line);
        let is_comment = line.first() == Some(&b'%');
        if let Stage::Banner = self.stage {
            self.stage = Stage::Sizes(Banner::parse(line, at)?);
            return Ok(());
        }
        if is_comment {
            return Ok(());
        }
        // Before blank lines are skipped: of a longer line only a blank beginning may be there.
        if line.len() > TOKEN_BYTES_MAX {
            let expected = format!("a line of at most {TOKEN_BYTES_MAX} characters");
            return Err(ReadError::malformed(at, expected));
        }
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        match &mut self.stage {
            Stage::Entries(entries) => entries.take_line(line, at),
            Stage::Banner | Stage::Sizes(_) => self.take_sizes(line, at),
        }
    }

    fn take_sizes(&mut self, line: &[u8], at: Position) -> Result<(), ReadError> {
        let Stage::Sizes(banner) = self.stage else {
            return Ok(());
        };
        let expected = match banner.layout {
            Layout::Array => "the numbers of rows and columns",
            Layout::Coordinate => "the numbers of rows, columns and entries",
        };
        let malformed = || {
            ReadError::malformed(
                at,
                format!("{expected}, found {}", quote(line.trim_ascii())),
            )
        };
        let sizes: Option<Vec<u64>> = words(line).map(parse_count).collect();
        let (rows, cols, listed) = match (banner.layout, sizes.as_deref()) {
            (Layout::Array, Some(&[rows, cols])) => (rows, cols, None),
            (Layout::Coordinate, Some(&[rows, cols, count])) => (rows, cols, Some(count)),
            _ => return Err(malformed()),
        };
        if rows == 0 || cols == 0 {
            let expected = format!("at least one row and one column, found {rows} × {cols}");
            return Err(ReadError::unacceptable(at, expected));
        }
        let limit = self.limits.side_max;
        let (Ok(rows), Ok(cols)) = (u32::try_from(rows), u32::try_from(cols)) else {
            return Err(ReadError::TooLarge { at, limit });
        };
        if rows > limit || cols > limit {
            return Err(ReadError::TooLarge { at, limit });
        }
        if banner.symmetry != Symmetry::General && rows != cols {
            let expected =
                format!("a square matrix, which alone is symmetric, found {rows} × {cols}");
            return Err(ReadError::unacceptable(at, expected));
        }
        self.stage = Stage::Entries(Entries::new(banner, rows, cols, listed));
        Ok(())
    }
}

impl Entries {
    fn new(banner: Banner, rows: u32, cols: u32, listed: Option<u64>) -> Self {
        let (height, all) = (u64::from(rows), u64::from(rows) * u64::from(cols));
        let expected = listed.unwrap_or(match banner.symmetry {
            Symmetry::General => all,
            Symmetry::Symmetric => height * (height + 1) / 2,
            Symmetry::Skew => height * (height - 1) / 2,
        });
        let values = match banner.layout {
            Layout::Array => Vec::new(),
            Layout::Coordinate => vec![0.0; rows as usize * cols as usize],
        };
        Self {
            banner,
            rows,
            cols,
            expected,
            came: 0,
            values,
        }
    }

    fn take_line(&mut self, line: &[u8], at: Position) -> Result<(), ReadError> {
        match self.banner.layout {
            Layout::Array => words(line).try_for_each(|word| {
                self.count_entry(at)?;
                let value = self.parse_value(word, at)?;
                self.values.push(value);
                Ok(())
            }),
            Layout::Coordinate => self.take_coordinates(line, at),
        }
    }

    fn take_coordinates(&mut self, line: &[u8], at: Position) -> Result<(), ReadError> {
        self.count_entry(at)?;
        let has_value = self.banner.field != Field::Pattern;
        let mut words = words(line);
        let (row, col) = (words.next(), words.next());
        let value = if has_value {
            words.next()
        } else {
            Some(&b"1"[..])
        };
        let (Some(row), Some(col), Some(value), None) = (row, col, value, words.next()) else {
            let parts = if has_value {
                "a row, a column and a value"
            } else {
                "a row and a column"
            };
            let expected = format!("{parts}, found {}", quote(line.trim_ascii()));
            return Err(ReadError::malformed(at, expected));
        };
        let row = parse_place(row, self.rows, "row", at)?;
        let col = parse_place(col, self.cols, "column", at)?;
        let value = self.parse_value(value, at)?;
        self.add(row, col, value, at)?;
        match self.banner.symmetry {
            Symmetry::General => Ok(()),
            _ if col > row => Err(not_lower(at)),
            Symmetry::Skew if row == col => Err(not_lower(at)),
            Symmetry::Symmetric if row == col => Ok(()),
            Symmetry::Symmetric => self.add(col, row, value, at),
            Symmetry::Skew => self.add(col, row, -value, at),
        }
    }

    fn add(&mut self, row: u32, col: u32, value: f64, at: Position) -> Result<(), ReadError> {
        let place = row as usize * self.cols as usize + col as usize;
        let sum = self.values[place] + value;
        // An entry listed once keeps its sign even when it is −0.0.
        self.values[place] = if self.values[place] == 0.0 {
            value
        } else {
            sum
        };
        if sum.is_finite() {
            Ok(())
        } else {
            Err(ReadError::unacceptable(
                at,
                "entries of one place that add up to a finite number",
            ))
        }
    }

    fn parse_value(&self, word: &[u8], at: Position) -> Result<f64, ReadError> {
        let value = parse_number(word, || at)?;
        if self.banner.field != Field::Integer {
            return Ok(value);
        }
        #[expect(clippy::cast_precision_loss, reason = "2⁵³ is exact")]
        let is_exact = value % 1.0 == 0.0 && value.abs() <= INTEGER_MAX as f64;
        if is_exact {
            Ok(value)
        } else {
            let expected = format!("an integer up to 2^53, found {}", quote(word));
            Err(ReadError::unacceptable(at, expected))
        }
    }

    fn count_entry(&mut self, at: Position) -> Result<(), ReadError> {
        self.came += 1;
        if self.came <= self.expected {
            return Ok(());
        }
        let expected = format!("no more than the {} entries announced", self.expected);
        Err(ReadError::unacceptable(at, expected))
    }

    /// Whether nothing that is still to come changes or mirrors a value that is here.
    fn are_final(&self) -> bool {
        self.banner.layout == Layout::Array && self.banner.symmetry == Symmetry::General
    }

    fn finish(self) -> Result<Rest, ReadError> {
        if self.came < self.expected {
            let expected = format!("{} entries, found {}", self.expected, self.came);
            return Err(ReadError::unacceptable(Position::End, expected));
        }
        let (rows, cols) = (self.rows as usize, self.cols as usize);
        let (order, entries) = match (self.banner.layout, self.banner.symmetry) {
            (Layout::Coordinate, _) => (Order::RowMajor, self.values),
            (Layout::Array, Symmetry::General) => (Order::ColumnMajor, self.values),
            (Layout::Array, symmetry) => (Order::RowMajor, unfold(&self.values, rows, symmetry)),
        };
        Ok(Rest {
            rows,
            cols,
            order,
            entries,
        })
    }
}

/// The whole matrix from the columns of its lower triangle.
fn unfold(values: &[f64], side: usize, symmetry: Symmetry) -> Vec<f64> {
    let mut whole = vec![0.0; side * side];
    let (skipped, sign) = if symmetry == Symmetry::Skew {
        (1, -1.0)
    } else {
        (0, 1.0)
    };
    let places = (0..side).flat_map(|col| (col + skipped..side).map(move |row| (row, col)));
    for ((row, col), value) in places.zip(values) {
        whole[col * side + row] = sign * value;
        whole[row * side + col] = *value;
    }
    whole
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// A count; one beyond 64 bits is no count of anything.
fn parse_count(word: &[u8]) -> Option<u64> {
    core::str::from_utf8(word).ok()?.parse().ok()
}

/// A row or column, from 1 in the file and from 0 here.
fn parse_place(word: &[u8], side: u32, name: &str, at: Position) -> Result<u32, ReadError> {
    match parse_count(word) {
        Some(place) if (1..=u64::from(side)).contains(&place) => {
            Ok(u32::try_from(place - 1).expect("not beyond a side, which is 32 bits"))
        }
        Some(_) => Err(ReadError::unacceptable(
            at,
            format!("a {name} from 1 to {side}, found {}", quote(word)),
        )),
        None => Err(ReadError::malformed(
            at,
            format!("a {name} number, found {}", quote(word)),
        )),
    }
}

fn not_lower(at: Position) -> ReadError {
    ReadError::unacceptable(
        at,
        "an entry of the lower triangle, which alone a symmetric file lists",
    )
}
