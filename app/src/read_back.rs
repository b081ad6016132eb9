//! both: takes over what was typed before the page came to life.
//!
//! Server-rendered inputs work at once. What somebody types while the script
//! is still loading is in the document only, and must not be lost.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use crate::job_form::{JobForm, MatrixDraft};

/// Reads the form's inputs once, as soon as they have come to life.
pub(crate) fn read_back(form_element: NodeRef<html::Form>, form: JobForm) {
    Effect::new(move |was_read: Option<bool>| {
        let Some(element) = form_element.get() else {
            return false;
        };
        if was_read == Some(true) {
            return true;
        }
        let text_of = |selector: &str| {
            let input = element.query_selector(selector).ok().flatten()?;
            Some(input.dyn_into::<HtmlInputElement>().ok()?.value())
        };
        // The cells first: a changed size draws the grid anew.
        for draft in [form.a, form.b] {
            read_back_matrix(draft, text_of);
        }
        let sides = [
            ("rows", form.rows),
            ("inner", form.inner),
            ("cols", form.cols),
        ];
        for (id, side) in sides {
            replace(side, text_of(&format!("#{id}")));
        }
        true
    });
}

fn read_back_matrix(draft: MatrixDraft, text_of: impl Fn(&str) -> Option<String>) {
    let name = draft.name.to_string().to_lowercase();
    replace(draft.seed, text_of(&format!("#{name}-seed")));
    let shown = draft.cells.get_untracked();
    let typed: Vec<String> = shown
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let selector = format!("[name='submission[{name}][]'][data-cell='{index}']");
            text_of(&selector).unwrap_or_else(|| text.clone())
        })
        .collect();
    if typed != shown {
        draft.cells.set(typed);
    }
}

fn replace(field: RwSignal<String>, typed: Option<String>) {
    if let Some(typed) = typed.filter(|typed| *typed != *field.read_untracked()) {
        field.set(typed);
    }
}
