//! both: says that the page's own node is gone.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::answering_node::AnsweringNode;
use crate::compute_worker::ComputeStateSignal;

/// Where the same page is to be had meanwhile. The links carry this browser's
/// id, so that it stays the same device there.
#[component]
pub(crate) fn AwayNotice() -> impl IntoView {
    let node = AnsweringNode::expect();
    let state = ComputeStateSignal::expect();
    let path = use_location().pathname;
    let query = Memo::new(move |_| {
        let device = state.read().as_ref().and_then(|state| state.worker());
        device
            .map(|device| format!("?device={device}"))
            .unwrap_or_default()
    });
    let links = move || {
        let path = path.get();
        let addresses = node.others().into_iter();
        let links = addresses.map(|address| {
            let href = format!("{address}{path}{}", query.get());
            view! {
                " "
                <a href=href rel="external">
                    {address}
                </a>
            }
        });
        links.collect_view()
    };
    view! {
        <Show when=move || node.is_away()>
            <p class="notice-line" role="status">
                "The node of this page does not answer; this device looks for another one by itself. \
                 The same page at other nodes:"
                {links}
            </p>
        </Show>
    }
}
