//! Matrix Market.

use kernel::Matrix;
use kernel::format::Format::MatrixMarket;
use kernel::format::MatrixReader;

use super::reading::{LIMITS, assert_refused, read, refusal};

const COORDINATE: &str = "%%MatrixMarket matrix coordinate real general\n";

fn accepted(file: &str) -> Matrix {
    read(MatrixMarket, file.as_bytes()).unwrap()
}

fn matrix(rows: usize, cols: usize, entries: &[f64]) -> Matrix {
    Matrix::new(rows, cols, entries.to_vec()).unwrap()
}

#[test]
fn an_array_is_column_by_column() {
    let file = "%%MatrixMarket matrix array real general\n% a comment\n\n2 3\n1\n2\n3\n4\n5\n6\n";
    assert_eq!(
        accepted(file),
        matrix(2, 3, &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0])
    );
}

#[test]
fn coordinates_in_any_order_with_windows_line_ends() {
    let file = "%%matrixmarket MATRIX Coordinate Real General\r\n2 2 2\r\n2 1 -3.5\r\n1 2 1e2";
    assert_eq!(accepted(file), matrix(2, 2, &[0.0, 100.0, -3.5, 0.0]));
}

#[test]
fn entries_listed_twice_are_added_up() {
    let file = format!("{COORDINATE}1 1 2\n1 1 2\n1 1 3\n");
    assert_eq!(accepted(&file), matrix(1, 1, &[5.0]));
}

#[test]
fn a_long_comment_is_skipped() {
    let file = format!("{COORDINATE}%{}\n1 1 1\n1 1 2\n", "x".repeat(100_000));
    assert_eq!(accepted(&file), matrix(1, 1, &[2.0]));
}

#[test]
fn symmetric_and_skew_symmetric() {
    let file = "%%MatrixMarket matrix array integer symmetric\n2 2\n1\n2\n3\n";
    assert_eq!(accepted(file), matrix(2, 2, &[1.0, 2.0, 2.0, 3.0]));
    let file = "%%MatrixMarket matrix array real skew-symmetric\n3 3\n1\n2\n3\n";
    assert_eq!(
        accepted(file),
        matrix(3, 3, &[0.0, -1.0, -2.0, 1.0, 0.0, -3.0, 2.0, 3.0, 0.0])
    );
    let file = "%%MatrixMarket matrix coordinate real symmetric\n2 2 2\n1 1 4\n2 1 5\n";
    assert_eq!(accepted(file), matrix(2, 2, &[4.0, 5.0, 5.0, 0.0]));
    let file = "%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 5\n";
    assert_eq!(accepted(file), matrix(2, 2, &[0.0, -5.0, 5.0, 0.0]));
    let file = "%%MatrixMarket matrix coordinate pattern symmetric\n2 2 1\n2 1\n";
    assert_eq!(accepted(file), matrix(2, 2, &[0.0, 1.0, 1.0, 0.0]));
}

#[test]
fn the_shape_is_known_from_the_header() {
    let mut reader = MatrixReader::new(MatrixMarket, LIMITS);
    assert_eq!(reader.announced_shape(), None);
    reader
        .push(format!("{COORDINATE}3 4 1\n").as_bytes())
        .unwrap();
    assert_eq!(reader.announced_shape(), Some((3, 4)));
}

#[test]
fn banners_that_are_not_read() {
    for (banner, words) in [
        (
            "array complex general",
            "line 1: expected real, integer or pattern values, found \"complex\"",
        ),
        (
            "array real hermitian",
            "line 1: expected general, symmetric or skew-symmetric, found \"hermitian\"",
        ),
        (
            "array pattern general",
            "line 1: expected values in an array, found \"pattern\"",
        ),
    ] {
        assert_refused(
            MatrixMarket,
            format!("%%MatrixMarket matrix {banner}\n"),
            422,
            words,
        );
    }
    assert_eq!(
        refusal(MatrixMarket, b"%%MatrixMarket vector array real general\n").0,
        422
    );
    assert_eq!(refusal(MatrixMarket, b"1 2 3\n").0, 400);
    assert_eq!(refusal(MatrixMarket, b"").0, 400);
    assert_eq!(
        refusal(MatrixMarket, b"%%MatrixMarket matrix array real general\n").0,
        400
    );
}

#[test]
fn counts_that_are_wrong() {
    let more = format!("{COORDINATE}2 2 1\n1 1 1\n2 2 1\n");
    let words = "line 4: expected no more than the 1 entries announced";
    assert_refused(MatrixMarket, more, 422, words);
    let fewer = format!("{COORDINATE}2 2 2\n1 1 1\n");
    assert_refused(
        MatrixMarket,
        fewer,
        422,
        "end of the file: expected 2 entries, found 1",
    );
    let huge = format!("{COORDINATE}2 2 18446744073709551615\n1 1 1\n");
    assert_eq!(refusal(MatrixMarket, huge.as_bytes()).0, 422);
}

#[test]
fn entries_that_are_wrong() {
    for (entry, status, words) in [
        (
            "3 1 1",
            422,
            "line 3: expected a row from 1 to 2, found \"3\"",
        ),
        (
            "1 0 1",
            422,
            "line 3: expected a column from 1 to 2, found \"0\"",
        ),
        ("1 1 x", 422, "line 3: expected a number, found \"x\""),
        (
            "1 1 1e999",
            422,
            "line 3: expected a finite number, found \"1e999\"",
        ),
        (
            "1 1",
            400,
            "line 3: expected a row, a column and a value, found \"1 1\"",
        ),
        ("a 1 1", 400, "line 3: expected a row number, found \"a\""),
    ] {
        assert_refused(
            MatrixMarket,
            format!("{COORDINATE}2 2 1\n{entry}\n"),
            status,
            words,
        );
    }
    let long = format!("{COORDINATE}2 2 1\n{}", " ".repeat(5000) + "1 1 1\n");
    assert_eq!(refusal(MatrixMarket, long.as_bytes()).0, 400);
    let fraction = "%%MatrixMarket matrix array integer general\n1 1\n1.5\n";
    assert_eq!(refusal(MatrixMarket, fraction.as_bytes()).0, 422);
    let large = "%%MatrixMarket matrix array integer general\n1 1\n9007199254740994\n";
    assert_eq!(refusal(MatrixMarket, large.as_bytes()).0, 422);
    let upper = "%%MatrixMarket matrix coordinate real symmetric\n2 2 1\n1 2 5\n";
    assert_eq!(refusal(MatrixMarket, upper.as_bytes()).0, 422);
}

#[test]
fn sizes_that_are_wrong() {
    for (sizes, status) in [
        ("0 2 0", 422),
        ("101 2 0", 413),
        ("99999999999 1 0", 413),
        ("2 2", 400),
        ("-1 2 3", 400),
    ] {
        let file = format!("{COORDINATE}{sizes}\n");
        assert_eq!(refusal(MatrixMarket, file.as_bytes()).0, status, "{sizes}");
    }
    let oblong = "%%MatrixMarket matrix array real symmetric\n2 3\n";
    assert_eq!(refusal(MatrixMarket, oblong.as_bytes()).0, 422);
}
