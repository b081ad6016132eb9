//! Who lives: heartbeats out, silence noticed.
//!
//! Does not decide what a death means; the node asks and acts.

use std::collections::BTreeMap;
use std::time::Duration;

use wire::{NodeId, NodeStatus, PeerMessage};

use crate::effect::Output;
use crate::limits::{ADDRESSES_MAX, PAGES_MAX, PEERS_MAX};
use crate::time::Moment;

/// Whether a peer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// Heard from lately.
    Alive,
    /// Its link broke; it may be back at once.
    Suspect,
    /// Silent for the heartbeat time-out, or it said goodbye.
    Unreachable,
}

/// What is known of a peer.
#[derive(Debug, Clone, PartialEq)]
pub struct Peer {
    /// What it told of itself.
    pub status: Option<NodeStatus>,
    /// Whether it answers.
    pub liveness: Liveness,
    /// Whether a link to it is open.
    pub linked: bool,
    /// It said goodbye: what still comes from it does not make it alive.
    left: bool,
    last_heard: Moment,
}

impl Peer {
    /// When it last sent anything.
    #[must_use]
    pub fn last_heard(&self) -> Moment {
        self.last_heard
    }
}

/// All peers of this node.
#[derive(Debug)]
pub struct Membership {
    peers: BTreeMap<NodeId, Peer>,
    heartbeat_interval: Duration,
    heartbeat_timeout: Duration,
    next_heartbeat: Moment,
    sequence: u64,
}

impl Membership {
    pub(crate) fn new(interval: Duration, timeout: Duration, now: Moment) -> Self {
        Self {
            peers: BTreeMap::new(),
            heartbeat_interval: interval,
            heartbeat_timeout: timeout,
            next_heartbeat: now,
            sequence: 0,
        }
    }

    /// Every peer that was ever linked and is not forgotten.
    pub fn peers(&self) -> impl Iterator<Item = (NodeId, &Peer)> {
        self.peers.iter().map(|(id, peer)| (*id, peer))
    }

    /// Peers with an open link.
    pub(crate) fn linked(&self) -> Vec<NodeId> {
        self.peers()
            .filter(|(_, peer)| peer.linked)
            .map(|(id, _)| id)
            .collect()
    }

    /// A link is open; a heartbeat goes out at once, to say so. False when
    /// there are too many peers, and the link is to be closed again.
    pub(crate) fn on_link_up(
        &mut self,
        peer: NodeId,
        now: Moment,
        outputs: &mut Vec<Output>,
    ) -> bool {
        if !self.peers.contains_key(&peer)
            && self.peers.len() >= PEERS_MAX
            && !self.forget_one_unreachable()
        {
            outputs.push(Output::CloseLink { peer });
            return false;
        }
        let status = self.peers.remove(&peer).and_then(|known| known.status);
        let alive = Peer {
            status,
            liveness: Liveness::Alive,
            linked: true,
            left: false,
            last_heard: now,
        };
        self.peers.insert(peer, alive);
        self.send_heartbeat(peer, outputs);
        true
    }

    pub(crate) fn on_link_down(&mut self, peer: NodeId) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.linked = false;
            if known.liveness == Liveness::Alive {
                known.liveness = Liveness::Suspect;
            }
        }
    }

    /// Anything that a peer sends shows that it lives. True when that is news.
    pub(crate) fn on_heard(&mut self, peer: NodeId, now: Moment) -> bool {
        let Some(known) = self.peers.get_mut(&peer) else {
            return false;
        };
        known.last_heard = now;
        let news = known.liveness != Liveness::Alive && known.linked && !known.left;
        if news {
            known.liveness = Liveness::Alive;
        }
        news
    }

    /// Takes a status unless a newer one is known. True when it was taken.
    pub(crate) fn on_status(&mut self, peer: NodeId, mut status: NodeStatus) -> bool {
        let Some(known) = self.peers.get_mut(&peer) else {
            return false;
        };
        // A restarted node counts from its start time, so its versions rise too.
        if known
            .status
            .as_ref()
            .is_some_and(|old| old.version >= status.version)
        {
            return false;
        }
        status.browsers.truncate(PAGES_MAX);
        status.addresses.truncate(ADDRESSES_MAX);
        known.status = Some(status);
        true
    }

    /// Where a peer is found, as far as it has said.
    pub(crate) fn addresses_of(&self, peer: NodeId) -> Option<&[String]> {
        let status = self.peers.get(&peer)?.status.as_ref()?;
        Some(&status.addresses)
    }

    /// The peer leaves on purpose.
    pub(crate) fn on_goodbye(&mut self, peer: NodeId) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.left = true;
            known.liveness = Liveness::Unreachable;
        }
    }

    /// Sends what is due and returns the peers that fell silent.
    pub(crate) fn on_tick(&mut self, now: Moment, outputs: &mut Vec<Output>) -> Vec<NodeId> {
        if now >= self.next_heartbeat {
            self.next_heartbeat = now + self.heartbeat_interval;
            for peer in self.linked() {
                self.send_heartbeat(peer, outputs);
            }
        }
        let mut silent = Vec::new();
        for (id, peer) in &mut self.peers {
            let overdue = now.since(peer.last_heard) >= self.heartbeat_timeout;
            if peer.liveness != Liveness::Unreachable && overdue {
                peer.liveness = Liveness::Unreachable;
                silent.push(*id);
                if peer.linked {
                    outputs.push(Output::CloseLink { peer: *id });
                }
            }
        }
        silent
    }

    /// When the next heartbeat or the next silence is due.
    pub(crate) fn next_deadline(&self) -> Moment {
        let silences = self
            .peers
            .values()
            .filter(|peer| peer.liveness != Liveness::Unreachable)
            .map(|peer| peer.last_heard + self.heartbeat_timeout);
        silences.fold(self.next_heartbeat, Moment::min)
    }

    fn send_heartbeat(&mut self, peer: NodeId, outputs: &mut Vec<Output>) {
        self.sequence += 1;
        let message = PeerMessage::Heartbeat {
            sequence: self.sequence,
        };
        outputs.push(Output::Send { to: peer, message });
    }

    fn forget_one_unreachable(&mut self) -> bool {
        let gone = self
            .peers()
            .find(|(_, peer)| peer.liveness == Liveness::Unreachable && !peer.linked)
            .map(|(id, _)| id);
        gone.is_some_and(|id| self.peers.remove(&id).is_some())
    }
}
