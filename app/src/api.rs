//! both: what pages ask of their node, one server function a file.
//!
//! They live under `/pages`, apart from the API for programs under `/api/v1`.
//! Those that a form calls also work as a plain form post: they answer with a
//! redirect, and an error comes back in the address of the page.

mod cancel_job;
mod job_blocks;
mod job_view;
mod join_view;
mod mesh_view;
mod own_account;
mod register_node;
mod result_preview;
mod submission_form;
mod submit_job;

#[cfg(feature = "ssr")]
mod cluster;
#[cfg(feature = "ssr")]
mod submission_reader;

pub use cancel_job::{CancelJob, cancel_job};
pub use job_blocks::{JobBlocks, job_blocks};
pub use job_view::{ReadJobView, job_view};
pub use join_view::{ReadJoinView, join_view};
pub use mesh_view::{ReadMeshView, mesh_view};
pub use own_account::{OwnAccount, own_account};
pub use register_node::{RegisterNode, register_node};
pub use result_preview::{ReadResultPreview, result_preview};
pub use submission_form::SubmissionForm;
pub use submit_job::{SubmitJob, submit_job};
