//! `cargo xtask build`: one binary with its pages inside.
//!
//! Two steps, in this order because the second embeds what the first leaves: cargo-leptos builds
//! the pages into `target/site`, then cargo builds the server around them. cargo-leptos is told to
//! leave the server alone, which would otherwise be compiled twice. Compiling both at once was
//! tried: on two cores it is no faster.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, ensure};

use crate::session::{Session, run};
use crate::tools;

/// What the pages are made from. The layer rule keeps this list true: `frontend` imports `app`,
/// `app` imports `wire`, and nothing else.
const PAGE_SOURCES: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo",
    "crates/wire",
    "app",
    "frontend",
    "style",
    "public",
];

/// Where cargo-leptos leaves the pages: `site-root` in the workspace's Cargo.toml.
const SITE: &str = "target/site";

/// Leptos bakes this name into the server while it compiles, and asks for other file names where
/// it is not set: `output-name` in the workspace's Cargo.toml.
const OUTPUT_NAME: (&str, &str) = ("LEPTOS_OUTPUT_NAME", "matmesh");

/// Builds the binary, doing only what is not done yet, and says where it is.
pub(crate) fn build(session: &mut Session) -> Result<PathBuf> {
    tools::ensure_wasm_target(session)?;
    tools::ensure_wasm_bindgen(session)?;
    tools::ensure_cargo_leptos(session)?;
    build_pages(session)?;
    build_server(session)
}

fn build_pages(session: &mut Session) -> Result<()> {
    let wasm_opt = tools::find_wasm_opt(session);
    let stamp = session.target("xtask/pages.stamp");
    let before = describe_pages(session, wasm_opt.as_deref())?;
    if fs::read_to_string(&stamp).is_ok_and(|known| known == before) {
        println!("    pages: built already");
        return Ok(());
    }
    let why = "compiling the script of the pages to WebAssembly; minutes the first time";
    session.step("pages", why, |session| {
        let stand_in = match wasm_opt {
            Some(_) => None,
            None => Some(write_stand_in(session)?),
        };
        let arguments = ["leptos", "build", "--release", "--frontend-only"];
        run(&mut session.command_preferring(stand_in.as_deref(), "cargo", &arguments)?)
    })?;
    // Described after the build, because the build is what makes the site.
    write_file(&stamp, &describe_pages(session, wasm_opt.as_deref())?)
}

fn build_server(session: &mut Session) -> Result<PathBuf> {
    let site = describe_site(session)?;
    let why = "compiling the server around its pages; minutes the first time";
    session.step("server", why, |session| {
        let arguments = [
            "build",
            "--release",
            "--package",
            "server",
            "--bin",
            "matmesh",
            "--features",
            "embed",
        ];
        run(session
            .command("cargo", &arguments)
            .env(OUTPUT_NAME.0, OUTPUT_NAME.1)
            .env("MATMESH_SITE", site))
    })?;
    let binary = session.target("release/matmesh");
    ensure!(binary.is_file(), "cargo built no {}", binary.display());
    Ok(binary)
}

/// The names of the site's files. What is in them cargo looks at by itself.
fn describe_site(session: &Session) -> Result<String> {
    let mut lines = Vec::new();
    describe_files(&session.file(SITE), &mut lines)?;
    // Behind each name stand its size and its time.
    let names = lines.iter().filter_map(|line| line.rsplitn(3, ' ').last());
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    Ok(names.join(":"))
}

/// cargo-leptos insists on wasm-opt in a release build and would try to download it. This one
/// does nothing and succeeds, which leaves the module as it is: correct, and larger. It lies in a
/// folder of its own that only this build looks into.
fn write_stand_in(session: &Session) -> Result<PathBuf> {
    let folder = session.target("xtask/without-wasm-opt");
    let program = folder.join("wasm-opt");
    write_file(&program, "#!/bin/sh\nexit 0\n")?;
    run(session.command("chmod", &["+x"]).arg(&program))?;
    Ok(folder)
}

/// Everything that decides whether the pages must be built again: their sources, the tools, and
/// the built site itself, which `cargo leptos serve` overwrites with a debug build.
fn describe_pages(session: &Session, wasm_opt: Option<&Path>) -> Result<String> {
    let mut lines = vec![format!("wasm-opt: {wasm_opt:?}")];
    for source in PAGE_SOURCES.iter().copied().chain([SITE]) {
        let path = session.file(source);
        if path.exists() {
            describe_files(&path, &mut lines)?;
        }
    }
    lines.sort_unstable();
    Ok(lines.join("\n"))
}

fn describe_files(path: &Path, lines: &mut Vec<String>) -> Result<()> {
    let facts = fs::metadata(path).with_context(|| path.display().to_string())?;
    if facts.is_dir() {
        for entry in fs::read_dir(path)? {
            describe_files(&entry?.path(), lines)?;
        }
        return Ok(());
    }
    let modified = facts
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    lines.push(format!(
        "{} {} {}",
        path.display(),
        facts.len(),
        modified.as_nanos()
    ));
    Ok(())
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder)?;
    fs::write(path, text).with_context(|| path.display().to_string())
}
