//! Why a client command did not do what it was asked, and its exit code.

use std::io;
use std::process::ExitCode;

/// What a client command ends with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The job or the request failed.
    #[error("{0}")]
    Failed(String),
    /// The command was called wrongly.
    #[error("{0}")]
    Usage(String),
    /// No node was reached.
    #[error("{0}")]
    NoNode(String),
    /// Whoever reads the output has had enough, such as `head`.
    #[error("nobody reads the output any longer")]
    OutputClosed,
}

impl Failure {
    /// A failed write of the output.
    pub(super) fn of_output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::Failed(format!("cannot write the output: {error}"))
        }
    }

    /// Says why on standard error and gives the exit code.
    pub(super) fn report(&self) -> ExitCode {
        let code = match self {
            // Nothing went wrong for whoever closed it.
            Self::OutputClosed => return ExitCode::SUCCESS,
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::NoNode(_) => 3,
        };
        eprintln!("matmesh: {self}");
        ExitCode::from(code)
    }
}
