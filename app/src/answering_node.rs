//! both: which node answers this page.
//!
//! Normally the one that served it. When that node is gone the page stays,
//! because leaving it would end what this device computes, and asks another
//! node of the mesh about its job through the API for programs, whose answers
//! are the same views. What only server functions give, such as the map of the
//! blocks, stays as it was last seen.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use gloo_net::http::Request;
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use serde::de::DeserializeOwned;
use wire::{JobId, JobView, MeshView, NodeLiveness, ResultPreview};

use crate::AppError;
use crate::api::{job_view, result_preview};
use crate::job_form::GRID_SIDE_MAX;

/// A node whose plug was pulled refuses nothing: it is silent. On a local network
/// one that lives answers within milliseconds.
const ANSWER_TIMEOUT_MS: u32 = 3_000;

/// After so many answers from elsewhere the page's own node is asked again.
const ANSWERS_BEFORE_RETURN: u32 = 10;

/// The node that answers, and the others that could.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnsweringNode {
    /// `http://host:port` of another node; nothing while the page's own answers.
    elsewhere: RwSignal<Option<String>>,
    others: RwSignal<Vec<String>>,
    /// The last question to the page's own node had no answer.
    is_silent: RwSignal<bool>,
    answers_from_elsewhere: StoredValue<u32>,
}

impl AnsweringNode {
    /// Provides one to everything below.
    pub(crate) fn provide() {
        provide_context(Self {
            elsewhere: RwSignal::new(None),
            others: RwSignal::new(Vec::new()),
            is_silent: RwSignal::new(false),
            answers_from_elsewhere: StoredValue::new(0),
        });
    }

    /// The one of the page.
    pub(crate) fn expect() -> Self {
        expect_context()
    }

    /// Remembers who else is there, for when the page's own node is not.
    pub(crate) fn remember_from(self, mesh: Signal<Option<MeshView>>) {
        Effect::new(move |_| {
            if let Some(mesh) = &*mesh.read() {
                self.others.set(others_of(mesh));
            }
        });
    }

    /// Takes note of whether the page's own node answered.
    pub(crate) fn note<T>(self, answer: &Result<T, AppError>) {
        let is_silent = match answer {
            Err(AppError::Unreachable) => true,
            // The answer may have come from elsewhere.
            _ => self.elsewhere.try_get_untracked().flatten().is_some(),
        };
        if self.is_silent.try_get_untracked() == Some(!is_silent) {
            self.is_silent.set(is_silent);
        }
    }

    /// Whether the page's own node is gone.
    pub(crate) fn is_away(self) -> bool {
        self.is_silent.get()
    }

    /// The other nodes' addresses.
    pub(crate) fn others(self) -> Vec<String> {
        self.others.get()
    }

    /// The address of the node that answers in place of the page's own.
    pub(crate) fn elsewhere(self) -> Option<String> {
        self.elsewhere.get()
    }

    /// A job as it is now, from the page's own node or else from another.
    pub(crate) async fn job(self, id: JobId) -> Result<JobView, AppError> {
        if let Some(address) = self.address_in_use()
            && let Ok(job) = in_time(fetch_job(&address, id)).await
        {
            return Ok(job);
        }
        match in_time(job_view(id.to_string())).await {
            Err(AppError::Unreachable) => self.job_from_others(id).await,
            answer => {
                self.set_elsewhere(None);
                answer
            }
        }
    }

    /// A result, as far as the page shows it.
    pub(crate) async fn preview(self, job: JobId) -> Result<ResultPreview, AppError> {
        let elsewhere = self.elsewhere.try_get_untracked().flatten();
        match (elsewhere, in_time(result_preview(job)).await) {
            (Some(address), Err(AppError::Unreachable)) => {
                in_time(fetch_preview(&address, job)).await
            }
            (_, answer) => answer,
        }
    }

    async fn job_from_others(self, id: JobId) -> Result<JobView, AppError> {
        for address in self.others.try_get_untracked().unwrap_or_default() {
            if let Ok(job) = in_time(fetch_job(&address, id)).await {
                self.answers_from_elsewhere.try_set_value(0);
                self.set_elsewhere(Some(address));
                return Ok(job);
            }
        }
        Err(AppError::Unreachable)
    }

    /// The other node, unless it is time to look whether the page's own is back.
    fn address_in_use(self) -> Option<String> {
        let address = self.elsewhere.try_get_untracked().flatten()?;
        let answers = self.answers_from_elsewhere.try_get_value()? + 1;
        self.answers_from_elsewhere
            .try_set_value(answers % ANSWERS_BEFORE_RETURN);
        (answers < ANSWERS_BEFORE_RETURN).then_some(address)
    }

    fn set_elsewhere(self, address: Option<String>) {
        if self
            .elsewhere
            .try_get_untracked()
            .is_some_and(|before| before != address)
        {
            self.elsewhere.try_set(address);
        }
    }
}

fn others_of(mesh: &MeshView) -> Vec<String> {
    let nodes = mesh.nodes.iter();
    let others = nodes.filter(|node| !node.is_self && node.status != NodeLiveness::Unreachable);
    others
        .map(|node| format!("http://{}", node.address))
        .collect()
}

async fn fetch_job(address: &str, id: JobId) -> Result<JobView, AppError> {
    fetch(&format!("{address}/api/v1/jobs/{id}")).await
}

async fn fetch_preview(address: &str, id: JobId) -> Result<ResultPreview, AppError> {
    let side = GRID_SIDE_MAX;
    fetch(&format!(
        "{address}/api/v1/jobs/{id}/result/corner?side={side}"
    ))
    .await
}

async fn fetch<T: DeserializeOwned>(url: &str) -> Result<T, AppError> {
    let answer = Request::get(url).send().await;
    let answer = answer.map_err(|_| AppError::Unreachable)?;
    answer.json().await.map_err(|_| AppError::Unreachable)
}

/// The answer, or that there was none in time.
pub(crate) async fn in_time<T>(
    answer: impl Future<Output = Result<T, AppError>>,
) -> Result<T, AppError> {
    let mut answer = pin!(answer);
    let mut timeout = TimeoutFuture::new(ANSWER_TIMEOUT_MS);
    poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(answer),
        Poll::Pending => Pin::new(&mut timeout)
            .poll(context)
            .map(|()| Err(AppError::Unreachable)),
    })
    .await
}
