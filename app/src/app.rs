//! both: the frame of every page and which address shows which page.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;

use crate::components::{AwayNotice, Header};
use crate::compute_worker::ComputeStateSignal;
use crate::job_form::KeptForm;
use crate::live::Live;
use crate::pages::{ContributionPage, JobPage, JobsPage, NewJobPage, NodesPage, NotFoundPage};
use crate::texts;

/// All pages. What they show is there before they are rendered: see `live`.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    ComputeStateSignal::provide();
    Live::provide();
    KeptForm::provide();
    view! {
        <Title formatter=|title: String| match title.as_str() {
            "" => "matmesh".to_owned(),
            title => format!("{title} · matmesh"),
        } />
        <Router>
            <Follow />
            <a class="skip-link" href="#content">
                {texts::SKIP}
            </a>
            <Header />
            <main id="content" tabindex="-1">
                <AwayNotice />
                <Routes fallback=NotFoundPage>
                    <Route path=path!("/") view=NewJobPage />
                    <Route path=path!("/jobs") view=JobsPage />
                    <Route path=path!("/jobs/:id") view=JobPage />
                    <Route path=path!("/nodes") view=NodesPage />
                    <Route path=path!("/contribution") view=ContributionPage />
                </Routes>
            </main>
        </Router>
    }
}

/// Whether there is a page at `path`; a job's page is one, whether there is such a job or not.
#[must_use]
pub fn is_page(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let job = path.strip_prefix("/jobs/");
    matches!(path, "" | "/jobs" | "/nodes" | "/contribution")
        || job.is_some_and(|job| !job.contains('/'))
}

/// Within the router, because what is followed is where the person goes.
#[component]
fn Follow() -> impl IntoView {
    Live::expect().follow();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_a_page_are_known() {
        for path in ["/", "/jobs", "/jobs/", "/jobs/7", "/nodes", "/contribution"] {
            assert!(is_page(path), "{path}");
        }
        for path in ["/job", "/jobs/7/8", "/nodes/1", "/favicon.png"] {
            assert!(!is_page(path), "{path}");
        }
    }
}
