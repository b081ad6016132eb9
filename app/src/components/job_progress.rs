//! both: how far a job is.

use leptos::prelude::*;
use wire::{JobStatus, JobView};

use crate::format::{duration, grouped};

/// A bar, and the same in words.
#[component]
pub(crate) fn JobProgress(#[prop(into)] job: Signal<JobView>) -> impl IntoView {
    let percent = Memo::new(move |_| percent_done(&job.read()));
    view! {
        <div
            class="progress"
            role="progressbar"
            aria-label="Blocks done"
            aria-valuemin="0"
            aria-valuemax="100"
            aria-valuenow=move || percent.get().to_string()
            aria-valuetext=move || blocks_text(&job.read())
        >
            <div class="progress-fill" style=move || format!("inline-size: {}%", percent.get())></div>
        </div>
        <p class="progress-text">
            <span>{move || blocks_text(&job.read())}</span>
            <span class="muted">{move || waiting_text(&job.read())}</span>
            <span class="muted">{move || duration(job.read().elapsed_ms)}</span>
        </p>
    }
}

/// Rounded down, so that 100 means done.
fn percent_done(job: &JobView) -> u64 {
    match job.blocks.total {
        0 => 0,
        total => 100 * u64::from(job.blocks.done) / u64::from(total),
    }
}

fn blocks_text(job: &JobView) -> String {
    let [done, total] = [job.blocks.done, job.blocks.total].map(|count| grouped(count.into()));
    format!("{done} of {total} blocks done")
}

fn waiting_text(job: &JobView) -> String {
    if job.status != JobStatus::Running {
        return String::new();
    }
    let [assigned, pending] =
        [job.blocks.assigned, job.blocks.pending].map(|count| grouped(count.into()));
    format!("{assigned} assigned, {pending} pending")
}
