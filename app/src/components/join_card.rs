//! both: how another device joins.

use leptos::prelude::*;
use wire::JoinView;

/// The QR code and the addresses that say the same.
#[component]
pub(crate) fn JoinCard(join: JoinView) -> impl IntoView {
    let best = join.addresses.first().cloned().unwrap_or_default();
    let addresses = join.addresses.into_iter().map(|address| {
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
            <h2 id="join">"Join with another device"</h2>
            <div class="join-row">
                <div class="qr" role="img" aria-label=format!("QR code for {best}") inner_html=join.qr_svg></div>
                <div>
                    <p>
                        "Scan the code or open an address in a browser on the same network. \
                         Opening a page is enough to take part; nothing is installed."
                    </p>
                    <ul class="plain">{addresses.collect_view()}</ul>
                </div>
            </div>
        </section>
    }
}
