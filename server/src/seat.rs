//! The cluster's side of the forms on the pages: answers each command.

use app::Command;
use tokio::sync::mpsc;

use crate::jobs::{self, Removal};
use crate::services::Services;
use crate::submission::Submissions;

/// Answers pages until the last of them is gone.
pub async fn serve_seat(mut commands: mpsc::Receiver<Command>, services: Services) {
    let submissions = Submissions::new(services.clone());
    while let Some(command) = commands.recv().await {
        // Each by itself: one may wait for a node that is away.
        tokio::spawn(answer(command, services.clone(), submissions.clone()));
    }
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
            let cancelled = jobs::remove(&services, job, Removal::OfRunning).await;
            let _ = answer.send(cancelled);
        }
        Command::Delete(job, answer) => {
            let deleted = jobs::remove(&services, job, Removal::OfEnded).await;
            let _ = answer.send(deleted);
        }
        Command::Register(address, answer) => {
            let _ = answer.send(services.links.register(&address).await);
        }
    }
}
