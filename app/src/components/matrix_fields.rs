//! both: one matrix of the form, typed or random.

use leptos::prelude::*;

use super::MatrixGrid;
use crate::dynamic::dynamic;
use crate::format::grouped;
use crate::job_form::{JobForm, MatrixDraft};
use crate::texts::new_job as texts;

/// A grid up to 15×15; above that, the seed that makes the entries.
#[component]
pub(crate) fn MatrixFields(form: JobForm, draft: MatrixDraft) -> impl IntoView {
    let grid = Memo::new(move |_| draft.grid());
    let has_sides = Memo::new(move |_| draft.rows.get().is_some() && draft.cols.get().is_some());
    view! {
        <fieldset class="matrix">
            <legend>
                "Matrix " {draft.name.to_string()} <span class="muted">{dynamic(move || sides_text(draft))}</span>
            </legend>
            {dynamic(move || match grid.get() {
                Some((rows, cols)) => view! { <MatrixGrid form draft rows cols /> }.into_any(),
                None if has_sides.get() => view! { <SeedField draft /> }.into_any(),
                None => view! { <p class="muted">{texts::SIDES_FIRST}</p> }.into_any(),
            })}
        </fieldset>
    }
}

fn sides_text(draft: MatrixDraft) -> String {
    match (draft.rows.get(), draft.cols.get()) {
        (Some(rows), Some(cols)) => {
            format!(" {} × {}", grouped(rows.into()), grouped(cols.into()))
        }
        _ => String::new(),
    }
}

#[component]
fn SeedField(draft: MatrixDraft) -> impl IntoView {
    let letter = draft.name.to_string().to_ascii_lowercase();
    let id = format!("{letter}-seed");
    let label_for = id.clone();
    view! {
        <p class="muted">{texts::SEEDED}</p>
        <label class="field" for=label_for>
            <span>{texts::seed_label(&draft.name.to_string())}</span>
            <input
                id=id
                name=format!("submission[{letter}_seed]")
                type="text"
                inputmode="numeric"
                autocomplete="off"
                value=draft.seed.get_untracked()
                prop:value=draft.seed
                on:input=move |event| draft.seed.set(event_target_value(&event))
            />
        </label>
    }
}
