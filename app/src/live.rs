//! both: keeps what a page shows up to date, by asking again.
//!
//! Asking instead of a stream, because it goes on by itself after a node, a
//! link or a sleeping device came back. Runs in effects, so never on the
//! server.

use std::rc::Rc;
use std::time::Duration;

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::AppError;
use crate::answering_node::AnsweringNode;

/// While a job runs: a person sees this as continuous.
pub(crate) const WHILE_RUNNING: Duration = Duration::from_millis(300);

/// For lists and totals, where nobody waits for a change.
pub(crate) const AT_LEISURE: Duration = Duration::from_millis(1_000);

/// Between two looks at whether a hidden page is visible again.
const HIDDEN_LOOK_MS: u32 = 250;

/// A hidden page asks this many looks later than a visible one, and at once
/// when it is shown again.
const HIDDEN_LOOKS_MAX: u32 = 12;

/// Asks again and again and stores what is new, until `pause_before_next`
/// returns nothing for what is shown or the signal is gone with its page.
/// What cannot be had now is asked for again; what is shown stays.
pub(crate) fn keep_fresh<T, Fetch, Answer>(
    shown: RwSignal<T>,
    pause_before_next: impl Fn(&T) -> Option<Duration> + 'static,
    fetch: Fetch,
) where
    T: PartialEq + Send + Sync + 'static,
    Fetch: Fn() -> Answer + 'static,
    Answer: Future<Output = Result<T, AppError>> + 'static,
{
    let pause_before_next = Rc::new(pause_before_next);
    let fetch = Rc::new(fetch);
    let node = AnsweringNode::expect();
    Effect::new(move |_| {
        let (pause_before_next, fetch) = (Rc::clone(&pause_before_next), Rc::clone(&fetch));
        spawn_local(async move {
            while let Some(Some(pause)) = shown.try_with_untracked(&*pause_before_next) {
                wait(pause).await;
                let answer = fetch().await;
                node.note(&answer);
                let Ok(fresh) = answer else { continue };
                let is_new = shown.try_with_untracked(|shown| *shown != fresh);
                if is_new == Some(true) {
                    shown.try_set(fresh);
                }
            }
        });
    });
}

/// Waits, and longer while nobody looks.
async fn wait(pause: Duration) {
    TimeoutFuture::new(u32::try_from(pause.as_millis()).unwrap_or(u32::MAX)).await;
    for _ in 0..HIDDEN_LOOKS_MAX {
        if !document().hidden() {
            return;
        }
        TimeoutFuture::new(HIDDEN_LOOK_MS).await;
    }
}
