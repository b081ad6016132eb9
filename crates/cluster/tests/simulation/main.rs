//! Several real nodes over a virtual clock, network and disk, all drawn from one
//! seed.
//!
//! - `support/` is that world: it runs far faster than real time, and carries
//!   every output of a node out in the order given.
//! - `invariants/` holds what must be true whatever happens, one file each; the
//!   world asks them at every step.
//! - `scenarios/` are situations that somebody thought of.
//! - `chance.rs` looks for those that nobody thought of.

mod chance;
mod invariants;
mod many_nodes;
#[path = "../shared/records.rs"]
mod records;
mod scenarios;
mod support;

/// A simulated world is made of small allocations: with this they cost half.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
