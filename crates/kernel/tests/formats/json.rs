//! The `data` of a JSON submission.

use kernel::format::json::{JsonEntries, parse_entries};

use super::reading::status;

fn refused(text: &str) -> (u16, String) {
    status(&parse_entries(text).expect_err("must be refused"))
}

#[test]
fn flat_and_row_by_row() {
    let flat = JsonEntries {
        entries: vec![1.0, -2.5, 3e4],
        shape: None,
    };
    assert_eq!(parse_entries(" [1, -2.5,\n3E+4 ] "), Ok(flat));
    let rows = JsonEntries {
        entries: vec![1.0, 2.0, 3.0, 4.0],
        shape: Some((2, 2)),
    };
    assert_eq!(parse_entries("[[1,2], [3,4]]"), Ok(rows));
    assert_eq!(
        parse_entries("[]"),
        Ok(JsonEntries {
            entries: vec![],
            shape: None
        })
    );
    assert_eq!(
        parse_entries("[[]]"),
        Ok(JsonEntries {
            entries: vec![],
            shape: Some((1, 0))
        })
    );
}

#[test]
fn negative_zero_keeps_its_sign() {
    assert!(parse_entries("[-0]").unwrap().entries[0].is_sign_negative());
}

#[test]
fn readable_but_no_matrix() {
    let words = "row 2: expected 2 numbers, as in row 1, found 1";
    assert_eq!(refused("[[1,2],[3]]"), (422, words.to_owned()));
    let words = "entry 2: expected a finite number, found \"1e999\"";
    assert_eq!(refused("[1,1e999]"), (422, words.to_owned()));
    let words = "row 1, column 2: expected a finite number, found \"-1e999\"";
    assert_eq!(refused("[[1,-1e999]]"), (422, words.to_owned()));
    let words = "entry 1: expected a number, found \"null\"";
    assert_eq!(refused("[null]"), (422, words.to_owned()));
    assert_eq!(refused("[1,\"2\"]").0, 422);
    assert_eq!(refused("[true]").0, 422);
    assert_eq!(refused("[{}]").0, 422);
    assert_eq!(refused("[1,[2]]").0, 422);
    assert_eq!(refused("[[1],2]").0, 422);
    assert_eq!(refused("[[[1]]]").0, 422);
    assert_eq!(refused("7").0, 422);
    assert_eq!(refused("{}").0, 422);
}

#[test]
fn malformed_text() {
    let words = "byte 1: expected a number, found \"NaN]\"";
    assert_eq!(refused("[NaN]"), (400, words.to_owned()));
    let text = "byte 4: expected a comma or the end of the array, found the end of the text";
    assert_eq!(refused("[1,2"), (400, text.to_owned()));
    for text in [
        "",
        "[",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1]]",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[1e]",
        "[-]",
        "[Infinity]",
        "[-Infinity]",
        "[[1],]",
        "[[1]",
        "[1]x",
        "[0x1]",
        "[1_0]",
        "[--1]",
        "[00]",
    ] {
        assert_eq!(refused(text).0, 400, "{text}");
    }
}

#[test]
fn deep_nesting_costs_nothing() {
    assert_eq!(refused(&"[".repeat(1_000_000)).0, 422);
}
