//! The suite `instructions`: how many instructions the kernels and the frames take, counted by
//! callgrind, beside the counts that `bench/instructions.txt` keeps.
//!
//! Times say nothing on a machine that others use; instructions are the same each time. A count that
//! rose is work that was added, perhaps by accident: a copy, a bounds check in an inner loop, a loop
//! that is vectorised no longer. One that fell is kept as well, so that the next rise is seen.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::session::{Session, describe, run};

/// The counts as they are meant to be: a line each, a name and a number.
const KEPT: &str = "bench/instructions.txt";

/// Packages and their programs, each of which does one thing whose name it is given.
const PROGRAMS: [(&str, &str); 2] = [
    ("kernel", "kernel_instructions"),
    ("wire", "frame_instructions"),
];

/// Parts of a thousand by which a count may differ: the system's own way to copy memory depends on
/// the processor.
const TOLERANCE: u64 = 30;

/// Counts everything and compares; how many counts those are.
pub(crate) fn check(session: &Session) -> Result<usize> {
    let mut lines = Vec::new();
    for (package, program) in PROGRAMS {
        let arguments = ["build", "--release", "--package", package, "--example"];
        run(session.command("cargo", &arguments).arg(program))?;
        let path = session.target(&format!("release/examples/{program}"));
        let path = path.display().to_string();
        let names = session.ask(&path, &[]).context("the program runs")?;
        for name in names.lines() {
            lines.push((name.to_owned(), count(session, &path, name)?));
        }
    }
    let kept = fs::read_to_string(session.file(KEPT)).unwrap_or_default();
    let kept = parse(&kept)?;
    let mut differences = Vec::new();
    for (name, found) in &lines {
        let before = kept.iter().find(|line| line.0 == *name).map(|line| line.1);
        println!("{}", describe_count(name, *found, before));
        if before.is_none_or(|before| !is_near(*found, before)) {
            differences.push(name.as_str());
        }
    }
    let gone = kept
        .iter()
        .filter(|(name, _)| !lines.iter().any(|line| line.0 == *name));
    differences.extend(gone.map(|(name, _)| name.as_str()));
    if !differences.is_empty() {
        let text: String = lines
            .iter()
            .map(|(name, found)| format!("{name} {found}\n"))
            .collect();
        bail!(
            "{} differ. Where that is meant, {KEPT} is:\n{text}",
            differences.join(", ")
        );
    }
    Ok(lines.len())
}

fn count(session: &Session, program: &str, name: &str) -> Result<u64> {
    let arguments = [
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        "--toggle-collect=*measured*",
        program,
        name,
    ];
    let mut command = session.command("valgrind", &arguments);
    let said = output_of(&mut command)?;
    let count = find_count(&said).with_context(|| format!("callgrind counts nothing:\n{said}"))?;
    ensure!(count > 0, "{name}: nothing ran within `measured`");
    Ok(count)
}

/// What a program says on its error stream, if it succeeds.
fn output_of(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", describe(command)))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success(),
        "`{}` ended with {}:\n{said}",
        describe(command),
        output.status
    );
    Ok(said)
}

/// The number behind callgrind's `Collected :`.
fn find_count(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.split_whitespace().next_back()?.parse().ok()
}

fn parse(text: &str) -> Result<Vec<(String, u64)>> {
    let lines = text.lines().map(|line| {
        let (name, count) = line.split_once(' ').context("a name and a number")?;
        Ok((name.to_owned(), count.parse()?))
    });
    let lines: Result<Vec<_>> = lines.collect();
    lines.with_context(|| KEPT.to_owned())
}

fn describe_count(name: &str, found: u64, before: Option<u64>) -> String {
    let change = before.map_or_else(
        || "new".to_owned(),
        |before| format!("{:+.2} %", (found as f64 / before as f64 - 1.0) * 100.0),
    );
    format!("    {name:<22}{found:>12} instructions  {change}")
}

fn is_near(found: u64, before: u64) -> bool {
    found.abs_diff(before).saturating_mul(1000) <= before.saturating_mul(TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_the_number_behind_collected() {
        let said =
            "==7== Callgrind, a call-graph\n==7== Events    : Ir\n==7== Collected : 314159\n";
        assert_eq!(find_count(said), Some(314_159));
        assert_eq!(find_count("==7== Events    : Ir\n"), None);
    }

    #[test]
    fn three_in_a_hundred_are_near_and_four_are_not() {
        assert!(is_near(103, 100) && is_near(97, 100));
        assert!(!is_near(104, 100) && !is_near(96, 100));
        assert!(!is_near(1, 0));
    }

    #[test]
    fn kept_counts_are_names_and_numbers() {
        let kept = parse("one 1\ntwo 22\n").unwrap();
        assert_eq!(kept, [("one".to_owned(), 1), ("two".to_owned(), 22)]);
        assert!(parse("one\n").is_err());
        assert!(parse("one many\n").is_err());
    }
}
