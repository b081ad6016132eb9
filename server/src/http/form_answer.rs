//! Answers for a person whose browser sent a form by itself, without script.

use axum::http::header::ACCEPT;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use wire::{JobId, Problem};

use super::problem::{add_retry_after, status_of};

/// Whether the answer is going to be looked at as a page.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|range| range.trim().starts_with("text/html"))
}

/// Leads to the job's page.
pub(super) fn lead_to(job: JobId) -> Response {
    Redirect::to(&format!("/jobs/{job}")).into_response()
}

/// What went wrong, and the way back. The browser's own way back keeps the
/// chosen files.
pub(super) fn problem_page(problem: &Problem) -> Response {
    let (title, detail) = (escape(&problem.title), escape(&problem.detail));
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title} · matmesh</title>\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;\
         padding:0 1rem;overflow-wrap:anywhere}}</style></head>\
         <body><main><h1>{title}</h1><p role=\"alert\">{detail}</p>\
         <p><a href=\"/\">Back to the new multiplication</a></p></main></body></html>\n"
    );
    let mut response = (status_of(problem), page).into_response();
    let value = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, value);
    add_retry_after(problem, &mut response);
    response
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_called_cannot_become_part_of_the_page() {
        assert_eq!(escape("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
    }
}
