//! Who gives a chunk that many ask for.
//!
//! The first node that asks gets it from here. Each later one is referred to a
//! node that asked before it, so a chunk leaves here about once and spreads
//! among those that need it as a tree. Whoever was referred in vain is served
//! here at once: a slow node holds nobody up for long.

use std::collections::{BTreeMap, VecDeque};

use wire::{ChunkAsk, ChunkHash, NodeId};

use crate::limits::{CHUNKS_SHARED_MAX, REFERRALS_PER_TURN, REFERRED_IN_VAIN};
use crate::time::Moment;

/// Where an asker gets its chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giver {
    /// From the node that was asked.
    Here,
    /// From this one, which has it or is about to.
    Other(NodeId),
}

/// What one node knows of the chunks that it gave: who asked for each, and who
/// was referred to whom in vain. Bounded; what is forgotten is given once more.
#[derive(Debug, Default)]
pub struct Sharing {
    takers: BTreeMap<ChunkHash, Vec<Taker>>,
    /// The chunks, the longest known first.
    known: VecDeque<ChunkHash>,
    /// Until when an asker (the first) is not referred to a node (the second).
    in_vain: BTreeMap<(NodeId, NodeId), Moment>,
}

/// A node that has a chunk or waits for it.
#[derive(Debug)]
struct Taker {
    node: NodeId,
    referrals: u32,
}

impl Sharing {
    /// Who gives this chunk to `asker`, who is from now on one of those that
    /// have it. Only nodes that are `reachable` are named.
    pub fn giver(
        &mut self,
        now: Moment,
        hash: ChunkHash,
        (asker, ask): (NodeId, ChunkAsk),
        reachable: impl Fn(NodeId) -> bool,
    ) -> Giver {
        let giver = match ask {
            // Somebody else keeps count of this chunk.
            ChunkAsk::Referred => return Giver::Here,
            ChunkAsk::InsteadOf { node } => {
                self.was_in_vain(now, hash, (asker, node));
                Giver::Here
            }
            ChunkAsk::Open => self.refer(now, hash, asker, reachable),
        };
        let takers = self.takers_of(hash);
        if takers.iter().all(|taker| taker.node != asker) {
            takers.push(Taker {
                node: asker,
                referrals: 0,
            });
        }
        giver
    }

    fn refer(
        &mut self,
        now: Moment,
        hash: ChunkHash,
        asker: NodeId,
        reachable: impl Fn(NodeId) -> bool,
    ) -> Giver {
        let Some(takers) = self.takers.get_mut(&hash) else {
            return Giver::Here;
        };
        let in_vain = &self.in_vain;
        let is_fit = |node: NodeId| {
            let until = in_vain.get(&(asker, node));
            node != asker && reachable(node) && until.is_none_or(|until| *until <= now)
        };
        // Of those whose turn it is the first: it has had the chunk for longest.
        let next = takers
            .iter_mut()
            .filter(|taker| is_fit(taker.node))
            .min_by_key(|taker| taker.referrals / REFERRALS_PER_TURN);
        match next {
            Some(taker) => {
                taker.referrals += 1;
                Giver::Other(taker.node)
            }
            None => Giver::Here,
        }
    }

    /// The node may be slow, or gone, or have lost the chunk, or not be linked to
    /// the asker: nobody is referred to it for this chunk, and the asker not for others.
    fn was_in_vain(&mut self, now: Moment, hash: ChunkHash, pair: (NodeId, NodeId)) {
        let takers = self.takers.get_mut(&hash);
        let named = takers.and_then(|takers| {
            let index = takers.iter().position(|taker| taker.node == pair.1)?;
            Some(takers.remove(index))
        });
        // Whoever was never named here is not a word of this node's, and not kept.
        if named.is_some() {
            self.in_vain.retain(|_, until| *until > now);
            self.in_vain.insert(pair, now + REFERRED_IN_VAIN);
        }
    }

    fn takers_of(&mut self, hash: ChunkHash) -> &mut Vec<Taker> {
        if !self.takers.contains_key(&hash) {
            if self.known.len() >= CHUNKS_SHARED_MAX
                && let Some(oldest) = self.known.pop_front()
            {
                self.takers.remove(&oldest);
            }
            self.known.push_back(hash);
        }
        self.takers.entry(hash).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: ChunkHash = ChunkHash::from_bytes([9; 32]);
    const START: Moment = Moment::from_micros(0);

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 16])
    }

    fn open(sharing: &mut Sharing, asker: u8) -> Giver {
        sharing.giver(START, HASH, (node(asker), ChunkAsk::Open), |_| true)
    }

    #[test]
    fn a_chunk_is_given_once_and_spreads_as_a_tree() {
        let mut sharing = Sharing::default();
        let givers: Vec<Giver> = (1..=7).map(|asker| open(&mut sharing, asker)).collect();
        let others = [1, 1, 2, 2, 3, 3].map(|other| Giver::Other(node(other)));
        assert_eq!(givers[0], Giver::Here);
        assert_eq!(givers[1..], others);
    }

    #[test]
    fn nobody_is_referred_to_itself_or_to_an_unreachable_node() {
        let mut sharing = Sharing::default();
        open(&mut sharing, 1);
        assert_eq!(open(&mut sharing, 1), Giver::Here);
        let unreachable = |other| other != node(1);
        let ask = (node(2), ChunkAsk::Open);
        assert_eq!(sharing.giver(START, HASH, ask, unreachable), Giver::Here);
        assert_eq!(open(&mut sharing, 3), Giver::Other(node(1)));
    }

    #[test]
    fn whoever_was_referred_in_vain_is_served_here_and_not_sent_there_again_for_a_while() {
        let mut sharing = Sharing::default();
        open(&mut sharing, 1);
        assert_eq!(open(&mut sharing, 2), Giver::Other(node(1)));
        let ask = (node(2), ChunkAsk::InsteadOf { node: node(1) });
        assert_eq!(sharing.giver(START, HASH, ask, |_| true), Giver::Here);
        // For this chunk nobody is sent to the one that did not give it.
        assert_eq!(open(&mut sharing, 3), Giver::Other(node(2)));

        let next = ChunkHash::from_bytes([8; 32]);
        let mut ask = |now, asker| {
            let ask = (node(asker), ChunkAsk::Open);
            sharing.giver(now, next, ask, |_| true)
        };
        assert_eq!(ask(START, 1), Giver::Here);
        assert_eq!(ask(START, 2), Giver::Here);
        assert_eq!(ask(START, 3), Giver::Other(node(1)));
        assert_eq!(
            ask(START + REFERRED_IN_VAIN, 2),
            Giver::Other(node(1)),
            "it may have been a bad moment"
        );
    }

    #[test]
    fn complaints_of_nodes_that_were_never_named_are_not_kept() {
        let mut sharing = Sharing::default();
        open(&mut sharing, 1);
        for stranger in 2..=255 {
            let ask = ChunkAsk::InsteadOf {
                node: node(stranger),
            };
            sharing.giver(START, HASH, (node(1), ask), |_| true);
        }
        assert!(sharing.in_vain.is_empty());
    }

    #[test]
    fn whoever_was_referred_is_not_referred_on() {
        let mut sharing = Sharing::default();
        open(&mut sharing, 1);
        let ask = (node(2), ChunkAsk::Referred);
        assert_eq!(sharing.giver(START, HASH, ask, |_| true), Giver::Here);
    }

    #[test]
    fn what_is_known_of_old_chunks_is_forgotten() {
        let mut sharing = Sharing::default();
        open(&mut sharing, 1);
        for number in 0..CHUNKS_SHARED_MAX {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            let ask = (node(1), ChunkAsk::Open);
            sharing.giver(START, ChunkHash::from_bytes(bytes), ask, |_| true);
        }
        assert_eq!(sharing.takers.len(), CHUNKS_SHARED_MAX);
        assert_eq!(sharing.known.len(), CHUNKS_SHARED_MAX);
        assert_eq!(open(&mut sharing, 2), Giver::Here);
    }

    proptest::proptest! {
        /// Whoever asks in which order: a chunk is given here once, and the way to
        /// whoever has it is short.
        #[test]
        fn among_reachable_nodes_a_chunk_leaves_once(askers in proptest::collection::btree_set(0_u8..=255, 1..60)) {
            let mut sharing = Sharing::default();
            let mut depths: BTreeMap<NodeId, u32> = BTreeMap::new();
            for asker in &askers {
                let depth = match open(&mut sharing, *asker) {
                    Giver::Here => 1,
                    Giver::Other(other) => depths[&other] + 1,
                };
                depths.insert(node(*asker), depth);
            }
            let firsts = depths.values().filter(|depth| **depth == 1).count();
            proptest::prop_assert_eq!(firsts, 1);
            let deepest = depths.values().max().copied().unwrap_or_default();
            proptest::prop_assert!(deepest <= askers.len().ilog2() + 1);
        }
    }
}
