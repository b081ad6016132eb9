//! both: the sides of the two matrices.

use leptos::prelude::*;

use crate::job_form::JobForm;

/// Three numbers; the fourth, the rows of B, follows the columns of A.
#[component]
pub(crate) fn SizeFields(form: JobForm) -> impl IntoView {
    view! {
        <div class="sizes">
            <SizeField id="rows" label="Matrix A rows" side=form.rows />
            <SizeField id="inner" label="Matrix A columns" side=form.inner />
            <label class="field" for="b-rows">
                <span>"Matrix B rows"</span>
                <input
                    id="b-rows"
                    type="text"
                    readonly
                    tabindex="-1"
                    value=form.inner.get_untracked()
                    prop:value=form.inner
                />
            </label>
            <SizeField id="cols" label="Matrix B columns" side=form.cols />
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
    view! {
        <label class="field" for=id>
            <span>{label}</span>
            <input
                id=id
                name=format!("submission[{id}]")
                type="number"
                min="1"
                step="1"
                inputmode="numeric"
                autocomplete="off"
                value=side.get_untracked()
                prop:value=side
                on:input=move |event| side.set(event_target_value(&event))
            />
        </label>
    }
}
