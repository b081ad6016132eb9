//! both: `/contribution`, what this device does for the mesh.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::{
    ContributionChart, ContributionPanel, ContributionRules, PanelPlace, WithoutScript,
};
use crate::texts::contribution as texts;

/// The panel as a page of its own, with a chart and what there is to know.
#[component]
pub(crate) fn ContributionPage() -> impl IntoView {
    view! {
        <Title text=texts::TITLE />
        <ContributionPanel place=PanelPlace::Subject />
        <WithoutScript html=texts::NO_SCRIPT />
        <ContributionChart />
        <ContributionRules />
    }
}
