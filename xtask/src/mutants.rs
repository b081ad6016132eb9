//! `cargo xtask sim --mutants`: whether the tests of the protocol's core find mistakes in it.
//!
//! `crates/cluster/tests/mutants.toml` lists the mistakes. The core itself knows nothing of them: they are
//! written into a copy of the pure crates, in the target folder, where the environment chooses at run time which
//! one is on. So all of them are compiled once, and without a choice the copy is what the core is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::session::{Session, describe};
use crate::sim::Mode;

const LIST: &str = "crates/cluster/tests/mutants.toml";

/// Names the number of the one that is on.
const SWITCH: &str = "MATMESH_MUTANT";

/// So many seeds in each mode look for one.
pub(crate) const SEEDS: u64 = 2_000;

/// A run that takes longer hangs: without a mistake it takes a tenth of that.
const LIMIT: Duration = Duration::from_secs(240);

/// What is written into the copy of the crate.
const SWITCHES: &str = r#"//! Which mistake is on.
use std::sync::OnceLock;

pub(crate) fn is_on(number: usize) -> bool {
    static ON: OnceLock<Option<usize>> = OnceLock::new();
    *ON.get_or_init(|| std::env::var("MATMESH_MUTANT").ok()?.parse().ok()) == Some(number)
}
"#;

#[derive(Debug, Deserialize)]
struct List {
    mutant: Vec<Mutant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    /// What is wrong, as a fact.
    name: String,
    find: String,
    replace: String,
    #[serde(default)]
    sample: bool,
    /// Why no test can find it.
    harmless: Option<String>,
}

/// Which of them are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    All,
    /// Those that the list marks for it.
    Sample,
}

/// Looks for mistakes, and says who found each; how many those were. One that nobody finds and that is not
/// proven to be harmless is an error.
pub(crate) fn find_all(session: &mut Session, choice: Choice, seeds: u64) -> Result<usize> {
    let list = read_list(session)?;
    let why = "the core with mistakes that can be switched on one by one";
    let tests = session.step("mutants, compiled", why, |session| build(session, &list))?;
    let why = "each must be found by a unit test, a scenario or a seed";
    session.step("mutants", why, |_| {
        let chosen = list.iter().enumerate();
        let chosen: Vec<(usize, &Mutant)> = chosen
            .filter(|(_, mutant)| choice == Choice::All || mutant.sample)
            .collect();
        if let Some(finder) = hunt(&tests, None, seeds.min(20))? {
            bail!("{finder} fails without any mistake");
        }
        let found = hunt_all(&tests, &chosen, seeds)?;
        let survivors = chosen.iter().zip(&found);
        let survivors: Vec<&str> = survivors
            .filter(|((_, mutant), finder)| finder.is_none() && mutant.harmless.is_none())
            .map(|((_, mutant), _)| mutant.name.as_str())
            .collect();
        ensure!(survivors.is_empty(), "nobody found: {survivors:#?}");
        Ok(chosen.len())
    })
}

fn read_list(session: &Session) -> Result<Vec<Mutant>> {
    let text = fs::read_to_string(session.file(LIST)).context(LIST)?;
    let list: List = toml::from_str(&text).context(LIST)?;
    Ok(list.mutant)
}

// ----- the copy ------------------------------------------------------------

/// A test program of the copy.
#[derive(Debug)]
struct Tests {
    /// Where runs leave what they print.
    folder: PathBuf,
    simulation: PathBuf,
    others: Vec<PathBuf>,
}

fn build(session: &Session, list: &[Mutant]) -> Result<Tests> {
    let copy = session.target("mutants");
    write_copy(session, &copy, list)?;
    let mut command = session.command("cargo", &["test", "--quiet", "--no-run"]);
    command
        .args(["--profile", "simulation", "--package", "cluster", "--lib"])
        .args(["--tests", "--message-format", "json"])
        .current_dir(&copy)
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .stderr(Stdio::inherit());
    let output = command.output()?;
    if !output.status.success() {
        bail!("`{}` ended with {}", describe(&command), output.status);
    }
    let text = String::from_utf8(output.stdout)?;
    let programs = text.lines().filter_map(|line| {
        let artifact: serde_json::Value = serde_json::from_str(line).ok()?;
        let program = PathBuf::from(artifact["executable"].as_str()?);
        Some((artifact["target"]["name"].as_str()?.to_owned(), program))
    });
    let (simulation, mut others): (Vec<_>, Vec<_>) =
        programs.partition(|(name, _)| name == "simulation");
    // That one takes longest.
    others.sort_by_key(|(name, _)| name == "hostile");
    let program = |(_, program)| program;
    Ok(Tests {
        folder: copy,
        simulation: simulation
            .into_iter()
            .next()
            .map(program)
            .context("no simulation")?,
        others: others.into_iter().map(program).collect(),
    })
}

/// A workspace of the pure crates alone, with all mistakes in it.
fn write_copy(session: &Session, copy: &Path, list: &[Mutant]) -> Result<()> {
    let crates = copy.join("crates");
    if crates.exists() {
        fs::remove_dir_all(&crates)?;
    }
    copy_folder(&session.file("crates"), &crates)?;
    for file in ["Cargo.lock", "rust-toolchain.toml"] {
        fs::copy(session.file(file), copy.join(file))?;
    }
    let manifest = fs::read_to_string(session.file("Cargo.toml"))?;
    let members = manifest.lines().map(|line| {
        if line.starts_with("members = ") {
            "members = [\"crates/*\"]"
        } else {
            line
        }
    });
    let manifest: Vec<&str> = members.collect();
    fs::write(copy.join("Cargo.toml"), manifest.join("\n"))?;
    let sources = crates.join("cluster/src");
    let mut files = Vec::new();
    read_sources(&sources, &mut files)?;
    for (number, mutant) in list.iter().enumerate() {
        write_mutant(&mut files, number, mutant).with_context(|| mutant.name.clone())?;
    }
    for (path, text) in &files {
        fs::write(path, text)?;
    }
    let root = sources.join("lib.rs");
    let text = fs::read_to_string(&root)?;
    fs::write(&root, format!("{text}\nmod mutants;\n"))?;
    Ok(fs::write(sources.join("mutants.rs"), SWITCHES)?)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn read_sources(folder: &Path, files: &mut Vec<(PathBuf, String)>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            read_sources(&entry.path(), files)?;
        } else {
            files.push((entry.path(), fs::read_to_string(entry.path())?));
        }
    }
    Ok(())
}

/// Puts one mistake where its text is, which must be in one place.
fn write_mutant(files: &mut [(PathBuf, String)], number: usize, mutant: &Mutant) -> Result<()> {
    let places = files
        .iter()
        .enumerate()
        .flat_map(|(file, (_, text))| find(text, &mutant.find).map(move |range| (file, range)));
    let places: Vec<_> = places.collect();
    let [(file, range)] = &places[..] else {
        bail!(
            "its text is in {} places, and has to be in one",
            places.len()
        );
    };
    let switch = format!("crate::mutants::is_on({number})");
    let replacement = mutant.replace.replace("MUTATED", &switch);
    files[*file].1.replace_range(range.clone(), &replacement);
    Ok(())
}

/// Where a pattern is in a text; white space in it stands for any.
fn find<'a>(text: &'a str, pattern: &'a str) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
    let words: Vec<&str> = pattern.split_whitespace().collect();
    let first = words.first().copied().unwrap_or("\0");
    let starts = text.match_indices(first).map(|(start, _)| start);
    starts.filter_map(move |start| {
        let mut rest = &text[start..];
        for (index, word) in words.iter().enumerate() {
            let trimmed = rest.trim_start();
            if index > 0 && trimmed.len() == rest.len() {
                return None;
            }
            rest = trimmed.strip_prefix(word)?;
        }
        Some(start..text.len() - rest.len())
    })
}

// ----- the hunt ------------------------------------------------------------

/// Each core takes the next one that nobody looks for yet.
fn hunt_all(tests: &Tests, chosen: &[(usize, &Mutant)], seeds: u64) -> Result<Vec<Option<String>>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Option<String>)>> {
        let mut found = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((number, mutant)) = chosen.get(index) else {
                return Ok(found);
            };
            let finder = hunt(tests, Some(*number), seeds)?;
            print_line(mutant, finder.as_deref());
            found.push((index, finder));
        }
    };
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut found = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut found = Vec::new();
        for thread in threads {
            let part = thread.join().expect("a hunt does not panic")?;
            found.extend(part);
        }
        anyhow::Ok(found)
    })?;
    found.sort_by_key(|(index, _)| *index);
    Ok(found.into_iter().map(|(_, finder)| finder).collect())
}

/// Who finds a mistake, quick ones first.
fn hunt(tests: &Tests, number: Option<usize>, seeds: u64) -> Result<Option<String>> {
    let command = |program: &Path| {
        let mut command = Command::new(program);
        // What they leave behind stays in the copy.
        command
            .current_dir(&tests.folder)
            .env("RUST_BACKTRACE", "0");
        if let Some(number) = number {
            command.env(SWITCH, number.to_string());
        }
        command
    };
    for program in &tests.others {
        if let Some(finder) = first_failure(tests, command(program).args(["--test-threads", "1"]))?
        {
            return Ok(Some(finder));
        }
    }
    let mut scenarios = command(&tests.simulation);
    scenarios.args(["--test-threads", "1", "--skip", "chance::"]);
    if let Some(finder) = first_failure(tests, &mut scenarios)? {
        return Ok(Some(finder));
    }
    for mode in Mode::ALL {
        let mut chance = command(&tests.simulation);
        chance.args(["--exact", mode.test()]);
        chance.env("MATMESH_SEEDS", format!("0..{seeds}"));
        if let Some(finder) = first_failure(tests, &mut chance)? {
            return Ok(Some(format!("{} {finder}", mode.name())));
        }
    }
    Ok(None)
}

/// The test or the seed that fails first; or that a run has no end.
fn first_failure(tests: &Tests, command: &mut Command) -> Result<Option<String>> {
    let output = format!("output-{:?}.txt", thread::current().id());
    let output = tests.folder.join(output);
    let file = fs::File::create(&output)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(Some("a run without an end".to_owned()));
        }
        thread::sleep(Duration::from_millis(20));
    };
    if status.success() {
        return Ok(None);
    }
    let text = fs::read_to_string(&output)?;
    let seed = text.lines().find_map(|line| {
        let seed = line.trim().strip_prefix("seed ")?;
        Some(format!("seed {}", seed.split(' ').next()?))
    });
    let test = || {
        let line = text.lines().find(|line| line.ends_with("... FAILED"))?;
        Some(
            line.strip_prefix("test ")?
                .trim_end_matches(" ... FAILED")
                .to_owned(),
        )
    };
    let finder = seed.or_else(test);
    Ok(Some(finder.unwrap_or_else(|| {
        format!("a run that ended with {status}")
    })))
}

/// A line of the table, as soon as it is known.
fn print_line(mutant: &Mutant, finder: Option<&str>) {
    let finder = match (finder, &mutant.harmless) {
        (Some(finder), _) => finder,
        (None, Some(proof)) => &format!("harmless: {proof}"),
        (None, None) => "NOBODY",
    };
    println!("    {:<76} {finder}", mutant.name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_in_a_pattern_stands_for_any() {
        let text = "if a\n    && b {\n} if a && bc {";
        let mut places = find(text, "a && b {");
        assert_eq!(places.next(), Some(3..15));
        assert_eq!(places.next(), None);
    }

    #[test]
    fn each_mistake_of_the_list_is_in_one_place_of_the_core() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let text = fs::read_to_string(root.join(LIST)).expect("the list");
        let list: List = toml::from_str(&text).expect("a list");
        let mut files = Vec::new();
        read_sources(&root.join("crates/cluster/src"), &mut files).expect("sources");
        for (number, mutant) in list.mutant.iter().enumerate() {
            let written = write_mutant(&mut files, number, mutant);
            assert!(written.is_ok(), "{}: {written:?}", mutant.name);
        }
    }
}
