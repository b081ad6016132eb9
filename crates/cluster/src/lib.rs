//! The protocol of the mesh, as machines without IO.
//!
//! [`Node::handle`] takes what happened and returns what to do; that and
//! [`Node::next_deadline`] are the whole surface. Time is an argument, the
//! matrices stay outside: these machines know ids, shapes and hashes only.
//! Outputs are carried out strictly in order, so "durable before announced" is
//! the order of two entries of a list.
//!
//! Who talks to whom: [`Node`] owns one [`Membership`] (who lives), one
//! directory (which jobs exist), one worker host (the devices that compute
//! through this node) and one [`Coordinator`] for each job that it leads. The
//! machines never call each other; the node carries the messages, also those
//! to itself.
//!
//! ```
//! use cluster::{Input, Node, NodeConfig, Now, Output};
//! use wire::{NodeId, PeerMessage};
//!
//! let id = |byte| NodeId::from_bytes([byte; 16]);
//! let mut node = Node::new(id(1), 1, NodeConfig::default(), Now::default());
//! let outputs = node.handle(Now::default(), Input::LinkUp { peer: id(2) });
//! assert!(outputs.iter().any(|output| matches!(
//!     output,
//!     Output::Send { to, message: PeerMessage::Heartbeat { .. } } if *to == id(2)
//! )));
//! ```
#![warn(missing_docs)]
#![warn(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod coordinator;
mod directory;
mod effect;
mod election;
mod follower;
mod host;
pub mod limits;
mod membership;
mod node;
mod placement;
mod replica;
mod sharing;
mod tasks;
mod time;

pub use coordinator::{Coordinator, JobProgress};
pub use effect::{Change, Event, Input, Output, Restored, WorkerCommand, WorkerProfile};
pub use membership::{Liveness, Membership, Peer};
pub use node::{Node, NodeConfig};
pub use placement::Workforce;
pub use replica::Replica;
pub use sharing::{Giver, Sharing};
pub use time::{Moment, Now};
