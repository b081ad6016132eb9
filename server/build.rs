//! Builds what browsers compute with: the `worker` crate as two WebAssembly
//! modules, one with SIMD and one without, which the node serves from memory.

#[path = "build/tile_functions.rs"]
mod tile_functions;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Loop strength reduction would turn the constant offsets of an inner loop's loads into additions of
/// their own, which the browser's compiler keeps: a tenth of the speed of tiles that `tile_functions` leaves
/// alone, and a larger module.
const SIMD_FLAGS: [&str; 2] = ["-Ctarget-feature=+simd128", "-Cllvm-args=-disable-lsr"];

fn main() {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let workspace = manifest_dir
        .parent()
        .expect("server/ is a room of the workspace");
    for path in [
        "worker/src",
        "worker/Cargo.toml",
        "crates/kernel/src",
        "crates/kernel/Cargo.toml",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    let simd = build_worker(workspace, "simd", &SIMD_FLAGS.join("\x1f"));
    let scalar = build_worker(workspace, "scalar", "");
    println!("cargo::rustc-env=COMPUTE_SIMD_WASM={}", simd.display());
    println!("cargo::rustc-env=COMPUTE_SCALAR_WASM={}", scalar.display());
}

/// Builds one module and returns where it is. It has a target folder of its
/// own, beside the one in use: cargo holds a lock on that while this runs.
fn build_worker(workspace: &Path, name: &str, flags: &str) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.join("target"), PathBuf::from)
        .join(format!("compute-{name}"));
    let status = Command::new(env::var_os("CARGO").expect("cargo sets it"))
        .current_dir(workspace)
        .args([
            "build",
            "--quiet",
            "--package",
            "worker",
            "--lib",
            "--profile",
            "compute",
        ])
        .args(["--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(&target)
        // Flags and wrappers of the outer build are not meant for this one.
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .expect("cargo, which runs this, can be run");
    assert!(
        status.success(),
        "the browser's compute module does not build. If the target is missing: \
         rustup target add wasm32-unknown-unknown"
    );
    let module = target.join("wasm32-unknown-unknown/compute/worker.wasm");
    let finished = module.with_extension("finished.wasm");
    finish(&module, &finished, name == "simd");
    pack(&finished);
    finished
}

/// Leaves out what nothing can reach. Words for panics are most of it: what writes them is called by
/// way of a table that the linker keeps, but that only those calls use.
fn finish(module: &Path, finished: &Path, has_simd: bool) {
    let mut config = walrus::ModuleConfig::new();
    config.generate_producers_section(false);
    let mut module = config
        .parse_file(module)
        .expect("cargo has just built a sound module");
    if has_simd {
        tile_functions::replace(&mut module);
    }
    walrus::passes::gc::run(&mut module);
    module
        .emit_wasm_file(finished)
        .expect("its folder can be written");
}

/// Leaves the module compressed beside it, once and as well as it can be done: a phone that joins
/// waits for it.
fn pack(module: &Path) {
    let bytes = fs::read(module).expect("cargo has just built it");
    let packed =
        fs::File::create(module.with_extension("wasm.gz")).expect("its folder can be written");
    zopfli::compress(
        zopfli::Options::default(),
        zopfli::Format::Gzip,
        &bytes[..],
        packed,
    )
    .expect("its folder has room");
}
