//! both: two files instead of typed entries.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use crate::dynamic::dynamic;
use crate::texts::new_job as texts;
use crate::upload::Upload;

/// A plain multipart form to the API, which leads a person's browser to the
/// job; with script the same request is sent in the background, and files can
/// be dropped on it.
#[component]
pub(crate) fn UploadForm<Start: Fn() + 'static>(
    upload: Upload,
    start_upload: Start,
) -> impl IntoView {
    let is_over = RwSignal::new(false);
    // Beside the form a file would take the page's place.
    Effect::new(move |_| {
        let listeners = ["dragover", "drop"].map(|name| {
            window_event_listener_untyped(name, |event| {
                let target = event.target();
                let is_field = target.is_some_and(|target| target.has_type::<HtmlInputElement>());
                if !is_field {
                    event.prevent_default();
                }
            })
        });
        on_cleanup(move || listeners.into_iter().for_each(|listener| listener.remove()));
    });
    let field = |letter: &'static str, id: &'static str, input: NodeRef<html::Input>| {
        view! {
            <label class="field" for=id>
                <span>{texts::file_label(letter)}</span>
                <input
                    node_ref=input
                    id=id
                    name=letter.to_ascii_lowercase()
                    type="file"
                    accept=".npy,.csv,.mtx"
                    on:change=move |_| upload.look()
                />
            </label>
        }
    };
    let progress = move || {
        upload.post.progress.get().map(|percent| {
            view! {
                <progress max="100" value=percent.to_string() aria-label=texts::UPLOAD></progress>
                <span>{texts::sent(percent)}</span>
            }
        })
    };
    let remove = move || {
        upload.is_chosen.get().then(|| {
            view! {
                <button type="button" class="quiet" on:click=move |_| upload.clear()>
                    {texts::REMOVE}
                </button>
            }
        })
    };
    view! {
        <form
            class="upload panel"
            class:drop-over=is_over
            method="post"
            enctype="multipart/form-data"
            action="/api/v1/jobs"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                start_upload();
            }
            on:dragover=move |event| {
                event.prevent_default();
                is_over.set(true);
            }
            on:dragleave=move |_| is_over.set(false)
            on:drop=move |event| {
                is_over.set(false);
                upload.drop_files(&event);
            }
        >
            <h2>{texts::FILES}</h2>
            <p class="muted">{texts::FILES_HELP}</p>
            <div class="sizes">
                {field("A", "a-file", upload.a)} {field("B", "b-file", upload.b)}
            </div>
            <div class="actions">
                <button type="submit" disabled=move || upload.post.progress.get().is_some()>
                    {texts::MULTIPLY_FILES}
                </button>
                {dynamic(remove)}
                {dynamic(progress)}
            </div>
        </form>
    }
}
