//! both: who looks after a job.

use leptos::prelude::*;
use wire::{Arithmetic, JobView, Spread};

use crate::dynamic::dynamic;
use crate::format::rfc3339_time;
use crate::live::Live;
use crate::texts::job as texts;

/// Coordinator, backups, and what the coordinator counted.
#[component]
pub(crate) fn Coordination(live: Live) -> impl IntoView {
    let facts = Memo::new(move |_| {
        live.job
            .with(|job| job.as_ref().map(|job| facts_of(job, live)))
    });
    let rows = move || {
        let facts = facts.get().unwrap_or_default().into_iter();
        facts
            .map(|(name, text)| {
                view! {
                    <div>
                        <dt>{name}</dt>
                        <dd>{text}</dd>
                    </div>
                }
            })
            .collect_view()
    };
    view! {
        <section class="panel" aria-labelledby="coordination">
            <h2 id="coordination">{texts::COORDINATION}</h2>
            <dl class="facts">{dynamic(rows)}</dl>
        </section>
    }
}

/// Each fact with its name; the report shows them, too.
pub(crate) fn facts_of(job: &JobView, live: Live) -> Vec<(&'static str, String)> {
    let backups: Vec<String> = job
        .backups
        .iter()
        .map(|&node| live.node_name(node))
        .collect();
    let backups = if backups.is_empty() {
        texts::NOBODY.to_owned()
    } else {
        backups.join(", ")
    };
    // Of blocks that a dead coordinator had given away, its successor does not know to whom: who
    // watched does.
    let seen = live.course.with(|course| {
        let moved = course
            .blocks
            .iter()
            .filter(|block| block.taken_from.is_some());
        moved.count() as u64
    });
    let reassigned = job.reassigned_blocks.max(seen);
    let results = texts::results(
        job.accepted_results,
        job.computed_results,
        job.rejected_results,
        reassigned,
    );
    let mut facts = vec![
        (texts::COORDINATOR, live.node_name(job.coordinator)),
        (texts::EPOCH, job.epoch.to_string()),
        (texts::BACKUPS, backups),
        (texts::RESULTS, results),
        (texts::ARITHMETIC, options_text(job)),
        (texts::SUBMITTED, rfc3339_time(&job.submitted_at)),
    ];
    if let Some(expires_at) = &job.expires_at {
        facts.push((texts::KEPT_UNTIL, rfc3339_time(expires_at)));
    }
    facts
}

fn options_text(job: &JobView) -> String {
    let arithmetic = match job.options.arithmetic {
        Arithmetic::Reproducible => texts::REPRODUCIBLE,
        Arithmetic::Fast => texts::FAST,
    };
    let spread = match job.options.spread {
        Spread::All => texts::SPREAD_ALL,
        Spread::Fastest => texts::SPREAD_FASTEST,
    };
    format!("{arithmetic}, {spread}")
}
