//! both: what each device did when, and who coordinated.

use leptos::prelude::*;
use wire::CourseView;

use super::picture_layers::PictureLayers;
use crate::course::{draw_on_line, hand_over_lines, lane_count, line_size};
use crate::dynamic::{attribute, dynamic};
use crate::live::Live;
use crate::texts::job as texts;

/// A lane a device, and the hand-overs also in words.
#[component]
pub(crate) fn TimeLine(live: Live, names: Memo<Vec<String>>) -> impl IntoView {
    let is_empty = Memo::new(move |_| live.course.with(|course| course.devices.is_empty()));
    let hand_overs = Memo::new(move |_| live.course.with(|course| hand_overs_of(course, live)));
    view! {
        <section class="panel wide" aria-labelledby="time-line">
            <h2 id="time-line">{texts::LINE}</h2>
            {dynamic(move || is_empty.get().then(|| view! { <p class="muted">{texts::NOBODY_BEGAN}</p> }))}
            <Lanes course=live.course.into() names />
            <ul class="hand-overs">{dynamic(move || items(hand_overs.get()))}</ul>
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

/// The picture by itself; the report has it, too.
#[component]
pub(crate) fn Lanes(course: Signal<CourseView>, names: Memo<Vec<String>>) -> impl IntoView {
    let shown = move || course.with(lane_count);
    let names = Memo::new(move |_| names.with(|names| names[..shown().min(names.len())].to_vec()));
    let of_course =
        move |text: fn(&CourseView) -> String| attribute(move || Some(course.with(text)));
    view! {
        <div class="lanes">
            <ul class="lane-names" aria-hidden="true">{dynamic(move || items(names.get()))}</ul>
            <svg
                class="lane-lines"
                style=attribute(move || Some(format!("block-size: calc({} * var(--lane))", shown())))
                viewBox=of_course(view_box)
                preserveAspectRatio="none"
                role="img"
                aria-label=of_course(label)
            >
                <PictureLayers course draw_block=draw_on_line />
                <path class="hand-over" d=of_course(hand_over_lines)></path>
            </svg>
        </div>
    }
}

fn view_box(course: &CourseView) -> String {
    let (width, height) = line_size(course);
    format!("0 0 {width} {height}")
}

#[expect(clippy::cast_precision_loss, reason = "shown to people")]
fn label(course: &CourseView) -> String {
    texts::line_label(course.devices.len(), course.age_us as f64 / 1e3)
}

fn items(texts: Vec<String>) -> impl IntoView + use<> {
    let items = texts.into_iter().map(|text| {
        view! { <li title=text.clone()>{text.clone()}</li> }
    });
    items.collect_view()
}

/// The same in words: who took the job over, and how many blocks changed hands.
#[expect(clippy::cast_precision_loss, reason = "shown to people")]
fn hand_overs_of(course: &CourseView, live: Live) -> Vec<String> {
    // The first epoch begins with the job.
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
    epochs.chain(moved).collect()
}
