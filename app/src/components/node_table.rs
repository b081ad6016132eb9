//! both: every device of the mesh.

use leptos::prelude::*;
use wire::{BrowserView, NodeId, NodeLiveness, NodeView, WorkerId};

use super::StatusBadge;
use crate::compute_worker::ComputeStateSignal;
use crate::dynamic::{Column, dynamic};
use crate::format::{flop_rate, megaflops, percent, short_id};
use crate::live::{Live, all_operations};
use crate::rows;
use crate::texts::nodes as texts;

/// Nodes, each followed by the pages that compute through it.
#[component]
pub(crate) fn NodeTable() -> impl IntoView {
    let live = Live::expect();
    let state = ComputeStateSignal::expect();
    let own = Memo::new(move |_| state.read().as_ref().and_then(|state| state.worker()));
    let devices = rows::follow(move || live.nodes.with(|nodes| devices_of(nodes, own.get())));
    let summary = Memo::new(move |_| live.nodes.with(|nodes| summary_of(nodes)));
    let heads = [
        texts::NAME,
        texts::STATUS,
        texts::SPEED,
        texts::CORES,
        texts::WORK,
        texts::ADDRESS,
    ];
    view! {
        <p class="muted">{dynamic(move || summary.get())}</p>
        <div class="scroll">
            <table class="cards">
                <thead>
                    <tr>{heads.map(|head| view! { <th scope="col">{head}</th> }).into_iter().collect_view()}</tr>
                </thead>
                <tbody>
                    {rows::each(devices, |_, device| view! { <Row device /> }.into_any())}
                </tbody>
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

/// What a row shows, whatever the device is.
#[derive(Debug, PartialEq)]
struct Device {
    class: &'static str,
    name: String,
    id: String,
    badge: Option<&'static str>,
    device: String,
    status: &'static str,
    mflops: f64,
    threads: u32,
    share: String,
    /// What to know about it.
    note: Option<String>,
    /// Of a node: its address, and the link to its pages.
    address: Option<(String, String)>,
}

/// Each node, followed by its pages.
fn devices_of(
    nodes: &[NodeView],
    own: Option<WorkerId>,
) -> Vec<((NodeId, Option<WorkerId>), Device)> {
    let all = all_operations(nodes);
    let mut devices = Vec::new();
    for node in nodes {
        devices.push(((node.id, None), of_node(node, own, all)));
        for page in &node.browsers {
            let mut device = of_browser(page, own, all);
            if node.status == NodeLiveness::Unreachable {
                // Where it is now is not known; it may be listed with another node, too.
                device.status = texts::UNREACHABLE;
            }
            devices.push(((node.id, Some(page.id)), device));
        }
    }
    devices
}

fn of_node(node: &NodeView, own: Option<WorkerId>, all_operations: u64) -> Device {
    let status = match node.status {
        NodeLiveness::Alive => texts::ALIVE,
        NodeLiveness::Suspect => texts::SUSPECT,
        NodeLiveness::Unreachable => texts::UNREACHABLE,
    };
    Device {
        class: "node-row",
        name: node.name.clone(),
        id: node.id.short(),
        badge: node.is_self.then_some(texts::THIS_NODE),
        device: format!("{} · {}", texts::NATIVE, node.device),
        status,
        mflops: node.mflops,
        threads: node.cores,
        share: percent(node.operations, all_operations),
        note: (!node.seen_by.is_empty()).then(|| texts::kept_apart(node.seen_by.len())),
        address: Some((node.address.clone(), link_to(node, own))),
    }
}

/// Leads to another node's pages. The link carries this browser's id, so that it stays the same
/// device there.
fn link_to(node: &NodeView, own: Option<WorkerId>) -> String {
    let address = &node.address;
    match own {
        _ if node.is_self => "/nodes".to_owned(),
        Some(device) => format!("http://{address}/nodes?device={device}"),
        None => format!("http://{address}/nodes"),
    }
}

fn of_browser(browser: &BrowserView, own: Option<WorkerId>, all_operations: u64) -> Device {
    let status = match (browser.contributing, browser.visible) {
        (false, _) => texts::OFF,
        (true, true) => texts::VISIBLE,
        (true, false) => texts::HIDDEN,
    };
    Device {
        class: "browser-row",
        name: texts::BROWSER.to_owned(),
        id: short_id(&browser.id),
        badge: (own == Some(browser.id)).then_some(texts::THIS_BROWSER),
        device: browser.device.clone(),
        status,
        mflops: browser.mflops,
        threads: browser.threads,
        share: percent(browser.operations, all_operations),
        note: None,
        address: None,
    }
}

#[component]
fn Row(device: ArcRwSignal<Device>) -> impl IntoView {
    let device = RwSignal::from(device);
    let cells: [Column<Device>; 3] = [
        (texts::SPEED, |device| megaflops(Some(device.mflops))),
        (texts::CORES, |device| device.threads.to_string()),
        (texts::WORK, |device| device.share.clone()),
    ];
    let cells = cells.map(|(head, text)| {
        view! { <td data-label=head>{dynamic(move || text(&device.read()))}</td> }
    });
    let badge = Memo::new(move |_| device.read().badge);
    let badge = move || {
        badge
            .get()
            .map(|badge| view! { " " <span class="badge badge-self">{badge}</span> })
    };
    let status = Memo::new(move |_| device.read().status);
    let note = Memo::new(move |_| device.read().note.clone());
    let note = move || {
        note.get()
            .map(|note| view! { <span class="muted device-kind">{note}</span> })
    };
    let address = Memo::new(move |_| device.read().address.clone());
    view! {
        <tr class=device.read_untracked().class>
            <th scope="row">
                {dynamic(move || device.read().name.clone())} " "
                <span class="mono muted">{device.read_untracked().id.clone()}</span>
                {dynamic(badge)}
                <span class="muted device-kind">{dynamic(move || device.read().device.clone())}</span>
            </th>
            <td data-label=texts::STATUS>
                {dynamic(move || view! { <StatusBadge status=status.get().to_owned() /> })}
                {dynamic(note)}
            </td>
            {cells.into_iter().collect_view()}
            <td data-label=texts::ADDRESS>{dynamic(move || address_of(address.get()))}</td>
        </tr>
    }
}

fn address_of(address: Option<(String, String)>) -> AnyView {
    match address {
        Some((address, href)) => {
            view! { <a class="mono" href=href rel="external">{address}</a> }.into_any()
        }
        None => "–".into_any(),
    }
}
