//! `cargo xtask test`: everything that continuous integration runs, and nothing besides.
//!
//! Every suite shows its runner's output as it is. A suite that ran no test has failed: nothing is
//! easier to miss than a check that checks nothing. A failed suite does not stop those after it.

mod suite;
mod tally;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;

pub(crate) use self::suite::Suite;
use self::suite::Verdict;
use self::tally::Tally;
use crate::session::{Session, seconds};

#[derive(Debug)]
struct Report {
    suite: Suite,
    tally: Tally,
    elapsed: Duration,
    /// Why it failed or was skipped, where a tally does not say it.
    remark: String,
}

/// Runs the suites named, or all; fails when one of them did.
pub(crate) fn test(session: &mut Session, suites: &[Suite]) -> Result<ExitCode> {
    let suites = if suites.is_empty() {
        Suite::value_variants()
    } else {
        suites
    };
    let mut reports: Vec<Report> = Vec::new();
    for suite in suites {
        let report = run_suite(session, *suite);
        reports.push(report);
    }
    let total = print_summary(session, &reports);
    Ok(if total.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What suites there are.
pub(crate) fn print_list() {
    for suite in Suite::value_variants() {
        println!("{:<14}{}", suite.name(), suite.description());
    }
}

fn run_suite(session: &mut Session, suite: Suite) -> Report {
    println!("\n======== {}: {}", suite.name(), suite.description());
    let start = Instant::now();
    let (tally, remark) = match suite.run(session) {
        Ok(Verdict::Ran(tally)) if tally.ran() == 0 => {
            (Tally { failed: 1, ..tally }, "ran no test".to_owned())
        }
        Ok(Verdict::Ran(tally)) => (tally, String::new()),
        Ok(Verdict::Skipped(reason)) => (
            Tally {
                skipped: 1,
                ..Tally::default()
            },
            format!("skipped: {reason}"),
        ),
        Err(error) => (
            Tally {
                failed: 1,
                ..Tally::default()
            },
            format!("failed: {error:#}"),
        ),
    };
    let elapsed = start.elapsed();
    println!(
        "-------- {}: {tally} in {} {remark}",
        suite.name(),
        seconds(elapsed)
    );
    Report {
        suite,
        tally,
        elapsed,
        remark,
    }
}

fn print_summary(session: &Session, reports: &[Report]) -> Tally {
    session.print_times();
    println!(
        "{:<14}{:>8}{:>8}{:>9}{:>11}",
        "suite", "passed", "failed", "skipped", "time"
    );
    let mut total = Tally::default();
    for Report {
        suite,
        tally,
        elapsed,
        remark,
    } in reports
    {
        let Tally {
            passed,
            failed,
            skipped,
        } = tally;
        let time = seconds(*elapsed);
        println!(
            "{:<14}{passed:>8}{failed:>8}{skipped:>9}{time:>11}  {remark}",
            suite.name()
        );
        total.add(*tally);
    }
    println!("\n{total}");
    total
}
