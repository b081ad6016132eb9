//! both: what the page shows, and how it is kept up to date.
//!
//! All of it comes as [`News`]: the first with the page itself, the others through the socket of
//! `/compute-worker.js`, which finds another node when this one dies. News go into one signal for
//! each part of a page; components read the signals and never ask.

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use wasm_bindgen::JsCast;
use wire::{
    CourseView, DeviceView, JobLine, JobStatus, JobView, JoinView, News, NodeId, NodeView, Problem,
    ResultPreview, Shown, merge_job, merge_jobs, merge_nodes,
};

use crate::compute_worker::watch;
use crate::page_material::first_news;

/// The parts of what is shown; see [`Shown`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Live {
    /// The path that it is true of.
    pub(crate) path: RwSignal<String>,
    pub(crate) nodes: RwSignal<Vec<NodeView>>,
    pub(crate) jobs: RwSignal<Vec<JobLine>>,
    pub(crate) jobs_known: RwSignal<u32>,
    /// The largest side that the node takes.
    pub(crate) max_dim: RwSignal<Option<u32>>,
    pub(crate) account: RwSignal<Option<DeviceView>>,
    pub(crate) join: RwSignal<Option<JoinView>>,
    pub(crate) job: RwSignal<Option<JobView>>,
    pub(crate) course: RwSignal<CourseView>,
    pub(crate) preview: RwSignal<Option<ResultPreview>>,
    pub(crate) problem: RwSignal<Option<Problem>>,
    /// Of a form that was sent before the page came to life.
    form_problem: StoredValue<Option<(String, String)>>,
}

impl Live {
    /// Shows what came with the page, and provides it to everything below.
    pub(crate) fn provide() {
        let mut shown = Shown::default();
        let news = first_news();
        let path = news.path.clone();
        shown.merge(news);
        provide_context(Self {
            path: RwSignal::new(path),
            nodes: RwSignal::new(shown.nodes),
            jobs: RwSignal::new(shown.jobs),
            jobs_known: RwSignal::new(shown.jobs_known),
            max_dim: RwSignal::new(shown.max_dim),
            account: RwSignal::new(shown.account),
            join: RwSignal::new(shown.join),
            job: RwSignal::new(shown.job),
            course: RwSignal::new(shown.course),
            preview: RwSignal::new(shown.preview),
            problem: RwSignal::new(shown.problem),
            form_problem: StoredValue::new(shown.form_problem),
        });
    }

    /// The one of the page.
    pub(crate) fn expect() -> Self {
        expect_context()
    }

    /// Listens for news, and says where the person goes. Needs the router.
    pub(crate) fn follow(self) {
        let path = use_location().pathname;
        Effect::new(move |_| {
            let path = path.get();
            if self.path.get_untracked() != path {
                self.forget(&path);
            }
            watch(&path);
        });
        Effect::new(move |_| {
            let listener = window_event_listener_untyped("matmesh:news", move |event| {
                let text = event
                    .dyn_ref::<web_sys::CustomEvent>()
                    .and_then(|event| event.detail().as_string());
                match text.map(|text| serde_json::from_str(&text)) {
                    Some(Ok(news)) => self.take_in(news),
                    Some(Err(error)) => leptos::logging::warn!("matmesh: unreadable news: {error}"),
                    None => {}
                }
            });
            on_cleanup(move || listener.remove());
        });
    }

    /// Why the form that posts to `path` did not work when it was sent without script.
    pub(crate) fn problem_of_form(self, path: &str) -> Option<String> {
        self.form_problem.with_value(|problem| {
            let (form, text) = problem.as_ref()?;
            (form == path).then(|| text.clone())
        })
    }

    /// Where the job stands.
    pub(crate) fn job_status(self) -> Option<JobStatus> {
        self.job.with(|job| job.as_ref().map(|job| job.status))
    }

    /// A node's name, with its short id: names need not differ.
    pub(crate) fn node_name(self, id: NodeId) -> String {
        self.nodes.with(|nodes| {
            let node = nodes.iter().find(|node| node.id == id);
            match node {
                Some(node) => format!("{} ({})", node.name, id.short()),
                None => id.short(),
            }
        })
    }

    /// What belongs to a page that is left: the next one is about something else.
    fn forget(self, path: &str) {
        self.path.set(path.to_owned());
        self.job.set(None);
        self.course.set(CourseView::default());
        self.preview.set(None);
        self.problem.set(None);
    }

    fn take_in(self, news: News) {
        if news.path != self.path.get_untracked() {
            return;
        }
        let (is_whole, is_part) = (news.is_whole, news.is_part);
        if news.has_nodes() {
            self.nodes.update(|nodes| {
                if is_whole {
                    nodes.clear();
                }
                merge_nodes(nodes, &news);
            });
        }
        if news.has_jobs() {
            self.jobs.update(|jobs| {
                if is_whole {
                    jobs.clear();
                }
                merge_jobs(jobs, &news);
            });
        }
        if let Some(known) = news.jobs_known {
            self.jobs_known.set(known);
        }
        if news.max_dim.is_some() {
            self.max_dim.set(news.max_dim);
        }
        if is_whole || news.account.is_some() {
            self.account.set(news.account);
        }
        if news.join.is_some() {
            self.join.set(news.join);
        }
        if let Some(course) = news.course {
            // All of it may come again, from another node: what was seen of blocks that changed
            // hands stays.
            self.course.update(|known| {
                let mut changes = if is_whole {
                    course.since(known)
                } else {
                    course
                };
                if is_part {
                    changes.pending_again.clear();
                }
                known.merge(changes);
            });
        }
        if is_whole || news.preview.is_some() {
            self.preview.set(news.preview);
        }
        if let Some(job) = news.job {
            self.job.update(|known| {
                if is_whole {
                    *known = None;
                }
                merge_job(known, job);
            });
        }
        if is_whole || news.problem.is_some() {
            self.problem.set(news.problem);
        }
    }
}

/// Floating-point operations of all devices together.
pub(crate) fn all_operations(nodes: &[NodeView]) -> u64 {
    let pages = nodes.iter().flat_map(|node| &node.browsers);
    let own = nodes.iter().map(|node| node.operations);
    own.chain(pages.map(|page| page.operations))
        .fold(0, u64::saturating_add)
}
