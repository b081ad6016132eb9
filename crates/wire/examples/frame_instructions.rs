//! Encodes or decodes one message of every kind, for `cargo xtask test instructions`, which counts
//! the instructions that it takes under an emulator of the processor.
//!
//! The argument names the thing; without one all names are printed. What is counted is what runs
//! within [`measured`].

#[path = "../tests/golden/samples.rs"]
mod samples;

use std::io::Write;

use samples::{page_samples, peer_samples};
use wire::{decode_page_frame, decode_peer_frame, encode_page_frame, encode_peer_frame};

const NAMES: [&str; 4] = ["peer-encode", "peer-decode", "page-encode", "page-decode"];

/// Bytes of a small block behind each envelope: a second copy of them would show.
const PAYLOAD: [u8; 16 << 10] = [7; 16 << 10];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let peer: Vec<_> = peer_samples()
        .into_iter()
        .map(|(_, sample)| sample)
        .collect();
    let page: Vec<_> = page_samples()
        .into_iter()
        .map(|(_, sample)| sample)
        .collect();
    let peer_frames = || -> Vec<_> {
        let frames = peer
            .iter()
            .map(|message| encode_peer_frame(message, &PAYLOAD));
        frames.collect()
    };
    let page_frames = || -> Vec<_> {
        let frames = page
            .iter()
            .map(|message| encode_page_frame(message, &PAYLOAD));
        frames.collect()
    };
    match std::env::args().nth(1).as_deref() {
        None => {
            let mut output = std::io::stdout().lock();
            for name in NAMES {
                writeln!(output, "{name}")?;
            }
        }
        Some("peer-encode") => drop(measured(peer_frames)),
        Some("page-encode") => drop(measured(page_frames)),
        Some("peer-decode") => {
            let frames = peer_frames();
            let decode = || {
                frames
                    .iter()
                    .filter(|frame| decode_peer_frame(frame).is_ok())
            };
            assert_eq!(measured(|| decode().count()), peer.len());
        }
        Some("page-decode") => {
            let frames = page_frames();
            let decode = || {
                frames
                    .iter()
                    .filter(|frame| decode_page_frame(frame).is_ok())
            };
            assert_eq!(measured(|| decode().count()), page.len());
        }
        Some(_) => return Err("no such name".into()),
    }
    Ok(())
}

/// Nothing of it may be inlined into the caller, or its instructions would not be told apart.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    std::hint::black_box(work())
}
