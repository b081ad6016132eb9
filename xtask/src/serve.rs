//! `cargo xtask serve`: from a fresh clone to a node that serves.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::build;
use crate::session::Session;
use crate::tools;

/// Builds what is not built yet, then becomes `matmesh serve`, so that Ctrl-C and signals reach
/// the node itself and nothing stands between.
pub(crate) fn serve(session: &mut Session, options: &[String]) -> Result<ExitCode> {
    let binary = build::build(session)?;
    session.print_times();
    tools::ensure_all_meanwhile(session);
    // The user's own folder stays the working folder: options may name files in it.
    let error = Command::new(&binary).arg("serve").args(options).exec();
    Err(error).with_context(|| format!("cannot start {}", binary.display()))
}
