//! both: the cells of a small matrix.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{ClipboardEvent, Element, FocusEvent, HtmlInputElement, KeyboardEvent};

use crate::dynamic::{attribute, dynamic};
use crate::job_form::{Fill, JobForm, MatrixDraft, cell_index, cell_place, cell_problem};
use crate::texts::new_job as texts;

/// One input a cell. Arrow keys, Enter and Tab lead from cell to cell; text from a spreadsheet fills
/// from the focused cell on, and the matrix grows with it.
#[component]
pub(crate) fn MatrixGrid(form: JobForm, draft: MatrixDraft, rows: u32, cols: u32) -> impl IntoView {
    let grid = NodeRef::<html::Div>::new();
    let name = draft.name.to_string();
    let letter = name.to_lowercase();
    let cells = (0..rows)
        .flat_map(|row| (0..cols).map(move |column| (row, column)))
        .map(|(row, column)| {
            let index = cell_index(row, column);
            let text = move || draft.cells.with(|cells| cells[index].clone());
            let is_wrong = move || {
                let is_wrong = draft.cells.with(|cells| cell_problem(&cells[index]));
                is_wrong.then_some("true")
            };
            view! {
                <input
                    name=format!("submission[{letter}][]")
                    type="text"
                    inputmode="decimal"
                    autocomplete="off"
                    aria-label=texts::cell_label(&name, row + 1, column + 1)
                    aria-invalid=attribute(is_wrong)
                    data-cell=index.to_string()
                    value=draft.cells.with_untracked(|cells| cells[index].clone())
                    prop:value=text
                    on:input=move |event| {
                        let text = event_target_value(&event);
                        draft.cells.update(|cells| cells[index] = text);
                    }
                    on:focus=move |event| select_text(&event)
                />
            }
        })
        .collect_view();
    let problem = Memo::new(move |_| first_problem(draft, rows, cols));
    let on_key = move |event: KeyboardEvent| {
        if let (Some(grid), Some(next)) = (grid.get(), cell_after_key(&event, rows, cols)) {
            event.prevent_default();
            focus_cell(&grid, next);
        }
    };
    view! {
        <div
            class="grid"
            node_ref=grid
            style=format!("--columns: {cols}")
            on:keydown=on_key
            on:paste=move |event| {
                if let Some(pasted) = paste_cells(form, draft, &event) {
                    draft.note.set(Some(pasted));
                }
            }
        >
            {cells}
        </div>
        <p class="muted small">{texts::CELLS_HELP}</p>
        <GridActions draft />
        {dynamic(move || problem.get().map(|problem| view! { <p class="field-problem" role="status">{problem}</p> }))}
        {dynamic(move || draft.note.get().map(|note| view! { <p class="muted" role="status">{note}</p> }))}
    }
}

/// What fills or empties one matrix; without script there is `Fill Random` for both.
#[component]
fn GridActions(draft: MatrixDraft) -> impl IntoView {
    let is_alive = RwSignal::new(false);
    Effect::new(move |_| is_alive.set(true));
    let name = draft.name;
    let actions = move || {
        let actions = [
            (texts::IDENTITY, Fill::Identity),
            (texts::CLEAR, Fill::Empty),
        ];
        let buttons = actions.map(|(text, fill)| {
            view! {
                <button
                    type="button"
                    class="quiet"
                    aria-label=format!("{text} {name}")
                    on:click=move |_| draft.fill(fill)
                >
                    {text}
                </button>
            }
        });
        is_alive.get().then(|| {
            view! { <div class="button-row">{buttons.into_iter().collect_view()}</div> }
        })
    };
    view! { {dynamic(actions)} }
}

/// About the first cell that is no number.
fn first_problem(draft: MatrixDraft, rows: u32, cols: u32) -> Option<String> {
    let name = draft.name.to_string();
    draft.cells.with(|cells| {
        let mut places = (0..rows).flat_map(|row| (0..cols).map(move |column| (row, column)));
        let (row, column) =
            places.find(|(row, column)| cell_problem(&cells[cell_index(*row, *column)]))?;
        let text = &cells[cell_index(row, column)];
        Some(texts::cell_problem(
            &name,
            row as usize + 1,
            column as usize + 1,
            text,
        ))
    })
}

/// So that typing replaces the number that is there.
fn select_text(event: &FocusEvent) {
    event_target::<HtmlInputElement>(event).select();
}

fn focus_cell(grid: &Element, index: usize) {
    let cell = grid.query_selector(&format!("[data-cell='{index}']"));
    let cell = cell.ok().flatten();
    if let Some(cell) = cell.and_then(|cell| cell.dyn_into::<HtmlInputElement>().ok()) {
        // A cell that cannot be focused keeps the focus where it is.
        let _ = cell.focus();
    }
}

/// The cell to which a key leads: arrows to the neighbour, Enter down a column and on to the next.
/// Within a text the arrows move the cursor first.
fn cell_after_key(event: &KeyboardEvent, rows: u32, cols: u32) -> Option<usize> {
    let cell = event.target()?.dyn_into::<HtmlInputElement>().ok()?;
    let (row, column) = cell_place(cell.get_attribute("data-cell")?.parse().ok()?);
    let length = u32::try_from(cell.value().encode_utf16().count()).ok()?;
    let (start, end) = (cell.selection_start().ok()??, cell.selection_end().ok()??);
    let is_all = start == 0 && end == length;
    let key = event.key();
    let (row, column) = match key.as_str() {
        "ArrowUp" => (row.checked_sub(1)?, column),
        "ArrowDown" => (row + 1, column),
        "ArrowLeft" if is_all || end == 0 => (row, column.checked_sub(1)?),
        "ArrowRight" if is_all || start == length => (row, column + 1),
        "Enter" if event.shift_key() => match row.checked_sub(1) {
            Some(above) => (above, column),
            None => (rows - 1, column.checked_sub(1)?),
        },
        "Enter" if row + 1 < rows => (row + 1, column),
        // From the last cell nowhere, and the form is not sent by surprise.
        "Enter" if column + 1 == cols => (row, column),
        "Enter" => (0, column + 1),
        _ => return None,
    };
    (row < rows && column < cols).then(|| cell_index(row, column))
}

/// A single number is left to the browser, which pastes it into the cell's
/// text where the cursor is. What was done, in words.
fn paste_cells(form: JobForm, draft: MatrixDraft, event: &ClipboardEvent) -> Option<String> {
    let cell = event.target()?.dyn_into::<Element>().ok()?;
    let corner = cell.get_attribute("data-cell")?.parse().ok()?;
    let text = event.clipboard_data()?.get_data("text").ok()?;
    let text = text.trim_end_matches(['\r', '\n']);
    if !text.contains(['\t', '\n']) {
        return None;
    }
    event.prevent_default();
    Some(form.paste(draft, cell_place(corner), text).to_string())
}
