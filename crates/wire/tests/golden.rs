//! The bytes of every message, as they were first sent. A node of another
//! version reads them, so they may change only with the protocol's version;
//! then `golden/*.txt` are written anew from what the failing test prints.

#[path = "golden/samples.rs"]
mod samples;

use std::fmt::Write;

use samples::{page_samples, peer_samples, record_id};
use wire::{
    Arithmetic, BlockIndex, BlockTask, Chunk, ChunkHash, FRAME_BYTES_MAX, FrameError,
    PAGE_PROTOCOL_VERSION, PEER_PROTOCOL_VERSION, PageMessage, PeerMessage, Seed, TaskInput,
    decode_page_frame, decode_peer_frame, encode_page_frame, encode_peer_frame,
};

const PAYLOAD: &[u8] = &[0, 1, 254, 255];

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

/// A page frame is eight bytes, then text, then the payload: the text is kept
/// readable in the golden file.
fn readable(frame: &[u8]) -> String {
    let (head, rest) = frame.split_at(8);
    let (text, payload) = rest.split_at(rest.len() - PAYLOAD.len());
    let text = std::str::from_utf8(text).expect("JSON");
    format!("{} {text} {}", hexadecimal(head), hexadecimal(payload))
}

#[test]
fn peer_frames_have_the_bytes_of_this_protocol_version() {
    let lines: String = peer_samples()
        .iter()
        .map(|(name, message)| {
            let frame = encode_peer_frame(message, PAYLOAD);
            format!("{name} {}\n", hexadecimal(&frame))
        })
        .collect();
    let golden = include_str!("golden/peer.txt");
    assert!(lines == golden, "golden/peer.txt would now be:\n{lines}");
}

#[test]
fn page_frames_have_the_bytes_of_this_protocol_version() {
    let lines: String = page_samples()
        .iter()
        .map(|(name, message)| {
            let frame = encode_page_frame(message, PAYLOAD);
            format!("{name} {}\n", readable(&frame))
        })
        .collect();
    let golden = include_str!("golden/page.txt");
    assert!(lines == golden, "golden/page.txt would now be:\n{lines}");
}

#[test]
fn the_golden_files_belong_to_this_protocol_version() {
    assert_eq!(PEER_PROTOCOL_VERSION, 6, "write golden/peer.txt anew");
    assert_eq!(PAGE_PROTOCOL_VERSION, 4, "write golden/page.txt anew");
}

#[test]
fn golden_peer_frames_decode_to_their_message_and_payload() {
    for (name, message) in peer_samples() {
        let frame = encode_peer_frame(&message, PAYLOAD);
        assert_eq!(decode_peer_frame(&frame), Ok((message, PAYLOAD)), "{name}");
    }
}

#[test]
fn golden_page_frames_decode_to_their_message_and_payload() {
    for (name, message) in page_samples() {
        let frame = encode_page_frame(&message, PAYLOAD);
        assert_eq!(decode_page_frame(&frame), Ok((message, PAYLOAD)), "{name}");
    }
}

#[test]
fn every_variant_has_a_golden_frame() {
    // A new variant does not compile here until it has a sample.
    for (name, message) in peer_samples() {
        let expected = match message {
            PeerMessage::Heartbeat { .. } => "Heartbeat",
            PeerMessage::Status(_) => "Status",
            PeerMessage::Acquaintances(_) => "Acquaintances",
            PeerMessage::Goodbye => "Goodbye",
            PeerMessage::Job(_) => "Job",
            PeerMessage::Directory(_) => "Directory",
            PeerMessage::Pull { .. } => "Pull",
            PeerMessage::Lease { .. } => "Lease",
            PeerMessage::NoWork { .. } => "NoWork",
            PeerMessage::WorkAvailable { .. } => "WorkAvailable",
            PeerMessage::GiveBack { .. } => "GiveBack",
            PeerMessage::Drop { .. } => "Drop",
            PeerMessage::Result { .. } => "Result",
            PeerMessage::Counted { .. } => "Counted",
            PeerMessage::Held { .. } => "Held",
            PeerMessage::CopyHead { .. } => "CopyHead",
            PeerMessage::CopyBlock { .. } => "CopyBlock",
            PeerMessage::CopyState { .. } => "CopyState",
            PeerMessage::CopyRequest { .. } => "CopyRequest",
            PeerMessage::Inventory { .. } => "Inventory",
            PeerMessage::Election { .. } => "Election",
            PeerMessage::Refused { .. } => "Refused",
            PeerMessage::Resign { .. } => "Resign",
            PeerMessage::Expired { .. } => "Expired",
            PeerMessage::Fetched { .. } => "Fetched",
            PeerMessage::Withdrawn { .. } => "Withdrawn",
            PeerMessage::Missing { .. } => "Missing",
            PeerMessage::Seen { .. } => "Seen",
            PeerMessage::Cancel { .. } => "Cancel",
            PeerMessage::ChunkRequest { .. } => "ChunkRequest",
            PeerMessage::Chunk { .. } => "Chunk",
            PeerMessage::ChunkMissing { .. } => "ChunkMissing",
            PeerMessage::ChunkElsewhere { .. } => "ChunkElsewhere",
        };
        assert_eq!(name.split('/').next(), Some(expected));
    }
    for (name, message) in page_samples() {
        let expected = match message {
            PageMessage::Hello { .. } => "Hello",
            PageMessage::Welcome { .. } => "Welcome",
            PageMessage::Nodes { .. } => "Nodes",
            PageMessage::Superseded => "Superseded",
            PageMessage::Watch { .. } => "Watch",
            PageMessage::News => "News",
            PageMessage::Status { .. } => "Status",
            PageMessage::Task { .. } => "Task",
            PageMessage::Drop { .. } => "Drop",
            PageMessage::Holding { .. } => "Holding",
            PageMessage::ChunkRequest { .. } => "ChunkRequest",
            PageMessage::Chunk { .. } => "Chunk",
            PageMessage::ChunkMissing { .. } => "ChunkMissing",
            PageMessage::GiveBack { .. } => "GiveBack",
            PageMessage::Result { .. } => "Result",
            PageMessage::Counted { .. } => "Counted",
        };
        assert_eq!(name.split('/').next(), Some(expected));
    }
}

#[test]
fn another_protocol_version_is_refused_by_its_number() {
    let mut frame = encode_peer_frame(&PeerMessage::Goodbye, &[]);
    frame[..4].copy_from_slice(&7_u32.to_le_bytes());
    let refused = |expected| FrameError::Version { found: 7, expected };
    let expected = PEER_PROTOCOL_VERSION;
    assert_eq!(decode_peer_frame(&frame), Err(refused(expected)));
    let mut frame = encode_page_frame(&PageMessage::Superseded, &[]);
    frame[..4].copy_from_slice(&7_u32.to_le_bytes());
    let expected = PAGE_PROTOCOL_VERSION;
    assert_eq!(decode_page_frame(&frame), Err(refused(expected)));
}

#[test]
fn a_frame_cut_within_its_envelope_is_truncated() {
    let whole = encode_peer_frame(&PeerMessage::Goodbye, &[]);
    for length in 0..whole.len() {
        let cut = &whole[..length];
        assert_eq!(decode_peer_frame(cut), Err(FrameError::Truncated));
    }
    let whole = encode_page_frame(&PageMessage::Superseded, &[]);
    for length in 0..whole.len() {
        let cut = &whole[..length];
        assert_eq!(decode_page_frame(cut), Err(FrameError::Truncated));
    }
}

#[test]
fn an_envelope_that_claims_more_than_there_is_is_truncated() {
    let mut frame = encode_peer_frame(&PeerMessage::Goodbye, &[]);
    frame[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode_peer_frame(&frame), Err(FrameError::Truncated));
}

#[test]
fn a_frame_over_the_limit_is_refused_before_it_is_read() {
    let bytes = FRAME_BYTES_MAX + 1;
    let long = vec![0xff; bytes];
    assert_eq!(decode_peer_frame(&long), Err(FrameError::TooLong { bytes }));
    assert_eq!(decode_page_frame(&long), Err(FrameError::TooLong { bytes }));
}

#[test]
fn a_frame_of_exactly_the_limit_is_read() {
    let message = PeerMessage::Chunk {
        hash: ChunkHash::from_bytes([5; 32]),
    };
    let overhead = encode_peer_frame(&message, &[]).len();
    let payload = vec![9; FRAME_BYTES_MAX - overhead];
    let frame = encode_peer_frame(&message, &payload);
    assert_eq!(frame.len(), FRAME_BYTES_MAX);
    assert_eq!(decode_peer_frame(&frame), Ok((message, &payload[..])));
}

#[test]
fn a_hundred_thousand_open_brackets_are_no_message() {
    // A decoder that recursed on them would end the process, not the link.
    for open in [0x91, 0x81, b'[', b'{'] {
        let frame_of = |version: u32| {
            let mut frame = version.to_le_bytes().to_vec();
            frame.extend_from_slice(&100_000_u32.to_le_bytes());
            frame.extend_from_slice(&vec![open; 100_000]);
            frame
        };
        let frame = frame_of(PEER_PROTOCOL_VERSION);
        assert_eq!(decode_peer_frame(&frame), Err(FrameError::Envelope));
        let frame = frame_of(PAGE_PROTOCOL_VERSION);
        assert_eq!(decode_page_frame(&frame), Err(FrameError::Envelope));
    }
}

#[test]
fn the_largest_seed_survives_json_as_text() {
    let json = serde_json::to_string(&Seed(u64::MAX)).unwrap();
    assert_eq!(json, "\"18446744073709551615\"");
    assert_eq!(serde_json::from_str::<Seed>(&json).unwrap(), Seed(u64::MAX));
    let input = TaskInput::Random {
        seed: Seed(u64::MAX),
        matrix_cols: 1,
        row_start: 2,
        col_start: 3,
    };
    let json = serde_json::to_value(&input).unwrap();
    let expected = serde_json::json!({
        "source": "random", "seed": "18446744073709551615",
        "matrix_cols": 1, "row_start": 2, "col_start": 3,
    });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<TaskInput>(json).unwrap(), input);
}

#[test]
fn a_page_reads_tags_in_snake_case_and_ids_in_hexadecimal() {
    let json = |message: &PageMessage| {
        let frame = encode_page_frame(message, &[]);
        serde_json::from_slice::<serde_json::Value>(&frame[8..]).unwrap()
    };
    let hash = ChunkHash::from_bytes([0xab; 32]);
    let task = BlockTask {
        job: record_id(),
        block: BlockIndex(3),
        row_start: 6,
        rows: 2,
        inner: 5,
        cols: 4,
        arithmetic: Arithmetic::Reproducible,
        a: TaskInput::Chunks {
            chunks: vec![Chunk { hash, rows: 2 }],
        },
        b: TaskInput::Random {
            seed: Seed(7),
            matrix_cols: 4,
            row_start: 0,
            col_start: 0,
        },
    };
    let expected = serde_json::json!({"type": "task", "task": {
        "job": "33".repeat(16), "block": 3, "row_start": 6, "rows": 2, "inner": 5, "cols": 4,
        "arithmetic": "reproducible",
        "a": {"source": "chunks", "chunks": [{"hash": "ab".repeat(32), "rows": 2}]},
        "b": {"source": "random", "seed": "7", "matrix_cols": 4, "row_start": 0, "col_start": 0},
    }});
    assert_eq!(json(&PageMessage::Task { task }), expected);
    let expected = serde_json::json!({"type": "chunk_request", "hash": "ab".repeat(32)});
    assert_eq!(json(&PageMessage::ChunkRequest { hash }), expected);
    let give_back = PageMessage::GiveBack {
        job: record_id(),
        block: BlockIndex(1),
        reason: "no memory".to_owned(),
    };
    let expected = serde_json::json!({
        "type": "give_back", "job": "33".repeat(16), "block": 1, "reason": "no memory",
    });
    assert_eq!(json(&give_back), expected);
    let all = PageMessage::Drop {
        job: record_id(),
        block: None,
    };
    let expected = serde_json::json!({"type": "drop", "job": "33".repeat(16), "block": null});
    assert_eq!(json(&all), expected);
}

#[test]
fn what_a_script_writes_without_a_hash_is_a_result() {
    let text = format!(
        r#"{{"type":"result","job":"{}","block":0,
            "proof":{{"compute_ms":1,"operations":2,"bytes":8}}}}"#,
        "33".repeat(16)
    );
    let mut frame = PAGE_PROTOCOL_VERSION.to_le_bytes().to_vec();
    frame.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
    frame.extend_from_slice(text.as_bytes());
    let (message, _) = decode_page_frame(&frame).unwrap();
    assert!(matches!(message, PageMessage::Result { proof, .. } if proof.hash.is_none()));
}

#[test]
fn the_operations_of_an_impossible_task_saturate() {
    let (_, lease) = peer_samples()
        .into_iter()
        .find(|(name, _)| *name == "Lease/chunks")
        .unwrap();
    let PeerMessage::Lease { mut tasks, .. } = lease else {
        panic!("not a lease");
    };
    let task = &mut tasks[0];
    (task.rows, task.inner, task.cols) = (u32::MAX, u32::MAX, u32::MAX);
    assert_eq!(task.operations(), u64::MAX);
    assert_eq!(task.result_bytes(), u64::MAX);
}

/// An end goes behind the blocks that it ends; what a device still computes overtakes them.
#[test]
fn what_speaks_of_blocks_goes_behind_them_and_nothing_else() {
    for (name, message) in peer_samples() {
        let expected = match &message {
            PeerMessage::Result { .. } | PeerMessage::CopyBlock { .. } => true,
            PeerMessage::Directory(_) => true,
            PeerMessage::CopyState { is_all, .. } => *is_all,
            PeerMessage::CopyHead { head, .. } => head.ended.is_some(),
            _ => false,
        };
        assert_eq!(message.goes_behind_blocks(), expected, "{name}");
    }
    let ends = |message: &PeerMessage| matches!(message, PeerMessage::CopyHead { head, .. } if head.ended.is_some());
    assert!(peer_samples().iter().any(|(_, message)| ends(message)));
}
