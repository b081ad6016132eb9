//! both: deletes a job that has ended, and its result.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_navigate;

use super::Alert;
use crate::api::DeleteJob;
use crate::dynamic::dynamic;
use crate::form_post::FormPost;
use crate::texts::job as texts;

/// A button, once there is something to delete. It is folded away, so that nobody presses it by mistake.
#[component]
pub(crate) fn DeleteForm(id: String, has_ended: Signal<bool>) -> impl IntoView {
    let post = FormPost::new(DeleteJob::PATH);
    let navigate = use_navigate();
    let form = move || {
        let id = id.clone();
        let navigate = navigate.clone();
        has_ended.get().then(|| {
            view! {
                <details>
                    <summary>{texts::DELETE}</summary>
                    <p>{texts::DELETE_HINT}</p>
                    <form
                        method="post"
                        action=DeleteJob::PATH
                        on:submit=move |event| {
                            let navigate = navigate.clone();
                            // There is nothing left to show here.
                            post.submit(&event, move |_| navigate("/jobs", Default::default()));
                        }
                    >
                        <input type="hidden" name="id" value=id />
                        <button type="submit" class="quiet">
                            {texts::DELETE_NOW}
                        </button>
                    </form>
                </details>
            }
        })
    };
    view! {
        {dynamic(form)}
        <Alert message=post.problem />
    }
}
