//! both: ends a running job.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use super::Alert;
use crate::api::CancelJob;
use crate::dynamic::dynamic;
use crate::form_post::FormPost;
use crate::texts::job as texts;

/// A button while there is something to cancel.
#[component]
pub(crate) fn CancelForm(id: String, is_running: Signal<bool>) -> impl IntoView {
    let post = FormPost::new(CancelJob::PATH);
    let form = move || {
        let id = id.clone();
        is_running.get().then(|| {
            view! {
                <form
                    method="post"
                    action=CancelJob::PATH
                    // The job's own news say that it worked.
                    on:submit=move |event| post.submit(&event, |_| ())
                >
                    <input type="hidden" name="id" value=id />
                    <button type="submit" class="quiet">
                        {texts::CANCEL}
                    </button>
                </form>
            }
        })
    };
    view! {
        {dynamic(form)}
        <Alert message=post.problem />
    }
}
