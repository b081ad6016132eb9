//! both: the pages, one a file.

mod contribution;
mod job;
mod jobs;
mod new_job;
mod nodes;
mod not_found;

pub(crate) use contribution::ContributionPage;
pub(crate) use job::JobPage;
pub(crate) use jobs::JobsPage;
pub(crate) use new_job::NewJobPage;
pub(crate) use nodes::NodesPage;
pub(crate) use not_found::NotFoundPage;
