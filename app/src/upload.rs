//! both: two files on their way to the API.

use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DataTransfer, DragEvent, File, FormData, HtmlInputElement, HtmlSelectElement};
use wire::JobView;

use crate::form_post::FormPost;
use crate::texts::new_job as texts;

/// Where files go.
const JOBS: &str = "/api/v1/jobs";

/// The two file inputs and how far the upload is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upload {
    pub(crate) a: NodeRef<html::Input>,
    pub(crate) b: NodeRef<html::Input>,
    pub(crate) post: FormPost,
    /// Whether a file is chosen: then `Run` is about files.
    pub(crate) is_chosen: RwSignal<bool>,
}

impl Upload {
    pub(crate) fn new() -> Self {
        Self {
            a: NodeRef::new(),
            b: NodeRef::new(),
            post: FormPost::new(JOBS),
            is_chosen: RwSignal::new(false),
        }
    }

    /// Whether a person has chosen a file: then these are what `Run` is about.
    pub(crate) fn has_files(self) -> bool {
        chosen_file(self.a).is_some() || chosen_file(self.b).is_some()
    }

    /// A person may have chosen something.
    pub(crate) fn look(self) {
        self.is_chosen.set(self.has_files());
    }

    /// Back to typed entries.
    pub(crate) fn clear(self) {
        for input in [self.a, self.b] {
            if let Some(input) = input.get_untracked() {
                input.set_value("");
            }
        }
        self.post.problem.set(None);
        self.look();
    }

    /// Files that were dropped go to the first free fields; on a field, the browser puts one there.
    pub(crate) fn drop_files(self, event: &DragEvent) {
        let target = event.target();
        if target.is_some_and(|target| target.has_type::<HtmlInputElement>()) {
            return;
        }
        event.prevent_default();
        let files = event.data_transfer().and_then(|dropped| dropped.files());
        let Some(files) = files.filter(|files| files.length() > 0) else {
            return;
        };
        let is_free = |input: &NodeRef<html::Input>| chosen_file(*input).is_none();
        let mut free: Vec<_> = [self.a, self.b].into_iter().filter(is_free).collect();
        if free.is_empty() {
            free = vec![self.a, self.b];
        }
        let dropped = (0..files.length()).filter_map(|index| files.get(index));
        for (file, input) in dropped.zip(&free) {
            // A browser that does not let a script choose a file shows that none is chosen.
            let _ = put_file(*input, &file);
        }
        let too_many = files.length() as usize > free.len();
        self.post
            .problem
            .set(too_many.then(|| texts::DROP_MORE.to_owned()));
        self.look();
    }

    /// What the buttons call; made while the page is built, because leading to
    /// the job needs the router.
    pub(crate) fn starter(self) -> impl Fn() + Clone + 'static {
        let navigate = use_navigate();
        move || {
            let navigate = navigate.clone();
            let parts = match self.parts() {
                Ok(parts) => parts,
                Err(problem) => return self.post.problem.set(Some(problem)),
            };
            self.post.upload(&parts, move |text| {
                if let Ok(job) = serde_json::from_str::<JobView>(&text) {
                    navigate(&format!("/jobs/{}", job.id), Default::default());
                }
            });
        }
    }

    fn parts(self) -> Result<FormData, String> {
        let file = |input, name| {
            chosen_file(input).ok_or_else(|| format!("choose a file for matrix {name}"))
        };
        let (a, b) = (file(self.a, "A")?, file(self.b, "B")?);
        let parts = || -> Result<FormData, JsValue> {
            let parts = FormData::new()?;
            parts.append_with_blob("a", &a)?;
            parts.append_with_blob("b", &b)?;
            parts.append_with_str("options", &options())?;
            Ok(parts)
        };
        parts().map_err(|error| format!("the browser could not read the files: {error:?}"))
    }
}

/// What is chosen in the form above, which holds for files too.
fn options() -> String {
    let chosen = |id: &str| {
        let element = document().get_element_by_id(id)?;
        Some(element.dyn_into::<HtmlSelectElement>().ok()?.value())
    };
    let named = ["arithmetic", "spread"].map(|id| {
        let value = chosen(id);
        value.map(|value| format!("\"{id}\":\"{value}\""))
    });
    let named: Vec<String> = named.into_iter().flatten().collect();
    format!("{{{}}}", named.join(","))
}

fn put_file(input: NodeRef<html::Input>, file: &File) -> Result<(), JsValue> {
    let Some(input) = input.get_untracked() else {
        return Ok(());
    };
    let chosen = DataTransfer::new()?;
    chosen.items().add_with_file(file)?;
    input.set_files(chosen.files().as_ref());
    Ok(())
}

fn chosen_file(input: NodeRef<html::Input>) -> Option<File> {
    input.get_untracked()?.files()?.get(0)
}
