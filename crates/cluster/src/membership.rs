//! Who lives: heartbeats out, silence noticed, broken links looked at twice.
//!
//! A peer whose link breaks is suspect. It is taken for dead as soon as its
//! machine refuses a new connection and no other node has a link to it that
//! works; otherwise when it has been silent for the heartbeat time-out. So a
//! process that was killed is missed within milliseconds, and a cable that was
//! bumped costs nothing.
//!
//! Does not decide what a death means; the node asks and acts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use wire::{NodeId, NodeStatus, PeerMessage};

use crate::effect::Output;
use crate::limits::{
    ADDRESSES_MAX, PAGES_MAX, PEERS_MAX, SECOND_OPINION_WAIT, WITNESS_INTERVAL,
    WITNESSES_IN_VAIN_MAX, WITNESSES_MAX,
};
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
    /// What was told before its link came up: the next status stands, whatever its version. A machine
    /// without a battery may start again in the past.
    is_status_old: bool,
    /// It said goodbye: what still comes from it does not make it alive.
    left: bool,
    linked_at: Moment,
    last_heard: Moment,
    inquiry: Option<Inquiry>,
    elsewhere: Elsewhere,
}

/// Whether others reach a peer that this node does not: then the network keeps the two apart.
#[derive(Debug, Clone, PartialEq, Default)]
struct Elsewhere {
    seen_by: BTreeSet<NodeId>,
    /// When some are asked again.
    ask_at: Option<Moment>,
    /// How often nobody had seen it.
    in_vain: u32,
}

/// What is known of a peer whose link broke.
#[derive(Debug, Clone, PartialEq)]
struct Inquiry {
    /// Its machine refused a new connection.
    is_refused: bool,
    /// Nodes that were asked and have not answered.
    awaited: BTreeSet<NodeId>,
    /// Nodes that still had a link to it when they answered. Who was asked before
    /// it noticed that its own broke, too, says so with a question of its own.
    vouched: BTreeSet<NodeId>,
    /// Without an answer until then, the other nodes' word is not waited for.
    until: Moment,
}

impl Inquiry {
    /// Whether it is dead by its machine's word and that of the others.
    fn is_settled_by(&self, now: Moment) -> bool {
        let have_answered = self.awaited.is_empty() || self.until <= now;
        self.is_refused && self.vouched.is_empty() && have_answered
    }
}

impl Peer {
    /// When it last sent anything.
    #[must_use]
    pub fn last_heard(&self) -> Moment {
        self.last_heard
    }

    /// Whether it said goodbye.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.left
    }

    fn is_reached(&self) -> bool {
        self.linked && self.liveness == Liveness::Alive
    }

    /// While it is unreachable from here: nodes that reach it.
    pub fn seen_by(&self) -> impl Iterator<Item = NodeId> {
        self.elsewhere.seen_by.iter().copied()
    }
}

/// All peers of this node.
#[derive(Debug)]
pub struct Membership {
    peers: BTreeMap<NodeId, Peer>,
    /// Nodes that were never linked, and that were looked for in vain.
    unreached: BTreeSet<NodeId>,
    heartbeat_interval: Duration,
    heartbeat_timeout: Duration,
    next_heartbeat: Moment,
    sequence: u64,
}

impl Membership {
    pub(crate) fn new(interval: Duration, timeout: Duration, now: Moment) -> Self {
        Self {
            peers: BTreeMap::new(),
            unreached: BTreeSet::new(),
            heartbeat_interval: interval,
            heartbeat_timeout: timeout,
            next_heartbeat: now,
            sequence: 0,
        }
    }

    /// Every peer that was ever linked and is not forgotten.
    pub fn peers(&self) -> impl Iterator<Item = (NodeId, &Peer)> + Clone {
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
        self.unreached.remove(&peer);
        let status = self.peers.remove(&peer).and_then(|known| known.status);
        let alive = Peer {
            status,
            liveness: Liveness::Alive,
            linked: true,
            is_status_old: true,
            left: false,
            linked_at: now,
            last_heard: now,
            inquiry: None,
            elsewhere: Elsewhere::default(),
        };
        self.peers.insert(peer, alive);
        self.send_heartbeat(peer, outputs);
        true
    }

    /// The link broke: the others are asked whether theirs did too.
    pub(crate) fn on_link_down(&mut self, peer: NodeId, now: Moment, outputs: &mut Vec<Output>) {
        let others: BTreeSet<NodeId> = self.linked().into_iter().filter(|id| *id != peer).collect();
        // Its word on others who are missed is old now.
        for known in self.peers.values_mut() {
            if let Some(inquiry) = &mut known.inquiry {
                inquiry.awaited.remove(&peer);
                inquiry.vouched.remove(&peer);
            }
        }
        let Some(known) = self.peers.get_mut(&peer) else {
            return;
        };
        known.linked = false;
        if known.liveness != Liveness::Alive {
            return;
        }
        known.liveness = Liveness::Suspect;
        for to in &others {
            let message = PeerMessage::Missing { node: peer };
            outputs.push(Output::Send { to: *to, message });
        }
        known.inquiry = Some(Inquiry {
            is_refused: false,
            awaited: others,
            vouched: BTreeSet::new(),
            until: now + SECOND_OPINION_WAIT,
        });
    }

    /// The peer's machine refused a connection.
    pub(crate) fn on_refused(&mut self, peer: NodeId) {
        self.on_unreached(peer);
        if let Some(inquiry) = self.inquiry(peer) {
            inquiry.is_refused = true;
        }
    }

    /// The peer was looked for wherever it was known, in vain.
    pub(crate) fn on_unreached(&mut self, peer: NodeId) {
        if !self.knows(peer) && self.unreached.len() < PEERS_MAX {
            self.unreached.insert(peer);
        }
    }

    /// Whether nobody can say yet if a node is there: it was not linked since this node started, nor
    /// was it looked for in vain.
    pub(crate) fn is_unexplored(&self, node: NodeId) -> bool {
        !self.knows(node) && !self.unreached.contains(&node)
    }

    /// What another node says of a missing one.
    pub(crate) fn on_seen(&mut self, from: NodeId, missing: NodeId, alive: bool) {
        if let Some(inquiry) = self.inquiry(missing) {
            inquiry.awaited.remove(&from);
            if alive {
                // Somebody reaches it: while that is so only silence counts.
                inquiry.vouched.insert(from);
            }
        }
        let peer = self.peers.get_mut(&missing);
        let Some(peer) = peer.filter(|peer| peer.elsewhere.ask_at.is_some()) else {
            return;
        };
        if !alive {
            peer.elsewhere.seen_by.remove(&from);
        } else if peer.elsewhere.seen_by.len() < WITNESSES_MAX && !peer.left {
            peer.elsewhere.seen_by.insert(from);
        }
    }

    /// Another node misses it, too.
    pub(crate) fn on_missed(&mut self, from: NodeId, missing: NodeId) {
        if let Some(inquiry) = self.inquiry(missing) {
            inquiry.awaited.remove(&from);
            inquiry.vouched.remove(&from);
        }
    }

    fn inquiry(&mut self, peer: NodeId) -> Option<&mut Inquiry> {
        self.peers.get_mut(&peer)?.inquiry.as_mut()
    }

    /// Whether this node has a link to it that works.
    pub(crate) fn is_reached(&self, node: NodeId) -> bool {
        let known = self.peers.get(&node);
        known.is_some_and(Peer::is_reached)
    }

    /// Whether a link to it is open, whatever comes over it.
    pub(crate) fn is_linked(&self, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(|known| known.linked)
    }

    /// Whether there ever was a link to it.
    pub(crate) fn knows(&self, node: NodeId) -> bool {
        self.peers.contains_key(&node)
    }

    /// Whether it is known not to answer. A node that was never linked is
    /// neither reached nor dead.
    pub(crate) fn is_dead(&self, node: NodeId) -> bool {
        let known = self.peers.get(&node);
        known.is_some_and(|known| known.liveness == Liveness::Unreachable)
    }

    /// The peers whose links are the youngest.
    pub(crate) fn newcomers(&self, count: usize) -> Vec<NodeId> {
        let linked = self.peers().filter(|(_, peer)| peer.linked);
        let mut linked: Vec<_> = linked
            .map(|(id, peer)| (Reverse(peer.linked_at), id))
            .collect();
        if linked.len() > count {
            linked.select_nth_unstable(count);
            linked.truncate(count);
        }
        linked.into_iter().map(|(_, id)| id).collect()
    }

    /// Nodes that answer.
    pub(crate) fn reached(&self) -> impl Iterator<Item = NodeId> + Clone {
        let reached = self.peers().filter(|(_, peer)| peer.is_reached());
        reached.map(|(id, _)| id)
    }

    /// This node was not running for so long: nobody else was silent.
    pub(crate) fn on_slept(&mut self, slept: Duration) {
        for peer in self.peers.values_mut() {
            peer.last_heard = peer.last_heard + slept;
            if let Some(inquiry) = &mut peer.inquiry {
                inquiry.until = inquiry.until + slept;
            }
        }
    }

    /// Whether a sign of life is from a peer that is known to live, and so is no news.
    pub(crate) fn is_heard_again(&mut self, peer: NodeId, now: Moment) -> bool {
        let known = self.peers.get_mut(&peer);
        let known = known.filter(|known| known.liveness == Liveness::Alive);
        known.map(|known| known.last_heard = now).is_some()
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
            known.inquiry = None;
            known.elsewhere = Elsewhere::default();
        }
        news
    }

    /// Takes a status unless a newer one is known. True when it was taken.
    pub(crate) fn on_status(&mut self, peer: NodeId, mut status: NodeStatus) -> bool {
        let Some(known) = self.peers.get_mut(&peer) else {
            return false;
        };
        let is_newer = |old: &NodeStatus| old.version < status.version;
        if !known.is_status_old && !known.status.as_ref().is_none_or(is_newer) {
            return false;
        }
        known.is_status_old = false;
        status.browsers.truncate(PAGES_MAX);
        status.addresses.truncate(ADDRESSES_MAX);
        known.status = Some(status);
        true
    }

    /// Where a peer is found, as far as it has said.
    pub(crate) fn addresses_of(&self, peer: NodeId) -> Option<&[SocketAddr]> {
        let status = self.peers.get(&peer)?.status.as_ref()?;
        Some(&status.addresses)
    }

    /// The peer leaves on purpose.
    pub(crate) fn on_goodbye(&mut self, peer: NodeId) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.left = true;
            known.inquiry = None;
            known.liveness = Liveness::Unreachable;
        }
    }

    /// Sends what is due and returns the peers that are taken for dead now,
    /// with whether it is for their silence.
    pub(crate) fn on_tick(
        &mut self,
        now: Moment,
        outputs: &mut Vec<Output>,
    ) -> Vec<(NodeId, bool)> {
        if now >= self.next_heartbeat {
            self.next_heartbeat = now + self.heartbeat_interval;
            let linked = self.linked();
            outputs.reserve(linked.len());
            for peer in linked {
                self.send_heartbeat(peer, outputs);
            }
        }
        let mut dead = Vec::new();
        for (id, peer) in &mut self.peers {
            if peer.liveness == Liveness::Unreachable {
                continue;
            }
            let is_silent = now.since(peer.last_heard) >= self.heartbeat_timeout;
            let is_refused = peer
                .inquiry
                .as_ref()
                .is_some_and(|inquiry| inquiry.is_settled_by(now));
            if is_silent || is_refused {
                peer.liveness = Liveness::Unreachable;
                peer.inquiry = None;
                peer.elsewhere.ask_at = Some(now + WITNESS_INTERVAL);
                dead.push((*id, !is_refused));
                if peer.linked {
                    outputs.push(Output::CloseLink { peer: *id });
                }
            }
        }
        self.ask_witnesses(now, outputs);
        dead
    }

    /// Some others are asked whether they reach who is not reached from here; not for ever who is nowhere.
    fn ask_witnesses(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        let is_due = |peer: &Peer| peer.elsewhere.ask_at.is_some_and(|at| at <= now);
        if !self.peers.values().any(is_due) {
            return;
        }
        let witnesses: Vec<NodeId> = self.reached().take(WITNESSES_MAX).collect();
        for (node, peer) in &mut self.peers {
            if !is_due(peer) {
                continue;
            }
            let elsewhere = &mut peer.elsewhere;
            let is_in_vain = elsewhere.seen_by.is_empty();
            elsewhere.in_vain = if is_in_vain { elsewhere.in_vain + 1 } else { 0 };
            let goes_on = elsewhere.in_vain <= WITNESSES_IN_VAIN_MAX && !peer.left;
            elsewhere.ask_at = goes_on.then(|| now + WITNESS_INTERVAL);
            elsewhere
                .seen_by
                .retain(|witness| witnesses.contains(witness));
            for to in &witnesses {
                let message = PeerMessage::Missing { node: *node };
                outputs.push(Output::Send { to: *to, message });
            }
        }
    }

    /// When the next heartbeat, silence or verdict is due.
    pub(crate) fn next_deadline(&self) -> Moment {
        let mut next = self.next_heartbeat;
        for peer in self.peers.values() {
            if peer.liveness != Liveness::Unreachable {
                next = next.min(peer.last_heard + self.heartbeat_timeout);
            }
            if let Some(inquiry) = &peer.inquiry
                && inquiry.is_refused
                && inquiry.vouched.is_empty()
            {
                next = next.min(inquiry.until);
            }
            if let Some(at) = peer.elsewhere.ask_at {
                next = next.min(at);
            }
        }
        next
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
