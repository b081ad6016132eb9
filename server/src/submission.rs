//! The one way by which a job begins, whoever submits it: check, cut, store
//! the inputs, then let the cluster accept it; small inputs are stored with the job.

mod fingerprint;
mod inputs;
mod spool;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cluster::limits::{DIRECTORY_JOBS_MAX, RUNNING_JOBS_MAX};
use cluster::{Node, Now};
use kernel::Matrix;
use kernel::cut::{Bounds, Cut, ProductShape};
use tokio::sync::watch;
use wire::{
    ChunkHash, CutShape, JobId, JobOptions, JobRecord, JobView, MatrixInput, Problem, Shape,
    Spread, Submission,
};

use crate::jobs;
use crate::services::Services;
use crate::views;

pub(crate) use spool::{Intake, IntakeError, Spool};

/// One factor, as it came.
#[derive(Debug)]
pub(crate) enum Operand {
    /// In memory, or to be made from a seed.
    Given(MatrixInput),
    /// From a file, whose reader saw to it that all entries are there and finite.
    Read(Matrix),
    /// The same on the disk.
    Spooled(Spool),
}

impl Operand {
    /// Rows × columns.
    fn sides(&self) -> (u32, u32) {
        match self {
            Self::Given(matrix) => matrix.sides(),
            Self::Read(matrix) => (side(matrix.rows()), side(matrix.cols())),
            Self::Spooled(spool) => (spool.rows, spool.cols),
        }
    }
}

/// No reader accepts a longer side.
fn side(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A multiplication to do, as it came.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) a: Operand,
    pub(crate) b: Operand,
    pub(crate) options: JobOptions,
    /// A repeated request with the same key finds the same job.
    pub(crate) idempotency_key: Option<String>,
}

impl From<Submission> for Product {
    fn from(submission: Submission) -> Self {
        Self {
            a: Operand::Given(submission.a),
            b: Operand::Given(submission.b),
            options: submission.options,
            idempotency_key: submission.idempotency_key,
        }
    }
}

type Outcome = Option<Result<JobId, Problem>>;

/// Jobs that are being stored, by key.
type UnderWay = BTreeMap<String, (JobId, watch::Receiver<Outcome>)>;

/// Takes submissions. Cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Submissions {
    services: Services,
    /// Keys whose job is being stored, with its id: a second request with the same key
    /// waits for the first one's job.
    under_way: Arc<Mutex<UnderWay>>,
}

impl Submissions {
    /// Nothing is under way.
    pub(crate) fn new(services: Services) -> Self {
        Self {
            services,
            under_way: Arc::default(),
        }
    }

    /// Whether a job was submitted with this key before, as far as this node has heard.
    pub(crate) async fn knows_key(&self, key: &str) -> Result<bool, Problem> {
        let key = key.to_owned();
        let look = move |node: &Node, _| node.jobs_of_key(&key).next().is_some();
        self.services.driver.look(look).await
    }

    /// 503 when this node coordinates as many jobs as it can, or knows as many as it can.
    pub(crate) async fn check_room(&self) -> Result<(), Problem> {
        let look = |node: &Node, now: Now| (node.running_jobs(), node.is_full_for(now.moment));
        let (running, full_for) = self.services.driver.look(look).await?;
        if let Some(wait) = full_for {
            let until = views::rfc3339_in(wait);
            let detail = format!(
                "the mesh keeps {DIRECTORY_JOBS_MAX} jobs, as many as it can, and the result of none of them was \
                 fetched: fetch results or delete jobs, or try again at {until}, when the first one expires"
            );
            return Err(Problem::new(503, detail).retry_after(wait.as_secs() + 1));
        }
        if running < RUNNING_JOBS_MAX {
            return Ok(());
        }
        let detail = format!(
            "this node coordinates {running} running jobs, as many as it can: try again later, or \
             at another node"
        );
        Err(Problem::new(503, detail))
    }

    /// Stores a job and starts it. Once begun it goes on even if whoever asked
    /// is gone: half a job would be left in the store.
    pub(crate) async fn submit(&self, product: impl Into<Product>) -> Result<JobView, Problem> {
        let (own, product) = (self.clone(), product.into());
        let job = tokio::spawn(async move { own.submit_once(product).await });
        let job = job
            .await
            .map_err(|_| Problem::new(500, "storing the job failed"))??;
        self.view(job).await
    }

    async fn submit_once(&self, submission: Product) -> Result<JobId, Problem> {
        let Some(key) = submission.idempotency_key.clone() else {
            return start(&self.services, None, submission).await;
        };
        let fingerprinted = tokio::task::spawn_blocking(move || {
            let fingerprint = fingerprint::of(&submission)?;
            Ok::<_, std::io::Error>((fingerprint, submission))
        });
        let fingerprinted = fingerprinted
            .await
            .map_err(|_| Problem::new(500, "reading the matrices failed"))?;
        let (fingerprint, submission) =
            fingerprinted.map_err(|error| jobs::store_failed(&error.into()))?;
        let job = id_of_key(&key, fingerprint);
        let (sender, receiver) = watch::channel(None);
        let earlier = {
            let mut under_way = self.under_way();
            match under_way.get(&key) {
                Some(earlier) => Some(earlier.clone()),
                None => {
                    under_way.insert(key.clone(), (job, receiver));
                    None
                }
            }
        };
        if let Some((earlier, mut outcome)) = earlier {
            if earlier != job {
                return Err(key_is_taken(&key, earlier));
            }
            let outcome = outcome.wait_for(Option::is_some).await;
            let outcome = outcome.ok().and_then(|outcome| outcome.clone());
            return outcome.unwrap_or_else(|| Err(Problem::new(500, "storing the job failed")));
        }
        let outcome = self.find_or_start(&key, job, submission).await;
        self.under_way().remove(&key);
        let _ = sender.send(Some(outcome.clone()));
        outcome
    }

    /// The job of a key, which may have come to its end just before, here or at another node whose word
    /// on it has not come yet.
    async fn find_or_start(
        &self,
        key: &str,
        job: JobId,
        submission: Product,
    ) -> Result<JobId, Problem> {
        let look = {
            let key = key.to_owned();
            move |node: &Node, _| -> Vec<JobId> {
                node.jobs_of_key(&key).map(|known| known.id).collect()
            }
        };
        let known = self.services.driver.look(look).await?;
        // Version 0.1.0 did not look at what a key was used for.
        let earlier = id_of_key_alone(key);
        if let Some(found) = known.iter().find(|known| [job, earlier].contains(*known)) {
            return Ok(*found);
        }
        if let Some(other) = known.first() {
            return Err(key_is_taken(key, *other));
        }
        match jobs::find(&self.services, job).await {
            Ok(Some(_)) => Ok(job),
            Ok(None) => start(&self.services, Some(job), submission).await,
            // The same request is the same job, and that is gone.
            Err(problem) if problem.status == 410 => Err(Problem::new(
                410,
                format!(
                    "the Idempotency-Key {key:?} belongs to job {job}, which has expired or was deleted: use another key"
                ),
            )),
            Err(problem) => Err(problem),
        }
    }

    async fn view(&self, job: JobId) -> Result<JobView, Problem> {
        let found = jobs::find(&self.services, job).await?;
        found.ok_or_else(|| jobs::unknown(&job.to_string()))
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under the id of its key, or a fresh one.
async fn start(
    services: &Services,
    of_key: Option<JobId>,
    submission: Product,
) -> Result<JobId, Problem> {
    let shape = checked_shape(&submission, services.config.max_dim)?;
    let (workforce, now) = services
        .driver
        .look(|node, now| (node.workforce(), now))
        .await?;
    let job = match of_key {
        Some(job) => job,
        None => fresh_id(now.unix_ms)?,
    };
    let product = ProductShape {
        rows: shape.rows,
        inner: shape.inner,
        cols: shape.cols,
    };
    let mut devices = u32::try_from(workforce.devices).unwrap_or(u32::MAX);
    if submission.idempotency_key.is_some() {
        devices = rounded_up(devices);
    }
    if submission.options.spread == Spread::Fastest && product.is_tiny() {
        // Whoever has all of it is through before the others have asked.
        devices = 1;
    }
    // Another node that begins the same job must cut it alike, whoever it sees.
    let bounds = match workforce.has_pages || submission.idempotency_key.is_some() {
        true => Bounds::PAGES,
        false => Bounds::for_nodes(product, workforce.threads, workforce.slowest_thread_mflops),
    };
    let cut = Cut::plan(product, devices, &bounds);
    let Product {
        a,
        b,
        options,
        idempotency_key,
    } = submission;
    let parts = Parts {
        job,
        shape,
        options,
        idempotency_key,
    };
    match store_and_submit(services, parts, cut, a, b, now.unix_ms).await {
        Ok(()) => Ok(job),
        Err(problem) => {
            if let Err(error) = services.store.abandon_chunks(job).await {
                tracing::warn!(%job, %error, "inputs of a job that was not accepted stay behind");
            }
            Err(problem)
        }
    }
}

/// What is known of a job before its inputs are stored.
#[derive(Debug)]
struct Parts {
    job: JobId,
    shape: Shape,
    options: JobOptions,
    idempotency_key: Option<String>,
}

async fn store_and_submit(
    services: &Services,
    parts: Parts,
    cut: Cut,
    a: Operand,
    b: Operand,
    now_unix_ms: u64,
) -> Result<(), Problem> {
    let Parts {
        job,
        shape,
        options,
        idempotency_key,
    } = parts;
    let a = inputs::Factor {
        operand: a,
        rectangles: cut.all_left_chunks(),
    };
    let b = inputs::Factor {
        operand: b,
        rectangles: cut.all_right_chunks(),
    };
    let inputs::Sources { a, b, unstored } = inputs::store(services, job, a, b).await?;
    let cut = CutShape {
        rows_per_block: cut.rows_per_block(),
        cols_per_block: cut.cols_per_block(),
    };
    let record = JobRecord {
        id: job,
        shape,
        options,
        cut,
        a,
        b,
        origin: services.node,
        submitted_at_unix_ms: now_unix_ms,
        idempotency_key,
    };
    services.driver.submit(record, unstored).await
}

/// The sides of the product, if there is one.
fn checked_shape(submission: &Product, side_max: u32) -> Result<Shape, Problem> {
    check_matrix("A", &submission.a, side_max)?;
    check_matrix("B", &submission.b, side_max)?;
    let (rows, inner) = submission.a.sides();
    let (b_rows, cols) = submission.b.sides();
    if inner != b_rows {
        let detail = format!(
            "matrix A is {rows} × {inner} and matrix B is {b_rows} × {cols}: expected B to have as \
             many rows as A has columns, {inner}"
        );
        return Err(Problem::new(422, detail));
    }
    Ok(Shape { rows, inner, cols })
}

fn check_matrix(name: &str, matrix: &Operand, side_max: u32) -> Result<(), Problem> {
    let (rows, cols) = matrix.sides();
    if rows == 0 || cols == 0 {
        let detail =
            format!("matrix {name} is {rows} × {cols}: expected at least 1 row and 1 column");
        return Err(Problem::new(422, detail));
    }
    if rows.max(cols) > side_max {
        let detail = format!(
            "matrix {name} is {rows} × {cols}: sides are limited to {side_max} (--max-dim)"
        );
        return Err(Problem::new(413, detail));
    }
    let Operand::Given(MatrixInput::Entries { entries, .. }) = matrix else {
        return Ok(());
    };
    let expected = u64::from(rows) * u64::from(cols);
    if entries.len() as u64 != expected {
        let detail = format!(
            "matrix {name} has {} entries, expected {rows} · {cols} = {expected}",
            entries.len()
        );
        return Err(Problem::new(422, detail));
    }
    match entries.iter().position(|entry| !entry.is_finite()) {
        None => Ok(()),
        Some(index) => {
            let (row, column) = (index / cols as usize + 1, index % cols as usize + 1);
            let detail = format!(
                "matrix {name}, row {row}, column {column}: expected a finite number, found {}",
                entries[index]
            );
            Err(Problem::new(422, detail))
        }
    }
}

/// A repeated submission may come to the other side of a cut network, where
/// fewer devices are seen: for copies to unite, both must cut alike.
fn rounded_up(devices: u32) -> u32 {
    [16, 64, 256]
        .into_iter()
        .find(|step| devices <= *step)
        .unwrap_or(1024)
}

/// The id of a job that was submitted under a key: the same at every node for the same matrices and options.
/// Others never share it, wherever the key was used.
fn id_of_key(key: &str, fingerprint: ChunkHash) -> JobId {
    let mut text = b"matmesh idempotency-key 2 ".to_vec();
    text.extend_from_slice(fingerprint.as_bytes());
    text.extend_from_slice(key.as_bytes());
    let hash = ChunkHash::of(&text);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    JobId::from_bytes(bytes)
}

fn key_is_taken(key: &str, job: JobId) -> Problem {
    let detail = format!(
        "the Idempotency-Key {key} belongs to job {job}, which has other matrices or options: send this one \
         under another key"
    );
    Problem::new(422, detail)
}

/// The same as version 0.1.0 made it, of the key alone.
fn id_of_key_alone(key: &str) -> JobId {
    let hash = ChunkHash::of(format!("matmesh idempotency-key {key}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    JobId::from_bytes(bytes)
}

fn fresh_id(unix_ms: u64) -> Result<JobId, Problem> {
    let mut random = [0; JobId::RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| {
        Problem::new(500, format!("the system gives no random numbers: {error}"))
    })?;
    Ok(JobId::drawn(random, unix_ms))
}
