//! What a submission is, in one hash: an `Idempotency-Key` belongs to one set of matrices and options, however
//! they came (a file and its numbers in JSON are the same).

use std::io;

use kernel::cut::Rectangle;
use kernel::entry_bytes::bytes_of;
use wire::{Arithmetic, ChunkHash, MatrixInput, Spread};

use super::{Operand, Product};

/// Entries that are hashed together, of a matrix on the disk.
const BAND_ENTRIES: u32 = 1 << 20;

/// The hash of the options and of both factors.
pub(super) fn of(product: &Product) -> io::Result<ChunkHash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"matmesh submission 1");
    let arithmetic: &[u8] = match product.options.arithmetic {
        Arithmetic::Reproducible => b"reproducible",
        Arithmetic::Fast => b"fast",
    };
    let spread: &[u8] = match product.options.spread {
        Spread::All => b"all",
        Spread::Fastest => b"fastest",
    };
    for word in [arithmetic, spread] {
        hasher.update(word).update(b" ");
    }
    for operand in [&product.a, &product.b] {
        add(&mut hasher, operand)?;
    }
    Ok(ChunkHash::from_bytes(*hasher.finalize().as_bytes()))
}

fn add(hasher: &mut blake3::Hasher, operand: &Operand) -> io::Result<()> {
    let (rows, cols) = operand.sides();
    for side in [rows, cols] {
        hasher.update(&side.to_le_bytes());
    }
    match operand {
        Operand::Given(MatrixInput::Random { seed, .. }) => {
            hasher.update(b"seed").update(&seed.0.to_le_bytes());
        }
        Operand::Given(MatrixInput::Entries { entries, .. }) => {
            hasher.update(b"entries").update(&bytes_of(entries));
        }
        Operand::Read(matrix) => {
            hasher
                .update(b"entries")
                .update(&bytes_of(matrix.entries()));
        }
        Operand::Spooled(spool) => {
            hasher.update(b"entries");
            let rows_at_once = (BAND_ENTRIES / cols.max(1)).max(1);
            for start in (0..rows).step_by(rows_at_once as usize) {
                let end = rows.min(start.saturating_add(rows_at_once));
                let band = Rectangle {
                    rows: start..end,
                    cols: 0..cols,
                };
                hasher.update(&spool.part(&band)?);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kernel::Matrix;
    use wire::{JobOptions, Seed};

    use super::*;

    fn product(a: Operand, options: JobOptions) -> Product {
        let entries = vec![1.0, 2.0];
        let b = Operand::Given(MatrixInput::Entries {
            rows: 2,
            cols: 1,
            entries,
        });
        Product {
            a,
            b,
            options,
            idempotency_key: None,
        }
    }

    fn entries(rows: u32, cols: u32) -> Operand {
        Operand::Given(MatrixInput::Entries {
            rows,
            cols,
            entries: vec![1.0, 2.0, 3.0, 4.0],
        })
    }

    #[test]
    fn the_same_numbers_are_the_same_however_they_came() {
        let options = JobOptions::default();
        let given = of(&product(entries(2, 2), options)).unwrap();
        let matrix = Matrix::new(2, 2, vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let read = of(&product(Operand::Read(matrix), options)).unwrap();
        assert_eq!(given, read);
    }

    #[test]
    fn other_numbers_shapes_and_options_are_others() {
        let options = JobOptions::default();
        let fast = JobOptions {
            arithmetic: Arithmetic::Fast,
            ..options
        };
        let fastest = JobOptions {
            spread: Spread::Fastest,
            ..options
        };
        let seeded = |seed| {
            Operand::Given(MatrixInput::Random {
                rows: 2,
                cols: 2,
                seed: Seed(seed),
            })
        };
        let all = [
            (entries(2, 2), options),
            (entries(1, 4), options),
            (entries(2, 2), fast),
            (entries(2, 2), fastest),
            (seeded(1), options),
            (seeded(2), options),
        ];
        let mut found: Vec<ChunkHash> = all
            .into_iter()
            .map(|(a, options)| of(&product(a, options)).unwrap())
            .collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 6);
    }
}
