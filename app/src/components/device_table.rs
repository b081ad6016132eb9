//! both: what each device did for a job.

use leptos::prelude::*;
use wire::{ContributionView, JobView, WorkerKind};

use super::DeviceColors;
use crate::format::{grouped, megaflops, milliseconds};

/// A row a device, with a bar for its share of the rows.
#[component]
pub(crate) fn DeviceTable(
    #[prop(into)] job: Signal<JobView>,
    colors: DeviceColors,
) -> impl IntoView {
    let rows = move || {
        let job = job.read();
        let done: u64 = job
            .contributions
            .iter()
            .map(|device| device.operations)
            .sum();
        let devices = job.contributions.iter().cloned();
        devices
            .map(|device| device_row(device, done, colors))
            .collect_view()
    };
    view! {
        <section class="panel wide" aria-labelledby="devices">
            <h2 id="devices">"Who computed"</h2>
            <div class="scroll">
                <table class="cards">
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col">"Share"</th>
                            <th scope="col">"Blocks"</th>
                            <th scope="col">"Rows"</th>
                            <th scope="col">"Flop"</th>
                            <th scope="col">"Time"</th>
                            <th scope="col">"Mflop/s"</th>
                            <th scope="col">"Verified"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
}

fn device_row(
    device: ContributionView,
    operations_done: u64,
    colors: DeviceColors,
) -> impl IntoView {
    let kind = match device.kind {
        WorkerKind::Native => "native",
        WorkerKind::Browser => "browser",
    };
    let color = colors.class_of(device.worker);
    let percent = share_percent(device.operations, operations_done);
    view! {
        <tr>
            <th scope="row">
                <span class=format!("swatch {color}") aria-hidden="true"></span>
                {device.name}
                <span class="muted device-kind">{format!("{kind} · {}", device.device)}</span>
            </th>
            <td data-label="Share"><span>
                <span class="share">
                    <span class=format!("share-fill {color}") style=format!("inline-size: {percent}%")></span>
                </span>
                {format!("{percent} %")}</span>
            </td>
            <td data-label="Blocks">{grouped(device.blocks.into())}</td>
            <td data-label="Rows">{grouped(device.rows.into())}</td>
            <td data-label="Flop">{grouped(device.operations)}</td>
            <td data-label="Time">{milliseconds(device.compute_ms)}</td>
            <td data-label="Mflop/s">{megaflops(device.mflops)}</td>
            <td data-label="Verified">{verified_text(device.verified_blocks, device.blocks)}</td>
        </tr>
    }
}

fn share_percent(part: u64, whole: u64) -> u128 {
    match whole {
        0 => 0,
        whole => 100 * u128::from(part) / u128::from(whole),
    }
}

fn verified_text(verified_blocks: u32, blocks: u32) -> String {
    match verified_blocks {
        0 => "not checked".to_owned(),
        verified => format!("{verified} of {blocks}"),
    }
}
