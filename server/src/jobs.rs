//! What people and programs ask about one job, wherever it is: the API and the
//! pages come through here.
//!
//! A job is answered for by its coordinator. Here that is this node or another
//! one; [`locate`] says which. Its [`matrices`] have a file of their own.

pub(crate) mod matrices;

use std::time::Duration;

use cluster::{Input, JobProgress, Liveness, Node, Now};
use tokio::task::JoinSet;
use wire::{CourseView, JobId, JobStatus, JobView, NodeId, Problem};

use crate::http::forward::{self, Question};
use crate::services::Services;
use crate::views::{self, KnownJob};

/// How long other nodes have to say whether they know a job. One that is
/// about to be found dead does not hold a submission up for longer.
const OTHERS_WAIT: Duration = Duration::from_secs(1);

/// How long an end takes to come to the backups, at most.
const END_WAIT: Duration = Duration::from_secs(3);

/// Who answers for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// This node.
    Here,
    /// Its coordinator.
    At(NodeId),
}

/// Who answers for a job, as far as is known here.
#[derive(Debug)]
enum Known {
    Here,
    At(NodeId),
    Expired,
    Unknown,
}

impl Known {
    fn of(node: &Node, job: JobId) -> Self {
        if node.answers_for(job) {
            return Self::Here;
        }
        if node.is_expired(job) {
            return Self::Expired;
        }
        let holders = node.holders(job);
        let reached = holders.iter().find(|holder| node.reaches(**holder));
        match (reached, holders.first()) {
            (Some(holder), _) => Self::At(*holder),
            // Nobody else is there: what is known here is told.
            _ if node.replica(job).is_some() => Self::Here,
            (None, Some(away)) => Self::At(*away),
            (None, None) => Self::Unknown,
        }
    }

    async fn place(self, services: &Services, job: JobId) -> Result<Place, Problem> {
        match self {
            Self::Here => Ok(Place::Here),
            Self::At(node) => Ok(Place::At(node)),
            Self::Expired => Err(expired(job)),
            Self::Unknown => match services.store.is_expired(job).await {
                Ok(true) => Err(expired(job)),
                Ok(false) => Err(unknown(&job.to_string())),
                Err(error) => Err(store_failed(&error)),
            },
        }
    }
}

/// Who answers for `job`: 404 for one that was never known, 410 for an expired.
pub(crate) async fn locate(services: &Services, job: JobId) -> Result<Place, Problem> {
    let look = move |node: &Node, _| Known::of(node, job);
    services.driver.look(look).await?.place(services, job).await
}

/// Who answers for a job, and how far it is if that is this node.
type Found = (Known, Option<JobProgress>);

fn find_here(node: &Node, now: Now, job: JobId) -> Found {
    let known = Known::of(node, job);
    let is_here = matches!(known, Known::Here);
    let progress = is_here.then(|| node.progress(job, now.moment)).flatten();
    (known, progress)
}

/// The job as it is now; as this node's copy has it while its coordinator does
/// not answer.
pub(crate) async fn view(services: &Services, job: JobId) -> Result<JobView, Problem> {
    let look = move |node: &Node, now| find_here(node, now, job);
    let found = services.driver.look(look).await?;
    view_of(services, job, found).await
}

async fn view_of(
    services: &Services,
    job: JobId,
    (known, progress): Found,
) -> Result<JobView, Problem> {
    let node = match known.place(services, job).await? {
        Place::Here => return view_of_copy(services, job, progress),
        Place::At(node) => node,
    };
    if is_out_of_reach(services, job).await?
        && let Some(view) = known_here(services, job).await?
    {
        return Ok(view);
    }
    let question = Question::read(path_of(job));
    let asked = ask_coordinator(services, node, question);
    match tokio::time::timeout(OTHERS_WAIT, asked).await {
        Ok(Err(problem)) if problem.status >= 500 => {
            let copy = view_here(services, job).await;
            copy.map_err(|_| problem)
        }
        Ok(answer) => answer,
        Err(_) => match view_here(services, job).await {
            Ok(copy) => Ok(copy),
            // It may only be slow.
            Err(_) => ask_coordinator(services, node, Question::read(path_of(job))).await,
        },
    }
}

/// The job, if it is known anywhere; in short form while its coordinator is
/// away. A job that was submitted elsewhere a moment ago may not have been
/// heard of here, so the other nodes are asked as well.
pub(crate) async fn find(services: &Services, job: JobId) -> Result<Option<JobView>, Problem> {
    match view(services, job).await {
        Ok(view) => Ok(Some(view)),
        Err(problem) if problem.status == 410 => Err(problem),
        Err(problem) => match known_here(services, job).await? {
            Some(view) => Ok(Some(view)),
            None if problem.status == 404 => ask_everybody(services, job).await,
            None => Err(problem),
        },
    }
}

/// The job in short form, as this node has heard of it.
async fn known_here(services: &Services, job: JobId) -> Result<Option<JobView>, Problem> {
    let look = move |node: &Node, _| node.job(job).map(|summary| KnownJob::of(node, summary));
    let known = services.driver.look(look).await?;
    Ok(known.as_ref().map(views::summary_view))
}

/// Whether nobody who is there has a copy of a job that is known here.
pub(crate) async fn is_out_of_reach(services: &Services, job: JobId) -> Result<bool, Problem> {
    let look = move |node: &Node, _| node.job(job).is_some() && node.is_out_of_reach(job);
    services.driver.look(look).await
}

/// The first answer of a live node that knows the job; 410 where one knows that it is gone, and none has it.
async fn ask_everybody(services: &Services, job: JobId) -> Result<Option<JobView>, Problem> {
    let alive = services.driver.look(|node, _| {
        let peers = node.membership().peers();
        let alive = peers.filter(|(_, peer)| peer.liveness == Liveness::Alive);
        alive.map(|(id, _)| id).collect::<Vec<_>>()
    });
    let mut asked = JoinSet::new();
    for node in alive.await.unwrap_or_default() {
        let services = services.clone();
        asked.spawn(async move {
            let question = Question::read(path_of(job));
            let answer = ask_coordinator::<JobView>(&services, node, question);
            tokio::time::timeout(OTHERS_WAIT, answer).await.ok()
        });
    }
    let mut gone = None;
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Some(Ok(view))) => return Ok(Some(view)),
            Ok(Some(Err(problem))) if problem.status == 410 => gone = Some(problem),
            _ => {}
        }
    }
    gone.map_or(Ok(None), Err)
}

/// A job that this node answers for, as it is now.
pub(crate) async fn view_here(services: &Services, job: JobId) -> Result<JobView, Problem> {
    let look = move |node: &Node, now: Now| node.progress(job, now.moment);
    let progress = services.driver.look(look).await?;
    view_of_copy(services, job, progress)
}

fn view_of_copy(
    services: &Services,
    job: JobId,
    progress: Option<JobProgress>,
) -> Result<JobView, Problem> {
    let time_to_live = Duration::from_secs(services.config.result_ttl_s);
    progress
        .map(|progress| views::job_view(&progress, time_to_live))
        .ok_or_else(|| expired(job))
}

/// The job once it has ended or after `wait`, whoever coordinates it meanwhile:
/// every node is told of its end.
pub(crate) async fn view_after(
    services: &Services,
    job: JobId,
    wait: Duration,
) -> Result<JobView, Problem> {
    let end = move |node: &Node, now| (!node.is_running(job)).then(|| find_here(node, now, job));
    let waiting = services.driver.wait_for(job, end);
    match tokio::time::timeout(wait, waiting).await {
        Ok(ended) => view_of(services, job, ended?).await,
        Err(_) => view(services, job).await,
    }
}

/// What to do about a job that somebody does not want any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Cancel it if it runs; if it is complete, delete it and its result. One that was cancelled stays so.
    Any,
    /// Only cancel it: what ended meanwhile stays as it is.
    OfRunning,
    /// Only delete it: 409 if it runs.
    OfEnded,
}

impl Removal {
    /// The parameter `only` of a DELETE.
    pub(crate) fn named(text: &str) -> Option<Self> {
        match text {
            "running" => Some(Self::OfRunning),
            "ended" => Some(Self::OfEnded),
            _ => None,
        }
    }

    fn query(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::OfRunning => "?only=running",
            Self::OfEnded => "?only=ended",
        }
    }
}

/// Cancels a job or deletes it, wherever it is.
pub(crate) async fn remove(
    services: &Services,
    job: JobId,
    removal: Removal,
) -> Result<JobView, Problem> {
    if is_out_of_reach(services, job).await? {
        return remove_here(services, job, removal).await;
    }
    match locate(services, job).await? {
        Place::Here => remove_here(services, job, removal).await,
        Place::At(node) => {
            let question = Question {
                method: axum::http::Method::DELETE,
                ..Question::read(format!("{}{}", path_of(job), removal.query()))
            };
            ask_coordinator(services, node, question).await
        }
    }
}

/// The same by this node, which has a copy, though another may lead. Of a job that is deleted the answer is what
/// it was.
pub(crate) async fn remove_here(
    services: &Services,
    job: JobId,
    removal: Removal,
) -> Result<JobView, Problem> {
    // One whose holders are away may go on when they are back.
    let runs = move |node: &Node, _| node.is_running(job) || node.is_abandoned(job);
    if services.driver.look(runs).await? {
        if removal == Removal::OfEnded {
            let detail = format!("job {job} still runs: cancel it first");
            return Err(Problem::new(409, detail));
        }
        services.driver.tell_and_wait(Input::Cancel { job }).await?;
        // An end is told when the backups have it.
        return view_after(services, job, END_WAIT).await;
    }
    let ended = find(services, job).await?;
    let ended = ended.ok_or_else(|| unknown(&job.to_string()))?;
    let is_deletion = match removal {
        Removal::Any => ended.status == JobStatus::Complete,
        Removal::OfEnded => true,
        Removal::OfRunning => false,
    };
    if is_deletion {
        services.driver.tell_and_wait(Input::Delete { job }).await?;
    }
    Ok(ended)
}

/// How a job goes, block by block.
pub(crate) async fn course(services: &Services, job: JobId) -> Result<CourseView, Problem> {
    match locate(services, job).await? {
        Place::Here => course_here(services, job).await,
        Place::At(node) => {
            let question = Question::read(format!("{}/course", path_of(job)));
            ask_coordinator(services, node, question).await
        }
    }
}

/// The same by the copy that is here.
pub(crate) async fn course_here(services: &Services, job: JobId) -> Result<CourseView, Problem> {
    let course = services
        .driver
        .look(move |node, now| node.course(job, now.moment));
    course.await?.ok_or_else(|| expired(job))
}

/// The answer for a job that nobody has heard of.
pub(crate) fn unknown(job: &str) -> Problem {
    Problem::new(404, format!("no job has the id {job}: see /api/v1/jobs"))
}

/// The answer for a job that is gone.
pub(crate) fn expired(job: JobId) -> Problem {
    Problem::new(
        410,
        format!("job {job} has expired or was deleted, its result is gone: submit it again"),
    )
}

/// The answer when the store does not do its work.
pub(crate) fn store_failed(error: &crate::store::StoreError) -> Problem {
    tracing::error!(%error, "the store failed");
    match error {
        crate::store::StoreError::Full | crate::store::StoreError::ReadOnly => {
            Problem::new(507, error.to_string())
        }
        _ => Problem::new(500, error.to_string()),
    }
}

async fn ask_coordinator<T: serde::de::DeserializeOwned>(
    services: &Services,
    node: NodeId,
    question: Question,
) -> Result<T, Problem> {
    forward::ask_json(services, node, &question).await
}

fn path_of(job: JobId) -> String {
    format!("/api/v1/jobs/{job}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_full_disk_is_no_room_and_everything_else_is_not_the_senders_fault() {
        assert_eq!(store_failed(&StoreError::Full).status, 507);
        assert_eq!(
            store_failed(&StoreError::Damaged { what: "chunk" }).status,
            500
        );
    }
}
