//! ssr: the document around every page.

use leptos::prelude::*;
use leptos_meta::MetaTags;

use crate::{App, PageMaterial};

/// See `ThemeSwitch`.
const THEME_SCRIPT: &str = "try{document.documentElement.setAttribute('data-theme',\
     localStorage.getItem('matmesh.theme')||'')}catch{}";

/// The whole document, with its files under the address `assets`.
///
/// What a device computes with stands first in the head and is fetched first: it starts to compute
/// without waiting for the page to come to life.
pub fn shell(options: LeptosOptions, assets: &str) -> impl IntoView + use<> {
    let material = use_context::<PageMaterial>().map(|material| material.to_script());
    let [compute, contributor, kernel, styles, script, module] = [
        "compute-worker.js",
        "compute/contributor.js",
        "compute/simd.wasm",
        "pkg/matmesh.css",
        "pkg/matmesh.js",
        "pkg/matmesh.wasm",
    ]
    .map(|file| format!("{assets}/{file}"));
    let hydrate = format!(
        "import('{script}').then(page => page.default({{ module_or_path: '{module}' }})\
         .then(() => page.hydrate()))"
    );
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <script src=compute async fetchpriority="high"></script>
                <link rel="modulepreload" href=contributor />
                <link rel="preload" href=kernel r#as="fetch" type="application/wasm" crossorigin="anonymous" />
                <meta name="color-scheme" content="light dark" />
                <meta name="theme-color" content="#f6f7f9" media="(prefers-color-scheme: light)" />
                <meta name="theme-color" content="#14171c" media="(prefers-color-scheme: dark)" />
                <meta
                    name="description"
                    content="Every device on this network shares matrix multiplications"
                />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="apple-touch-icon" href="/icon-192.png" />
                <link rel="manifest" href="/manifest.webmanifest" />
                <link rel="stylesheet" href=styles />
                // Before anything is drawn, or it would be drawn twice.
                <script>{THEME_SCRIPT}</script>
                <AutoReload options />
                <script type="module">{hydrate}</script>
                <script type="application/json" id="material" inner_html=material></script>
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
