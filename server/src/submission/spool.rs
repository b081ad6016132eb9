//! A matrix that is too large for the memory: on the disk from its upload to its cut.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;
use kernel::cut::Rectangle;
use kernel::entry_bytes::{ENTRY_BYTES, bytes_of, entries_of};
use kernel::format::{MatrixReader, Order, ReadError, Rest, transpose};

use super::{Operand, side};
use crate::store::StoreError;

/// Entries that are written together.
const WRITTEN_ENTRIES_MIN: usize = 1 << 17;

/// Bytes of rows that are brought into order together.
const BAND_BYTES: usize = 32 << 20;

/// Why a file became no operand.
#[derive(Debug)]
pub(crate) enum IntakeError {
    /// What was sent is no matrix.
    Read(ReadError),
    /// The matrix is large, and the disk does not take it.
    Disk(StoreError),
}

impl From<ReadError> for IntakeError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<io::Error> for IntakeError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error.into())
    }
}

/// Takes in one matrix file, piece by piece.
#[derive(Debug)]
pub(crate) struct Intake {
    reader: MatrixReader,
    /// Where larger ones are kept, and from how many entries on.
    folder: PathBuf,
    held_max: usize,
    spooled: Option<File>,
}

impl Intake {
    /// Matrices of more than `bytes_max` go to a file in `folder`.
    pub(crate) fn new(reader: MatrixReader, folder: PathBuf, bytes_max: usize) -> Self {
        Self {
            reader,
            folder,
            held_max: bytes_max / ENTRY_BYTES,
            spooled: None,
        }
    }

    /// The next bytes of the file.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), IntakeError> {
        self.reader.push(bytes)?;
        let held_max = match self.spooled {
            None => self.held_max,
            Some(_) => WRITTEN_ENTRIES_MIN.min(self.held_max),
        };
        if self.reader.held() > held_max {
            let mut file = match self.spooled.take() {
                Some(file) => file,
                None => {
                    let limit = (self.held_max * ENTRY_BYTES) >> 20;
                    tracing::info!(
                        "A matrix of over {limit} MiB is kept on the disk until it is cut"
                    );
                    // It has no name, and is gone with whoever has it open.
                    tempfile::tempfile_in(&self.folder)?
                }
            };
            file.write_all(&bytes_of(&self.reader.take_entries()))?;
            self.spooled = Some(file);
        }
        Ok(())
    }

    /// The file has ended.
    pub(crate) fn finish(self) -> Result<Operand, IntakeError> {
        let Some(mut file) = self.spooled else {
            return Ok(Operand::Read(self.reader.finish()?));
        };
        let Rest {
            rows,
            cols,
            order,
            entries,
        } = self.reader.finish_rest()?;
        file.write_all(&bytes_of(&entries))?;
        if order == Order::ColumnMajor {
            let mut in_rows = tempfile::tempfile_in(&self.folder)?;
            write_in_rows(&file, (rows, cols), BAND_BYTES, &mut in_rows)?;
            file = in_rows;
        }
        Ok(Operand::Spooled(Spool {
            file,
            rows: side(rows),
            cols: side(cols),
        }))
    }
}

/// A matrix in a file: its entries row by row, all of them finite.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    pub(super) rows: u32,
    pub(super) cols: u32,
}

impl Spool {
    pub(super) fn bytes(&self) -> usize {
        self.rows as usize * self.cols as usize * ENTRY_BYTES
    }

    /// A rectangle's entries, row by row.
    pub(super) fn part(&self, rectangle: &Rectangle) -> io::Result<Bytes> {
        let Rectangle { rows, cols } = rectangle;
        let place = |row: u32| {
            let before = u64::from(row) * u64::from(self.cols) + u64::from(cols.start);
            before * ENTRY_BYTES as u64
        };
        let mut bytes = vec![0; rows.len() * cols.len() * ENTRY_BYTES];
        if cols.len() == self.cols as usize {
            self.file.read_exact_at(&mut bytes, place(rows.start))?;
        } else {
            let parts = bytes.chunks_exact_mut(cols.len() * ENTRY_BYTES);
            for (row, part) in rows.clone().zip(parts) {
                self.file.read_exact_at(part, place(row))?;
            }
        }
        Ok(Bytes::from(bytes))
    }
}

/// Writes a matrix row by row that a file has column by column; some rows at a time.
fn write_in_rows(
    in_columns: &File,
    (rows, cols): (usize, usize),
    band_bytes: usize,
    in_rows: &mut File,
) -> io::Result<()> {
    let rows_at_once = (band_bytes / (cols * ENTRY_BYTES)).max(1);
    for start in (0..rows).step_by(rows_at_once) {
        let height = rows_at_once.min(rows - start);
        let mut band = vec![0; height * cols * ENTRY_BYTES];
        for (col, part) in band.chunks_exact_mut(height * ENTRY_BYTES).enumerate() {
            let place = (col * rows + start) * ENTRY_BYTES;
            in_columns.read_exact_at(part, place as u64)?;
        }
        in_rows.write_all(&bytes_of(&transpose(&entries_of(&band), cols, height)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use kernel::format::{Format, ReadLimits};

    use super::*;

    /// Entry (i, j) is i·100 + j.
    fn entries(rows: u32, cols: u32) -> Vec<f64> {
        let places = (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col)));
        places
            .map(|(row, col)| f64::from(row * 100 + col))
            .collect()
    }

    fn npy(rows: u32, cols: u32, is_fortran: bool) -> Vec<u8> {
        let order = if is_fortran { "True" } else { "False" };
        let header =
            format!("{{'descr': '<f8', 'fortran_order': {order}, 'shape': ({rows}, {cols}), }}\n");
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        file.extend(header.as_bytes());
        let all = entries(rows, cols);
        let all = match is_fortran {
            true => transpose(&all, rows as usize, cols as usize),
            false => all,
        };
        file.extend_from_slice(&bytes_of(&all));
        file
    }

    fn take_in(format: Format, file: &[u8], bytes_max: usize) -> Result<Operand, IntakeError> {
        let folder = tempfile::tempdir().unwrap();
        let reader = MatrixReader::new(format, ReadLimits { side_max: 1000 });
        let mut intake = Intake::new(reader, folder.path().to_owned(), bytes_max);
        for piece in file.chunks(1000) {
            intake.push(piece)?;
        }
        intake.finish()
    }

    fn spooled(format: Format, file: &[u8]) -> Spool {
        match take_in(format, file, 2000).unwrap() {
            Operand::Spooled(spool) => spool,
            in_memory => panic!("in memory: {in_memory:?}"),
        }
    }

    #[test]
    fn a_large_matrix_is_the_same_from_the_disk_in_whatever_order_it_came() {
        let csv = entries(60, 20);
        let csv = csv.chunks(20).map(|row| {
            let row: Vec<String> = row.iter().map(f64::to_string).collect();
            row.join(",") + "\n"
        });
        let csv: String = csv.collect();
        let columns: Vec<String> = transpose(&entries(60, 20), 60, 20)
            .iter()
            .map(f64::to_string)
            .collect();
        let mtx = format!(
            "%%MatrixMarket matrix array real general\n60 20\n{}\n",
            columns.join("\n")
        );
        for (format, file) in [
            (Format::Npy, npy(60, 20, false)),
            (Format::Npy, npy(60, 20, true)),
            (Format::Csv, csv.into_bytes()),
            (Format::MatrixMarket, mtx.into_bytes()),
        ] {
            let spool = spooled(format, &file);
            assert_eq!((spool.rows, spool.cols, spool.bytes()), (60, 20, 9600));
            let part = |rows, cols| {
                let bytes = spool.part(&Rectangle { rows, cols }).unwrap();
                entries_of(&bytes).into_owned()
            };
            assert_eq!(part(0..60, 0..20), entries(60, 20), "{format:?}");
            assert_eq!(part(59..60, 0..20), entries(60, 20)[59 * 20..]);
            assert_eq!(part(7..9, 18..20), [718.0, 719.0, 818.0, 819.0]);
        }
    }

    #[test]
    fn bands_of_any_height_make_the_same_rows() {
        let columns = transpose(&entries(13, 7), 13, 7);
        let mut in_columns = tempfile::tempfile().unwrap();
        in_columns.write_all(&bytes_of(&columns)).unwrap();
        for band_bytes in [0, 7 * 8, 3 * 7 * 8, 13 * 7 * 8, usize::MAX] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("rows");
            let mut in_rows = File::create(&path).unwrap();
            write_in_rows(&in_columns, (13, 7), band_bytes, &mut in_rows).unwrap();
            let mut bytes = Vec::new();
            File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
            assert_eq!(entries_of(&bytes), entries(13, 7), "{band_bytes}");
        }
    }

    #[test]
    fn a_matrix_that_fits_stays_in_memory() {
        let Ok(Operand::Read(matrix)) = take_in(Format::Npy, &npy(60, 20, true), 9600) else {
            panic!("not in memory");
        };
        assert_eq!((matrix.rows(), matrix.cols()), (60, 20));
        assert_eq!(matrix.into_entries(), entries(60, 20));
    }

    #[test]
    fn what_is_wrong_late_in_a_large_file_is_said_as_of_a_small_one() {
        let whole = npy(60, 20, false);
        let mut not_finite = whole.clone();
        let place = whole.len() - 8 * 21;
        not_finite[place..place + 8].copy_from_slice(&f64::NAN.to_le_bytes());
        let cut_short = whole[..whole.len() - 5].to_vec();
        for file in [not_finite, cut_short] {
            let said = |bytes_max| match take_in(Format::Npy, &file, bytes_max) {
                Err(IntakeError::Read(error)) => error.to_string(),
                other => panic!("{other:?}"),
            };
            assert_eq!(said(2000), said(usize::MAX));
        }
    }

    #[test]
    fn a_disk_that_does_not_take_it_is_said() {
        let reader = MatrixReader::new(Format::Npy, ReadLimits { side_max: 1000 });
        let mut intake = Intake::new(reader, PathBuf::from("/dev/null/none"), 2000);
        let refused = intake.push(&npy(60, 20, false));
        assert!(matches!(refused, Err(IntakeError::Disk(_))), "{refused:?}");
    }
}
