//! both: `/`, a new multiplication.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::answering_node::{AnsweringNode, in_time};
use crate::api::mesh_view;
use crate::components::{FoldedContribution, NewJobForm, RecentJobs};
use crate::job_form::JobForm;
use crate::live::{AT_LEISURE, keep_fresh};
use crate::seed_source::fresh_seed;

/// The form, and below it the latest jobs.
#[component]
pub(crate) fn NewJobPage() -> impl IntoView {
    // Drawn once on the server: both renderings must show the same entries.
    let seed = SharedValue::new(fresh_seed).into_inner();
    let form = JobForm::from_query(&use_query_map().read_untracked(), seed);
    let node = AnsweringNode::expect();
    let mesh = Resource::new(|| (), |()| mesh_view());
    view! {
        <Title text="New multiplication" />
        <h1>"New multiplication"</h1>
        <NewJobForm form />
        <Suspense>
            {move || Suspend::new(async move {
                let mesh = RwSignal::new(mesh.await.ok()?);
                keep_fresh(mesh, |_| Some(AT_LEISURE), || in_time(mesh_view()));
                node.remember_from(Signal::derive(move || Some(mesh.get())));
                Some(view! { <RecentJobs mesh /> })
            })}
        </Suspense>
        <FoldedContribution />
    }
}
