//! both: a word with a colour.

use leptos::prelude::*;

/// Where a job or a node stands. The word says it, the colour only helps.
#[component]
pub(crate) fn StatusBadge(
    /// One lower-case word; also names the colour.
    status: String,
) -> impl IntoView {
    view! { <span class=format!("badge badge-{status}")>{status.clone()}</span> }
}
