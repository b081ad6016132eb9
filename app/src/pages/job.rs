//! both: `/jobs/ID`, one job.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::{
    Alert, BlockMap, CancelForm, ContributionPanel, Coordination, DeleteForm, DeviceTable,
    FoldedContribution, JobProgress, PanelPlace, ProblemNotice, ResultPanel, StatusBadge, TimeLine,
    WithoutScript,
};
use crate::course::names_of;
use crate::dynamic::dynamic;
use crate::format::{grouped, short_id};
use crate::live::Live;
use crate::texts::job as texts;
use wire::{JobStatus, JobView};

/// The job, or why there is none.
#[component]
pub(crate) fn JobPage() -> impl IntoView {
    let live = Live::expect();
    let is_known = Memo::new(move |_| live.job.with(Option::is_some));
    dynamic(move || {
        if is_known.get() {
            view! { <JobPanels live /> }.into_any()
        } else if let Some(problem) = live.problem.get() {
            view! {
                <ProblemNotice problem />
                <FoldedContribution />
            }
            .into_any()
        } else {
            view! { <p class="muted">{texts::FETCHING}</p> }.into_any()
        }
    })
}

#[component]
fn JobPanels(live: Live) -> impl IntoView {
    let is_complete = Memo::new(move |_| live.job_status() == Some(JobStatus::Complete));
    // A device is never named anew: only further ones come.
    let device_count = Memo::new(move |_| live.course.with(|course| course.devices.len()));
    let names = Memo::new(move |_| {
        let _ = device_count.get();
        live.course.with_untracked(names_of)
    });
    view! {
        <div class="job">
            <JobHead live />
            <BlockMap live names />
            <Coordination live />
            <TimeLine live names />
            <DeviceTable live names />
            <Show when=move || is_complete.get()>
                <ResultPanel live />
            </Show>
            <ContributionPanel place=PanelPlace::OfJob />
        </div>
    }
}

#[component]
fn JobHead(live: Live) -> impl IntoView {
    let facts = live.job.with_untracked(|job| job.as_ref().map(Facts::of));
    let Facts { id, short, size } = facts.unwrap_or_default();
    let status = Memo::new(move |_| live.job_status());
    let badge = move || {
        status
            .get()
            .map(|status| view! { <StatusBadge status=status.to_string() /> })
    };
    let error = Signal::derive(move || live.job.with(|job| job.as_ref()?.error.clone()));
    let report = format!("/jobs/{id}/report");
    let (form_id, report_name) = (id.clone(), format!("matmesh-{short}.html"));
    view! {
        <Title text=format!("{} {short}", texts::TITLE) />
        <section class="panel job-head wide" aria-labelledby="job">
            <div class="title-row">
                <h1 id="job">{texts::TITLE} " " <span class="mono">{short}</span></h1>
                {dynamic(badge)}
                <a class="report-link" href=report download=report_name rel="external">
                    {texts::REPORT}
                </a>
                <CancelForm
                    id=form_id.clone()
                    is_running=Signal::derive(move || status.get() == Some(JobStatus::Running))
                />
            </div>
            <p class="muted">{size} " · " <span class="mono breakable">{id}</span></p>
            <JobProgress live />
            <Alert message=error />
            <DeleteForm
                id=form_id
                has_ended=Signal::derive(move || status.get().is_some_and(|status| status != JobStatus::Running))
            />
            {dynamic(move || {
                // Without script the browser asks for the page again.
                (status.get() == Some(JobStatus::Running))
                    .then(|| view! { <WithoutScript html=r#"<meta http-equiv="refresh" content="2">"# /> })
            })}
        </section>
    }
}

/// What never changes.
#[derive(Debug, Default)]
struct Facts {
    id: String,
    short: String,
    size: String,
}

impl Facts {
    fn of(job: &JobView) -> Self {
        let size = [job.rows, job.inner, job.inner, job.cols].map(|side| grouped(side.into()));
        Self {
            id: job.id.to_string(),
            short: short_id(&job.id),
            size: format!("{} × {} times {} × {}", size[0], size[1], size[2], size[3]),
        }
    }
}
