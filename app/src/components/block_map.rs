//! both: the blocks of C, coloured by the device that computed them.

use std::fmt::Write as _;

use leptos::prelude::*;
use wire::{BlockView, JobView, WorkerId};

use super::DeviceColors;
use crate::format::short_id;

/// The map, and the same as a list: colour alone tells nobody anything. One
/// path a device instead of one rectangle a block, so that a job of many
/// blocks stays light.
#[component]
pub(crate) fn BlockMap(
    #[prop(into)] job: Signal<JobView>,
    #[prop(into)] blocks: Signal<Vec<BlockView>>,
    colors: DeviceColors,
) -> impl IntoView {
    let view_box = {
        let job = job.read_untracked();
        format!("0 0 {} {}", job.cols, job.rows)
    };
    let pending = move || path_of(&blocks.read(), None);
    let devices = move || {
        let paths = colors.workers().into_iter().map(|worker| {
            let path = path_of(&blocks.read(), Some(worker));
            view! { <path class=colors.class_of(worker) d=path></path> }
        });
        paths.collect_view()
    };
    let legend = move || {
        let names = legend_of(&job.read(), &blocks.read(), &colors.workers());
        names
            .into_iter()
            .map(|(worker, text)| {
                let color =
                    worker.map_or_else(|| "pending".to_owned(), |worker| colors.class_of(worker));
                view! {
                    <li>
                        <span class=format!("swatch {color}") aria-hidden="true"></span>
                        {text}
                    </li>
                }
            })
            .collect_view()
    };
    let description = move || {
        let names = legend_of(&job.read(), &blocks.read(), &colors.workers());
        let texts: Vec<String> = names.into_iter().map(|(_, text)| text).collect();
        format!(
            "Map of {} blocks. {}",
            blocks.read().len(),
            texts.join(", ")
        )
    };
    view! {
        <section class="panel" aria-labelledby="blocks">
            <h2 id="blocks">"Blocks"</h2>
            <svg
                class="block-map"
                viewBox=view_box
                preserveAspectRatio="none"
                role="img"
                aria-label=description
            >
                <path class="pending" d=pending></path>
                {devices}
            </svg>
            <ul class="legend">{legend}</ul>
        </section>
    }
}

/// The outlines of all blocks of one device, or of those without any.
fn path_of(blocks: &[BlockView], worker: Option<WorkerId>) -> String {
    let mut path = String::new();
    for block in blocks.iter().filter(|block| block.worker == worker) {
        let BlockView {
            row_start,
            rows,
            col_start,
            cols,
            ..
        } = block;
        write!(path, "M{col_start} {row_start}h{cols}v{rows}h-{cols}z")
            .expect("writing to a string cannot fail");
    }
    path
}

/// Each device with its number of blocks; last, those that are still to do.
fn legend_of(
    job: &JobView,
    blocks: &[BlockView],
    workers: &[WorkerId],
) -> Vec<(Option<WorkerId>, String)> {
    let count = |worker| blocks.iter().filter(|block| block.worker == worker).count();
    let name = |worker: &WorkerId| {
        let device = job
            .contributions
            .iter()
            .find(|device| device.worker == *worker);
        device.map_or_else(|| short_id(worker), |device| device.name.clone())
    };
    let mut legend: Vec<_> = workers
        .iter()
        .map(|&worker| {
            (
                Some(worker),
                format!("{}: {}", name(&worker), count(Some(worker))),
            )
        })
        .collect();
    let waiting = count(None);
    if waiting > 0 {
        legend.push((None, format!("not computed yet: {waiting}")));
    }
    legend
}
