//! hydrate: brings the server-rendered pages to life in the browser.
//!
//! Nothing else is here: the pages are in `app`, the computing is in
//! `/compute-worker.js` and the `worker` package.

// The types of the pages are instantiated here too; see `app`.
#![recursion_limit = "512"]

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's script once this module is loaded.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(app::App);
}
