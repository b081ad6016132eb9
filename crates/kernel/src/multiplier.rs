//! A kernel together with the arithmetic a job asked for: the one thing a worker needs to hold.

use crate::kernel::{Kernel, PackedRight, RightPacker};

/// Which bits a product may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arithmetic {
    /// Each entry is the sum over k = 0, 1, 2 … of separately rounded products and sums from +0.0:
    /// the same bits as the textbook loop, on every device.
    #[default]
    Reproducible,
    /// Fused multiply-add where the processor has it; within the usual error bound, but the bits
    /// differ between devices.
    Fast,
}

/// B as a [`Multiplier`] wants it. Both arithmetics read the same packed panels.
pub type RightFactor = PackedRight;

/// A kernel and an arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Multiplier {
    kernel: Kernel,
    arithmetic: Arithmetic,
}

impl Multiplier {
    /// A multiplier that computes with this kernel in this arithmetic.
    #[must_use]
    pub fn new(kernel: Kernel, arithmetic: Arithmetic) -> Self {
        Self { kernel, arithmetic }
    }

    /// The kernel it computes with.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// The arithmetic it computes in.
    #[must_use]
    pub fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    /// A packer that takes the rows of an inner × cols matrix B in order of k.
    ///
    /// # Panics
    /// When the packed matrix would not fit the address space.
    #[must_use]
    pub fn prepare_right(&self, inner: usize, cols: usize) -> RightPacker {
        self.kernel.pack_right(inner, cols)
    }

    /// Writes C (rows × cols, row-major), the product of the rows of A, `inner` entries each, and B.
    ///
    /// # Panics
    /// When a slice does not have the length its shape says, or B was packed for another kernel.
    pub fn multiply(&self, left: &[&[f64]], right: &RightFactor, product: &mut [f64]) {
        match self.arithmetic {
            Arithmetic::Reproducible => self.kernel.multiply(left, right, product),
            Arithmetic::Fast => self.kernel.multiply_fast(left, right, product),
        }
    }
}
