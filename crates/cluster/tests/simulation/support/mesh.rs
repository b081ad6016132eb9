//! The mesh: a virtual clock, a network and the disks of a few real nodes.
//!
//! Everything that happens is in one queue, ordered by time; chance comes from
//! one seed. A node is woken only by what reaches it and by its own deadlines,
//! so a deadline that is missing makes a test hang and one that stays in the
//! past makes it fail.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cluster::{Event, Input, Moment, Node, NodeConfig, Now, Output, Replica, Restored};
use wire::{
    BlockIndex, BlockProof, BrowserStatus, ChunkHash, ExpiredJob, JobId, JobRecord, NodeId,
    NodeStatus, PeerMessage, WorkerId, WorkerKind,
};

use super::device::{Device, DeviceKey, result_hash};
use super::queue::Queue;
use super::random::Random;
use super::store::{Snapshot, Store};
use super::{is_seeded, millis};
use crate::invariants::Memory;

/// Microseconds of writes that a power cut may take along.
const POWER_CUT_LOSES: u64 = 1_500_000;

/// Microseconds that an input waits for others at most, while the driver writes.
const BATCH_WAITS: u64 = 3_000;

const UNIX_MS_AT_START: u64 = 1_800_000_000_000;

/// What is wrong with the network, in times per thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
    /// Messages overtake each other.
    pub(crate) reordering: u64,
    /// A node dies between two outputs.
    pub(crate) crash: u64,
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) node: Node,
    pub(crate) is_up: bool,
    pub(crate) ticks: u64,
    pub(super) started: u64,
    /// Microseconds of its earlier lives.
    pub(super) ran_before: u64,
    pub(super) ended: u64,
    pub(super) life: u64,
    pub(super) tick_at: Option<u64>,
    pub(super) status_version: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Happening {
    Tick(NodeId),
    Arrive(Box<Arrival>),
    /// The same of a heartbeat, of which there are more than of all others.
    Beat {
        from: NodeId,
        to: NodeId,
        line: u64,
        sequence: u64,
    },
    Finish {
        at: DeviceKey,
        job: JobId,
        block: BlockIndex,
    },
    GiveBack {
        at: DeviceKey,
        job: JobId,
        block: BlockIndex,
    },
    Leave(DeviceKey),
    /// The first looks for the second, whose machine refuses.
    Refused(NodeId, NodeId),
    /// A node has asked these for the inputs of a job.
    InputsFetched(NodeId, JobId, Vec<NodeId>),
    Link(NodeId, NodeId),
    Cut(NodeId, NodeId),
    Restart(NodeId),
    /// The driver takes what came for the node meanwhile.
    Drain(NodeId),
}

#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) line: u64,
    pub(super) message: PeerMessage,
    pub(super) bytes: Option<ChunkHash>,
}

/// How much a node has sent; bytes are those of frames, without the blocks and chunks behind them.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) heartbeats: u64,
    pub(crate) others: u64,
    pub(crate) bytes: u64,
}

impl Sent {
    pub(super) fn add(&mut self, message: &PeerMessage) {
        /// All heartbeats are of about the same length.
        const HEARTBEAT_BYTES: u64 = 40;
        if matches!(message, PeerMessage::Heartbeat { .. }) {
            self.heartbeats += 1;
            self.bytes += HEARTBEAT_BYTES;
        } else {
            self.others += 1;
            self.bytes += wire::encode_peer_frame(message, &[]).len() as u64;
        }
    }
}

/// An open line between two nodes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Its own: what was sent on another line does not arrive on this one.
    pub(super) number: u64,
    pub(super) opened: u64,
    /// When the last message of each direction and lane arrives: they stay in their order.
    pub(super) last_arrivals: [[u64; 2]; 2],
}

impl Line {
    pub(super) fn new(number: u64, opened: u64) -> Self {
        Self {
            number,
            opened,
            last_arrivals: [[0; 2]; 2],
        }
    }
}

#[derive(Debug)]
pub(crate) struct Mesh {
    pub(crate) clock: u64,
    pub(crate) random: Random,
    pub(crate) faults: Faults,
    pub(crate) hosts: BTreeMap<NodeId, Host>,
    pub(crate) stores: BTreeMap<NodeId, Store>,
    pub(crate) devices: BTreeMap<DeviceKey, Device>,
    /// Nothing from or to these arrives, though their links seem open.
    pub(crate) muted: BTreeSet<NodeId>,
    /// The first does not hear the second, as by a cable that is half broken.
    pub(crate) deaf: BTreeSet<(NodeId, NodeId)>,
    pub(crate) memory: Memory,
    pub(crate) events: Vec<(NodeId, Event)>,
    /// Faults by kind, and what the nodes did about them.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// When each event was, in microseconds.
    pub(crate) event_times: Vec<u64>,
    /// Processes that are stopped: what comes for them waits.
    pub(super) frozen: BTreeSet<NodeId>,
    pub(super) waiting: Vec<Happening>,
    pub(crate) sent: Vec<(NodeId, NodeId, PeerMessage)>,
    /// Whether they are kept.
    pub(crate) notes_sent: bool,
    /// What each node has sent, where that is asked for.
    pub(crate) sent_by: Option<BTreeMap<NodeId, Sent>>,
    behind_ms: BTreeMap<NodeId, u64>,
    pub(super) config: NodeConfig,
    pub(super) queue: Queue<Happening>,
    pub(super) sequence: u64,
    /// Those that are open.
    pub(super) lines: BTreeMap<(NodeId, NodeId), Line>,
    /// Pairs that link again by themselves when their line breaks.
    pub(super) wired: BTreeSet<(NodeId, NodeId)>,
    /// Messages that are to be lost on purpose.
    pub(super) lost: Vec<fn(&PeerMessage) -> bool>,
    /// Inputs reach the core in batches, and all changes of a batch are stored before anything is sent.
    pub(crate) has_batches: bool,
    pub(super) inbox: BTreeMap<NodeId, Vec<Input>>,
    /// Microseconds that messages behind blocks are late, at most.
    pub(crate) lane_delay: u64,
    /// Microseconds after a restart until a line is there again, at most.
    pub(crate) late_links: u64,
    /// States of each disk since the last write that was synced.
    pub(crate) has_power_cuts: bool,
    pub(super) unsynced: BTreeMap<NodeId, Vec<(u64, Snapshot)>>,
    ahead_ms: BTreeMap<NodeId, u64>,
    images: BTreeMap<NodeId, Snapshot>,
    disk_lost_at: Option<u64>,
    /// Whether a block that counts is looked for on each backup that has joined.
    pub(crate) checks_joined: bool,
    /// Inputs that all nodes took.
    pub(crate) handled: u64,
    /// Versions of statuses come from the calendar of their node, as those of real nodes do.
    pub(crate) has_real_versions: bool,
    /// Nodes that never start again.
    pub(crate) gone: BTreeSet<NodeId>,
    /// When each node was last silent, deaf or stopped.
    apart_at: BTreeMap<NodeId, u64>,
    leaving: BTreeSet<NodeId>,
}

impl Mesh {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with_config(seed, NodeConfig::default())
    }

    pub(crate) fn with_config(seed: u64, config: NodeConfig) -> Self {
        Self {
            clock: 1_000_000,
            random: Random::new(seed),
            faults: Faults::default(),
            hosts: BTreeMap::new(),
            stores: BTreeMap::new(),
            devices: BTreeMap::new(),
            muted: BTreeSet::new(),
            deaf: BTreeSet::new(),
            memory: Memory::default(),
            events: Vec::new(),
            counts: BTreeMap::new(),
            event_times: Vec::new(),
            frozen: BTreeSet::new(),
            waiting: Vec::new(),
            behind_ms: BTreeMap::new(),
            sent: Vec::new(),
            notes_sent: true,
            sent_by: None,
            config,
            queue: Queue::default(),
            sequence: 0,
            lines: BTreeMap::new(),
            wired: BTreeSet::new(),
            lost: Vec::new(),
            has_batches: false,
            inbox: BTreeMap::new(),
            lane_delay: 0,
            late_links: 0,
            has_power_cuts: false,
            unsynced: BTreeMap::new(),
            ahead_ms: BTreeMap::new(),
            images: BTreeMap::new(),
            disk_lost_at: None,
            checks_joined: false,
            handled: 0,
            has_real_versions: false,
            gone: BTreeSet::new(),
            apart_at: BTreeMap::new(),
            leaving: BTreeSet::new(),
        }
    }

    pub(crate) fn config(&self) -> &NodeConfig {
        &self.config
    }

    // ----- building ------------------------------------------------------

    pub(crate) fn add_node(&mut self, id: NodeId) {
        self.leaving.remove(&id);
        self.stores.entry(id).or_default();
        let life = self.hosts.get(&id).map_or(0, |host| host.life + 1);
        let before = self.hosts.get(&id);
        let ran_before = before.map_or(0, |host| host.ran_before + host.ended - host.started);
        let node = Node::new(id, life, self.config, Now::default());
        let host = Host {
            node,
            is_up: true,
            ticks: 0,
            started: self.clock,
            ran_before,
            ended: self.clock,
            life,
            tick_at: None,
            status_version: 0,
        };
        self.hosts.insert(id, host);
        self.tell_status(id);
    }

    /// Links every two nodes, for as long as both are up.
    pub(crate) fn link_all(&mut self) {
        let ids: Vec<NodeId> = self.hosts.keys().copied().collect();
        for (index, one) in ids.iter().enumerate() {
            for other in &ids[index + 1..] {
                self.link(*one, *other);
            }
        }
    }

    pub(crate) fn link(&mut self, one: NodeId, other: NodeId) {
        let (one, other) = pair(one, other);
        if self.wired.insert((one, other)) {
            self.happen(self.clock, Happening::Link(one, other));
        }
    }

    /// Breaks the line; it stays broken until it is linked again.
    pub(crate) fn cut(&mut self, one: NodeId, other: NodeId) {
        let (one, other) = pair(one, other);
        self.wired.remove(&(one, other));
        self.happen(self.clock, Happening::Cut(one, other));
    }

    /// Breaks the line; it is soon there again.
    pub(crate) fn jolt(&mut self, one: NodeId, other: NodeId) {
        let (one, other) = pair(one, other);
        self.happen(self.clock, Happening::Cut(one, other));
    }

    /// A device computes through a node from now on.
    pub(crate) fn attach(&mut self, home: NodeId, worker: WorkerId, device: Device) {
        let profile = device.profile.clone();
        self.devices.insert((home, worker), device);
        self.feed(home, Input::Worker { worker, profile });
        self.tell_status(home);
    }

    pub(crate) fn detach(&mut self, home: NodeId, worker: WorkerId) -> Option<Device> {
        let device = self.devices.remove(&(home, worker))?;
        self.feed(home, Input::WorkerLeft { worker });
        self.tell_status(home);
        Some(device)
    }

    /// The person at the device changes something.
    pub(crate) fn change(&mut self, at: DeviceKey, change: impl FnOnce(&mut Device)) {
        let device = self.devices.get_mut(&at).expect("it is attached");
        change(device);
        let profile = device.profile.clone();
        let (home, worker) = at;
        self.feed(home, Input::Worker { worker, profile });
        self.tell_status(home);
    }

    pub(crate) fn submit(&mut self, at: NodeId, mut record: JobRecord) -> JobId {
        let job = record.id;
        record.origin = at;
        record.submitted_at_unix_ms = self.unix_ms();
        // They are stored before the job is.
        let store = self.stores.get_mut(&at).expect("every node has a store");
        store.inputs.insert(job);
        self.feed(at, Input::Submit(Box::new(record)));
        job
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// From now on messages like these are lost.
    pub(crate) fn lose(&mut self, which: fn(&PeerMessage) -> bool) {
        self.lost.push(which);
    }

    pub(crate) fn lose_nothing(&mut self) {
        self.lost.clear();
    }

    // ----- dying ---------------------------------------------------------

    /// The process ends: nothing but the store is left.
    pub(crate) fn crash(&mut self, id: NodeId) {
        let host = self.hosts.get_mut(&id).expect("it was added");
        if !host.is_up {
            return;
        }
        host.is_up = false;
        host.ended = self.clock;
        host.tick_at = None;
        self.inbox.remove(&id);
        self.wake(id);
        let store = self.stores.get_mut(&id).expect("every node has a store");
        store.forget_kept();
        for ((home, _), device) in &mut self.devices {
            if *home == id {
                device.forget_all();
            }
        }
        let others: Vec<NodeId> = self.hosts.keys().copied().collect();
        for other in others {
            if other != id {
                let (one, two) = pair(id, other);
                self.happen(self.clock, Happening::Cut(one, two));
                // The machine lives on and refuses connections.
                self.happen(self.clock + 1_000, Happening::Refused(other, id));
            }
        }
    }

    /// The process starts again on its store; its devices come back.
    pub(crate) fn restart(&mut self, id: NodeId) {
        if self.hosts[&id].is_up || self.gone.contains(&id) {
            return;
        }
        self.add_node(id);
        let devices = self.devices.iter().filter(|((home, _), _)| *home == id);
        let devices: Vec<_> = devices
            .map(|((_, worker), device)| (*worker, device.profile.clone()))
            .collect();
        for (worker, profile) in devices {
            self.feed(id, Input::Worker { worker, profile });
        }
        self.tell_status(id);
        let store = &self.stores[&id];
        let now = self.running_ms(id);
        let restored = store.jobs.iter().map(|(job, replica)| {
            let ended_at = store.ended_at_ms.get(job).copied().unwrap_or(now);
            Restored {
                replica: Replica::clone(replica),
                ended_ago: millis(now.saturating_sub(ended_at)),
                has_inputs: is_seeded(&replica.record) || store.inputs.contains(job),
            }
        });
        let buried: Vec<ExpiredJob> = store.expired.values().copied().collect();
        let restored = restored.collect::<Vec<_>>();
        for expired in buried {
            self.feed(id, Input::Buried(expired));
        }
        for restored in restored {
            self.feed(id, Input::Restore(Box::new(restored)));
        }
        for (one, other) in self.wired.clone() {
            if one == id || other == id {
                let mut late = 0;
                if self.late_links > 0 && self.random.chance(500) {
                    late = self.random.within(0..self.late_links);
                    self.count("link late");
                }
                self.happen(self.clock + 1 + late, Happening::Link(one, other));
            }
        }
        // Whoever was known before is looked for where it was.
        let others: Vec<NodeId> = self.hosts.keys().copied().collect();
        for other in others {
            if other != id {
                self.happen(self.clock + 1_000, Happening::Refused(id, other));
            }
        }
    }

    /// The plug of a machine is pulled: what was not synced may be gone.
    pub(crate) fn cut_power(&mut self, id: NodeId) {
        if !self.hosts[&id].is_up {
            return;
        }
        self.crash(id);
        self.count("power cut");
        let states = self.unsynced.remove(&id).unwrap_or_default();
        // The system writes by itself what is older.
        let written = self.clock.saturating_sub(POWER_CUT_LOSES);
        let oldest = states.iter().rposition(|(at, _)| *at <= written);
        let oldest = oldest.unwrap_or(0);
        if states.is_empty() {
            return;
        }
        let choices = u64::try_from(states.len() - oldest).expect("few");
        let chosen = oldest + usize::try_from(self.random.within(0..choices)).expect("few");
        if chosen + 1 < states.len() {
            self.count("unsynced writes lost");
            self.disk_lost_at = Some(self.clock);
        }
        let (_, snapshot) = states[chosen].clone();
        self.unsynced
            .insert(id, vec![(self.clock, snapshot.clone())]);
        self.restore_disk(id, snapshot);
    }

    /// The store of a node is damaged, and set aside.
    pub(crate) fn wipe(&mut self, id: NodeId) {
        self.crash(id);
        self.count("store lost");
        self.lose_disk(id, Snapshot::default());
    }

    /// What is on a disk now is kept aside, as an image of it; the one that was kept before is put back, if there is
    /// one: the same key and an older store, in a new process.
    pub(crate) fn put_image_back(&mut self, id: NodeId) {
        let image = self.stores[&id].snapshot();
        let Some(older) = self.images.insert(id, image) else {
            return;
        };
        self.crash(id);
        self.count("older image put back");
        self.lose_disk(id, older);
    }

    /// All that was on a disk is gone, or all that came since.
    fn lose_disk(&mut self, id: NodeId, left: Snapshot) {
        self.disk_lost_at = Some(self.clock);
        self.unsynced.remove(&id);
        self.restore_disk(id, left);
    }

    /// Whether a disk lost something so lately that others may still count on what it had.
    pub(super) fn may_count_on_a_lost_disk(&self) -> bool {
        self.disk_lost_at
            .is_some_and(|at| at + POWER_CUT_LOSES > self.clock)
    }

    fn restore_disk(&mut self, id: NodeId, snapshot: Snapshot) {
        let store = self.stores.get_mut(&id).expect("every node has a store");
        store.restore(snapshot);
        let store = &self.stores[&id];
        let has = |job, block| store.credit(job, block).is_some();
        self.memory.done_work.forget(id, has);
    }

    /// Whether it is about to leave, and hands its jobs over.
    pub(crate) fn leaves(&self, id: NodeId) -> bool {
        self.leaving.contains(&id)
    }

    /// These were not heard by all until now, whoever hears them from now on.
    pub(crate) fn note_apart(&mut self) {
        let apart = self.deaf.iter().flat_map(|(one, other)| [*one, *other]);
        let apart = apart.chain(self.muted.iter().chain(&self.frozen).copied());
        self.apart_at.extend(apart.map(|id| (id, self.clock)));
    }

    pub(crate) fn was_apart_since(&self, id: NodeId, since: u64) -> bool {
        self.apart_at.get(&id).is_some_and(|at| *at > since)
    }

    /// A node leaves in good order, as far as it comes in that time.
    pub(crate) fn leave(&mut self, id: NodeId, wait: Duration) {
        if !self.hosts[&id].is_up {
            return;
        }
        self.count("node left");
        self.leaving.insert(id);
        self.feed(id, Input::Resign);
        self.run_for(wait);
        if self.hosts[&id].is_up {
            self.feed(id, Input::Leave);
            self.crash(id);
        }
    }

    /// A page goes to another node, and takes along what it computes.
    pub(crate) fn move_page(&mut self, (from, worker): DeviceKey, to: NodeId, is_noticed: bool) {
        let Some(device) = self.devices.remove(&(from, worker)) else {
            return;
        };
        self.count("page moved");
        if is_noticed {
            self.feed(from, Input::WorkerLeft { worker });
        }
        let blocks: Vec<(JobId, BlockIndex)> = device.tasks.keys().copied().collect();
        let profile = device.profile.clone();
        self.devices.insert((to, worker), device);
        self.feed(to, Input::Worker { worker, profile });
        let holds = Input::WorkerHolds {
            worker,
            blocks: blocks.clone(),
        };
        self.feed(to, holds);
        for (job, block) in blocks {
            let at = self.clock + self.random.within(1_000..500_000);
            let at_device = (to, worker);
            self.happen(
                at,
                Happening::Finish {
                    at: at_device,
                    job,
                    block,
                },
            );
        }
        self.tell_status(to);
        if !is_noticed {
            self.feed(from, Input::WorkerLeft { worker });
        }
        self.tell_status(from);
    }

    /// Another line takes the place of the one between two nodes, as when both dial at once.
    pub(crate) fn replace_line(&mut self, one: NodeId, other: NodeId, is_noticed: bool) {
        let (one, other) = pair(one, other);
        if !self.lines.contains_key(&(one, other)) {
            return;
        }
        self.count("line replaced");
        let line = Line::new(self.fresh_number(), self.clock);
        self.lines.insert((one, other), line);
        if is_noticed {
            self.enqueue(one, Input::LinkDown { peer: other });
        }
        self.enqueue(one, Input::LinkUp { peer: other });
        self.enqueue(other, Input::LinkUp { peer: one });
    }

    /// An input that comes from outside: alone, or with what comes at about the same time.
    pub(super) fn enqueue(&mut self, id: NodeId, input: Input) {
        if !self.has_batches {
            return self.feed(id, input);
        }
        if !self.hosts[&id].is_up {
            return;
        }
        let waiting = self.inbox.entry(id).or_default();
        waiting.push(input);
        if waiting.len() == 1 {
            let at = self.clock + self.random.within(0..BATCH_WAITS);
            self.happen(at, Happening::Drain(id));
        }
    }

    /// The process is stopped, as by SIGSTOP; its sockets stay open.
    pub(crate) fn freeze(&mut self, id: NodeId) {
        self.frozen.insert(id);
    }

    /// It runs on, and finds all that came meanwhile.
    pub(crate) fn thaw(&mut self, id: NodeId) {
        self.wake(id);
        let host = self.hosts.get_mut(&id).expect("it was added");
        if host.is_up {
            host.tick_at = Some(self.clock);
            self.happen(self.clock, Happening::Tick(id));
        }
    }

    /// What waited for it happens now, or waits on for another.
    fn wake(&mut self, id: NodeId) {
        if self.frozen.remove(&id) {
            for happening in std::mem::take(&mut self.waiting) {
                self.happen(self.clock, happening);
            }
        }
    }

    /// Events of interest only.
    pub(crate) fn events_without(&mut self, unwanted: impl Fn(&(NodeId, Event)) -> bool) {
        let times = std::mem::take(&mut self.event_times);
        let all = std::mem::take(&mut self.events).into_iter().zip(times);
        (self.events, self.event_times) = all.filter(|(event, _)| !unwanted(event)).unzip();
    }

    // ----- looking -------------------------------------------------------

    pub(crate) fn now(&self, id: NodeId) -> Now {
        let host = &self.hosts[&id];
        Now {
            moment: Moment::from_micros(self.clock - host.started),
            unix_ms: self.calendar(id),
        }
    }

    /// What the calendar of a node says.
    pub(super) fn calendar(&self, id: NodeId) -> u64 {
        let behind = self.behind_ms.get(&id).unwrap_or(&0);
        let ahead = self.ahead_ms.get(&id).unwrap_or(&0);
        self.unix_ms() - behind + ahead
    }

    /// How long a node has been running, over all its lives.
    pub(super) fn running_ms(&self, id: NodeId) -> u64 {
        let host = &self.hosts[&id];
        (host.ran_before + self.clock - host.started) / 1000
    }

    pub(crate) fn unix_ms(&self) -> u64 {
        UNIX_MS_AT_START + self.clock / 1000
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.hosts[&id].node
    }

    /// The device returns a block, whatever it was given.
    pub(crate) fn answer(&mut self, (home, worker): DeviceKey, job: JobId, block: BlockIndex) {
        let hash = result_hash(job, block);
        let store = self.stores.get_mut(&home).expect("every node has a store");
        store.keep((job, block, worker), hash);
        let proof = BlockProof {
            compute_ms: 1.0,
            receive_us: 0,
            wait_us: 0,
            operations: 20_000_000,
            hash: Some(hash),
            bytes: 80_000,
        };
        let result = Input::WorkerResult {
            worker,
            job,
            block,
            proof,
        };
        self.feed(home, result);
    }

    /// The calendar of this node is so much further behind from now on.
    pub(crate) fn set_clock_back(&mut self, id: NodeId, unix_ms: u64) {
        *self.behind_ms.entry(id).or_default() += unix_ms;
    }

    /// The calendar of this node is so much further ahead from now on.
    pub(crate) fn set_clock_ahead(&mut self, id: NodeId, unix_ms: u64) {
        *self.ahead_ms.entry(id).or_default() += unix_ms;
    }

    /// The small messages that a new link brings about at once: they wait in the queue of the link.
    pub(crate) fn small_messages_of_a_new_link(&mut self, at: NodeId, peer: NodeId) -> usize {
        let now = self.now(at);
        let host = self.hosts.get_mut(&at).expect("it was added");
        let outputs = host.node.handle(now, Input::LinkUp { peer });
        let is_small = |output: &&Output| matches!(output, Output::Send { to, message } if *to == peer && !message.goes_behind_blocks());
        outputs.iter().filter(is_small).count()
    }

    // ----- inner ---------------------------------------------------------

    pub(super) fn happen(&mut self, at: u64, happening: Happening) {
        self.queue.push(at, happening);
    }

    pub(super) fn fresh_number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// What a node tells of itself, as its driver would.
    fn tell_status(&mut self, id: NodeId) {
        let version = if self.has_real_versions {
            self.now(id).unix_ms
        } else {
            self.unix_ms()
        };
        let host = self.hosts.get_mut(&id).expect("it was added");
        host.status_version = version.max(host.status_version + 1);
        let mut status = NodeStatus {
            version: host.status_version,
            name: format!("node {}", id.short()),
            addresses: vec![([10, 0, 0, id.as_bytes()[0]], 8080).into()],
            device: "simulated".to_owned(),
            cores: 4,
            threads: 0,
            mflops: 0.0,
            operations: 0,
            browsers: Vec::new(),
        };
        let own = self.devices.iter().filter(|((home, _), _)| *home == id);
        for ((_, worker), device) in own {
            let profile = &device.profile;
            if profile.kind == WorkerKind::Native {
                (status.threads, status.mflops) = (profile.threads, profile.mflops);
                continue;
            }
            status.browsers.push(BrowserStatus {
                worker: *worker,
                device: profile.device.clone(),
                threads: profile.threads,
                mflops: profile.mflops,
                operations: 0,
                visible: profile.visible,
                contributing: profile.contributing,
            });
        }
        self.feed(id, Input::OwnStatus(status));
    }
}

pub(super) fn pair(one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    (one.min(other), one.max(other))
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("tests are short")
}
