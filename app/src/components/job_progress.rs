//! both: how far a job is, how fast it goes, and how long it will take.

use leptos::prelude::*;
use wire::{CourseView, JobStatus, JobView};

use crate::course::Pace;
use crate::dynamic::{attribute, dynamic};
use crate::format::{duration, flop_rate};
use crate::live::Live;
use crate::texts::job as texts;

/// A bar, and the same in words.
#[component]
pub(crate) fn JobProgress(live: Live) -> impl IntoView {
    let progress = Memo::new(move |_| {
        let job = live.job.read();
        job.as_ref()
            .map(|job| live.course.with(|course| Progress::of(job, course)))
            .unwrap_or_default()
    });
    let text_of = move |text: fn(&Progress) -> String| move || text(&progress.read());
    let some = move |text: fn(&Progress) -> String| attribute(move || Some(text(&progress.read())));
    view! {
        <div
            class="progress"
            role="progressbar"
            aria-label=texts::PROGRESS
            aria-valuemin="0"
            aria-valuemax="100"
            aria-valuenow=some(|progress| progress.percent.to_string())
            aria-valuetext=some(|progress| progress.done.clone())
        >
            <div class="progress-fill" style=some(|progress| format!("inline-size: {}%", progress.percent))></div>
        </div>
        <p class="progress-text">
            <span>{dynamic(text_of(|progress| progress.done.clone()))}</span>
            <span class="muted">{dynamic(text_of(|progress| progress.waiting.clone()))}</span>
            <span class="muted">{dynamic(text_of(|progress| progress.pace.clone()))}</span>
            <span class="muted">{dynamic(text_of(|progress| progress.elapsed.clone()))}</span>
        </p>
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Progress {
    /// Rounded down, so that 100 means done.
    percent: u64,
    done: String,
    waiting: String,
    pace: String,
    elapsed: String,
}

impl Progress {
    fn of(job: &JobView, course: &CourseView) -> Self {
        let blocks = job.blocks;
        let mut progress = Self {
            percent: (100 * u64::from(blocks.done))
                .checked_div(blocks.total.into())
                .unwrap_or(0),
            done: texts::blocks_done(blocks.done, blocks.total),
            elapsed: duration(job.elapsed_ms),
            ..Self::default()
        };
        if job.status == JobStatus::Running {
            progress.waiting = texts::blocks_waiting(blocks.assigned, blocks.pending);
            if let Some(pace) = Pace::of(course).filter(|_| blocks.total > 0) {
                let sides = [job.rows, job.inner, job.cols].map(f64::from);
                let block_flop = 2.0 * sides.iter().product::<f64>() / f64::from(blocks.total);
                let left = f64::from(blocks.total.saturating_sub(blocks.done));
                progress.pace = texts::pace(
                    &flop_rate(block_flop * pace.blocks_per_s),
                    left / pace.blocks_per_s * 1e3,
                );
            }
        }
        progress
    }
}
