//! both: how and where to compute.

use leptos::prelude::*;

use crate::texts::new_job as texts;

/// The job's two options, the defaults first.
#[component]
pub(crate) fn OptionFields() -> impl IntoView {
    view! {
        <div class="options">
            <label class="field" for="arithmetic">
                <span>{texts::ARITHMETIC}</span>
                <select id="arithmetic" name="submission[options][arithmetic]">
                    <option value="reproducible">{texts::REPRODUCIBLE}</option>
                    <option value="fast">{texts::FAST}</option>
                </select>
            </label>
            <label class="field" for="spread">
                <span>{texts::SPREAD}</span>
                <select id="spread" name="submission[options][spread]">
                    <option value="all">{texts::SPREAD_ALL}</option>
                    <option value="fastest">{texts::SPREAD_FASTEST}</option>
                </select>
            </label>
        </div>
    }
}
