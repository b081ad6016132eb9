//! both: what each device did for a job.

use leptos::prelude::*;
use wire::{ContributionView, CourseView, WorkerId, WorkerKind};

use crate::course::color_class;
use crate::dynamic::{Column, attribute, dynamic};
use crate::format::{grouped, megaflops, milliseconds, percent};
use crate::live::Live;
use crate::rows;
use crate::texts::job as texts;
use crate::texts::nodes as node_texts;

/// A row a device, with a bar for its share of the operations.
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
    let devices = rows::follow(move || {
        live.job.with(|job| {
            let contributions = job.as_ref().map_or(&[][..], |job| &job.contributions);
            live.course
                .with(|course| devices_of(contributions, course, &names.read()))
        })
    });
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
            <tbody>
                {rows::each(devices, |(place, _), device| view! { <DeviceRow place device /> }.into_any())}
            </tbody>
        </table>
        {dynamic(move || devices.read().is_empty().then(|| view! { <p class="muted">{texts::NOBODY_COMPUTED}</p> }))}
    }
}

/// What a row shows.
#[derive(Debug, PartialEq)]
struct Device {
    name: String,
    share: String,
    figures: ContributionView,
}

/// Who contributed, each with its place in the course, in that order: rows stay where they are while
/// their figures grow.
fn devices_of(
    contributions: &[ContributionView],
    course: &CourseView,
    names: &[String],
) -> Vec<((Option<u32>, WorkerId), Device)> {
    let all_operations = contributions.iter().map(|device| device.operations).sum();
    let device = |figures: &ContributionView, place: Option<u32>, name: &str| {
        let device = Device {
            name: name.to_owned(),
            share: percent(figures.operations, all_operations),
            figures: figures.clone(),
        };
        ((place, figures.worker), device)
    };
    let find = |worker: WorkerId| contributions.iter().find(|it| it.worker == worker);
    let places = course.devices.iter().zip(0..);
    let known = places.filter_map(|(known, place)| {
        let figures = find(known.worker)?;
        let name = names.get(place as usize).unwrap_or(&figures.name);
        Some(device(figures, Some(place), name))
    });
    // What is known of blocks may come later than what is known of devices.
    let is_new =
        |it: &&ContributionView| course.devices.iter().all(|known| known.worker != it.worker);
    let new = contributions.iter().filter(is_new);
    known
        .chain(new.map(|it| device(it, None, &it.name)))
        .collect()
}

#[component]
fn DeviceRow(place: Option<u32>, device: ArcRwSignal<Device>) -> impl IntoView {
    let device = RwSignal::from(device);
    let figure =
        move |text: fn(&ContributionView) -> String| dynamic(move || text(&device.read().figures));
    let cells: [Column<ContributionView>; 6] = [
        (texts::BLOCKS, |device| grouped(device.blocks.into())),
        (texts::ROWS, |device| grouped(device.rows.into())),
        (texts::FLOP, |device| grouped(device.operations)),
        (texts::TIME, |device| milliseconds(device.compute_ms)),
        (texts::SPEED, |device| megaflops(device.mflops)),
        (texts::VERIFIED, |device| {
            texts::verified(device.verified_blocks, device.blocks)
        }),
    ];
    let cells = cells.map(|(head, text)| view! { <td data-label=head>{figure(text)}</td> });
    let color = place.map(color_class).unwrap_or_default();
    let share = Memo::new(move |_| device.read().share.clone());
    view! {
        <tr>
            <th scope="row">
                <span class=format!("swatch {color}") aria-hidden="true"></span>
                {dynamic(move || device.read().name.clone())}
                <span class="muted device-kind">{figure(kind_of)}</span>
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
