//! both: an error next to what caused it.

use leptos::prelude::*;

use crate::dynamic::dynamic;

/// Says what went wrong, as soon as something did.
#[component]
pub(crate) fn Alert(
    /// A sentence to act on, or nothing.
    #[prop(into)]
    message: Signal<Option<String>>,
) -> impl IntoView {
    dynamic(move || {
        message.get().map(|message| {
            view! {
                <p class="alert" role="alert">
                    {message}
                </p>
            }
        })
    })
}
