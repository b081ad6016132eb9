//! Reading a file in pieces of every size.

use kernel::Matrix;
use kernel::format::{Format, MatrixReader, Order, ReadError, ReadLimits, transpose};

/// The longest side the suite accepts.
pub(crate) const LIMITS: ReadLimits = ReadLimits { side_max: 100 };

/// Reads a file whole, by bytes and by uneven pieces, with all entries in the reader and with entries
/// taken away; the outcome must not depend on that.
pub(crate) fn read(format: Format, file: &[u8]) -> Result<Matrix, ReadError> {
    let whole = read_pieces(format, file, file.len().max(1));
    for piece in [1, 3, 7, 64] {
        let outcome = read_pieces(format, file, piece);
        let taken = read_taking(format, file, piece);
        assert_eq!(outcome, taken, "taken away in pieces of {piece}");
        match (&whole, &outcome) {
            (Ok(whole), Ok(outcome)) => assert_eq!(whole, outcome, "in pieces of {piece}"),
            // A count of the bytes that came may differ, but nothing else.
            (Err(whole), Err(outcome)) => {
                assert_eq!(
                    std::mem::discriminant(whole),
                    std::mem::discriminant(outcome)
                );
            }
            other => panic!("in pieces of {piece}: {other:?}"),
        }
    }
    whole
}

pub(crate) fn read_pieces(format: Format, file: &[u8], piece: usize) -> Result<Matrix, ReadError> {
    let mut reader = MatrixReader::new(format, LIMITS);
    for bytes in file.chunks(piece) {
        if let Err(error) = reader.push(bytes) {
            assert_eq!(reader.push(b"1"), Err(error.clone()), "a failure is final");
            return Err(error);
        }
    }
    reader.finish()
}

/// The same, where the reader keeps nothing that it can give away.
fn read_taking(format: Format, file: &[u8], piece: usize) -> Result<Matrix, ReadError> {
    let mut reader = MatrixReader::new(format, LIMITS);
    let mut entries = Vec::new();
    for bytes in file.chunks(piece) {
        reader.push(bytes)?;
        let held = reader.held();
        let taken = reader.take_entries();
        assert_eq!((taken.len(), reader.held()), (held, 0));
        entries.extend(taken);
    }
    let rest = reader.finish_rest()?;
    entries.extend(rest.entries);
    if rest.order == Order::ColumnMajor {
        entries = transpose(&entries, rest.cols, rest.rows);
    }
    Ok(Matrix::new(rest.rows, rest.cols, entries).expect("as many as the sides say"))
}

/// What the file is refused with: its kind and its sentence.
pub(crate) fn refusal(format: Format, file: &[u8]) -> (u16, String) {
    status(&read(format, file).expect_err("must be refused"))
}

/// The HTTP status of the contract, and the sentence.
pub(crate) fn status(error: &ReadError) -> (u16, String) {
    let status = match error {
        ReadError::Malformed { .. } => 400,
        ReadError::TooLarge { .. } => 413,
        ReadError::Unacceptable { .. } => 422,
        _ => unreachable!("there are three kinds"),
    };
    (status, error.to_string())
}

/// Asserts status and sentence.
pub(crate) fn assert_refused(format: Format, file: impl AsRef<[u8]>, status: u16, words: &str) {
    let (found, sentence) = refusal(format, file.as_ref());
    assert_eq!((found, sentence.as_str()), (status, words));
}
