//! When things happened, by the nodes' own logs: all of them read the same clock.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

/// Microseconds of the day.
pub(super) type Moment = u64;

const DAY: u64 = 24 * 3600 * 1_000_000;

pub(super) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(0) % DAY
}

/// When a line was written: `2026-11-23T03:05:07.123456Z`, after which comes the level.
pub(super) fn log_moment(line: &str) -> Option<Moment> {
    let plain = line.trim_start_matches(|character: char| !character.is_ascii_digit());
    let time = plain.get(11..26)?;
    let mut parts = time.split([':', '.']);
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (hours, minutes, seconds, micros) = (number()?, number()?, number()?, number()?);
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

/// The block of this job that a line with these words is about: `Block 7 of job J done by`.
pub(super) fn block_in(line: &str, job: &str, before: &str, after: &str) -> Option<u32> {
    let (_, rest) = line.split_once(before)?;
    let (block, rest) = rest.split_once(" of job ")?;
    let rest = rest.strip_prefix(job)?;
    rest.starts_with(after).then(|| block.parse().ok())?
}

/// Milliseconds from a moment until the next block counted, anywhere but at these.
pub(super) fn counted_after(
    lines: &[(usize, String)],
    job: &str,
    from: Moment,
    except: &[usize],
) -> Result<f64> {
    let others = lines.iter().filter(|(node, _)| !except.contains(node));
    let counted = others.filter_map(|(_, line)| {
        block_in(line, job, "Block ", " done by ")?;
        let at = log_moment(line)?;
        // Midnight may have come in between.
        let since = (at + DAY - from) % DAY;
        (since < DAY / 2).then_some(since)
    });
    let first = counted.min().context("no block counted after the fault")?;
    Ok(first as f64 / 1e3)
}

/// Blocks that a device began after they had counted.
pub(super) fn begun_after_counted(lines: &[(usize, String)], job: &str) -> usize {
    let mut counted: BTreeMap<u32, Moment> = BTreeMap::new();
    for (_, line) in lines {
        let block = block_in(line, job, "Block ", " done by ");
        if let Some((block, at)) = block.zip(log_moment(line)) {
            let first = counted.entry(block).or_insert(at);
            *first = at.min(*first);
        }
    }
    let begun = lines.iter().filter_map(|(_, line)| {
        let block = block_in(line, job, "Computing block ", "")?;
        Some((block, log_moment(line)?))
    });
    begun
        .filter(|(block, at)| counted.get(block).is_some_and(|counted| at > counted))
        .count()
}

/// The middle, and what nineteen of twenty stay below.
pub(super) fn print_quantiles(what: &str, mut values: Vec<f64>) {
    if values.is_empty() {
        return;
    }
    values.sort_by(f64::total_cmp);
    let at = |quantile: f64| {
        let rank = (quantile * values.len() as f64).ceil() as usize;
        values[rank.clamp(1, values.len()) - 1]
    };
    println!(
        "{what}: p50 {:.0}, p95 {:.0}, most {:.0} ({} times)",
        at(0.5),
        at(0.95),
        at(1.0),
        values.len()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_and_which_block() {
        let line =
            "2026-11-23T00:00:01.000250Z  INFO server: Block 7 of job ab done by cd in 1.0 ms";
        assert_eq!(log_moment(line), Some(1_000_250));
        assert_eq!(block_in(line, "ab", "Block ", " done by "), Some(7));
        assert_eq!(block_in(line, "ac", "Block ", " done by "), None);
        let lines = [(0, line.to_owned())];
        let before_midnight = DAY - 1_000_000;
        let gap = counted_after(&lines, "ab", before_midnight, &[]).unwrap();
        assert_eq!(gap, 2000.25);
        assert!(counted_after(&lines, "ab", 2_000_000, &[]).is_err());
        assert!(counted_after(&lines, "ab", before_midnight, &[0]).is_err());
    }

    #[test]
    fn a_block_that_is_begun_after_it_counted_is_found() {
        let line = |second: u32, text: &str| {
            (
                0,
                format!("2026-11-23T00:00:0{second}.000000Z  INFO x: {text}"),
            )
        };
        let lines = [
            line(1, "Computing block 1 of job j"),
            line(1, "Computing block 2 of job j"),
            line(2, "Block 1 of job j done by w in 1.0 ms"),
            line(3, "Computing block 2 of job j"),
        ];
        assert_eq!(begun_after_counted(&lines, "j"), 0);
        let again = [lines.as_slice(), &[line(4, "Computing block 1 of job j")]].concat();
        assert_eq!(begun_after_counted(&again, "j"), 1);
    }
}
