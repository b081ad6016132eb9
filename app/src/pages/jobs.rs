//! both: `/jobs`, all jobs of the mesh.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::components::{FoldedContribution, JobTable};
use crate::dynamic::{attribute, dynamic};
use crate::live::Live;
use crate::texts::jobs as texts;

const STATUSES: [&str; 4] = ["running", "complete", "failed", "cancelled"];

/// The list, live. The filter is part of the address, so it works without script and survives going
/// back.
#[component]
pub(crate) fn JobsPage() -> impl IntoView {
    let live = Live::expect();
    let query = use_query_map();
    let wanted = Memo::new(move |_| query.read().get("status").unwrap_or_default());
    let jobs = Memo::new(move |_| {
        let (jobs, wanted) = (live.jobs.read(), wanted.read());
        let jobs = jobs.iter();
        let wanted = jobs.filter(|job| wanted.is_empty() || job.status.to_string() == *wanted);
        wanted.copied().collect::<Vec<_>>()
    });
    let filter_link = move |status: &'static str, text: &'static str| {
        let href = if status.is_empty() {
            "/jobs".to_owned()
        } else {
            format!("/jobs?status={status}")
        };
        let is_current = move || (wanted.read().as_str() == status).then_some("true");
        view! {
            <a href=href aria-current=attribute(is_current)>
                {text}
            </a>
        }
    };
    let more = move || {
        let (shown, known) = (live.jobs.with(Vec::len), live.jobs_known.get());
        (known as usize > shown).then(|| view! { <p class="muted">{texts::more(shown, known)}</p> })
    };
    view! {
        <Title text=texts::TITLE />
        <section class="panel" aria-labelledby="jobs">
            <h1 id="jobs">{texts::TITLE}</h1>
            <nav class="filter" aria-label=texts::STATUS>
                {filter_link("", texts::ALL)}
                {STATUSES.map(|status| filter_link(status, status)).into_iter().collect_view()}
            </nav>
            <JobTable jobs />
            {dynamic(more)}
        </section>
        <FoldedContribution />
    }
}
