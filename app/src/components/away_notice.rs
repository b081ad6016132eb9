//! both: says that the page's own node is gone.

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use wire::NodeLiveness;

use crate::compute_worker::ComputeStateSignal;
use crate::dynamic::dynamic;
use crate::live::Live;
use crate::texts::link as texts;

/// Where the page gets its news meanwhile, or where the same page is to be had. The links carry
/// this browser's id, so that it stays the same device there.
#[component]
pub(crate) fn AwayNotice() -> impl IntoView {
    let live = Live::expect();
    let state = ComputeStateSignal::expect();
    let path = use_location().pathname;
    // A link that opens a moment after the page is not lost.
    let was_linked = RwSignal::new(false);
    Effect::new(move |_| {
        if state.read().as_ref().is_some_and(|state| state.connected) {
            was_linked.set(true);
        }
    });
    let others = move || {
        let device = state.read().as_ref().and_then(|state| state.worker());
        let query = device.map(|device| format!("?device={device}"));
        let query = query.unwrap_or_default();
        let path = path.get();
        let nodes = live.nodes.read();
        let others = nodes
            .iter()
            .filter(|node| !node.is_self && node.status != NodeLiveness::Unreachable);
        let mut others = others.peekable();
        let lead = others.peek().map(|_| texts::OTHERS);
        let links = others.map(|node| {
            let href = format!("http://{}{path}{query}", node.address);
            view! {
                " "
                <a href=href rel="external">
                    {node.address.clone()}
                </a>
            }
        });
        view! { {lead} {links.collect_view()} }
    };
    dynamic(move || {
        let (is_connected, elsewhere) = {
            let state = state.read();
            let state = state.as_ref()?;
            (state.connected, state.elsewhere.clone())
        };
        let text = match (is_connected, elsewhere.as_str()) {
            (true, "") => return None,
            (true, address) => view! { {texts::moved(address)} }.into_any(),
            (false, _) if !was_linked.get() => return None,
            (false, _) => view! { {texts::SEARCHING} {others} }.into_any(),
        };
        Some(view! {
            <p class="notice-line" role="status">
                {text}
            </p>
        })
    })
}
