//! Bully, for one job among the holders of its state: the highest id that
//! answers wins, but only after it has united what the others have.
//!
//! A holder that misses the coordinator asks those with higher ids first. One
//! that answers stands itself, and the asking holder waits for it. Nobody
//! higher answering, the holder collects what all the others have, and leads.
//! Waits that end without a coordinator begin the whole anew, each time later:
//! so nobody stands for ever, and nobody is waited for in vain.

use std::collections::BTreeSet;
use std::time::Duration;

use wire::{Epoch, NodeId};

use crate::limits::{
    ELECTION_COLLECT_MAX, ELECTION_COLLECT_WAIT, ELECTION_DOUBLED_MAX,
    ELECTION_REFUSED_DOUBLED_MAX, ELECTION_VICTORY_WAIT,
};
use crate::time::Moment;

/// Where this node is in an election.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// Those with higher ids were asked.
    Asking,
    /// Somebody else stands, or believes the coordinator alive.
    Waiting,
    /// The others were asked for what they have.
    Collecting {
        /// The epoch for which this node stands.
        epoch: Epoch,
        /// Holders that have not sent all.
        awaited: BTreeSet<NodeId>,
        /// Holders that have, and whose copy is now the same.
        united: BTreeSet<NodeId>,
        /// When they were asked.
        since: Moment,
    },
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Ask these whether they stand.
    Ask(Vec<NodeId>),
    /// Ask these for what they have.
    Collect(Epoch, Vec<NodeId>),
    /// Lead: these have the same copy.
    Lead(Epoch, Vec<NodeId>),
}

/// One holder's part in the election of a job's coordinator.
#[derive(Debug)]
pub(crate) struct Election {
    own: NodeId,
    incarnation: u64,
    /// How long those with a higher id have to answer.
    answer_wait: Duration,
    pub(crate) stage: Stage,
    until: Moment,
    /// Waits that ended without a coordinator.
    attempts: u32,
    /// How often a holder has seen the coordinator alive.
    refusals: u32,
}

impl Election {
    /// Stands. `reached` are the other holders that answer; `newest` is the
    /// newest epoch known.
    pub(crate) fn stand(
        (own, incarnation): (NodeId, u64),
        answer_wait: Duration,
        reached: &BTreeSet<NodeId>,
        newest: Epoch,
        now: Moment,
    ) -> (Self, Step) {
        let mut election = Self {
            own,
            incarnation,
            answer_wait,
            stage: Stage::Waiting,
            until: now,
            attempts: 0,
            refusals: 0,
        };
        let step = election.begin(reached, newest, now);
        (election, step)
    }

    /// Begins, or begins anew.
    fn begin(&mut self, reached: &BTreeSet<NodeId>, newest: Epoch, now: Moment) -> Step {
        // The one that is missed does not stand, though it may still be there.
        let higher = reached.iter().copied().filter(|id| *id > self.own);
        let higher: Vec<NodeId> = higher.filter(|id| *id != newest.coordinator).collect();
        if higher.is_empty() {
            return self.collect(reached, newest, now);
        }
        self.stage = Stage::Asking;
        self.until = now + self.answer_wait;
        Step::Ask(higher)
    }

    fn collect(&mut self, reached: &BTreeSet<NodeId>, newest: Epoch, now: Moment) -> Step {
        let epoch = Epoch {
            number: newest.number.saturating_add(1),
            coordinator: self.own,
            incarnation: self.incarnation,
        };
        if reached.is_empty() {
            return Step::Lead(epoch, reached.iter().copied().collect());
        }
        self.stage = Stage::Collecting {
            epoch,
            awaited: reached.clone(),
            united: BTreeSet::new(),
            since: now,
        };
        self.until = now + ELECTION_COLLECT_WAIT;
        Step::Collect(epoch, reached.iter().copied().collect())
    }

    /// Another stands, or knows better: it is waited for.
    pub(crate) fn give_way(&mut self, now: Moment) {
        self.stage = Stage::Waiting;
        let doubled = self.attempts.min(ELECTION_DOUBLED_MAX);
        self.until = now + ELECTION_VICTORY_WAIT * (1 << doubled);
        self.attempts = self.attempts.saturating_add(1);
    }

    /// A holder sees the coordinator alive. It is asked again, later each time: on a network that is cut between
    /// this node and the coordinator alone it will say the same for as long as that lasts.
    pub(crate) fn look_again(&mut self, now: Moment) {
        self.stage = Stage::Waiting;
        let doubled = self.refusals.min(ELECTION_REFUSED_DOUBLED_MAX);
        self.until = now + self.answer_wait * (1 << doubled);
        self.refusals = self.refusals.saturating_add(1);
    }

    /// Another holder misses the coordinator, too: what was refused before need not be waited for.
    pub(crate) fn hurry(&mut self, now: Moment) {
        if self.stage == Stage::Waiting && self.refusals > 0 {
            self.refusals = 0;
            self.until = now;
        }
    }

    /// This node did not run for so long: answers may wait to be read.
    pub(crate) fn on_slept(&mut self, slept: Duration) {
        self.until = self.until + slept;
        if let Stage::Collecting { since, .. } = &mut self.stage {
            *since = *since + slept;
        }
    }

    /// Blocks are coming: their sender is waited for, within reason.
    pub(crate) fn on_progress(&mut self, now: Moment) {
        if let Stage::Collecting { since, .. } = &self.stage {
            let longest = *since + ELECTION_COLLECT_MAX;
            self.until = self.until.max(now + ELECTION_COLLECT_WAIT).min(longest);
        }
    }

    /// A holder that is waited for has more than this node: it is waited for while that is on its way.
    pub(crate) fn on_inventory(&mut self, holder: NodeId, now: Moment) {
        if let Stage::Collecting { since, awaited, .. } = &self.stage
            && awaited.contains(&holder)
        {
            self.until = self.until.max(*since + ELECTION_COLLECT_MAX).max(now);
        }
    }

    /// A holder has sent all that it has. True when this node waited for it.
    pub(crate) fn on_united(&mut self, holder: NodeId) -> bool {
        let Stage::Collecting {
            awaited, united, ..
        } = &mut self.stage
        else {
            return false;
        };
        let was_awaited = awaited.remove(&holder);
        if was_awaited {
            united.insert(holder);
        }
        was_awaited
    }

    /// A holder is gone.
    pub(crate) fn on_gone(&mut self, holder: NodeId) {
        if let Stage::Collecting {
            awaited, united, ..
        } = &mut self.stage
        {
            awaited.remove(&holder);
            united.remove(&holder);
        }
    }

    /// The epoch for which this node collects.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        match &self.stage {
            Stage::Collecting { epoch, .. } => Some(*epoch),
            _ => None,
        }
    }

    /// What is due by now.
    pub(crate) fn on_tick(
        &mut self,
        reached: &BTreeSet<NodeId>,
        newest: Epoch,
        now: Moment,
    ) -> Option<Step> {
        let is_over = self.until <= now;
        match &self.stage {
            Stage::Asking if is_over => Some(self.collect(reached, newest, now)),
            Stage::Waiting if is_over => Some(self.begin(reached, newest, now)),
            Stage::Collecting {
                epoch,
                awaited,
                united,
                ..
            } if awaited.is_empty() || is_over => {
                if *epoch <= newest {
                    // Somebody was faster.
                    return Some(self.begin(reached, newest, now));
                }
                Some(Step::Lead(*epoch, united.iter().copied().collect()))
            }
            _ => None,
        }
    }

    pub(crate) fn next_deadline(&self) -> Moment {
        self.until
    }
}
