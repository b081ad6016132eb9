//! both: `/nodes`, every device of the mesh and how to join.

use leptos::prelude::*;
use leptos_meta::Title;
use wire::MeshView;

use crate::answering_node::{AnsweringNode, in_time};
use crate::api::{join_view, mesh_view};
use crate::components::{FoldedContribution, JoinCard, NodeTable, ProblemNotice, RegisterForm};
use crate::live::{AT_LEISURE, keep_fresh};

/// The devices, live; the way in; and a form for what discovery cannot see.
#[component]
pub(crate) fn NodesPage() -> impl IntoView {
    let mesh = Resource::new(|| (), |()| mesh_view());
    let join = Resource::new(|| (), |()| join_view());
    view! {
        <Title text="Nodes" />
        <Suspense>
            {move || Suspend::new(async move {
                match mesh.await {
                    Ok(mesh) => view! { <NodeList mesh /> }.into_any(),
                    Err(error) => view! { <ProblemNotice error /> }.into_any(),
                }
            })}
        </Suspense>
        <Suspense>
            {move || Suspend::new(async move {
                let join = join.await.ok()?;
                Some(view! { <JoinCard join /> })
            })}
        </Suspense>
        <RegisterForm />
        <FoldedContribution />
    }
}

#[component]
fn NodeList(mesh: MeshView) -> impl IntoView {
    let mesh = RwSignal::new(mesh);
    keep_fresh(mesh, |_| Some(AT_LEISURE), || in_time(mesh_view()));
    AnsweringNode::expect().remember_from(Signal::derive(move || Some(mesh.get())));
    view! {
        <section class="panel" aria-labelledby="nodes">
            <h1 id="nodes">"Nodes"</h1>
            <NodeTable mesh />
        </section>
    }
}
