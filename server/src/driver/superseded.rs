//! What need not be said, because something behind it in the same batch says it and more.
//!
//! A backup tells what it has stored: news of a block, or the whole state of its copy. Blocks and the
//! end of a small job come together, and a copy may be stored together with its inputs: then the whole
//! state is behind the news, and a later one behind an earlier.

use std::collections::BTreeSet;

use cluster::Output;
use wire::{JobId, NodeId, PeerMessage};

/// Drops what copies tell of themselves where a whole state that goes to the same node follows, in
/// `outputs` or in `next`, which follow at once.
pub(super) fn drop_states(outputs: &mut Vec<Output>, next: &[Output]) {
    let mut told_behind = BTreeSet::new();
    let mut note = |output: &Output| {
        let (state, is_whole) = state_in(output)?;
        let is_superseded = told_behind.contains(&state);
        if is_whole {
            told_behind.insert(state);
        }
        Some(is_superseded)
    };
    for output in next.iter().rev() {
        note(output);
    }
    outputs.reverse();
    outputs.retain(|output| note(output) != Some(true));
    outputs.reverse();
}

/// To whom, of which job, and whether it is all of it, where a copy tells what is stored.
fn state_in(output: &Output) -> Option<((NodeId, JobId), bool)> {
    match output {
        Output::Send {
            to,
            message: PeerMessage::CopyState { job, is_all, .. },
        } => Some(((*to, *job), *is_all)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use wire::{BlockSet, Epoch};

    use super::*;

    fn state(to: u8, job: u8, has_inputs: bool, is_all: bool) -> Output {
        Output::Send {
            to: NodeId::from_bytes([to; 16]),
            message: PeerMessage::CopyState {
                job: JobId::from_bytes([job; 16]),
                epoch: Epoch {
                    number: 1,
                    coordinator: NodeId::from_bytes([1; 16]),
                    incarnation: 0,
                },
                head: 1,
                has_inputs,
                has_end: false,
                blocks: BlockSet::default(),
                is_all,
            },
        }
    }

    #[test]
    fn what_a_whole_state_follows_is_not_said() {
        let others = [
            state(2, 1, false, true),
            state(1, 2, false, false),
            Output::CloseLink {
                peer: NodeId::from_bytes([1; 16]),
            },
        ];
        let whole = state(1, 1, true, true);
        let (news, earlier) = (state(1, 1, false, false), state(1, 1, false, true));
        let later = [news.clone(), earlier.clone(), whole.clone()];
        for before in [&later[..1], &later[..2]] {
            // In the same list, or in the one behind it.
            let mut outputs = [before, &others, std::slice::from_ref(&whole)].concat();
            drop_states(&mut outputs, &[]);
            assert_eq!(
                outputs,
                [&others[..], std::slice::from_ref(&whole)].concat()
            );
            let mut outputs = [before, &others].concat();
            drop_states(&mut outputs, &[news.clone(), whole.clone()]);
            assert_eq!(outputs, others);
        }
    }

    #[test]
    fn news_supersede_nothing_and_go_behind_a_whole_state() {
        let (news, whole) = (state(1, 1, true, false), state(1, 1, false, true));
        let before = vec![news.clone(), news.clone()];
        let mut outputs = before.clone();
        drop_states(&mut outputs, std::slice::from_ref(&news));
        assert_eq!(outputs, before);
        let before = vec![whole, news.clone()];
        let mut outputs = before.clone();
        drop_states(&mut outputs, &[news]);
        assert_eq!(outputs, before);
    }
}
