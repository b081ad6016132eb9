//! both: the figures of `My Node Contribution`.

use leptos::prelude::*;
use wire::{ContributionView, DeviceView, JobView, WorkerId};

use crate::compute_worker::{ComputeState, ComputeStateSignal};
use crate::format::{megaflops, milliseconds};

/// What one device did. Whole numbers stay ungrouped: people compare them with
/// what the API says.
#[derive(Debug, Clone, PartialEq)]
struct Figures {
    device: String,
    rows: u64,
    operations: u64,
    compute_ms: f64,
    mflops: Option<f64>,
}

/// One list, each figure once for this browser and once for the serving node.
///
/// In a job both columns are the job's own record, so that the page and the
/// API show the same numbers; over all jobs this browser counts for itself.
#[component]
pub(crate) fn ContributionFigures(
    account: RwSignal<Option<DeviceView>>,
    job: Option<RwSignal<JobView>>,
) -> impl IntoView {
    let state = ComputeStateSignal::expect();
    let browser = Memo::new(move |_| {
        let state = state.read();
        let state = state.as_ref()?;
        Some(match job {
            Some(job) => of_job(&job.read(), state.worker(), &state.device),
            None => of_browser(state),
        })
    });
    let node = Memo::new(move |_| {
        let account = account.read();
        let account = account.as_ref()?;
        Some(match job {
            Some(job) => of_job(&job.read(), Some(account.worker), &account.device),
            None => of_account(account),
        })
    });
    let node_name = move || {
        let name = account.read().as_ref().map(|account| account.name.clone());
        name.map_or_else(|| "This node".to_owned(), |name| format!("Node {name}"))
    };
    let figure = move |label: &'static str, text: fn(&Figures) -> String| {
        let show = move |figures: Memo<Option<Figures>>| {
            figures.read().as_ref().map_or_else(|| "–".to_owned(), text)
        };
        view! {
            <div>
                <dt>{label}</dt>
                <dd>{move || show(browser)}</dd>
                <dd>{move || show(node)}</dd>
            </div>
        }
    };
    view! {
        <dl class="figures">
            <div class="figures-head">
                <dt>{if job.is_some() { "In this job" } else { "In all jobs" }}</dt>
                <dd>"This browser"</dd>
                <dd>{node_name}</dd>
            </div>
            {figure("Compute Time", |figures| milliseconds(figures.compute_ms))}
            {figure("MFLOPS", |figures| megaflops(figures.mflops))}
            {figure("Operations", |figures| figures.operations.to_string())}
            {figure("Rows Processed", |figures| figures.rows.to_string())}
            {figure("Device", |figures| figures.device.clone())}
        </dl>
    }
}

fn of_job(job: &JobView, worker: Option<WorkerId>, device: &str) -> Figures {
    let mut contributions = job.contributions.iter();
    match contributions.find(|contribution| Some(contribution.worker) == worker) {
        Some(contribution) => of_contribution(contribution),
        None => Figures {
            device: device.to_owned(),
            rows: 0,
            operations: 0,
            compute_ms: 0.0,
            mflops: None,
        },
    }
}

fn of_contribution(contribution: &ContributionView) -> Figures {
    Figures {
        device: contribution.device.clone(),
        rows: contribution.rows.into(),
        operations: contribution.operations,
        compute_ms: contribution.compute_ms,
        mflops: contribution.mflops,
    }
}

fn of_account(account: &DeviceView) -> Figures {
    Figures {
        device: account.device.clone(),
        rows: account.rows,
        operations: account.operations,
        compute_ms: account.compute_ms,
        mflops: rate(account.operations, account.compute_ms),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a script: whole, and a wrong sign saturates to 0"
)]
fn of_browser(state: &ComputeState) -> Figures {
    let total = state.total;
    let operations = total.operations as u64;
    Figures {
        device: state.device.clone(),
        rows: total.rows as u64,
        operations,
        compute_ms: total.compute_ms,
        // Until it has computed, what it was measured at when it began.
        mflops: rate(operations, total.compute_ms).or(state.mflops),
    }
}

/// Operations a millisecond, in thousands: millions a second.
#[expect(
    clippy::cast_precision_loss,
    reason = "a rate is shown with one decimal"
)]
fn rate(operations: u64, compute_ms: f64) -> Option<f64> {
    (compute_ms > 0.0).then(|| operations as f64 / compute_ms / 1_000.0)
}
