//! Time goes on: what is due happens, nodes act, devices compute.

use std::time::Duration;

use cluster::{Event, Input, Moment, Output, WorkerCommand};
use wire::{BlockIndex, JobId, JobStatus, NodeId};

use super::device::{DeviceKey, Habit};
use super::mesh::{Happening, Mesh, micros, pair};

impl Mesh {
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.clock + micros(duration);
        self.run_while(end, |_| true);
        self.clock = end;
    }

    /// Runs until the job is complete where it was submitted; how long it took.
    pub(crate) fn run_until_complete(&mut self, job: JobId, limit: Duration) -> Duration {
        let took = self.run_until_ended(job, limit);
        assert_eq!(self.stored_status(job), JobStatus::Complete);
        took
    }

    /// The same for a job that may have been cancelled.
    pub(crate) fn run_until_ended(&mut self, job: JobId, limit: Duration) -> Duration {
        let begin = self.clock;
        let end = begin + micros(limit);
        self.run_while(end, |mesh| mesh.stored_status(job) == JobStatus::Running);
        match self.stored_status(job) {
            JobStatus::Running => panic!("not ended after {limit:?}: {:?}", self.state_of(job)),
            JobStatus::Complete => self.check_counted_once(job),
            JobStatus::Cancelled | JobStatus::Failed => {}
        }
        Duration::from_micros(self.clock - begin)
    }

    fn state_of(&self, job: JobId) -> impl std::fmt::Debug {
        let coordinators = self.hosts.values();
        let mut coordinators = coordinators.filter_map(|host| host.node.coordinator(job));
        let habits = self.devices.iter();
        let habits: Vec<_> = habits.map(|(at, device)| (at, device.habit)).collect();
        (coordinators.next(), habits)
    }

    fn run_while(&mut self, end: u64, wanted: impl Fn(&Self) -> bool) {
        while wanted(self) {
            let Some(((at, _), _)) = self.queue.first_key_value() else {
                return;
            };
            if *at > end {
                return;
            }
            let ((at, _), happening) = self.queue.pop_first().expect("just seen");
            self.clock = self.clock.max(at);
            self.on(happening);
        }
    }

    fn on(&mut self, happening: Happening) {
        match happening {
            Happening::Tick(id) => {
                let host = self.hosts.get_mut(&id).expect("it was added");
                // A tick that was put off since is not this one.
                if host.is_up && host.tick_at == Some(self.clock) {
                    host.tick_at = None;
                    host.ticks += 1;
                    self.feed(id, Input::Tick);
                }
            }
            Happening::Arrive {
                from,
                to,
                line,
                message,
                bytes,
            } => self.on_arrive((from, to), line, message, bytes),
            Happening::Finish { at, job, block } => self.on_finish(at, job, block),
            Happening::GiveBack { at, job, block } => {
                let (home, worker) = at;
                if self.devices.contains_key(&at) {
                    self.feed(home, Input::WorkerGaveBack { worker, job, block });
                }
            }
            Happening::Leave((home, worker)) => {
                self.detach(home, worker);
            }
            Happening::Link(one, other) => self.on_link(one, other),
            Happening::Cut(one, other) => self.on_cut(one, other),
            Happening::Restart(id) => self.restart(id),
        }
    }

    /// Gives a node an input and carries its outputs out, in order.
    pub(crate) fn feed(&mut self, id: NodeId, input: Input) {
        let now = self.now(id);
        let host = self.hosts.get_mut(&id).expect("it was added");
        if !host.is_up {
            return;
        }
        let life = host.life;
        let outputs = host.node.handle(now, input);
        let deadline = host.node.next_deadline();
        assert!(
            deadline > now.moment,
            "at {now:?} the next deadline {deadline:?} is past: the driver would spin"
        );
        for output in outputs {
            if self.faults.crash > 0 && self.random.chance(self.faults.crash) {
                self.crash(id);
                let pause = self.random.within(10_000..2_000_000);
                self.happen(self.clock + pause, Happening::Restart(id));
                return;
            }
            self.carry_out(id, output);
        }
        let host = self.hosts.get_mut(&id).expect("it was added");
        if host.is_up && host.life == life {
            let at = host.started + micros(deadline.since(Moment::default()));
            if host.tick_at != Some(at) {
                host.tick_at = Some(at);
                self.happen(at, Happening::Tick(id));
            }
        }
    }

    fn carry_out(&mut self, id: NodeId, output: Output) {
        let store = self.stores.get_mut(&id).expect("every node has a store");
        match output {
            Output::Persist(change) => store.apply(change),
            Output::Send { to, message } => self.send(id, to, message),
            Output::ToWorker { worker, command } => self.command((id, worker), command),
            Output::ReleaseResult {
                job,
                block,
                worker,
                hash,
            } => store.release((job, block, worker), hash),
            Output::CloseLink { peer } => {
                let (one, other) = pair(id, peer);
                self.happen(self.clock, Happening::Cut(one, other));
            }
            Output::Dial { peer, .. } => {
                assert_ne!(peer, id, "a node dials itself");
                self.link(id, peer);
            }
            Output::Event(event) => {
                if let Event::BlockDone {
                    job, block, worker, ..
                } = &event
                {
                    assert_eq!(store.credit(*job, *block), Some(*worker));
                }
                self.events.push((id, event));
            }
        }
    }

    fn on_finish(&mut self, at: DeviceKey, job: JobId, block: BlockIndex) {
        let (home, worker) = at;
        let Some(device) = self.devices.get_mut(&at) else {
            return;
        };
        let Some(task) = device.tasks.remove(&(job, block)) else {
            return;
        };
        let mut proof = device.proof(&task);
        let mut times = 1;
        match &mut device.habit {
            Habit::AnswersTwice => times = 2,
            Habit::WrongLength(left) if *left > 0 => {
                *left -= 1;
                proof.bytes -= 8;
            }
            _ => {}
        }
        let hash = proof.hash.expect("devices hash");
        for _ in 0..times {
            if !self.hosts[&home].is_up {
                return;
            }
            let store = self.stores.get_mut(&home).expect("every node has a store");
            store.keep((job, block, worker), hash);
            let result = Input::WorkerResult {
                worker,
                job,
                block,
                proof,
            };
            self.feed(home, result);
        }
    }

    fn command(&mut self, at: DeviceKey, command: WorkerCommand) {
        if let WorkerCommand::Counted {
            job,
            block,
            counted: true,
        } = command
        {
            let credit = self
                .stores
                .values()
                .find_map(|store| store.credit(job, block));
            assert_eq!(credit, Some(at.1), "told before stored");
        }
        let now = self.clock;
        let Some(device) = self.devices.get_mut(&at) else {
            return;
        };
        match command {
            WorkerCommand::Task { task, .. } => {
                assert!(device.profile.contributing, "work for one switched off");
                let (job, block) = (task.job, task.block);
                let done_at = device.take(now, task);
                let given = device.given_blocks();
                match &mut device.habit {
                    Habit::NeverAnswers => {}
                    Habit::LeavesAfter(count) if given >= *count => {
                        self.happen(now, Happening::Leave(at));
                    }
                    Habit::GivesBack(left) if *left > 0 => {
                        *left -= 1;
                        device.tasks.remove(&(job, block));
                        self.happen(now, Happening::GiveBack { at, job, block });
                    }
                    _ => self.happen(done_at, Happening::Finish { at, job, block }),
                }
            }
            WorkerCommand::Drop { job, block } => {
                device.tasks.retain(|(of, which), _| {
                    *of != job || block.is_some_and(|block| block != *which)
                });
            }
            WorkerCommand::Counted {
                job,
                block,
                counted,
            } => {
                if counted {
                    device.counted.insert((job, block));
                }
            }
        }
    }
}
