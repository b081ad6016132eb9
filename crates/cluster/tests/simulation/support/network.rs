//! The network of the mesh: lines that break, messages that get lost.

use std::time::Duration;

use cluster::Input;
use wire::{BlockIndex, JobId, NodeId, PeerMessage, WorkerId};

use super::mesh::{Arrival, Happening, Line, Mesh, micros, pair};
use crate::invariants::stored_before_told;

/// How soon a broken line is tried again.
const RELINK: Duration = Duration::from_millis(300);

impl Mesh {
    pub(super) fn send(&mut self, from: NodeId, to: NodeId, message: PeerMessage) {
        assert_ne!(from, to, "a message to oneself never leaves the node");
        let Some(line) = self.lines.get(&pair(from, to)).map(|line| line.number) else {
            return;
        };
        let beat = match message {
            PeerMessage::Heartbeat { sequence } => Some(sequence),
            _ => None,
        };
        let bytes = match beat {
            Some(_) => None,
            None => stored_before_told::check_message(self, from, &message),
        };
        if let Some(by_node) = &mut self.sent_by {
            by_node.entry(from).or_default().add(&message);
        }
        if self.notes_sent && beat.is_none() {
            self.sent.push((from, to, message.clone()));
        }
        if self.lost.iter().any(|is_lost| is_lost(&message)) {
            return;
        }
        if self.random.chance(self.faults.loss) {
            self.count("message lost");
            return;
        }
        let mut copies = 1;
        if self.random.chance(self.faults.duplication) {
            self.count("message twice");
            copies = 2;
        }
        let is_behind = message.goes_behind_blocks();
        let arrival = Arrival {
            from,
            to,
            line,
            message,
            bytes,
        };
        let mut arrival = beat.is_none().then(|| Box::new(arrival));
        for copy in 1..=copies {
            let at = self.arrives_at(from, to, is_behind);
            let happening = match (beat, copy == copies) {
                (Some(sequence), _) => Happening::Beat {
                    from,
                    to,
                    line,
                    sequence,
                },
                (None, true) => Happening::Arrive(arrival.take().expect("it is the last")),
                (None, false) => Happening::Arrive(arrival.clone().expect("it is not the last")),
            };
            self.happen(at, happening);
        }
    }

    /// When a message that is sent now arrives.
    fn arrives_at(&mut self, from: NodeId, to: NodeId, is_behind: bool) -> u64 {
        let mut at = self.clock + self.random.within(500..4_000);
        if self.random.chance(self.faults.reordering) {
            self.count("message overtaken");
            return at + self.random.within(0..200_000);
        }
        if is_behind && self.lane_delay > 0 && self.random.chance(100) {
            self.count("lane late");
            at += self.random.within(0..self.lane_delay);
        }
        let line = self.lines.get_mut(&pair(from, to)).expect("it is open");
        let last = &mut line.last_arrivals[usize::from(from < to)][usize::from(is_behind)];
        *last = at.max(*last);
        *last
    }

    pub(super) fn on_beat(&mut self, (from, to): (NodeId, NodeId), line: u64, sequence: u64) {
        let open = self.lines.get(&pair(from, to));
        let is_open = open.is_some_and(|open| open.number == line);
        if is_open && self.hosts[&to].is_up && !self.is_cut_off(from, to) {
            let message = PeerMessage::Heartbeat { sequence };
            self.enqueue(to, Input::Peer { from, message });
        }
    }

    pub(super) fn on_arrive(&mut self, arrival: Arrival) {
        let Arrival {
            from,
            to,
            line,
            message,
            bytes,
        } = arrival;
        let open = self.lines.get(&pair(from, to));
        let open = open.is_some_and(|open| open.number == line);
        if !open || !self.hosts[&to].is_up || self.is_cut_off(from, to) {
            return;
        }
        if let (Some(key), Some(bytes)) = (result_key(&message), bytes) {
            let store = self.stores.get_mut(&to).expect("every node has a store");
            store.keep(key, bytes);
        }
        self.enqueue(to, Input::Peer { from, message });
    }

    /// Whether what the first sends does not come to the second, though their
    /// line seems open.
    fn is_cut_off(&self, from: NodeId, to: NodeId) -> bool {
        self.muted.contains(&from) || self.muted.contains(&to) || self.deaf.contains(&(to, from))
    }

    /// Since when two nodes can talk to each other, if they can.
    pub(crate) fn talking_since(&self, one: NodeId, other: NodeId) -> Option<u64> {
        let line = self.lines.get(&pair(one, other))?;
        let is_cut_off = self.is_cut_off(one, other) || self.is_cut_off(other, one);
        let is_stopped = self.frozen.contains(&one) || self.frozen.contains(&other);
        (!is_cut_off && !is_stopped).then_some(line.opened)
    }

    pub(super) fn on_link(&mut self, one: NodeId, other: NodeId) {
        if !self.wired.contains(&(one, other)) || self.lines.contains_key(&(one, other)) {
            return;
        }
        let (up_one, up_other) = (self.hosts[&one].is_up, self.hosts[&other].is_up);
        let reach = !self.is_cut_off(one, other) && !self.is_cut_off(other, one);
        if !up_one || !up_other || !reach {
            self.happen(self.clock + micros(RELINK), Happening::Link(one, other));
            return;
        }
        let line = Line::new(self.fresh_number(), self.clock);
        self.lines.insert((one, other), line);
        self.enqueue(one, Input::LinkUp { peer: other });
        self.enqueue(other, Input::LinkUp { peer: one });
    }

    pub(super) fn on_cut(&mut self, one: NodeId, other: NodeId) {
        if self.lines.remove(&(one, other)).is_none() {
            return;
        }
        self.enqueue(one, Input::LinkDown { peer: other });
        self.enqueue(other, Input::LinkDown { peer: one });
        self.happen(self.clock + micros(RELINK), Happening::Link(one, other));
    }
}

/// Whose result a message brings the bytes of.
fn result_key(message: &PeerMessage) -> Option<(JobId, BlockIndex, WorkerId)> {
    match message {
        PeerMessage::Result {
            job,
            block,
            exchange,
            ..
        } => Some((*job, *block, exchange.worker)),
        PeerMessage::CopyBlock { job, done, .. } => Some((*job, done.block, done.worker)),
        _ => None,
    }
}
