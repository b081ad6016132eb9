//! both: whether and how much this device computes.

use leptos::prelude::*;
use web_sys::HtmlInputElement;

use crate::compute_worker::{ComputeStateSignal, set_contributing, set_threads};
use crate::dynamic::attribute;
use crate::texts::contribution as texts;

/// A switch and the number of threads; both speak to the computing script.
#[component]
pub(crate) fn ContributionControls() -> impl IntoView {
    let state = ComputeStateSignal::expect();
    // On until the script says otherwise: opening a page is what joins.
    let is_contributing =
        Memo::new(move |_| state.read().as_ref().is_none_or(|state| state.contributing));
    let threads = Memo::new(move |_| {
        let state = state.read();
        state
            .as_ref()
            .map(|state| state.threads.to_string())
            .unwrap_or_default()
    });
    let threads_max = Memo::new(move |_| {
        let state = state.read();
        state
            .as_ref()
            .map(|state| state.threads_max)
            .filter(|&threads_max| threads_max > 0)
    });
    // What is chosen before the script listens would be lost.
    let is_deaf = move || state.read().is_none();
    view! {
        <div class="controls">
            <label class="switch">
                <input
                    type="checkbox"
                    role="switch"
                    checked
                    disabled=is_deaf
                    prop:checked=is_contributing
                    on:change=move |event| set_contributing(event_target_checked(&event))
                />
                <span>{texts::SWITCH}</span>
            </label>
            <label class="field field-inline">
                <span>{texts::THREADS}</span>
                <input
                    type="number"
                    min="1"
                    step="1"
                    inputmode="numeric"
                    disabled=is_deaf
                    max=attribute(move || threads_max.get())
                    prop:value=threads
                    on:change=move |event| {
                        if let Ok(threads) = event_target_value(&event).parse() {
                            set_threads(threads);
                        }
                        // What the script made of it; what it could not use goes back.
                        event_target::<HtmlInputElement>(&event).set_value(&threads.get_untracked());
                    }
                />
            </label>
        </div>
    }
}
