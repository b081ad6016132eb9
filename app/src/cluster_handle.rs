//! ssr: how the forms of the pages reach the cluster.
//!
//! A cheap handle on a channel of commands. The server holds the other end and provides the handle
//! in the context of every server function.

use tokio::sync::{mpsc, oneshot};
use wire::{JobId, JobView, NodeId, Problem, Submission};

/// Commands that may wait at once. A page sends one at a time; beyond this
/// the senders wait, which is the back-pressure.
const COMMANDS_WAITING_MAX: usize = 256;

/// Where the answer to a command goes.
pub type Answer<T> = oneshot::Sender<Result<T, Problem>>;

/// What pages ask of the cluster.
#[derive(Debug)]
pub enum Command {
    /// Store a job and start it.
    Submit(Box<Submission>, Answer<JobView>),
    /// End a job.
    Cancel(JobId, Answer<JobView>),
    /// Delete a job that has ended.
    Delete(JobId, Answer<JobView>),
    /// Link to a node that discovery does not show.
    Register(String, Answer<NodeId>),
}

/// The pages' side.
#[derive(Debug, Clone)]
pub struct ClusterHandle {
    commands: mpsc::Sender<Command>,
}

impl ClusterHandle {
    /// A new channel, and the server's end of it.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS_WAITING_MAX);
        (Self { commands }, receiver)
    }

    /// Sends a command and waits for its answer:
    /// `handle.ask(|answer| Command::Cancel(job, answer)).await`.
    ///
    /// # Errors
    /// The cluster's own, or 503 while the node shuts down.
    pub async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, Problem> {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(command(answer)).await.is_err() {
            return Err(shutting_down());
        }
        answered.await.unwrap_or_else(|_| Err(shutting_down()))
    }
}

fn shutting_down() -> Problem {
    Problem::new(
        503,
        "this node is shutting down: open another node's address",
    )
}
