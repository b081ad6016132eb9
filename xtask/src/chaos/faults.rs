//! What goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;

use super::Random;
use super::jobs::Addresses;
use crate::mesh::{Mesh, Node};

/// Last parts of addresses that no node has at the start.
const FIRST_OTHER_HOST: usize = 100;
const LAST_HOST: usize = 200;

/// Nodes that never return are so far apart: each time the mesh has to be well before.
const GONE_INTERVAL: Duration = Duration::from_secs(120);

/// By then what a node holds is on others, too.
const COPIED_AFTER: Duration = Duration::from_secs(15);

/// Injects faults, and keeps what must be mended and when.
#[derive(Debug)]
pub(super) struct Faults {
    mesh: Option<Mesh>,
    random: Random,
    down: BTreeMap<usize, Instant>,
    paused: BTreeMap<usize, Instant>,
    slow: BTreeSet<usize>,
    /// Full disks and those that hang.
    full: BTreeMap<usize, Instant>,
    hanging: BTreeMap<usize, Instant>,
    /// Last parts of the addresses that nodes have.
    hosts: BTreeMap<usize, usize>,
    next_host: usize,
    /// When the next node goes for good, and another comes in its place.
    gone_at: Instant,
    addresses: Addresses,
    cut_until: Option<Instant>,
    pub(super) counts: BTreeMap<&'static str, u64>,
}

impl Faults {
    pub(super) fn new(mesh: Mesh, random: Random, addresses: Addresses) -> Self {
        Self {
            full: BTreeMap::new(),
            hanging: BTreeMap::new(),
            hosts: BTreeMap::new(),
            next_host: FIRST_OTHER_HOST,
            gone_at: Instant::now() + GONE_INTERVAL,
            addresses,
            mesh: Some(mesh),
            random,
            down: BTreeMap::new(),
            paused: BTreeMap::new(),
            slow: BTreeSet::new(),
            cut_until: None,
            counts: BTreeMap::new(),
        }
    }

    fn mesh(&mut self) -> &mut Mesh {
        self.mesh.as_mut().expect("only mend takes it, at the end")
    }

    /// One more fault, then a pause of one to five seconds in which what is due is mended.
    pub(super) fn inject(&mut self) -> Result<()> {
        for node in &mut self.mesh().nodes {
            node.check()?;
        }
        if self.gone_at <= Instant::now() {
            return self.replace_a_node();
        }
        let count = self.mesh().nodes.len();
        let (one, other) = (self.random.below(count), self.random.below(count));
        let now = Instant::now();
        let until = now + self.random.millis(500, 10_000);
        // Somebody must be left to go on.
        let ill = self.down.len() + self.paused.len() + self.full.len() + self.hanging.len();
        let may_lose = ill + 2 < count;
        let is_well = !self.down.contains_key(&one)
            && !self.paused.contains_key(&one)
            && !self.hanging.contains_key(&one);
        match self.random.below(11) {
            0 | 1 if may_lose && is_well => {
                self.count("node killed with SIGKILL");
                self.mesh().nodes[one].kill()?;
                self.down.insert(one, until);
            }
            2 if may_lose && is_well => {
                self.count("node paused with SIGSTOP");
                self.mesh().nodes[one].signal(Signal::STOP)?;
                self.paused.insert(one, until);
            }
            3 if self.cut_until.is_none() => {
                self.count("node cut off");
                let others: Vec<usize> = (0..count).filter(|index| *index != one).collect();
                self.mesh().network.cut(&[one], &others)?;
                self.cut_until = Some(until);
            }
            4 if self.cut_until.is_none() => {
                self.count("mesh cut in two");
                // Nobody is alone for certain, and neither side is empty.
                let first = self.random.below(count);
                let second = (first + 1 + self.random.below(count - 1)) % count;
                let (left, right): (Vec<usize>, Vec<usize>) = (0..count).partition(|index| {
                    *index == first || *index != second && self.random.below(2) == 0
                });
                self.mesh().network.cut(&left, &right)?;
                self.cut_until = Some(until);
            }
            5 if self.cut_until.is_none() && one != other => {
                self.count("node deaf to another");
                self.mesh().network.make_deaf(one, &[other])?;
                self.cut_until = Some(until);
            }
            6 => {
                let is_slow = self.slow.insert(one);
                if is_slow {
                    self.count("node slowed to 4 Mbit/s");
                } else {
                    self.slow.remove(&one);
                }
                self.mesh().network.slow_down(one, is_slow)?;
            }
            7 if may_lose && is_well && !self.full.contains_key(&one) => {
                self.count("disk full");
                self.mesh().nodes[one].disk()?.fill()?;
                self.full.insert(one, until);
            }
            8 if may_lose && is_well => {
                self.count("disk that hangs");
                self.mesh().nodes[one].disk()?.freeze()?;
                self.hanging.insert(one, until);
            }
            9 => {
                self.count("calendar that jumps");
                let days = [-3650, -1, 0, 1, 3650];
                let seconds = days[self.random.below(days.len())] * 86_400;
                self.mesh().nodes[one].calendar()?.set_ahead(seconds)?;
            }
            10 => {
                self.count("address that changes");
                self.give_another_address(one)?;
            }
            _ => {}
        }
        let rest = self.random.millis(1_000, 5_000);
        self.rest(rest)
    }

    /// So long nothing else goes wrong.
    fn rest(&mut self, rest: Duration) -> Result<()> {
        let rest = Instant::now() + rest;
        while Instant::now() < rest {
            self.mend_what_is_due()?;
            // The pace of the faults; what is due is looked for this often.
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn give_another_address(&mut self, index: usize) -> Result<()> {
        let before = *self.hosts.get(&index).unwrap_or(&(index + 1));
        let host = self.next_host;
        self.next_host = if host < LAST_HOST {
            host + 1
        } else {
            FIRST_OTHER_HOST
        };
        let [from, to] = [before, host].map(|host| format!("10.77.0.{host}"));
        self.mesh().network.readdress(index, &from, &to)?;
        self.mesh().nodes[index].set_address(&to);
        let address = self.mesh().nodes[index].address().to_owned();
        self.addresses.set(index, address);
        self.hosts.insert(index, host);
        Ok(())
    }

    /// A node goes for good with all that it holds, once the others have copies; another one comes.
    fn replace_a_node(&mut self) -> Result<()> {
        self.mend_all()?;
        // Long enough for others to hold what it holds: ended jobs are filled up after five seconds.
        self.rest(COPIED_AFTER)?;
        let count = self.mesh().nodes.len();
        let one = self.random.below(count);
        self.count("node that never returns, and a new one");
        self.mesh().nodes[one].kill()?;
        self.rest(COPIED_AFTER)?;
        self.mesh().nodes[one].wipe()?;
        self.mesh().nodes[one].start()?;
        self.gone_at = Instant::now() + GONE_INTERVAL;
        Ok(())
    }

    fn count(&mut self, kind: &'static str) {
        *self.counts.entry(kind).or_default() += 1;
    }

    fn mend_what_is_due(&mut self) -> Result<()> {
        let now = Instant::now();
        let is_due = |(index, until): (&usize, &Instant)| (*until <= now).then_some(*index);
        let started: Vec<usize> = self.down.iter().filter_map(is_due).collect();
        for index in started {
            self.count("node started again");
            self.down.remove(&index);
            self.mesh().nodes[index].start()?;
        }
        let resumed: Vec<usize> = self.paused.iter().filter_map(is_due).collect();
        for index in resumed {
            self.paused.remove(&index);
            self.mesh().nodes[index].signal(Signal::CONT)?;
        }
        let roomy: Vec<usize> = self.full.iter().filter_map(is_due).collect();
        for index in roomy {
            self.full.remove(&index);
            self.mesh().nodes[index].disk()?.clear()?;
        }
        let thawed: Vec<usize> = self.hanging.iter().filter_map(is_due).collect();
        for index in thawed {
            self.hanging.remove(&index);
            self.mesh().nodes[index].disk()?.thaw()?;
        }
        if self.cut_until.is_some_and(|until| until <= now) {
            self.cut_until = None;
            self.mesh().network.mend()?;
        }
        Ok(())
    }

    /// Ends every fault; calendars and addresses stay as they are.
    fn mend_all(&mut self) -> Result<()> {
        let past = Instant::now();
        let due = self.down.values_mut().chain(self.paused.values_mut());
        let due = due
            .chain(self.full.values_mut())
            .chain(self.hanging.values_mut());
        due.chain(&mut self.cut_until)
            .for_each(|until| *until = past);
        self.mend_what_is_due()?;
        for index in std::mem::take(&mut self.slow) {
            self.mesh().network.slow_down(index, false)?;
        }
        self.mesh().wait_until_whole()
    }

    /// Ends every fault and gives the mesh back, whole.
    pub(super) fn mend(&mut self) -> Result<Mesh> {
        self.mend_all()?;
        let mesh = self.mesh.take().expect("mended once");
        debug_assert!(mesh.nodes.iter().all(Node::is_running));
        mesh.wait_until_whole()?;
        Ok(mesh)
    }
}
