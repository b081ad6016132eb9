//! both: what a person has entered in the form `New multiplication`.
//!
//! All of it is text until it is sent: a field may be empty or half typed. The
//! browser keeps it here so that changing a size keeps the cells, and so that
//! presets, random numbers and paste can write many cells at once.

use std::fmt;

use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use crate::format::grouped;
use crate::random_text::{random_cell, random_whole_cell};
use crate::texts::new_job as texts;

/// The largest side of a matrix that is typed cell by cell, or shown whole.
pub(crate) const GRID_SIDE_MAX: u32 = 15;

/// The sides of the matrices when the page is opened: small enough to type.
const SIDE_AT_FIRST: &str = "3";

/// One of the two factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MatrixName {
    A,
    B,
}

impl fmt::Display for MatrixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// The form's fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobForm {
    pub(crate) rows: RwSignal<String>,
    pub(crate) inner: RwSignal<String>,
    pub(crate) cols: RwSignal<String>,
    pub(crate) a: MatrixDraft,
    pub(crate) b: MatrixDraft,
}

/// One factor: its cells, where it is small enough to have some, and its seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MatrixDraft {
    pub(crate) name: MatrixName,
    pub(crate) rows: Signal<Option<u32>>,
    pub(crate) cols: Signal<Option<u32>>,
    /// Always the largest grid, so that a cell keeps its text while the sizes
    /// change; see [`cell_index`].
    pub(crate) cells: RwSignal<Vec<String>>,
    pub(crate) seed: RwSignal<String>,
    /// What became of the last paste; here, because the grid is made anew when it grows.
    pub(crate) note: RwSignal<Option<String>>,
}

/// What cells can be filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Numbers in [0, 1), from a seed.
    Reals(u64),
    /// Whole numbers from −9 to 9, from a seed.
    Integers(u64),
    /// Ones on the diagonal.
    Identity,
    /// Nothing.
    Empty,
}

impl Fill {
    /// The same from another seed.
    pub(crate) fn with_seed(self, seed: u64) -> Self {
        match self {
            Self::Reals(_) => Self::Reals(seed),
            Self::Integers(_) => Self::Integers(seed),
            unseeded => unseeded,
        }
    }

    fn cell(self, row: u32, column: u32) -> String {
        match self {
            Self::Reals(seed) => random_cell(seed, row, column),
            Self::Integers(seed) => random_whole_cell(seed, row, column),
            Self::Identity => u32::from(row == column).to_string(),
            Self::Empty => String::new(),
        }
    }

    fn cells(self) -> Vec<String> {
        (0..GRID_SIDE_MAX)
            .flat_map(|row| (0..GRID_SIDE_MAX).map(move |column| self.cell(row, column)))
            .collect()
    }
}

/// As the address of the page says it: `?fill=SEED` or `?fill=integers-SEED`.
impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reals(seed) => write!(f, "{seed}"),
            Self::Integers(seed) => write!(f, "{INTEGERS}{seed}"),
            Self::Identity => f.write_str("identity"),
            Self::Empty => f.write_str("empty"),
        }
    }
}

const INTEGERS: &str = "integers-";

fn fill_in_address(text: &str) -> Option<Fill> {
    match text.strip_prefix(INTEGERS) {
        Some(seed) => seed.parse().ok().map(Fill::Integers),
        None => text.parse().ok().map(Fill::Reals),
    }
}

/// The form as somebody left it to look at another page.
#[derive(Clone)]
pub(crate) struct KeptForm {
    form: StoredValue<Option<JobForm>>,
    /// Of everything, so that the form's signals outlive its page.
    owner: Owner,
}

impl KeptForm {
    /// There is none yet.
    pub(crate) fn provide() {
        provide_context(Self {
            form: StoredValue::new(None),
            owner: Owner::current().expect("components have an owner"),
        });
    }

    /// The one of the page.
    pub(crate) fn expect() -> Self {
        expect_context()
    }

    /// The form that was left; another one, where the address says what to fill in.
    pub(crate) fn form_at(&self, query: &ParamsMap, first_seed: u64) -> JobForm {
        let is_asked_for = query.clone().into_iter().next().is_some();
        let kept = self.form.get_value().filter(|_| !is_asked_for);
        kept.unwrap_or_else(|| {
            let form = self.owner.with(|| JobForm::from_query(query, first_seed));
            self.form.set_value(Some(form));
            form
        })
    }
}

impl JobForm {
    /// The form as the page's address describes it: `?rows=&inner=&cols=`, or
    /// `?size=` for a preset, and `?fill=` for random entries. So the buttons
    /// work without script, as links to another address.
    pub(crate) fn from_query(query: &ParamsMap, first_seed: u64) -> Self {
        let side = |name: &str| {
            // The form's own GET sends the names that its POST has.
            let named = query.get(name);
            let sent = query.get(&format!("submission[{name}]"));
            let text = query.get("size").or(named).or(sent);
            RwSignal::new(text.unwrap_or_else(|| SIDE_AT_FIRST.to_owned()))
        };
        let fill = query.get("fill").and_then(|text| fill_in_address(&text));
        let fill = fill.unwrap_or(Fill::Reals(first_seed));
        let [rows, inner, cols] = ["rows", "inner", "cols"].map(side);
        Self {
            rows,
            inner,
            cols,
            a: MatrixDraft::filled(MatrixName::A, rows, inner, fill),
            b: MatrixDraft::filled(MatrixName::B, inner, cols, next(fill)),
        }
    }

    /// Rows of A, columns of A, columns of B, where all of them can be used.
    pub(crate) fn sides(self) -> Option<[u32; 3]> {
        let [rows, inner, cols] = [self.rows, self.inner, self.cols];
        let side = |field: RwSignal<String>| field.with(|text| side_of(text));
        Some([side(rows)?, side(inner)?, side(cols)?])
    }

    /// Makes both matrices square.
    pub(crate) fn set_size(self, side: u32) {
        for field in [self.rows, self.inner, self.cols] {
            field.set(side.to_string());
        }
    }

    /// New entries in both matrices, and new seeds for matrices without cells.
    pub(crate) fn fill(self, fill: Fill) {
        self.a.fill(fill);
        self.b.fill(next(fill));
    }

    /// Writes a rectangle of texts, as copied from a spreadsheet, with its upper left corner at a
    /// cell. A matrix that is smaller grows, up to the largest grid.
    pub(crate) fn paste(self, draft: MatrixDraft, (top, left): (u32, u32), text: &str) -> Pasted {
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split('\t').collect())
            .collect();
        let first = lines.first().map_or(0, Vec::len);
        let widest = lines.iter().map(Vec::len).max().unwrap_or(0);
        let other = lines.iter().position(|line| line.len() != first);
        let rows_free = (GRID_SIDE_MAX - top) as usize;
        let columns_free = (GRID_SIDE_MAX - left) as usize;
        let (rows, columns) = (lines.len().min(rows_free), widest.min(columns_free));
        draft.cells.update(|cells| {
            for (row, line) in (top..).zip(&lines).take(rows) {
                for (column, cell) in (left..).zip(line).take(columns) {
                    cells[cell_index(row, column)] = cell.trim().to_owned();
                }
            }
        });
        let (row_field, column_field) = match draft.name {
            MatrixName::A => (self.rows, self.inner),
            MatrixName::B => (self.inner, self.cols),
        };
        grow(row_field, top as usize + rows);
        grow(column_field, left as usize + columns);
        Pasted {
            matrix: draft.name,
            rows,
            columns,
            ragged: other.map(|line| (line + 1, first, lines[line].len())),
            is_cut: lines.len() > rows_free || widest > columns_free,
        }
    }
}

/// What became of a pasted text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pasted {
    matrix: MatrixName,
    rows: usize,
    columns: usize,
    /// The first row of another length than the first one: its number, what was expected, found.
    ragged: Option<(usize, usize, usize)>,
    is_cut: bool,
}

impl fmt::Display for Pasted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matrix = self.matrix.to_string();
        f.write_str(&texts::pasted(self.rows, self.columns, &matrix))?;
        if let Some((line, expected, found)) = self.ragged {
            write!(f, " {}", texts::pasted_ragged(line, expected, found))?;
        }
        if self.is_cut {
            write!(f, " {}", texts::PASTED_CUT)?;
        }
        Ok(())
    }
}

fn grow(field: RwSignal<String>, side: usize) {
    let now = field.with_untracked(|text| side_of(text));
    if now.is_none_or(|now| (now as usize) < side) {
        field.set(side.to_string());
    }
}

/// The matrices differ, also when they are filled in the same way.
fn next(fill: Fill) -> Fill {
    match fill {
        Fill::Reals(seed) | Fill::Integers(seed) => fill.with_seed(seed.wrapping_add(1)),
        unseeded => unseeded,
    }
}

impl MatrixDraft {
    fn filled(
        name: MatrixName,
        rows: RwSignal<String>,
        cols: RwSignal<String>,
        fill: Fill,
    ) -> Self {
        let seed = match fill {
            Fill::Reals(seed) | Fill::Integers(seed) => seed.to_string(),
            Fill::Identity | Fill::Empty => String::new(),
        };
        Self {
            name,
            rows: Signal::derive(move || side_of(&rows.read())),
            cols: Signal::derive(move || side_of(&cols.read())),
            cells: RwSignal::new(fill.cells()),
            seed: RwSignal::new(seed),
            note: RwSignal::new(None),
        }
    }

    /// New entries, and a new seed where the filling has one.
    pub(crate) fn fill(self, fill: Fill) {
        self.cells.set(fill.cells());
        self.note.set(None);
        if let Fill::Reals(seed) | Fill::Integers(seed) = fill {
            self.seed.set(seed.to_string());
        }
    }

    /// Rows and columns, where both are small enough for a grid.
    pub(crate) fn grid(self) -> Option<(u32, u32)> {
        let (rows, cols) = (self.rows.get()?, self.cols.get()?);
        (rows.max(cols) <= GRID_SIDE_MAX).then_some((rows, cols))
    }
}

/// Where a cell is in [`MatrixDraft::cells`]; both counted from 0.
pub(crate) fn cell_index(row: u32, column: u32) -> usize {
    (row * GRID_SIDE_MAX + column) as usize
}

/// The row and column of a place in [`MatrixDraft::cells`]; beyond them, those of the last cell.
pub(crate) fn cell_place(index: usize) -> (u32, u32) {
    let last = GRID_SIDE_MAX * GRID_SIDE_MAX - 1;
    let index = u32::try_from(index).unwrap_or(last).min(last);
    (index / GRID_SIDE_MAX, index % GRID_SIDE_MAX)
}

/// Whether a cell's text is no number that can be multiplied.
pub(crate) fn cell_problem(text: &str) -> bool {
    text.trim()
        .parse::<f64>()
        .map_or(true, |number| !number.is_finite())
}

/// What is wrong with a side, in words, as soon as it is typed. The node looks again.
pub(crate) fn side_problem(field: &str, text: &str, most: Option<u32>) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return Some(texts::side_empty(field));
    }
    match text.parse::<u64>() {
        Ok(0) => Some(texts::side_zero(field)),
        Ok(side) => most
            .filter(|most| side > u64::from(*most))
            .map(|most| texts::side_too_large(field, &grouped(most.into()))),
        Err(_) => Some(texts::side_not_whole(field, text)),
    }
}

/// A side that can be used, from what is typed.
fn side_of(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|&side| side > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form_at(address: &[(&str, &str)]) -> JobForm {
        let query = address
            .iter()
            .map(|&(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        JobForm::from_query(&query, 7)
    }

    #[test]
    fn the_address_sets_the_sizes() {
        Owner::new().with(|| {
            let form = form_at(&[("rows", "2"), ("inner", "4"), ("cols", "100")]);
            assert_eq!(form.a.grid(), Some((2, 4)));
            assert_eq!(form.b.grid(), None);
        });
    }

    #[test]
    fn a_preset_in_the_address_wins() {
        Owner::new().with(|| {
            let form = form_at(&[("submission[rows]", "2"), ("size", "50")]);
            assert_eq!(form.rows.get_untracked(), "50");
        });
    }

    #[test]
    fn paste_fills_from_the_focused_cell_and_the_matrix_grows_with_it() {
        Owner::new().with(|| {
            let form = form_at(&[]);
            let pasted = form.paste(form.b, (1, 2), "1\t2\t3\r\n4\t5\t6");
            assert_eq!((pasted.rows, pasted.columns), (2, 3));
            assert_eq!(form.b.grid(), Some((3, 5)));
            assert_eq!(form.a.grid(), Some((3, 3)));
            form.b.cells.with_untracked(|cells| {
                assert_eq!(cells[cell_index(1, 2)], "1");
                assert_eq!(cells[cell_index(2, 4)], "6");
            });
        });
    }

    #[test]
    fn what_goes_beyond_the_largest_grid_is_left_out_and_said() {
        Owner::new().with(|| {
            let form = form_at(&[]);
            let pasted = form.paste(form.a, (14, 13), "1\t2\t3\r\n4");
            assert!(pasted.is_cut);
            assert_eq!(pasted.ragged, Some((2, 3, 1)));
            let cells = form.a.cells.get_untracked();
            assert_eq!(&cells[cell_index(14, 13)..], ["1", "2"]);
            assert_eq!(form.a.grid(), Some((15, 15)));
        });
    }

    #[test]
    fn cells_are_filled_in_each_way_there_is() {
        assert_eq!(Fill::Identity.cell(2, 2), "1");
        assert_eq!(Fill::Identity.cell(2, 3), "0");
        assert_eq!(Fill::Empty.cell(0, 0), "");
        for column in 0..GRID_SIDE_MAX {
            let whole: i32 = Fill::Integers(7).cell(0, column).parse().unwrap();
            assert!((-9..=9).contains(&whole));
        }
        for fill in [Fill::Reals(9), Fill::Integers(u64::MAX)] {
            assert_eq!(fill_in_address(&fill.to_string()), Some(fill));
        }
    }

    #[test]
    fn a_side_that_cannot_be_used_is_explained() {
        let problem = |text: &str| side_problem("Rows", text, Some(20_000));
        assert_eq!(problem("3"), None);
        assert_eq!(problem("20000"), None);
        assert!(problem("").unwrap().contains("empty"));
        assert!(problem("0").unwrap().contains("at least 1"));
        assert!(problem("2.5").unwrap().contains("whole number"));
        assert!(problem("20001").unwrap().contains("20\u{202f}000"));
    }

    #[test]
    fn a_cell_takes_numbers_only() {
        for text in ["1", " -2.5e-3 ", "0"] {
            assert!(!cell_problem(text), "{text}");
        }
        for text in ["", "x", "NaN", "inf", "1e999", "1,5"] {
            assert!(cell_problem(text), "{text}");
        }
    }
}
