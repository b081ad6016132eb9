//! both: `/jobs`, all jobs of the mesh.

use leptos::either::Either;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use wire::MeshView;

use crate::answering_node::{AnsweringNode, in_time};
use crate::api::mesh_view;
use crate::components::{FoldedContribution, JobTable, ProblemNotice};
use crate::live::{AT_LEISURE, keep_fresh};

const STATUSES: [&str; 4] = ["running", "complete", "failed", "cancelled"];

/// The list, live.
#[component]
pub(crate) fn JobsPage() -> impl IntoView {
    let mesh = Resource::new(|| (), |()| mesh_view());
    view! {
        <Title text="Jobs" />
        <Suspense>
            {move || Suspend::new(async move {
                match mesh.await {
                    Ok(mesh) => Either::Left(view! { <JobList mesh /> }),
                    Err(error) => Either::Right(view! { <ProblemNotice error /> }),
                }
            })}
        </Suspense>
        <FoldedContribution />
    }
}

/// The filter is part of the address, so it works without script and survives
/// going back.
#[component]
fn JobList(mesh: MeshView) -> impl IntoView {
    let mesh = RwSignal::new(mesh);
    keep_fresh(mesh, |_| Some(AT_LEISURE), || in_time(mesh_view()));
    AnsweringNode::expect().remember_from(Signal::derive(move || Some(mesh.get())));
    let query = use_query_map();
    let wanted = Memo::new(move |_| query.read().get("status").unwrap_or_default());
    let jobs = Memo::new(move |_| {
        let (mesh, wanted) = (mesh.read(), wanted.read());
        let jobs = mesh.jobs.iter();
        let wanted = jobs.filter(|job| wanted.is_empty() || job.status.to_string() == *wanted);
        wanted.cloned().collect::<Vec<_>>()
    });
    let is_empty = Memo::new(move |_| jobs.read().is_empty());
    let filter_link = move |status: &'static str, text: &'static str| {
        let href = if status.is_empty() {
            "/jobs".to_owned()
        } else {
            format!("/jobs?status={status}")
        };
        let is_current = move || (wanted.read().as_str() == status).then_some("true");
        view! {
            <a href=href aria-current=is_current>
                {text}
            </a>
        }
    };
    view! {
        <section class="panel" aria-labelledby="jobs">
            <h1 id="jobs">"Jobs"</h1>
            <nav class="filter" aria-label="Status">
                {filter_link("", "all")}
                {STATUSES.map(|status| filter_link(status, status))}
            </nav>
            {move || {
                if is_empty.get() {
                    Either::Left(view! {
                        <p>"No jobs here. " <a href="/">"Start a multiplication"</a> "."</p>
                    })
                } else {
                    Either::Right(view! { <JobTable jobs /> })
                }
            }}
        </section>
    }
}
