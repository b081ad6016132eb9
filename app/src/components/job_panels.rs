//! both: a job's page, once the job is known.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::{Deserialize, Serialize};
use wire::{BlockView, DeviceView, JobStatus, JobView, MeshView, ResultPreview};

use super::{
    Alert, BlockMap, CancelForm, ContributionPanel, Coordination, DeviceColors, DeviceTable,
    JobProgress, PanelPlace, ResultPanel, StatusBadge, WithoutScript,
};
use crate::answering_node::{AnsweringNode, in_time};
use crate::api::{job_blocks, mesh_view};
use crate::format::{grouped, short_id};
use crate::live::{AT_LEISURE, WHILE_RUNNING, keep_fresh};

/// What a job's page shows at first, fetched together so that its parts agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobMaterial {
    pub(crate) job: JobView,
    pub(crate) blocks: Vec<BlockView>,
    pub(crate) mesh: Option<MeshView>,
    pub(crate) account: Option<DeviceView>,
    pub(crate) preview: Option<ResultPreview>,
}

/// The panels, which go on asking until the job has ended.
#[component]
pub(crate) fn JobPanels(material: JobMaterial) -> impl IntoView {
    let id = material.job.id;
    let (rows, inner, cols) = (material.job.rows, material.job.inner, material.job.cols);
    let job = RwSignal::new(material.job);
    let blocks = RwSignal::new(material.blocks);
    let preview = RwSignal::new(material.preview);
    let mesh = RwSignal::new(material.mesh);
    let node = AnsweringNode::expect();
    let is_running = Memo::new(move |_| job.read().status == JobStatus::Running);
    let is_complete = Memo::new(move |_| job.read().status == JobStatus::Complete);
    keep_job_fresh(node, job, blocks, preview);
    keep_fresh(
        mesh,
        move |_| (is_running.try_get_untracked()?).then_some(AT_LEISURE),
        || async { in_time(mesh_view()).await.map(Some) },
    );
    node.remember_from(Signal::derive(move || mesh.get()));

    let colors = DeviceColors::new(job, blocks);
    let error = Signal::derive(move || job.read().error.clone());
    let size = [rows, inner, inner, cols].map(|side| grouped(side.into()));
    view! {
        <div class="job">
            <section class="panel job-head wide" aria-labelledby="job">
                <div class="title-row">
                    <h1 id="job">"Job " <span class="mono">{short_id(&id)}</span></h1>
                    <StatusBadge status=Signal::derive(move || job.read().status.to_string()) />
                    <CancelForm job />
                </div>
                <p class="muted">
                    {format!("{} × {} times {} × {}", size[0], size[1], size[2], size[3])} " · "
                    <span class="mono breakable">{id.to_string()}</span>
                </p>
                <JobProgress job />
                <Alert message=error />
                <Refresh is_running />
            </section>
            <BlockMap job blocks colors />
            <Coordination job mesh />
            <DeviceTable job colors />
            <Show when=move || is_complete.get()>
                <ResultPanel job preview />
            </Show>
            <ContributionPanel account=material.account place=PanelPlace::Open job />
        </div>
    }
}

/// Without script the browser asks for the page again.
#[component]
fn Refresh(is_running: Memo<bool>) -> impl IntoView {
    view! {
        <Show when=move || is_running.get()>
            <WithoutScript html=r#"<meta http-equiv="refresh" content="2">"# />
        </Show>
    }
}

/// Asks for the job while it runs, for its blocks whenever more of them are
/// done, and for the result once all are.
fn keep_job_fresh(
    node: AnsweringNode,
    job: RwSignal<JobView>,
    blocks: RwSignal<Vec<BlockView>>,
    preview: RwSignal<Option<ResultPreview>>,
) {
    let id = job.read_untracked().id;
    keep_fresh(
        job,
        |job| (job.status == JobStatus::Running).then_some(WHILE_RUNNING),
        move || node.job(id),
    );
    let blocks_done = Memo::new(move |_| job.read().blocks.done);
    Effect::new(move |before: Option<u32>| {
        let done = blocks_done.get();
        if before.is_some_and(|before| before != done) {
            spawn_local(async move {
                if let Ok(fresh) = job_blocks(id).await {
                    blocks.try_set(fresh);
                }
            });
        }
        done
    });
    let is_complete = Memo::new(move |_| job.read().status == JobStatus::Complete);
    Effect::new(move |_| {
        if is_complete.get() {
            // Holders of the result may be away for a while: ask until it is here.
            keep_fresh(
                preview,
                |preview| preview.is_none().then_some(WHILE_RUNNING),
                move || async move {
                    node.preview(job.with_untracked(|job| job.id))
                        .await
                        .map(Some)
                },
            );
        }
    });
}
