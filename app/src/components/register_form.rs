//! both: links to a node that discovery does not show.

use leptos::form::ActionForm;
use leptos::prelude::*;

use super::Alert;
use crate::api::RegisterNode;

/// An address and what came of it.
#[component]
pub(crate) fn RegisterForm() -> impl IntoView {
    let register = ServerAction::<RegisterNode>::new();
    let error = Signal::derive(move || Some(register.value().get()?.err()?.to_string()));
    let linked = move || {
        let node = register.value().get()?.ok()?;
        Some(view! { <p role="status">{format!("Linked to node {}.", node.short())}</p> })
    };
    view! {
        <section class="panel" aria-labelledby="register">
            <h2 id="register">"Register a node"</h2>
            <p class="muted">
                "Nodes on one network find each other. Give the address of one that is not listed."
            </p>
            <ActionForm action=register attr:novalidate=true>
                <div class="inline-form">
                    <label class="field" for="node-address">
                        <span>"Node address"</span>
                        <input
                            id="node-address"
                            name="address"
                            type="text"
                            placeholder="192.168.1.20:8080"
                            autocomplete="off"
                            autocapitalize="off"
                            spellcheck="false"
                        />
                    </label>
                    <button type="submit" disabled=move || register.pending().get()>
                        "Register"
                    </button>
                </div>
            </ActionForm>
            <Alert message=error />
            {linked}
        </section>
    }
}
