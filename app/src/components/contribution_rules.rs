//! both: what becomes of this device when it is hidden, low on battery, or leaves.

use leptos::prelude::*;

use crate::texts::contribution as texts;

/// In words for people who do not build such things.
#[component]
pub(crate) fn ContributionRules() -> impl IntoView {
    let rules = texts::RULES.map(|rule| view! { <li>{rule}</li> });
    view! {
        <section class="panel" aria-labelledby="rules">
            <h2 id="rules">{texts::EXPLAINED}</h2>
            <ul class="rules">{rules.into_iter().collect_view()}</ul>
        </section>
    }
}
