//! How many tests a runner says that it ran, read from its own closing lines while they pass
//! through to the screen.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result};

use crate::session::describe;

/// Tests that belong to a suite of their own although cargo lists them as ignored elsewhere.
const RUN_BY_THE_MESH_SUITE: &str = "tests/namespaces.rs";

/// What came of the tests of one suite.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    /// One check without tests of its own, such as the formatting, that came out well.
    pub(crate) const CHECK_PASSED: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };

    /// How many tests came to an end.
    pub(crate) fn ran(self) -> u32 {
        self.passed + self.failed
    }

    /// Adds another suite's tests.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(
            formatter,
            "{passed} passed, {failed} failed, {skipped} skipped"
        )
    }
}

/// Whose closing lines to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `cargo test`, and wasm-bindgen's runner, which closes with the same words.
    Cargo,
    Playwright,
}

/// Runs a test runner, shows what it prints, and counts. A runner that failed without naming a
/// failed test, because it did not compile for one, counts as one failure.
pub(crate) fn run_tests(runner: Runner, command: &mut Command) -> Result<Tally> {
    println!("    $ {}", describe(command));
    let mut reader = Reader::new(runner);
    let status = pass_through(command, |line| reader.read_line(line))?;
    let mut tally = reader.tally;
    if !status.success() && tally.failed == 0 {
        println!("    ended with {status}");
        tally.failed = 1;
    }
    Ok(tally)
}

/// Both output streams go through one pipe, so that their lines keep their order.
fn pass_through(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<ExitStatus> {
    let (output, input) = io::pipe()?;
    command
        .stdin(std::process::Stdio::null())
        .stdout(input.try_clone()?)
        .stderr(input);
    let name = describe(command);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    // The command holds our ends of the pipe; as long as they are open the output never ends.
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        io::stdout().write_all(&line)?;
        on_line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(child.wait()?)
}

#[derive(Debug)]
struct Reader {
    runner: Runner,
    tally: Tally,
    /// Whether the tests that cargo runs at the moment are another suite's.
    of_mesh_suite: bool,
}

impl Reader {
    fn new(runner: Runner) -> Self {
        Self {
            runner,
            tally: Tally::default(),
            of_mesh_suite: false,
        }
    }

    fn read_line(&mut self, line: &str) {
        match self.runner {
            Runner::Cargo => self.read_cargo_line(line.trim()),
            Runner::Playwright => self.read_playwright_line(line.trim()),
        }
    }

    fn read_cargo_line(&mut self, line: &str) {
        if line.starts_with("Running ") || line.starts_with("Doc-tests ") {
            self.of_mesh_suite = line.contains(RUN_BY_THE_MESH_SUITE);
        }
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        // `ok. 3 passed; 0 failed; 1 ignored; …`, once for every test program.
        for part in counts.split(['.', ';']) {
            match number_and_word(part.trim()) {
                Some((number, "passed")) => self.tally.passed += number,
                Some((number, "failed")) => self.tally.failed += number,
                Some((number, "ignored")) if !self.of_mesh_suite => self.tally.skipped += number,
                _ => {}
            }
        }
    }

    fn read_playwright_line(&mut self, line: &str) {
        // One word a line at the very end: `1 failed`, `2 skipped`, `12 passed (30.2s)`.
        let line = line.split(" (").next().unwrap_or(line);
        match number_and_word(line) {
            Some((number, "passed")) => self.tally.passed = number,
            Some((number, "failed" | "interrupted")) => self.tally.failed = number,
            Some((number, "skipped" | "did not run")) => self.tally.skipped += number,
            Some((number, "flaky")) => {
                println!("    {number} passed only at a second try: flaky counts as failed");
                self.tally.failed += number;
            }
            _ => {}
        }
    }
}

fn number_and_word(text: &str) -> Option<(u32, &str)> {
    let (number, word) = text.split_once(' ')?;
    Some((number.parse().ok()?, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(runner: Runner, output: &str) -> Tally {
        let mut reader = Reader::new(runner);
        output.lines().for_each(|line| reader.read_line(line));
        reader.tally
    }

    #[test]
    fn every_test_program_of_a_cargo_run_is_counted() {
        let output = "     Running unittests src/lib.rs (target/debug/deps/kernel-1)\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(
            read(Runner::Cargo, output),
            Tally {
                passed: 7,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn tests_ignored_for_the_mesh_suite_are_counted_only_there() {
        let output = "     Running tests/namespaces.rs (target/debug/deps/namespaces-1)\n\
            test result: ok. 0 passed; 0 failed; 5 ignored; 0 measured; 0 filtered out\n\
            \x20  Doc-tests wire\n\
            test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(
            read(Runner::Cargo, output),
            Tally {
                passed: 1,
                failed: 0,
                skipped: 1
            }
        );
    }

    #[test]
    fn playwrights_closing_lines_are_counted() {
        let output = "  ✓  1 tests/home.spec.ts:3:1 › 2 passed through (1.2s)\n\n\
            \x20 1 failed\n    tests/jobs.spec.ts\n  2 skipped\n  3 did not run\n  12 passed (30.2s)\n";
        assert_eq!(
            read(Runner::Playwright, output),
            Tally {
                passed: 12,
                failed: 1,
                skipped: 5
            }
        );
    }

    #[test]
    fn a_runner_that_ends_badly_without_a_failed_test_counts_as_one_failure() {
        let mut command = Command::new("sh");
        let tally = run_tests(Runner::Cargo, command.args(["-c", "exit 101"]));
        assert_eq!(
            tally.expect("sh runs"),
            Tally {
                passed: 0,
                failed: 1,
                skipped: 0
            }
        );
    }
}
