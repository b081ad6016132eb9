//! `cargo xtask build`: one binary with its pages inside.
//!
//! Two steps, in this order because the second embeds what the first leaves: the pages, then the
//! server around them. Compiling both at once was tried: on two cores it is no faster.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::pages::{self, OUTPUT_NAME};
use crate::session::{Session, run};
use crate::tools;

/// Builds the binary, doing only what is not done yet, and says where it is.
pub(crate) fn build(session: &mut Session) -> Result<PathBuf> {
    tools::ensure_wasm_target(session)?;
    tools::ensure_wasm_bindgen(session)?;
    pages::build(session)?;
    build_server(session)
}

fn build_server(session: &mut Session) -> Result<PathBuf> {
    // Cargo compiles the server again when a file of the site comes or goes.
    let site = env::join_paths(pages::names(&pages::site(session))?)?;
    let why = "compiling the server around its pages; minutes the first time";
    session.step("server", why, |session| {
        let arguments = ["build", "--release", "--package", "server"];
        run(session
            .command("cargo", &arguments)
            .args(["--bin", "matmesh", "--features", "embed"])
            .env("LEPTOS_OUTPUT_NAME", OUTPUT_NAME)
            .env("MATMESH_SITE", site))
    })?;
    let binary = session.target("release/matmesh");
    ensure!(binary.is_file(), "cargo built no {}", binary.display());
    Ok(binary)
}
