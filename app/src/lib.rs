//! both: the pages of a node.
//!
//! Server-rendered, then brought to life by the `frontend` package. What a
//! page shows comes with it, as `PageMaterial` that the server has gathered,
//! and goes on as news through the socket of the computing script: see `live`.
//! What people send are forms, each a server function in [`api`], which asks
//! the cluster through a `ClusterHandle`. Matrices never pass through here,
//! except the few entries that a person types: files and results have
//! streaming routes of their own.
//!
//! A file is compiled for the server (`ssr`), for the browser (`hydrate`) or
//! for both; its first line says which. Code that touches the browser sits in
//! effects and event handlers, which the server never runs.
//!
//! The computing itself is not here either: `/compute-worker.js` does it, and
//! [`compute_worker`] shows what it did.

// A wide tuple of a view is a type of thousands of characters.
#![recursion_limit = "512"]
#![expect(
    unreachable_pub,
    reason = "leptos' macros make the inner items of each component and server function pub"
)]

pub mod api;
mod app;
mod app_error;
mod components;
mod compute_worker;
mod course;
mod dynamic;
mod form_post;
mod format;
mod job_form;
mod live;
mod pages;
mod random_text;
mod read_back;
mod rows;
mod texts;
mod upload;

#[cfg(feature = "ssr")]
mod cluster_handle;
#[cfg(feature = "ssr")]
mod page_material;
#[cfg(not(feature = "ssr"))]
#[path = "page_material_in_browser.rs"]
mod page_material;
#[cfg(feature = "ssr")]
mod seed_source;
#[cfg(not(feature = "ssr"))]
#[path = "seed_source_in_browser.rs"]
mod seed_source;
#[cfg(feature = "ssr")]
mod shell;

pub use app::{App, is_page};
pub use app_error::AppError;
#[cfg(feature = "ssr")]
pub use cluster_handle::{Answer, ClusterHandle, Command};
#[cfg(feature = "ssr")]
pub use components::report;
#[cfg(feature = "ssr")]
pub use page_material::{PageMaterial, read_form_error};
#[cfg(feature = "ssr")]
pub use shell::shell;
