//! The network of the mesh: lines that break, messages that get lost.

use std::time::Duration;

use cluster::Input;
use wire::{ChunkHash, NodeId, PeerMessage};

use super::mesh::{Happening, Mesh, micros, pair};

/// How soon a broken line is tried again.
const RELINK: Duration = Duration::from_millis(300);

impl Mesh {
    pub(super) fn send(&mut self, from: NodeId, to: NodeId, message: PeerMessage) {
        assert_ne!(from, to, "a message to oneself never leaves the node");
        let store = &self.stores[&from];
        let mut bytes = None;
        match &message {
            PeerMessage::Job(summary) if summary.epoch.coordinator == from => {
                store.check_summary(summary);
            }
            PeerMessage::Counted {
                job,
                block,
                worker,
                counted: true,
            } => {
                assert_eq!(
                    store.credit(*job, *block),
                    Some(*worker),
                    "told before stored"
                );
            }
            PeerMessage::Result {
                job,
                block,
                exchange,
                proof,
            } => {
                let key = (*job, *block, exchange.worker);
                bytes = proof.hash.filter(|hash| store.keeps(key, *hash));
                assert!(bytes.is_some(), "a result without its bytes");
            }
            _ => {}
        }
        let Some(line) = self.lines.get(&pair(from, to)).copied() else {
            return;
        };
        if !matches!(message, PeerMessage::Heartbeat { .. }) {
            self.sent.push((from, to, message.clone()));
        }
        if self.lost.iter().any(|is_lost| is_lost(&message)) || self.random.chance(self.faults.loss)
        {
            return;
        }
        let copies = 1 + u64::from(self.random.chance(self.faults.duplication));
        for _ in 0..copies {
            let mut at = self.clock + self.random.within(500..4_000);
            if self.random.chance(self.faults.reordering) {
                at += self.random.within(0..200_000);
            } else {
                let last = self.last_arrival.entry((from, to)).or_default();
                at = at.max(*last);
                *last = at;
            }
            let message = message.clone();
            self.happen(
                at,
                Happening::Arrive {
                    from,
                    to,
                    line,
                    message,
                    bytes,
                },
            );
        }
    }

    pub(super) fn on_arrive(
        &mut self,
        (from, to): (NodeId, NodeId),
        line: u64,
        message: PeerMessage,
        bytes: Option<ChunkHash>,
    ) {
        let open = self.lines.get(&pair(from, to)) == Some(&line);
        if !open || !self.hosts[&to].is_up || self.muted.contains(&from) || self.muted.contains(&to)
        {
            return;
        }
        if let (
            PeerMessage::Result {
                job,
                block,
                exchange,
                ..
            },
            Some(bytes),
        ) = (&message, bytes)
        {
            let key = (*job, *block, exchange.worker);
            let store = self.stores.get_mut(&to).expect("every node has a store");
            store.keep(key, bytes);
        }
        self.feed(to, Input::Peer { from, message });
    }

    pub(super) fn on_link(&mut self, one: NodeId, other: NodeId) {
        if !self.wired.contains(&(one, other)) || self.lines.contains_key(&(one, other)) {
            return;
        }
        let (up_one, up_other) = (self.hosts[&one].is_up, self.hosts[&other].is_up);
        if !up_one || !up_other || self.muted.contains(&one) || self.muted.contains(&other) {
            self.happen(self.clock + micros(RELINK), Happening::Link(one, other));
            return;
        }
        let line = self.fresh_number();
        self.lines.insert((one, other), line);
        self.feed(one, Input::LinkUp { peer: other });
        self.feed(other, Input::LinkUp { peer: one });
    }

    pub(super) fn on_cut(&mut self, one: NodeId, other: NodeId) {
        if self.lines.remove(&(one, other)).is_none() {
            return;
        }
        self.feed(one, Input::LinkDown { peer: other });
        self.feed(other, Input::LinkDown { peer: one });
        self.happen(self.clock + micros(RELINK), Happening::Link(one, other));
    }
}
