//! The nodes' HTTP API, as far as these commands need it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

/// Longer than the longest that is waited for on purpose.
const TIMEOUT: Duration = Duration::from_secs(35);

/// The largest result that these commands fetch.
const RESULT_BYTES_MAX: u64 = 1 << 30;

/// One node's API.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    url: String,
    agent: Agent,
}

impl Api {
    pub(crate) fn new(address: &str) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(Duration::from_secs(1)))
            .http_status_as_error(false)
            .build();
        Self {
            url: format!("http://{address}"),
            agent: config.into(),
        }
    }

    /// The same, giving up after so long.
    pub(crate) fn impatient(address: &str, timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .build();
        Self {
            url: format!("http://{address}"),
            agent: config.into(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let mut response = self.agent.get(format!("{}{path}", self.url)).call()?;
        let status = response.status();
        let text = response.body_mut().read_to_string()?;
        if !status.is_success() {
            bail!("{path}: {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
    }

    /// Submits a job; its id once it is acknowledged.
    pub(crate) fn submit(&self, job: &Value, key: &str) -> Result<String> {
        let request = self.agent.post(format!("{}/api/v1/jobs", self.url));
        let request = request
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        id_of(request.send(job.to_string())?)
    }

    /// Submits the product of two files; its id once it is acknowledged.
    pub(crate) fn submit_files(&self, a: &[u8], b: &[u8]) -> Result<String> {
        const BOUNDARY: &str = "matmesh-xtask";
        let mut form = Vec::with_capacity(a.len() + b.len() + 1024);
        for (name, file) in [("a", a), ("b", b)] {
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}.npy\"\r\n\r\n"
            );
            form.extend(head.bytes());
            form.extend(file);
            form.extend(b"\r\n");
        }
        form.extend(format!("--{BOUNDARY}--\r\n").bytes());
        let request = self.agent.post(format!("{}/api/v1/jobs", self.url));
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        id_of(request.header("content-type", kind).send(form)?)
    }

    pub(crate) fn job(&self, id: &str) -> Result<Value> {
        self.get(&format!("/api/v1/jobs/{id}"))
    }

    /// The job when it has ended, or after 30 s as it is.
    pub(crate) fn ended(&self, id: &str) -> Result<Value> {
        self.get(&format!("/api/v1/jobs/{id}?wait=30"))
    }

    /// The result's file, bit for bit.
    pub(crate) fn result(&self, id: &str) -> Result<Vec<u8>> {
        let url = format!("{}/api/v1/jobs/{id}/result?format=npy", self.url);
        let mut response = self.agent.get(url).call()?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(RESULT_BYTES_MAX);
        let bytes = body.read_to_vec()?;
        if status != 200 {
            bail!("{status}: {}", String::from_utf8_lossy(&bytes));
        }
        Ok(bytes)
    }
}

/// The job that was accepted.
fn id_of(mut response: Response<Body>) -> Result<String> {
    let status = response.status();
    let text = response.body_mut().read_to_string()?;
    if status != 202 {
        bail!("{status}: {text}");
    }
    let job: Value = serde_json::from_str(&text)?;
    Ok(job["id"].as_str().context("a job has an id")?.to_owned())
}

/// A product of which nothing needs to be shipped.
pub(crate) fn seeded_job(rows: u32, inner: u32, cols: u32, seed: u64) -> Value {
    json!({
        "a": {"rows": rows, "cols": inner, "random": {"seed": seed}},
        "b": {"rows": inner, "cols": cols, "random": {"seed": seed + 1}},
    })
}
