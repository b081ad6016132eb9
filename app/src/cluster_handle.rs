//! ssr: how the pages reach the cluster.
//!
//! A cheap handle: commands go through a channel to the one who owns the
//! state, and a `watch` shows the mesh as it is now. The server holds the
//! other ends ([`ClusterSeat`]) and provides the handle once, in the context of
//! every page and server function.

use tokio::sync::{mpsc, oneshot, watch};
use wire::{
    BlockView, DeviceView, JobId, JobView, JoinView, MeshView, NodeId, Problem, ResultPreview,
    Submission,
};

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
    /// A job as it is now, from whichever node knows.
    Job(JobId, Answer<JobView>),
    /// Its blocks, for the map.
    Blocks(JobId, Answer<Vec<BlockView>>),
    /// At most this many rows and columns of its result.
    Preview(JobId, u32, Answer<ResultPreview>),
    /// Link to a node that discovery does not show.
    Register(String, Answer<NodeId>),
    /// How another device joins this node's mesh.
    Join(Answer<JoinView>),
    /// What this node's own compute has done.
    OwnAccount(Answer<DeviceView>),
}

/// The pages' side.
#[derive(Debug, Clone)]
pub struct ClusterHandle {
    commands: mpsc::Sender<Command>,
    mesh: watch::Receiver<MeshView>,
}

/// The server's side.
#[derive(Debug)]
pub struct ClusterSeat {
    /// What the pages ask.
    pub commands: mpsc::Receiver<Command>,
    /// What they are shown.
    pub mesh: watch::Sender<MeshView>,
}

impl ClusterHandle {
    /// Both sides of a new channel.
    #[must_use]
    pub fn new(mesh: MeshView) -> (Self, ClusterSeat) {
        let (command_sender, commands) = mpsc::channel(COMMANDS_WAITING_MAX);
        let (mesh_sender, mesh) = watch::channel(mesh);
        let handle = Self {
            commands: command_sender,
            mesh,
        };
        (
            handle,
            ClusterSeat {
                commands,
                mesh: mesh_sender,
            },
        )
    }

    /// The mesh as it is now.
    #[must_use]
    pub fn mesh(&self) -> MeshView {
        self.mesh.borrow().clone()
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
