//! CSV.

use kernel::Matrix;
use kernel::format::Format::Csv;

use super::reading::{assert_refused, read, refusal};

fn accepted(file: &str) -> Matrix {
    read(Csv, file.as_bytes()).unwrap()
}

fn square() -> Matrix {
    Matrix::new(2, 2, vec![1.0, -2.5, 3e4, 0.25]).unwrap()
}

#[test]
fn plain_numbers() {
    assert_eq!(accepted("1,-2.5\n3e4,.25\n"), square());
}

#[test]
fn windows_quotes_blanks_and_byte_order_marks() {
    assert_eq!(accepted("\u{feff}1,-2.5\r\n3E+4,0.25"), square());
    assert_eq!(accepted("\"1\", -2.5 \n\n\"30000\",+0.25\n\n\n"), square());
    assert_eq!(accepted("\u{feff}5").entries(), [5.0]);
    assert_eq!(accepted("5").entries(), [5.0]);
}

#[test]
fn a_row_and_a_column() {
    assert_eq!((accepted("1,2,3").rows(), accepted("1,2,3").cols()), (1, 3));
    assert_eq!(
        (accepted("1\n2\n3").rows(), accepted("1\n2\n3").cols()),
        (3, 1)
    );
}

#[test]
fn ragged_rows() {
    assert_refused(
        Csv,
        "1,2\n3\n",
        422,
        "row 2: expected 2 numbers, as in row 1, found 1",
    );
    assert_refused(
        Csv,
        "1,2\n3,4,5",
        422,
        "row 2: expected 2 numbers, as in row 1, found 3",
    );
}

#[test]
fn what_is_no_number() {
    let words = "row 2, column 2: expected a number, found \"abc\"";
    assert_refused(Csv, "1,2\n3,abc\n", 422, words);
    assert_refused(
        Csv,
        "1,,2",
        422,
        "row 1, column 2: expected a number, found nothing",
    );
    assert_refused(
        Csv,
        "1,2,\n",
        422,
        "row 1, column 3: expected a number, found nothing",
    );
    assert_refused(
        Csv,
        "0x10",
        422,
        "row 1, column 1: expected a number, found \"0x10\"",
    );
}

#[test]
fn numbers_that_are_not_finite() {
    let words = "row 1, column 2: expected a finite number, found \"1e999\"";
    assert_refused(Csv, "1,1e999", 422, words);
    assert_eq!(refusal(Csv, b"nan").0, 422);
    assert_eq!(refusal(Csv, b"-inf").0, 422);
    assert_eq!(refusal(Csv, b"Infinity").0, 422);
}

#[test]
fn mistakes_that_people_make_are_named() {
    assert!(
        refusal(Csv, b"x,y\n1,2")
            .1
            .ends_with("the file must have no header row")
    );
    assert!(refusal(Csv, b"1;2\n3;4").1.ends_with("not by semicolons"));
    assert!(refusal(Csv, b"1\t2\n").1.ends_with("not by tabs"));
    assert!(refusal(Csv, b"1 2\n").1.ends_with("not by spaces"));
}

#[test]
fn malformed_files() {
    let words = "row 1, column 2: expected a cell that ends on its line \
                 (is a quotation mark not closed?)";
    assert_refused(Csv, "1,\"2\n3,4\n", 400, words);
    let words = "end of the file: expected a closing quotation mark before the end of the file";
    assert_refused(Csv, "3,\"4", 400, words);
    assert_eq!(refusal(Csv, b"1,\xff\xfe\n").0, 400);
    assert_eq!(refusal(Csv, b"1,\x00\n").0, 400);
    assert_eq!(refusal(Csv, "9".repeat(5000).as_bytes()).0, 400);
}

#[test]
fn nothing_at_all() {
    let words = "end of the file: expected at least one row of numbers";
    assert_refused(Csv, "", 422, words);
    assert_refused(Csv, "\n\n", 422, words);
    assert_refused(Csv, "\u{feff}", 422, words);
}

#[test]
fn sides_over_the_limit() {
    assert_eq!(accepted(&"1\n".repeat(100)).rows(), 100);
    let words = "row 101: expected at most 100 rows and 100 columns";
    assert_refused(Csv, "1\n".repeat(101), 413, words);
    let words = "row 1: expected at most 100 rows and 100 columns";
    assert_refused(Csv, "1,".repeat(101), 413, words);
}
