//! The layer rule, held against the workspace as it is.
//!
//! Everything in `crates/` is pure: no async, sockets, files, clock, randomness or threads.
//! Everything at the top level touches the world. Imports go only to a smaller level, and each
//! room's imports are listed here. The checks are functions over small structures, so that the
//! tests at the end can show that they bite.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every room, from the ground up, and what it may import.
const ROOMS: [(&str, &[&str]); 8] = [
    ("kernel", &[]),
    ("wire", &[]),
    ("cluster", &["kernel", "wire"]),
    ("app", &["wire"]),
    ("worker", &["kernel", "wire"]),
    ("server", &["kernel", "wire", "cluster", "app"]),
    ("frontend", &["app"]),
    ("xtask", &[]),
];

/// Packages that bring the world with them: a runtime, sockets, files, a clock, randomness,
/// threads, or the browser. A name stands for itself and for what begins with it and a hyphen.
const WORLD: &str = "actix async-io async-std axum chrono coarsetime crossbeam fastrand futures-executor \
    getrandom hyper instant jiff js-sys leptos libsqlite3-sys mio notify polling quanta rand \
    rayon reqwest rusqlite smol socket2 sqlx tempfile time tokio web-sys web-time";

/// Of those, packages that are arithmetic only although their names say otherwise.
const HARMLESS: [&str; 2] = ["rand_core", "rand_chacha"];

/// What a pure crate runs on: the server, and a page.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "wasm32-unknown-unknown"];

/// What each `clippy.toml` under `crates/` must ban, because no package has to be imported for it.
const BANS: [&str; 5] = [
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::spawn",
    "std::collections::HashMap",
    "std::collections::HashSet",
];

/// Which rooms import which, by name: for normal use, for building and for tests alike.
type Imports = BTreeMap<String, Vec<String>>;

#[test]
fn rooms_import_only_what_the_layer_rule_allows() {
    let imports = read_imports();
    assert_eq!(imports.len(), ROOMS.len(), "rooms: {:?}", imports.keys());
    let violations = find_forbidden_imports(&imports);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn pure_crates_reach_nothing_of_the_world() {
    let pure = read_pure_crates();
    assert_eq!(pure, ["cluster", "kernel", "wire"]);
    for package in &pure {
        for target in TARGETS {
            let tree = read_tree(package, target);
            let violations = find_world(&tree);
            assert!(
                violations.is_empty(),
                "{package} for {target} reaches {violations:?}"
            );
        }
    }
}

#[test]
fn pure_crates_ban_the_clock_threads_and_hash_maps() {
    for package in read_pure_crates() {
        let path = workspace()
            .join("crates")
            .join(&package)
            .join("clippy.toml");
        let text = fs::read_to_string(&path).expect("every pure crate has a clippy.toml");
        let missing = find_missing_bans(&text);
        assert!(
            missing.is_empty(),
            "{} does not ban {missing:?}",
            path.display()
        );
    }
}

fn find_forbidden_imports(imports: &Imports) -> Vec<String> {
    let rules: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let mut violations = Vec::new();
    for (importer, imported) in imports {
        let Some(allowed) = rules.get(importer.as_str()) else {
            violations.push(format!("{importer} is in no layer: add it to ROOMS"));
            continue;
        };
        let forbidden = imported
            .iter()
            .filter(|name| !allowed.contains(&name.as_str()));
        violations.extend(forbidden.map(|name| format!("{importer} must not import {name}")));
    }
    violations
}

fn find_world(packages: &[String]) -> Vec<&String> {
    let is_world = |name: &str| {
        let matches = |world: &str| {
            let rest = name.strip_prefix(world);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        };
        !HARMLESS.contains(&name) && WORLD.split(' ').any(matches)
    };
    packages.iter().filter(|name| is_world(name)).collect()
}

fn find_missing_bans(clippy_configuration: &str) -> Vec<&'static str> {
    let lines: Vec<&str> = clippy_configuration.lines().map(str::trim_start).collect();
    let bans = |path: &str| {
        let quoted = format!("\"{path}\"");
        lines.iter().any(|line| {
            !line.starts_with('#') && line.contains(&quoted) && line.contains("reason = \"")
        })
    };
    BANS.into_iter().filter(|path| !bans(path)).collect()
}

fn read_imports() -> Imports {
    let packages = read_packages();
    let rooms: Vec<&str> = packages.iter().map(name_of).collect();
    let imports_of = |package: &Value| {
        let dependencies = package["dependencies"]
            .as_array()
            .expect("a list of dependencies");
        let names = dependencies
            .iter()
            .map(name_of)
            .filter(|name| rooms.contains(name));
        names.map(str::to_owned).collect()
    };
    packages
        .iter()
        .map(|package| (name_of(package).to_owned(), imports_of(package)))
        .collect()
}

fn read_pure_crates() -> Vec<String> {
    let folder = workspace().join("crates");
    let mut names: Vec<String> = read_packages()
        .iter()
        .filter(|package| {
            let manifest = package["manifest_path"]
                .as_str()
                .expect("a manifest's path");
            Path::new(manifest).starts_with(&folder)
        })
        .map(|package| name_of(package).to_owned())
        .collect();
    names.sort_unstable();
    names
}

/// The members of the workspace as `cargo metadata` describes them: what they declare, whether a
/// feature or a target turns it on or not.
fn read_packages() -> Vec<Value> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let mut metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    match metadata["packages"].take() {
        Value::Array(packages) => packages,
        other => panic!("no list of packages: {other}"),
    }
}

/// Every package that `package` links, with the features that it turns on by itself. `cargo
/// metadata` would mix in the features that other rooms turn on, so this asks `cargo tree`.
fn read_tree(package: &str, target: &str) -> Vec<String> {
    let edges = [
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let mut arguments = vec!["tree", "--package", package, "--target", target];
    arguments.extend(edges);
    let tree = cargo(&arguments);
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let names: Vec<String> = names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    assert!(
        names.iter().any(|name| name == package),
        "no tree of {package}: {tree}"
    );
    names
}

fn name_of(package: &Value) -> &str {
    package["name"].as_str().expect("a name")
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(workspace())
        .output();
    let output = output.expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is in the workspace")
        .to_path_buf()
}

fn imports(importer: &str, imported: &str) -> Imports {
    BTreeMap::from([(importer.to_owned(), vec![imported.to_owned()])])
}

#[test]
fn an_import_of_a_higher_room_is_refused() {
    assert_eq!(
        find_forbidden_imports(&imports("wire", "cluster")),
        ["wire must not import cluster"]
    );
    assert_eq!(find_forbidden_imports(&imports("cluster", "wire")), [""; 0]);
}

#[test]
fn an_import_within_one_level_is_refused() {
    assert_eq!(
        find_forbidden_imports(&imports("kernel", "wire")),
        ["kernel must not import wire"]
    );
    assert_eq!(
        find_forbidden_imports(&imports("app", "cluster")),
        ["app must not import cluster"]
    );
    let server = find_forbidden_imports(&imports("server", "frontend"));
    assert_eq!(server, ["server must not import frontend"]);
}

#[test]
fn a_room_that_nobody_listed_is_refused() {
    let violations = find_forbidden_imports(&imports("toolbox", "wire"));
    assert_eq!(violations, ["toolbox is in no layer: add it to ROOMS"]);
}

#[test]
fn a_runtime_deep_in_the_tree_is_found_and_arithmetic_is_not() {
    let tree = [
        "wire",
        "serde",
        "tokio-util",
        "rand",
        "rand_chacha",
        "timely",
        "getrandom",
    ];
    let tree = tree.map(str::to_owned);
    assert_eq!(find_world(&tree), ["tokio-util", "rand", "getrandom"]);
}

#[test]
fn a_ban_without_a_reason_does_not_count() {
    let text = "disallowed-methods = [\n\
        { path = \"std::time::Instant::now\", reason = \"time is an argument\" },\n\
        \"std::thread::spawn\",\n\
        # { path = \"std::time::SystemTime::now\", reason = \"later\" },\n]";
    let missing = find_missing_bans(text);
    assert_eq!(missing, BANS.into_iter().skip(1).collect::<Vec<_>>());
}
