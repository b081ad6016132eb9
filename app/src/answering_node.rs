//! both: which node answers this page.
//!
//! Normally the one that served it. When that node is gone the page stays,
//! because leaving it would end what this device computes, and asks another
//! node of the mesh about its job through the API for programs, whose answers
//! are the same views. What only server functions give, such as the map of the
//! blocks, stays as it was last seen.

use gloo_net::http::Request;
use leptos::prelude::*;
use wire::{JobId, JobView, MeshView, NodeLiveness, ResultPreview};

use crate::AppError;
use crate::api::{job_view, result_preview};
use crate::job_form::GRID_SIDE_MAX;

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
            && let Ok(job) = fetch_job(&address, id).await
        {
            return Ok(job);
        }
        match job_view(id.to_string()).await {
            Err(AppError::Unreachable) => self.job_from_others(id).await,
            answer => {
                self.set_elsewhere(None);
                answer
            }
        }
    }

    /// A result, as far as the page shows it. From another node only a small
    /// one comes: programs get results whole, and a large one is a file.
    pub(crate) async fn preview(self, job: &JobView) -> Result<ResultPreview, AppError> {
        match (
            self.elsewhere.try_get_untracked().flatten(),
            result_preview(job.id).await,
        ) {
            (Some(address), Err(AppError::Unreachable)) => fetch_preview(&address, job)
                .await
                .map_err(|_| AppError::Unreachable),
            (_, answer) => answer,
        }
    }

    async fn job_from_others(self, id: JobId) -> Result<JobView, AppError> {
        for address in self.others.try_get_untracked().unwrap_or_default() {
            if let Ok(job) = fetch_job(&address, id).await {
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

async fn fetch_job(address: &str, id: JobId) -> Result<JobView, gloo_net::Error> {
    let url = format!("{address}/api/v1/jobs/{id}");
    Request::get(&url).send().await?.json().await
}

async fn fetch_preview(address: &str, job: &JobView) -> Result<ResultPreview, gloo_net::Error> {
    let JobView { id, rows, cols, .. } = *job;
    let mut corner = Vec::new();
    if rows.max(cols) <= GRID_SIDE_MAX {
        let url = format!("{address}/api/v1/jobs/{id}/result?format=csv");
        let answer = Request::get(&url).send().await?;
        if !answer.ok() {
            return Err(gloo_net::Error::GlooError(answer.status_text()));
        }
        let lines = answer.text().await?;
        let row = |line: &str| line.split(',').map(str::to_owned).collect();
        corner = lines.lines().map(row).collect();
    }
    Ok(ResultPreview { rows, cols, corner })
}
