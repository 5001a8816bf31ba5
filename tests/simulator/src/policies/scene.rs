//! The world of the policies that are models: the plan's events, its origin, its network, and one clock.
//!
//! The [`Rules`] of a policy say what it does. This module has what is the same for all of them: when requests come
//! and nodes start, how long calls take, and how answers are counted.

use super::agenda::Agenda;
use crate::{
    figures::Figures,
    ledger::Ledger,
    origin::{Call, Origin},
    plan::{Deed, Plan},
    random::Random,
    world::STARTING,
};
use cache_core::{Candidate, Draft, Entry, FetchError, FetchId, Fetched, RequestId, Timestamp};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What a policy does when something happens.
pub(super) trait Rules {
    /// A client of a node asks.
    fn on_request(&mut self, scene: &mut Scene, request: Request);

    /// The origin has answered a call: with something to keep, or with nothing of use.
    fn on_answer(&mut self, scene: &mut Scene, call: &Call, kept: Option<&Arc<Entry>>);

    /// What was sent has arrived.
    fn on_letter(&mut self, scene: &mut Scene, letter: Letter);
}

/// What a client wants to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) node: usize,
    pub(super) key: usize,
    pub(super) at: Duration,
}

/// What one process sends another.
pub(super) enum Letter {
    /// An entry for a node to keep.
    Entry { to: usize, entry: Arc<Entry>, key: usize },
    /// The answer to a request, or its refusal.
    Reply { request: Request, entry: Option<Arc<Entry>> },
    /// A request to the proxy.
    Request(Request),
}

enum Step {
    Arrive(Letter),
    Call(Box<Call>),
    Deed(usize),
    EndOfOutage(usize),
    Land(Box<Call>, Option<Arc<Entry>>),
}

/// The world and what is counted in it.
pub(super) struct Scene {
    pub(super) now: Duration,
    pub(super) plan: Plan,
    pub(super) is_up: Vec<bool>,
    pub(super) figures: Figures,
    agenda: Agenda<Step>,
    origin: Origin,
    ledger: Ledger,
    random: Random,
    requests: BTreeMap<RequestId, Request>,
    number_last: u64,
}

impl Scene {
    /// Lets `plan` happen.
    pub(super) fn run(plan: &Plan, rules: &mut dyn Rules) -> Figures {
        let mut scene = Self {
            now: Duration::ZERO,
            is_up: (0..plan.nodes).map(|node| node < plan.nodes_at_start).collect(),
            figures: Figures::default(),
            agenda: Agenda::new(),
            origin: Origin::new(plan.origin.clone(), plan.resources + 1, plan.seed),
            ledger: Ledger::new(plan),
            random: Random::new(plan.seed, SCENE_STREAM),
            requests: BTreeMap::new(),
            number_last: 0,
            plan: plan.clone(),
        };
        for (number, event) in plan.events.iter().enumerate() {
            scene.agenda.push(STARTING + event.at, Step::Deed(number));
        }
        let end = STARTING + plan.ends_at();
        while let Some((at, step)) = scene.agenda.pop(end) {
            scene.now = at;
            scene.take(rules, step);
        }
        scene.figures.calls = scene.origin.calls;
        scene.figures.calls_paid = scene.origin.calls_paid;
        scene.figures.calls_by_second = scene.origin.calls_by_second;
        scene.figures.calls_excess = scene.origin.secondary.excess;
        scene.figures
    }

    /// Calls the origin on behalf of `request`.
    pub(super) fn call(&mut self, request: &Request, revalidate: Option<Arc<Entry>>) {
        let candidate = revalidate.map(Candidate::Own);
        self.number_last += 1;
        let Request { id: leader, node, key, .. } = *request;
        let fetch = FetchId(self.number_last);
        let call = Call { node, run: 0, fetch, leader, key, credential: 0, candidate, begun: self.now };
        let travel = self.origin.travel();
        self.agenda.push(self.now + travel, Step::Call(Box::new(call)));
    }

    /// Sends a letter with a body of so many bytes, which leaves at `at`. Returns when it arrives.
    pub(super) fn send(&mut self, at: Duration, body_bytes: usize, letter: Letter) -> Duration {
        let letter_bytes = (body_bytes + ENVELOPE_BYTES) as u64;
        let sum = self.figures.messages.entry("letters").or_default();
        *sum = (sum.0 + 1, sum.1 + letter_bytes);
        let network = &self.plan.network;
        let transmission = Duration::from_nanos(letter_bytes * 1_000_000_000 / network.bandwidth.max(1));
        let arrival = at + transmission + self.random.long_tailed(network.latency, network.jitter);
        self.agenda.push(arrival, Step::Arrive(letter));
        arrival
    }

    /// The client gets its answer, or none.
    pub(super) fn reply(&mut self, request: &Request, entry: Option<&Entry>) {
        let Some(request) = self.requests.remove(&request.id) else { return };
        self.figures.waits.push((self.now - request.at).as_millis() as u64);
        match entry.and_then(|entry| self.ledger.fact(entry.content())) {
            Some((_, fact)) => {
                let outdated = self.origin.outdated(self.now, request.key, fact.at);
                self.figures.service.on_answered(outdated);
            }
            None => self.figures.service.on_refused(self.now),
        }
    }

    /// The request on whose behalf `call` was made.
    pub(super) fn request(&self, call: &Call) -> Option<Request> {
        self.requests.get(&call.leader).copied()
    }

    /// What every clock shows now.
    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.now.as_millis() as u64)
    }

    fn take(&mut self, rules: &mut dyn Rules, step: Step) {
        match step {
            Step::Arrive(letter) => rules.on_letter(self, letter),
            Step::Call(call) => {
                let (travel, answer) = (self.origin.travel(), self.answer(&call));
                self.agenda.push(self.now + travel, Step::Land(call, answer));
            }
            Step::Deed(number) => self.perform(rules, number),
            Step::EndOfOutage(number) => self.origin.recover(number, self.now),
            Step::Land(call, kept) => rules.on_answer(self, &call, kept.as_ref()),
        }
    }

    /// What the origin answers, as far as it can be used.
    fn answer(&mut self, call: &Call) -> Option<Arc<Entry>> {
        let draft = match self.origin.answer(self.now, call, &mut self.ledger) {
            Some(Fetched::Fresh(draft) | Fetched::NotModified(draft) | Fetched::Proven(draft)) => draft,
            Some(
                Fetched::Failed(FetchError::ConnectFailed | FetchError::ConnectionLost | _)
                | Fetched::Fault { .. }
                | Fetched::Oversize
                | Fetched::Spent(..)
                | Fetched::Throttled { .. }
                | Fetched::Unstorable { .. },
            )
            | None => return None,
        };
        let draft = Draft { age: self.now - call.begun, ..draft };
        let key = self.ledger.keys[call.key].clone();
        Some(Arc::new(Entry::new(key, draft, self.timestamp(), 0)))
    }

    fn perform(&mut self, rules: &mut dyn Rules, number: usize) {
        match self.plan.events[number].deed {
            Deed::Get { node, key, .. } => {
                self.number_last += 1;
                let request = Request { id: RequestId(self.number_last), node, key, at: self.now };
                self.requests.insert(request.id, request);
                self.figures.requests += 1;
                rules.on_request(self, request);
            }
            Deed::Join { node } => self.is_up[node] = true,
            Deed::Outage { kind, lasts } => {
                self.origin.fail(number, kind);
                self.agenda.push(self.now + lasts, Step::EndOfOutage(number));
            }
            // What only ends the run.
            Deed::Count { .. } => {}
            ref other => unreachable!("{other:?} is in no workload"),
        }
    }
}

/// What stands around a body: names of headers, lengths, seals.
const ENVELOPE_BYTES: usize = 300;

const SCENE_STREAM: u64 = 24;
