//! both: jobs, a row each.

use leptos::prelude::*;
use wire::JobLine;

use super::StatusBadge;
use crate::dynamic::dynamic;
use crate::format::{grouped, short_id, unix_time};
use crate::texts::jobs as texts;

/// Every job with its sizes, status and progress; leads to its page.
#[component]
pub(crate) fn JobTable(#[prop(into)] jobs: Signal<Vec<JobLine>>) -> impl IntoView {
    dynamic(move || {
        let jobs = jobs.read();
        if jobs.is_empty() {
            return view! { <p>{texts::NONE} <a href="/">{texts::START}</a> "."</p> }.into_any();
        }
        let heads = [
            texts::JOB,
            texts::SIZES,
            texts::STATUS,
            texts::BLOCKS,
            texts::SUBMITTED,
        ];
        view! {
            <div class="scroll">
                <table class="cards">
                    <thead>
                        <tr>{heads.map(|head| view! { <th scope="col">{head}</th> }).into_iter().collect_view()}</tr>
                    </thead>
                    <tbody>{jobs.iter().map(job_row).collect_view()}</tbody>
                </table>
            </div>
        }
        .into_any()
    })
}

fn job_row(job: &JobLine) -> impl IntoView + use<> {
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
            <td data-label=texts::SIZES>{format!("{rows}×{inner} · {inner}×{cols}")}</td>
            <td data-label=texts::STATUS>
                <StatusBadge status=job.status.to_string() />
            </td>
            <td data-label=texts::BLOCKS>{texts::blocks(job.blocks_done, job.blocks_total)}</td>
            <td data-label=texts::SUBMITTED>{unix_time(job.submitted_at_unix_ms)}</td>
        </tr>
    }
}
