//! Times one multiplication at a time, as `bench/kernels/native_times.py` asks for them, so that
//! its rounds can take turns with NumPy's in one run.
//!
//! Reads lines `MODE N [ROWS]` from standard input and answers each with a line of seconds. MODE is
//! `reproducible` or `fast`, optionally with `@scalar` or `@avx2` for those kernels; B is packed within
//! the time, as a library must that is given plain matrices. With ROWS, B is packed beforehand and
//! C computed in blocks of that many rows, as a worker does.

use std::io::{BufRead, Write};
use std::time::Duration;

use kernel::cut::Rectangle;
use kernel::seeded::SeededMatrix;
use kernel::{Arithmetic, InstructionSet, Kernel, Multiplier, RightFactor, rows_of};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", Kernel::detect().instruction_set())?;
    output.flush()?;
    let mut matrices = Matrices::new(0);
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let mode = words.next().ok_or("a mode")?;
        let side: u32 = words.next().ok_or("a side")?.parse()?;
        let block_rows: Option<usize> = words.next().map(str::parse).transpose()?;
        if matrices.side != side as usize {
            matrices = Matrices::new(side);
        }
        let multiplier = choose_multiplier(mode)?;
        let elapsed = match block_rows {
            None => matrices.time_whole(multiplier),
            Some(rows) => matrices.time_blocks(multiplier, rows),
        };
        writeln!(output, "{:.9}", elapsed.as_secs_f64())?;
        output.flush()?;
    }
    Ok(())
}

fn choose_multiplier(mode: &str) -> Result<Multiplier, String> {
    let (arithmetic, set) = mode.split_once('@').unwrap_or((mode, ""));
    let arithmetic = match arithmetic {
        "reproducible" => Arithmetic::Reproducible,
        "fast" => Arithmetic::Fast,
        other => return Err(format!("no arithmetic {other}")),
    };
    let kernel = match set {
        "scalar" => Kernel::with(InstructionSet::Scalar).ok_or("no scalar kernel")?,
        "avx2" => Kernel::with(InstructionSet::Avx2).ok_or("no AVX2 here")?,
        _ => Kernel::detect(),
    };
    Ok(Multiplier::new(kernel, arithmetic))
}

/// Square factors and the place for their product.
struct Matrices {
    side: usize,
    left: Vec<f64>,
    right: Vec<f64>,
    product: Vec<f64>,
}

impl Matrices {
    fn new(side: u32) -> Self {
        let make = |seed| {
            let mut entries = vec![0.0; side as usize * side as usize];
            let matrix = SeededMatrix {
                seed,
                rows: side,
                cols: side,
            };
            matrix.fill(
                &Rectangle {
                    rows: 0..side,
                    cols: 0..side,
                },
                &mut entries,
            );
            entries
        };
        Self {
            side: side as usize,
            left: make(1),
            right: make(2),
            product: make(3),
        }
    }

    fn time_whole(&mut self, multiplier: Multiplier) -> Duration {
        let start = now();
        let packed = self.pack(multiplier);
        multiplier.multiply(&rows_of(&self.left, self.side), &packed, &mut self.product);
        start.elapsed()
    }

    fn time_blocks(&mut self, multiplier: Multiplier, rows: usize) -> Duration {
        let packed = self.pack(multiplier);
        let entries = rows * self.side;
        let start = now();
        for (left, product) in self
            .left
            .chunks(entries)
            .zip(self.product.chunks_mut(entries))
        {
            multiplier.multiply(&rows_of(left, left.len() / self.side), &packed, product);
        }
        start.elapsed()
    }

    fn pack(&self, multiplier: Multiplier) -> RightFactor {
        let mut packer = multiplier.prepare_right(self.side, self.side);
        packer.push_rows(&self.right);
        packer.finish().expect("all rows were pushed")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark is what a clock is for"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
