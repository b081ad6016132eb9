//! both: deletes a job that has ended, and its result.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use super::Alert;
use crate::api::DeleteJob;
use crate::dynamic::dynamic;
use crate::form_post::FormPost;
use crate::texts::job as texts;

/// A button, once there is something to delete. It is folded away, so that nobody presses it by mistake.
#[component]
pub(crate) fn DeleteForm(id: String, has_ended: Signal<bool>) -> impl IntoView {
    let post = FormPost::new(DeleteJob::PATH);
    let form = move || {
        let id = id.clone();
        has_ended.get().then(|| {
            view! {
                <details>
                    <summary>{texts::DELETE}</summary>
                    <p>{texts::DELETE_HINT}</p>
                    <form
                        method="post"
                        action=DeleteJob::PATH
                        // The job's own news say that it worked.
                        on:submit=move |event| post.submit(&event, |_| ())
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
