//! The kernels: what computes a block of C, on whatever processor it runs on.
//!
//! [`Kernel`] is a choice of instruction set. B is packed once for a kernel ([`RightPacker`] to
//! [`PackedRight`]) and then multiplied by any number of row blocks of A, from any number of
//! threads. All kernels are instances of one text ([`tile`]) inside one loop nest ([`blocked`]), so
//! a kernel that this machine cannot run is still the code that was tested on it, over other
//! registers. Where a processor is much faster with its instructions in another order the loop over k
//! is written out for it: in `avx2`, and for pages by the build of their module.
//!
//! Every kernel gives each entry of C its own accumulator and adds the products in the order of k;
//! only different entries are computed side by side. That, and never fusing a multiplication with
//! an addition, is why the bits are those of [`crate::multiply_textbook`].

mod blocked;
mod packing;
mod tile;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm_simd;

use alloc::vec::Vec;
use core::fmt;

pub use packing::{PackedRight, RightPacker, UnfinishedRight};

/// The instructions a kernel is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstructionSet {
    /// x86-64 with AVX-512F: 8 lanes, 32 registers.
    Avx512,
    /// x86-64 with AVX2 and FMA: 4 lanes, 16 registers.
    Avx2,
    /// 64-bit ARM: 2 lanes, 32 registers.
    Neon,
    /// WebAssembly with simd128: 2 lanes.
    WasmSimd,
    /// Any processor.
    Scalar,
}

impl InstructionSet {
    /// All of them, best first.
    pub const ALL: [Self; 5] = [
        Self::Avx512,
        Self::Avx2,
        Self::Neon,
        Self::WasmSimd,
        Self::Scalar,
    ];
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
            Self::Neon => "NEON",
            Self::WasmSimd => "WebAssembly SIMD",
            Self::Scalar => "scalar",
        })
    }
}

/// A kernel that this processor can run.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    engine: AnyEngine,
}

/// The engines of this target. Each value proves that the processor has its instructions.
#[derive(Clone, Copy, Debug)]
enum AnyEngine {
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    WasmSimd(wasm_simd::WasmSimd),
    Scalar(scalar::Scalar),
}

/// Runs an expression with the engine inside an [`AnyEngine`], whatever its type.
macro_rules! with_engine {
    ($any:expr, $engine:ident => $body:expr) => {
        match $any {
            #[cfg(target_arch = "x86_64")]
            AnyEngine::Avx512($engine) => $body,
            #[cfg(target_arch = "x86_64")]
            AnyEngine::Avx2($engine) => $body,
            #[cfg(target_arch = "aarch64")]
            AnyEngine::Neon($engine) => $body,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            AnyEngine::WasmSimd($engine) => $body,
            AnyEngine::Scalar($engine) => $body,
        }
    };
}

impl Kernel {
    /// The best kernel for this processor, found at run time. On wasm32, where a module either
    /// validates whole or not at all, found at compile time.
    #[must_use]
    #[inline]
    pub fn detect() -> Self {
        // Not a loop over all of them: only so does the compiler see that in WebAssembly there is
        // one choice, and leave the other kernel out of what a page loads.
        Self::with(InstructionSet::Avx512)
            .or_else(|| Self::with(InstructionSet::Avx2))
            .or_else(|| Self::with(InstructionSet::Neon))
            .or_else(|| Self::with(InstructionSet::WasmSimd))
            .or_else(|| Self::with(InstructionSet::Scalar))
            .expect("the scalar kernel runs anywhere")
    }

    /// The kernel of this instruction set, if this processor has it.
    #[must_use]
    #[inline]
    pub fn with(instruction_set: InstructionSet) -> Option<Self> {
        let engine = match instruction_set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => AnyEngine::Avx512(avx512::Avx512::detect()?),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => AnyEngine::Avx2(avx2::Avx2::detect()?),
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon => AnyEngine::Neon(neon::Neon::detect()?),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            InstructionSet::WasmSimd => AnyEngine::WasmSimd(wasm_simd::WasmSimd::detect()),
            InstructionSet::Scalar => AnyEngine::Scalar(scalar::Scalar::detect()),
            _ => return None,
        };
        Some(Self { engine })
    }

    /// All kernels this processor can run, best first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        InstructionSet::ALL
            .into_iter()
            .filter_map(Self::with)
            .collect()
    }

    /// What this kernel is written in.
    #[must_use]
    pub fn instruction_set(&self) -> InstructionSet {
        match self.engine {
            #[cfg(target_arch = "x86_64")]
            AnyEngine::Avx512(_) => InstructionSet::Avx512,
            #[cfg(target_arch = "x86_64")]
            AnyEngine::Avx2(_) => InstructionSet::Avx2,
            #[cfg(target_arch = "aarch64")]
            AnyEngine::Neon(_) => InstructionSet::Neon,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            AnyEngine::WasmSimd(_) => InstructionSet::WasmSimd,
            AnyEngine::Scalar(_) => InstructionSet::Scalar,
        }
    }

    /// Rows and columns of C that are held in registers at once. Tests put edges beside them.
    #[must_use]
    pub fn tile(&self) -> (usize, usize) {
        with_engine!(self.engine, engine => blocked::tile_sides(engine))
    }

    /// A packer that takes the rows of an inner × cols matrix B in order of k.
    ///
    /// # Panics
    /// When the packed matrix would not fit the address space.
    #[must_use]
    pub fn pack_right(&self, inner: usize, cols: usize) -> RightPacker {
        RightPacker::new(self.instruction_set(), self.tile().1, inner, cols)
    }

    /// Writes the product of A and B (inner × cols) into `product` (rows × cols, row-major), in
    /// reproducible arithmetic. `left` are the rows of A, `inner` entries each, wherever they lie.
    ///
    /// # Panics
    /// When a slice does not have the length its shape says, or B was packed for another kernel.
    #[inline]
    pub fn multiply(&self, left: &[&[f64]], right: &PackedRight, product: &mut [f64]) {
        right.check_use(self.instruction_set(), left, product);
        with_engine!(self.engine, engine => {
            blocked::multiply::<_, false>(engine, left, right, product);
        });
    }

    /// The same product with fused multiply-add where the processor has it: within the usual
    /// error bound, but not the same bits on every device. On wasm32 and without SIMD the
    /// reproducible kernel.
    ///
    /// # Panics
    /// When a slice does not have the length its shape says, or B was packed for another kernel.
    pub fn multiply_fast(&self, left: &[&[f64]], right: &PackedRight, product: &mut [f64]) {
        right.check_use(self.instruction_set(), left, product);
        with_engine!(self.engine, engine => {
            blocked::multiply::<_, true>(engine, left, right, product);
        });
    }
}

/// The rows of a row-major matrix.
///
/// # Panics
/// When `entries` are not so many rows.
#[must_use]
pub fn rows_of(entries: &[f64], rows: usize) -> Vec<&[f64]> {
    let cols = entries.len().checked_div(rows).unwrap_or(0);
    assert_eq!(entries.len(), rows * cols, "a matrix has whole rows");
    (0..rows)
        .map(|row| &entries[row * cols..(row + 1) * cols])
        .collect()
}
