//! Everything that a request handler may need, behind one cheap handle.

use std::ops::Deref;
use std::sync::Arc;

use cluster::Node;
use wire::{JobId, NodeId};

use crate::account::Account;
use crate::chunks::Chunks;
use crate::config::Config;
use crate::driver::DriverHandle;
use crate::links::Links;
use crate::own_status::OwnStatus;
use crate::results::ResultsUnderWay;
use crate::store::Store;
use crate::workers::Workers;

/// The parts of a running node, shared by all who need them. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Services(Arc<Parts>);

/// See [`Services`].
#[derive(Debug)]
pub struct Parts {
    /// What the user set.
    pub config: Config,
    /// This node.
    pub node: NodeId,
    /// The port it listens on, known once it does.
    pub port: u16,
    /// The owner of the cluster's state.
    pub driver: DriverHandle,
    /// The SQLite file.
    pub store: Store,
    /// Pieces of matrices, from here or from other nodes.
    pub chunks: Chunks,
    /// Links to other nodes.
    pub links: Links,
    /// What this node tells of itself.
    pub own_status: OwnStatus,
    /// Devices that compute through this node.
    pub workers: Workers,
    /// Results that are not stored yet.
    pub results: ResultsUnderWay,
    /// What this node's own compute did.
    pub account: Account,
    /// For requests that another node answers.
    pub client: reqwest::Client,
}

impl From<Parts> for Services {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Services {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Services {
    /// Nodes that have the inputs of a job, `first` before the others.
    pub async fn holders(&self, job: JobId, first: Option<NodeId>) -> Vec<NodeId> {
        let look = move |node: &Node, _| node.holders(job);
        let known = self.driver.look(look).await.unwrap_or_default();
        let others = known.into_iter().filter(|node| Some(*node) != first);
        first.into_iter().chain(others).collect()
    }
}
