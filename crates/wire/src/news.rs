//! What a page shows, and how that changes.
//!
//! A page is sent all of it once, in its HTML or when it begins to watch, and after that only
//! [`News`]: what is new to it since. Both sides hold a [`Shown`]; the node compares two of them
//! ([`Shown::since`]), the page takes the difference in ([`Shown::merge`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    BrowserView, ContributionView, CourseView, DeviceView, JobId, JobStatus, JobSummary, JobView,
    JoinView, NodeId, NodeView, Problem, ResultPreview, Shape, WorkerId,
};

/// A job in one line of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLine {
    /// The job.
    pub id: JobId,
    /// Where it stands.
    pub status: JobStatus,
    /// Its sides.
    pub shape: Shape,
    /// Blocks of its cut.
    pub blocks_total: u32,
    /// Blocks that count as done.
    pub blocks_done: u32,
    /// Milliseconds since 1970, by the clock of the node it was submitted to.
    pub submitted_at_unix_ms: u64,
}

impl From<&JobSummary> for JobLine {
    fn from(job: &JobSummary) -> Self {
        Self {
            id: job.id,
            status: job.status,
            shape: job.shape,
            blocks_total: job.blocks_total,
            blocks_done: job.blocks_done,
            submitted_at_unix_ms: job.submitted_at_unix_ms,
        }
    }
}

/// What a page shows. Which parts are filled depends on the page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shown {
    /// Every node, the one that speaks first.
    pub nodes: Vec<NodeView>,
    /// Jobs, newest first.
    pub jobs: Vec<JobLine>,
    /// How many jobs there are; a list may show fewer.
    pub jobs_known: u32,
    /// The largest matrix side that the node that speaks takes.
    pub max_dim: Option<u32>,
    /// What the node that speaks has computed itself.
    pub account: Option<DeviceView>,
    /// How others join.
    pub join: Option<JoinView>,
    /// The job that the page is about.
    pub job: Option<JobView>,
    /// How it goes.
    pub course: CourseView,
    /// Its result, or a corner of it.
    pub preview: Option<ResultPreview>,
    /// Why there is nothing to show.
    pub problem: Option<Problem>,
    /// The form that was sent without script and did not work, and why.
    pub form_problem: Option<(String, String)>,
}

/// What is new to a page. An empty part has not changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct News {
    /// The path of the page that they are for: news on the way while a person went to another page
    /// are too late.
    pub path: String,
    /// They are all there is: what was shown before is not true any longer.
    pub is_whole: bool,
    /// They are too long for one message: more blocks of the course follow.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_part: bool,
    /// Nodes that are new or changed, without their pages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeView>,
    /// Nodes that are not listed any longer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes_gone: Vec<NodeId>,
    /// Pages that are new or changed, each with the node it computes through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub browsers: Vec<(NodeId, BrowserView)>,
    /// Pages that have left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub browsers_gone: Vec<(NodeId, WorkerId)>,
    /// Jobs that are new or changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobLine>,
    /// Jobs that are not listed any longer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs_gone: Vec<JobId>,
    /// How many jobs there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs_known: Option<u32>,
    /// See [`Shown::max_dim`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_dim: Option<u32>,
    /// See [`Shown::account`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<DeviceView>,
    /// See [`Shown::join`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<JoinView>,
    /// The job, with those of its contributions that have changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobView>,
    /// Blocks that have changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub course: Option<CourseView>,
    /// See [`Shown::preview`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<ResultPreview>,
    /// See [`Shown::problem`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// See [`Shown::form_problem`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form_problem: Option<(String, String)>,
}

impl News {
    /// Whether there is anything to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self
            == Self {
                path: self.path.clone(),
                ..Self::default()
            }
    }

    /// Whether anything is new of nodes and pages.
    #[must_use]
    pub fn has_nodes(&self) -> bool {
        self.is_whole
            || !(self.nodes.is_empty()
                && self.nodes_gone.is_empty()
                && self.browsers.is_empty()
                && self.browsers_gone.is_empty())
    }

    /// Whether anything is new in the list of jobs.
    #[must_use]
    pub fn has_jobs(&self) -> bool {
        self.is_whole || !(self.jobs.is_empty() && self.jobs_gone.is_empty())
    }
}

impl Shown {
    /// All of it, for a page that shows nothing yet.
    #[must_use]
    pub fn whole(&self, path: &str) -> News {
        News {
            is_whole: true,
            ..self.since(&Self::default(), path)
        }
    }

    /// What is new to a page that shows `before`.
    #[must_use]
    pub fn since(&self, before: &Self, path: &str) -> News {
        let is_known = |job: &&JobLine| before.jobs.iter().any(|known| known == *job);
        let jobs = self.jobs.iter().filter(|job| !is_known(job));
        let course = self.course.since(&before.course);
        News {
            path: path.to_owned(),
            is_whole: false,
            is_part: false,
            jobs: jobs.copied().collect(),
            jobs_gone: gone(&before.jobs, &self.jobs, |job| job.id),
            jobs_known: changed(&Some(self.jobs_known), &Some(before.jobs_known)),
            max_dim: changed(&self.max_dim, &before.max_dim),
            account: changed(&self.account, &before.account),
            join: changed(&self.join, &before.join),
            job: self.job_since(before.job.as_ref()),
            course: (course != before.course.since(&before.course)).then_some(course),
            preview: changed(&self.preview, &before.preview),
            problem: changed(&self.problem, &before.problem),
            form_problem: changed(&self.form_problem, &before.form_problem),
            ..self.nodes_since(before)
        }
    }

    fn nodes_since(&self, before: &Self) -> News {
        let without_browsers = |node: &NodeView| NodeView {
            browsers: Vec::new(),
            ..node.clone()
        };
        let mut news = News {
            nodes_gone: gone(&before.nodes, &self.nodes, |node| node.id),
            ..News::default()
        };
        let nobody = Vec::new();
        for node in &self.nodes {
            let known = before.nodes.iter().find(|known| known.id == node.id);
            let bare = without_browsers(node);
            if known.is_none_or(|known| without_browsers(known) != bare) {
                news.nodes.push(bare);
            }
            let known = known.map_or(&nobody, |known| &known.browsers);
            let known: BTreeMap<WorkerId, &BrowserView> =
                known.iter().map(|page| (page.id, page)).collect();
            let changed = node.browsers.iter();
            let changed = changed.filter(|page| known.get(&page.id) != Some(page));
            news.browsers
                .extend(changed.map(|page| (node.id, page.clone())));
            let here: BTreeSet<WorkerId> = node.browsers.iter().map(|page| page.id).collect();
            let left = known.keys().filter(|page| !here.contains(*page));
            news.browsers_gone.extend(left.map(|page| (node.id, *page)));
        }
        news
    }

    fn job_since(&self, before: Option<&JobView>) -> Option<JobView> {
        let job = self.job.as_ref()?;
        if before == Some(job) {
            return None;
        }
        let known: BTreeMap<WorkerId, &ContributionView> = before
            .into_iter()
            .flat_map(|before| &before.contributions)
            .map(|device| (device.worker, device))
            .collect();
        let contributions = job.contributions.iter();
        let changed = contributions.filter(|device| known.get(&device.worker) != Some(device));
        Some(JobView {
            contributions: changed.cloned().collect(),
            ..job.clone()
        })
    }

    /// Takes news in.
    pub fn merge(&mut self, news: News) {
        if news.is_whole {
            *self = Self::default();
        }
        merge_nodes(&mut self.nodes, &news);
        merge_jobs(&mut self.jobs, &news);
        self.jobs_known = news.jobs_known.unwrap_or(self.jobs_known);
        replace(&mut self.max_dim, news.max_dim);
        replace(&mut self.account, news.account);
        replace(&mut self.join, news.join);
        if let Some(job) = news.job {
            merge_job(&mut self.job, job);
        }
        if let Some(course) = news.course {
            self.course.merge(course);
        }
        replace(&mut self.preview, news.preview);
        replace(&mut self.problem, news.problem);
        replace(&mut self.form_problem, news.form_problem);
    }
}

/// Takes in what is new of nodes and their pages.
pub fn merge_nodes(nodes: &mut Vec<NodeView>, news: &News) {
    nodes.retain(|node| !news.nodes_gone.contains(&node.id));
    for changed in &news.nodes {
        let known = take(nodes, |node| node.id == changed.id);
        let node = NodeView {
            browsers: known.map(|known| known.browsers).unwrap_or_default(),
            ..changed.clone()
        };
        put(nodes, node, |node| (!node.is_self, node.id));
    }
    for (id, gone) in &news.browsers_gone {
        if let Some(node) = nodes.iter_mut().find(|node| node.id == *id) {
            take(&mut node.browsers, |page| page.id == *gone);
        }
    }
    for (id, changed) in &news.browsers {
        if let Some(node) = nodes.iter_mut().find(|node| node.id == *id) {
            take(&mut node.browsers, |page| page.id == changed.id);
            put(&mut node.browsers, changed.clone(), |page| page.id);
        }
    }
}

/// Takes in what is new in the list of jobs.
pub fn merge_jobs(jobs: &mut Vec<JobLine>, news: &News) {
    jobs.retain(|job| !news.jobs_gone.contains(&job.id));
    for changed in &news.jobs {
        take(jobs, |job| job.id == changed.id);
        put(jobs, *changed, |job| {
            (Reverse(job.submitted_at_unix_ms), job.id)
        });
    }
}

/// Takes in what is new of the job: all of it but the contributions that have not changed.
pub fn merge_job(known: &mut Option<JobView>, mut job: JobView) {
    let changed = std::mem::take(&mut job.contributions);
    if let Some(known) = known.take().filter(|known| known.id == job.id) {
        job.contributions = known.contributions;
    }
    for device in changed {
        take(&mut job.contributions, |known| {
            known.worker == device.worker
        });
        put(&mut job.contributions, device, |device| {
            (Reverse(device.rows), device.worker)
        });
    }
    *known = Some(job);
}

/// Takes an item out of a list.
fn take<T>(list: &mut Vec<T>, is_it: impl Fn(&T) -> bool) -> Option<T> {
    list.iter().position(is_it).map(|at| list.remove(at))
}

/// Puts an item where it belongs in a list that is in the order of `key`. One by one, because few
/// change, and sorting each list in its own way is a tenth of what a phone downloads.
fn put<T, K: Ord>(list: &mut Vec<T>, item: T, key: impl Fn(&T) -> K) {
    let at = list.partition_point(|known| key(known) < key(&item));
    list.insert(at, item);
}

fn gone<T, Id: Ord>(before: &[T], now: &[T], id_of: impl Fn(&T) -> Id) -> Vec<Id> {
    let here: BTreeSet<Id> = now.iter().map(&id_of).collect();
    let known = before.iter().map(&id_of);
    known.filter(|id| !here.contains(id)).collect()
}

fn changed<T: PartialEq + Clone>(now: &Option<T>, before: &Option<T>) -> Option<T> {
    (now != before).then(|| now.clone()).flatten()
}

fn replace<T>(shown: &mut Option<T>, news: Option<T>) {
    if news.is_some() {
        *shown = news;
    }
}

#[cfg(test)]
mod tests {
    use crate::{BlockCounts, JobOptions, NodeLiveness};

    use super::*;

    fn node(number: u8, pages: &[u8]) -> NodeView {
        NodeView {
            id: NodeId::from_bytes([number; 16]),
            name: format!("node {number}"),
            address: String::new(),
            status: NodeLiveness::Alive,
            is_self: number == 1,
            cores: 2,
            mflops: 1.0,
            operations: 0,
            device: String::new(),
            seen_by: Vec::new(),
            browsers: pages.iter().copied().map(page).collect(),
        }
    }

    fn page(number: u8) -> BrowserView {
        BrowserView {
            id: WorkerId::from_bytes([number; 16]),
            device: "phone".to_owned(),
            threads: 1,
            mflops: 2.0,
            operations: 0,
            visible: true,
            contributing: true,
        }
    }

    fn line(number: u8, blocks_done: u32) -> JobLine {
        JobLine {
            id: JobId::from_bytes([number; 16]),
            status: JobStatus::Running,
            shape: Shape {
                rows: 1,
                inner: 2,
                cols: 3,
            },
            blocks_total: 9,
            blocks_done,
            submitted_at_unix_ms: number.into(),
        }
    }

    fn job(devices: &[(u8, u32)]) -> JobView {
        let devices = devices.iter().map(|&(worker, rows)| ContributionView {
            worker: WorkerId::from_bytes([worker; 16]),
            kind: crate::WorkerKind::Native,
            name: String::new(),
            device: String::new(),
            blocks: 1,
            rows,
            operations: 1,
            compute_ms: 1.0,
            mflops: None,
            verified_blocks: 0,
        });
        JobView {
            id: JobId::from_bytes([1; 16]),
            status: JobStatus::Running,
            rows: 1,
            inner: 1,
            cols: 1,
            options: JobOptions::default(),
            coordinator: NodeId::from_bytes([1; 16]),
            epoch: 1,
            backups: Vec::new(),
            blocks: BlockCounts::default(),
            accepted_results: 0,
            computed_results: 0,
            rejected_results: 0,
            reassigned_blocks: 0,
            submitted_at: String::new(),
            completed_at: None,
            elapsed_ms: 1.0,
            expires_at: None,
            contributions: devices.collect(),
            disk_bytes: None,
            error: None,
        }
    }

    fn before() -> Shown {
        Shown {
            nodes: vec![node(1, &[5, 6]), node(2, &[7]), node(3, &[])],
            jobs: vec![line(3, 1), line(2, 1), line(1, 9)],
            jobs_known: 3,
            job: Some(job(&[(1, 9), (2, 3)])),
            ..Shown::default()
        }
    }

    fn after() -> Shown {
        Shown {
            nodes: vec![node(1, &[6]), node(2, &[7, 8])],
            jobs: vec![line(4, 0), line(3, 2), line(2, 1)],
            jobs_known: 4,
            job: Some(job(&[(3, 12), (1, 10), (2, 3)])),
            problem: Some(Problem::new(410, "gone")),
            ..Shown::default()
        }
    }

    #[test]
    fn news_make_what_was_shown_what_is() {
        let news = after().since(&before(), "/jobs");
        let mut shown = before();
        shown.merge(news);
        assert_eq!(shown, after());
    }

    #[test]
    fn the_whole_makes_anything_what_is() {
        let mut shown = before();
        shown.merge(after().whole("/jobs"));
        assert_eq!(shown, after());
    }

    #[test]
    fn only_what_changed_is_told() {
        let news = after().since(&before(), "/jobs");
        assert_eq!(news.nodes, [], "no node has changed, only pages");
        assert_eq!(news.browsers.len(), 1);
        assert_eq!(news.browsers_gone.len(), 1);
        assert_eq!(news.nodes_gone.len(), 1);
        let jobs: Vec<_> = news
            .jobs
            .iter()
            .map(|job| job.submitted_at_unix_ms)
            .collect();
        assert_eq!(jobs, [4, 3]);
        assert_eq!(news.job.unwrap().contributions.len(), 2);
        assert_eq!(news.account, None);
    }

    #[test]
    fn where_nothing_changed_nothing_is_told() {
        assert!(before().since(&before(), "/").is_empty());
        assert!(!before().whole("/").is_empty());
    }
}
