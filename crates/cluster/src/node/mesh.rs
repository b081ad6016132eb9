//! Links, and what nodes tell of themselves.

use wire::{Acquaintance, Exchange, NodeId, NodeStatus, PeerMessage, WorkerId, WorkerKind};

use super::Node;
use crate::coordinator::Candidate;
use crate::effect::{Event, Output, WorkerProfile};
use crate::limits::{
    ACQUAINTANCES_MAX, BLOCKS_PER_THREAD, NEWCOMERS_TOLD_MAX, PEERS_MAX, THREADS_MAX,
};
use crate::membership::Liveness;
use crate::placement::Workforce;
use crate::time::Now;

impl Node {
    pub(super) fn on_link_up(&mut self, now: Now, peer: NodeId, outputs: &mut Vec<Output>) {
        if !self.membership.on_link_up(peer, now.moment, outputs) {
            return;
        }
        if let Some(status) = &self.own_status {
            let message = PeerMessage::Status(status.clone());
            outputs.push(Output::Send { to: peer, message });
        }
        let others = self
            .membership
            .peers()
            .filter(|(id, known)| *id != peer && known.linked);
        let others = others.filter_map(|(node, known)| {
            let addresses = known.status.as_ref()?.addresses.clone();
            Some(Acquaintance { node, addresses })
        });
        let mut others: Vec<Acquaintance> = others.collect();
        if others.len() > ACQUAINTANCES_MAX {
            // Each node names others, so that all of them together are soon known.
            others.sort_by_cached_key(|other| draw(self.id, peer, other.node));
            others.truncate(ACQUAINTANCES_MAX);
        }
        let message = PeerMessage::Acquaintances(others);
        outputs.push(Output::Send { to: peer, message });
        // What the coordinator itself says supersedes what others heard.
        for page in self.directory.pages() {
            let message = PeerMessage::Directory(page);
            outputs.push(Output::Send { to: peer, message });
        }
        self.host.offer_kept(peer, &self.directory, outputs);
        self.host.tell_held(peer, &self.directory, outputs);
        for job in self.directory.running() {
            self.host.on_work_available(job.id);
        }
        self.keeping.on_nodes_changed(now.moment);
        self.bring_copies_together(now, peer, outputs);
        self.fill_backups(now, outputs);
        outputs.push(Output::Event(Event::MeshChanged));
    }

    /// A peer tells of itself. Those that came last hear where it is: two that
    /// linked at the same moment would not hear of each other otherwise.
    pub(super) fn on_status(
        &mut self,
        from: NodeId,
        status: NodeStatus,
        outputs: &mut Vec<Output>,
    ) {
        let is_elsewhere = self.membership.addresses_of(from) != Some(&status.addresses[..]);
        if !self.membership.on_status(from, status) {
            return;
        }
        outputs.push(Output::Event(Event::MeshChanged));
        let addresses = self.membership.addresses_of(from);
        let Some(addresses) = addresses.filter(|_| is_elsewhere) else {
            return;
        };
        let acquaintance = Acquaintance {
            node: from,
            addresses: addresses.to_vec(),
        };
        let message = PeerMessage::Acquaintances(vec![acquaintance]);
        for to in self.membership.newcomers(NEWCOMERS_TOLD_MAX + 1) {
            if to != from {
                let message = message.clone();
                outputs.push(Output::Send { to, message });
            }
        }
    }

    pub(super) fn on_acquaintances(&self, nodes: Vec<Acquaintance>, outputs: &mut Vec<Output>) {
        let linked = self.membership.linked();
        for Acquaintance { node, addresses } in nodes.into_iter().take(PEERS_MAX) {
            if node != self.id && !linked.contains(&node) {
                outputs.push(Output::Dial {
                    peer: node,
                    addresses,
                });
            }
        }
    }

    pub(super) fn on_peer_gone(&mut self, now: Now, peer: NodeId, outputs: &mut Vec<Output>) {
        self.take_all_gathered(now, outputs);
        for coordinator in self.coordinators.values_mut() {
            coordinator.on_node_gone(now, peer, outputs);
        }
        for follower in self.followers.values_mut() {
            if let Some(election) = &mut follower.election {
                election.on_gone(peer);
            }
        }
        self.keeping.on_peer_gone(now.moment, peer);
        self.host.on_peer_gone(peer, &self.directory);
        self.announce_ends_of(now, peer, outputs);
        self.fill_backups(now, outputs);
        outputs.push(Output::Event(Event::MeshChanged));
    }

    pub(super) fn on_own_status(&mut self, status: NodeStatus, outputs: &mut Vec<Output>) {
        self.tell_all(&PeerMessage::Status(status.clone()), outputs);
        self.own_status = Some(status);
        outputs.push(Output::Event(Event::MeshChanged));
    }

    pub(super) fn tell_all(&self, message: &PeerMessage, outputs: &mut Vec<Output>) {
        for to in self.membership.linked() {
            outputs.push(Output::Send {
                to,
                message: message.clone(),
            });
        }
    }

    /// What would be given work now, over the whole mesh.
    pub(super) fn count_workforce(&self) -> Workforce {
        let own = self.host.profiles().map(|(_, own)| own);
        let own = own.filter(|own| takes_work(own));
        let own = own.map(|own| (own.threads, own.mflops));
        let peers = self.membership.peers().map(|(_, peer)| peer);
        let alive = peers.filter(|peer| peer.liveness == Liveness::Alive);
        let others = alive.filter_map(|peer| peer.status.as_ref());
        let others = others.flat_map(|status| {
            let pages = status.browsers.iter();
            let pages = pages.filter(|page| page.contributing && page.visible);
            let pages = pages.map(|page| (page.threads, page.mflops));
            pages.chain((status.threads > 0).then_some((status.threads, status.mflops)))
        });
        Workforce::new(own.chain(others), self.has_page())
    }

    /// Whether there is a page that takes work, or will again when it comes to the front or its node is heard.
    fn has_page(&self) -> bool {
        let mut own = self.host.profiles().map(|(_, own)| own);
        let peers = self.membership.peers().map(|(_, peer)| peer);
        let there = peers.filter(|peer| peer.liveness != Liveness::Unreachable);
        let mut pages = there
            .filter_map(|peer| peer.status.as_ref())
            .flat_map(|status| &status.browsers);
        own.any(|own| own.kind == WorkerKind::Browser && own.contributing)
            || pages.any(|page| page.contributing)
    }

    /// Every device of the mesh that takes work: the slow ones first, so that
    /// when there are fewer blocks than devices it is the fast ones, which are
    /// sure to get some anyway, that go without a reservation.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let own = self
            .host
            .profiles()
            .filter(|(_, profile)| takes_work(profile));
        let mut all: Vec<Candidate> = own
            .map(|(worker, profile)| candidate(self.id, profile.exchange(worker, 0)))
            .collect();
        for (id, peer) in self.membership.peers() {
            let Some(status) = &peer.status else { continue };
            if peer.liveness != Liveness::Alive {
                continue;
            }
            if status.threads > 0 {
                let own = Exchange {
                    worker: WorkerId::from(id),
                    kind: WorkerKind::Native,
                    name: status.name.clone(),
                    device: status.device.clone(),
                    threads: status.threads,
                    mflops: status.mflops,
                    slots: 0,
                };
                all.push(candidate(id, own));
            }
            let pages = status
                .browsers
                .iter()
                .filter(|page| page.contributing && page.visible);
            let pages = pages.map(|page| Exchange {
                worker: page.worker,
                kind: WorkerKind::Browser,
                name: page.device.clone(),
                device: page.device.clone(),
                threads: page.threads,
                mflops: page.mflops,
                slots: 0,
            });
            all.extend(pages.map(|page| candidate(id, page)));
        }
        let mflops = |candidate: &Candidate| candidate.exchange.mflops;
        all.sort_by(|one, other| mflops(one).total_cmp(&mflops(other)));
        all
    }
}

/// Asks for as many blocks as any device has room for.
fn candidate(home: NodeId, mut exchange: Exchange) -> Candidate {
    exchange.slots = exchange.threads.min(THREADS_MAX) * BLOCKS_PER_THREAD;
    Candidate { home, exchange }
}

fn takes_work(profile: &WorkerProfile) -> bool {
    profile.contributing && profile.visible && profile.threads > 0
}

/// A number for three nodes that looks as if it were drawn: FNV-1a.
fn draw(one: NodeId, other: NodeId, third: NodeId) -> u64 {
    let bytes = [one, other, third].map(|node| *node.as_bytes());
    bytes
        .iter()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
}
