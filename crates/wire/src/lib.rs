//! Words that both ends of a socket share.
//!
//! Ids, job records, the messages between nodes and between a page and its
//! node, the views that the API and the pages show, errors, and the frames
//! that carry all of it. Nothing here decides anything: the rules live in
//! `cluster`, the numbers in `kernel`. Integers are sized, identities are
//! types of their own, and every decoder treats its input as hostile.
//!
//! ```
//! use wire::{decode_peer_frame, encode_peer_frame, PeerMessage};
//!
//! let frame = encode_peer_frame(&PeerMessage::Heartbeat { sequence: 7 }, &[]);
//! let (message, payload) = decode_peer_frame(&frame).unwrap();
//! assert_eq!(message, PeerMessage::Heartbeat { sequence: 7 });
//! assert!(payload.is_empty());
//! ```
#![warn(missing_docs)]
#![warn(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod copy;
mod course;
mod frame;
mod handshake;
mod id;
mod job;
mod news;
mod page;
mod peer;
mod problem;
mod submission;
mod task;
mod text;
mod view;

pub use copy::{BlockCourse, BlockSet, CopyHead, DoneBlock, Ended, Leadership, Tally};
pub use course::{BlockPlace, BlockView, CourseDevice, CourseView, EpochView};
pub use frame::{
    FRAME_BYTES_MAX, FrameError, PAGE_PROTOCOL_VERSION, PEER_PROTOCOL_VERSION, decode_page_frame,
    decode_peer_frame, encode_page_frame, encode_peer_frame,
};
pub use handshake::{Hello, Proof, Verdict, signed_text};
pub use id::{BlockIndex, ChunkHash, Epoch, IdError, JobId, NodeId, WorkerId};
pub use job::{
    Arithmetic, CutShape, Ending, JobOptions, JobRecord, JobStatus, JobSummary, MatrixSource, Seed,
    Shape, Spread,
};
pub use news::{JobLine, News, Shown, merge_job, merge_jobs, merge_nodes};
pub use page::{HeldBlock, PageMessage, PageStatus};
pub use peer::{
    Acquaintance, BrowserStatus, ChunkAsk, Exchange, ExpiredJob, HeldLease, NodeStatus,
    PeerMessage, Refusal,
};
pub use problem::Problem;
pub use submission::{MatrixInput, Submission};
pub use task::{BlockProof, BlockTask, Chunk, TaskInput};
pub use text::make_readable;
pub use view::{
    BlockCounts, BrowserView, ContributionView, DeviceView, JobView, JoinView, NodeLiveness,
    NodeView, ResultPreview, WorkerKind,
};
