//! What goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;

use super::Random;
use crate::mesh::{Mesh, Node};

/// Injects faults, and keeps what must be mended and when.
#[derive(Debug)]
pub(super) struct Faults {
    mesh: Option<Mesh>,
    random: Random,
    down: BTreeMap<usize, Instant>,
    paused: BTreeMap<usize, Instant>,
    slow: BTreeSet<usize>,
    cut_until: Option<Instant>,
    pub(super) counts: BTreeMap<&'static str, u64>,
}

impl Faults {
    pub(super) fn new(mesh: Mesh, random: Random) -> Self {
        Self {
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
        let count = self.mesh().nodes.len();
        let (one, other) = (self.random.below(count), self.random.below(count));
        let now = Instant::now();
        let until = now + self.random.millis(500, 10_000);
        // Somebody must be left to go on.
        let may_lose = self.down.len() + self.paused.len() + 2 < count;
        let is_well = !self.down.contains_key(&one) && !self.paused.contains_key(&one);
        match self.random.below(7) {
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
            _ => {}
        }
        let rest = Instant::now() + self.random.millis(1_000, 5_000);
        while Instant::now() < rest {
            self.mend_what_is_due()?;
            // The pace of the faults; what is due is looked for this often.
            thread::sleep(Duration::from_millis(50));
        }
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
        if self.cut_until.is_some_and(|until| until <= now) {
            self.cut_until = None;
            self.mesh().network.mend()?;
        }
        Ok(())
    }

    /// Ends every fault and gives the mesh back, whole.
    pub(super) fn mend(&mut self) -> Result<Mesh> {
        let past = Instant::now();
        let due = self.down.values_mut().chain(self.paused.values_mut());
        due.chain(&mut self.cut_until)
            .for_each(|until| *until = past);
        self.mend_what_is_due()?;
        for index in std::mem::take(&mut self.slow) {
            self.mesh().network.slow_down(index, false)?;
        }
        let mesh = self.mesh.take().expect("mended once");
        debug_assert!(mesh.nodes.iter().all(Node::is_running));
        mesh.wait_until_whole()?;
        Ok(mesh)
    }
}
