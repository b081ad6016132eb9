//! both: the forms of the pages, one server function a file.
//!
//! They live under `/pages`, apart from the API for programs under `/api/v1`. Without script a form
//! is posted plainly: the answer is a redirect, and an error comes back in the address of the page.
//! With script `form_post` sends the same fields. What pages show does not come through here: see
//! `live`.

mod cancel_job;
mod delete_job;
mod register_node;
mod submission_form;
mod submit_job;

#[cfg(feature = "ssr")]
mod cluster;
#[cfg(feature = "ssr")]
mod submission_reader;

pub use cancel_job::{CancelJob, cancel_job};
pub use delete_job::{DeleteJob, delete_job};
pub use register_node::{RegisterNode, register_node};
pub use submission_form::SubmissionForm;
pub use submit_job::{SubmitJob, submit_job};
