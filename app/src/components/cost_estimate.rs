//! both: what a multiplication will cost, before it is started.

use leptos::prelude::*;
use wire::{NodeLiveness, NodeView};

use crate::dynamic::dynamic;
use crate::format::{bytes, duration, flop_rate, operations};
use crate::job_form::JobForm;
use crate::live::Live;
use crate::texts::new_job as texts;
use crate::upload::Upload;

/// Operations, bytes, and the time with the devices that are here now.
#[component]
pub(crate) fn CostEstimate(form: JobForm, upload: Upload) -> impl IntoView {
    let live = Live::expect();
    let lines = move || {
        if upload.is_chosen.get() {
            return vec![texts::COST_FILES.to_owned()];
        }
        match form.sides() {
            Some(sides) => live.nodes.with(|nodes| cost_of(sides, nodes)),
            None => vec![texts::COST_UNKNOWN.to_owned()],
        }
    };
    view! {
        <section class="cost" aria-labelledby="cost">
            <h2 id="cost">{texts::COST}</h2>
            {dynamic(move || lines().into_iter().map(|line| view! { <p>{line}</p> }).collect_view())}
        </section>
    }
}

fn cost_of([rows, inner, cols]: [u32; 3], nodes: &[NodeView]) -> Vec<String> {
    let [rows, inner, cols] = [rows, inner, cols].map(f64::from);
    let flop = 2.0 * rows * inner * cols;
    let size = 8.0 * (rows * inner + inner * cols + rows * cols);
    let (mut devices, mut mflops) = (0, 0.0);
    for node in nodes {
        if node.status != NodeLiveness::Alive {
            continue;
        }
        let pages = node.browsers.iter().filter(|page| page.contributing);
        let speeds = std::iter::once(node.mflops).chain(pages.map(|page| page.mflops));
        for speed in speeds.filter(|speed| *speed > 0.0) {
            devices += 1;
            mflops += speed;
        }
    }
    let time = if devices == 0 {
        texts::COST_NOBODY.to_owned()
    } else {
        let time_ms = flop / (mflops * 1e3);
        texts::cost_time(&duration(time_ms), devices, &flop_rate(mflops * 1e6))
    };
    vec![texts::cost(&operations(flop), &bytes(size)), time]
}

#[cfg(test)]
mod tests {
    use wire::NodeId;

    use super::*;

    fn node(mflops: f64, status: NodeLiveness) -> NodeView {
        NodeView {
            id: NodeId::from_bytes([1; 16]),
            name: String::new(),
            address: String::new(),
            status,
            is_self: true,
            cores: 1,
            mflops,
            operations: 0,
            device: String::new(),
            seen_by: Vec::new(),
            browsers: Vec::new(),
        }
    }

    #[test]
    fn the_time_is_that_of_all_live_devices_together() {
        let nodes = [
            node(1_000.0, NodeLiveness::Alive),
            node(3_000.0, NodeLiveness::Alive),
            node(9_000.0, NodeLiveness::Unreachable),
            node(0.0, NodeLiveness::Alive),
        ];
        let lines = cost_of([1000, 1000, 1000], &nodes);
        assert!(lines[0].starts_with("2.0 G"), "{}", lines[0]);
        assert!(lines[0].contains("24.0 MB"), "{}", lines[0]);
        assert!(
            lines[1].contains("500 ms with the 2 devices"),
            "{}",
            lines[1]
        );
    }

    #[test]
    fn without_a_device_the_job_waits() {
        assert_eq!(cost_of([1, 1, 1], &[])[1], texts::COST_NOBODY);
    }
}
