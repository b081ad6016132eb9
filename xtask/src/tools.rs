//! The tools that cargo and rustup install, at the versions this project needs.
//!
//! Each `ensure_…` looks first and installs only what is missing, so a second run costs nothing.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result};

use crate::session::{Session, run};
use crate::system;

/// The release that the pages are worked on with. Its successor needs a newer Rust than ours.
const CARGO_LEPTOS: &str = "0.3.10";

/// What browsers run.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// What phones and small boards run, for the kernels' NEON paths.
pub(crate) const NEON_TARGET: &str = "aarch64-unknown-linux-gnu";

/// The standard library for WebAssembly.
pub(crate) fn ensure_wasm_target(session: &mut Session) -> Result<()> {
    ensure_target(session, WASM_TARGET)
}

/// The standard library for 64-bit Arm.
pub(crate) fn ensure_neon_target(session: &mut Session) -> Result<()> {
    ensure_target(session, NEON_TARGET)
}

/// `cargo fmt` or `cargo clippy`.
pub(crate) fn ensure_component(session: &mut Session, component: &str) -> Result<()> {
    let program = if component == "rustfmt" {
        "cargo-fmt"
    } else {
        "cargo-clippy"
    };
    if session.ask(program, &["--version"]).is_some() {
        return Ok(());
    }
    session.step(component, "a component of the Rust toolchain", |session| {
        run(&mut session.command("rustup", &["component", "add", component]))
    })
}

/// All that `cargo leptos serve` needs.
pub(crate) fn ensure_all(session: &mut Session) -> Result<()> {
    ensure_wasm_target(session)?;
    ensure_wasm_bindgen(session)?;
    ensure_cargo_leptos(session)
}

/// Goes on as [`ensure_all`] in a process of its own, which takes what the others leave of the
/// processor: a node need not wait for tools that it serves without. Nor for what goes wrong with
/// them, which is only said.
pub(crate) fn ensure_all_meanwhile(session: &mut Session) {
    if has_cargo_leptos(session) {
        return;
    }
    match spawn_tools(session) {
        Ok(log) => println!(
            "    cargo-leptos, for those who work on the pages, is compiled while the node serves \
             ({})",
            log.display()
        ),
        Err(error) => println!(
            "    cargo-leptos, for those who work on the pages, is not installed: {error:#}; \
             `cargo xtask tools` tries again"
        ),
    }
}

fn spawn_tools(session: &mut Session) -> Result<PathBuf> {
    // What has to be asked of the system is asked here, where it is seen.
    system::ensure_openssl(session)?;
    let path = session.target("xtask/tools.log");
    let log = File::options().create(true).append(true).open(&path)?;
    let program = env::current_exe()?.display().to_string();
    session
        .command("nice", &["-n", "19", &program, "tools"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start nice")?;
    Ok(path)
}

fn has_cargo_leptos(session: &Session) -> bool {
    let wanted = format!("cargo-leptos {CARGO_LEPTOS}");
    session.ask("cargo-leptos", &["--version"]) == Some(wanted)
}

/// cargo-leptos, compiled here: its own downloads are not needed for anything we use.
pub(crate) fn ensure_cargo_leptos(session: &mut Session) -> Result<()> {
    if has_cargo_leptos(session) {
        return Ok(());
    }
    let _alone = wait_for_others(session)?;
    if has_cargo_leptos(session) {
        return Ok(());
    }
    let openssl = system::ensure_openssl(session)?;
    let why = "compiling the tool with which one works on the pages, once; five to ten minutes on \
               two cores (without optimisation: with it they would be twelve)";
    session.step("cargo-leptos", why, |session| {
        let package = ["cargo-leptos", "--version", CARGO_LEPTOS, "--locked"];
        install(session, &package, openssl)
    })
}

/// wasm-bindgen and its test runner. Its version must be that of the library, to the last digit.
pub(crate) fn ensure_wasm_bindgen(session: &mut Session) -> Result<()> {
    let version = session.locked_version("wasm-bindgen")?;
    if has_wasm_bindgen(session, &version) {
        return Ok(());
    }
    let _alone = wait_for_others(session)?;
    if has_wasm_bindgen(session, &version) {
        return Ok(());
    }
    let why = "compiling the tool that ties WebAssembly to JavaScript, once; a minute or two";
    session.step("wasm-bindgen", why, |session| {
        // Its own lock file may name releases that a mirror of the registry does not have yet.
        let package = ["wasm-bindgen-cli", "--version", &version];
        install(session, &package, None)
    })
}

fn has_wasm_bindgen(session: &Session, version: &str) -> bool {
    let wanted = format!("wasm-bindgen {version}");
    session.ask("wasm-bindgen", &["--version"]) == Some(wanted)
        && session.find_program("wasm-bindgen-test-runner").is_some()
}

/// Only one process of this workspace installs tools, for they share a folder; the others wait, and
/// then find them there. Ends with the file, or the process.
fn wait_for_others(session: &Session) -> Result<File> {
    let path = session.target("xtask/tools.lock");
    fs::create_dir_all(session.target("xtask"))?;
    let lock = File::create(&path).with_context(|| path.display().to_string())?;
    if lock.try_lock().is_err() {
        println!("    waiting for another `cargo xtask` that installs tools");
        lock.lock().with_context(|| path.display().to_string())?;
    }
    Ok(lock)
}

fn ensure_target(session: &mut Session, target: &str) -> Result<()> {
    // The compiler itself says where a target's library would be, with or without rustup.
    let library = session
        .ask("rustc", &["--print", "target-libdir", "--target", target])
        .context("rustc does not answer")?;
    if PathBuf::from(library).is_dir() {
        return Ok(());
    }
    session.step(target, "the standard library for this target", |session| {
        run(&mut session.command("rustup", &["target", "add", target]))
    })
}

fn install(session: &Session, package: &[&str], variable: Option<(&str, &str)>) -> Result<()> {
    // A folder of its own, in which an interrupted run goes on.
    let folder = session.target("xtask/install");
    let mut command = session.command("cargo", &["install", "--debug", "--target-dir"]);
    command.arg(&folder).args(package).envs(variable);
    // Nobody debugs these: writing no line tables shortens the wait, and so does cutting each
    // package into a few pieces instead of 256, those that only build scripts need likewise,
    // which then are compiled once for both.
    run(command
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_CODEGEN_UNITS", "8")
        .env("CARGO_PROFILE_DEV_BUILD_OVERRIDE_CODEGEN_UNITS", "8")
        .env("CARGO_INCREMENTAL", "0"))?;
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}
