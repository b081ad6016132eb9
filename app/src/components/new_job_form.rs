//! both: the form `New multiplication`.
//!
//! Without script its buttons are plain submits: the presets and `Fill Random`
//! ask for the page again with other sizes or another seed in the address,
//! `Run Distributed Multiply` posts to the server function, which leads to the
//! job. With script nothing is loaded anew, so the device keeps computing.

use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_navigate;
use web_sys::SubmitEvent;
use wire::JobId;

use super::{
    Alert, CostEstimate, MatrixFields, OptionFields, SizeFields, UploadForm, WithoutScript,
};
use crate::api::SubmitJob;
use crate::form_post::FormPost;
use crate::job_form::{Fill, JobForm};
use crate::read_back::read_back;
use crate::seed_source::fresh_seed;
use crate::texts::new_job as texts;
use crate::upload::Upload;

const PRESETS: [u32; 4] = [50, 100, 200, 500];

/// With script the grids follow the sizes by themselves.
const SHOW_GRIDS: &str =
    r#"<button type="submit" formmethod="get" formaction="/">Show grids for these sizes</button>"#;

/// Sizes, entries or files, options, and the button that starts it.
#[component]
pub(crate) fn NewJobForm(form: JobForm) -> impl IntoView {
    let element = NodeRef::<html::Form>::new();
    let post = FormPost::new(SubmitJob::PATH);
    let upload = Upload::new();
    read_back(element, form);

    let message = Signal::derive(move || upload.post.problem.get().or_else(|| post.problem.get()));
    let is_busy = move || post.progress.get().is_some() || upload.post.progress.get().is_some();
    let navigate = use_navigate();
    let start_upload = upload.starter();
    let on_submit = {
        let start_upload = start_upload.clone();
        move |event: SubmitEvent| {
            upload.post.problem.set(None);
            if upload.has_files() {
                event.prevent_default();
                post.problem.set(None);
                start_upload();
            } else {
                let navigate = navigate.clone();
                post.submit(&event, move |text| {
                    if let Ok(job) = serde_json::from_str::<JobId>(&text) {
                        navigate(&format!("/jobs/{job}"), Default::default());
                    }
                });
            }
        }
    };

    view! {
        <form
            class="new-job"
            node_ref=element
            method="post"
            action=SubmitJob::PATH
            novalidate
            on:submit=on_submit
        >
            // The Enter key presses a form's first submit button.
            <button class="default-submit" type="submit" tabindex="-1" aria-hidden="true"></button>
            <SizeFields form />
            <Shortcuts form />
            <div class="matrices">
                <MatrixFields form draft=form.a />
                <MatrixFields form draft=form.b />
            </div>
            <OptionFields />
            <CostEstimate form upload />
            <Alert message />
            <div class="actions">
                <button class="primary" type="submit" disabled=is_busy>
                    {texts::RUN}
                </button>
                <WithoutScript html=SHOW_GRIDS />
            </div>
        </form>
        <UploadForm upload start_upload />
    }
}

/// Presets and entries.
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
    let fills = [
        (texts::FILL_RANDOM, Fill::Reals(next_seed)),
        (texts::FILL_INTEGERS, Fill::Integers(next_seed)),
    ];
    // Without cells entries come from a seed, and are never whole numbers.
    let has_cells = Memo::new(move |_| form.a.grid().is_some() || form.b.grid().is_some());
    let fills = fills.map(|(text, fill)| {
        let needs_cells = matches!(fill, Fill::Integers(_));
        view! {
            <button
                type="submit"
                formmethod="get"
                formaction="/"
                name="fill"
                disabled=move || needs_cells && !has_cells.get()
                value=fill.to_string()
                on:click=move |event| {
                    event.prevent_default();
                    form.fill(fill.with_seed(fresh_seed()));
                }
            >
                {text}
            </button>
        }
    });
    view! {
        <div class="shortcuts">
            <div role="group" aria-label=texts::SIZES class="button-row">
                {presets.into_iter().collect_view()}
            </div>
            <div class="button-row">{fills.into_iter().collect_view()}</div>
        </div>
    }
}
