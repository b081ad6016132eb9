//! Which node is asked, and how.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use wire::Problem;

use super::{Failure, NodeArgs};
use crate::discovery;

const LOCAL_NODE: &str = "http://127.0.0.1:8080";

/// A node on this machine or network has answered long before.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const GREETING_TIMEOUT: Duration = Duration::from_secs(3);

/// Nodes answer multicast DNS within milliseconds; a sleeping network takes a
/// second or two.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(3);

/// A node that answers.
#[derive(Debug, Clone)]
pub(super) struct NodeClient {
    http: reqwest::Client,
    base: Url,
}

impl NodeClient {
    /// Finds the node to ask: the one that is named, else the one on this
    /// machine, else the first that multicast DNS shows.
    pub(super) async fn find(args: &NodeArgs) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            // Addresses of the local network are never behind a proxy.
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::Failed(format!("cannot start an HTTP client: {error}")))?;
        if let Some(named) = &args.node {
            let client = Self {
                http,
                base: read_url(named)?,
            };
            return match client.greet().await {
                Ok(()) => Ok(client),
                Err(why) => Err(Failure::NoNode(format!(
                    "no node answers at {named}: {why}"
                ))),
            };
        }
        let local = Self {
            http: http.clone(),
            base: read_url(LOCAL_NODE)?,
        };
        if local.greet().await.is_ok() {
            return Ok(local);
        }
        if let Some(found) = discovery::find_first(DISCOVERY_TIMEOUT).await {
            let client = Self {
                http,
                base: read_url(&found)?,
            };
            if client.greet().await.is_ok() {
                return Ok(client);
            }
        }
        Err(Failure::NoNode(format!(
            "no node answers at {LOCAL_NODE} and none was found on the network: start one with \
             `matmesh serve`, or name one with --node URL"
        )))
    }

    /// A request to this node; `path` may carry a query.
    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        self.http.request(method, url)
    }

    /// Asks for JSON.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
    ) -> Result<T, Failure> {
        let response = send(self.request(method, path)).await?;
        let body = response.bytes().await.map_err(|error| broke_off(&error))?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::Failed(format!("the node's answer was not understood: {error}"))
        })
    }

    /// Asks for a page's text as it is.
    pub(super) async fn ask_text(&self, method: Method, path: &str) -> Result<String, Failure> {
        let response = send(self.request(method, path)).await?;
        response.text().await.map_err(|error| broke_off(&error))
    }

    async fn greet(&self) -> Result<(), String> {
        let request = self
            .request(Method::GET, "/healthz")
            .timeout(GREETING_TIMEOUT);
        let response = request.send().await.map_err(|error| cause_of(&error))?;
        match response.status() {
            StatusCode::OK => Ok(()),
            status => Err(format!("it answers {status}")),
        }
    }
}

/// Sends a request; an answer that says what went wrong is a failure.
pub(super) async fn send(request: reqwest::RequestBuilder) -> Result<Response, Failure> {
    let response = request.send().await.map_err(|error| {
        if error.is_connect() {
            Failure::NoNode(format!(
                "the node does not answer any longer: {}",
                cause_of(&error)
            ))
        } else {
            Failure::Failed(format!("the request failed: {}", cause_of(&error)))
        }
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.bytes().await.unwrap_or_default();
    Err(Failure::Failed(
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => problem.detail,
            Err(_) => format!("the node answered {status}"),
        },
    ))
}

/// An answer that ended before its end.
pub(super) fn broke_off(error: &reqwest::Error) -> Failure {
    Failure::Failed(format!("the answer broke off: {}", cause_of(error)))
}

/// The innermost cause: the outer ones only say that a request failed.
fn cause_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn read_url(text: &str) -> Result<Url, Failure> {
    let url = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    match Url::parse(&url) {
        Ok(url) if url.scheme() == "http" && url.has_host() => Ok(url),
        _ => Err(Failure::Usage(format!(
            "--node {text}: expected an address such as http://192.168.1.7:8080"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_may_be_named_with_or_without_http() {
        assert_eq!(
            read_url("127.0.0.1:81").unwrap().as_str(),
            "http://127.0.0.1:81/"
        );
        assert_eq!(
            read_url("http://laptop").unwrap().as_str(),
            "http://laptop/"
        );
        assert!(read_url("https://laptop").is_err());
        assert!(read_url("http://").is_err());
    }
}
