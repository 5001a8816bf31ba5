//! Driver, disk, read index and origin in one, all of them simple.

use super::ops::{Answer, Event, KEYS_COUNT, Op, Pause, Plan, RESOURCES, Shape, domain, key};
use cache_core::{
    Audience, Bucket, Content, Disk, Doubts, Draft, Engine, Entry, FetchError, FetchId, Fetched, Input, Key,
    LoadId, OrderId, Outcome, Output, Priority, Reach, Reader, RequestId, Scope, Served, Settings, Shortage,
    Timestamp, Validators, freshness::Directives,
};
use std::{collections::BTreeMap, fmt::Write, sync::Arc, time::Duration};

/// Everything around the engine, and what is known of it.
pub(crate) struct World {
    engine: Engine,
    pub(super) settings: Settings,
    pub(super) now: Timestamp,
    /// Counts the inputs. All that comes out of one input happens in its step.
    pub(super) step: u64,
    pub(super) requests: BTreeMap<RequestId, Asked>,
    pub(super) calls: BTreeMap<FetchId, Call>,
    answered_last: Option<FetchId>,
    loads: BTreeMap<LoadId, Option<Box<Entry>>>,
    disk: BTreeMap<Key, Arc<Entry>>,
    /// What the disk was told to forget and has not reported yet.
    removals: Vec<u64>,
    pub(super) published: BTreeMap<Key, Arc<Entry>>,
    /// When each key was last invalidated or put.
    pub(super) written: BTreeMap<Key, u64>,
    /// What every body ever made stands for, by the number that the body begins with.
    pub(super) facts: Vec<Fact>,
    transcript: String,
}

/// A request as its client knows it.
pub(super) struct Asked {
    pub(super) key: Option<Key>,
    pub(super) directives: Directives,
    pub(super) step: u64,
    /// When its key had last been invalidated or put by then.
    pub(super) written: Option<u64>,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Waiting,
    Cancelled,
    Done,
}

/// A call to the origin that was not answered yet.
pub(super) struct Call {
    pub(super) key: Key,
    pub(super) leader: RequestId,
    pub(super) step: u64,
}

/// Where a body comes from.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) key: Key,
    /// When the origin was called, or the value put.
    pub(super) step: u64,
    pub(super) source: Source,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    LeftBehind,
    Origin { only_for: Option<RequestId> },
    Put,
}

impl World {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut world = Self {
            engine: Engine::new(plan.settings.clone()),
            settings: plan.settings.clone(),
            now: Timestamp::from_unix_millis(1_000_000),
            step: 0,
            requests: BTreeMap::new(),
            calls: BTreeMap::new(),
            answered_last: None,
            loads: BTreeMap::new(),
            disk: BTreeMap::new(),
            removals: Vec::new(),
            published: BTreeMap::new(),
            written: BTreeMap::new(),
            facts: Vec::new(),
            transcript: String::new(),
        };
        for (number, shape) in &plan.left_behind {
            let draft = world.draft(key(*number), 0, Source::LeftBehind, *shape);
            let entry = Entry::new(key(*number), draft, world.now, 7);
            world.disk.insert(key(*number), Arc::new(entry));
        }
        let entries = world.disk.values().map(|entry| copy(entry, world.now)).collect();
        world.handle(Input::Restored { doubts: Doubts::default(), entries });
        world
    }

    pub(crate) fn play(&mut self, ops: &[Op]) {
        for op in ops {
            match op.pause {
                Pause::Awake(pause) => self.advance(pause),
                Pause::Asleep(pause) => self.now = self.now.saturating_add(pause),
            }
            self.happen(&op.event);
        }
    }

    /// Lets everything come to its end: by answers, or by time alone.
    pub(crate) fn end(&mut self, answered: bool) {
        while answered && !(self.calls.is_empty() && self.loads.is_empty()) {
            self.happen(&Event::Load { pick: 0, readable: true });
            self.happen(&Event::Answer { pick: 0, answer: Answer::UnstorableDomain });
        }
        self.advance(Duration::from_secs(3600));
        assert_eq!(self.engine.flights_count(), 0, "a lookup never ends");
        assert!(self.calls.is_empty(), "a call was neither answered nor cancelled");
        for (request, asked) in &self.requests {
            assert_ne!(asked.state, State::Waiting, "{request:?} was never answered");
        }
        self.advance(Duration::from_secs(1_000_000));
        assert!(self.published.is_empty(), "what is outdated is not removed");
        assert_eq!(self.engine.poll_timeout(), None);
    }

    /// Asks the engine for every key whatever it has, and compares with what readers see.
    pub(crate) fn compare_with_engine(&mut self) {
        self.handle(Input::Tick);
        for number in 0..KEYS_COUNT {
            let published = self.published.get(&key(number)).cloned();
            if published.is_none() && self.settings.disk == Disk::Present {
                continue;
            }
            let request = self.ask(Some(key(number)), Directives::ANYTHING_CACHED);
            let (directives, bucket, reader) = (Directives::ANYTHING_CACHED, Bucket(0), Reader::Admitted);
            let input = Input::Get {
                request,
                key: key(number),
                directives,
                bucket,
                priority: Priority::Normal,
                reader,
                kin_wait: None,
            };
            let outputs = self.handle(input);
            let held = outputs.into_iter().find_map(|output| match output {
                Output::Complete { outcome: Outcome::Answered { entry, served }, .. } => {
                    assert!(!matches!(served, Served::Forwarded(_)));
                    Some(entry)
                }
                _other => None,
            });
            assert_eq!(held.as_ref().map(Arc::as_ptr), published.as_ref().map(Arc::as_ptr));
        }
    }

    /// All that came out, in order.
    pub(crate) fn transcript(self) -> String {
        self.transcript
    }

    fn advance(&mut self, pause: Duration) {
        let end = self.now.saturating_add(pause);
        while let Some((due, _)) = self.engine.poll_timeout().filter(|(due, _)| *due < end) {
            self.now = due;
            self.handle(Input::Tick);
        }
        self.now = end;
        self.handle(Input::Tick);
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Answer { pick, answer } => self.answer(*pick, answer),
            Event::Cancel { pick } => self.cancel(*pick),
            Event::Clear => {
                let order = self.write(|_key| true);
                self.handle(Input::Clear { order });
            }
            Event::Get { key: number, directives, bucket } => {
                let request = self.ask(Some(key(*number)), *directives);
                let (directives, bucket, reader) = (*directives, Bucket(*bucket), Reader::Admitted);
                self.handle(Input::Get {
                    request,
                    key: key(*number),
                    directives,
                    bucket,
                    priority: Priority::Normal,
                    reader,
                    kin_wait: None,
                });
            }
            Event::Invalidate { key: number } => {
                let order = self.write(|written| *written == key(*number));
                let reach = Reach::forget([Scope::Key(key(*number))]);
                self.handle(Input::Invalidate { order, reach });
            }
            Event::InvalidatePrefix { prefix, domain: number } => {
                let (prefix, domain) = (RESOURCES[*prefix], number.map(domain));
                let order = self.write(|key| {
                    key.resource().starts_with(prefix) && domain.is_none_or(|domain| key.domain() == domain)
                });
                let reach = Reach::forget([Scope::Prefix { prefix: prefix.into(), domain }]);
                self.handle(Input::Invalidate { order, reach });
            }
            Event::Load { pick, readable } => {
                if let Some(load) = picked(&self.loads, *pick) {
                    let entry = self.loads.remove(&load).expect("it was picked").filter(|_entry| *readable);
                    self.handle(Input::Loaded { load, entry });
                }
            }
            Event::Put { key: number, shape } => {
                let key = key(*number);
                let order = self.write(|written| *written == key);
                let draft = self.draft(key.clone(), self.step + 1, Source::Put, *shape);
                self.handle(Input::Put { order, key, draft });
            }
            Event::Read { key: number } => {
                if let Some(entry) = self.published.get(&key(*number)) {
                    entry.mark_visited();
                }
            }
            Event::Tick => {
                self.handle(Input::Tick);
            }
        }
    }

    fn answer(&mut self, pick: usize, answer: &Answer) {
        let Some(fetch) = picked(&self.calls, pick) else {
            return;
        };
        let call = self.calls.remove(&fetch).expect("it was picked");
        self.answered_last = Some(fetch);
        let source = Source::Origin { only_for: None };
        let plain = Shape { freshness: <_>::default(), age: Duration::ZERO, padding_bytes: 0 };
        let mut content = |source| self.draft(call.key.clone(), call.step, source, plain).content;
        let fetched = match answer {
            Answer::Failed => Fetched::Failed(FetchError::ConnectionLost),
            Answer::Fault => Fetched::Fault { content: content(source) },
            Answer::Fresh(shape) => Fetched::Fresh(self.draft(call.key, call.step, source, *shape)),
            Answer::NotModified(shape) => {
                Fetched::NotModified(self.draft(call.key, call.step, source, *shape))
            }
            Answer::Oversize => Fetched::Oversize,
            Answer::Throttled(retry_after) => Fetched::Throttled {
                content: content(source),
                retry_after: *retry_after,
                shortage: Shortage::Pace,
            },
            Answer::UnstorableDomain => {
                Fetched::Unstorable { content: content(source), audience: Audience::Domain }
            }
            Answer::UnstorableLeader => {
                let source = Source::Origin { only_for: Some(call.leader) };
                Fetched::Unstorable { content: content(source), audience: Audience::Leader }
            }
        };
        let reached = fetched.reached();
        self.handle(Input::Fetched { fetch, fetched, reached, allowance: None });
    }

    fn cancel(&mut self, pick: usize) {
        let waiting = self.requests.iter().filter(|(_, asked)| asked.state == State::Waiting);
        let waiting: BTreeMap<_, _> = waiting.map(|(request, _)| (*request, ())).collect();
        let Some(request) = picked(&waiting, pick) else {
            return;
        };
        self.handle(Input::Cancel { request });
        let asked = self.requests.get_mut(&request).expect("it was picked");
        // It may have been answered by what was due before.
        if asked.state == State::Waiting {
            asked.state = State::Cancelled;
        }
    }

    /// Numbers a request that the next input brings.
    fn ask(&mut self, key: Option<Key>, directives: Directives) -> RequestId {
        let request = RequestId(self.requests.len() as u64 + 1);
        let written = key.as_ref().and_then(|key| self.written.get(key)).copied();
        let asked = Asked { key, directives, step: self.step + 1, written, state: State::Waiting };
        self.requests.insert(request, asked);
        request
    }

    fn conclude(&mut self, request: RequestId) {
        self.requests.get_mut(&request).expect("checked before").state = State::Done;
    }

    /// Notes that the next input writes all keys for which `is_meant`. Orders and requests have numbers of one sequence.
    ///
    /// What is due by now happens before it, so that whatever comes out in its step comes after it.
    fn write(&mut self, is_meant: impl Fn(&Key) -> bool) -> OrderId {
        self.handle(Input::Tick);
        for key in (0..KEYS_COUNT).map(key).filter(is_meant) {
            self.written.insert(key, self.step + 1);
        }
        OrderId(self.ask(None, Directives::default()).0)
    }

    fn draft(&mut self, key: Key, step: u64, source: Source, shape: Shape) -> Draft {
        let number = self.facts.len();
        self.facts.push(Fact { key, step, source });
        let body = format!("{number:08}{}", "x".repeat(shape.padding_bytes));
        Draft {
            content: Content::of_value(body),
            freshness: shape.freshness,
            validators: Validators::default(),
            age: shape.age,
        }
    }

    /// Puts `input` in and comes back at once for what became due by it, such as an entry of no lifetime.
    fn handle(&mut self, input: Input) -> Vec<Output> {
        let mut outputs = self.handle_once(input);
        while let Some(removal) = self.removals.pop() {
            outputs.extend(self.handle_once(Input::Removed { removal }));
        }
        for _ in 0..2 {
            if self.engine.poll_timeout().is_some_and(|(due, _)| due <= self.now) {
                outputs.extend(self.handle_once(Input::Tick));
            }
        }
        let due = self.engine.poll_timeout();
        assert!(due.is_none_or(|(due, _)| due > self.now), "{due:?} is never dealt with");
        outputs
    }

    /// Puts `input` in, performs and checks all that comes out, and hands it back.
    fn handle_once(&mut self, input: Input) -> Vec<Output> {
        self.step += 1;
        self.engine.handle(self.now, input);
        let outputs: Vec<_> = std::iter::from_fn(|| self.engine.poll_output()).collect();
        for output in &outputs {
            writeln!(self.transcript, "{output:?}").expect("a string takes everything");
            self.check(output);
            self.perform(output);
        }
        writeln!(self.transcript, "{:?}", self.engine.poll_timeout()).expect("a string takes everything");
        self.check_engine(&self.engine);
        outputs
    }

    fn perform(&mut self, output: &Output) {
        match output {
            Output::CancelFetch { fetch } => {
                // An answer that comes too late crosses the cancellation.
                let is_known = self.calls.remove(fetch).is_some() || self.answered_last == Some(*fetch);
                assert!(is_known, "only what is under way can be cancelled");
            }
            Output::Complete { request, .. } => self.conclude(*request),
            Output::Removed { order, .. } | Output::Stored { order } => self.conclude(RequestId(order.0)),
            Output::Fetch { fetch, leader, .. } => {
                let key = self.requests[leader].key.clone().expect("only gets fetch");
                self.calls.insert(*fetch, Call { key, leader: *leader, step: self.step });
            }
            Output::Depart { .. }
            | Output::Withheld { .. }
            | Output::Dial { .. }
            | Output::Disconnect { .. }
            | Output::Forget { .. }
            | Output::Ponged { .. }
            | Output::Joined { .. }
            | Output::Retain { .. }
            | Output::Send { .. }
            | Output::Remember { .. }
            | Output::Seek
            | Output::Twins { .. } => {
                unreachable!("checked before")
            }
            Output::Load { load, key } => {
                let entry = self.disk.get(key).map(|entry| Box::new(copy(entry, self.now)));
                self.loads.insert(*load, entry);
            }
            Output::Persist { entry } => {
                self.disk.insert(entry.key().clone(), Arc::clone(entry));
            }
            Output::Publish { entry } => {
                self.published.insert(entry.key().clone(), Arc::clone(entry));
                self.check_published();
            }
            Output::Remove { removal, scopes, doubted: _ } => {
                self.removals.extend(removal);
                self.disk.retain(|key, _| !scopes.iter().any(|scope| scope.covers_key(key)));
            }
            Output::Retract { key } => {
                self.published.remove(key).expect("only what readers see can be hidden");
            }
        }
    }
}

/// An entry as a disk gives it back.
fn copy(entry: &Entry, now: Timestamp) -> Entry {
    Entry::new(entry.key().clone(), entry.draft(now), now, entry.generation())
}

fn picked<K: Copy, V>(map: &BTreeMap<K, V>, pick: usize) -> Option<K> {
    map.keys().nth(pick.checked_rem(map.len())?).copied()
}
