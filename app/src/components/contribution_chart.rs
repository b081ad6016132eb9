//! both: how much this browser has computed lately, and its share of all work.

use std::fmt::Write as _;

use leptos::prelude::*;

use crate::compute_worker::{ComputeStateSignal, History};
use crate::dynamic::dynamic;
use crate::format::{megaflops, percent};
use crate::live::{Live, all_operations};
use crate::texts::contribution as texts;

/// A line of MFLOPS over the last two minutes, and the share in words.
#[component]
pub(crate) fn ContributionChart() -> impl IntoView {
    let live = Live::expect();
    let state = ComputeStateSignal::expect();
    let history = ComputeStateSignal::history();
    let share = Memo::new(move |_| {
        let own = state.read().as_ref().and_then(|state| state.worker())?;
        live.nodes.with(|nodes| {
            let mut browsers = nodes.iter().flat_map(|node| &node.browsers);
            let done = browsers.find(|page| page.id == own)?.operations;
            let all = all_operations(nodes);
            (all > 0).then(|| texts::share(&percent(done, all)))
        })
    });
    view! {
        <section class="panel" aria-labelledby="chart">
            <h2 id="chart">{texts::CHART}</h2>
            {dynamic(move || history.with(chart))}
            <h2>{texts::SHARE}</h2>
            <p>{dynamic(move || share.get().unwrap_or_else(|| texts::SHARE_NONE.to_owned()))}</p>
        </section>
    }
}

fn chart(history: &History) -> AnyView {
    let peak = history.peak();
    if peak <= 0.0 {
        return view! { <p class="muted">{texts::CHART_EMPTY}</p> }.into_any();
    }
    view! {
        <svg
            class="chart"
            viewBox=format!("0 0 {} 100", History::SECONDS)
            preserveAspectRatio="none"
            role="img"
            aria-label=texts::chart_label(&megaflops(Some(peak)))
        >
            <path class="area" d=area_of(history, peak)></path>
        </svg>
        <p class="chart-scale muted">
            <span>"−2 min"</span>
            <span>{format!("{} MFLOPS", megaflops(Some(peak)))}</span>
        </p>
    }
    .into_any()
}

/// A step a second, from the oldest to the newest.
fn area_of(history: &History, peak: f64) -> String {
    let mut path = "M0 100".to_owned();
    for mflops in history.each_second() {
        let height = 95.0 * mflops / peak;
        write!(path, "V{:.1}h1", 100.0 - height).expect("writing to a string cannot fail");
    }
    path + "V100z"
}
