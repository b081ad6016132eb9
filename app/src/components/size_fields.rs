//! both: the sides of the two matrices.

use leptos::html;
use leptos::prelude::*;

use crate::dynamic::{attribute, dynamic};
use crate::job_form::{JobForm, side_problem};
use crate::live::Live;
use crate::texts::new_job as texts;

/// Three numbers; the fourth, the rows of B, follows the columns of A.
#[component]
pub(crate) fn SizeFields(form: JobForm) -> impl IntoView {
    view! {
        <div class="sizes">
            <SizeField id="rows" label=texts::A_ROWS side=form.rows />
            <SizeField id="inner" label=texts::A_COLUMNS side=form.inner />
            <label class="field" for="b-rows">
                <span>{texts::B_ROWS}</span>
                <input
                    id="b-rows"
                    type="text"
                    readonly
                    tabindex="-1"
                    value=form.inner.get_untracked()
                    prop:value=form.inner
                />
            </label>
            <SizeField id="cols" label=texts::B_COLUMNS side=form.cols />
        </div>
    }
}

#[component]
fn SizeField(
    /// Its name within the form.
    id: &'static str,
    label: &'static str,
    side: RwSignal<String>,
) -> impl IntoView {
    let live = Live::expect();
    let problem =
        Memo::new(move |_| side.with(|side| side_problem(label, side, live.max_dim.get())));
    let input = NodeRef::<html::Input>::new();
    // What the person is typing is left alone: a number field says that “-” and “2.” are nothing, and
    // would lose them.
    Effect::new(move |before: Option<String>| {
        let side = side.get();
        let has_changed = before.is_some_and(|before| before != side);
        if let Some(input) = input.get_untracked()
            && has_changed
            && input.value() != side
        {
            input.set_value(&side);
        }
        side
    });
    let problem_id = format!("{id}-problem");
    let described_by = problem_id.clone();
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input
                id=id
                name=format!("submission[{id}]")
                type="number"
                min="1"
                max=live.max_dim.get_untracked().map(|most| most.to_string())
                step="1"
                inputmode="numeric"
                autocomplete="off"
                aria-invalid=attribute(move || problem.with(Option::is_some).then_some("true"))
                aria-describedby=described_by
                value=side.get_untracked()
                node_ref=input
                on:input=move |event| side.set(event_target_value(&event))
            />
            <p class="field-problem" id=problem_id aria-live="polite">
                {dynamic(move || problem.get())}
            </p>
        </div>
    }
}
