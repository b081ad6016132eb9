//! both: sends two files to the API in the background.
//!
//! `XMLHttpRequest`, because `fetch` does not tell how much of a body is sent.

use leptos::form::FromFormData;
use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{File, FormData, ProgressEvent, XmlHttpRequest};
use wire::{JobOptions, JobView, Problem};

use crate::api::SubmitJob;

/// The two file inputs and how far the upload is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upload {
    pub(crate) a: NodeRef<html::Input>,
    pub(crate) b: NodeRef<html::Input>,
    /// Why it did not work.
    pub(crate) problem: RwSignal<Option<String>>,
    /// Percent sent, while it is under way.
    pub(crate) progress: RwSignal<Option<u32>>,
    /// The form with the options, which hold for files too.
    form: NodeRef<html::Form>,
}

impl Upload {
    pub(crate) fn new(form: NodeRef<html::Form>) -> Self {
        Self {
            a: NodeRef::new(),
            b: NodeRef::new(),
            problem: RwSignal::new(None),
            progress: RwSignal::new(None),
            form,
        }
    }

    /// Whether a person has chosen a file: then these are what `Run` is about.
    pub(crate) fn has_files(self) -> bool {
        chosen_file(self.a).is_some() || chosen_file(self.b).is_some()
    }

    /// What the buttons call; made while the page is built, because leading to
    /// the job needs the router.
    pub(crate) fn starter(self) -> impl Fn() + Clone + 'static {
        let navigate = use_navigate();
        move || {
            let navigate = navigate.clone();
            let on_job =
                move |job: JobView| navigate(&format!("/jobs/{}", job.id), Default::default());
            self.problem.set(None);
            if let Err(problem) = self.start(on_job) {
                self.problem.set(Some(problem));
            }
        }
    }

    fn start(self, on_job: impl FnOnce(JobView) + 'static) -> Result<(), String> {
        let file = |input, name| {
            chosen_file(input).ok_or_else(|| format!("choose a file for matrix {name}"))
        };
        let (a, b) = (file(self.a, "A")?, file(self.b, "B")?);
        self.send(&a, &b, on_job)
            .map_err(|error| format!("the browser could not send the files: {error:?}"))
    }

    fn send(
        self,
        a: &File,
        b: &File,
        on_job: impl FnOnce(JobView) + 'static,
    ) -> Result<(), JsValue> {
        let body = FormData::new()?;
        body.append_with_blob("a", a)?;
        body.append_with_blob("b", b)?;
        let options = serde_json::to_string(&self.options()).map_err(|error| error.to_string())?;
        body.append_with_str("options", &options)?;

        let request = XmlHttpRequest::new()?;
        request.open("POST", "/api/v1/jobs")?;
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
            self.progress.set(None);
            match read_answer(&answered) {
                Ok(job) => on_job(job),
                Err(problem) => self.problem.set(Some(problem)),
            }
        });
        request.set_onloadend(Some(on_end.unchecked_ref()));
        self.progress.set(Some(0));
        request.send_with_opt_form_data(Some(&body))
    }

    fn options(self) -> JobOptions {
        let form = self.form.get_untracked();
        form.and_then(|form| FormData::new_with_form(&form).ok())
            .and_then(|fields| SubmitJob::from_form_data(&fields).ok())
            .map(|filled| filled.submission.options)
            .unwrap_or_default()
    }
}

fn chosen_file(input: NodeRef<html::Input>) -> Option<File> {
    input.get_untracked()?.files()?.get(0)
}

fn read_answer(request: &XmlHttpRequest) -> Result<JobView, String> {
    let text = request.response_text().ok().flatten().unwrap_or_default();
    match request.status() {
        Ok(200..=299) => serde_json::from_str(&text)
            .map_err(|error| format!("the node's answer was not understood: {error}")),
        Ok(0) | Err(_) => Err("the node did not answer while the files were sent".to_owned()),
        Ok(status) => Err(serde_json::from_str::<Problem>(&text).map_or_else(
            |_| format!("the node refused the files with status {status}"),
            |problem| problem.detail,
        )),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a whole, so between 0 and 100"
)]
fn percent(share: f64) -> u32 {
    (share * 100.0) as u32
}
