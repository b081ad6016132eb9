//! both: two files instead of typed entries.

use leptos::prelude::*;

use crate::upload::Upload;

/// A plain multipart form to the API, which leads a person's browser to the
/// job; with script the same request is sent in the background.
#[component]
pub(crate) fn UploadForm<Start: Fn() + 'static>(
    upload: Upload,
    start_upload: Start,
) -> impl IntoView {
    view! {
        <form
            class="upload panel"
            method="post"
            enctype="multipart/form-data"
            action="/api/v1/jobs"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                start_upload();
            }
        >
            <h2>"Or multiply two files"</h2>
            <p class="muted">"NumPy .npy, comma-separated .csv or Matrix Market .mtx; the sizes come from the files."</p>
            <div class="sizes">
                <label class="field" for="a-file">
                    <span>"Matrix A file"</span>
                    <input node_ref=upload.a id="a-file" name="a" type="file" accept=".npy,.csv,.mtx" />
                </label>
                <label class="field" for="b-file">
                    <span>"Matrix B file"</span>
                    <input node_ref=upload.b id="b-file" name="b" type="file" accept=".npy,.csv,.mtx" />
                </label>
            </div>
            <div class="actions">
                <button type="submit" disabled=move || upload.progress.get().is_some()>
                    "Multiply files"
                </button>
                {move || upload.progress.get().map(|percent| view! {
                    <progress max="100" value=percent.to_string() aria-label="Upload"></progress>
                    <span>{format!("{percent} % sent")}</span>
                })}
            </div>
        </form>
    }
}
