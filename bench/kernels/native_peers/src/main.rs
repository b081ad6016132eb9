//! One thread's work, timed as `native_times.py` asks for it.
//!
//! Reads lines `WHAT N` and answers each with a line of seconds. WHAT is `faer`, its product of two
//! N × N matrices, or the same number of operations in registers alone: `fused-256`,
//! `separate-256`, `fused-512`, `separate-512`.

mod pipes;

use std::io::{BufRead, Write};
use std::time::Instant;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut output = std::io::stdout().lock();
    let mut matrices = Matrices::new(0);
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (what, side) = line.split_once(' ').ok_or("WHAT N")?;
        let side: usize = side.parse()?;
        let seconds = if what == "faer" {
            if matrices.side != side {
                matrices = Matrices::new(side);
            }
            matrices.time()
        } else {
            let loop_of = pipes::find(what).ok_or("no such instructions here")?;
            let start = Instant::now();
            loop_of(2 * (side as u64).pow(3));
            start.elapsed().as_secs_f64()
        };
        writeln!(output, "{seconds:.9}")?;
        output.flush()?;
    }
    Ok(())
}

/// Square factors and the place for their product, row-major as NumPy's and matmesh's are.
struct Matrices {
    side: usize,
    left: Vec<f64>,
    right: Vec<f64>,
    product: Vec<f64>,
}

impl Matrices {
    fn new(side: usize) -> Self {
        // The constants of Knuth's MMIX: the entries only have to be there.
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut make = || (0..side * side).map(|_| next()).collect::<Vec<f64>>();
        Self {
            side,
            left: make(),
            right: make(),
            product: make(),
        }
    }

    fn time(&mut self) -> f64 {
        let side = self.side;
        let start = Instant::now();
        matmul(
            MatMut::from_row_major_slice_mut(&mut self.product, side, side),
            Accum::Replace,
            MatRef::from_row_major_slice(&self.left, side, side),
            MatRef::from_row_major_slice(&self.right, side, side),
            1.0,
            Par::Seq,
        );
        start.elapsed().as_secs_f64()
    }
}
