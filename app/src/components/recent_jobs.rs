//! both: the latest jobs, below the form that starts one.

use leptos::prelude::*;
use wire::MeshView;

use super::JobTable;

const RECENT_JOBS: usize = 5;

/// The newest few jobs of the mesh, or nothing where there is none.
#[component]
pub(crate) fn RecentJobs(#[prop(into)] mesh: Signal<MeshView>) -> impl IntoView {
    let recent = Memo::new(move |_| {
        let mesh = mesh.read();
        mesh.jobs
            .iter()
            .take(RECENT_JOBS)
            .cloned()
            .collect::<Vec<_>>()
    });
    let is_empty = Memo::new(move |_| recent.read().is_empty());
    move || {
        (!is_empty.get()).then(|| {
            view! {
                <section class="panel" aria-labelledby="recent">
                    <h2 id="recent">"Recent multiplications"</h2>
                    <JobTable jobs=recent />
                    <p>
                        <a href="/jobs">"All jobs"</a>
                    </p>
                </section>
            }
        })
    }
}
