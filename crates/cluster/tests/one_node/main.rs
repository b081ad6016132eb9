//! One node, and a test that plays all others: what the node does about what each of them says.
//!
//! The simulation draws situations; here each is set up message by message, also those that honest nodes never
//! bring about.

mod authority;
mod copies;
mod devices;
mod elections;
mod ends;
#[path = "../shared/records.rs"]
mod records;
mod stage;
