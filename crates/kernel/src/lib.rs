//! The numbers of matmesh: matrices, the cut of a product into blocks, the kernels that compute a
//! block, matrices made from a seed, and readers and writers of matrix files.
//!
//! Everything here is a pure function of its arguments: no files, sockets, clock, randomness or
//! threads. It builds for the server and, as the module a page computes with, for wasm32.
//!
//! | module | holds |
//! | --- | --- |
//! | [`matrix`] | [`Matrix`], a dense row-major matrix of f64 |
//! | [`cut`] | how a product is cut into blocks and its inputs into chunks |
//! | [`textbook`] | the triple loop that says what every kernel must compute |
//! | [`kernel`] | [`Kernel`]: the same bits as the textbook, fast, one text for all instruction sets |
//! | [`multiplier`] | [`Multiplier`]: a kernel together with the arithmetic a job asked for |
//! | [`seeded`] | matrices that every device makes for itself from a seed |
//! | [`entry_bytes`] | entries as the bytes in which they are stored and travel |
//! | [`mod@format`] | NPY, CSV, Matrix Market and JSON, read and written as streams |
//!
//! What it deliberately does not do: it spawns no threads (the caller gives each of its threads
//! blocks of its own) and it never decides which device computes what.
//!
//! ```
//! use kernel::cut::{Bounds, Cut, ProductShape};
//! use kernel::{Arithmetic, Kernel, Matrix, Multiplier, multiply_textbook, rows_of};
//!
//! // A is 2 × 3 and B is 3 × 2, both row-major.
//! let left = Matrix::new(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
//! let right = Matrix::new(3, 2, vec![7.0, 8.0, 9.0, 10.0, 11.0, 12.0])?;
//!
//! // B is packed once, then every block of C is computed from it.
//! let multiplier = Multiplier::new(Kernel::detect(), Arithmetic::Reproducible);
//! let mut packer = multiplier.prepare_right(3, 2);
//! packer.push_rows(right.entries());
//! let packed = packer.finish()?;
//!
//! let cut = Cut::plan(ProductShape { rows: 2, inner: 3, cols: 2 }, 1, &Bounds::NODES);
//! let mut product = Matrix::zeros(2, 2);
//! for index in 0..cut.block_count() {
//!     let block = cut.block(index).expect("the index is below the count");
//!     let rows = block.rows.start as usize..block.rows.end as usize;
//!     multiplier.multiply(
//!         &rows_of(&left.entries()[rows.start * 3..rows.end * 3], rows.len()),
//!         &packed,
//!         &mut product.entries_mut()[rows.start * 2..rows.end * 2],
//!     );
//! }
//! assert_eq!(product, multiply_textbook(&left, &right));
//! assert_eq!(product.entries(), [58.0, 64.0, 139.0, 154.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
// What a page loads before it can compute is a third smaller without std, whose way to report a
// panic alone would be a tenth of it.
#![no_std]
#![warn(missing_docs)]
#![warn(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

extern crate alloc;
// Asks the processor for its instructions; in WebAssembly there is nothing to ask.
#[cfg(any(test, not(target_arch = "wasm32")))]
extern crate std;

pub mod cut;
pub mod entry_bytes;
pub mod format;
pub mod kernel;
pub mod matrix;
pub mod multiplier;
pub mod seeded;
pub mod textbook;

pub use kernel::{InstructionSet, Kernel, PackedRight, RightPacker, UnfinishedRight, rows_of};
pub use matrix::{Matrix, ShapeError};
pub use multiplier::{Arithmetic, Multiplier, RightFactor};
pub use textbook::multiply_textbook;
