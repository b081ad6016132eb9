//! The API of real nodes, as a program on the network sees it.

#![expect(
    clippy::unwrap_used,
    reason = "a panic in a test is its report, helpers of tests included"
)]

#[path = "support/api_client.rs"]
mod api_client;
#[path = "support/fake_page.rs"]
mod fake_page;
#[path = "support/matrices.rs"]
mod matrices;
#[path = "support/running_node.rs"]
mod running_node;

#[path = "api/any_node.rs"]
mod any_node;
#[path = "api/bad_input.rs"]
mod bad_input;
#[path = "api/bad_input_table.rs"]
mod bad_input_table;
#[path = "api/files.rs"]
mod files;
#[path = "api/forms.rs"]
mod forms;
#[path = "api/lifetimes.rs"]
mod lifetimes;
#[path = "api/long_life.rs"]
mod long_life;
#[path = "api/origins.rs"]
mod origins;
#[path = "api/pages.rs"]
mod pages;
#[path = "api/products.rs"]
mod products;
#[path = "api/register.rs"]
mod register;
#[path = "api/sockets.rs"]
mod sockets;
#[path = "api/store_trouble.rs"]
mod store_trouble;
#[path = "api/succession.rs"]
mod succession;
