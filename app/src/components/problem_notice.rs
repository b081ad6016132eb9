//! both: a page that has nothing else to show than why.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::AppError;

/// The error as a page of its own.
#[component]
pub(crate) fn ProblemNotice(error: AppError) -> impl IntoView {
    let title = match &error {
        AppError::Problem(problem) => problem.title.clone(),
        AppError::Unreachable => "No answer".to_owned(),
    };
    view! {
        <Title text=title.clone() />
        <section class="panel notice">
            <h1>{title}</h1>
            <p role="alert">{error.to_string()}</p>
            <p>
                <a href="/jobs">"All jobs"</a>
                " · "
                <a href="/">"New multiplication"</a>
            </p>
        </section>
    }
}
