//! both: jobs, a row each.

use leptos::prelude::*;
use wire::JobSummary;

use super::StatusBadge;
use crate::format::{grouped, short_id, unix_time};

/// Every job with its sizes, status and progress; leads to its page.
#[component]
pub(crate) fn JobTable(#[prop(into)] jobs: Signal<Vec<JobSummary>>) -> impl IntoView {
    view! {
        <div class="scroll">
            <table class="cards">
                <thead>
                    <tr>
                        <th scope="col">"Job"</th>
                        <th scope="col">"Sizes"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col">"Blocks"</th>
                        <th scope="col">"Submitted"</th>
                    </tr>
                </thead>
                <tbody>{move || jobs.get().into_iter().map(|job| view! { <JobRow job /> }).collect_view()}</tbody>
            </table>
        </div>
    }
}

#[component]
fn JobRow(job: JobSummary) -> impl IntoView {
    let shape = job.shape;
    let [rows, inner, cols] =
        [shape.rows, shape.inner, shape.cols].map(|side| grouped(side.into()));
    view! {
        <tr>
            <th scope="row">
                <a class="mono" href=format!("/jobs/{}", job.id)>
                    {short_id(&job.id)}
                </a>
            </th>
            <td data-label="Sizes">{format!("{rows}×{inner} · {inner}×{cols}")}</td>
            <td data-label="Status">
                <StatusBadge status=job.status.to_string() />
            </td>
            <td data-label="Blocks">{format!("{} of {}", job.blocks_done, job.blocks_total)}</td>
            <td data-label="Submitted">{unix_time(job.submitted_at_unix_ms)}</td>
        </tr>
    }
}
