//! both: every device of the mesh.

use leptos::prelude::*;
use wire::{BrowserView, MeshView, NodeLiveness, NodeView};

use super::StatusBadge;
use crate::compute_worker::ComputeStateSignal;
use crate::format::{megaflops, short_id};

/// Nodes, each followed by the pages that compute through it.
#[component]
pub(crate) fn NodeTable(#[prop(into)] mesh: Signal<MeshView>) -> impl IntoView {
    let rows = move || {
        let nodes = mesh.read().nodes.clone().into_iter();
        nodes
            .map(|node| {
                let browsers = node.browsers.clone().into_iter();
                let browsers = browsers
                    .map(|browser| view! { <BrowserRow browser /> })
                    .collect_view();
                view! {
                    <NodeRow node />
                    {browsers}
                }
            })
            .collect_view()
    };
    view! {
        <div class="scroll">
            <table class="cards">
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col">"Mflop/s"</th>
                        <th scope="col">"Cores"</th>
                        <th scope="col">"Address"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

#[component]
fn NodeRow(node: NodeView) -> impl IntoView {
    let status = match node.status {
        NodeLiveness::Alive => "alive",
        NodeLiveness::Suspect => "suspect",
        NodeLiveness::Unreachable => "unreachable",
    };
    let is_self = node.is_self;
    let address = node.address.clone();
    view! {
        <tr>
            <th scope="row">
                {node.name} " " <span class="mono muted">{node.id.short()}</span>
                {is_self.then(|| view! { " " <span class="badge badge-self">"this node"</span> })}
                <span class="muted device-kind">{format!("native · {}", node.device)}</span>
            </th>
            <td data-label="Status">
                <StatusBadge status=status.to_owned() />
            </td>
            <td data-label="Mflop/s">{megaflops(Some(node.mflops))}</td>
            <td data-label="Cores">{node.cores.to_string()}</td>
            <td data-label="Address">
                <NodeLink address is_self />
            </td>
        </tr>
    }
}

/// Leads to another node's pages. The link carries this browser's id, so that
/// it stays the same device there.
#[component]
fn NodeLink(address: String, is_self: bool) -> impl IntoView {
    let state = ComputeStateSignal::expect();
    let text = address.clone();
    let href = move || {
        let device = state.read().as_ref().and_then(|state| state.worker());
        match device {
            _ if is_self => "/nodes".to_owned(),
            Some(device) => format!("http://{address}/nodes?device={device}"),
            None => format!("http://{address}/nodes"),
        }
    };
    view! {
        <a class="mono" href=href rel="external">
            {text}
        </a>
    }
}

#[component]
fn BrowserRow(browser: BrowserView) -> impl IntoView {
    let state = ComputeStateSignal::expect();
    let worker = browser.id;
    let is_this = move || state.read().as_ref().and_then(|state| state.worker()) == Some(worker);
    let status = if browser.visible { "visible" } else { "hidden" };
    view! {
        <tr class="browser-row">
            <th scope="row">
                "Browser " <span class="mono muted">{short_id(&worker)}</span>
                {move || is_this().then(|| view! { " " <span class="badge badge-self">"this browser"</span> })}
                <span class="muted device-kind">{browser.device}</span>
            </th>
            <td data-label="Status">
                <StatusBadge status=status.to_owned() />
            </td>
            <td data-label="Mflop/s">{megaflops(Some(browser.mflops))}</td>
            <td data-label="Cores">{browser.threads.to_string()}</td>
            <td data-label="Address">"–"</td>
        </tr>
    }
}
