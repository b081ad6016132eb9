//! both: a page that has nothing else to show than why.

use leptos::prelude::*;
use leptos_meta::Title;
use wire::Problem;

use crate::texts;

/// The error as a page of its own.
#[component]
pub(crate) fn ProblemNotice(problem: Problem) -> impl IntoView {
    view! {
        <Title text=problem.title.clone() />
        <section class="panel notice">
            <h1>{problem.title}</h1>
            <p role="alert">{problem.detail}</p>
            <p>
                <a href="/jobs">{texts::new_job::ALL_JOBS}</a>
                " · "
                <a href="/">{texts::new_job::TITLE}</a>
            </p>
        </section>
    }
}
