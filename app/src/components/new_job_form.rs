//! both: the form `New multiplication`.
//!
//! Without script its buttons are plain submits: the presets and `Fill Random`
//! ask for the page again with other sizes or another seed in the address,
//! `Run Distributed Multiply` posts to the server function, which leads to the
//! job. With script nothing is loaded anew, so the device keeps computing.

use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use web_sys::SubmitEvent;

use super::{Alert, MatrixFields, OptionFields, SizeFields, UploadForm, WithoutScript};
use crate::api::SubmitJob;
use crate::job_form::JobForm;
use crate::read_back::read_back;
use crate::seed_source::fresh_seed;
use crate::upload::Upload;

const PRESETS: [u32; 4] = [50, 100, 200, 500];

/// With script the grids follow the sizes by themselves.
const SHOW_GRIDS: &str =
    r#"<button type="submit" formmethod="get" formaction="/">Show grids for these sizes</button>"#;

/// Sizes, entries or files, options, and the button that starts it.
#[component]
pub(crate) fn NewJobForm(form: JobForm) -> impl IntoView {
    let element = NodeRef::<html::Form>::new();
    let submit = ServerAction::<SubmitJob>::new();
    let upload = Upload::new(element);
    read_back(element, form);

    let error = move || match submit.value().get() {
        Some(Err(error)) if !submit.pending().get() => Some(error.to_string()),
        _ => None,
    };
    let message = Signal::derive(move || upload.problem.get().or_else(error));
    let is_busy = move || submit.pending().get() || upload.progress.get().is_some();

    let start_upload = upload.starter();
    let on_submit = {
        let start_upload = start_upload.clone();
        move |event: SubmitEvent| {
            event.prevent_default();
            upload.problem.set(None);
            if upload.has_files() {
                submit.clear();
                start_upload();
            } else if let Ok(filled) = leptos::form::FromFormData::from_event(&event) {
                submit.dispatch(filled);
            }
        }
    };

    view! {
        <form
            class="new-job"
            node_ref=element
            method="post"
            action=SubmitJob::url()
            novalidate
            on:submit=on_submit
        >
            // The Enter key presses a form's first submit button.
            <button class="default-submit" type="submit" tabindex="-1" aria-hidden="true"></button>
            <SizeFields form />
            <Shortcuts form />
            <div class="matrices">
                <MatrixFields draft=form.a />
                <MatrixFields draft=form.b />
            </div>
            <OptionFields />
            <Alert message />
            <div class="actions">
                <button class="primary" type="submit" disabled=is_busy>
                    "Run Distributed Multiply"
                </button>
                <WithoutScript html=SHOW_GRIDS />
            </div>
        </form>
        <UploadForm upload start_upload />
    }
}

/// Presets and random entries.
#[component]
fn Shortcuts(form: JobForm) -> impl IntoView {
    let next_seed = SharedValue::new(fresh_seed).into_inner();
    let presets = PRESETS.map(|side| {
        view! {
            <button
                type="submit"
                formmethod="get"
                formaction="/"
                name="size"
                value=side.to_string()
                on:click=move |event| {
                    event.prevent_default();
                    form.set_size(side);
                }
            >
                {format!("{side}×{side}")}
            </button>
        }
    });
    view! {
        <div class="shortcuts">
            <div role="group" aria-label="Sizes" class="button-row">
                {presets}
            </div>
            <button
                type="submit"
                formmethod="get"
                formaction="/"
                name="fill"
                value=next_seed.to_string()
                on:click=move |event| {
                    event.prevent_default();
                    form.fill_random();
                }
            >
                "Fill Random"
            </button>
        </div>
    }
}
