//! All jobs of the mesh.
//!
//! Every node knows every job in short form; the whole of it is known to its
//! coordinator, so the coordinators are asked, all at once. Of those that do
//! not answer the short form is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use cluster::Liveness;
use futures_util::future::join_all;
use wire::{JobStatus, JobView, NodeId, Problem};

use super::Api;
use super::forward::{self, Question, is_forwarded};
use super::parameters::Parameters;
use super::problem::ApiProblem;
use crate::services::Services;
use crate::views::{self, KnownJob};

/// A list is not worth waiting for somebody who is away.
const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(1);

/// Jobs looked at in one go: counting who did what takes the owner of the
/// state up to a millisecond a job, and heartbeats wait meanwhile.
const JOBS_AT_ONCE: usize = 16;

/// What the list is to hold.
#[derive(Debug, Clone, Copy)]
struct Selection {
    limit: usize,
    status: Option<JobStatus>,
}

/// `GET /api/v1/jobs?limit=N&status=S`
pub(super) async fn list(
    State(Api { services, .. }): State<Api>,
    request: Request,
) -> Result<Json<Vec<JobView>>, ApiProblem> {
    let parameters = Parameters::of(request.uri())?;
    let limit = parameters.read("limit", "a whole number from 1", |text| {
        text.parse::<u32>().ok().filter(|limit| *limit > 0)
    })?;
    let status = parameters.read(
        "status",
        "running, complete, failed or cancelled",
        status_named,
    )?;
    let limit = limit.map_or(cluster::limits::DIRECTORY_JOBS_MAX, |limit| limit as usize);
    let selection = Selection { limit, status };
    // `local` is for other nodes: what this one knows first-hand.
    if parameters.has("local") || is_forwarded(request.headers()) {
        return Ok(Json(own_jobs(&services, selection).await?));
    }
    Ok(Json(all_jobs(&services, selection).await?))
}

async fn all_jobs(services: &Services, selection: Selection) -> Result<Vec<JobView>, Problem> {
    let (others, live) = services
        .driver
        .look(|node, _| {
            let mut others: BTreeMap<NodeId, Vec<KnownJob>> = BTreeMap::new();
            for summary in node.jobs() {
                // What is led here is shown whole, whoever is named as its leader.
                if !node.answers_for(summary.id) {
                    others
                        .entry(summary.epoch.coordinator)
                        .or_default()
                        .push(KnownJob::of(node, summary));
                }
            }
            let live = node
                .membership()
                .peers()
                .filter(|(_, peer)| peer.liveness == Liveness::Alive);
            let live: Vec<NodeId> = live.map(|(id, _)| id).collect();
            (others, live)
        })
        .await?;
    let asked = others.into_iter().map(|(node, summaries)| {
        let is_live = live.contains(&node);
        async move {
            let told = if is_live {
                ask(services, node, selection).await
            } else {
                None
            };
            told.unwrap_or_else(|| shown(summaries, selection))
        }
    });
    let (own, told) = tokio::join!(own_jobs(services, selection), join_all(asked));
    let mut views = own?;
    views.extend(told.into_iter().flatten());
    // RFC 3339 in UTC and of one length: as text it sorts by time.
    views.sort_by(|one, other| (&other.submitted_at, other.id).cmp(&(&one.submitted_at, one.id)));
    views.dedup_by_key(|view| view.id);
    views.truncate(selection.limit);
    Ok(views)
}

async fn ask(services: &Services, node: NodeId, selection: Selection) -> Option<Vec<JobView>> {
    let mut target = format!("/api/v1/jobs?local=1&limit={}", selection.limit);
    if let Some(status) = selection.status {
        target.push_str(&format!("&status={status}"));
    }
    let question = Question::read(target);
    let asked = forward::ask_json(services, node, &question);
    tokio::time::timeout(COORDINATOR_TIMEOUT, asked)
        .await
        .ok()?
        .ok()
}

/// The jobs that this node leads or led, newest first.
async fn own_jobs(services: &Services, selection: Selection) -> Result<Vec<JobView>, Problem> {
    let own = services.driver.look(move |node, _| {
        let led = node.jobs().filter(|job| node.answers_for(job.id));
        let wanted = led.filter(|job| selection.status.is_none_or(|status| status == job.status));
        wanted
            .map(|job| job.id)
            .take(selection.limit)
            .collect::<Vec<_>>()
    });
    let own = own.await?;
    let time_to_live = Duration::from_secs(services.config.result_ttl_s);
    let mut views = Vec::with_capacity(own.len());
    for some in own.chunks(JOBS_AT_ONCE) {
        let some = some.to_vec();
        let progress = services.driver.look(move |node, now| {
            some.iter()
                .filter_map(|job| node.progress(*job, now.moment))
                .collect::<Vec<_>>()
        });
        views.extend(
            progress
                .await?
                .iter()
                .map(|job| views::job_view(job, time_to_live)),
        );
    }
    Ok(views)
}

fn shown(known: Vec<KnownJob>, selection: Selection) -> Vec<JobView> {
    let wanted = known.iter().filter(|job| {
        let status = job.summary.status;
        selection.status.is_none_or(|wanted| wanted == status)
    });
    wanted
        .take(selection.limit)
        .map(views::summary_view)
        .collect()
}

fn status_named(text: &str) -> Option<JobStatus> {
    let all = [
        JobStatus::Running,
        JobStatus::Complete,
        JobStatus::Failed,
        JobStatus::Cancelled,
    ];
    all.into_iter().find(|status| status.to_string() == text)
}
