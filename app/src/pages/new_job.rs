//! both: `/`, a new multiplication.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::components::{FoldedContribution, NewJobForm, RecentJobs};
use crate::job_form::KeptForm;
use crate::seed_source::fresh_seed;
use crate::texts::new_job as texts;

/// The form, and below it the latest jobs.
#[component]
pub(crate) fn NewJobPage() -> impl IntoView {
    // Drawn once on the server: both renderings must show the same entries.
    let seed = SharedValue::new(fresh_seed).into_inner();
    let form = KeptForm::expect().form_at(&use_query_map().read_untracked(), seed);
    view! {
        <Title text=texts::TITLE />
        <h1>{texts::TITLE}</h1>
        <NewJobForm form />
        <RecentJobs />
        <FoldedContribution />
    }
}
