//! The command line, as people and scripts use it: what it prints, what it
//! writes, and its exit codes.

#![expect(
    clippy::unwrap_used,
    reason = "a panic in a test is its report, helpers of tests included"
)]

#[expect(dead_code, reason = "the tests of the API use the rest")]
#[path = "support/api_client.rs"]
mod api_client;
#[expect(dead_code, reason = "the tests of the API use the rest")]
#[path = "support/matrices.rs"]
mod matrices;
#[expect(dead_code, reason = "the tests of the API use the rest")]
#[path = "support/running_node.rs"]
mod running_node;

#[path = "cli/broken_node.rs"]
mod broken_node;
#[path = "cli/command.rs"]
mod command;
#[path = "cli/listing.rs"]
mod listing;
#[path = "cli/multiply.rs"]
mod multiply;
#[path = "cli/serve.rs"]
mod serve;
