//! Time goes on: what is due happens, nodes act, devices compute.

use std::time::Duration;

use cluster::{Change, Event, Input, Moment, Now, Output, WorkerCommand};
use wire::{BlockIndex, JobId, JobStatus, NodeId};

use super::device::{DeviceKey, Habit};
use super::is_seeded;
use super::mesh::{Happening, Mesh, micros, pair};
use crate::invariants::{
    blocks_count_once, done_work_is_not_begun_again, joined_backups_have_it,
    nobody_replaces_one_that_leads, stored_before_told,
};

/// What a few nodes have under way at once, and each two besides: more is a storm that feeds itself.
const HAPPENINGS_MAX: usize = 100_000;

/// See [`HAPPENINGS_MAX`].
const HAPPENINGS_OF_TWO_MAX: usize = 100;

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
        self.run_while(end, |mesh| {
            mesh.stored_status(job) == JobStatus::Running || !mesh.is_end_told(job)
        });
        match self.stored_status(job) {
            JobStatus::Running => {
                self.print_last_messages();
                panic!(
                    "not ended after {limit:?}: {}\n{:?}",
                    self.views_of(job),
                    self.state_of(job)
                )
            }
            JobStatus::Complete => blocks_count_once::check_complete(self, job),
            JobStatus::Cancelled | JobStatus::Failed => {}
        }
        Duration::from_micros(self.clock - begin)
    }

    /// What nodes said at the end, for whoever replays one seed.
    fn print_last_messages(&self) {
        for (from, to, message) in self.sent.iter().rev().take(60).rev() {
            let message: String = format!("{message:?}").chars().take(240).collect();
            eprintln!("{} to {}: {message}", from.short(), to.short());
        }
    }

    fn state_of(&self, job: JobId) -> impl std::fmt::Debug {
        let coordinators = self.hosts.values();
        let mut coordinators = coordinators.filter_map(|host| host.node.coordinator(job));
        let habits = self.devices.iter();
        let habits: Vec<_> = habits.map(|(at, device)| (at, device.habit)).collect();
        (coordinators.next(), habits)
    }

    pub(crate) fn run_while(&mut self, end: u64, wanted: impl Fn(&Self) -> bool) {
        while wanted(self) {
            if self.queue.first_at().is_none_or(|at| at > end) {
                return;
            }
            let (at, happening) = self.queue.pop().expect("just seen");
            let most = HAPPENINGS_MAX + HAPPENINGS_OF_TWO_MAX * self.wired.len();
            assert!(self.queue.len() < most, "messages breed messages");
            self.clock = self.clock.max(at);
            if !self.deaf.is_empty() || !self.muted.is_empty() || !self.frozen.is_empty() {
                self.note_apart();
            }
            self.on(happening);
        }
    }

    fn on(&mut self, happening: Happening) {
        if self
            .sleeper_of(&happening)
            .is_some_and(|id| self.frozen.contains(&id))
        {
            if !matches!(happening, Happening::Tick(_)) {
                self.waiting.push(happening);
            }
            return;
        }
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
            Happening::Arrive(arrival) => self.on_arrive(*arrival),
            Happening::Beat {
                from,
                to,
                line,
                sequence,
            } => self.on_beat((from, to), line, sequence),
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
            Happening::Refused(at, peer) => {
                if !self.hosts[&peer].is_up {
                    self.feed(at, Input::Refused { peer });
                }
            }
            Happening::InputsFetched(at, job, holders) => self.on_fetched(at, job, &holders),
            Happening::Link(one, other) => self.on_link(one, other),
            Happening::Cut(one, other) => self.on_cut(one, other),
            Happening::Restart(id) => self.restart(id),
            Happening::Drain(id) => {
                let inputs = self.inbox.remove(&id).unwrap_or_default();
                self.feed_all(id, inputs);
            }
        }
    }

    /// The process that something happens to.
    fn sleeper_of(&self, happening: &Happening) -> Option<NodeId> {
        match happening {
            Happening::Tick(id)
            | Happening::InputsFetched(id, ..)
            | Happening::Refused(id, _)
            | Happening::Drain(id) => Some(*id),
            Happening::Arrive(arrival) => Some(arrival.to),
            Happening::Beat { to, .. } => Some(*to),
            Happening::Finish { at, .. } | Happening::GiveBack { at, .. } => Some(at.0),
            Happening::Link(one, other) | Happening::Cut(one, other) => [one, other]
                .into_iter()
                .copied()
                .find(|id| self.frozen.contains(id)),
            Happening::Leave(_) | Happening::Restart(_) => None,
        }
    }

    /// Gives a node an input, behind those that wait for it, and carries its outputs out, in order.
    pub(crate) fn feed(&mut self, id: NodeId, input: Input) {
        match self.inbox.remove(&id) {
            None => self.feed_all(id, [input]),
            Some(mut inputs) => {
                inputs.push(input);
                self.feed_all(id, inputs);
            }
        }
    }

    fn feed_all<I: IntoIterator<Item = Input, IntoIter: ExactSizeIterator>>(
        &mut self,
        id: NodeId,
        inputs: I,
    ) {
        let unix_ms = self.calendar(id);
        let inputs = inputs.into_iter();
        let host = self.hosts.get_mut(&id).expect("it was added");
        if !host.is_up || inputs.len() == 0 {
            return;
        }
        let moment = Moment::from_micros(self.clock - host.started);
        let now = Now { moment, unix_ms };
        let life = host.life;
        if inputs.len() > 1 {
            *self.counts.entry("batch of inputs").or_default() += 1;
        }
        self.handled += u64::try_from(inputs.len()).expect("few");
        let mut outputs = host.node.handle_all(now, inputs);
        let deadline = host.node.next_deadline();
        assert!(
            deadline > now.moment,
            "at {now:?} the next deadline {deadline:?} is past: the driver would spin"
        );
        let tick_at = host.started + micros(deadline.since(Moment::default()));
        if outputs.is_empty() && host.tick_at == Some(tick_at) {
            return;
        }
        if self.has_batches {
            // As the driver does: all changes first, in one transaction.
            outputs.sort_by_key(|output| !matches!(output, Output::Persist(_)));
        }
        for output in outputs {
            if self.faults.crash > 0 && self.random.chance(self.faults.crash) {
                self.count("crash between two outputs");
                self.crash(id);
                let pause = self.random.within(10_000..2_000_000);
                self.happen(self.clock + pause, Happening::Restart(id));
                return;
            }
            self.carry_out(id, output);
        }
        let host = self.hosts.get_mut(&id).expect("it was added");
        if host.is_up && host.life == life && host.tick_at != Some(tick_at) {
            host.tick_at = Some(tick_at);
            self.happen(tick_at, Happening::Tick(id));
        }
    }

    fn carry_out(&mut self, id: NodeId, output: Output) {
        let running_ms = self.running_ms(id);
        let store = self.stores.get_mut(&id).expect("every node has a store");
        match output {
            Output::Persist(change) => {
                if let Change::Done { job, done, .. } = &change {
                    let (job, block) = (*job, done.block);
                    self.memory.done_work.on_stored(id, job, block, self.clock);
                }
                // As with `--sync alone`.
                let job = change.job();
                if self
                    .hosts
                    .get(&id)
                    .is_some_and(|host| host.node.is_backed(job))
                {
                    store.unsynced.insert(job);
                } else {
                    store.unsynced.remove(&job);
                }
                store.apply(change, running_ms);
                if self.has_power_cuts {
                    let snapshot = store.snapshot();
                    let is_synced = !store.unsynced.contains(&job);
                    let states = self.unsynced.entry(id).or_default();
                    if is_synced {
                        // The log is one: with a write all before it are on the disk.
                        states.clear();
                    }
                    states.push((self.clock, snapshot));
                }
            }
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
            Output::FetchInputs { record, holders } => {
                assert!(!is_seeded(&record), "seeds need no fetching");
                let at = self.clock + self.random.within(5_000..400_000);
                self.happen(at, Happening::InputsFetched(id, record.id, holders));
            }
            Output::Dial { peer, .. } => {
                assert_ne!(peer, id, "a node dials itself");
                self.link(id, peer);
            }
            Output::Event(event) => {
                stored_before_told::check_event(store, !self.has_batches, &event);
                if let Event::ElectionWon { job, .. } = &event {
                    let has_inputs = store.inputs.contains(job);
                    assert!(
                        has_inputs || is_seeded(&store.jobs[job].record),
                        "{id} leads {job} without its inputs"
                    );
                }
                if let Event::ElectionWon { job, epoch, .. } = &event {
                    nobody_replaces_one_that_leads::check(self, id, *job, *epoch);
                }
                let told = match &event {
                    Event::JobSafe { job } => Some((*job, false)),
                    Event::JobEnded { job, .. } => Some((*job, true)),
                    _ => None,
                };
                if let Some((job, has_ended)) = told.filter(|_| !self.may_count_on_a_lost_disk()) {
                    stored_before_told::check_safe(&self.stores, id, job, has_ended);
                }
                if let Event::BlockDone { job, block, .. } = &event
                    && self.checks_joined
                {
                    joined_backups_have_it::check(self, id, *job, *block);
                }
                self.count(transition(&event));
                self.memory.acknowledged.on_event(&event);
                self.memory.victories.on_event(id, &event);
                self.events.push((id, event));
                self.event_times.push(self.clock);
            }
        }
    }

    fn on_fetched(&mut self, at: NodeId, job: JobId, holders: &[NodeId]) {
        if !self.hosts[&at].is_up {
            return;
        }
        let mut holders = holders.iter().filter(|holder| **holder != at);
        let is_found = holders.any(|holder| {
            let has = self.stores[holder].inputs.contains(&job);
            has && self.hosts[holder].is_up && self.talking_since(at, *holder).is_some()
        });
        if is_found {
            let store = self.stores.get_mut(&at).expect("every node has a store");
            store.inputs.insert(job);
            self.count("inputs copied");
            self.enqueue(at, Input::InputsStored { job });
        } else {
            self.count("inputs not to be had");
            self.feed(at, Input::InputsMissing { job });
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
            self.enqueue(home, result);
        }
    }

    fn command(&mut self, at: DeviceKey, command: WorkerCommand) {
        stored_before_told::check_command(self, &command);
        if let WorkerCommand::Task { task, coordinator } = &command {
            done_work_is_not_begun_again::check_task(self, *coordinator, task.job, task.block);
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

/// What a node did, as the counts of a run name it.
fn transition(event: &Event) -> &'static str {
    match event {
        Event::BlockDone { .. } => "block done",
        Event::JobEnded { .. } => "job ended",
        Event::JobChanged { .. } => "job changed",
        Event::ResultRefused { .. } => "result refused",
        Event::BlockReassigned { .. } => "block reassigned",
        Event::JobSafe { .. } => "job acknowledged",
        Event::ElectionStarted { .. } => "election started",
        Event::ElectionWon { .. } => "election won",
        Event::SteppedDown { .. } => "stepped down",
        Event::PeerLost { silent: true, .. } => "peer lost, silent",
        Event::PeerLost { silent: false, .. } => "peer lost, refusing",
        Event::MeshChanged => "mesh changed",
    }
}
