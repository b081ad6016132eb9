//! One number as text, to and from, and the words for what is not one.

use super::error::{Position, ReadError};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

/// Whole numbers up to here are all exact in an f64; beyond it neighbours collide.
pub(super) const INTEGER_MAX: i64 = 1 << 53;

/// Longest text of a number or word that a reader keeps. An f64 written out in full has at most
/// some 770 significant digits; nobody writes them, but they would be read.
pub(super) const TOKEN_BYTES_MAX: usize = 1024;

/// A finite number, spaces around it aside.
///
/// # Errors
/// [`ReadError::Unacceptable`] at the position that `at` tells.
pub(super) fn parse_number(text: &[u8], at: impl Fn() -> Position) -> Result<f64, ReadError> {
    let text = text.trim_ascii();
    let number = core::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    match number {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => Err(ReadError::unacceptable(
            at(),
            format!("a finite number, found {}", quote(text)),
        )),
        None => Err(ReadError::unacceptable(
            at(),
            format!("a number, found {}", quote(text)),
        )),
    }
}

/// An i8 of a file as f64, if that is exact.
///
/// # Errors
/// [`ReadError::Unacceptable`] at the position that `at` tells.
#[expect(clippy::cast_precision_loss, reason = "integers up to 2⁵³ are exact")]
pub(super) fn exact_integer(value: i64, at: impl Fn() -> Position) -> Result<f64, ReadError> {
    if value.unsigned_abs() <= INTEGER_MAX.unsigned_abs() {
        Ok(value as f64)
    } else {
        let expected = format!("an integer up to 2^53, which an f64 holds exactly, found {value}");
        Err(ReadError::unacceptable(at(), expected))
    }
}

/// What was found, short and printable, for a message.
pub(super) fn quote(text: &[u8]) -> String {
    const SHOWN_MAX: usize = 24;
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN_MAX)]);
    let dots = if text.len() > SHOWN_MAX { "…" } else { "" };
    format!("\"{}{dots}\"", shown.escape_debug())
}

/// Formats numbers into a buffer of its own.
pub(super) struct NumberText {
    buffer: zmij::Buffer,
}

impl NumberText {
    pub(super) fn new() -> Self {
        Self {
            buffer: zmij::Buffer::new(),
        }
    }

    /// The shortest digits that read back to the same f64; `inf`, `-inf` and `nan`.
    pub(super) fn format(&mut self, value: f64) -> &str {
        if value.is_finite() {
            let text = self.buffer.format_finite(value);
            // "-0.0" stays as it is: some readers take "-0" for an integer and lose the sign.
            if value == 0.0 && value.is_sign_negative() {
                text
            } else {
                text.strip_suffix(".0").unwrap_or(text)
            }
        } else if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        }
    }
}

impl core::fmt::Debug for NumberText {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("NumberText")
    }
}
