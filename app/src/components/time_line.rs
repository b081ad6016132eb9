//! both: what each device did when, and who coordinated.

use leptos::prelude::*;
use wire::CourseView;

use super::block_map::name_of;
use crate::course_drawing::{LinePaths, color_class};
use crate::dynamic::dynamic;
use crate::live::Live;
use crate::texts::job as texts;

/// More lanes than this help nobody: the busiest are shown by the table of devices.
const LANES_MAX: usize = 250;

/// A lane a device, and the hand-overs also in words.
#[component]
pub(crate) fn TimeLine(live: Live) -> impl IntoView {
    view! {
        <section class="panel wide" aria-labelledby="time-line">
            <h2 id="time-line">{texts::LINE}</h2>
            {dynamic(move || live.course.with(lanes))}
            <ul class="hand-overs">
                {dynamic(move || live.course.with(|course| hand_overs_of(course, live)))}
            </ul>
            <ul class="legend">
                {[
                    ("device-0", texts::COMPUTING),
                    ("waiting", texts::WAITING),
                    ("moving", texts::RECEIVING),
                    ("moved", texts::MOVED),
                    ("hand-over", texts::HAND_OVER),
                ]
                    .into_iter()
                    .map(|(class, text)| {
                        view! { <li><span class=format!("swatch {class}") aria-hidden="true"></span>{text}</li> }
                    })
                    .collect_view()}
            </ul>
        </section>
    }
}

/// The picture of a course; the report has it, too.
#[expect(clippy::cast_precision_loss, reason = "shown to people")]
pub(crate) fn lanes(course: &CourseView) -> impl IntoView + use<> {
    let paths = LinePaths::of(course);
    let shown = course.devices.len().min(LANES_MAX);
    let names = (0..).take(shown).map(|device| {
        view! { <li title=name_of(course, device)>{name_of(course, device)}</li> }
    });
    let computing = paths.computing.iter().zip(0..).take(shown);
    let computing = computing.map(|(path, device)| {
        view! { <path class=format!("computing {}", color_class(device)) d=path.clone()></path> }
    });
    view! {
        <div class="lanes">
            <ul class="lane-names" aria-hidden="true">{names.collect_view()}</ul>
            <svg
                class="lane-lines"
                style=format!("block-size: calc({shown} * var(--lane))")
                viewBox=format!("0 0 {} {}", paths.width, paths.height.max(1))
                preserveAspectRatio="none"
                role="img"
                aria-label=texts::line_label(course.devices.len(), course.age_us as f64 / 1e3)
            >
                <path class="moving" d=paths.moving></path>
                <path class="waiting" d=paths.waiting></path>
                {computing.collect_view()}
                <path class="moved" d=paths.moved></path>
                <path class="hand-over" d=paths.hand_overs></path>
            </svg>
        </div>
    }
}

/// The same in words: who took the job over, and how many blocks changed hands.
#[expect(clippy::cast_precision_loss, reason = "shown to people")]
fn hand_overs_of(course: &CourseView, live: Live) -> impl IntoView + use<> {
    let epochs = course.epochs.iter().skip(1).map(|epoch| {
        let node = live.node_name(epoch.coordinator);
        texts::took_over(epoch.number, &node, epoch.begun_us as f64 / 1e3)
    });
    let moved = course
        .blocks
        .iter()
        .filter(|block| block.taken_from.is_some());
    let moved = moved.count();
    let moved = (moved > 0).then(|| texts::handed_on(moved));
    let lines: Vec<String> = epochs.chain(moved).collect();
    lines
        .into_iter()
        .map(|line| view! { <li>{line}</li> })
        .collect_view()
}
