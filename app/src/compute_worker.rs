//! both: what this browser computes, as `/compute-worker.js` tells it.
//!
//! That script starts before the pages come to life, owns the socket and the
//! Web Workers, and knows nothing of leptos. It leaves its state in
//! `window.matmesh.state` and announces each change as the event
//! `matmesh:state`, whose detail is the state as JSON. Here the state becomes a
//! signal. On the server there is none, and the first rendering in the browser
//! shows none either, so that both agree.

use std::collections::VecDeque;
use std::time::Duration;

use js_sys::{Function, JSON, Reflect};
use leptos::prelude::*;
use serde::Deserialize;
use wasm_bindgen::{JsCast, JsValue};
use wire::WorkerId;

/// The script's state. A field that an older script does not have is empty.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ComputeState {
    worker: String,
    pub(crate) connected: bool,
    /// The address of the node that the device is linked to, where that is not the page's own.
    pub(crate) elsewhere: String,
    pub(crate) device: String,
    pub(crate) threads: u32,
    pub(crate) threads_max: u32,
    pub(crate) contributing: bool,
    /// Paused by itself, because the battery is low.
    pub(crate) battery_low: bool,
    pub(crate) mflops: Option<f64>,
    pub(crate) total: Tally,
}

/// What this browser did, by its own count. Floating-point, because the script
/// has no other numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Tally {
    pub(crate) blocks: f64,
    pub(crate) rows: f64,
    pub(crate) operations: f64,
    pub(crate) compute_ms: f64,
}

impl ComputeState {
    /// The id of this browser among the workers of the mesh.
    pub(crate) fn worker(&self) -> Option<WorkerId> {
        self.worker.parse().ok()
    }
}

/// The state as a signal; nothing until the script has spoken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ComputeStateSignal(RwSignal<Option<ComputeState>>, RwSignal<History>);

/// What this browser computed in each of the last seconds, in MFLOPS.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct History {
    /// The newest last.
    seconds: VecDeque<f64>,
    /// Operations by the end of the newest second.
    operations: Option<f64>,
}

impl History {
    /// Seconds that are remembered.
    pub(crate) const SECONDS: usize = 120;

    /// What was computed before is of no second.
    fn begin(&mut self, operations: f64) {
        self.operations.get_or_insert(operations);
    }

    /// Another second is over.
    fn push(&mut self, operations: f64) {
        let before = self.operations.replace(operations);
        let done = before.map_or(0.0, |before| operations - before);
        // A new id begins to count anew.
        self.seconds.push_back(done.max(0.0) / 1e6);
        if self.seconds.len() > Self::SECONDS {
            self.seconds.pop_front();
        }
    }

    /// The most of any second.
    pub(crate) fn peak(&self) -> f64 {
        self.seconds.iter().copied().fold(0.0, f64::max)
    }

    /// One number for each of [`Self::SECONDS`], the oldest first; 0 where nothing is known.
    pub(crate) fn each_second(&self) -> impl Iterator<Item = f64> {
        let unknown = Self::SECONDS - self.seconds.len();
        std::iter::repeat_n(0.0, unknown).chain(self.seconds.iter().copied())
    }
}

impl ComputeStateSignal {
    /// Listens to the script and provides the signal to everything below.
    pub(crate) fn provide() {
        let state = RwSignal::new(None);
        let history = RwSignal::new(History::default());
        provide_context(Self(state, history));
        Effect::new(move |_| {
            // A rate needs a clock.
            let timer = set_interval_with_handle(
                move || {
                    let now = state.with_untracked(|state: &Option<ComputeState>| {
                        state.as_ref().map(|state| state.total.operations)
                    });
                    if let Some(operations) = now {
                        history.update(|history| history.push(operations));
                    }
                },
                Duration::from_secs(1),
            );
            on_cleanup(move || {
                if let Ok(timer) = timer {
                    timer.clear();
                }
            });
        });
        Effect::new(move |_| {
            // Before it knows its device, the script has not read its account either.
            if let Some(state) = state
                .read()
                .as_ref()
                .filter(|state| !state.device.is_empty())
            {
                history.update_untracked(|history| history.begin(state.total.operations));
            }
        });
        Effect::new(move |_| {
            state.set(current_state());
            let listener = window_event_listener_untyped("matmesh:state", move |event| {
                let announced = event
                    .dyn_ref::<web_sys::CustomEvent>()
                    .and_then(|event| event.detail().as_string())
                    .and_then(|text| parse_state(&text));
                if announced.is_some() && state.get_untracked() != announced {
                    state.set(announced);
                }
            });
            on_cleanup(move || listener.remove());
        });
    }

    /// Where requests go: the address of another node while the page's own is
    /// gone, and nothing, the page's own, otherwise.
    pub(crate) fn elsewhere() -> Signal<String> {
        let state = Self::expect();
        Signal::derive(move || {
            let state = state.read();
            state
                .as_ref()
                .map(|state| state.elsewhere.clone())
                .unwrap_or_default()
        })
    }

    /// What this browser did lately.
    pub(crate) fn history() -> RwSignal<History> {
        expect_context::<Self>().1
    }

    /// The signal of the page.
    pub(crate) fn expect() -> RwSignal<Option<ComputeState>> {
        expect_context::<Self>().0
    }
}

/// Takes this device into the mesh's work, or out of it.
pub(crate) fn set_contributing(contributing: bool) {
    call_script("setContributing", &JsValue::from_bool(contributing));
}

/// How many threads compute.
pub(crate) fn set_threads(threads: u32) {
    call_script("setThreads", &JsValue::from(threads));
}

/// Says what page this is: its news are wanted from now on.
pub(crate) fn watch(path: &str) {
    call_script("watch", &JsValue::from_str(path));
}

fn current_state() -> Option<ComputeState> {
    let state = Reflect::get(&script_object()?, &"state".into()).ok()?;
    parse_state(&JSON::stringify(&state).ok()?.as_string()?)
}

fn parse_state(text: &str) -> Option<ComputeState> {
    serde_json::from_str(text).ok()
}

/// The script may be missing or older: then the switch does nothing.
fn call_script(method: &str, argument: &JsValue) {
    let Some(script) = script_object() else {
        return;
    };
    let method = Reflect::get(&script, &method.into()).ok();
    if let Some(Ok(method)) = method.map(JsCast::dyn_into::<Function>) {
        // A failure is the script's own and already in the browser's console.
        let _ = method.call1(&script, argument);
    }
}

fn script_object() -> Option<JsValue> {
    let script = Reflect::get(&window(), &"matmesh".into()).ok()?;
    script.is_object().then_some(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_what_was_computed_in_it() {
        let mut history = History::default();
        for operations in [5e6, 7e6, 7e6, 1e6] {
            history.push(operations);
        }
        // The first look shows no rate, and a count that starts anew no negative one.
        let newest: Vec<f64> = history.each_second().skip(History::SECONDS - 4).collect();
        assert_eq!(newest, [0.0, 2.0, 0.0, 0.0]);
        assert_eq!(history.peak(), 2.0);
        assert_eq!(history.each_second().count(), History::SECONDS);
    }

    #[test]
    fn the_first_second_has_what_came_after_its_begin() {
        let mut history = History::default();
        history.begin(5e6);
        history.begin(6e6);
        history.push(8e6);
        assert_eq!(history.peak(), 3.0);
    }

    #[test]
    fn the_oldest_seconds_are_forgotten() {
        let mut history = History::default();
        for second in 0..500 {
            history.push(f64::from(second) * 1e6);
        }
        assert_eq!(history.each_second().count(), History::SECONDS);
        assert_eq!(history.peak(), 1.0);
    }
}
