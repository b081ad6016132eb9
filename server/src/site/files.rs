//! The files of the pages: where they are, and how they are sent.
//!
//! What the binary embeds never changes while it runs, so all of it has one version, a hash, and a
//! page asks for `/assets/VERSION/…`: a browser keeps that for good, and a new build is asked for under
//! a new name. The same files are to be had without a version, and are then looked at again each
//! time. Each is there twice, compressed ahead of time.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use wire::ChunkHash;

/// Gives the bytes of a path.
pub type ReadFile = fn(&str) -> Option<Cow<'static, [u8]>>;

/// Where the built site is.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedSite {
    /// The paths of all files.
    pub names: fn() -> Vec<String>,
    /// A file as it is.
    pub read: ReadFile,
    /// The same compressed with gzip, where that makes it smaller.
    pub read_packed: ReadFile,
}

/// Where the built site is.
#[derive(Debug, Clone)]
pub enum SiteFiles {
    /// The folder where cargo-leptos left it, and leaves it again while somebody works on it.
    Folder(String),
    /// Within the binary.
    Embedded(EmbeddedSite),
}

/// One of the modules that browsers compute with; the node has them from its own build.
struct ComputeModule {
    path: &'static str,
    bytes: &'static [u8],
    packed: &'static [u8],
}

static COMPUTE_MODULES: [ComputeModule; 2] = [
    ComputeModule {
        path: "compute/simd.wasm",
        bytes: include_bytes!(env!("COMPUTE_SIMD_WASM")),
        packed: include_bytes!(concat!(env!("COMPUTE_SIMD_WASM"), ".gz")),
    },
    ComputeModule {
        path: "compute/scalar.wasm",
        bytes: include_bytes!(env!("COMPUTE_SCALAR_WASM")),
        packed: include_bytes!(concat!(env!("COMPUTE_SCALAR_WASM"), ".gz")),
    },
];

/// A file, and compressed where that makes it smaller.
#[derive(Debug)]
pub(super) struct SiteFile {
    bytes: Cow<'static, [u8]>,
    packed: Option<Cow<'static, [u8]>>,
}

/// For how long a browser may use what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept<'v> {
    /// The name has this file's version in it: for good.
    ForGood,
    /// Until it has asked again; the version, where there is one, says whether it is the same.
    UntilAsked(Option<&'v str>),
}

impl SiteFiles {
    /// What all embedded files together are known by.
    pub(super) fn version(&self) -> Option<String> {
        let Self::Embedded(site) = self else {
            return None;
        };
        let mut names = (site.names)();
        names.sort_unstable();
        let mut all = Vec::new();
        for name in names {
            all.extend_from_slice(name.as_bytes());
            all.extend_from_slice(&(site.read)(&name).unwrap_or_default());
        }
        for module in &COMPUTE_MODULES {
            all.extend_from_slice(module.bytes);
        }
        Some(ChunkHash::of(&all).to_string()[..16].to_owned())
    }

    pub(super) async fn read(&self, path: &str) -> Option<SiteFile> {
        if let Some(module) = COMPUTE_MODULES.iter().find(|module| module.path == path) {
            return Some(SiteFile {
                bytes: module.bytes.into(),
                packed: Some(module.packed.into()),
            });
        }
        match self {
            Self::Folder(root) => {
                // No way out of the folder.
                if path.split('/').any(|part| part.is_empty() || part == "..") {
                    return None;
                }
                let file = std::path::Path::new(root).join(path);
                Some(SiteFile {
                    bytes: tokio::fs::read(file).await.ok()?.into(),
                    packed: None,
                })
            }
            Self::Embedded(site) => Some(SiteFile {
                bytes: (site.read)(path)?,
                packed: (site.read_packed)(path),
            }),
        }
    }

    /// A file as text, for what is made from it.
    pub(super) async fn read_text(&self, path: &str) -> String {
        let file = self.read(path).await;
        file.map(|file| String::from_utf8_lossy(&file.bytes).into_owned())
            .unwrap_or_default()
    }
}

impl SiteFile {
    /// The answer to a request with these headers.
    pub(super) fn into_response(self, path: &str, kept: Kept<'_>, asked: &HeaderMap) -> Response {
        let mut headers = HeaderMap::new();
        let media_type = HeaderValue::from_static(media_type(path));
        headers.insert(header::CONTENT_TYPE, media_type);
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        let cache_control = match kept {
            Kept::ForGood => "public, max-age=31536000, immutable",
            Kept::UntilAsked(_) => "no-cache",
        };
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(cache_control),
        );
        if let Kept::UntilAsked(Some(version)) = kept
            && let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\""))
        {
            let is_same = asked.get(header::IF_NONE_MATCH) == Some(&tag);
            headers.insert(header::ETAG, tag);
            if is_same {
                return (StatusCode::NOT_MODIFIED, headers).into_response();
            }
        }
        match self.packed.filter(|_| accepts_gzip(asked)) {
            Some(packed) => {
                let encoding = HeaderValue::from_static("gzip");
                headers.insert(header::CONTENT_ENCODING, encoding);
                (headers, packed).into_response()
            }
            None => (headers, self.bytes).into_response(),
        }
    }
}

fn accepts_gzip(asked: &HeaderMap) -> bool {
    let accepted = asked.get_all(header::ACCEPT_ENCODING).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|encoding| {
        let mut parts = encoding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let is_refused = parts.any(|weight| weight.trim_end_matches(['0', '.']) == "q=");
        name.eq_ignore_ascii_case("gzip") && !is_refused
    })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("webmanifest") => "application/manifest+json",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> SiteFile {
        SiteFile {
            bytes: b"plain".as_slice().into(),
            packed: Some(b"packed".as_slice().into()),
        }
    }

    fn asking(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_browser_that_takes_gzip_gets_what_was_compressed_ahead() {
        for (accepted, is_packed) in [
            ("gzip, deflate", true),
            ("br;q=1, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("identity", false),
        ] {
            let asked = asking(header::ACCEPT_ENCODING, accepted);
            let response = file().into_response("a.js", Kept::ForGood, &asked);
            let encoding = response.headers().get(header::CONTENT_ENCODING);
            assert_eq!(encoding.is_some(), is_packed, "{accepted}");
            assert_eq!(response.headers()[header::VARY], "accept-encoding");
        }
    }

    #[test]
    fn a_file_that_a_browser_has_is_not_sent_again() {
        let asked = asking(header::IF_NONE_MATCH, "\"7\"");
        let same = file().into_response("a.js", Kept::UntilAsked(Some("7")), &asked);
        assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
        let newer = file().into_response("a.js", Kept::UntilAsked(Some("8")), &asked);
        assert_eq!(newer.status(), StatusCode::OK);
        assert_eq!(newer.headers()[header::CACHE_CONTROL], "no-cache");
    }

    #[tokio::test]
    async fn there_is_no_way_out_of_the_folder() {
        let files = SiteFiles::Folder(env!("CARGO_MANIFEST_DIR").to_owned());
        assert!(files.read("Cargo.toml").await.is_some());
        for path in ["../Cargo.toml", "src/../../Cargo.toml", "/etc/passwd", ""] {
            assert!(files.read(path).await.is_none(), "{path}");
        }
    }
}
