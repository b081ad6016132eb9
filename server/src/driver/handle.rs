//! How everybody else reaches the driver.

use std::sync::Arc;

use cluster::{Input, Node, Now};
use tokio::sync::{mpsc, oneshot, watch};
use wire::{JobId, JobRecord, Problem};

use crate::small_inputs::Inputs;

/// Requests that may wait. Senders wait beyond it, which slows a link that sends
/// faster than this node can follow.
const INPUTS_WAITING_MAX: usize = 4096;

pub(super) type Look = Box<dyn FnOnce(&Node, Now) + Send>;

/// True when it need not be asked again: it was answered, or nobody waits.
pub(super) type Waiter = Box<dyn FnMut(&Node, Now) -> bool + Send + Sync>;

pub(super) enum Request {
    Input(Input),
    Inputs(Vec<Input>),
    /// Answered when everything that the input caused is carried out; without
    /// effect when nobody waits for the answer any longer.
    InputAnswered(Input, oneshot::Sender<()>),
    /// A job, with those of its inputs that are to be stored together with it. Answered when it is safe;
    /// without effect when nobody waits for the answer any longer.
    Submit(Box<JobRecord>, Inputs, oneshot::Sender<()>),
    Look(Look),
    /// Asked now, and again with each change of the job.
    Wait(JobId, Waiter),
    /// What came before is carried out, nothing after it.
    Stop,
}

/// How everybody else reaches the driver. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct DriverHandle {
    requests: mpsc::Sender<Request>,
    changes: watch::Receiver<u64>,
    /// Why the store cannot be written, while it cannot.
    trouble: watch::Receiver<Option<Problem>>,
    /// The driver is not to wait for the store any longer.
    gives_up: Arc<watch::Sender<bool>>,
}

/// The driver's end of the channel, made before the driver: links need the one
/// end, the driver needs the links.
#[derive(Debug)]
pub struct Requests {
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) changes: watch::Sender<u64>,
    pub(super) trouble: watch::Sender<Option<Problem>>,
    pub(super) gives_up: watch::Receiver<bool>,
}

/// Both ends of a new channel to a driver.
pub fn requests() -> (DriverHandle, Requests) {
    let (sender, requests) = mpsc::channel(INPUTS_WAITING_MAX);
    let (change_sender, changes) = watch::channel(0);
    let (trouble_sender, trouble) = watch::channel(None);
    let (give_up, gives_up) = watch::channel(false);
    let handle = DriverHandle {
        requests: sender,
        changes,
        trouble,
        gives_up: Arc::new(give_up),
    };
    let requests = Requests {
        requests,
        changes: change_sender,
        trouble: trouble_sender,
        gives_up,
    };
    (handle, requests)
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Input(_) => "Input",
            Self::Inputs(_) => "Inputs",
            Self::InputAnswered(..) => "InputAnswered",
            Self::Submit(..) => "Submit",
            Self::Look(_) => "Look",
            Self::Wait(..) => "Wait",
            Self::Stop => "Stop",
        })
    }
}

impl DriverHandle {
    /// Tells the node what happened. While the node shuts down it is dropped.
    pub async fn tell(&self, input: Input) {
        let _ = self.requests.send(Request::Input(input)).await;
    }

    /// The same for what came together, and is acted upon together. Given up before, it leaves them.
    pub async fn tell_all(&self, inputs: &mut Vec<Input>) {
        if !inputs.is_empty()
            && let Ok(place) = self.requests.reserve().await
        {
            place.send(Request::Inputs(std::mem::take(inputs)));
        }
    }

    /// Tells the node and waits until all that follows is carried out.
    pub async fn tell_and_wait(&self, input: Input) -> Result<(), Problem> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::InputAnswered(input, answer), answered)
            .await
    }

    /// Starts a job whose inputs are stored already, or are `unstored`; ends when all is stored here,
    /// and the job on its backups.
    pub(crate) async fn submit(&self, record: JobRecord, unstored: Inputs) -> Result<(), Problem> {
        let withdraw = Input::Withdraw {
            job: record.id,
            submitted_at_unix_ms: record.submitted_at_unix_ms,
        };
        let (answer, answered) = oneshot::channel();
        let request = Request::Submit(Box::new(record), unstored, answer);
        let told = self.ask(request, answered).await;
        if told.is_err() {
            // It may be on its way to the disk, and may yet come there.
            let _ = self.requests.try_send(Request::Input(withdraw));
        }
        told
    }

    /// Says goodbye to the others and ends: nothing is sent or stored after it.
    pub async fn leave(&self) {
        let _ = self.tell_and_wait(Input::Leave).await;
        self.gives_up.send_replace(true);
        let _ = self.requests.send(Request::Stop).await;
        // The driver drops its end.
        self.requests.closed().await;
    }

    /// Looks at the node as it is between two inputs.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Node, Now) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let (answer, answered) = oneshot::channel();
        let look: Look = Box::new(move |node, now| {
            // Nobody waits any longer: the request was abandoned.
            let _ = answer.send(look(node, now));
        });
        self.ask(Request::Look(look), answered).await
    }

    /// Waits until a look at a job finds something. It is looked at whenever the job
    /// changes, by the driver itself: many who wait cost it little.
    pub async fn wait_for<T: Send + 'static>(
        &self,
        job: JobId,
        look: impl Fn(&Node, Now) -> Option<T> + Send + Sync + 'static,
    ) -> Result<T, Problem> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Wait(job, waiter(answer, look)), answered)
            .await
    }

    /// Counts up whenever a job or the mesh changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Nobody waits for a driver that waits for its disk.
    async fn ask<T>(&self, request: Request, answered: oneshot::Receiver<T>) -> Result<T, Problem> {
        let mut trouble = self.trouble.clone();
        let in_trouble = async {
            let problem = trouble.wait_for(Option::is_some).await;
            problem.ok().and_then(|problem| problem.clone())
        };
        let ask = async {
            self.requests.send(request).await.ok()?;
            answered.await.ok()
        };
        tokio::select! {
            biased;
            answer = ask => answer.ok_or_else(shutting_down),
            problem = in_trouble => Err(problem.unwrap_or_else(shutting_down)),
        }
    }
}

/// Answers with the first thing that `look` finds.
pub(super) fn waiter<T: Send + 'static>(
    answer: oneshot::Sender<T>,
    look: impl Fn(&Node, Now) -> Option<T> + Send + Sync + 'static,
) -> Waiter {
    let mut answer = Some(answer);
    Box::new(move |node, now| {
        if let Some(found) = look(node, now)
            && let Some(answer) = answer.take()
        {
            // Nobody waits any longer: the request was abandoned.
            let _ = answer.send(found);
        }
        answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    })
}

fn shutting_down() -> Problem {
    Problem::new(503, "this node is shutting down: ask another one")
}
