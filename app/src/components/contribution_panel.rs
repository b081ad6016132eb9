//! both: the panel `My Node Contribution`, on every page.

use leptos::either::Either;
use leptos::prelude::*;

use super::{ContributionControls, ContributionFigures};
use crate::compute_worker::{ComputeState, ComputeStateSignal};
use crate::dynamic::dynamic;
use crate::texts::contribution as texts;

/// How much room the panel takes, and what its figures are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PanelPlace {
    /// One line, at the foot of a page about something else; all jobs.
    Folded,
    /// Unfolded, among others, on the page of the job that it is about.
    OfJob,
    /// It is what the page is about; all jobs.
    Subject,
}

/// What this browser and the serving node have done, in one job or in all.
#[component]
pub(crate) fn ContributionPanel(place: PanelPlace) -> impl IntoView {
    let body = view! {
        <ContributionFigures of_job=place == PanelPlace::OfJob />
        <ContributionControls />
    };
    if place == PanelPlace::Subject {
        Either::Left(view! {
            <section class="panel contribution wide" aria-labelledby="contribution">
                <h1 id="contribution">{texts::TITLE}</h1>
                <p><Summary /></p>
                {body}
            </section>
        })
    } else {
        Either::Right(view! {
            <section class="panel contribution wide" aria-labelledby="contribution">
                <details open=place == PanelPlace::OfJob>
                    <summary>
                        <h2 id="contribution">{texts::TITLE}</h2>
                        <Summary />
                    </summary>
                    {body}
                </details>
            </section>
        })
    }
}

/// The panel at the foot of a page.
#[component]
pub(crate) fn FoldedContribution() -> impl IntoView {
    view! { <ContributionPanel place=PanelPlace::Folded /> }
}

/// Whether this device computes, and how fast, in one line.
#[component]
fn Summary() -> impl IntoView {
    let state = ComputeStateSignal::expect();
    view! { <span class="muted">{dynamic(move || state.read().as_ref().map(summary_of))}</span> }
}

fn summary_of(state: &ComputeState) -> String {
    if !state.contributing {
        return texts::OFF.to_owned();
    }
    if state.battery_low {
        return texts::BATTERY_LOW.to_owned();
    }
    if !state.connected {
        return texts::SEARCHING.to_owned();
    }
    texts::ready(state.threads, state.mflops)
}
