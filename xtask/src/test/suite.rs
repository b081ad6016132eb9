//! The suites, in the order in which they run: what fails quickly comes first, and what shares
//! compiled code stands together.

use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use super::tally::{Runner, Tally, run_tests};
use crate::build;
use crate::instructions;
use crate::mutants;
use crate::pages;
use crate::session::{Session, run};
use crate::sim;
use crate::system::{self, Program};
use crate::tools::{self, NEON_TARGET, WASM_TARGET};

/// A part of the checks that can be run by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    Format,
    Layers,
    Lint,
    Unit,
    KernelWasm,
    KernelNeon,
    Docs,
    Build,
    Instructions,
    Mesh,
    Sim,
    #[value(name = "end2end")]
    EndToEnd,
}

/// Seeds of the suite `sim`: half a minute.
const SEEDS: u64 = 5_000;

/// How a suite ended, short of an error.
#[derive(Debug)]
pub(crate) enum Verdict {
    Ran(Tally),
    /// This machine cannot run it.
    Skipped(&'static str),
}

/// Everything that runs on this machine itself. `frontend` is left out: it turns on the browser's
/// half of `app`, and one build of `app` must not hold both halves. It is checked for WebAssembly.
const NATIVE: [&str; 3] = ["--workspace", "--exclude", "frontend"];

impl Suite {
    /// The name that the command line knows.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// What it checks, in one line.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Format => "every file is as rustfmt writes it",
            Self::Layers => {
                "imports go only to lower rooms, pure crates stay pure; xtask's own tests"
            }
            Self::Lint => "no warning from the compiler or clippy, natively and for WebAssembly",
            Self::Unit => "the tests of every crate, its examples too",
            Self::KernelWasm => "the kernels in WebAssembly under Node.js, without and with SIMD",
            Self::KernelNeon => "the kernels for 64-bit Arm under an emulator",
            Self::Docs => "the documentation builds without a warning",
            Self::Build => {
                "the release binary with its pages inside, which have the names that cargo-leptos gives"
            }
            Self::Instructions => {
                "what kernels and frames cost, in instructions: no more than before"
            }
            Self::Mesh => "real nodes in network namespaces: discovery, failure, rejoining",
            Self::Sim => {
                "the protocol under faults from seeds, and mistakes that its tests must find"
            }
            Self::EndToEnd => "real nodes and real browsers, desktop and mobile",
        }
    }

    /// Installs what is missing and runs it.
    pub(crate) fn run(self, session: &mut Session) -> Result<Verdict> {
        match self {
            Self::Format => check_format(session),
            Self::Layers => cargo_test(session, &["--package", "xtask"]),
            Self::Lint => lint(session),
            Self::Unit => test_units(session),
            Self::KernelWasm => test_kernel_in_wasm(session),
            Self::KernelNeon => test_kernel_on_arm(session),
            Self::Docs => check_documentation(session),
            Self::Build => check_build(session),
            Self::Instructions => count_instructions(session),
            Self::Mesh => test_mesh(session),
            Self::Sim => test_protocol(session),
            Self::EndToEnd => test_end_to_end(session),
        }
    }
}

fn check_format(session: &mut Session) -> Result<Verdict> {
    tools::ensure_component(session, "rustfmt")?;
    run(&mut session.command("cargo", &["fmt", "--all", "--check"]))?;
    Ok(Verdict::Ran(Tally::CHECK_PASSED))
}

fn lint(session: &mut Session) -> Result<Verdict> {
    tools::ensure_component(session, "clippy")?;
    tools::ensure_wasm_target(session)?;
    let mut native = session.command("cargo", &["clippy", "--all-targets"]);
    run(native.args(NATIVE).args(["--", "-D", "warnings"]))?;
    // `app` comes along as `frontend` imports it, and clippy looks at both. The worker is looked at by
    // itself: beside the others it would be compiled with what they want of its packages, which is std.
    for packages in [&["kernel", "wire", "cluster", "frontend"][..], &["worker"]] {
        let mut wasm = session.command("cargo", &["clippy", "--target", WASM_TARGET]);
        for package in packages {
            wasm.args(["--package", package]);
        }
        run(wasm.args(["--", "-D", "warnings"]))?;
    }
    Ok(Verdict::Ran(Tally {
        passed: 3,
        ..Tally::default()
    }))
}

fn test_units(session: &mut Session) -> Result<Verdict> {
    tools::ensure_wasm_target(session)?;
    // xtask's tests are the suite `layers`.
    let mut arguments = NATIVE.to_vec();
    arguments.extend(["--exclude", "xtask"]);
    cargo_test(session, &arguments)
}

fn test_kernel_in_wasm(session: &mut Session) -> Result<Verdict> {
    tools::ensure_wasm_target(session)?;
    tools::ensure_wasm_bindgen(session)?;
    system::ensure(session, &[Program::Node])?;
    let mut total = Tally::default();
    for features in ["", "-C target-feature=+simd128"] {
        println!("    flags of the compiler: {features:?}");
        let mut command = kernel_tests(session, WASM_TARGET);
        command
            .env(
                "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
                "wasm-bindgen-test-runner",
            )
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", features);
        let tally = run_tests(Runner::Cargo, &mut command)?;
        if tally.ran() == 0 {
            bail!("ran no test with the compiler's flags {features:?}");
        }
        total.add(tally);
    }
    // The module that pages load, as JavaScript sees it.
    run(&mut session.command("node", &["bench/kernels/check_worker.mjs"]))?;
    total.add(Tally::CHECK_PASSED);
    Ok(Verdict::Ran(total))
}

fn test_kernel_on_arm(session: &mut Session) -> Result<Verdict> {
    if cfg!(target_arch = "aarch64") {
        return Ok(Verdict::Skipped(
            "this machine is 64-bit Arm: `unit` has run these tests",
        ));
    }
    if !cfg!(target_os = "linux") {
        return Ok(Verdict::Skipped(
            "the emulator of single programs needs Linux",
        ));
    }
    tools::ensure_neon_target(session)?;
    let programs = [
        Program::ArmLinker,
        Program::ArmLibrary,
        Program::ArmEmulator,
    ];
    system::ensure(session, &programs)?;
    let mut command = kernel_tests(session, NEON_TARGET);
    command
        .env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
            "aarch64-linux-gnu-gcc",
        )
        .env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
            "qemu-aarch64 -L /usr/aarch64-linux-gnu",
        );
    Ok(Verdict::Ran(run_tests(Runner::Cargo, &mut command)?))
}

fn check_documentation(session: &mut Session) -> Result<Verdict> {
    tools::ensure_wasm_target(session)?;
    // Private items too: the maps at the head of modules link to them. These crates are read
    // here and published nowhere, so no page will miss them.
    let flags = (
        "RUSTDOCFLAGS",
        "-D warnings -A rustdoc::private-intra-doc-links",
    );
    let native = ["doc", "--no-deps", "--document-private-items"];
    let mut native = session.command("cargo", &native);
    run(native.args(NATIVE).env(flags.0, flags.1))?;
    // The browser's half of the pages, which the first run did not see.
    let pages = [
        "doc",
        "--no-deps",
        "--document-private-items",
        "--target",
        WASM_TARGET,
        "--package",
        "frontend",
    ];
    let mut browser = session.command("cargo", &pages);
    run(browser
        .args(["--package", "app", "--features", "app/hydrate"])
        .env(flags.0, flags.1))?;
    Ok(Verdict::Ran(Tally {
        passed: 2,
        ..Tally::default()
    }))
}

fn check_build(session: &mut Session) -> Result<Verdict> {
    build::build(session)?;
    tools::ensure_cargo_leptos(session)?;
    // Without optimisation, because names are compared: compiling is all that it takes.
    let site = session.target("xtask/site-by-cargo-leptos");
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    let arguments = ["leptos", "build", "--frontend-only"];
    run(session
        .command("cargo", &arguments)
        .env("LEPTOS_SITE_ROOT", &site))?;
    let mut theirs = pages::names(&site)?;
    // Types for whoever writes TypeScript; no page asks for them.
    theirs.retain(|name| !name.to_string_lossy().ends_with(".d.ts"));
    let ours = pages::names(&pages::site(session))?;
    if ours != theirs {
        bail!("the pages are {ours:?}, by cargo-leptos {theirs:?}");
    }
    Ok(Verdict::Ran(Tally {
        passed: 2,
        ..Tally::default()
    }))
}

/// On x86-64 alone: that is where the counts were taken, and what callgrind knows best.
fn count_instructions(session: &mut Session) -> Result<Verdict> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(Verdict::Skipped("instructions are counted on x86-64 Linux"));
    }
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    if !processor.split_whitespace().any(|word| word == "avx2") {
        return Ok(Verdict::Skipped("this processor has no AVX2"));
    }
    system::ensure(session, &[Program::Valgrind])?;
    let counts = instructions::check(session)?;
    Ok(Verdict::Ran(Tally {
        passed: u32::try_from(counts).unwrap_or(u32::MAX),
        ..Tally::default()
    }))
}

fn test_mesh(session: &mut Session) -> Result<Verdict> {
    if !cfg!(target_os = "linux") || !system::is_root(session) {
        if in_continuous_integration() {
            bail!("needs root on Linux, and in continuous integration it must run");
        }
        return Ok(Verdict::Skipped(
            "needs root on Linux, to make network namespaces",
        ));
    }
    system::ensure(session, &[Program::Ip, Program::Curl])?;
    let binary = build::build(session)?;
    // The packages of `unit`, so that nothing is compiled again; cargo runs the one test program.
    let mut command = session.command("cargo", &["test", "--no-fail-fast"]);
    command.args(NATIVE).args([
        "--exclude",
        "xtask",
        "--test",
        "namespaces",
        "--",
        "--include-ignored",
    ]);
    command.env("MATMESH_BINARY", binary);
    Ok(Verdict::Ran(run_tests(Runner::Cargo, &mut command)?))
}

/// As `cargo xtask sim`, with as many seeds as a check before a merge may take.
fn test_protocol(session: &mut Session) -> Result<Verdict> {
    let mut checks = sim::sim(session, SEEDS, &sim::Mode::ALL)?;
    checks += mutants::find_all(session, mutants::Choice::Sample, mutants::SEEDS)?;
    Ok(Verdict::Ran(Tally {
        passed: u32::try_from(checks).unwrap_or(u32::MAX),
        ..Tally::default()
    }))
}

fn test_end_to_end(session: &mut Session) -> Result<Verdict> {
    system::ensure(session, &[Program::Node, Program::Npm, Program::Chromium])?;
    let chromium = system::find_chromium(session).context("no Chromium, though just installed")?;
    let binary = build::build(session)?;
    let folder = session.file("end2end");
    if !is_newer(
        session,
        "end2end/node_modules/.package-lock.json",
        "end2end/package-lock.json",
    ) {
        session.step("end2end packages", "Playwright, from npm", |session| {
            let mut install = session.command("npm", &["ci", "--no-audit", "--no-fund"]);
            // The system's Chromium is used.
            run(install
                .current_dir(&folder)
                .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))
        })?;
    }
    run(session
        .command("npm", &["run", "--silent", "typecheck"])
        .current_dir(&folder))?;
    let mut command = session.command("npx", &["playwright", "test"]);
    command
        .current_dir(folder)
        .env("MATMESH_BINARY", binary)
        .env("CHROMIUM", chromium);
    Ok(Verdict::Ran(run_tests(Runner::Playwright, &mut command)?))
}

fn cargo_test(session: &Session, arguments: &[&str]) -> Result<Verdict> {
    let mut command = session.command("cargo", &["test", "--no-fail-fast"]);
    Ok(Verdict::Ran(run_tests(
        Runner::Cargo,
        command.args(arguments),
    )?))
}

/// The kernels' tests for another machine. Its examples are left to `unit`: they are compiled for
/// the machine at hand.
fn kernel_tests(session: &Session, target: &str) -> Command {
    let arguments = [
        "test",
        "--no-fail-fast",
        "--package",
        "kernel",
        "--tests",
        "--target",
        target,
    ];
    session.command("cargo", &arguments)
}

fn in_continuous_integration() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

fn is_newer(session: &Session, made: &str, source: &str) -> bool {
    let modified = |file| {
        session
            .file(file)
            .metadata()
            .and_then(|facts| facts.modified())
            .ok()
    };
    modified(made).is_some_and(|made| modified(source).is_some_and(|source| made >= source))
}
