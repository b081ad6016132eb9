//! both: the head of every page.

use leptos::prelude::*;
use leptos_router::components::A;

/// The name and the way to the other pages.
#[component]
pub(crate) fn Header() -> impl IntoView {
    view! {
        <header class="site-header">
            <a class="brand" href="/" aria-label="matmesh">
                <svg viewBox="0 0 16 16" width="20" height="20" aria-hidden="true">
                    <path d="M1 1h6v6H1zM9 1h6v6H9zM1 9h6v6H1z" fill="currentColor" />
                    <path d="M9 9h6v6H9z" fill="var(--accent)" />
                </svg>
                <span>"matmesh"</span>
            </a>
            <nav aria-label="Pages">
                <A href="/" exact=true>
                    "New"
                </A>
                <A href="/jobs">"Jobs"</A>
                <A href="/nodes">"Nodes"</A>
                <A href="/contribution">"Contribution"</A>
            </nav>
        </header>
    }
}
