//! One suite, every kernel: each one this machine can run is held to the textbook, bit by bit.
//!
//! Runs natively, under qemu for NEON, and in node for both WebAssembly builds. The sizes are
//! smaller where the processor is emulated.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod every_kernel {
    mod edges;
    mod misuse;
    mod values;

    #[cfg(not(target_arch = "wasm32"))]
    mod properties;

    pub(crate) mod oracle;
    mod presence;
}
