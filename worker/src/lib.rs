//! What a browser computes with: `crates/kernel` as a small WebAssembly module of its own.
//!
//! The module has no imports and plain numbers as arguments, so a Web Worker on a plain-http page
//! instantiates it without any glue. It is built twice, with and without `simd128`; the page takes
//! the SIMD build where `WebAssembly.validate` accepts it.
//!
//! A page's worker calls, in this order:
//!
//! 1. [`allocate`] for its buffers; their contents live in `memory`, which may grow, so views of it
//!    are made anew after each call that can allocate.
//! 2. [`right_begin`], then [`right_push_rows`] or [`right_push_seeded`] for all rows of B (or of a
//!    column block of B) in order of k, then [`right_finish`]. One factor serves every block of its
//!    column block.
//! 3. [`multiply`] for each block, with rows of A that came by the network or from [`fill_seeded`].
//! 4. [`blake3_hash`] over what it received or sends; [`right_drop`] and [`release`] at the end.
//!
//! Matrices are row-major f64, little-endian, as everywhere. Sizes that make no sense, pointers
//! outside the memory and unknown handles are answered with 0 and change nothing. A module whose
//! memory is exhausted in the middle of a multiplication traps: drop the instance.
//!
//! ```
//! // The exports are ordinary functions natively, which is how this example runs.
//! use worker::{multiply, right_begin, right_drop, right_finish, right_push_rows};
//!
//! let (left, right, mut product) = ([1.0, 2.0], [3.0, 4.0], [0.0]);
//! let handle = right_begin(2, 1);
//! // SAFETY: each pointer is that of an array of the length announced.
//! unsafe {
//!     assert_eq!(right_push_rows(handle, right.as_ptr(), 2), 1);
//!     assert_eq!(right_finish(handle), 1);
//!     assert_eq!(multiply(left.as_ptr(), 1, handle, product.as_mut_ptr()), 1);
//! }
//! assert_eq!(right_drop(handle), 1);
//! assert_eq!(product, [11.0]);
//! ```
// In a browser a panic is a trap, and its words would be most of what a page waits for.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![warn(missing_docs)]
#![expect(
    unsafe_code,
    reason = "exports to JavaScript have fixed names and take addresses in the module's memory"
)]

extern crate alloc;

mod memory;
mod right_factors;
#[cfg(target_arch = "wasm32")]
mod without_std;

use kernel::cut::Rectangle;
use kernel::seeded::SeededMatrix;
use kernel::{InstructionSet, Kernel, rows_of};

use memory::{are_disjoint, entries_at, entries_at_mut};
use right_factors::with_factors;

/// Number of a right factor, from 1.
pub type Handle = u32;

/// Done.
const DONE: u32 = 1;
/// Refused, because an argument makes no sense; nothing has changed.
const REFUSED: u32 = 0;

/// Reserves this many bytes, aligned to 16, and returns their address; 0 when there is no room.
/// The bytes are zero.
#[unsafe(no_mangle)]
pub extern "C" fn allocate(bytes: usize) -> *mut u8 {
    memory::allocate(bytes)
}

/// Gives bytes back that [`allocate`] reserved.
///
/// # Safety
/// `address` came from [`allocate`] with the same `bytes` and was not released before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn release(address: *mut u8, bytes: usize) {
    // SAFETY: passed on to the caller.
    unsafe { memory::release(address, bytes) }
}

/// Begins a right factor of inner × cols and returns its handle; 0 when there is no room for it.
#[unsafe(no_mangle)]
pub extern "C" fn right_begin(inner: usize, cols: usize) -> Handle {
    with_factors(|factors| factors.begin(Kernel::detect(), inner, cols))
}

/// Takes the next `rows` rows of B, row-major, in order of k.
///
/// # Safety
/// At `address` are rows · cols entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn right_push_rows(handle: Handle, address: *const f64, rows: usize) -> u32 {
    with_factors(|factors| {
        let packer = factors.packer(handle)?;
        let count = rows.checked_mul(packer.cols())?;
        // SAFETY: the caller vouches for the entries.
        let entries = unsafe { entries_at(address, count) }?;
        packer.push(rows, entries)
    })
    .map_or(REFUSED, |()| DONE)
}

/// Makes the next `row_count` rows of B from a seed: rows `row_start` on, and as many columns as
/// the factor has from `col_start` on, of a matrix of `stride_cols` columns.
#[unsafe(no_mangle)]
pub extern "C" fn right_push_seeded(
    handle: Handle,
    seed_low: u32,
    seed_high: u32,
    stride_cols: u32,
    row_start: u32,
    row_count: u32,
    col_start: u32,
) -> u32 {
    let seed = join_seed(seed_low, seed_high);
    with_factors(|factors| {
        let packer = factors.packer(handle)?;
        let cols = col_start..col_start.checked_add(u32::try_from(packer.cols()).ok()?)?;
        let rows = row_start..row_start.checked_add(row_count)?;
        let (matrix, rectangle) = seeded_part(seed, stride_cols, Rectangle { rows, cols })?;
        packer.push_seeded(matrix, &rectangle)
    })
    .map_or(REFUSED, |()| DONE)
}

/// Declares the right factor whole; 0 when rows are missing, and the factor stays open for them.
#[unsafe(no_mangle)]
pub extern "C" fn right_finish(handle: Handle) -> u32 {
    with_factors(|factors| factors.finish(handle)).map_or(REFUSED, |()| DONE)
}

/// Forgets a right factor, whole or not, and frees its memory.
#[unsafe(no_mangle)]
pub extern "C" fn right_drop(handle: Handle) -> u32 {
    with_factors(|factors| factors.drop(handle)).map_or(REFUSED, |()| DONE)
}

/// Writes a rectangle of a seeded matrix of `stride_cols` columns, row-major.
///
/// # Safety
/// At `address` is room for `row_count` · `col_count` entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fill_seeded(
    address: *mut f64,
    seed_low: u32,
    seed_high: u32,
    stride_cols: u32,
    row_start: u32,
    row_count: u32,
    col_start: u32,
    col_count: u32,
) -> u32 {
    let seed = join_seed(seed_low, seed_high);
    let fill = || {
        let rows = row_start..row_start.checked_add(row_count)?;
        let cols = col_start..col_start.checked_add(col_count)?;
        let (matrix, rectangle) = seeded_part(seed, stride_cols, Rectangle { rows, cols })?;
        let count = usize::try_from(rectangle.entries()).ok()?;
        // SAFETY: the caller vouches for the room.
        let out = unsafe { entries_at_mut(address, count) }?;
        matrix.fill(&rectangle, out);
        Some(())
    };
    fill().map_or(REFUSED, |()| DONE)
}

/// Writes the product of `rows` rows of A and a finished right factor: rows × cols entries.
///
/// # Safety
/// At `left` are rows · inner entries; at `product` is room for rows · cols.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multiply(
    left: *const f64,
    rows: usize,
    handle: Handle,
    product: *mut f64,
) -> u32 {
    with_factors(|factors| {
        let right = factors.packed(handle)?;
        let left_count = rows.checked_mul(right.inner())?;
        let product_count = rows.checked_mul(right.cols())?;
        if !are_disjoint((left, left_count), (product, product_count)) {
            return None;
        }
        // SAFETY: the caller vouches for both, and they do not overlap.
        let (left, product) = unsafe {
            (
                entries_at(left, left_count)?,
                entries_at_mut(product, product_count)?,
            )
        };
        Kernel::detect().multiply(&rows_of(left, rows), right, product);
        Some(())
    })
    .map_or(REFUSED, |()| DONE)
}

/// Writes the 32 bytes of the BLAKE3 hash of `bytes` bytes.
///
/// # Safety
/// At `address` are `bytes` bytes; at `out` is room for 32.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blake3_hash(address: *const u8, bytes: usize, out: *mut u8) -> u32 {
    // SAFETY: the caller vouches for both; the input is no longer used when the hash is written.
    let hash = || unsafe {
        let hash = blake3::hash(memory::bytes_at(address, bytes)?);
        memory::bytes_at_mut(out, blake3::OUT_LEN)?.copy_from_slice(hash.as_bytes());
        Some(())
    };
    hash().map_or(REFUSED, |()| DONE)
}

/// 1 in the SIMD build, 0 in the plain one.
#[unsafe(no_mangle)]
pub extern "C" fn is_simd() -> u32 {
    u32::from(Kernel::detect().instruction_set() != InstructionSet::Scalar)
}

fn join_seed(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// The matrix a rectangle belongs to, if its columns are columns of that matrix.
fn seeded_part(
    seed: u64,
    stride_cols: u32,
    rectangle: Rectangle,
) -> Option<(SeededMatrix, Rectangle)> {
    let matrix = SeededMatrix {
        seed,
        rows: rectangle.rows.end,
        cols: stride_cols,
    };
    (rectangle.cols.end <= stride_cols).then_some((matrix, rectangle))
}
