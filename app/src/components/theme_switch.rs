//! both: dark, light, or as the system has it.

use leptos::prelude::*;
use web_sys::Storage;

use crate::dynamic::dynamic;
use crate::texts::navigation as texts;

/// Where the choice is kept; `shell` reads it before anything is drawn.
pub(crate) const STORAGE_KEY: &str = "matmesh.theme";

const THEMES: [(&str, &str); 3] = [
    ("", texts::THEME_SYSTEM),
    ("light", texts::THEME_LIGHT),
    ("dark", texts::THEME_DARK),
];

/// A list of three; shown only where a script can act upon it.
#[component]
pub(crate) fn ThemeSwitch() -> impl IntoView {
    let theme = RwSignal::new(None::<String>);
    Effect::new(move |_| theme.set(Some(chosen())));
    let options = move |chosen: &str| {
        let options = THEMES.map(|(value, text)| {
            view! { <option value=value selected=chosen == value>{text}</option> }
        });
        options.into_iter().collect_view()
    };
    dynamic(move || {
        theme.get().map(|chosen| {
            view! {
                <label class="theme">
                    <span>{texts::THEME}</span>
                    <select on:change=move |event| choose(&event_target_value(&event))>
                        {options(&chosen)}
                    </select>
                </label>
            }
        })
    })
}

fn chosen() -> String {
    let kept = storage().and_then(|storage| storage.get_item(STORAGE_KEY).ok().flatten());
    kept.unwrap_or_default()
}

fn choose(theme: &str) {
    if let Some(root) = document().document_element() {
        // A private window without storage: the choice lives as long as the page.
        let _ = if theme.is_empty() {
            root.remove_attribute("data-theme")
        } else {
            root.set_attribute("data-theme", theme)
        };
    }
    if let Some(storage) = storage() {
        let _ = storage.set_item(STORAGE_KEY, theme);
    }
}

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}
