//! ssr: the document around every page.

use leptos::prelude::*;
use leptos_meta::MetaTags;

use crate::{App, PageMaterial};

/// See `ThemeSwitch`.
const THEME_SCRIPT: &str = "try{document.documentElement.setAttribute('data-theme',\
     localStorage.getItem('matmesh.theme')||'')}catch{}";

/// The whole document. `/compute-worker.js` stands in the head, so that the
/// device starts to compute without waiting for the page to come to life.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let material = use_context::<PageMaterial>().map(|material| material.to_script());
    let stylesheet = format!("/{}/{}.css", options.site_pkg_dir, options.output_name);
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="theme-color" content="#f6f7f9" media="(prefers-color-scheme: light)" />
                <meta name="theme-color" content="#14171c" media="(prefers-color-scheme: dark)" />
                <meta
                    name="description"
                    content="Every device on this network shares matrix multiplications"
                />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="manifest" href="/manifest.webmanifest" />
                <link rel="stylesheet" href=stylesheet />
                // Before anything is drawn, or it would be drawn twice.
                <script>{THEME_SCRIPT}</script>
                <script src="/compute-worker.js" defer></script>
                <AutoReload options=options.clone() />
                <HydrationScripts options />
                <script type="application/json" id="material" inner_html=material></script>
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
