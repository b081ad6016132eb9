//! A copy whose inputs came with it is stored together with them. Then its coordinator need not hear
//! first that the copy is there, and in the next message that the inputs are.

use std::collections::BTreeSet;

use cluster::Output;
use wire::{JobId, NodeId, PeerMessage};

/// Drops the states of copies that `next`, which follows at once, tells to the same node anew: a state
/// tells all that is here, so the later one says everything that the earlier one did.
pub(super) fn drop_states(outputs: &mut Vec<Output>, next: &[Output]) {
    let told_anew: BTreeSet<_> = next.iter().filter_map(whole_state).collect();
    outputs.retain(|output| whole_state(output).is_none_or(|state| !told_anew.contains(&state)));
}

/// To whom and of which job, if it is the whole state of a copy.
fn whole_state(output: &Output) -> Option<(NodeId, JobId)> {
    match output {
        Output::Send {
            to,
            message: PeerMessage::CopyState {
                job, is_all: true, ..
            },
        } => Some((*to, *job)),
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
    fn of_two_whole_states_of_a_copy_to_one_node_the_later_one_leaves() {
        let elsewhere = [
            state(2, 1, false, true),
            state(1, 2, false, true),
            // News of one block.
            state(1, 1, false, false),
        ];
        let mut outputs = vec![state(1, 1, false, true)];
        outputs.extend(elsewhere.clone());
        drop_states(&mut outputs, &[state(1, 1, true, true)]);
        assert_eq!(outputs, elsewhere);
    }

    #[test]
    fn news_of_a_block_supersede_nothing() {
        let mut outputs = vec![state(1, 1, false, true)];
        drop_states(&mut outputs, &[state(1, 1, true, false)]);
        assert_eq!(outputs.len(), 1);
    }
}
