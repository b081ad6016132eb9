//! both: the frame of every page and which address shows which page.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::answering_node::AnsweringNode;
use crate::components::{AwayNotice, Header};
use crate::compute_worker::ComputeStateSignal;
use crate::pages::{ContributionPage, JobPage, JobsPage, NewJobPage, NodesPage, NotFoundPage};

/// All pages. Rendered whole before the first byte is sent (`SsrMode::Async`):
/// without script a page must not show placeholders, and the status of the
/// answer depends on what the cluster says.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    ComputeStateSignal::provide();
    AnsweringNode::provide();
    view! {
        <Title formatter=|title: String| match title.as_str() {
            "" => "matmesh".to_owned(),
            title => format!("{title} · matmesh"),
        } />
        <Router>
            <a class="skip-link" href="#content">
                "Skip to content"
            </a>
            <Header />
            <main id="content" tabindex="-1">
                <AwayNotice />
                <Routes fallback=NotFoundPage>
                    <Route path=path!("/") view=NewJobPage ssr=SsrMode::Async />
                    <Route path=path!("/jobs") view=JobsPage ssr=SsrMode::Async />
                    <Route path=path!("/jobs/:id") view=JobPage ssr=SsrMode::Async />
                    <Route path=path!("/nodes") view=NodesPage ssr=SsrMode::Async />
                    <Route path=path!("/contribution") view=ContributionPage ssr=SsrMode::Async />
                </Routes>
            </main>
        </Router>
    }
}
