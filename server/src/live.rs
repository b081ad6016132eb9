//! What the pages of this node show, kept up to date for as long as somebody looks.
//!
//! A page says which address it shows; what that is made of is a [`Shown`], gathered here. Nodes and
//! the list of jobs are looked up for all pages at once. A job is followed by one task however many
//! pages show it, wherever it is coordinated, and no longer than they do. Each page is then sent
//! what is new to it: `links::page` compares.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster::Node;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use wire::{
    CourseView, DeviceView, JobId, JobLine, JobStatus, JobView, NodeView, Problem, ResultPreview,
    Shown, WorkerId,
};

use crate::jobs;
use crate::services::Services;
use crate::views;

/// People see no difference below this; a mesh that computes small blocks changes thousands of
/// times a second.
pub(crate) const NEWS_INTERVAL: Duration = Duration::from_millis(100);

/// A job that has ended changes when it expires, and its holders come and go.
const ENDED_INTERVAL: Duration = Duration::from_secs(2);

/// A view is made anew after this time even if nothing was announced.
const VIEW_AGE_MAX: Duration = Duration::from_secs(1);

/// The largest result that a page shows whole, and the corner of larger ones.
const PREVIEW_SIDE: u32 = 15;

/// On the page of new multiplications: a few, for who comes back to a result.
const RECENT_JOBS: usize = 5;

/// In the list of jobs. A table of thousands helps nobody; the API has them all.
const JOBS_LISTED_MAX: usize = 200;

/// What an address shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A new multiplication.
    New,
    /// All jobs.
    Jobs,
    /// One job; nothing where the address has no id.
    Job(Option<JobId>),
    /// Every device.
    Nodes,
    /// Anything else, which shows the devices' work at most.
    Other,
}

impl Subject {
    /// The subject of a path such as `/jobs/ID`.
    pub(crate) fn of(path: &str) -> Self {
        let mut parts = path.trim_matches('/').split('/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(""), None, _) => Self::New,
            (Some("jobs"), None, _) => Self::Jobs,
            (Some("jobs"), Some(id), None) => Self::Job(id.parse().ok()),
            (Some("nodes"), None, _) => Self::Nodes,
            _ => Self::Other,
        }
    }
}

/// What is known of a job that somebody looks at.
#[derive(Debug, Clone, Default, PartialEq)]
struct JobShown {
    job: Option<JobView>,
    course: CourseView,
    preview: Option<ResultPreview>,
    problem: Option<Problem>,
}

/// Nodes and jobs as this node knows them.
#[derive(Debug, Clone, Default, PartialEq)]
struct MeshShown {
    nodes: Vec<NodeView>,
    /// The newest ones.
    jobs: Vec<JobLine>,
    jobs_known: u32,
}

type JobReceiver = watch::Receiver<Arc<JobShown>>;

/// Everything that is looked at. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Live {
    services: Services,
    /// Empty while no page watches.
    mesh: Arc<watch::Sender<Arc<MeshShown>>>,
    /// Told when a page begins to.
    wanted: Arc<Notify>,
    jobs: Arc<Mutex<BTreeMap<JobId, watch::Sender<Arc<JobShown>>>>>,
}

impl Live {
    /// Begins to keep up with the mesh.
    pub fn start(services: Services) -> Self {
        let live = Self {
            services,
            mesh: Arc::new(watch::Sender::default()),
            wanted: Arc::default(),
            jobs: Arc::default(),
        };
        tokio::spawn(follow_mesh(live.clone()));
        live
    }

    /// What `subject` shows at this moment, for a page that is being made.
    pub(crate) async fn gather(&self, subject: Subject) -> Shown {
        let Ok(mesh) = look_at_mesh(&self.services).await else {
            return shutting_down();
        };
        let mut shown = self.common(subject, &mesh).await;
        // Of an address without an id the common parts say all.
        if let Subject::Job(Some(job)) = subject {
            let followed = self.lock().get(&job).map(|sender| sender.borrow().clone());
            let now = match followed.filter(|followed| followed.job.is_some()) {
                Some(followed) => followed,
                None => Arc::new(look_at_job(&self.services, job, &JobShown::default()).await),
            };
            show_job(&mut shown, &now);
        }
        shown
    }

    /// Follows `subject` for one page.
    pub(crate) fn watch(&self, subject: Subject) -> Watch {
        let job = match subject {
            Subject::Job(Some(job)) => Some(self.follow(job)),
            _ => None,
        };
        let mesh = self.mesh.subscribe();
        self.wanted.notify_one();
        Watch {
            live: self.clone(),
            subject,
            mesh,
            job,
        }
    }

    /// The task that follows a job, which lives as long as somebody listens.
    fn follow(&self, job: JobId) -> JobReceiver {
        let mut jobs = self.lock();
        if let Some(sender) = jobs.get(&job).filter(|sender| !sender.is_closed()) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(Arc::default());
        jobs.insert(job, sender);
        let (live, services) = (self.clone(), self.services.clone());
        tokio::spawn(async move {
            follow_job(&live, &services, job).await;
        });
        receiver
    }

    /// The parts that do not depend on a job.
    async fn common(&self, subject: Subject, mesh: &MeshShown) -> Shown {
        let listed = match subject {
            Subject::New => RECENT_JOBS,
            Subject::Jobs => JOBS_LISTED_MAX,
            _ => 0,
        };
        Shown {
            nodes: mesh.nodes.clone(),
            jobs: mesh.jobs.iter().take(listed).copied().collect(),
            jobs_known: mesh.jobs_known,
            max_dim: (subject == Subject::New).then_some(self.services.config.max_dim),
            account: own_account(&self.services).await.ok(),
            join: (subject == Subject::Nodes)
                .then(|| views::join_view(self.services.links.own_addresses())),
            problem: (subject == Subject::Job(None)).then(no_such_id),
            ..Shown::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, watch::Sender<Arc<JobShown>>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One page's look at one subject.
#[derive(Debug)]
pub(crate) struct Watch {
    live: Live,
    subject: Subject,
    mesh: watch::Receiver<Arc<MeshShown>>,
    job: Option<JobReceiver>,
}

impl Watch {
    /// Returns when something may have changed.
    pub(crate) async fn changed(&mut self) {
        let job = async {
            let is_news = match &mut self.job {
                Some(job) => job.changed().await.is_ok(),
                None => false,
            };
            if !is_news {
                // It is followed no longer: there is nothing new of it.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = job => {}
            changed = self.mesh.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// What there is to show now; nothing while it is not known yet.
    pub(crate) async fn shown(&mut self) -> Option<Shown> {
        let mesh = Arc::clone(&self.mesh.borrow_and_update());
        if *mesh == MeshShown::default() {
            return None;
        }
        let job = self.job.as_mut();
        let job = job.map(|job| Arc::clone(&job.borrow_and_update()));
        if job
            .as_deref()
            .is_some_and(|job| *job == JobShown::default())
        {
            return None;
        }
        let mut shown = self.live.common(self.subject, &mesh).await;
        if let Some(job) = job {
            show_job(&mut shown, &job);
        }
        Some(shown)
    }
}

fn show_job(shown: &mut Shown, job: &JobShown) {
    shown.job.clone_from(&job.job);
    shown.course = job.course.clone();
    shown.preview.clone_from(&job.preview);
    shown.problem.clone_from(&job.problem);
}

async fn follow_mesh(live: Live) {
    let mut changes = live.services.driver.changes();
    loop {
        if live.mesh.receiver_count() == 0 {
            // What it was is not to be shown when somebody looks again.
            live.mesh.send_replace(Arc::default());
            live.wanted.notified().await;
        }
        changes.mark_unchanged();
        let started = Instant::now();
        let Ok(mesh) = look_at_mesh(&live.services).await else {
            return;
        };
        live.mesh.send_if_modified(|shown| {
            let is_news = **shown != mesh;
            if is_news {
                *shown = Arc::new(mesh);
            }
            is_news
        });
        // A view costs more than a change: no more than one in so long.
        tokio::time::sleep_until(started + NEWS_INTERVAL).await;
        // An error within the time means that the driver has stopped.
        if let Ok(Err(_)) = tokio::time::timeout(VIEW_AGE_MAX, changes.changed()).await {
            return;
        }
    }
}

async fn look_at_mesh(services: &Services) -> Result<MeshShown, Problem> {
    let look = |node: &Node, _| {
        let listed = node.jobs().take(JOBS_LISTED_MAX);
        MeshShown {
            nodes: views::node_views(node),
            jobs: listed.map(JobLine::from).collect(),
            jobs_known: u32::try_from(node.jobs_known()).unwrap_or(u32::MAX),
        }
    };
    services.driver.look(look).await
}

async fn follow_job(live: &Live, services: &Services, job: JobId) {
    loop {
        let started = Instant::now();
        let Some(before) = live.lock().get(&job).map(|sender| sender.borrow().clone()) else {
            return;
        };
        let now = look_at_job(services, job, &before).await;
        let is_running = now
            .job
            .as_ref()
            .is_some_and(|job| job.status == JobStatus::Running);
        {
            let mut jobs = live.lock();
            let Some(sender) = jobs.get(&job) else { return };
            if sender.is_closed() {
                // Under the lock: who comes now finds no task and starts one.
                jobs.remove(&job);
                return;
            }
            sender.send_if_modified(|shown| {
                let is_news = **shown != now;
                if is_news {
                    *shown = Arc::new(now);
                }
                is_news
            });
        }
        let interval = if is_running {
            NEWS_INTERVAL
        } else {
            ENDED_INTERVAL
        };
        // The rate at which a job is looked at: its coordinator may be another node, which tells
        // nobody of each block.
        tokio::time::sleep_until(started + interval).await;
    }
}

/// A job as it is now. What cannot be had at the moment stays as it was known.
async fn look_at_job(services: &Services, job: JobId, before: &JobShown) -> JobShown {
    let view = match jobs::find(services, job).await {
        Ok(Some(view)) => view,
        Ok(None) => {
            return JobShown {
                problem: Some(jobs::unknown(&job.to_string())),
                ..JobShown::default()
            };
        }
        // Its coordinator does not answer: what was seen last is better than nothing.
        Err(problem) if problem.status >= 500 && before.job.is_some() => return before.clone(),
        Err(problem) => {
            return JobShown {
                problem: Some(problem),
                ..JobShown::default()
            };
        }
    };
    let mut course = before.course.clone();
    let is_settled = view.status != JobStatus::Running
        && before.job.as_ref().map(|job| job.status) == Some(view.status);
    if !is_settled && let Ok(fresh) = jobs::course(services, job).await {
        let changes = fresh.since(&course);
        course.merge(changes);
    }
    let preview = match &before.preview {
        None if view.status == JobStatus::Complete => {
            let preview = jobs::matrices::preview(services, job, PREVIEW_SIDE).await;
            preview.ok()
        }
        known => known.clone(),
    };
    JobShown {
        job: Some(view),
        course,
        preview,
        problem: None,
    }
}

/// What this node's own compute did.
async fn own_account(services: &Services) -> Result<DeviceView, Problem> {
    let status = services
        .driver
        .look(|node, _| node.own_status().cloned())
        .await?;
    let (name, device) = status
        .map(|status| (status.name, status.device))
        .unwrap_or_default();
    let total = services.account.total();
    Ok(DeviceView {
        worker: WorkerId::from(services.node),
        name,
        device,
        rows: total.rows,
        operations: total.operations,
        compute_ms: total.compute_ms,
    })
}

fn no_such_id() -> Problem {
    let detail = "no job has this id: a job's id is 32 digits from 0 to f";
    Problem::new(404, detail)
}

fn shutting_down() -> Shown {
    let detail = "this node is shutting down: open another node's address";
    Shown {
        problem: Some(Problem::new(503, detail)),
        ..Shown::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_its_page_shows() {
        let id = JobId::from_bytes([7; 16]);
        assert_eq!(Subject::of("/"), Subject::New);
        assert_eq!(Subject::of("/jobs"), Subject::Jobs);
        assert_eq!(Subject::of("/jobs/"), Subject::Jobs);
        assert_eq!(Subject::of(&format!("/jobs/{id}")), Subject::Job(Some(id)));
        assert_eq!(Subject::of("/jobs/none"), Subject::Job(None));
        assert_eq!(Subject::of("/nodes"), Subject::Nodes);
        assert_eq!(Subject::of("/contribution"), Subject::Other);
        assert_eq!(Subject::of("/jobs/1/2"), Subject::Other);
    }
}
