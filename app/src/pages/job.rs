//! both: `/jobs/ID`, one job.

use leptos::either::Either;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use wire::JobStatus;

use crate::AppError;
use crate::api::{job_blocks, job_view, mesh_view, own_account, result_preview};
use crate::components::{FoldedContribution, JobMaterial, JobPanels, ProblemNotice};
use crate::format::short_id;

/// The job, or why there is none.
#[component]
pub(crate) fn JobPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").unwrap_or_default());
    let material = Resource::new(move || id.get(), fetch_material);
    view! {
        <Suspense fallback=|| view! { <p class="muted">"Fetching the job…"</p> }>
            {move || Suspend::new(async move {
                match material.await {
                    Ok(material) => Either::Left(view! {
                        <Title text=format!("Job {}", short_id(&material.job.id)) />
                        <JobPanels material />
                    }),
                    Err(error) => Either::Right(view! {
                        <ProblemNotice error />
                        <FoldedContribution />
                    }),
                }
            })}
        </Suspense>
    }
}

/// The job itself is needed; whatever else cannot be had now comes later.
async fn fetch_material(id: String) -> Result<JobMaterial, AppError> {
    let job = job_view(id).await?;
    let preview = match job.status {
        JobStatus::Complete => result_preview(job.id).await.ok(),
        _ => None,
    };
    Ok(JobMaterial {
        blocks: job_blocks(job.id).await.unwrap_or_default(),
        mesh: mesh_view().await.ok(),
        account: own_account().await.ok(),
        preview,
        job,
    })
}
