//! both: sends a form in the background, so that the device keeps computing.
//!
//! `XMLHttpRequest`, because `fetch` does not tell how much of a body is sent. Should the page's own
//! node be gone, the one that the device is linked to by now gets the form.

use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    FormData, HtmlFormElement, ProgressEvent, SubmitEvent, UrlSearchParams, XmlHttpRequest,
};
use wire::Problem;

use crate::AppError;
use crate::compute_worker::ComputeStateSignal;
use crate::live::Live;

/// One form: whether it is under way, and why it did not work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FormPost {
    pub(crate) problem: RwSignal<Option<String>>,
    /// Percent sent, while it is under way.
    pub(crate) progress: RwSignal<Option<u32>>,
    path: &'static str,
    linked_node: Signal<String>,
}

impl FormPost {
    /// A form that posts to `path`.
    pub(crate) fn new(path: &'static str) -> Self {
        Self {
            problem: RwSignal::new(Live::expect().problem_of_form(path)),
            progress: RwSignal::new(None),
            path,
            linked_node: ComputeStateSignal::elsewhere(),
        }
    }

    /// Sends the fields of the form that was submitted; `on_answer` gets the answer.
    pub(crate) fn submit(self, event: &SubmitEvent, on_answer: impl FnOnce(String) + 'static) {
        event.prevent_default();
        let form: HtmlFormElement = event_target(event);
        let sent = FormData::new_with_form(&form)
            .and_then(|fields| UrlSearchParams::new_with_str_sequence_sequence(&fields))
            .and_then(|fields| {
                self.send(on_answer, |request| {
                    request.send_with_opt_url_search_params(Some(&fields))
                })
            });
        self.note(sent);
    }

    /// Sends files and other parts; `on_answer` gets the answer.
    pub(crate) fn upload(self, parts: &FormData, on_answer: impl FnOnce(String) + 'static) {
        let sent = self.send(on_answer, |request| {
            request.send_with_opt_form_data(Some(parts))
        });
        self.note(sent);
    }

    fn note(self, sent: Result<(), JsValue>) {
        if let Err(error) = sent {
            self.progress.set(None);
            self.problem
                .set(Some(format!("the browser could not send it: {error:?}")));
        }
    }

    fn send(
        self,
        on_answer: impl FnOnce(String) + 'static,
        send: impl FnOnce(&XmlHttpRequest) -> Result<(), JsValue>,
    ) -> Result<(), JsValue> {
        self.problem.set(None);
        let request = XmlHttpRequest::new()?;
        let address = self.linked_node.get_untracked();
        request.open("POST", &format!("{address}{}", self.path))?;
        request.set_request_header("Accept", "application/json")?;
        let on_progress = Closure::<dyn FnMut(_)>::new(move |event: ProgressEvent| {
            if event.total() > 0.0 {
                self.progress
                    .set(Some(percent(event.loaded() / event.total())));
            }
        });
        request
            .upload()?
            .set_onprogress(Some(on_progress.as_ref().unchecked_ref()));
        let answered = request.clone();
        // Loaded, failed and aborted alike; it comes once.
        let on_end = Closure::once_into_js(move || {
            drop(on_progress);
            self.progress.try_set(None);
            match read_answer(&answered) {
                Ok(text) => on_answer(text),
                Err(problem) => {
                    self.problem.try_set(Some(problem));
                }
            }
        });
        request.set_onloadend(Some(on_end.unchecked_ref()));
        self.progress.set(Some(0));
        send(&request)
    }
}

fn read_answer(request: &XmlHttpRequest) -> Result<String, String> {
    let text = request.response_text().ok().flatten().unwrap_or_default();
    match request.status() {
        Ok(200..=299) => Ok(text),
        Ok(0) | Err(_) => Err("the node did not answer: it is looked for again".to_owned()),
        Ok(status) => {
            Err(reason_in(&text)
                .unwrap_or_else(|| format!("the node refused it with status {status}")))
        }
    }
}

/// The sentence in an answer of a server function, or of the API.
fn reason_in(text: &str) -> Option<String> {
    if let Ok(error) = serde_json::from_str::<AppError>(text) {
        return Some(error.to_string());
    }
    Some(serde_json::from_str::<Problem>(text).ok()?.detail)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a whole, so between 0 and 100"
)]
fn percent(share: f64) -> u32 {
    (share * 100.0) as u32
}
