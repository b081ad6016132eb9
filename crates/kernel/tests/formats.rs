//! Matrix files: what is read, what is refused and in which words, and that what is written reads
//! back. Every file is read whole, byte by byte, and in uneven pieces.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod formats {
    mod csv;
    mod json;
    mod matrix_market;
    mod npy;
    #[cfg(not(target_arch = "wasm32"))]
    mod properties;
    pub(crate) mod reading;
    mod writing;
}
