//! both: `/nodes`, every device of the mesh and how to join.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::{FoldedContribution, JoinCard, NodeTable, RegisterForm};
use crate::texts::nodes as texts;

/// The devices, live; the way in; and a form for what discovery cannot see.
#[component]
pub(crate) fn NodesPage() -> impl IntoView {
    view! {
        <Title text=texts::TITLE />
        <section class="panel" aria-labelledby="nodes">
            <h1 id="nodes">{texts::TITLE}</h1>
            <NodeTable />
        </section>
        <JoinCard />
        <RegisterForm />
        <FoldedContribution />
    }
}
