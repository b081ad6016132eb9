//! both: how and where to compute.

use leptos::prelude::*;

/// The job's two options, the defaults first.
#[component]
pub(crate) fn OptionFields() -> impl IntoView {
    view! {
        <div class="options">
            <label class="field" for="arithmetic">
                <span>"Arithmetic"</span>
                <select id="arithmetic" name="submission[options][arithmetic]">
                    <option value="reproducible">"Reproducible: the same bits from any crowd"</option>
                    <option value="fast">"Fast: fused and in any order"</option>
                </select>
            </label>
            <label class="field" for="spread">
                <span>"Spread"</span>
                <select id="spread" name="submission[options][spread]">
                    <option value="all">"All: every device gets some rows"</option>
                    <option value="fastest">"Fastest: only devices that shorten the job"</option>
                </select>
            </label>
        </div>
    }
}
