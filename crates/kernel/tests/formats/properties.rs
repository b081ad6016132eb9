//! What is written reads back, and no bytes at all bring a reader down.

use kernel::Matrix;
use kernel::format::json::parse_entries;
use kernel::format::{Format, OutputFormat, ReadError};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};

use super::reading::{read, read_pieces};
use super::writing::write;

fn finite_matrix() -> impl Strategy<Value = Matrix> {
    let finite = any::<u64>()
        .prop_map(f64::from_bits)
        .prop_filter("finite", |x| x.is_finite());
    let entry = prop_oneof![finite, -1.0..1.0, (-9_i32..9).prop_map(f64::from)];
    (1..9_usize, 1..9_usize).prop_flat_map(move |(rows, cols)| {
        proptest::collection::vec(entry.clone(), rows * cols)
            .prop_map(move |entries| Matrix::new(rows, cols, entries).unwrap())
    })
}

fn bits(matrix: &Matrix) -> Vec<u64> {
    matrix
        .entries()
        .iter()
        .map(|entry| entry.to_bits())
        .collect()
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn what_is_written_reads_back_to_the_bit(matrix in finite_matrix()) {
        for (output, input) in [
            (OutputFormat::Npy, Format::Npy),
            (OutputFormat::Csv, Format::Csv),
            (OutputFormat::MatrixMarket, Format::MatrixMarket),
        ] {
            let file = write(output, matrix.cols(), matrix.entries());
            let back = read(input, &file).unwrap();
            assert_eq!((back.rows(), back.cols()), (matrix.rows(), matrix.cols()));
            assert_eq!(bits(&back), bits(&matrix));
        }
    }

    #[test]
    fn json_reads_back_to_the_bit(matrix in finite_matrix()) {
        let file = write(OutputFormat::Json, matrix.cols(), matrix.entries());
        let text = String::from_utf8(file).unwrap();
        let data = text.find("\"data\":").unwrap() + 7;
        let back = parse_entries(text[data..].trim_end().strip_suffix('}').unwrap()).unwrap();
        let back = Matrix::new(matrix.rows(), matrix.cols(), back.entries).unwrap();
        assert_eq!(bits(&back), bits(&matrix));
    }

    #[test]
    fn a_damaged_file_is_read_or_refused(
        matrix in finite_matrix(),
        damages in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        kept in any::<usize>(),
        is_cut in any::<bool>(),
    ) {
        for (output, input) in [
            (OutputFormat::Npy, Format::Npy),
            (OutputFormat::Csv, Format::Csv),
            (OutputFormat::MatrixMarket, Format::MatrixMarket),
        ] {
            let mut file = write(output, matrix.cols(), matrix.entries());
            for (place, byte) in &damages {
                let place = place % file.len();
                file[place] = *byte;
            }
            if is_cut {
                file.truncate(kept % file.len());
            }
            // Refused or not, but never a panic, and the same however it came.
            let _: Result<Matrix, ReadError> = read(input, &file);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in [Format::Npy, Format::Csv, Format::MatrixMarket] {
            let _: Result<Matrix, ReadError> = read_pieces(format, &bytes, 11);
        }
        let _: Result<_, ReadError> = parse_entries(&String::from_utf8_lossy(&bytes));
    }
}
