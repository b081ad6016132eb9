//! Which jobs exist: the short form of every job of the mesh.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wire::{Epoch, JobId, JobStatus, JobSummary};

use crate::limits::{HOLDERS_MAX, IDEMPOTENCY_KEY_BYTES_MAX, SUMMARIES_PER_PAGE};
use crate::time::Moment;

#[derive(Debug)]
struct Entry {
    summary: JobSummary,
    /// When this node learned that the job has ended.
    ended_at: Option<Moment>,
    /// Last announced as running, and no holder was reachable for its time to live: shown as failed here, until
    /// one comes back.
    is_abandoned: bool,
    /// Its coordinator does not lead it any more, or has lost it with its store: nobody else has told of it since.
    is_disowned: bool,
    /// When something was last heard of it.
    heard_at: Moment,
}

/// Every job that this node has heard of.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    jobs: BTreeMap<JobId, Entry>,
    /// The running ones by age. Every idle device looks here at every input,
    /// while most jobs of a directory have long ended.
    running: BTreeSet<(u64, JobId)>,
    ended: BTreeSet<(Moment, JobId)>,
    /// Those of them whose result somebody was sent, or that have none: they go first, by the time of their
    /// submission.
    disposable: BTreeSet<(u64, JobId)>,
    /// All of them by the time of their submission.
    by_age: BTreeSet<(u64, JobId)>,
    /// Those that were submitted under an `Idempotency-Key`.
    by_key: BTreeMap<String, BTreeSet<JobId>>,
}

impl Directory {
    pub(crate) fn get(&self, job: JobId) -> Option<&JobSummary> {
        self.jobs.get(&job).map(|entry| &entry.summary)
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &JobSummary> {
        let jobs = self.by_age.iter().rev();
        jobs.filter_map(|(_, job)| self.get(*job))
    }

    /// Jobs that may go before their time, the oldest first: those whose results were fetched, or that have none.
    pub(crate) fn disposable(&self) -> impl Iterator<Item = JobId> {
        self.disposable.iter().map(|(_, job)| *job)
    }

    /// Somebody was sent the whole result of a job. True when that is news.
    pub(crate) fn note_fetched(&mut self, job: JobId) -> bool {
        let entry = self.jobs.get_mut(&job);
        let Some(entry) = entry.filter(|entry| !entry.summary.fetched) else {
            return false;
        };
        entry.summary.fetched = true;
        if entry.ended_at.is_some() {
            self.disposable
                .insert((entry.summary.submitted_at_unix_ms, job));
        }
        true
    }

    /// All of it for another node, in parts that each fit a frame; what runs is in the first ones, so that
    /// a newcomer begins to work before it has heard of the rest.
    pub(crate) fn pages(&self) -> Vec<Vec<JobSummary>> {
        let running = self.running.iter().map(|(_, job)| job);
        let ended = self.ended.iter().rev().map(|(_, job)| job);
        let all: Vec<JobSummary> = running
            .chain(ended)
            .filter_map(|job| self.jobs.get(job))
            // That its holders are away is what this node sees, not what the job is.
            .filter(|entry| !entry.is_abandoned)
            .map(|entry| entry.summary.clone())
            .collect();
        all.chunks(SUMMARIES_PER_PAGE).map(<[_]>::to_vec).collect()
    }

    /// Running jobs, the oldest first.
    pub(crate) fn running(&self) -> impl Iterator<Item = &JobSummary> {
        self.running_but(|_| false)
    }

    /// The same without those that are of no interest, which are not even looked up.
    pub(crate) fn running_but(
        &self,
        skips: impl Fn(JobId) -> bool,
    ) -> impl Iterator<Item = &JobSummary> {
        let jobs = self.running.iter().filter(move |(_, job)| !skips(*job));
        jobs.filter_map(|(_, job)| self.get(*job))
    }

    /// Jobs that were submitted under this key; more than one where two nodes began them without knowing of each
    /// other.
    pub(crate) fn of_key(&self, key: &str) -> impl Iterator<Item = &JobSummary> {
        let jobs = self.by_key.get(key).into_iter().flatten();
        jobs.filter_map(|job| self.get(*job))
    }

    /// Whether a job is shown as failed because no holder of it is there.
    pub(crate) fn is_abandoned(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|entry| entry.is_abandoned)
    }

    /// The coordinator of this epoch says that it does not lead the job. True when that is news.
    pub(crate) fn disown(&mut self, job: JobId, epoch: Epoch) -> bool {
        let entry = self.jobs.get_mut(&job);
        let entry = entry.filter(|entry| entry.summary.epoch == epoch && !entry.is_disowned);
        entry.map(|entry| entry.is_disowned = true).is_some()
    }

    /// See [`Directory::disown`].
    pub(crate) fn is_disowned(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|entry| entry.is_disowned)
    }

    /// Running jobs of which nothing was heard for so long.
    pub(crate) fn silent_for(&self, long: Duration, now: Moment) -> Vec<JobId> {
        let running = self.running.iter().map(|(_, job)| *job);
        let is_silent = |job: &JobId| {
            let entry = self.jobs.get(job);
            entry.is_some_and(|entry| entry.heard_at + long <= now)
        };
        running.filter(is_silent).collect()
    }

    /// No holder of a running job was there for its time to live.
    pub(crate) fn abandon(&mut self, job: JobId, now: Moment) {
        if let Some(mut entry) = self.forget(job) {
            entry.summary.status = JobStatus::Failed;
            entry.is_abandoned = true;
            self.insert(entry, Some(now));
        }
    }

    /// Takes a summary unless a newer one is known. True when it was taken. `is_held` when a holder that it
    /// names is there: then a job that was abandoned runs again.
    pub(crate) fn learn(&mut self, mut summary: JobSummary, is_held: bool, now: Moment) -> bool {
        if summary.fetched {
            self.note_fetched(summary.id);
        }
        if let Some(entry) = self.jobs.get(&summary.id) {
            let known = &entry.summary;
            summary.fetched |= known.fetched;
            let is_revived = entry.is_abandoned
                && (is_held || summary.status != JobStatus::Running)
                && (known.epoch, known.version) <= (summary.epoch, summary.version);
            // Of a job that was reopened the newer word counts, whether its sender knows that or not.
            let both_run = [known.status, summary.status] == [JobStatus::Running; 2];
            let is_newer = if both_run {
                (known.epoch, known.version) < (summary.epoch, summary.version)
            } else {
                standing(known) < standing(&summary)
            };
            if !is_revived && !is_newer {
                return false;
            }
        }
        summary.holders.truncate(HOLDERS_MAX);
        summary
            .idempotency_key
            .take_if(|key| key.len() > IDEMPOTENCY_KEY_BYTES_MAX);
        let before = self.forget(summary.id).and_then(|known| known.ended_at);
        let ended_at = (summary.status != JobStatus::Running).then(|| before.unwrap_or(now));
        let entry = Entry {
            summary,
            ended_at: None,
            is_abandoned: false,
            is_disowned: false,
            heard_at: now,
        };
        self.insert(entry, ended_at);
        true
    }

    fn insert(&mut self, mut entry: Entry, ended_at: Option<Moment>) {
        let (job, summary) = (entry.summary.id, &entry.summary);
        match ended_at {
            Some(ended_at) => {
                self.ended.insert((ended_at, job));
                if is_disposable(summary) {
                    self.disposable.insert((summary.submitted_at_unix_ms, job));
                }
            }
            None => {
                self.running.insert((summary.submitted_at_unix_ms, job));
            }
        }
        self.by_age.insert((summary.submitted_at_unix_ms, job));
        if let Some(key) = &summary.idempotency_key {
            self.by_key.entry(key.clone()).or_default().insert(job);
        }
        entry.ended_at = ended_at;
        self.jobs.insert(job, entry);
    }

    /// The job ended, as far as this matters here, only now.
    pub(crate) fn keep_longer(&mut self, job: JobId, now: Moment) {
        if let Some(entry) = self.forget(job) {
            let ended_at = entry.ended_at.map(|_| now);
            self.insert(entry, ended_at);
        }
    }

    pub(crate) fn remove(&mut self, job: JobId) {
        self.forget(job);
    }

    /// The jobs that ended, as far as this node knows, so long ago.
    pub(crate) fn ended_for(&self, time_to_live: Duration, now: Moment) -> Vec<JobId> {
        let ended = self.ended.iter();
        ended
            .take_while(|(ended_at, _)| *ended_at + time_to_live <= now)
            .map(|(_, job)| *job)
            .collect()
    }

    /// When the first of the known endings was.
    pub(crate) fn first_ended_at(&self) -> Option<Moment> {
        self.ended.first().map(|(ended_at, _)| *ended_at)
    }

    fn forget(&mut self, job: JobId) -> Option<Entry> {
        let entry = self.jobs.remove(&job)?;
        let age = (entry.summary.submitted_at_unix_ms, job);
        self.running.remove(&age);
        self.by_age.remove(&age);
        self.disposable.remove(&age);
        if let Some(ended_at) = entry.ended_at {
            self.ended.remove(&(ended_at, job));
        }
        if let Some(key) = &entry.summary.idempotency_key
            && let Some(jobs) = self.by_key.get_mut(key)
        {
            jobs.remove(&job);
            if jobs.is_empty() {
                self.by_key.remove(key);
            }
        }
        Some(entry)
    }
}

/// Whether an ended job may go before its time. One that was cancelled while no holder was there is remembered
/// nowhere else.
fn is_disposable(summary: &JobSummary) -> bool {
    match summary.status {
        JobStatus::Complete => summary.fetched,
        _ => !summary.holders.is_empty(),
    }
}

/// Of two summaries the larger stands. An end is final, whoever tells it, unless
/// the job was led on from what was left of it; of two ends the one that stands
/// where copies unite.
fn standing(summary: &JobSummary) -> (Reverse<u8>, Epoch, u64) {
    let status = if summary.reopened {
        JobStatus::Complete
    } else {
        summary.status
    };
    (Reverse(status.precedence()), summary.epoch, summary.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{Arithmetic, JobOptions, NodeId, Shape, Spread};

    fn summary(status: JobStatus, version: u64, reopened: bool) -> JobSummary {
        JobSummary {
            id: JobId::from_bytes([1; 16]),
            status,
            epoch: Epoch {
                number: 2,
                coordinator: NodeId::from_bytes([2; 16]),
                incarnation: 0,
            },
            version,
            holders: Vec::new(),
            shape: Shape {
                rows: 1,
                inner: 1,
                cols: 1,
            },
            options: JobOptions {
                arithmetic: Arithmetic::Reproducible,
                spread: Spread::Fastest,
            },
            blocks_total: 1,
            blocks_done: 0,
            submitted_at_unix_ms: 0,
            idempotency_key: None,
            reopened,
            fetched: false,
        }
    }

    #[test]
    fn a_job_that_runs_again_can_end_in_any_way() {
        for end in [JobStatus::Complete, JobStatus::Cancelled, JobStatus::Failed] {
            let mut directory = Directory::default();
            let now = Moment::default();
            assert!(directory.learn(summary(JobStatus::Complete, 1, false), true, now));
            assert!(directory.learn(summary(JobStatus::Running, 2, true), true, now));
            assert!(directory.learn(summary(end, 3, true), true, now), "{end}");
        }
    }

    #[test]
    fn a_job_that_was_reopened_goes_on_with_another_coordinator() {
        let mut directory = Directory::default();
        let now = Moment::default();
        assert!(directory.learn(summary(JobStatus::Running, 1, true), true, now));
        let mut next = summary(JobStatus::Running, 1, false);
        next.epoch.number += 1;
        assert!(directory.learn(next, true, now));
        let mut before = summary(JobStatus::Running, 9, true);
        before.epoch.number -= 1;
        assert!(!directory.learn(before, true, now));
    }

    #[test]
    fn an_abandoned_job_runs_again_when_a_holder_is_back() {
        let mut directory = Directory::default();
        let now = Moment::default();
        assert!(directory.learn(summary(JobStatus::Running, 1, false), true, now));
        directory.abandon(JobId::from_bytes([1; 16]), now);
        let status = |directory: &Directory| directory.newest_first().next().map(|job| job.status);
        assert_eq!(status(&directory), Some(JobStatus::Failed));
        assert_eq!(directory.pages(), Vec::<Vec<JobSummary>>::new());
        // Somebody else still believes that it runs.
        assert!(!directory.learn(summary(JobStatus::Running, 1, false), false, now));
        assert!(directory.learn(summary(JobStatus::Running, 1, false), true, now));
        assert_eq!(status(&directory), Some(JobStatus::Running));
        assert_eq!(directory.running().count(), 1);
    }

    #[test]
    fn of_two_ends_a_result_stands() {
        let mut directory = Directory::default();
        let now = Moment::default();
        assert!(directory.learn(summary(JobStatus::Complete, 1, false), true, now));
        assert!(!directory.learn(summary(JobStatus::Cancelled, 2, false), true, now));
    }
}
