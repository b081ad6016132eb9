//! both: what this browser computes, as `/compute-worker.js` tells it.
//!
//! That script starts before the pages come to life, owns the socket and the
//! Web Workers, and knows nothing of leptos. It leaves its state in
//! `window.matmesh.state` and announces each change as the event
//! `matmesh:state`, whose detail is the state as JSON. Here the state becomes a
//! signal. On the server there is none, and the first rendering in the browser
//! shows none either, so that both agree.

use std::collections::BTreeMap;

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
    pub(crate) device: String,
    pub(crate) threads: u32,
    pub(crate) threads_max: u32,
    pub(crate) contributing: bool,
    pub(crate) mflops: Option<f64>,
    jobs: BTreeMap<String, Tally>,
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
pub(crate) struct ComputeStateSignal(RwSignal<Option<ComputeState>>);

impl ComputeStateSignal {
    /// Listens to the script and provides the signal to everything below.
    pub(crate) fn provide() {
        let state = RwSignal::new(None);
        provide_context(Self(state));
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
