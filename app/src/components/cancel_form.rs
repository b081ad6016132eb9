//! both: ends a running job.

use leptos::form::ActionForm;
use leptos::prelude::*;
use wire::{JobStatus, JobView};

use super::Alert;
use crate::api::CancelJob;

/// A button while there is something to cancel.
#[component]
pub(crate) fn CancelForm(job: RwSignal<JobView>) -> impl IntoView {
    let cancel = ServerAction::<CancelJob>::new();
    Effect::new(move |_| {
        if let Some(Ok(cancelled)) = cancel.value().get() {
            job.set(cancelled);
        }
    });
    let error = Signal::derive(move || Some(cancel.value().get()?.err()?.to_string()));
    let is_running = Memo::new(move |_| job.read().status == JobStatus::Running);
    view! {
        <Show when=move || is_running.get()>
            <ActionForm action=cancel>
                <input type="hidden" name="id" value=move || job.read().id.to_string() />
                <button type="submit" class="quiet">
                    "Cancel"
                </button>
            </ActionForm>
        </Show>
        <Alert message=error />
    }
}
