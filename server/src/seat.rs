//! The cluster's side of what pages ask: answers each command, and keeps the
//! view of the mesh up to date.

use std::time::Duration;

use app::{ClusterSeat, Command};
use cluster::Node;
use tokio::sync::watch;
use tokio::time::Instant;
use wire::{DeviceView, JobId, MeshView, Problem, WorkerId};

use crate::jobs;
use crate::services::Services;
use crate::submission::Submissions;
use crate::views;

/// People see no difference below this; a mesh that computes small blocks
/// changes thousands of times a second.
const VIEW_INTERVAL: Duration = Duration::from_millis(50);

/// A view is made anew after this time even if nothing was announced.
const VIEW_AGE_MAX: Duration = Duration::from_secs(1);

/// Jobs whose contributions are counted in one go; heartbeats wait meanwhile.
const JOBS_AT_ONCE: usize = 16;

/// Answers pages until the last of them is gone.
pub async fn serve_seat(seat: ClusterSeat, services: Services) {
    let ClusterSeat { mut commands, mesh } = seat;
    let showing = tokio::spawn(keep_shown(mesh, services.clone()));
    let submissions = Submissions::new(services.clone());
    while let Some(command) = commands.recv().await {
        // Each by itself: one may wait for a node that is away.
        tokio::spawn(answer(command, services.clone(), submissions.clone()));
    }
    showing.abort();
}

async fn answer(command: Command, services: Services, submissions: Submissions) {
    // Where nobody takes the answer the page is gone; nothing is to be done.
    match command {
        Command::Submit(submission, answer) => {
            let submitted = match submissions.check_room().await {
                Ok(()) => submissions.submit(*submission).await,
                Err(problem) => Err(problem),
            };
            let _ = answer.send(submitted);
        }
        Command::Cancel(job, answer) => {
            let _ = answer.send(jobs::cancel(&services, job).await);
        }
        Command::Job(job, answer) => {
            let _ = answer.send(jobs::view(&services, job).await);
        }
        Command::Blocks(job, answer) => {
            let _ = answer.send(jobs::blocks(&services, job).await);
        }
        Command::Preview(job, side, answer) => {
            let _ = answer.send(jobs::matrices::preview(&services, job, side).await);
        }
        Command::Register(address, answer) => {
            let _ = answer.send(services.links.register(&address).await);
        }
        Command::Join(answer) => {
            let _ = answer.send(Ok(views::join_view(services.links.own_addresses())));
        }
        Command::OwnAccount(answer) => {
            let _ = answer.send(own_account(&services).await);
        }
    }
}

async fn keep_shown(mesh: watch::Sender<MeshView>, services: Services) {
    let mut changes = services.driver.changes();
    loop {
        changes.mark_unchanged();
        let started = Instant::now();
        let Ok(view) = services.driver.look(|node, _| views::mesh_view(node)).await else {
            return;
        };
        mesh.send_if_modified(|shown| {
            let is_news = *shown != view;
            if is_news {
                *shown = view;
            }
            is_news
        });
        tokio::time::sleep_until(started + VIEW_INTERVAL).await;
        // An error within the time means that the driver has stopped.
        if let Ok(Err(_)) = tokio::time::timeout(VIEW_AGE_MAX, changes.changed()).await {
            return;
        }
    }
}

/// What this node's own compute did, over the jobs that this node leads or led.
async fn own_account(services: &Services) -> Result<DeviceView, Problem> {
    let worker = WorkerId::from(services.node);
    let opening = services.driver.look(|node, _| {
        let led = node.jobs().into_iter().map(|job| job.id);
        let led: Vec<JobId> = led.filter(|job| node.coordinator(*job).is_some()).collect();
        (led, node.own_status().cloned())
    });
    let (led, status) = opening.await?;
    let mut account = DeviceView {
        worker,
        name: status
            .as_ref()
            .map(|status| status.name.clone())
            .unwrap_or_default(),
        device: status.map(|status| status.device).unwrap_or_default(),
        rows: 0,
        operations: 0,
        compute_ms: 0.0,
    };
    for some in led.chunks(JOBS_AT_ONCE) {
        let some = some.to_vec();
        let look = move |node: &Node, now: cluster::Now| {
            let progress = some
                .iter()
                .filter_map(|job| node.progress(*job, now.moment));
            progress
                .flat_map(|job| job.contributions)
                .filter(|one| one.worker == worker)
                .collect::<Vec<_>>()
        };
        for contribution in services.driver.look(look).await? {
            account.rows += u64::from(contribution.rows);
            account.operations += contribution.operations;
            account.compute_ms += contribution.compute_ms;
        }
    }
    Ok(account)
}
