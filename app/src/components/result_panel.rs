//! both: the product.

use leptos::prelude::*;
use wire::{JobView, ResultPreview};

use crate::answering_node::AnsweringNode;
use crate::format::grouped;
use crate::job_form::GRID_SIDE_MAX;

/// Of a larger result as many rows and columns are shown as fit beside each
/// other on a desk's screen.
const CORNER_SIDE: usize = 8;

/// The whole result up to 15×15, else its upper left corner; and the files.
#[component]
pub(crate) fn ResultPanel(
    #[prop(into)] job: Signal<JobView>,
    /// Nothing while it is still on its way.
    #[prop(into)]
    preview: Signal<Option<ResultPreview>>,
) -> impl IntoView {
    let (id, rows, cols) = {
        let job = job.read_untracked();
        (job.id, job.rows, job.cols)
    };
    let node = AnsweringNode::expect();
    let file = move |format: &'static str| {
        move || {
            let address = node.elsewhere().unwrap_or_default();
            format!("{address}/api/v1/jobs/{id}/result?format={format}")
        }
    };
    let file_name = move |format: &str| format!("matmesh-{}.{format}", &id.to_string()[..8]);
    view! {
        <section class="panel result wide" aria-labelledby="result">
            <h2 id="result">"Result"</h2>
            <p class="muted">
                {format!("C = A · B, {} rows × {} columns", grouped(rows.into()), grouped(cols.into()))}
            </p>
            {move || match preview.get() {
                Some(preview) if preview.corner.is_empty() => {
                    view! { <p class="muted">"Too large to show here; the files hold all of it."</p> }.into_any()
                }
                Some(preview) => result_table(&preview).into_any(),
                None => view! { <p class="muted">"Fetching…"</p> }.into_any(),
            }}
            <p class="button-row">
                <a class="button" href=file("csv") download=file_name("csv") rel="external">
                    "Download CSV"
                </a>
                <a class="button" href=file("npy") download=file_name("npy") rel="external">
                    "Download NPY"
                </a>
            </p>
        </section>
    }
}

fn result_table(preview: &ResultPreview) -> impl IntoView + use<> {
    let is_whole = preview.rows.max(preview.cols) <= GRID_SIDE_MAX;
    let side = if is_whole {
        GRID_SIDE_MAX as usize
    } else {
        CORNER_SIDE
    };
    let columns = preview.corner.first().map_or(0, Vec::len).min(side);
    let rows = preview
        .corner
        .iter()
        .take(side)
        .enumerate()
        .map(|(row, cells)| {
            let cells = cells
                .iter()
                .take(side)
                .cloned()
                .map(|cell| view! { <td>{cell}</td> })
                .collect_view();
            view! {
                <tr>
                    <th scope="row">{row + 1}</th>
                    {cells}
                </tr>
            }
        });
    let caption = if is_whole {
        "All entries of C"
    } else {
        "The upper left corner of C"
    };
    view! {
        <div class="scroll" tabindex="0" role="group" aria-label=caption>
            <table class="entries">
                <thead>
                    <tr>
                        <td></td>
                        {(1..=columns).map(|column| view! { <th scope="col">{column}</th> }).collect_view()}
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
        {(!is_whole).then(|| view! {
            <p class="muted">{format!("{caption}; the files hold all of it.")}</p>
        })}
    }
}
