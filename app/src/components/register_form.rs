//! both: links to a node that discovery does not show.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use wire::NodeId;

use super::Alert;
use crate::api::RegisterNode;
use crate::dynamic::dynamic;
use crate::form_post::FormPost;
use crate::texts::nodes as texts;

/// An address and what came of it.
#[component]
pub(crate) fn RegisterForm() -> impl IntoView {
    let post = FormPost::new(RegisterNode::PATH);
    let linked = RwSignal::new(None::<String>);
    let on_answer = move |text: String| {
        let node = serde_json::from_str::<NodeId>(&text).ok();
        linked.try_set(node.map(|node| texts::linked(&node.short())));
    };
    view! {
        <section class="panel" aria-labelledby="register">
            <h2 id="register">{texts::REGISTER}</h2>
            <p class="muted">{texts::REGISTER_HELP}</p>
            <form
                method="post"
                action=RegisterNode::PATH
                novalidate
                on:submit=move |event| {
                    linked.set(None);
                    post.submit(&event, on_answer);
                }
            >
                <div class="inline-form">
                    <label class="field" for="node-address">
                        <span>{texts::REGISTER_LABEL}</span>
                        <input
                            id="node-address"
                            name="address"
                            type="text"
                            placeholder=texts::REGISTER_EXAMPLE
                            autocomplete="off"
                            autocapitalize="off"
                            spellcheck="false"
                        />
                    </label>
                    <button type="submit" disabled=move || post.progress.get().is_some()>
                        {texts::REGISTER_BUTTON}
                    </button>
                </div>
            </form>
            <Alert message=post.problem />
            {dynamic(move || linked.get().map(|text| view! { <p role="status">{text}</p> }))}
        </section>
    }
}
