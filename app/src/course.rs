//! both: a job's course as people see it: what the map, the time line and the report draw, the names
//! of its devices, and its pace.
//!
//! Strokes are in units of what they show, entries of C or steps of [`STEP_US`], and the picture is
//! stretched to its place. So what is drawn of a block that is done stays, however long the job takes.

mod names;
mod pace;
mod picture;

use wire::{BlockPlace, BlockView, CourseView};

pub(crate) use names::names_of;
pub(crate) use pace::Pace;
pub(crate) use picture::{DrawBlock, Layers, Look, Picture, Sheet};

/// Colours in the style sheet, `--device-0` on; after that they repeat.
const COLORS: u32 = 10;

/// Whole numbers make short paths: the time line counts in tenths of a millisecond.
pub(crate) const STEP_US: u64 = 100;

/// The height of a lane of the time line, and of the bar in it.
const LANE: u32 = 10;
const BAR: u32 = 8;

/// More lanes than this help nobody: the table of devices names all of them.
const LANES_MAX: usize = 250;

/// The style class of a device's colour.
pub(crate) fn color_class(device: u32) -> String {
    format!("device-{}", device % COLORS)
}

/// Strokes in a device's colour share a path with those of others that have the same.
fn in_color(kind: &'static str, device: u32) -> Look {
    let device = Some(device % COLORS);
    Look { kind, device }
}

fn plain(kind: &'static str) -> Look {
    Look { kind, device: None }
}

/// A block on the map: its area in its device's colour, and a mark if another had it first.
pub(crate) fn draw_on_map(course: &CourseView, block: &BlockView, layers: &mut Layers) {
    let (Some(place), Some(_)) = (course.place(block.block), course.device(block.device)) else {
        return;
    };
    let kind = match block.stored_us {
        Some(_) => "done",
        None => "running",
    };
    layers.areas.stroke(
        in_color(kind, block.device),
        format_args!("{}", outline(place)),
    );
    if block.taken_from.is_some() {
        let (bottom, rows, cols) = (place.row + place.rows, place.rows, place.cols);
        let mark = format_args!("M{} {bottom}l{cols}-{rows}", place.col);
        layers.marks.stroke(plain("moved"), mark);
    }
}

/// A block on the time line: what its device did with it, and a mark if another had it first.
pub(crate) fn draw_on_line(course: &CourseView, block: &BlockView, layers: &mut Layers) {
    if block.device as usize >= lane_count(course) {
        return;
    }
    let times = Phases::of(block, course.age_us);
    let top = block.device * LANE + (LANE - BAR) / 2;
    let bar = |sheet: &mut Sheet, look, (from, until): Span| {
        let (from, until) = (from / STEP_US, until / STEP_US);
        if until > from {
            let length = until - from;
            sheet.stroke(
                look,
                format_args!("M{from} {top}h{length}v{BAR}h-{length}z"),
            );
        }
    };
    // A device has several blocks at once: what it computes is seen, whatever the others wait for.
    bar(&mut layers.ground, plain("moving"), times.receiving);
    bar(&mut layers.ground, plain("waiting"), times.waiting);
    bar(
        &mut layers.areas,
        in_color("computing", block.device),
        times.computing,
    );
    bar(&mut layers.ground, plain("moving"), times.sending);
    if block.taken_from.is_some() {
        let at = times.receiving.0 / STEP_US;
        layers
            .marks
            .stroke(plain("moved"), format_args!("M{at} {top}v{BAR}"));
    }
}

/// Lanes of the time line.
pub(crate) fn lane_count(course: &CourseView) -> usize {
    course.devices.len().min(LANES_MAX)
}

/// Width and height of the time line: steps from the submission until now, or until the end.
pub(crate) fn line_size(course: &CourseView) -> (u64, u32) {
    let lanes = u32::try_from(lane_count(course)).unwrap_or(u32::MAX);
    let stored = course.blocks.iter().filter_map(|block| block.stored_us);
    let until_us = stored.fold(course.age_us, u64::max);
    (
        (until_us / STEP_US).max(1),
        LANE.saturating_mul(lanes).max(1),
    )
}

/// Lines across the time line where another node began to coordinate.
pub(crate) fn hand_over_lines(course: &CourseView) -> String {
    let (_, height) = line_size(course);
    // The first epoch begins with the job.
    let epochs = course.epochs.iter().skip(1);
    let line = |begun_us: u64| format!("M{} 0v{height}", begun_us / STEP_US);
    epochs.map(|epoch| line(epoch.begun_us)).collect()
}

/// The outline of one block.
pub(crate) fn outline(place: BlockPlace) -> String {
    let BlockPlace {
        row,
        col,
        rows,
        cols,
    } = place;
    format!("M{col} {row}h{cols}v{rows}h-{cols}z")
}

/// The lines between blocks; none where there are so many that nothing else would be seen.
pub(crate) fn map_lines(course: &CourseView) -> String {
    const LINES_MAX: u32 = 400;
    let mut path = String::new();
    let (rows, cols) = (course.rows, course.cols);
    for (side, step) in [(rows, course.rows_per_block), (cols, course.cols_per_block)] {
        if step == 0 || side / step > LINES_MAX {
            return String::new();
        }
    }
    let between = |side: u32, step: u32| (1..side.div_ceil(step)).map(move |line| line * step);
    for row in between(rows, course.rows_per_block) {
        path += &format!("M0 {row}h{cols}");
    }
    for col in between(cols, course.cols_per_block) {
        path += &format!("M{col} 0v{rows}");
    }
    path
}

/// From and until, in microseconds since the submission.
type Span = (u64, u64);

/// What a device did with a block, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Phases {
    receiving: Span,
    waiting: Span,
    computing: Span,
    sending: Span,
}

impl Phases {
    /// Devices tell their own figures: whatever they say, a phase lies between lease and storing.
    fn of(block: &BlockView, now_us: u64) -> Self {
        let end = block.stored_us.unwrap_or(now_us);
        let begin = block.leased_us.min(end);
        let after = |from: u64, length: u64| from.saturating_add(length).min(end);
        let received = after(begin, block.receive_us);
        let begun = after(received, block.wait_us);
        // Of a block on its way it is not known which phase it is in.
        let computed = match block.stored_us {
            Some(_) => after(begun, block.compute_us),
            None => begun,
        };
        Self {
            receiving: (begin, received),
            waiting: (received, begun),
            computing: (begun, computed),
            sending: (computed, end),
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::{BlockIndex, CourseDevice, EpochView, NodeId, WorkerId, WorkerKind};

    use super::*;

    fn block(number: u32, device: u32, stored_us: Option<u64>) -> BlockView {
        BlockView {
            block: BlockIndex(number),
            device,
            leased_us: 1_000,
            receive_us: 500,
            wait_us: 200,
            compute_us: 1_000,
            stored_us,
            epoch: 1,
            is_verified: false,
            taken_from: None,
        }
    }

    fn course(blocks: Vec<BlockView>) -> CourseView {
        let device = |number: u8| CourseDevice {
            worker: WorkerId::from_bytes([number; 16]),
            kind: WorkerKind::Native,
            name: String::new(),
        };
        CourseView {
            rows: 4,
            cols: 6,
            rows_per_block: 2,
            cols_per_block: 6,
            age_us: 4_000,
            devices: vec![device(1), device(2)],
            blocks,
            ..CourseView::default()
        }
    }

    /// What is settled and what is fleeting, on the ground, of areas and of marks.
    fn drawn(course: &CourseView, draw_block: DrawBlock) -> [String; 6] {
        let mut picture = Picture::of(course, draw_block);
        picture.sheets().map(|sheet| sheet.to_svg())
    }

    fn path(class: &str, d: &str) -> String {
        format!(r#"<path class="{class}" d="{d}"></path>"#)
    }

    #[test]
    fn a_block_is_drawn_where_it_lies_in_its_devices_colour() {
        let course = course(vec![block(0, 1, Some(3_000)), block(1, 0, None)]);
        let done = path("done device-1", "M0 0h6v2h-6z");
        let running = path("running device-0", "M0 2h6v2h-6z");
        assert_eq!(
            drawn(&course, draw_on_map),
            [
                String::new(),
                String::new(),
                done,
                running,
                String::new(),
                String::new()
            ]
        );
    }

    #[test]
    fn a_block_that_changed_hands_is_marked_in_both_pictures() {
        let moved = BlockView {
            taken_from: Some(0),
            ..block(1, 1, None)
        };
        let course = course(vec![moved]);
        assert_eq!(drawn(&course, draw_on_map)[5], path("moved", "M0 4l6-2"));
        assert_eq!(drawn(&course, draw_on_line)[5], path("moved", "M10 11v8"));
    }

    #[test]
    fn the_phases_of_a_block_follow_one_another_up_to_its_storing() {
        let course = course(vec![block(0, 0, Some(3_000))]);
        let ground = [
            path("moving", "M10 1h5v8h-5zM27 1h3v8h-3z"),
            path("waiting", "M15 1h2v8h-2z"),
        ];
        let computing = path("computing device-0", "M17 1h10v8h-10z");
        let drawn = drawn(&course, draw_on_line);
        assert_eq!([&drawn[0], &drawn[2]], [&ground.concat(), &computing]);
        assert_eq!(line_size(&course), (40, 20));
    }

    #[test]
    fn a_device_beyond_the_last_lane_has_none() {
        let mut course = course(vec![block(0, 250, Some(3_000)), block(1, 249, Some(3_000))]);
        course.devices = vec![course.devices[0].clone(); 300];
        assert_eq!(line_size(&course).1, 2_500);
        assert!(drawn(&course, draw_on_line)[2].contains("M17 2491h10"));
        assert!(!drawn(&course, draw_on_line)[2].contains("M17 2501"));
    }

    #[test]
    fn whatever_a_device_claims_its_phases_end_when_its_result_is_stored() {
        let claimed = BlockView {
            leased_us: u64::MAX,
            receive_us: u64::MAX,
            wait_us: u64::MAX,
            compute_us: u64::MAX,
            ..block(0, 0, Some(3_000))
        };
        assert_eq!(Phases::of(&claimed, 4_000).sending, (3_000, 3_000));
        let early = BlockView {
            leased_us: 0,
            ..claimed
        };
        assert_eq!(Phases::of(&early, 4_000).receiving, (0, 3_000));
    }

    #[test]
    fn every_epoch_but_the_first_is_a_hand_over() {
        let mut course = course(Vec::new());
        course.epochs = [0, 2_000].map(epoch).to_vec();
        assert_eq!(hand_over_lines(&course), "M20 0v20");
    }

    fn epoch(begun_us: u64) -> EpochView {
        EpochView {
            number: 1,
            coordinator: NodeId::from_bytes([1; 16]),
            begun_us,
        }
    }

    #[test]
    fn a_view_without_a_cut_has_no_lines() {
        assert_eq!(map_lines(&CourseView::default()), "");
        assert_eq!(map_lines(&course(Vec::new())), "M0 2h6");
    }
}
