//! both: the product.

use leptos::prelude::*;
use wire::ResultPreview;

use crate::compute_worker::ComputeStateSignal;
use crate::dynamic::{attribute, dynamic};
use crate::job_form::GRID_SIDE_MAX;
use crate::live::Live;
use crate::texts::job as texts;

/// Of a larger result as many rows and columns are shown as fit beside each
/// other on a desk's screen.
const CORNER_SIDE: usize = 8;

/// The whole result up to 15×15, else its upper left corner; and the files.
#[component]
pub(crate) fn ResultPanel(live: Live) -> impl IntoView {
    let facts = live.job.with_untracked(|job| {
        job.as_ref()
            .map(|job| (job.id.to_string(), job.rows, job.cols))
    });
    let (id, rows, cols) = facts.unwrap_or_default();
    let elsewhere = ComputeStateSignal::elsewhere();
    let download = move |format: &'static str, text: &'static str| {
        let name = format!("matmesh-{}.{format}", id.get(..8).unwrap_or_default());
        let path = format!("/api/v1/jobs/{id}/result?format={format}");
        view! {
            <a class="button" href=attribute(move || Some(format!("{}{path}", elsewhere.get()))) download=name rel="external">
                {text}
            </a>
        }
    };
    view! {
        <section class="panel result wide" aria-labelledby="result">
            <h2 id="result">{texts::RESULT}</h2>
            <p class="muted">{texts::result_size(rows, cols)}</p>
            {dynamic(move || live.preview.with(|preview| result_table(preview.as_ref())))}
            <p class="button-row">
                {download("csv", texts::DOWNLOAD_CSV)} {download("npy", texts::DOWNLOAD_NPY)}
            </p>
        </section>
    }
}

/// The entries, or why there are none; the report shows them, too.
pub(crate) fn result_table(preview: Option<&ResultPreview>) -> AnyView {
    let Some(preview) = preview else {
        return view! { <p class="muted">{texts::RESULT_FETCHING}</p> }.into_any();
    };
    if preview.corner.is_empty() {
        return view! { <p class="muted">{texts::RESULT_TOO_LARGE}</p> }.into_any();
    }
    let is_whole = preview.rows.max(preview.cols) <= GRID_SIDE_MAX;
    let (side, caption) = if is_whole {
        (GRID_SIDE_MAX as usize, texts::RESULT_WHOLE)
    } else {
        (CORNER_SIDE, texts::RESULT_CORNER)
    };
    let columns = preview.corner.first().map_or(0, Vec::len).min(side);
    let heads = (1..=columns).map(|column| view! { <th scope="col">{column}</th> });
    let rows = preview
        .corner
        .iter()
        .take(side)
        .zip(1..)
        .map(|(row, number)| {
            let cells = row.iter().take(side).cloned();
            let cells = cells.map(|cell| view! { <td>{cell}</td> }).collect_view();
            view! {
                <tr>
                    <th scope="row">{number}</th>
                    {cells}
                </tr>
            }
        });
    view! {
        <div class="scroll" tabindex="0" role="group" aria-label=caption>
            <table class="entries">
                <thead>
                    <tr>
                        <td></td>
                        {heads.collect_view()}
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
        {(!is_whole).then(|| view! { <p class="muted">{texts::corner_note()}</p> })}
    }
    .into_any()
}
