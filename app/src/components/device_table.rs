//! both: what each device did for a job.

use leptos::prelude::*;
use wire::{ContributionView, CourseView, JobView, WorkerKind};

use crate::course_drawing::color_class;
use crate::dynamic::dynamic;
use crate::format::{grouped, megaflops, milliseconds, percent};
use crate::live::Live;
use crate::texts::job as texts;
use crate::texts::nodes as node_texts;

/// A row a device, with a bar for its share of the rows.
#[component]
pub(crate) fn DeviceTable(live: Live) -> impl IntoView {
    view! {
        <section class="panel wide" aria-labelledby="devices">
            <h2 id="devices">{texts::DEVICES}</h2>
            <div class="scroll">
                {dynamic(move || live.job.with(|job| live.course.with(|course| table(job.as_ref(), course))))}
            </div>
        </section>
    }
}

/// The table by itself; the report has it, too.
pub(crate) fn table(job: Option<&JobView>, course: &CourseView) -> impl IntoView + use<> {
    let contributions = job.map_or(&[][..], |job| &job.contributions);
    let done: u64 = contributions.iter().map(|device| device.operations).sum();
    let rows = contributions
        .iter()
        .map(|device| device_row(device, done, course));
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
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
}

fn device_row(
    device: &ContributionView,
    operations_done: u64,
    course: &CourseView,
) -> impl IntoView + use<> {
    let kind = match device.kind {
        WorkerKind::Native => node_texts::NATIVE,
        WorkerKind::Browser => node_texts::BROWSER,
    };
    let places = course.devices.iter().zip(0..);
    let place = { places }.find(|(known, _)| known.worker == device.worker);
    let color = color_class(place.map_or(0, |(_, place)| place));
    let share = percent(device.operations, operations_done);
    let cells = [
        (texts::BLOCKS, grouped(device.blocks.into())),
        (texts::ROWS, grouped(device.rows.into())),
        (texts::FLOP, grouped(device.operations)),
        (texts::TIME, milliseconds(device.compute_ms)),
        (texts::SPEED, megaflops(device.mflops)),
        (
            texts::VERIFIED,
            texts::verified(device.verified_blocks, device.blocks),
        ),
    ];
    let cells = cells.map(|(name, text)| view! { <td data-label=name>{text}</td> });
    view! {
        <tr>
            <th scope="row">
                <span class=format!("swatch {color}") aria-hidden="true"></span>
                {device.name.clone()}
                <span class="muted device-kind">{format!("{kind} · {}", device.device)}</span>
            </th>
            <td data-label=texts::SHARE><span>
                <span class="share">
                    <span class=format!("share-fill {color}") style=format!("inline-size: {share}")></span>
                </span>
                {share.clone()}</span>
            </td>
            {cells.into_iter().collect_view()}
        </tr>
    }
}
