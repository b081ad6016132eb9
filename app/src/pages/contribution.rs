//! both: `/contribution`, what this device does for the mesh.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::own_account;
use crate::components::{ContributionPanel, PanelPlace, WithoutScript};

/// The panel as a page of its own.
#[component]
pub(crate) fn ContributionPage() -> impl IntoView {
    let account = Resource::new(|| (), |()| own_account());
    view! {
        <Title text="My Node Contribution" />
        <Suspense>
            {move || Suspend::new(async move {
                view! { <ContributionPanel account=account.await.ok() place=PanelPlace::Subject /> }
            })}
        </Suspense>
        <WithoutScript html=r#"<p class="alert">Scripts are switched off, so this browser does not compute.</p>"# />
    }
}
