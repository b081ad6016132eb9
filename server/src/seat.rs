//! The cluster's side of what pages ask: answers each command, and keeps the
//! view of the mesh up to date.

use std::time::Duration;

use app::{ClusterSeat, Command};
use tokio::sync::watch;
use tokio::time::Instant;
use wire::{DeviceView, MeshView, Problem, WorkerId};

use crate::jobs;
use crate::services::Services;
use crate::submission::Submissions;
use crate::views;

/// People see no difference below this; a mesh that computes small blocks
/// changes thousands of times a second.
const VIEW_INTERVAL: Duration = Duration::from_millis(50);

/// A view is made anew after this time even if nothing was announced.
const VIEW_AGE_MAX: Duration = Duration::from_secs(1);

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
        // A view costs more than a change: no more than one in so long.
        tokio::time::sleep_until(started + VIEW_INTERVAL).await;
        // An error within the time means that the driver has stopped.
        if let Ok(Err(_)) = tokio::time::timeout(VIEW_AGE_MAX, changes.changed()).await {
            return;
        }
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
