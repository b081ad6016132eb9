//! both: numbers and times as people read them.
//!
//! The same text on the server and in the browser, so no locale and no time
//! zone: a page must not change under the reader when it comes to life.

/// Milliseconds: `12.3 ms`, or `0.042 ms` where one decimal would say nothing.
pub(crate) fn milliseconds(duration_ms: f64) -> String {
    if duration_ms > 0.0 && duration_ms < 1.0 {
        format!("{duration_ms:.3} ms")
    } else {
        format!("{duration_ms:.1} ms")
    }
}

/// A duration in the unit that suits it: `412 ms`, `3.2 s`, `5 min 3 s`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a negative or endless duration saturates, which is shown as such"
)]
pub(crate) fn duration(duration_ms: f64) -> String {
    if duration_ms < 1_000.0 {
        return format!("{duration_ms:.0} ms");
    }
    if duration_ms < 60_000.0 {
        return format!("{:.1} s", duration_ms / 1_000.0);
    }
    let seconds = (duration_ms / 1_000.0) as u64;
    format!("{} min {} s", seconds / 60, seconds % 60)
}

/// Millions of operations a second, or a dash where nothing was measured.
pub(crate) fn megaflops(mflops: Option<f64>) -> String {
    mflops.map_or_else(|| "–".to_owned(), |mflops| format!("{mflops:.1}"))
}

/// Floating-point operations a second, in the unit that suits them.
pub(crate) fn flop_rate(flop_per_s: f64) -> String {
    scaled(flop_per_s, "flop/s")
}

/// A count of floating-point operations, likewise.
pub(crate) fn operations(flop: f64) -> String {
    scaled(flop, "")
}

/// Bytes, likewise.
pub(crate) fn bytes(bytes: f64) -> String {
    scaled(bytes, "B")
}

fn scaled(number: f64, unit: &str) -> String {
    let steps = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match steps.into_iter().find(|(step, _)| number >= *step) {
        Some((step, prefix)) => format!("{:.1} {prefix}{unit}", number / step),
        None => format!("{number:.0} {unit}").trim_end().to_owned(),
    }
}

/// A share in percent, rounded, with its sign: `37 %`. It reads as CSS without the space.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let percent = (200 * u128::from(part) + u128::from(whole))
        .checked_div(2 * u128::from(whole))
        .unwrap_or(0);
    format!("{percent}%")
}

/// A whole number in groups of three, thinly spaced.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds since 1970 as `2026-03-01 12:04:05 UTC`.
pub(crate) fn unix_time(unix_ms: u64) -> String {
    let seconds = unix_ms / 1_000;
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// RFC 3339 as people read it: without the `T` and parts of a second.
pub(crate) fn rfc3339_time(text: &str) -> String {
    match (text.get(..10), text.get(11..19)) {
        (Some(date), Some(time)) if text.ends_with('Z') => format!("{date} {time} UTC"),
        _ => text.to_owned(),
    }
}

/// The first eight digits of an id.
pub(crate) fn short_id(id: &impl ToString) -> String {
    id.to_string().chars().take(8).collect()
}

/// The Gregorian date of a day counted from 1970-01-01
/// (Hinnant, `chrono`-compatible low-level date algorithms, `civil_from_days`).
fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_from_the_right() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(unix_time(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(unix_time(1_709_210_096_789), "2024-02-29 12:34:56 UTC");
        assert_eq!(
            rfc3339_time("2024-02-29T12:34:56.789Z"),
            "2024-02-29 12:34:56 UTC"
        );
        assert_eq!(rfc3339_time("soon"), "soon");
    }

    #[test]
    fn milliseconds_show_that_something_was_computed() {
        assert_eq!(milliseconds(0.0), "0.0 ms");
        assert_eq!(milliseconds(0.0421), "0.042 ms");
        assert_eq!(milliseconds(12.34), "12.3 ms");
    }

    #[test]
    fn large_numbers_take_the_prefix_that_suits_them() {
        assert_eq!(flop_rate(12.34e9), "12.3 Gflop/s");
        assert_eq!(bytes(512.0), "512 B");
        assert_eq!(operations(18.0), "18");
        assert_eq!(operations(2e12), "2.0 T");
    }

    #[test]
    fn shares_are_rounded() {
        assert_eq!(percent(2, 3), "67%");
        assert_eq!(percent(1, 3), "33%");
        assert_eq!(percent(0, 0), "0%");
        assert_eq!(percent(u64::MAX, u64::MAX), "100%");
    }

    #[test]
    fn durations_take_the_unit_that_suits_them() {
        assert_eq!(duration(412.3), "412 ms");
        assert_eq!(duration(3_210.0), "3.2 s");
        assert_eq!(duration(303_000.0), "5 min 3 s");
    }
}
