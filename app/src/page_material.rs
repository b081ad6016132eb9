//! ssr: what a page shows when it is sent.

use std::sync::Arc;

use leptos::prelude::use_context;
use leptos::server_fn::error::ServerFnUrlError;
use wire::News;

use crate::AppError;

/// The server gathers it before it makes the page and puts it into the context.
#[derive(Debug, Clone)]
pub struct PageMaterial(Arc<News>);

impl PageMaterial {
    /// The whole of what a page shows.
    #[must_use]
    pub fn new(news: News) -> Self {
        Self(Arc::new(news))
    }

    /// The same for the script of the page, as text of a `script` element: no `<` in it can end
    /// that element.
    pub(crate) fn to_script(&self) -> String {
        let text = serde_json::to_string(&*self.0).expect("views are plain words and numbers");
        text.replace('<', "\\u003c")
    }
}

/// The sentence in the address of a page whose form was sent without script and did not work:
/// leptos writes the error there.
#[must_use]
pub fn read_form_error(encoded: &str) -> String {
    ServerFnUrlError::<AppError>::decode_err(encoded).to_string()
}

/// What this page shows; nothing where the server has gathered nothing.
pub(crate) fn first_news() -> News {
    use_context::<PageMaterial>()
        .map(|material| News::clone(&material.0))
        .unwrap_or_default()
}
