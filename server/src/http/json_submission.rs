//! A job submitted as JSON.
//!
//! What is no JSON is malformed (400); what is JSON and not a multiplication
//! cannot be used (422). So everything but the outline is read here, by hand,
//! with the name of the matrix and what was expected.

use kernel::format::json;
use serde::Deserialize;
use serde_json::value::RawValue;
use wire::{JobOptions, MatrixInput, Problem, Seed, Submission};

use super::submit::read_failed;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobText<'a> {
    #[serde(borrow)]
    a: Option<&'a RawValue>,
    #[serde(borrow)]
    b: Option<&'a RawValue>,
    #[serde(borrow)]
    options: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MatrixText<'a> {
    #[serde(borrow)]
    rows: Option<&'a RawValue>,
    #[serde(borrow)]
    cols: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    random: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RandomText<'a> {
    #[serde(borrow)]
    seed: Option<&'a RawValue>,
}

/// Reads a submission; sides are held to `side_max` before entries are read.
pub(super) fn read(body: &[u8], side_max: u32) -> Result<Submission, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to();
        Problem::new(
            400,
            format!("the body is not UTF-8 text from byte {place} on"),
        )
    })?;
    let job: JobText<'_> = serde_json::from_str(text).map_err(outline_failed)?;
    Ok(Submission {
        a: read_matrix("A", job.a, side_max)?,
        b: read_matrix("B", job.b, side_max)?,
        options: job
            .options
            .map_or(Ok(JobOptions::default()), |text| read_options(text.get()))?,
        idempotency_key: None,
    })
}

/// Reads the options of a job.
pub(super) fn read_options(text: &str) -> Result<JobOptions, Problem> {
    serde_json::from_str(text).map_err(|error| {
        let status = if error.is_data() { 422 } else { 400 };
        Problem::new(status, format!("options: {error}"))
    })
}

fn outline_failed(error: serde_json::Error) -> Problem {
    if error.is_data() {
        let detail = format!(
            "{error}: expected {{\"a\": {{\"rows\", \"cols\", \"data\" or \"random\"}}, \"b\": …, \
             \"options\": …}}"
        );
        Problem::new(422, detail)
    } else {
        Problem::new(400, format!("the body is not JSON: {error}"))
    }
}

fn read_matrix(name: &str, text: Option<&RawValue>, side_max: u32) -> Result<MatrixInput, Problem> {
    let unusable = |what: String| Problem::new(422, format!("matrix {name}: {what}"));
    let text =
        text.ok_or_else(|| unusable("it is missing: a job takes both a and b".to_owned()))?;
    let matrix: MatrixText<'_> = serde_json::from_str(text.get()).map_err(|error| {
        unusable(format!(
            "{error}: expected {{\"rows\", \"cols\", \"data\" or \"random\"}}"
        ))
    })?;
    let rows = read_side(name, "rows", matrix.rows, side_max)?;
    let cols = read_side(name, "cols", matrix.cols, side_max)?;
    match (matrix.data, matrix.random) {
        (Some(data), None) => {
            let entries = read_entries(name, rows, cols, data.get())?;
            Ok(MatrixInput::Entries {
                rows,
                cols,
                entries,
            })
        }
        (None, Some(random)) => {
            let random: RandomText<'_> = serde_json::from_str(random.get())
                .map_err(|error| unusable(format!("random: {error}")))?;
            let seed = random
                .seed
                .and_then(|seed| read_seed(seed.get()))
                .ok_or_else(|| {
                    unusable(format!("random: expected {{\"seed\": 0 to {}}}", u64::MAX))
                })?;
            Ok(MatrixInput::Random { rows, cols, seed })
        }
        (Some(_), Some(_)) => Err(unusable(
            "it has data and random, expected one of them".to_owned(),
        )),
        (None, None) => Err(unusable(
            "it has neither data nor random, expected one of them".to_owned(),
        )),
    }
}

/// A side: a whole number that may be written as `2.0` too, as some languages
/// write all their numbers.
fn read_side(
    matrix: &str,
    side: &str,
    text: Option<&RawValue>,
    side_max: u32,
) -> Result<u32, Problem> {
    let unusable = |found: &str| {
        let detail = format!(
            "matrix {matrix}: expected {side} to be a whole number from 1 to {side_max}, found {found}"
        );
        Problem::new(422, detail)
    };
    let text = text.ok_or_else(|| unusable("none"))?.get();
    let shown: String = text.chars().take(40).collect();
    let number: f64 = text.parse().map_err(|_| unusable(&shown))?;
    if number > f64::from(side_max) {
        let detail =
            format!("matrix {matrix}: {side} is {shown}, over the limit of {side_max} (--max-dim)");
        return Err(Problem::new(413, detail));
    }
    if number < 1.0 || number.fract() != 0.0 {
        return Err(unusable(&shown));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 1 to a u32"
    )]
    let side = number as u32;
    Ok(side)
}

fn read_entries(matrix: &str, rows: u32, cols: u32, text: &str) -> Result<Vec<f64>, Problem> {
    let read = json::parse_entries(text).map_err(|error| read_failed(matrix, &error))?;
    let unusable = |what: String| Problem::new(422, format!("matrix {matrix}: {what}"));
    if let Some((data_rows, data_cols)) = read.shape
        && (data_rows, data_cols) != (rows as usize, cols as usize)
    {
        return Err(unusable(format!(
            "data has {data_rows} rows of {data_cols}, expected {rows} rows of {cols}"
        )));
    }
    let expected = u64::from(rows) * u64::from(cols);
    let found = read.entries.len() as u64;
    if found != expected {
        return Err(unusable(format!(
            "data has {found} entries, expected {rows} · {cols} = {expected}"
        )));
    }
    Ok(read.entries)
}

/// A number, or the same digits in quotes: not every language's numbers hold
/// 64 bits.
fn read_seed(text: &str) -> Option<Seed> {
    let digits = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    digits.parse().ok().map(Seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> (u16, String) {
        let problem = read(body.as_bytes(), 100).unwrap_err();
        (problem.status, problem.detail)
    }

    fn with_a(matrix: &str) -> String {
        format!(r#"{{"a": {matrix}, "b": {{"rows": 2, "cols": 1, "random": {{"seed": 1}}}}}}"#)
    }

    #[test]
    fn a_job_is_read_with_data_seed_and_options() {
        let body = r#"{"a": {"rows": 1, "cols": 2.0, "data": [1, 2.5]},
            "b": {"rows": 2, "cols": 1, "random": {"seed": "18446744073709551615"}},
            "options": {"arithmetic": "fast"}}"#;
        let job = read(body.as_bytes(), 100).unwrap();
        assert_eq!(
            job.a,
            MatrixInput::Entries {
                rows: 1,
                cols: 2,
                entries: vec![1.0, 2.5]
            }
        );
        assert_eq!(
            job.b,
            MatrixInput::Random {
                rows: 2,
                cols: 1,
                seed: Seed(u64::MAX)
            }
        );
        assert_eq!(job.options.arithmetic, wire::Arithmetic::Fast);
    }

    #[test]
    fn what_is_no_json_is_malformed_and_says_where() {
        for body in ["", "{", "[1,", "{\"a\": NaN}", "{\"a\": 1}}", "nonsense"] {
            let (status, detail) = refused(body);
            assert_eq!(status, 400, "{body}");
            assert!(detail.contains("line 1 column"), "{detail}");
        }
    }

    #[test]
    fn json_that_is_no_job_cannot_be_used() {
        for body in [
            "{}",
            "[]",
            "1",
            "{\"a\": 1, \"b\": 1}",
            "{\"a\": {}, \"b\": {}, \"c\": {}}",
        ] {
            assert_eq!(refused(body).0, 422, "{body}");
        }
    }

    #[test]
    fn a_side_that_is_no_count_cannot_be_used_and_a_long_one_is_too_large() {
        for side in ["0", "-1", "1.5", "\"2\"", "null", "[]", "true"] {
            let (status, detail) = refused(&with_a(&format!(
                "{{\"rows\": {side}, \"cols\": 2, \"data\": []}}"
            )));
            assert_eq!(status, 422, "{side}");
            assert!(detail.contains("matrix A"), "{detail}");
        }
        for side in ["101", "99999999999999999999999", "1e999"] {
            let (status, detail) = refused(&with_a(&format!(
                "{{\"rows\": {side}, \"cols\": 2, \"data\": []}}"
            )));
            assert_eq!(status, 413, "{side}");
            assert!(detail.contains("100"), "{detail}");
        }
    }

    #[test]
    fn a_matrix_has_data_or_a_seed_and_not_both() {
        for matrix in [
            r#"{"rows": 1, "cols": 2}"#,
            r#"{"rows": 1, "cols": 2, "data": [1, 2], "random": {"seed": 1}}"#,
            r#"{"rows": 1, "cols": 2, "random": {}}"#,
            r#"{"rows": 1, "cols": 2, "random": {"seed": -1}}"#,
            r#"{"rows": 1, "cols": 2, "random": 7}"#,
        ] {
            assert_eq!(refused(&with_a(matrix)).0, 422, "{matrix}");
        }
    }

    #[test]
    fn unknown_options_are_named() {
        let (status, detail) = refused(
            r#"{"a": {"rows": 1, "cols": 1, "random": {"seed": 1}},
                "b": {"rows": 1, "cols": 1, "random": {"seed": 1}},
                "options": {"arithmetic": "quick"}}"#,
        );
        assert_eq!(status, 422);
        assert!(
            detail.contains("quick") && detail.contains("reproducible"),
            "{detail}"
        );
    }
}
