//! both: parts of a view that follow signals, all of one type.
//!
//! A closure in a view is a type of its own, and the code that builds, hydrates and renews it is
//! compiled once a type: it was a third of what a phone downloads. Here each closure goes behind the
//! same pointer, and that code is compiled once.

use std::sync::Arc;

use leptos::prelude::*;

/// What `view` returns, again and again.
pub(crate) fn dynamic<V: IntoView + 'static>(
    view: impl Fn() -> V + Send + Sync + 'static,
) -> AnyView {
    erased(Arc::new(move || view().into_any()))
}

/// A column of a table: its head, and the text of a row in it.
pub(crate) type Column<T> = (&'static str, fn(&T) -> String);

/// The value of an attribute; nothing for none.
pub(crate) fn attribute<T: ToString>(
    text: impl Fn() -> Option<T> + Send + Sync + 'static,
) -> Signal<Option<String>> {
    Signal::derive(move || text().map(|text| text.to_string()))
}

fn erased(view: Arc<dyn Fn() -> AnyView + Send + Sync>) -> AnyView {
    (move || view()).into_any()
}
