//! hydrate: seeds for random matrices, drawn by the browser.

/// A fresh seed of 32 bits, so that a person can copy it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "random() is in [0, 1), so the product is in [0, 2^32)"
)]
pub(crate) fn fresh_seed() -> u64 {
    (js_sys::Math::random() * 4_294_967_296.0) as u64
}
