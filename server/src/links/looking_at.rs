//! What the person in front of a page looks at, and what is new to the page of that.

use tokio::time::Instant;
use wire::{FRAME_BYTES_MAX, News, Shown};

use crate::live::{Live, NEWS_INTERVAL, Subject, Watch};

/// A page has short paths; a longer one is cut, and shows nothing.
const PATH_CHARS_MAX: usize = 100;

/// Blocks in one piece of news: some megabytes less than a frame holds. The rest comes with the
/// next.
const BLOCKS_MAX: usize = FRAME_BYTES_MAX / 256;

/// The subject of one page.
#[derive(Debug)]
pub(super) struct LookingAt {
    live: Live,
    watch: Option<Watch>,
    path: String,
    /// What the page shows by now.
    shown: Shown,
    /// It shows nothing of this subject yet.
    is_new: bool,
    /// There may be something new.
    is_stale: bool,
    next_at: Instant,
}

impl LookingAt {
    pub(super) fn new(live: Live) -> Self {
        Self {
            live,
            watch: None,
            path: String::new(),
            shown: Shown::default(),
            is_new: true,
            is_stale: false,
            next_at: Instant::now(),
        }
    }

    /// The person went to another page.
    pub(super) fn turn_to(&mut self, path: &str) {
        self.path = path.chars().take(PATH_CHARS_MAX).collect();
        self.watch = Some(self.live.watch(Subject::of(&self.path)));
        self.shown = Shown::default();
        self.is_new = true;
        self.is_stale = true;
        self.next_at = Instant::now();
    }

    /// The next news as JSON, as soon as there are any, and not more often than people see.
    /// Dropping the future loses nothing.
    pub(super) async fn news(&mut self) -> Vec<u8> {
        let Some(watch) = &mut self.watch else {
            return std::future::pending().await;
        };
        loop {
            if !self.is_stale {
                watch.changed().await;
                self.is_stale = true;
            }
            // The rate: what changes meanwhile comes along.
            tokio::time::sleep_until(self.next_at).await;
            let now = watch.shown().await;
            self.is_stale = false;
            self.next_at = Instant::now() + NEWS_INTERVAL;
            let Some(now) = now else { continue };
            let mut news = if self.is_new {
                now.whole(&self.path)
            } else {
                now.since(&self.shown, &self.path)
            };
            news.is_part = cut(&mut news);
            if news.is_empty() {
                continue;
            }
            self.is_new = false;
            self.is_stale = news.is_part;
            if news.is_part {
                self.shown.merge(news.clone());
            } else {
                self.shown = now;
            }
            return serde_json::to_vec(&news).expect("views are plain words and numbers");
        }
    }
}

/// Leaves blocks for the next time. True when there are some.
fn cut(news: &mut News) -> bool {
    let Some(course) = &mut news.course else {
        return false;
    };
    let is_cut = course.blocks.len() > BLOCKS_MAX;
    course.blocks.truncate(BLOCKS_MAX);
    is_cut
}
