//! NPY.

use kernel::Matrix;
use kernel::format::Format::Npy;
use kernel::format::MatrixReader;

use super::reading::{LIMITS, assert_refused, read, refusal};

/// A version 1 file with this dictionary and these bytes of entries.
fn file(dictionary: &str, entries: &[u8]) -> Vec<u8> {
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(dictionary.len()).unwrap().to_le_bytes());
    file.extend(dictionary.as_bytes());
    file.extend(entries);
    file
}

fn dictionary(descr: &str, order: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}   \n")
}

fn bytes<const WIDTH: usize>(entries: impl IntoIterator<Item = [u8; WIDTH]>) -> Vec<u8> {
    entries.into_iter().flatten().collect()
}

fn six() -> Matrix {
    Matrix::new(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap()
}

#[test]
fn every_type_in_both_byte_orders() {
    let numbers = [1_i8, 2, 3, 4, 5, 6];
    let cases = [
        ("<f8", bytes(numbers.map(|x| f64::from(x).to_le_bytes()))),
        (">f8", bytes(numbers.map(|x| f64::from(x).to_be_bytes()))),
        ("<f4", bytes(numbers.map(|x| f32::from(x).to_le_bytes()))),
        (">f4", bytes(numbers.map(|x| f32::from(x).to_be_bytes()))),
        ("<i8", bytes(numbers.map(|x| i64::from(x).to_le_bytes()))),
        (">i8", bytes(numbers.map(|x| i64::from(x).to_be_bytes()))),
        ("<i4", bytes(numbers.map(|x| i32::from(x).to_le_bytes()))),
        (">i4", bytes(numbers.map(|x| i32::from(x).to_be_bytes()))),
    ];
    for (descr, entries) in cases {
        let file = file(&dictionary(descr, "False", "(2, 3)"), &entries);
        assert_eq!(read(Npy, &file), Ok(six()), "{descr}");
    }
}

#[test]
fn fortran_order() {
    let entries = bytes([1.0_f64, 4.0, 2.0, 5.0, 3.0, 6.0].map(f64::to_le_bytes));
    assert_eq!(
        read(Npy, &file(&dictionary("<f8", "True", "(2, 3)"), &entries)),
        Ok(six())
    );
}

#[test]
fn versions_2_and_3_and_other_spellings() {
    let entries = bytes([5.0_f64.to_le_bytes()]);
    for version in [2, 3] {
        let words = "{\"shape\":(1,1),'fortran_order':False,'descr':'<f8'}\n";
        let mut file = b"\x93NUMPY".to_vec();
        file.extend([version, 0]);
        file.extend(u32::try_from(words.len()).unwrap().to_le_bytes());
        file.extend(words.as_bytes());
        file.extend(&entries);
        assert_eq!(read(Npy, &file).unwrap().entries(), [5.0]);
    }
    assert!(
        read(
            Npy,
            &file(&dictionary("<f8", "False", "(1L, 1L)"), &entries)
        )
        .is_ok()
    );
}

#[test]
fn the_shape_is_known_from_the_header() {
    let mut reader = MatrixReader::new(Npy, LIMITS);
    let file = file(&dictionary("<f8", "False", "(2, 3)"), &[]);
    reader.push(&file[..20]).unwrap();
    assert_eq!(reader.announced_shape(), None);
    reader.push(&file[20..]).unwrap();
    assert_eq!(reader.announced_shape(), Some((2, 3)));
}

#[test]
fn other_types_are_refused_by_name() {
    for (descr, found) in [
        ("|b1", "|b1"),
        ("<c16", "<c16"),
        ("|O", "|O"),
        ("<f2", "<f2"),
        ("", ""),
    ] {
        let found = if found.is_empty() {
            "nothing".to_owned()
        } else {
            format!("\"{found}\"")
        };
        let words = format!("header: expected entries of type f8, f4, i8 or i4, found {found}");
        assert_refused(
            Npy,
            file(&dictionary(descr, "False", "(1, 1)"), &[]),
            422,
            &words,
        );
    }
    let structured = "{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (1, 1)}";
    assert_eq!(refusal(Npy, &file(structured, &[])).0, 422);
}

#[test]
fn other_dimensions_are_refused() {
    let words = "header: expected a matrix of two dimensions, found an array of 1 \
                 (reshape it to (1, n) or (n, 1))";
    assert_refused(
        Npy,
        file(&dictionary("<f8", "False", "(3,)"), &[]),
        422,
        words,
    );
    for (shape, status) in [
        ("()", 422),
        ("(1, 2, 3)", 422),
        ("(0, 2)", 422),
        ("(101, 1)", 413),
        ("(1, 99999999999999999999999999)", 413),
        ("(-1, 2)", 400),
        ("(1, 2", 400),
        ("((1, 2), 3)", 400),
        ("[1, 2]", 400),
        ("(1 2)", 400),
    ] {
        let file = file(&dictionary("<f8", "False", shape), &[]);
        assert_eq!(refusal(Npy, &file).0, status, "{shape}");
    }
}

#[test]
fn the_wrong_number_of_bytes() {
    let header = dictionary("<f8", "False", "(1, 2)");
    let first = 10 + header.len();
    let words = format!(
        "byte {}: expected 16 bytes of entries for 1 × 2 of 8 bytes each, found 15",
        first + 15
    );
    assert_refused(Npy, file(&header, &[0; 15]), 400, &words);
    let words = format!(
        "byte {}: expected 16 bytes of entries for 1 × 2 of 8 bytes each, found at least 17",
        first + 16
    );
    assert_refused(Npy, file(&header, &[0; 17]), 400, &words);
}

#[test]
fn entries_that_are_not_finite_or_not_exact() {
    let header = dictionary("<f8", "True", "(2, 2)");
    let entries = bytes([1.0, 2.0, f64::INFINITY, 4.0].map(f64::to_le_bytes));
    let words = "row 1, column 2: expected a finite number, found inf";
    assert_refused(Npy, file(&header, &entries), 422, words);
    let entries = bytes([1.0, f32::NAN].map(f32::to_le_bytes));
    assert_eq!(
        refusal(Npy, &file(&dictionary("<f4", "False", "(1, 2)"), &entries)).0,
        422
    );
    let header = dictionary("<i8", "False", "(1, 1)");
    for (value, is_exact) in [
        (1_i64 << 53, true),
        (-(1 << 53), true),
        ((1 << 53) + 1, false),
        (i64::MIN, false),
    ] {
        let outcome = read(Npy, &file(&header, &value.to_le_bytes()));
        assert_eq!(outcome.is_ok(), is_exact, "{value}");
    }
}

#[test]
fn hostile_headers() {
    assert_refused(
        Npy,
        "PK\x03\x04",
        400,
        "byte 0: expected an NPY file, which begins with the bytes \\x93NUMPY",
    );
    assert_eq!(refusal(Npy, b"").0, 400);
    assert_eq!(refusal(Npy, b"\x93NUMPY\x01").0, 400);
    assert_eq!(refusal(Npy, b"\x93NUMPY\x04\x00\x01\x00{").0, 400);
    assert_eq!(refusal(Npy, b"\x93NUMPY\x02\x00\xff\xff\xff\xff{").0, 400);
    for words in [
        "",
        "{",
        "{}",
        "{'descr': '<f8'}",
        "{'descr': '<f8",
        "{'descr': '<f8', 'fortran_order': Falsch, 'shape': (1, 1)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1)} x",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), 'é\u{0}': 1}",
        "{'descr' '<f8'}",
    ] {
        assert_eq!(refusal(Npy, &file(words, &[])).0, 400, "{words}");
    }
    let nested = "(".repeat(60_000);
    assert_eq!(refusal(Npy, &file(&nested, &[])).0, 400);
    let long = format!(
        "{{'descr': '<f8', 'fortran_order': False, 'shape': ({})}}",
        "1,".repeat(9000)
    );
    assert_eq!(refusal(Npy, &file(&long, &[])).0, 400);
}
