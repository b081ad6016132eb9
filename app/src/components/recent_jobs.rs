//! both: the latest jobs, below the form that starts one.

use leptos::prelude::*;

use super::JobTable;
use crate::dynamic::dynamic;
use crate::live::Live;
use crate::texts::new_job as texts;

/// The newest few jobs of the mesh, or nothing where there is none.
#[component]
pub(crate) fn RecentJobs() -> impl IntoView {
    let live = Live::expect();
    let is_empty = Memo::new(move |_| live.jobs.with(Vec::is_empty));
    dynamic(move || {
        (!is_empty.get()).then(|| {
            view! {
                <section class="panel" aria-labelledby="recent">
                    <h2 id="recent">{texts::RECENT}</h2>
                    <JobTable jobs=live.jobs />
                    <p>
                        <a href="/jobs">{texts::ALL_JOBS}</a>
                    </p>
                </section>
            }
        })
    })
}
