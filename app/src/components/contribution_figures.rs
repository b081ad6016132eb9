//! both: the figures of `My Node Contribution`.

use leptos::prelude::*;
use wire::{ContributionView, DeviceView, JobView, WorkerId};

use crate::compute_worker::{ComputeState, ComputeStateSignal};
use crate::dynamic::dynamic;
use crate::format::{megaflops, milliseconds};
use crate::live::Live;
use crate::texts::contribution as texts;

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

/// How one figure is written.
type FigureText = fn(&Figures) -> String;

/// One list, each figure once for this browser and once for the serving node.
///
/// In a job both columns are the job's own record, so that the page and the
/// API show the same numbers; over all jobs this browser counts for itself.
#[component]
pub(crate) fn ContributionFigures(of_job: bool) -> impl IntoView {
    let live = Live::expect();
    let state = ComputeStateSignal::expect();
    let browser = Memo::new(move |_| {
        let state = state.read();
        let state = state.as_ref()?;
        if !of_job {
            return Some(of_browser(state));
        }
        let job = live.job.read();
        Some(figures_in(job.as_ref()?, state.worker(), &state.device))
    });
    let node = Memo::new(move |_| {
        let account = live.account.read();
        let account = account.as_ref()?;
        if !of_job {
            return Some(of_account(account));
        }
        let job = live.job.read();
        Some(figures_in(
            job.as_ref()?,
            Some(account.worker),
            &account.device,
        ))
    });
    let rows = move || {
        let (browser, node) = (browser.read(), node.read());
        let figures: [(&'static str, FigureText); 5] = [
            (texts::COMPUTE_TIME, |figures| {
                milliseconds(figures.compute_ms)
            }),
            (texts::MFLOPS, |figures| megaflops(figures.mflops)),
            (texts::OPERATIONS, |figures| figures.operations.to_string()),
            (texts::ROWS, |figures| figures.rows.to_string()),
            (texts::DEVICE, |figures| figures.device.clone()),
        ];
        let rows = figures.map(|(label, text)| {
            let show =
                |figures: &Option<Figures>| figures.as_ref().map_or_else(|| "–".to_owned(), text);
            view! {
                <div>
                    <dt>{label}</dt>
                    <dd>{show(&browser)}</dd>
                    <dd>{show(&node)}</dd>
                </div>
            }
        });
        rows.into_iter().collect_view()
    };
    let node_name = move || {
        let account = live.account.read();
        let name = account.as_ref().map(|account| texts::node(&account.name));
        name.unwrap_or_else(|| texts::THIS_NODE.to_owned())
    };
    view! {
        <dl class="figures">
            <div class="figures-head">
                <dt>{if of_job { texts::IN_JOB } else { texts::IN_ALL }}</dt>
                <dd>{texts::THIS_BROWSER}</dd>
                <dd>{dynamic(node_name)}</dd>
            </div>
            {dynamic(rows)}
        </dl>
    }
}

fn figures_in(job: &JobView, worker: Option<WorkerId>, device: &str) -> Figures {
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
