//! What is written, to the byte.

use kernel::format::{Format, OutputFormat, ResultWriter};

/// The whole file, written row by row.
pub(crate) fn write(format: OutputFormat, cols: usize, entries: &[f64]) -> Vec<u8> {
    let mut writer = ResultWriter::new(format, entries.len() / cols, cols);
    let mut file = writer.head();
    for row in entries.chunks(cols) {
        writer.write_rows(row, &mut file);
    }
    file.extend(writer.tail());
    file
}

fn text(format: OutputFormat, cols: usize, entries: &[f64]) -> String {
    String::from_utf8(write(format, cols, entries)).unwrap()
}

const ODD: [f64; 6] = [0.1, -0.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];

#[test]
fn csv_has_the_shortest_digits() {
    assert_eq!(
        text(OutputFormat::Csv, 3, &ODD),
        "0.1,-0.0,1e+300\ninf,-inf,nan\n"
    );
    let more = [1.0, -2.0, 0.0, 5e-324];
    assert_eq!(text(OutputFormat::Csv, 4, &more), "1,-2,0,5e-324\n");
}

#[test]
fn json_has_what_it_cannot_say_as_strings() {
    let expected = "{\"rows\":2,\"cols\":3,\"data\":[0.1,-0.0,1e+300,\"inf\",\"-inf\",\"nan\"]}\n";
    assert_eq!(text(OutputFormat::Json, 3, &ODD), expected);
}

#[test]
fn matrix_market_lists_every_entry() {
    let expected = "%%MatrixMarket matrix coordinate real general\n2 2 4\n\
                    1 1 1\n1 2 2\n2 1 3\n2 2 4.5\n";
    assert_eq!(
        text(OutputFormat::MatrixMarket, 2, &[1.0, 2.0, 3.0, 4.5]),
        expected
    );
}

#[test]
fn npy_has_a_header_of_a_multiple_of_64_bytes() {
    let file = write(OutputFormat::Npy, 2, &[1.0, f64::INFINITY]);
    assert_eq!(file.len(), 128 + 16);
    assert!(
        file.starts_with(b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, ")
    );
    assert_eq!(file[127], b'\n');
    assert_eq!(file[128..136], 1.0_f64.to_le_bytes());
}

#[test]
fn formats_have_suffixes_and_media_types() {
    assert_eq!(Format::from_suffix("a/b.c/A.NPY"), Some(Format::Npy));
    assert_eq!(Format::from_suffix("a.mtx"), Some(Format::MatrixMarket));
    assert_eq!(Format::from_suffix("csv"), None);
    assert_eq!(Format::from_suffix("a.json"), None);
    assert_eq!(
        Format::from_media_type("Text/CSV; charset=utf-8"),
        Some(Format::Csv)
    );
    assert_eq!(
        OutputFormat::from_suffix("c.json"),
        Some(OutputFormat::Json)
    );
    assert_eq!(
        OutputFormat::from_name("mtx"),
        Some(OutputFormat::MatrixMarket)
    );
}
