//! both: the cells of a small matrix.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{ClipboardEvent, Element, FocusEvent, HtmlInputElement};

use crate::job_form::{MatrixDraft, cell_index};

/// One input a cell. Text from a spreadsheet fills from the focused cell on.
#[component]
pub(crate) fn MatrixGrid(draft: MatrixDraft, rows: u32, cols: u32) -> impl IntoView {
    let letter = draft.name.to_string().to_lowercase();
    let cells = (0..rows)
        .flat_map(|row| (0..cols).map(move |column| (row, column)))
        .map(|(row, column)| {
            let index = cell_index(row, column);
            let text = move || draft.cells.with(|cells| cells[index].clone());
            view! {
                <input
                    name=format!("submission[{letter}][]")
                    type="text"
                    inputmode="decimal"
                    autocomplete="off"
                    aria-label=format!("{} row {} column {}", draft.name, row + 1, column + 1)
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
    view! {
        <div
            class="grid"
            style=format!("--columns: {cols}")
            on:paste=move |event| paste_cells(draft, &event)
        >
            {cells}
        </div>
    }
}

/// So that typing replaces the number that is there.
fn select_text(event: &FocusEvent) {
    event_target::<HtmlInputElement>(event).select();
}

/// A single number is left to the browser, which pastes it into the cell's
/// text where the cursor is.
fn paste_cells(draft: MatrixDraft, event: &ClipboardEvent) {
    let corner = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok())
        .and_then(|cell| cell.get_attribute("data-cell"))
        .and_then(|index| index.parse::<usize>().ok());
    let text = event
        .clipboard_data()
        .and_then(|clipboard| clipboard.get_data("text").ok());
    let (Some(corner), Some(text)) = (corner, text) else {
        return;
    };
    if text.trim_end().contains(['\t', '\n']) {
        event.prevent_default();
        draft.paste(corner, text.trim_end());
    }
}
