//! both: every device of the mesh.

use leptos::prelude::*;
use wire::{BrowserView, NodeLiveness, NodeView, WorkerId};

use super::StatusBadge;
use crate::compute_worker::ComputeStateSignal;
use crate::dynamic::dynamic;
use crate::format::{flop_rate, megaflops, percent, short_id};
use crate::live::{Live, all_operations};
use crate::texts::nodes as texts;

/// Nodes, each followed by the pages that compute through it.
#[component]
pub(crate) fn NodeTable() -> impl IntoView {
    let live = Live::expect();
    let state = ComputeStateSignal::expect();
    let own = Memo::new(move |_| state.read().as_ref().and_then(|state| state.worker()));
    let heads = [
        texts::NAME,
        texts::STATUS,
        texts::SPEED,
        texts::CORES,
        texts::WORK,
        texts::ADDRESS,
    ];
    view! {
        <p class="muted">{dynamic(move || live.nodes.with(|nodes| summary_of(nodes)))}</p>
        <div class="scroll">
            <table class="cards">
                <thead>
                    <tr>{heads.map(|head| view! { <th scope="col">{head}</th> }).into_iter().collect_view()}</tr>
                </thead>
                <tbody>{dynamic(move || live.nodes.with(|nodes| rows(nodes, own.get())))}</tbody>
            </table>
        </div>
    }
}

fn summary_of(nodes: &[NodeView]) -> String {
    let alive = nodes
        .iter()
        .filter(|node| node.status != NodeLiveness::Unreachable);
    let (mut count, mut browsers, mut mflops) = (0, 0, 0.0);
    for node in alive {
        count += 1;
        browsers += node.browsers.len();
        let pages = node.browsers.iter().filter(|page| page.contributing);
        mflops += node.mflops + pages.map(|page| page.mflops).sum::<f64>();
    }
    texts::summary(count, browsers, &flop_rate(mflops * 1e6))
}

fn rows(nodes: &[NodeView], own: Option<WorkerId>) -> impl IntoView + use<> {
    let all = all_operations(nodes);
    let rows = nodes.iter().flat_map(|node| {
        let browsers = node.browsers.iter();
        let browsers = browsers.map(move |browser| browser_row(browser, own, all));
        std::iter::once(node_row(node, own, all)).chain(browsers)
    });
    rows.collect_view()
}

/// One row, whatever the device is.
struct Row<'d> {
    class: &'static str,
    name: &'d str,
    id: String,
    badge: Option<&'static str>,
    device: String,
    status: &'static str,
    mflops: f64,
    threads: u32,
    operations: u64,
    all_operations: u64,
    address: AnyView,
}

impl Row<'_> {
    fn render(self) -> AnyView {
        let cells = [
            (texts::SPEED, megaflops(Some(self.mflops))),
            (texts::CORES, self.threads.to_string()),
            (texts::WORK, percent(self.operations, self.all_operations)),
        ];
        let cells = cells.map(|(name, text)| view! { <td data-label=name>{text}</td> });
        let badge = self.badge.map(|badge| {
            view! { " " <span class="badge badge-self">{badge}</span> }
        });
        view! {
            <tr class=self.class>
                <th scope="row">
                    {self.name.to_owned()} " " <span class="mono muted">{self.id}</span>
                    {badge}
                    <span class="muted device-kind">{self.device}</span>
                </th>
                <td data-label=texts::STATUS>
                    <StatusBadge status=self.status.to_owned() />
                </td>
                {cells.into_iter().collect_view()}
                <td data-label=texts::ADDRESS>{self.address}</td>
            </tr>
        }
        .into_any()
    }
}

fn node_row(node: &NodeView, own: Option<WorkerId>, all_operations: u64) -> AnyView {
    let status = match node.status {
        NodeLiveness::Alive => texts::ALIVE,
        NodeLiveness::Suspect => texts::SUSPECT,
        NodeLiveness::Unreachable => texts::UNREACHABLE,
    };
    let row = Row {
        class: "node-row",
        name: &node.name,
        id: node.id.short(),
        badge: node.is_self.then_some(texts::THIS_NODE),
        device: format!("{} · {}", texts::NATIVE, node.device),
        status,
        mflops: node.mflops,
        threads: node.cores,
        operations: node.operations,
        all_operations,
        address: node_link(node, own).into_any(),
    };
    row.render()
}

/// Leads to another node's pages. The link carries this browser's id, so that
/// it stays the same device there.
fn node_link(node: &NodeView, own: Option<WorkerId>) -> impl IntoView + use<> {
    let address = node.address.clone();
    let href = match own {
        _ if node.is_self => "/nodes".to_owned(),
        Some(device) => format!("http://{address}/nodes?device={device}"),
        None => format!("http://{address}/nodes"),
    };
    view! {
        <a class="mono" href=href rel="external">
            {address}
        </a>
    }
}

fn browser_row(browser: &BrowserView, own: Option<WorkerId>, all_operations: u64) -> AnyView {
    let status = match (browser.contributing, browser.visible) {
        (false, _) => texts::OFF,
        (true, true) => texts::VISIBLE,
        (true, false) => texts::HIDDEN,
    };
    let row = Row {
        class: "browser-row",
        name: texts::BROWSER,
        id: short_id(&browser.id),
        badge: (own == Some(browser.id)).then_some(texts::THIS_BROWSER),
        device: browser.device.clone(),
        status,
        mflops: browser.mflops,
        threads: browser.threads,
        operations: browser.operations,
        all_operations,
        address: "–".into_any(),
    };
    row.render()
}
