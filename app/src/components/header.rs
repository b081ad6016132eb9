//! both: the head of every page.

use leptos::prelude::*;
use leptos_router::components::A;

use super::ThemeSwitch;
use crate::texts::{SITE, navigation as texts};

/// The name, the way to the other pages, and the colours.
#[component]
pub(crate) fn Header() -> impl IntoView {
    view! {
        <header class="site-header">
            <a class="brand" href="/" aria-label=SITE>
                <svg viewBox="0 0 16 16" width="20" height="20" aria-hidden="true">
                    <path d="M1 1h6v6H1zM9 1h6v6H9zM1 9h6v6H1z" fill="currentColor" />
                    <path d="M9 9h6v6H9z" fill="var(--accent)" />
                </svg>
                <span>{SITE}</span>
            </a>
            <ThemeSwitch />
            <nav aria-label=texts::LABEL>
                <A href="/" exact=true>
                    {texts::NEW}
                </A>
                <A href="/jobs">{texts::JOBS}</A>
                <A href="/nodes">{texts::NODES}</A>
                <A href="/contribution">{texts::CONTRIBUTION}</A>
            </nav>
        </header>
    }
}
