//! both: an address that is no page.

use leptos::prelude::*;
use wire::Problem;

use crate::components::{FoldedContribution, ProblemNotice};

/// Says so and leads on. The server answers such an address with 404.
#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    let problem = Problem::new(404, "there is no page at this address");
    view! {
        <ProblemNotice problem />
        <FoldedContribution />
    }
}
