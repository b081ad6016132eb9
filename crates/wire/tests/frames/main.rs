//! Frames under any content: nothing that comes in ends the process, and what
//! goes out comes back as it was.

mod messages;
#[path = "../golden/samples.rs"]
mod samples;

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};
use wire::{
    BlockIndex, BlockSet, PAGE_PROTOCOL_VERSION, PEER_PROTOCOL_VERSION, decode_page_frame,
    decode_peer_frame, encode_page_frame, encode_peer_frame,
};

use self::messages::{page_message, peer_message};

fn frame_around(version: u32, envelope: &[u8]) -> Vec<u8> {
    let mut frame = version.to_le_bytes().to_vec();
    frame.extend_from_slice(&u32::try_from(envelope.len()).expect("small").to_le_bytes());
    frame.extend_from_slice(envelope);
    frame
}

proptest! {
    #[test]
    fn any_peer_message_comes_back_as_it_was(
        message in peer_message(),
        payload in vec(any::<u8>(), 0..40),
    ) {
        let frame = encode_peer_frame(&message, &payload);
        prop_assert_eq!(decode_peer_frame(&frame), Ok((message, &payload[..])));
    }

    #[test]
    fn any_page_message_comes_back_as_it_was(
        message in page_message(),
        payload in vec(any::<u8>(), 0..40),
    ) {
        let frame = encode_page_frame(&message, &payload);
        prop_assert_eq!(decode_page_frame(&frame), Ok((message, &payload[..])));
    }

    #[test]
    fn arbitrary_bytes_are_answered_with_an_error_or_a_message(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode_peer_frame(&bytes);
        let _ = decode_page_frame(&bytes);
        let _ = decode_peer_frame(&frame_around(PEER_PROTOCOL_VERSION, &bytes));
        let _ = decode_page_frame(&frame_around(PAGE_PROTOCOL_VERSION, &bytes));
    }

    /// Random bytes are hardly ever nearly a message; a message with a few
    /// bytes changed always is.
    #[test]
    fn a_damaged_frame_is_answered_with_an_error_or_a_message(
        which in any::<proptest::sample::Index>(),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..5),
        end in any::<proptest::sample::Index>(),
    ) {
        let damage = |mut frame: Vec<u8>| {
            for (at, byte) in &changes {
                let at = at.index(frame.len());
                frame[at] = *byte;
            }
            frame.truncate(end.index(frame.len() + 1));
            frame
        };
        let peers = samples::peer_samples();
        let _ = decode_peer_frame(&damage(encode_peer_frame(&which.get(&peers).1, &[])));
        let pages = samples::page_samples();
        let _ = decode_page_frame(&damage(encode_page_frame(&which.get(&pages).1, &[])));
    }
}

#[test]
fn a_set_of_blocks_that_overlaps_or_falls_is_no_set() {
    let read = |runs: &[(u32, u32)]| {
        let text = serde_json::json!({ "runs": runs }).to_string();
        serde_json::from_str::<BlockSet>(&text)
    };
    assert!(read(&[(0, 3), (4, 2)]).is_ok());
    for bad in [
        &[(0, 3), (3, 2)][..],
        &[(0, 3), (1, 1)],
        &[(5, 1), (0, 1)],
        &[(0, 0)],
        &[(u32::MAX, 1), (u32::MAX, 1)],
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
    let set: BlockSet = [1, 2, 5].map(BlockIndex).into_iter().collect();
    let held = (0..8).filter(|block| set.contains(BlockIndex(*block)));
    assert_eq!(held.collect::<Vec<_>>(), [1, 2, 5]);
}
