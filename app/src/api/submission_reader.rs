//! ssr: reads the form `New multiplication`.
//!
//! The page's own checks are help only; whatever arrives is read here as if
//! nobody had looked at it. Limits of the mesh, such as the largest side, are
//! the cluster's to name.

use wire::{MatrixInput, Problem, Seed, Submission};

use super::SubmissionForm;
use crate::job_form::{GRID_SIDE_MAX, MatrixName};
use crate::seed_source::fresh_seed;

/// The sides of one matrix, as the form names them.
#[derive(Debug, Clone, Copy)]
struct Sides {
    rows: u32,
    cols: u32,
}

/// The multiplication that the form describes.
pub(super) fn read_submission(form: &SubmissionForm) -> Result<Submission, Problem> {
    let rows = read_side("Matrix A rows", &form.rows)?;
    let inner = read_side("Matrix A columns", &form.inner)?;
    let cols = read_side("Matrix B columns", &form.cols)?;
    let a = Sides { rows, cols: inner };
    let b = Sides { rows: inner, cols };
    Ok(Submission {
        a: read_matrix(MatrixName::A, a, &form.a, &form.a_seed)?,
        b: read_matrix(MatrixName::B, b, &form.b, &form.b_seed)?,
        options: form.options,
        idempotency_key: None,
    })
}

fn read_side(field: &str, text: &str) -> Result<u32, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(unusable(format!("{field} is empty: type a whole number")));
    }
    match text.parse::<u32>() {
        Ok(0) => Err(unusable(format!("{field} is 0: a matrix has at least 1"))),
        Ok(side) => Ok(side),
        Err(_) => Err(unusable(format!(
            "{field} is “{text}”: expected a whole number from 1"
        ))),
    }
}

/// Typed entries where the grid is shown, else a random matrix. A form without
/// script can carry the grid of the sizes before; for sides that have no grid
/// those entries mean nothing.
fn read_matrix(
    name: MatrixName,
    sides: Sides,
    typed: &[String],
    seed: &str,
) -> Result<MatrixInput, Problem> {
    let Sides { rows, cols } = sides;
    if typed.is_empty() || rows.max(cols) > GRID_SIDE_MAX {
        let seed = read_seed(name, seed)?;
        return Ok(MatrixInput::Random { rows, cols, seed });
    }
    let expected = u64::from(rows) * u64::from(cols);
    if typed.len() as u64 != expected {
        return Err(unusable(format!(
            "Matrix {name} is {rows}×{cols}, which takes {expected} entries, but the page showed \
             a grid of {}: show the grids for these sizes first",
            typed.len()
        )));
    }
    let places = (1..=rows).flat_map(|row| (1..=cols).map(move |column| (row, column)));
    let entries = typed
        .iter()
        .zip(places)
        .map(|(text, (row, column))| {
            read_entry(text).map_err(|why| {
                unusable(format!("Matrix {name}, row {row}, column {column}: {why}"))
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(MatrixInput::Entries {
        rows,
        cols,
        entries,
    })
}

fn read_entry(text: &str) -> Result<f64, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the cell is empty, expected a number".to_owned());
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(format!("“{text}” is not a finite number")),
        Err(_) if text.contains(',') => Err(format!(
            "“{text}” is not a number: use a point, not a comma"
        )),
        Err(_) => Err(format!("“{text}” is not a number")),
    }
}

fn read_seed(name: MatrixName, text: &str) -> Result<Seed, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Seed(fresh_seed()));
    }
    text.parse().map(Seed).map_err(|_| {
        unusable(format!(
            "Seed of matrix {name} is “{text}”: expected a whole number from 0 to {}",
            u64::MAX
        ))
    })
}

fn unusable(detail: String) -> Problem {
    Problem::new(422, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> SubmissionForm {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        SubmissionForm {
            rows: "1".to_owned(),
            inner: " 2 ".to_owned(),
            cols: "1".to_owned(),
            a: texts(&["1", "2.5e0"]),
            b: texts(&["-3", "4"]),
            ..SubmissionForm::default()
        }
    }

    fn detail_of(form: &SubmissionForm) -> String {
        read_submission(form).unwrap_err().detail
    }

    #[test]
    fn typed_entries_are_read_row_by_row() {
        let submission = read_submission(&form()).unwrap();
        let entries = vec![1.0, 2.5];
        assert_eq!(
            submission.a,
            MatrixInput::Entries {
                rows: 1,
                cols: 2,
                entries
            }
        );
    }

    #[test]
    fn a_matrix_without_entries_is_random_from_its_seed() {
        let mut form = form();
        form.a.clear();
        form.a_seed = u64::MAX.to_string();
        let submission = read_submission(&form).unwrap();
        let seed = Seed(u64::MAX);
        assert_eq!(
            submission.a,
            MatrixInput::Random {
                rows: 1,
                cols: 2,
                seed
            }
        );
    }

    #[test]
    fn entries_left_from_a_smaller_size_are_dropped_where_there_is_no_grid() {
        let mut form = form();
        form.rows = "200".to_owned();
        let submission = read_submission(&form).unwrap();
        assert!(matches!(
            submission.a,
            MatrixInput::Random {
                rows: 200,
                cols: 2,
                ..
            }
        ));
    }

    #[test]
    fn an_unusable_cell_is_named_by_matrix_row_and_column() {
        for text in ["", "x", "NaN", "inf", "1e999", "1,5"] {
            let mut form = form();
            form.b[1] = text.to_owned();
            let detail = detail_of(&form);
            assert!(
                detail.starts_with("Matrix B, row 2, column 1: "),
                "{detail}"
            );
        }
    }

    #[test]
    fn an_unusable_side_is_named_by_its_label() {
        for text in ["", "0", "-1", "2.5", "99999999999"] {
            let mut form = form();
            form.inner = text.to_owned();
            assert!(
                detail_of(&form).starts_with("Matrix A columns is "),
                "{text}"
            );
        }
    }

    #[test]
    fn a_grid_of_other_sizes_is_refused() {
        let mut form = form();
        form.rows = "2".to_owned();
        assert!(detail_of(&form).contains("takes 4 entries"));
    }
}
