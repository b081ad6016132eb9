//! both: a picture of thousands of blocks that is drawn again ten times a second.
//!
//! Most of it never changes: a block that is done stays as it was drawn. So strokes are added to
//! paths, a path that is long is closed, and only paths that were touched are handed to the browser.

use std::fmt::{Arguments, Write as _};

use wire::{BlockView, CourseView};

use super::color_class;

/// A path with more than this much text is closed: the browser reads all of a path that grows.
const PATH_LONG: usize = 2_048;

/// How strokes look: a kind that the style sheet knows, and whose colour they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) kind: &'static str,
    /// A device's colour; see [`color_class`].
    pub(crate) device: Option<u32>,
}

impl Look {
    fn class(self) -> String {
        match self.device {
            Some(device) => format!("{} {}", self.kind, color_class(device)),
            None => self.kind.to_owned(),
        }
    }
}

/// Strokes of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) class: String,
    pub(crate) d: String,
}

/// Paths that lie side by side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sheet {
    paths: Vec<Path>,
    /// The path that strokes of a look are added to.
    open: Vec<(Look, usize)>,
    touched: Vec<usize>,
}

impl Sheet {
    pub(crate) fn stroke(&mut self, look: Look, stroke: Arguments<'_>) {
        let is_open =
            |(open, at): &&(Look, usize)| *open == look && self.paths[*at].d.len() <= PATH_LONG;
        let open = self.open.iter().find(is_open).map(|(_, at)| *at);
        let at = open.unwrap_or_else(|| {
            let class = look.class();
            self.paths.push(Path {
                class,
                d: String::new(),
            });
            let new = self.paths.len() - 1;
            self.open.retain(|(open, _)| *open != look);
            self.open.push((look, new));
            new
        });
        if !self.touched.contains(&at) {
            self.touched.push(at);
        }
        let written = self.paths[at].d.write_fmt(stroke);
        written.expect("writing to a string cannot fail");
    }

    /// Counts as touched what differs from the sheet that was here before.
    fn compare(&mut self, before: &Self) {
        let changed = |at: &usize| {
            before.touched.contains(at) || before.paths.get(*at) != self.paths.get(*at)
        };
        let known = before.touched.iter().map(|at| at + 1).max().unwrap_or(0);
        let longest = known.max(before.paths.len()).max(self.paths.len());
        self.touched = (0..longest).filter(changed).collect();
    }

    /// Each path that was touched since the last call, by its place; those that are gone are nothing.
    pub(crate) fn take_touched(&mut self) -> Vec<(usize, Option<&Path>)> {
        let touched = std::mem::take(&mut self.touched).into_iter();
        touched.map(|at| (at, self.paths.get(at))).collect()
    }

    /// As it stands in a document. Classes and strokes are our own words and numbers.
    pub(crate) fn to_svg(&self) -> String {
        let paths = self.paths.iter();
        paths
            .map(|Path { class, d }| format!(r#"<path class="{class}" d="{d}"></path>"#))
            .collect()
    }
}

/// What lies upon what: the ground is covered by areas, and both by marks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    pub(crate) ground: Sheet,
    pub(crate) areas: Sheet,
    pub(crate) marks: Sheet,
}

impl Layers {
    fn draw_anew(&mut self, draw: impl FnOnce(&mut Self)) {
        let mut before = std::mem::take(self);
        draw(self);
        let sheets = self.each_mut().into_iter().zip(before.each_mut());
        sheets.for_each(|(sheet, before)| sheet.compare(before));
    }

    fn each_mut(&mut self) -> [&mut Sheet; 3] {
        [&mut self.ground, &mut self.areas, &mut self.marks]
    }
}

/// What a block looks like.
pub(crate) type DrawBlock = fn(&CourseView, &BlockView, &mut Layers);

/// All blocks of a course, drawn.
#[derive(Debug)]
pub(crate) struct Picture {
    draw_block: DrawBlock,
    /// How C was cut when this was drawn.
    cut: CourseView,
    /// Blocks that were done.
    known: Vec<BlockView>,
    /// Of blocks that are done.
    settled: Layers,
    /// Of blocks that are on their way.
    fleeting: Layers,
}

impl Picture {
    pub(crate) fn of(course: &CourseView, draw_block: DrawBlock) -> Self {
        let mut picture = Self {
            draw_block,
            cut: CourseView::default(),
            known: Vec::new(),
            settled: Layers::default(),
            fleeting: Layers::default(),
        };
        picture.follow(course);
        picture
    }

    /// Draws what has changed.
    pub(crate) fn follow(&mut self, course: &CourseView) {
        let draw = |blocks: &[&BlockView], layers: &mut Layers| {
            for block in blocks {
                (self.draw_block)(course, block, layers);
            }
        };
        let blocks = course.blocks.iter();
        let (done, on_their_way): (Vec<_>, Vec<_>) =
            blocks.partition(|block| block.stored_us.is_some());
        let cut = course.cut();
        match newly_done(&self.known, &done).filter(|_| cut == self.cut) {
            Some(new) => draw(&new, &mut self.settled),
            None => self.settled.draw_anew(|layers| draw(&done, layers)),
        }
        self.fleeting
            .draw_anew(|layers| draw(&on_their_way, layers));
        self.cut = cut;
        self.known = done.into_iter().copied().collect();
    }

    /// The lowest first; of each layer what is settled, then what is fleeting.
    pub(crate) fn sheets(&mut self) -> [&mut Sheet; 6] {
        let [ground, areas, marks] = self.settled.each_mut();
        let [over_ground, over_areas, over_marks] = self.fleeting.each_mut();
        [ground, over_ground, areas, over_areas, marks, over_marks]
    }
}

/// The blocks of `done` that are not among `known`; nothing where one of those has changed, or is
/// gone. Both are in order.
fn newly_done<'b>(known: &[BlockView], done: &[&'b BlockView]) -> Option<Vec<&'b BlockView>> {
    let mut known = known.iter().peekable();
    let is_new = |block: &&&BlockView| known.next_if_eq(&**block).is_none();
    let new = done.iter().filter(is_new).copied().collect();
    known.next().is_none().then_some(new)
}

#[cfg(test)]
mod tests {
    use wire::BlockIndex;

    use super::*;

    fn draw(_: &CourseView, block: &BlockView, layers: &mut Layers) {
        let device = Some(block.device);
        layers.areas.stroke(
            Look {
                kind: "area",
                device,
            },
            format_args!("M{} 0", block.block.0),
        );
        if block.block.0 % 3 == 1 {
            layers.marks.stroke(
                Look {
                    kind: "mark",
                    device: None,
                },
                format_args!("m{} 0", block.block.0),
            );
        }
    }

    fn block(number: u32, device: u32, is_done: bool) -> BlockView {
        BlockView {
            block: BlockIndex(number),
            device,
            leased_us: 0,
            receive_us: 0,
            wait_us: 0,
            compute_us: 0,
            stored_us: is_done.then_some(1),
            epoch: 1,
            is_verified: false,
            taken_from: None,
        }
    }

    fn course(blocks: Vec<BlockView>) -> CourseView {
        CourseView {
            blocks,
            ..CourseView::default()
        }
    }

    /// The places of touched paths: areas that are settled and fleeting, marks likewise.
    fn touched(picture: &mut Picture) -> [Vec<usize>; 4] {
        let places = |sheet: &mut Sheet| sheet.take_touched().iter().map(|(at, _)| *at).collect();
        let [_, _, areas, over_areas, marks, over_marks] = picture.sheets().map(places);
        [areas, over_areas, marks, over_marks]
    }

    /// Whatever came before, a picture shows what one would see that is drawn at once.
    fn assert_shows(picture: &mut Picture, course: &CourseView) {
        let strokes = |picture: &mut Picture| {
            let sheets = picture.sheets().into_iter();
            let paths = sheets.flat_map(|sheet| &sheet.paths);
            let mut strokes: Vec<_> = paths
                .flat_map(|path| {
                    path.d
                        .split_inclusive(" 0")
                        .map(|d| (path.class.clone(), d.to_owned()))
                })
                .collect();
            strokes.sort();
            strokes
        };
        assert_eq!(strokes(picture), strokes(&mut Picture::of(course, draw)));
    }

    #[test]
    fn what_is_done_is_drawn_once() {
        let mut picture = Picture::of(&course(vec![block(1, 0, true), block(2, 1, false)]), draw);
        assert_eq!(touched(&mut picture), [vec![0], vec![0], vec![0], vec![]]);
        let next = course(vec![
            block(0, 3, true),
            block(1, 0, true),
            block(2, 1, false),
        ]);
        picture.follow(&next);
        assert_eq!(touched(&mut picture), [vec![1], vec![], vec![], vec![]]);
        assert_shows(&mut picture, &next);
    }

    #[test]
    fn a_block_that_was_done_and_has_changed_draws_all_anew() {
        let before = course(vec![block(0, 0, true), block(1, 0, true)]);
        for after in [
            course(vec![block(0, 0, true), block(1, 1, true)]),
            course(vec![block(1, 0, true)]),
            course(vec![]),
            CourseView {
                rows: 9,
                ..before.clone()
            },
        ] {
            let mut picture = Picture::of(&before, draw);
            picture.follow(&after);
            assert_shows(&mut picture, &after);
        }
    }

    #[test]
    fn a_long_path_is_closed_and_no_longer_touched() {
        let many = |count| course((0..count).map(|number| block(number, 0, true)).collect());
        let mut picture = Picture::of(&many(1_000), draw);
        touched(&mut picture);
        picture.follow(&many(1_001));
        let last = picture.settled.areas.paths.len() - 1;
        assert!(last > 0);
        assert_eq!(touched(&mut picture)[0], [last]);
        assert_shows(&mut picture, &many(1_001));
    }

    #[test]
    fn paths_that_are_gone_are_told() {
        let mut picture = Picture::of(&course(vec![block(1, 0, false)]), draw);
        touched(&mut picture);
        // Also when nobody looked in between.
        picture.follow(&course(vec![]));
        picture.follow(&course(vec![]));
        assert_eq!(picture.fleeting.areas.take_touched(), [(0, None)]);
        assert_eq!(picture.fleeting.marks.take_touched(), [(0, None)]);
        let svg = Picture::of(&course(vec![block(3, 2, true)]), draw)
            .settled
            .areas
            .to_svg();
        assert_eq!(svg, r#"<path class="area device-2" d="M3 0"></path>"#);
    }
}
