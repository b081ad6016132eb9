//! both: what a person has entered in the form `New multiplication`.
//!
//! All of it is text until it is sent: a field may be empty or half typed. The
//! browser keeps it here so that changing a size keeps the cells, and so that
//! presets, random numbers and paste can write many cells at once.

use std::fmt;

use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use crate::random_text::random_cell;
use crate::seed_source::fresh_seed;

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
        let seed = query
            .get("fill")
            .and_then(|text| text.parse().ok())
            .unwrap_or(first_seed);
        let [rows, inner, cols] = ["rows", "inner", "cols"].map(side);
        Self {
            rows,
            inner,
            cols,
            a: MatrixDraft::random(MatrixName::A, rows, inner, seed),
            b: MatrixDraft::random(MatrixName::B, inner, cols, seed.wrapping_add(1)),
        }
    }

    /// Makes both matrices square.
    pub(crate) fn set_size(self, side: u32) {
        for field in [self.rows, self.inner, self.cols] {
            field.set(side.to_string());
        }
    }

    /// New random entries, and new seeds for matrices without cells.
    pub(crate) fn fill_random(self) {
        for draft in [self.a, self.b] {
            let seed = fresh_seed();
            draft.cells.set(random_cells(seed));
            draft.seed.set(seed.to_string());
        }
    }
}

impl MatrixDraft {
    fn random(name: MatrixName, rows: RwSignal<String>, cols: RwSignal<String>, seed: u64) -> Self {
        Self {
            name,
            rows: Signal::derive(move || side_of(&rows.read())),
            cols: Signal::derive(move || side_of(&cols.read())),
            cells: RwSignal::new(random_cells(seed)),
            seed: RwSignal::new(seed.to_string()),
        }
    }

    /// Rows and columns, where both are small enough for a grid.
    pub(crate) fn grid(self) -> Option<(u32, u32)> {
        let (rows, cols) = (self.rows.get()?, self.cols.get()?);
        (rows.max(cols) <= GRID_SIDE_MAX).then_some((rows, cols))
    }

    /// Writes a rectangle of texts, as copied from a spreadsheet, with its
    /// upper left corner at a cell. What falls beyond the largest grid is lost.
    pub(crate) fn paste(self, corner: usize, text: &str) {
        let side = GRID_SIDE_MAX as usize;
        let (top, left) = (corner / side, corner % side);
        self.cells.update(|cells| {
            for (row, line) in text.lines().enumerate().take(side - top) {
                for (column, cell) in line.split('\t').enumerate().take(side - left) {
                    cells[(top + row) * side + left + column] = cell.trim().to_owned();
                }
            }
        });
    }
}

/// Where a cell is in [`MatrixDraft::cells`]; both counted from 0.
pub(crate) fn cell_index(row: u32, column: u32) -> usize {
    (row * GRID_SIDE_MAX + column) as usize
}

/// A side that can be used, from what is typed.
fn side_of(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|&side| side > 0)
}

fn random_cells(seed: u64) -> Vec<String> {
    (0..GRID_SIDE_MAX)
        .flat_map(|row| (0..GRID_SIDE_MAX).map(move |column| random_cell(seed, row, column)))
        .collect()
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
    fn paste_fills_from_the_focused_cell_and_stops_at_the_border() {
        Owner::new().with(|| {
            let form = form_at(&[]);
            form.a.paste(cell_index(14, 13), "1\t2\t3\r\n4");
            let cells = form.a.cells.get_untracked();
            assert_eq!(&cells[cell_index(14, 13)..], ["1", "2"]);
        });
    }
}
