//! both: a job's course as lines and areas: what the map, the time line and the report draw.
//!
//! Paths are in units of what they show, entries of C or steps of [`STEP_US`], and the picture is
//! stretched to its place. So a path changes only when its blocks do, not when time goes on.

use std::fmt::Write as _;

use wire::{BlockPlace, BlockView, CourseView};

/// Colours in the style sheet, `--device-0` on; after that they repeat.
const COLORS: u32 = 10;

/// Whole numbers make short paths: the time line counts in tenths of a millisecond.
pub(crate) const STEP_US: u64 = 100;

/// The height of a lane of the time line, and of the bar in it.
pub(crate) const LANE: u32 = 10;
const BAR: u32 = 8;

/// The style class of a device's colour.
pub(crate) fn color_class(device: u32) -> String {
    format!("device-{}", device % COLORS)
}

/// The map: for each device the outlines of the blocks that it has computed and of those that it
/// has, and marks on those that another had first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MapPaths {
    /// In the order of [`CourseView::devices`].
    pub(crate) done: Vec<String>,
    pub(crate) running: Vec<String>,
    pub(crate) moved: String,
}

impl MapPaths {
    pub(crate) fn of(course: &CourseView) -> Self {
        let devices = course.devices.len();
        let mut paths = Self {
            done: vec![String::new(); devices],
            running: vec![String::new(); devices],
            moved: String::new(),
        };
        for block in &course.blocks {
            let Some(place) = course.place(block.block) else {
                continue;
            };
            let of_device = match block.stored_us {
                Some(_) => &mut paths.done,
                None => &mut paths.running,
            };
            if let Some(path) = of_device.get_mut(block.device as usize) {
                push_rectangle(path, place);
            }
            if block.taken_from.is_some() {
                push_diagonal(&mut paths.moved, place);
            }
        }
        paths
    }
}

/// The outline of one block.
pub(crate) fn outline(place: BlockPlace) -> String {
    let mut path = String::new();
    push_rectangle(&mut path, place);
    path
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
        push(&mut path, format_args!("M0 {row}h{cols}"));
    }
    for col in between(cols, course.cols_per_block) {
        push(&mut path, format_args!("M{col} 0v{rows}"));
    }
    path
}

/// The time line: a lane a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LinePaths {
    /// In the order of [`CourseView::devices`]: when it computed.
    pub(crate) computing: Vec<String>,
    /// When it waited, all lanes in one path; likewise below.
    pub(crate) waiting: String,
    /// When inputs or a result were on their way.
    pub(crate) moving: String,
    /// When it was given a block that another had first.
    pub(crate) moved: String,
    /// When another node began to coordinate.
    pub(crate) hand_overs: String,
    /// Steps from the submission until now, or until the end; at least one.
    pub(crate) width: u64,
    /// Of all lanes together.
    pub(crate) height: u32,
}

impl LinePaths {
    pub(crate) fn of(course: &CourseView) -> Self {
        let lanes = u32::try_from(course.devices.len()).unwrap_or(u32::MAX);
        let height = LANE.saturating_mul(lanes);
        let latest = course.blocks.iter().filter_map(|block| block.stored_us);
        let width_us = latest.fold(course.age_us, u64::max);
        let mut paths = Self {
            computing: vec![String::new(); course.devices.len()],
            width: (width_us / STEP_US).max(1),
            height,
            ..Self::default()
        };
        for block in &course.blocks {
            paths.push_block(block, width_us);
        }
        // The first epoch begins with the job.
        for epoch in course.epochs.iter().skip(1) {
            let at = epoch.begun_us / STEP_US;
            push(&mut paths.hand_overs, format_args!("M{at} 0v{height}"));
        }
        paths
    }

    fn push_block(&mut self, block: &BlockView, now_us: u64) {
        let Some(computing) = self.computing.get_mut(block.device as usize) else {
            return;
        };
        let times = Phases::of(block, now_us);
        let top = block.device * LANE + (LANE - BAR) / 2;
        push_bar(computing, top, times.computing);
        push_bar(&mut self.moving, top, times.receiving);
        push_bar(&mut self.waiting, top, times.waiting);
        push_bar(&mut self.moving, top, times.sending);
        if block.taken_from.is_some() {
            let at = times.receiving.0 / STEP_US;
            push(&mut self.moved, format_args!("M{at} {top}v{BAR}"));
        }
    }
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

/// How quickly blocks come in, over the last moments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    pub(crate) blocks_per_s: f64,
}

/// Long enough to be steady, short enough to show that a device joined.
const PACE_US: u64 = 3_000_000;

impl Pace {
    /// Nothing as long as no block came in.
    #[expect(clippy::cast_precision_loss, reason = "shown to people")]
    pub(crate) fn of(course: &CourseView) -> Option<Self> {
        let from = course.age_us.saturating_sub(PACE_US);
        let stored = course.blocks.iter().filter_map(|block| block.stored_us);
        let recent = stored.filter(|at| *at >= from).count();
        let over_us = course.age_us - from;
        if recent == 0 || over_us == 0 {
            return None;
        }
        Some(Self {
            blocks_per_s: recent as f64 * 1e6 / over_us as f64,
        })
    }
}

fn push_rectangle(path: &mut String, at: BlockPlace) {
    let (row, col, rows, cols) = (at.row, at.col, at.rows, at.cols);
    push(path, format_args!("M{col} {row}h{cols}v{rows}h-{cols}z"));
}

fn push_diagonal(path: &mut String, at: BlockPlace) {
    let (bottom, col) = (at.row + at.rows, at.col);
    push(
        path,
        format_args!("M{col} {bottom}l{}-{}", at.cols, at.rows),
    );
}

fn push_bar(path: &mut String, top: u32, (from, until): Span) {
    let (from, until) = (from / STEP_US, until / STEP_US);
    if until > from {
        let length = until - from;
        push(
            path,
            format_args!("M{from} {top}h{length}v{BAR}h-{length}z"),
        );
    }
}

fn push(path: &mut String, step: std::fmt::Arguments<'_>) {
    path.write_fmt(step)
        .expect("writing to a string cannot fail");
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

    #[test]
    fn a_block_is_drawn_where_it_lies_in_its_devices_colour() {
        let paths = MapPaths::of(&course(vec![block(0, 1, Some(3_000)), block(1, 0, None)]));
        assert_eq!(paths.done, ["", "M0 0h6v2h-6z"]);
        assert_eq!(paths.running, ["M0 2h6v2h-6z", ""]);
        assert_eq!(paths.moved, "");
    }

    #[test]
    fn a_block_that_changed_hands_is_marked_in_both_pictures() {
        let moved = BlockView {
            taken_from: Some(0),
            ..block(1, 1, None)
        };
        let course = course(vec![moved]);
        assert_eq!(MapPaths::of(&course).moved, "M0 4l6-2");
        assert_eq!(LinePaths::of(&course).moved, "M10 11v8");
    }

    #[test]
    fn the_phases_of_a_block_follow_one_another_up_to_its_storing() {
        let paths = LinePaths::of(&course(vec![block(0, 0, Some(3_000))]));
        assert_eq!(paths.computing[0], "M17 1h10v8h-10z");
        assert_eq!(paths.waiting, "M15 1h2v8h-2z");
        assert_eq!(paths.moving, "M10 1h5v8h-5zM27 1h3v8h-3z");
        assert_eq!((paths.width, paths.height), (40, 20));
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
        assert_eq!(LinePaths::of(&course).hand_overs, "M20 0v20");
    }

    fn epoch(begun_us: u64) -> EpochView {
        EpochView {
            number: 1,
            coordinator: NodeId::from_bytes([1; 16]),
            begun_us,
        }
    }

    #[test]
    fn the_pace_is_that_of_the_last_moments() {
        assert_eq!(Pace::of(&course(Vec::new())), None);
        let recent = Pace::of(&course(vec![block(0, 0, Some(3_000)), block(1, 0, None)]));
        assert_eq!(
            recent,
            Some(Pace {
                blocks_per_s: 250.0
            })
        );
        let mut long = course(vec![block(0, 0, Some(3_000))]);
        long.age_us = 60_000_000;
        assert_eq!(Pace::of(&long), None);
    }

    #[test]
    fn a_view_without_a_cut_has_no_lines() {
        assert_eq!(map_lines(&CourseView::default()), "");
        assert_eq!(map_lines(&course(Vec::new())), "M0 2h6");
    }
}
