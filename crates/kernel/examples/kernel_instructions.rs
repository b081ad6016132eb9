//! Does one thing of the kernels once, for `cargo xtask test instructions`, which counts the
//! instructions that it takes under an emulator of the processor.
//!
//! The argument names the thing; without one all names are printed. What is counted is what runs
//! within [`measured`]: matrices are made before.

use kernel::cut::Rectangle;
use kernel::seeded::SeededMatrix;
use kernel::{Arithmetic, InstructionSet, Kernel, Multiplier, rows_of};

/// Name, instruction set, arithmetic, and the sides rows, inner, cols. The last one has ragged edges
/// everywhere: 3 more rows than tiles have, 1 more column, and a second block of k of 1.
const PRODUCTS: [(&str, InstructionSet, Arithmetic, [usize; 3]); 4] = [
    (
        "scalar-reproducible",
        InstructionSet::Scalar,
        Arithmetic::Reproducible,
        [96, 96, 96],
    ),
    (
        "avx2-reproducible",
        InstructionSet::Avx2,
        Arithmetic::Reproducible,
        [240, 256, 240],
    ),
    (
        "avx2-fast",
        InstructionSet::Avx2,
        Arithmetic::Fast,
        [240, 256, 240],
    ),
    (
        "avx2-ragged",
        InstructionSet::Avx2,
        Arithmetic::Reproducible,
        [27, 257, 25],
    ),
];

const PACK: &str = "pack-right";
const SEEDED: &str = "seeded";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(name) = std::env::args().nth(1) else {
        let products = PRODUCTS.iter().map(|(name, ..)| *name);
        return print_names(products.chain([PACK, SEEDED]));
    };
    if name == PACK {
        pack_right()
    } else if name == SEEDED {
        measured(|| make(1, 256, 256));
        Ok(())
    } else {
        multiply(&name)
    }
}

/// Nothing of it may be inlined into the caller, or its instructions would not be told apart.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    std::hint::black_box(work())
}

fn multiply(name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let product = PRODUCTS.iter().find(|product| product.0 == name);
    let (_, set, arithmetic, [rows, inner, cols]) = product.ok_or("no such name")?;
    let kernel = Kernel::with(*set).ok_or("this processor lacks the instructions")?;
    let multiplier = Multiplier::new(kernel, *arithmetic);
    let left = make(1, *rows, *inner);
    let mut packer = multiplier.prepare_right(*inner, *cols);
    packer.push_rows(&make(2, *inner, *cols));
    let right = packer.finish()?;
    let left = rows_of(&left, *rows);
    let mut product = vec![0.0; rows * cols];
    measured(|| multiplier.multiply(&left, &right, &mut product));
    Ok(())
}

fn pack_right() -> Result<(), Box<dyn std::error::Error>> {
    let kernel = Kernel::with(InstructionSet::Avx2).ok_or("this processor lacks AVX2")?;
    let right = make(2, 256, 240);
    let mut packer = kernel.pack_right(256, 240);
    measured(|| packer.push_rows(&right));
    packer.finish()?;
    Ok(())
}

fn make(seed: u64, rows: usize, cols: usize) -> Vec<f64> {
    let side = |side: usize| u32::try_from(side).expect("the sides above are small");
    let matrix = SeededMatrix {
        seed,
        rows: side(rows),
        cols: side(cols),
    };
    let whole = Rectangle {
        rows: 0..side(rows),
        cols: 0..side(cols),
    };
    let mut entries = vec![0.0; rows * cols];
    matrix.fill(&whole, &mut entries);
    entries
}

fn print_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    for name in names {
        writeln!(output, "{name}")?;
    }
    Ok(())
}
