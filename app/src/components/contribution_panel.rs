//! both: the panel `My Node Contribution`, on every page.

use leptos::either::Either;
use leptos::prelude::*;
use wire::{DeviceView, JobView};

use super::{ContributionControls, ContributionFigures};
use crate::api::own_account;
use crate::compute_worker::{ComputeState, ComputeStateSignal};
use crate::format::megaflops;
use crate::live::{AT_LEISURE, keep_fresh};

/// How much room the panel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PanelPlace {
    /// One line, at the foot of a page about something else.
    Folded,
    /// Unfolded, among others.
    Open,
    /// It is what the page is about.
    Subject,
}

/// What this browser and the serving node have done, in one job or in all.
#[component]
pub(crate) fn ContributionPanel(
    /// The serving node's own account over all jobs, as far as it is known.
    account: Option<DeviceView>,
    place: PanelPlace,
    /// The job that the figures are about; without one, all jobs.
    #[prop(optional)]
    job: Option<RwSignal<JobView>>,
) -> impl IntoView {
    let account = RwSignal::new(account);
    let is_open = RwSignal::new(place != PanelPlace::Folded);
    // In a job's panel the job itself brings new figures.
    if job.is_none() {
        keep_fresh(
            account,
            |_| Some(AT_LEISURE),
            move || async move {
                if is_open.try_get_untracked() == Some(true) {
                    own_account().await.map(Some)
                } else {
                    Ok(account.try_get_untracked().flatten())
                }
            },
        );
    }
    let body = view! {
        <ContributionFigures account job />
        <ContributionControls />
    };
    if place == PanelPlace::Subject {
        Either::Left(view! {
            <section class="panel contribution wide" aria-labelledby="contribution">
                <h1 id="contribution">"My Node Contribution"</h1>
                {body}
            </section>
        })
    } else {
        Either::Right(view! {
            <section class="panel contribution wide" aria-labelledby="contribution">
                <details
                    open=place == PanelPlace::Open
                    on:toggle=move |event| {
                        is_open.set(event_target::<web_sys::Element>(&event).has_attribute("open"));
                    }
                >
                    <summary>
                        <h2 id="contribution">"My Node Contribution"</h2>
                        <Summary />
                    </summary>
                    {body}
                </details>
            </section>
        })
    }
}

/// The panel at the foot of a page; fetches the node's account by itself.
#[component]
pub(crate) fn FoldedContribution() -> impl IntoView {
    let account = Resource::new(|| (), |()| own_account());
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                view! { <ContributionPanel account=account.await.ok() place=PanelPlace::Folded /> }
            })}
        </Suspense>
    }
}

/// The folded panel's line.
#[component]
fn Summary() -> impl IntoView {
    let state = ComputeStateSignal::expect();
    view! { <span class="muted">{move || state.read().as_ref().map(summary_of)}</span> }
}

fn summary_of(state: &ComputeState) -> String {
    if !state.contributing {
        return "switched off on this device".to_owned();
    }
    if !state.connected {
        return "looking for a node".to_owned();
    }
    let threads = state.threads;
    let plural = if threads == 1 { "" } else { "s" };
    match state.mflops {
        Some(mflops) if mflops > 0.0 => {
            format!(
                "{threads} thread{plural}, {} Mflop/s",
                megaflops(Some(mflops))
            )
        }
        _ => format!("{threads} thread{plural} ready"),
    }
}
