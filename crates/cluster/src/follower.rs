//! A copy of a job that somebody else leads, or that has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel::cut::{Cut, CutError};
use wire::{
    BlockIndex, BlockSet, CopyHead, DoneBlock, Ended, Ending, Epoch, JobId, JobStatus, JobSummary,
    MatrixSource, NodeId, PeerMessage, Tally,
};

use crate::coordinator::{
    Exchanges, JobProgress, block_message, blocks_at_once, is_block_of, largest_block_bytes,
    progress_of,
};
use crate::effect::{Change, Output};
use crate::election::Election;
use crate::limits::INPUTS_RETRY;
use crate::replica::Replica;
use crate::tasks::cut_of;
use crate::time::{Moment, Now};

/// The inputs of a copy.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Inputs {
    Stored,
    UnderWay,
    MissingUntil(Moment),
}

/// A copy of a job.
#[derive(Debug)]
pub(crate) struct Follower {
    replica: Replica,
    cut: Cut,
    inputs: Inputs,
    /// The last head that was stored, as its coordinator numbers them.
    head: (Epoch, u64),
    /// When it came here, and how old it was then: since its submission, or
    /// since its end.
    since: Moment,
    age_then: Duration,
    /// When it came into the memory of this node.
    came_at: Moment,
    /// The election for which this node stands.
    pub(crate) election: Option<Election>,
    /// The coordinator of this epoch left on purpose.
    pub(crate) resigned: Option<Epoch>,
    /// Requests for what other holders have, and answers to those that lack
    /// something.
    pub(crate) asked: Exchanges,
    pub(crate) answered: Exchanges,
    /// When the other holders are asked again for an end that is not here.
    pub(crate) next_question: Option<Moment>,
    /// Until when it need not be said again that this node leads it no more.
    pub(crate) disclaimed: Option<Moment>,
    /// By when it is forgotten, as the list of those that have ended says.
    pub(crate) listed_until: Option<Moment>,
    /// Since when its coordinator is missed here.
    pub(crate) leaderless_since: Option<Moment>,
    /// Nobody is missed before: after a start the others are still to be heard.
    pub(crate) patient_until: Moment,
    /// Until then those of which nothing was heard since the start are still looked for.
    pub(crate) searches_until: Moment,
    /// This node led it to its end, and no backup has it.
    pub(crate) is_alone: bool,
    /// Other holders that are known to have all of it.
    pub(crate) whole_at: BTreeSet<NodeId>,
    /// Holders that are named and have nothing, since their last link.
    pub(crate) lacked_at: BTreeSet<NodeId>,
    /// What others have announced since their last link, and is not here: whoever leads next waits for it.
    pub(crate) announced: BTreeMap<NodeId, BlockSet>,
    /// Nodes that have forgotten the job, after its time there: they do not take it again.
    pub(crate) declined_by: BTreeSet<NodeId>,
}

impl Follower {
    /// A copy that came from elsewhere; the rest of the head is still to be taken
    /// in, and stored, with [`Follower::on_head`].
    pub(crate) fn from_head(head: &CopyHead, now: Moment) -> Result<Self, CutError> {
        let replica = Replica::new(head.record.clone(), head.leadership.clone());
        let age = Duration::from_millis(head.age_ms);
        let mut follower = Self::new(replica, now, age)?;
        if !is_made_of_seeds(&head.record) {
            follower.inputs = Inputs::MissingUntil(now);
        }
        Ok(follower)
    }

    /// A copy with its inputs: from the store, or from a coordinator that
    /// stepped down.
    pub(crate) fn new(replica: Replica, now: Moment, age: Duration) -> Result<Self, CutError> {
        Ok(Self {
            cut: cut_of(&replica.record)?,
            inputs: Inputs::Stored,
            head: (replica.epoch(), 0),
            since: now,
            age_then: age,
            came_at: now,
            election: None,
            resigned: None,
            asked: Exchanges::default(),
            answered: Exchanges::default(),
            next_question: None,
            disclaimed: None,
            listed_until: None,
            leaderless_since: None,
            patient_until: now,
            searches_until: now,
            is_alone: false,
            whole_at: BTreeSet::new(),
            lacked_at: BTreeSet::new(),
            announced: BTreeMap::new(),
            declined_by: BTreeSet::new(),
            replica,
        })
    }

    /// This node did not run for so long: nobody made it wait meanwhile.
    pub(crate) fn on_slept(&mut self, slept: Duration) {
        self.patient_until = self.patient_until + slept;
        self.searches_until = self.searches_until + slept;
        self.leaderless_since = self.leaderless_since.map(|since| since + slept);
        if let Some(election) = &mut self.election {
            election.on_slept(slept);
        }
    }

    pub(crate) fn replica(&self) -> &Replica {
        &self.replica
    }

    pub(crate) fn into_replica(self) -> Replica {
        self.replica
    }

    /// Names other backups, for a job that nobody leads any more.
    pub(crate) fn relist(&mut self, backups: Vec<NodeId>) {
        let mut leadership = self.replica.leadership.clone();
        leadership.version += 1;
        leadership.backups = backups;
        self.replica.record_leadership(leadership);
    }

    pub(crate) fn job(&self) -> JobId {
        self.replica.record.id
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.replica.epoch()
    }

    /// It has ended, and what belongs to its end is here: of a complete job
    /// every block. A copy that lacks some may yet have to be led on.
    pub(crate) fn has_ended(&self) -> bool {
        self.replica.ended.is_some()
            && !(self.lacks_blocks() && self.replica.status() == JobStatus::Complete)
    }

    /// Of all of C.
    pub(crate) fn result_bytes(&self) -> u64 {
        let shape = self.replica.record.shape;
        8 * u64::from(shape.rows) * u64::from(shape.cols)
    }

    /// Whether a block of it is not here.
    pub(crate) fn lacks_blocks(&self) -> bool {
        let total = usize::try_from(self.cut.block_count()).unwrap_or(usize::MAX);
        self.replica.done.len() < total
    }

    pub(crate) fn has_inputs(&self) -> bool {
        self.inputs == Inputs::Stored
    }

    /// Whether it waits for nothing but its coordinator.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.has_inputs()
            && self.replica.ended.is_none()
            && self.election.is_none()
            && self.leaderless_since.is_none()
    }

    /// Since its submission, or since its end.
    pub(crate) fn age(&self, now: Moment) -> Duration {
        now.since(self.since) + self.age_then
    }

    /// How long this node has had it since it started, by the steady clock.
    pub(crate) fn time_here(&self, now: Moment) -> Duration {
        now.since(self.came_at)
    }

    /// When it is to be forgotten, if it has ended.
    pub(crate) fn expires_at(&self, time_to_live: Duration) -> Option<Moment> {
        let left = time_to_live.saturating_sub(self.age_then);
        self.has_ended().then(|| self.since + left)
    }

    pub(crate) fn progress(&self, now: Moment) -> JobProgress {
        let mut progress = progress_of(&self.replica, &self.cut);
        progress.status = self.status();
        if self.replica.ended.is_none() {
            progress.elapsed_ms = self.age(now).as_secs_f64() * 1e3;
        }
        progress
    }

    pub(crate) fn cut(&self) -> &Cut {
        &self.cut
    }

    /// What this node can tell of the job while its coordinator is away; of
    /// version 0, so that whatever a coordinator said stands above it.
    pub(crate) fn summary(&self) -> JobSummary {
        let record = &self.replica.record;
        JobSummary {
            id: record.id,
            status: self.status(),
            epoch: self.epoch(),
            version: 0,
            holders: self.replica.holders().collect(),
            shape: record.shape,
            options: record.options,
            blocks_total: self.cut.block_count(),
            blocks_done: u32::try_from(self.replica.done.len()).unwrap_or(u32::MAX),
            submitted_at_unix_ms: record.submitted_at_unix_ms,
            idempotency_key: record.idempotency_key.clone(),
            reopened: false,
            fetched: false,
        }
    }

    fn status(&self) -> JobStatus {
        if self.has_ended() {
            self.replica.status()
        } else {
            JobStatus::Running
        }
    }

    // ----- its coordinator's copies ---------------------------------------

    /// Takes in a head. What is new is stored before it is answered for.
    pub(crate) fn on_head(
        &mut self,
        now: Moment,
        number: u64,
        head: &CopyHead,
        outputs: &mut Vec<Output>,
    ) {
        let had_ended = self.replica.ended.is_some();
        let is_news = self.replica.merge_head(head);
        let epoch = head.leadership.epoch;
        if epoch == self.epoch() {
            let before = if self.head.0 == epoch { self.head.1 } else { 0 };
            self.head = (epoch, before.max(number));
        }
        // The younger of two ages: a result is kept rather longer than shorter.
        let age = Duration::from_millis(head.age_ms);
        if !had_ended && self.replica.ended.is_some() || age < self.age(now) && head.ended.is_some()
        {
            (self.since, self.age_then) = (now, age);
        }
        if is_news {
            let age = self.age(now);
            outputs.push(Output::Persist(Change::Head {
                job: self.job(),
                leadership: self.replica.leadership.clone(),
                tallies: head.tallies.clone(),
                ended: self.replica.ended.clone().map(|ended| (ended, age)),
            }));
        }
    }

    /// Somebody cancels the job while nobody leads it.
    pub(crate) fn cancel(&mut self, now: Now, outputs: &mut Vec<Output>) {
        if self.replica.ended.is_some() {
            return;
        }
        let ended = Ended {
            ending: Ending::Cancelled,
            at_unix_ms: now.unix_ms,
            elapsed_ms: self.age(now.moment).as_secs_f64() * 1e3,
        };
        self.replica.record_end(ended.clone());
        self.election = None;
        (self.since, self.age_then) = (now.moment, Duration::ZERO);
        outputs.push(Output::Persist(Change::Head {
            job: self.job(),
            leadership: self.replica.leadership.clone(),
            tallies: Vec::new(),
            ended: Some((ended, Duration::ZERO)),
        }));
    }

    /// Takes in a block. False when its bytes are not the right ones.
    pub(crate) fn on_block(
        &mut self,
        done: DoneBlock,
        tally: Tally,
        bytes: u64,
        outputs: &mut Vec<Output>,
    ) -> bool {
        if !is_block_of(&self.cut, &done, bytes) {
            return false;
        }
        let (block, epoch) = (done.block, done.epoch);
        let before = self.replica.done.get(&block).cloned();
        self.replica.raise_tally(epoch, tally);
        self.replica.record_done(done);
        let after = self.replica.done.get(&block).cloned();
        if let Some(after) = after.filter(|after| before.as_ref() != Some(after)) {
            let tally = self.replica.tallies.get(&epoch).copied();
            outputs.push(Output::Persist(Change::Done {
                job: self.job(),
                done: Box::new(after),
                tally: tally.unwrap_or_default(),
            }));
        }
        true
    }

    /// A block's bytes are damaged. False when it is not here anyway.
    pub(crate) fn on_lost(&mut self, block: BlockIndex, outputs: &mut Vec<Output>) -> bool {
        let is_lost = self.replica.forget_done(block);
        if is_lost {
            let job = self.job();
            outputs.push(Output::Persist(Change::Lost { job, block }));
            self.asked = Exchanges::default();
        }
        is_lost
    }

    /// What is stored here: all of it, or the news that one block is.
    pub(crate) fn state(&self, news: Option<BlockIndex>) -> PeerMessage {
        let head = if self.head.0 == self.epoch() {
            self.head.1
        } else {
            0
        };
        PeerMessage::CopyState {
            job: self.job(),
            epoch: self.epoch(),
            head,
            has_inputs: self.has_inputs(),
            has_end: self.has_ended(),
            blocks: match news {
                Some(block) => std::iter::once(block).collect(),
                None => self.replica.done_set(),
            },
            is_all: news.is_none(),
        }
    }

    /// The blocks that are stored here, for whoever is to wait for them.
    pub(crate) fn inventory(&self) -> PeerMessage {
        inventory_of(&self.replica)
    }

    /// Sends another holder what it does not have, then what is here. More
    /// than fits its link it asks for again.
    pub(crate) fn answer_request(
        &self,
        now: Moment,
        to: NodeId,
        have: &BlockSet,
        outputs: &mut Vec<Output>,
    ) {
        let message = self.inventory();
        outputs.push(Output::Send { to, message });
        send_copy(&self.replica, &self.cut, self.age(now), (to, have), outputs);
        let message = self.state(None);
        outputs.push(Output::Send { to, message });
    }

    // ----- inputs ------------------------------------------------------------

    /// Asks for the inputs when they are not here and nobody fetches them.
    pub(crate) fn fetch_inputs(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        let Inputs::MissingUntil(from) = self.inputs else {
            return;
        };
        if from > now || !self.needs_inputs() {
            return;
        }
        self.inputs = Inputs::UnderWay;
        outputs.push(Output::FetchInputs {
            record: Box::new(self.replica.record.clone()),
            holders: self.replica.holders().collect(),
        });
    }

    /// While it runs, to lead it; of a complete one people may ask for them.
    fn needs_inputs(&self) -> bool {
        !self.has_ended() || self.replica.status() == JobStatus::Complete
    }

    pub(crate) fn on_inputs(&mut self, now: Moment, are_stored: bool) {
        self.inputs = if are_stored {
            Inputs::Stored
        } else {
            Inputs::MissingUntil(now + INPUTS_RETRY)
        };
    }

    /// When something is due beside elections.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        match self.inputs {
            Inputs::MissingUntil(from) if self.needs_inputs() => Some(from),
            _ => None,
        }
    }
}

/// See [`Follower::inventory`].
pub(crate) fn inventory_of(replica: &Replica) -> PeerMessage {
    PeerMessage::Inventory {
        job: replica.record.id,
        blocks: replica.done_set(),
    }
}

/// Sends the blocks of a copy that another holder lacks, and its head.
pub(crate) fn send_copy(
    replica: &Replica,
    cut: &Cut,
    age: Duration,
    (to, have): (NodeId, &BlockSet),
    outputs: &mut Vec<Output>,
) {
    // First, because it says of which job the blocks are.
    let message = PeerMessage::CopyHead {
        job: replica.record.id,
        // Numbers are the coordinator's, for its backups.
        number: 0,
        head: Box::new(replica.head(age)),
        inputs: Vec::new(),
    };
    outputs.push(Output::Send { to, message });
    let lacking = replica.done.keys().filter(|block| !have.contains(**block));
    for block in lacking.take(blocks_at_once(largest_block_bytes(cut))) {
        outputs.extend(block_message(replica, cut, to, *block));
    }
}

fn is_made_of_seeds(record: &wire::JobRecord) -> bool {
    let is_seed = |source: &MatrixSource| matches!(source, MatrixSource::Random(_));
    is_seed(&record.a) && is_seed(&record.b)
}
