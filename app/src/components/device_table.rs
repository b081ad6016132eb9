//! both: what each device did for a job.

use std::collections::BTreeMap;

use leptos::prelude::*;
use wire::{ContributionView, CourseView, JobView, WorkerId, WorkerKind};

use crate::course::color_class;
use crate::dynamic::{attribute, dynamic};
use crate::format::{grouped, megaflops, milliseconds, percent};
use crate::live::Live;
use crate::texts::job as texts;
use crate::texts::nodes as node_texts;

/// A row a device, with a bar for its share of the rows.
#[component]
pub(crate) fn DeviceTable(live: Live, names: Memo<Vec<String>>) -> impl IntoView {
    view! {
        <section class="panel wide" aria-labelledby="devices">
            <h2 id="devices">{texts::DEVICES}</h2>
            <div class="scroll">
                <DeviceRows live names />
            </div>
        </section>
    }
}

/// The table by itself; the report has it, too.
#[component]
pub(crate) fn DeviceRows(live: Live, names: Memo<Vec<String>>) -> impl IntoView {
    let places = Memo::new(move |_| {
        live.job.with(|job| {
            let contributions = job.as_ref().map_or(&[][..], |job| &job.contributions);
            live.course.with(|course| places_of(contributions, course))
        })
    });
    let all_operations = Memo::new(move |_| {
        let sum = |job: &JobView| job.contributions.iter().map(|it| it.operations).sum();
        live.job.with(|job| job.as_ref().map_or(0_u64, sum))
    });
    let rows = move || {
        let rows = places.get().into_iter();
        rows.map(|(worker, place)| view! { <DeviceRow live names worker place all_operations /> })
            .collect_view()
    };
    let heads = [
        texts::NAME,
        texts::SHARE,
        texts::BLOCKS,
        texts::ROWS,
        texts::FLOP,
        texts::TIME,
        texts::SPEED,
        texts::VERIFIED,
    ];
    view! {
        <table class="cards">
            <thead>
                <tr>{heads.map(|head| view! { <th scope="col">{head}</th> }).into_iter().collect_view()}</tr>
            </thead>
            <tbody>{dynamic(rows)}</tbody>
        </table>
    }
}

/// Who contributed, each with its place in the course, in that order: rows stay where they are while
/// their figures grow.
fn places_of(contributions: &[ContributionView], course: &CourseView) -> Vec<(WorkerId, u32)> {
    let known: BTreeMap<WorkerId, u32> = course
        .devices
        .iter()
        .map(|device| device.worker)
        .zip(0..)
        .collect();
    let place = |device: &ContributionView| {
        let place = known.get(&device.worker).copied().unwrap_or(u32::MAX);
        (device.worker, place)
    };
    let mut places: Vec<_> = contributions.iter().map(place).collect();
    places.sort_by_key(|&(worker, place)| (place, worker));
    places
}

#[component]
fn DeviceRow(
    live: Live,
    names: Memo<Vec<String>>,
    worker: WorkerId,
    place: u32,
    all_operations: Memo<u64>,
) -> impl IntoView {
    let device = Memo::new(move |_| {
        let is_it = |device: &&ContributionView| device.worker == worker;
        live.job
            .with(|job| job.as_ref()?.contributions.iter().find(is_it).cloned())
    });
    let text = move |text: fn(&ContributionView) -> String| {
        move || device.with(|device| device.as_ref().map(text).unwrap_or_default())
    };
    let name = move || {
        let known = names.with(|names| names.get(place as usize).cloned());
        known.unwrap_or_else(text(|device| device.name.clone()))
    };
    let share = Memo::new(move |_| {
        let done = device.with(|device| device.as_ref().map_or(0, |device| device.operations));
        percent(done, all_operations.get())
    });
    let cells: [(&'static str, fn(&ContributionView) -> String); 6] = [
        (texts::BLOCKS, |device| grouped(device.blocks.into())),
        (texts::ROWS, |device| grouped(device.rows.into())),
        (texts::FLOP, |device| grouped(device.operations)),
        (texts::TIME, |device| milliseconds(device.compute_ms)),
        (texts::SPEED, |device| megaflops(device.mflops)),
        (texts::VERIFIED, |device| {
            texts::verified(device.verified_blocks, device.blocks)
        }),
    ];
    let cells = cells.map(|(head, cell)| view! { <td data-label=head>{dynamic(text(cell))}</td> });
    let color = color_class(place);
    view! {
        <tr>
            <th scope="row">
                <span class=format!("swatch {color}") aria-hidden="true"></span>
                {dynamic(name)}
                <span class="muted device-kind">{dynamic(text(kind_of))}</span>
            </th>
            <td data-label=texts::SHARE><span>
                <span class="share">
                    <span
                        class=format!("share-fill {color}")
                        style=attribute(move || Some(format!("inline-size: {}", share.read())))
                    ></span>
                </span>
                {dynamic(move || share.get())}</span>
            </td>
            {cells.into_iter().collect_view()}
        </tr>
    }
}

fn kind_of(device: &ContributionView) -> String {
    let kind = match device.kind {
        WorkerKind::Native => node_texts::NATIVE,
        WorkerKind::Browser => node_texts::BROWSER,
    };
    format!("{kind} · {}", device.device)
}
