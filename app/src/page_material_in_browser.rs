//! hydrate: what the page shows that the server has sent.

use leptos::prelude::document;
use wire::News;

/// As `shell` wrote it into the page.
pub(crate) fn first_news() -> News {
    let element = document().get_element_by_id("material");
    let text = element.and_then(|element| element.text_content());
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}
