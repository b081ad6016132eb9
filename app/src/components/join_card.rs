//! both: how another device joins.

use leptos::prelude::*;
use wire::JoinView;

use crate::dynamic::dynamic;
use crate::live::Live;
use crate::texts::nodes as texts;

/// The QR code and the addresses that say the same.
#[component]
pub(crate) fn JoinCard() -> impl IntoView {
    let live = Live::expect();
    dynamic(move || live.join.with(|join| join.as_ref().map(card)))
}

fn card(join: &JoinView) -> impl IntoView + use<> {
    let best = join.addresses.first().cloned().unwrap_or_default();
    let addresses = join.addresses.iter().map(|address| {
        view! {
            <li>
                <a class="mono breakable" href=address.clone() rel="external">
                    {address.clone()}
                </a>
            </li>
        }
    });
    view! {
        <section class="panel join" aria-labelledby="join">
            <h2 id="join">{texts::JOIN}</h2>
            <div class="join-row">
                <div class="qr" role="img" aria-label=texts::code_for(&best) inner_html=join.qr_svg.clone()></div>
                <div>
                    <p>{texts::JOIN_HELP}</p>
                    <ul class="plain">{addresses.collect_view()}</ul>
                </div>
            </div>
        </section>
    }
}
