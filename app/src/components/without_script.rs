//! both: what a page shows where scripts are switched off.

use leptos::prelude::*;

/// Given as text, because a script that makes a `noscript` element makes live
/// children too: the `meta` of a refresh inside it would then load the page
/// anew, scripts or not. Text stays text.
#[component]
pub(crate) fn WithoutScript(html: &'static str) -> impl IntoView {
    view! { <noscript inner_html=html></noscript> }
}
