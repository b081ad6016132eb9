//! What this node tells the others of itself: its name, addresses, speed and
//! the pages that compute through it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use cluster::Input;
use wire::{BrowserStatus, NodeStatus, WorkerId};

use crate::driver::DriverHandle;

/// A page as the other nodes are told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PageEntry {
    /// Browser and system.
    pub device: String,
    /// Web Workers.
    pub threads: u32,
    /// Measured over all of them.
    pub mflops: f64,
    /// Floating-point operations that count, since it joined.
    pub operations: u64,
    /// False while the tab is in the background.
    pub visible: bool,
    /// False while switched off.
    pub contributing: bool,
}

/// The node's own status. Cloning it is cheap; every change is told to the
/// node, which tells the others.
#[derive(Debug, Clone)]
pub struct OwnStatus {
    status: Arc<Mutex<(NodeStatus, BTreeMap<WorkerId, PageEntry>)>>,
    /// Floating-point operations of pages that have left, the latest last.
    past_work: Arc<Mutex<VecDeque<(WorkerId, u64)>>>,
    driver: DriverHandle,
}

/// Pages whose work is remembered after they have left.
const PAST_PAGES_MAX: usize = 1_000;

impl OwnStatus {
    /// Starts from a status without pages.
    pub fn new(status: NodeStatus, driver: DriverHandle) -> Self {
        Self {
            status: Arc::new(Mutex::new((status, BTreeMap::new()))),
            past_work: Arc::default(),
            driver,
        }
    }

    /// Tells the node for the first time.
    pub async fn tell(&self) {
        self.change(|_, _| ()).await;
    }

    /// A page is new or changed.
    pub async fn set_page(&self, worker: WorkerId, entry: PageEntry) {
        self.change(|_, pages| {
            pages.insert(worker, entry);
        })
        .await;
    }

    /// A page is gone. What it has done is remembered: it may be loaded again.
    pub async fn remove_page(&self, worker: WorkerId) {
        let mut gone = None;
        self.change(|_, pages| gone = pages.remove(&worker)).await;
        if let Some(gone) = gone {
            let mut past = self
                .past_work
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            past.retain(|(known, _)| *known != worker);
            past.push_back((worker, gone.operations));
            if past.len() > PAST_PAGES_MAX {
                past.pop_front();
            }
        }
    }

    /// What a page did here before it was loaded again.
    pub fn past_work(&self, worker: WorkerId) -> u64 {
        let past = self
            .past_work
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = past.iter().find(|(known, _)| *known == worker);
        known.map_or(0, |(_, operations)| *operations)
    }

    /// The node is found elsewhere now.
    pub async fn set_addresses(&self, addresses: Vec<SocketAddr>) {
        self.change(|status, _| status.addresses = addresses).await;
    }

    /// The node's own speed was measured.
    pub async fn set_mflops(&self, mflops: f64) {
        self.change(|status, _| status.mflops = mflops).await;
    }

    /// What this node and its pages have done so far. Kept until somebody calls
    /// [`Self::tell_work`]: each status goes to every node.
    pub fn note_page_work(&self, worker: WorkerId, operations: u64) {
        let mut guard = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = guard.1.get_mut(&worker) {
            page.operations = operations;
        }
    }

    /// Tells the others what was done, if that is news.
    pub async fn tell_work(&self, own_operations: u64) {
        let is_news = {
            let guard = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            let (status, pages) = &*guard;
            let told = status.browsers.iter().map(|page| page.operations);
            status.operations != own_operations
                || !told.eq(pages.values().map(|page| page.operations))
        };
        if is_news {
            self.change(|status, _| status.operations = own_operations)
                .await;
        }
    }

    /// `http://host:port` of every live node, this one first: where a page
    /// goes when its node dies.
    pub async fn mesh_addresses(&self, driver: &DriverHandle) -> Vec<String> {
        let addresses = driver.look(|node, _| {
            let own = node.own_status().into_iter();
            let peers = node.membership().peers();
            let alive = peers.filter(|(_, peer)| peer.liveness == cluster::Liveness::Alive);
            own.chain(alive.filter_map(|(_, peer)| peer.status.as_ref()))
                .filter_map(|status| status.addresses.first())
                .map(|address| format!("http://{address}"))
                .collect()
        });
        addresses.await.unwrap_or_default()
    }

    async fn change(
        &self,
        change: impl FnOnce(&mut NodeStatus, &mut BTreeMap<WorkerId, PageEntry>),
    ) {
        let status = {
            let mut guard = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            let (status, pages) = &mut *guard;
            change(status, pages);
            status.version += 1;
            status.browsers = pages
                .iter()
                .map(|(worker, page)| to_status(*worker, page))
                .collect();
            status.clone()
        };
        self.driver.tell(Input::OwnStatus(status)).await;
    }
}

fn to_status(worker: WorkerId, page: &PageEntry) -> BrowserStatus {
    BrowserStatus {
        worker,
        device: page.device.clone(),
        threads: page.threads,
        mflops: page.mflops,
        operations: page.operations,
        visible: page.visible,
        contributing: page.contributing,
    }
}
