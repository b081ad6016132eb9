//! Several real nodes over a virtual clock, network and disk. One file a
//! matter, one fact a test; `faults.rs` looks for what nobody thought of.

mod support;

mod completing;
mod ending;
mod faults;
mod leasing;
mod membership;
mod restoring;
mod spreading;
mod ticking;
