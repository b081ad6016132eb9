//! both: who looks after a job.

use leptos::prelude::*;
use wire::{JobView, MeshView, NodeId};

use crate::format::{grouped, rfc3339_time};

/// Coordinator, backups, and what the coordinator counted.
#[component]
pub(crate) fn Coordination(
    #[prop(into)] job: Signal<JobView>,
    #[prop(into)] mesh: Signal<Option<MeshView>>,
) -> impl IntoView {
    let coordinator = move || node_name(mesh.read().as_ref(), job.read().coordinator);
    let backups = move || {
        let (job, mesh) = (job.read(), mesh.read());
        let names: Vec<String> = job
            .backups
            .iter()
            .map(|&node| node_name(mesh.as_ref(), node))
            .collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    let results = move || {
        let job = job.read();
        let [accepted, computed, rejected, reassigned] = [
            job.accepted_results,
            job.computed_results,
            job.rejected_results,
            job.reassigned_blocks,
        ]
        .map(grouped);
        format!(
            "{accepted} of {computed} computed, {rejected} rejected; {reassigned} blocks reassigned"
        )
    };
    let expires = move || job.read().expires_at.as_deref().map(rfc3339_time);
    view! {
        <section class="panel" aria-labelledby="coordination">
            <h2 id="coordination">"Coordination"</h2>
            <dl class="facts">
                <div>
                    <dt>"Coordinator"</dt>
                    <dd>{coordinator}</dd>
                </div>
                <div>
                    <dt>"Epoch"</dt>
                    <dd>{move || job.read().epoch.to_string()}</dd>
                </div>
                <div>
                    <dt>"Backups"</dt>
                    <dd>{backups}</dd>
                </div>
                <div>
                    <dt>"Accepted"</dt>
                    <dd>{results}</dd>
                </div>
                <div>
                    <dt>"Arithmetic"</dt>
                    <dd>{move || options_text(&job.read())}</dd>
                </div>
                <div>
                    <dt>"Submitted"</dt>
                    <dd>{move || rfc3339_time(&job.read().submitted_at)}</dd>
                </div>
                {move || expires().map(|time| view! {
                    <div>
                        <dt>"Kept until"</dt>
                        <dd>{time}</dd>
                    </div>
                })}
            </dl>
        </section>
    }
}

/// The node's name, with its short id: names need not differ.
fn node_name(mesh: Option<&MeshView>, id: NodeId) -> String {
    let mut nodes = mesh.into_iter().flat_map(|mesh| &mesh.nodes);
    match nodes.find(|node| node.id == id) {
        Some(node) => format!("{} ({})", node.name, id.short()),
        None => id.short(),
    }
}

fn options_text(job: &JobView) -> String {
    use wire::{Arithmetic, Spread};

    let arithmetic = match job.options.arithmetic {
        Arithmetic::Reproducible => "reproducible",
        Arithmetic::Fast => "fast",
    };
    let spread = match job.options.spread {
        Spread::All => "spread over all devices",
        Spread::Fastest => "on the fastest devices",
    };
    format!("{arithmetic}, {spread}")
}
