//! both: the blocks of C, coloured by the device that computed them.

use leptos::html;
use leptos::prelude::*;
use web_sys::{KeyboardEvent, PointerEvent};
use wire::{BlockIndex, CourseView};

use super::picture_layers::PictureLayers;
use crate::course::{color_class, draw_on_map, map_lines, outline};
use crate::dynamic::{attribute, dynamic};
use crate::format::grouped;
use crate::live::Live;
use crate::texts::job as texts;

/// The map, a legend, and what is known of the block that a person points at. To the keyboard and
/// to screen readers the map is a slider from block to block.
#[component]
pub(crate) fn BlockMap(live: Live, names: Memo<Vec<String>>) -> impl IntoView {
    let course = live.course;
    let selected = RwSignal::new(None::<BlockIndex>);
    let is_alive = RwSignal::new(false);
    Effect::new(move |_| is_alive.set(true));
    let frame = NodeRef::<html::Div>::new();
    let cut = Memo::new(move |_| course.with(CourseView::cut));
    let facts = Memo::new(move |_| {
        let block = selected.get()?;
        course.with(|course| facts_of(course, &names.read(), block))
    });
    let legend = Memo::new(move |_| course.with(|course| legend_of(course, &names.read())));
    let summary = move || summary_of(cut.read().block_count(), &legend.read());
    let on_point = move |event: PointerEvent| {
        let place = frame.get().map(|frame| frame.get_bounding_client_rect());
        let block = place.and_then(|place| {
            let across = (f64::from(event.client_x()) - place.left()) / place.width();
            let down = (f64::from(event.client_y()) - place.top()) / place.height();
            course.with(|course| block_under(course, across, down))
        });
        selected.set(block);
    };
    let on_key = move |event: KeyboardEvent| {
        let now = selected.get();
        if let Some(block) = course.with(|course| block_after_key(course, now, &event.key())) {
            event.prevent_default();
            selected.set(Some(block));
        }
    };
    let highlight = move || {
        let place = selected.get().and_then(|block| cut.read().place(block));
        place.map(outline).unwrap_or_default()
    };
    view! {
        <section class="panel" aria-labelledby="blocks">
            <h2 id="blocks">{texts::MAP}</h2>
            <div
                class="map-frame"
                node_ref=frame
                role=attribute(move || Some(if is_alive.get() { "slider" } else { "img" }))
                tabindex=attribute(move || is_alive.get().then_some("0"))
                aria-label=attribute(move || {
                    Some(if is_alive.get() { texts::MAP_LABEL.to_owned() } else { summary() })
                })
                aria-valuemin=attribute(move || is_alive.get().then_some("1"))
                aria-valuemax=attribute(move || is_alive.get().then(|| cut.read().block_count().max(1).to_string()))
                aria-valuenow=attribute(move || is_alive.get().then(|| selected.get().map_or(1, |block| block.0 + 1).to_string()))
                aria-valuetext=attribute(move || is_alive.get().then(|| facts.get().unwrap_or_else(summary)))
                on:pointermove=on_point
                on:pointerdown=on_point
                on:keydown=on_key
            >
                <MapPicture course=course.into() cut=cut.into() />
                <svg
                    class="block-map over"
                    viewBox=attribute(move || Some(view_box(&cut.read())))
                    preserveAspectRatio="none"
                    aria-hidden="true"
                >
                    <path class="highlight" d=attribute(move || Some(highlight()))></path>
                </svg>
            </div>
            <p class="block-facts muted">
                {dynamic(move || facts.get().unwrap_or_else(|| if is_alive.get() { texts::MAP_HELP.to_owned() } else { String::new() }))}
            </p>
            <ul class="legend">{dynamic(move || legend_items(&legend.read()))}</ul>
        </section>
    }
}

/// The picture by itself; the report has it, too.
#[component]
pub(crate) fn MapPicture(course: Signal<CourseView>, cut: Signal<CourseView>) -> impl IntoView {
    view! {
        <svg
            class="block-map"
            viewBox=attribute(move || Some(view_box(&cut.read())))
            preserveAspectRatio="none"
            aria-hidden="true"
        >
            <path class="lines" d=attribute(move || Some(map_lines(&cut.read())))></path>
            <PictureLayers course draw_block=draw_on_map />
        </svg>
    }
}

fn view_box(cut: &CourseView) -> String {
    format!("0 0 {} {}", cut.cols.max(1), cut.rows.max(1))
}

fn legend_items(legend: &[(String, String)]) -> impl IntoView + use<> {
    let items = legend.iter().cloned().map(|(class, text)| {
        view! {
            <li>
                <span class=format!("swatch {class}") aria-hidden="true"></span>
                {text}
            </li>
        }
    });
    items.collect_view()
}

/// More devices than this the legend does not name: colours repeat, and the table names them all.
const DEVICES_NAMED: usize = 12;

/// Each device with its number of blocks; then those that are on their way, changed hands, or are
/// still to do. A class of swatches, and a text.
fn legend_of(course: &CourseView, names: &[String]) -> Vec<(String, String)> {
    let mut done = vec![0_u32; course.devices.len()];
    let (mut running, mut moved) = (0, 0);
    for block in &course.blocks {
        match (block.stored_us, done.get_mut(block.device as usize)) {
            (Some(_), Some(count)) => *count += 1,
            (Some(_), None) => {}
            (None, _) => running += 1,
        }
        moved += u32::from(block.taken_from.is_some());
    }
    let all_done: u32 = done.iter().sum();
    let pending = course
        .block_count()
        .saturating_sub(all_done)
        .saturating_sub(running);
    let mut devices = done.iter().zip(0..).filter(|(count, _)| **count > 0);
    let mut legend: Vec<_> = devices
        .by_ref()
        .take(DEVICES_NAMED)
        .map(|(count, device)| {
            let text = format!("{}: {}", name_of(names, device), grouped((*count).into()));
            (color_class(device), text)
        })
        .collect();
    let others: Vec<u32> = devices.map(|(count, _)| *count).collect();
    if !others.is_empty() {
        let text = texts::other_devices(others.len(), others.iter().sum());
        legend.push(("others".to_owned(), text));
    }
    for (class, text, count) in [
        ("running", texts::RUNNING, running),
        ("moved", texts::MOVED, moved),
        ("pending", texts::NOT_COMPUTED, pending),
    ] {
        if count > 0 {
            legend.push((
                class.to_owned(),
                format!("{text}: {}", grouped(count.into())),
            ));
        }
    }
    legend
}

fn summary_of(block_count: u32, legend: &[(String, String)]) -> String {
    let texts: Vec<&str> = legend.iter().map(|(_, text)| text.as_str()).collect();
    let count = grouped(block_count.into());
    format!("{} ({count}): {}", texts::MAP_LABEL, texts.join(", "))
}

fn name_of(names: &[String], device: u32) -> &str {
    names.get(device as usize).map_or("–", String::as_str)
}

/// Who has a block, since when, how long it took, and whether it was checked.
#[expect(clippy::cast_precision_loss, reason = "shown to people")]
fn facts_of(course: &CourseView, names: &[String], block: BlockIndex) -> Option<String> {
    let place = course.place(block)?;
    let rows = (place.row + 1, place.row + place.rows);
    let cols = (place.col + 1, place.col + place.cols);
    let mut facts = vec![texts::block(block.0 + 1, rows, cols)];
    let milliseconds = |micros: u64| micros as f64 / 1e3;
    match course.find(block) {
        None => facts.push(texts::NOT_COMPUTED.to_owned()),
        Some(found) => {
            let name = name_of(names, found.device);
            match found.stored_us {
                None => {
                    let since_us = course.age_us.saturating_sub(found.leased_us);
                    facts.push(texts::block_running(name, milliseconds(since_us)));
                }
                Some(stored_us) => {
                    let compute_ms = milliseconds(found.compute_us);
                    let stored_ms = milliseconds(stored_us);
                    facts.push(texts::block_done(name, compute_ms, stored_ms, found.epoch));
                    let checked = if found.is_verified {
                        texts::CHECKED
                    } else {
                        texts::NOT_CHECKED
                    };
                    facts.push(checked.to_owned());
                }
            }
            if let Some(before) = found.taken_from {
                facts.push(texts::block_moved(name_of(names, before)));
            }
        }
    }
    Some(facts.join("; "))
}

/// The block at a share of the map's width and height.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place outside of the map saturates, and is no block"
)]
fn block_under(course: &CourseView, across: f64, down: f64) -> Option<BlockIndex> {
    if !(0.0..1.0).contains(&across) || !(0.0..1.0).contains(&down) {
        return None;
    }
    let row = (down * f64::from(course.rows)) as u32;
    let col = (across * f64::from(course.cols)) as u32;
    course.block_at(row, col)
}

/// Where a key leads from a block: up and down a column of blocks, left and right to the next one.
fn block_after_key(course: &CourseView, now: Option<BlockIndex>, key: &str) -> Option<BlockIndex> {
    const PAGE: u32 = 10;
    let last = course.block_count().checked_sub(1)?;
    let column = course.rows.div_ceil(course.rows_per_block.max(1));
    let here = now.map_or(0, |block| block.0);
    let there = match key {
        "Home" => 0,
        "End" => last,
        // The first key shows where one is.
        "ArrowUp" | "ArrowDown" | "ArrowLeft" | "ArrowRight" | "PageUp" | "PageDown"
            if now.is_none() =>
        {
            0
        }
        "ArrowUp" => here.saturating_sub(1),
        "ArrowDown" => here.saturating_add(1),
        "ArrowLeft" if column <= last => here.checked_sub(column).unwrap_or(here),
        "ArrowRight" if here.saturating_add(column) <= last => here + column,
        "ArrowLeft" if last < column => here.saturating_sub(1),
        "ArrowRight" if last < column => here.saturating_add(1),
        "ArrowLeft" | "ArrowRight" => here,
        "PageUp" => here.saturating_sub(PAGE),
        "PageDown" => here.saturating_add(PAGE),
        _ => return None,
    };
    Some(BlockIndex(there.min(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course() -> CourseView {
        CourseView {
            rows: 40,
            cols: 20,
            rows_per_block: 10,
            cols_per_block: 10,
            ..CourseView::default()
        }
    }

    #[test]
    fn keys_lead_through_all_blocks_and_no_further() {
        let course = course();
        let go = |from: Option<u32>, key| {
            block_after_key(&course, from.map(BlockIndex), key).map(|block| block.0)
        };
        assert_eq!(go(None, "ArrowDown"), Some(0));
        assert_eq!(go(Some(0), "ArrowDown"), Some(1));
        assert_eq!(go(Some(1), "ArrowRight"), Some(5));
        assert_eq!(go(Some(5), "ArrowRight"), Some(5));
        assert_eq!(go(Some(5), "ArrowLeft"), Some(1));
        assert_eq!(go(Some(7), "ArrowDown"), Some(7));
        assert_eq!(go(Some(3), "End"), Some(7));
        assert_eq!(go(Some(3), "Tab"), None);
        assert_eq!(block_after_key(&CourseView::default(), None, "End"), None);
    }

    #[test]
    fn the_legend_names_some_devices_and_counts_all_blocks() {
        let block = |number: u32| wire::BlockView {
            block: BlockIndex(number),
            device: number,
            leased_us: 0,
            receive_us: 0,
            wait_us: 0,
            compute_us: 0,
            stored_us: (number != 0).then_some(1),
            epoch: 1,
            is_verified: false,
            taken_from: None,
        };
        let device = wire::CourseDevice {
            worker: wire::WorkerId::from_bytes([1; 16]),
            kind: wire::WorkerKind::Browser,
            name: "phone".to_owned(),
        };
        let course = CourseView {
            rows: 40,
            devices: vec![device; 20],
            blocks: (0..20).map(block).collect(),
            ..course()
        };
        let course = CourseView {
            rows_per_block: 2,
            ..course
        };
        let names: Vec<String> = (0..20).map(|number| format!("phone {number}")).collect();
        let legend = legend_of(&course, &names);
        assert_eq!(legend[0], ("device-1".to_owned(), "phone 1: 1".to_owned()));
        let texts: Vec<&str> = legend[12..].iter().map(|(_, text)| text.as_str()).collect();
        let running = format!("{}: 1", texts::RUNNING);
        let pending = format!("{}: 20", texts::NOT_COMPUTED);
        assert_eq!(texts, [texts::other_devices(7, 7), running, pending]);
    }

    #[test]
    fn a_pointer_is_over_the_block_that_is_drawn_there() {
        let course = course();
        assert_eq!(block_under(&course, 0.0, 0.0), Some(BlockIndex(0)));
        assert_eq!(block_under(&course, 0.99, 0.99), Some(BlockIndex(7)));
        assert_eq!(block_under(&course, 1.0, 0.5), None);
        assert_eq!(block_under(&course, f64::NAN, 0.5), None);
    }
}
