//! The world: time, and everything that happens in it.
//!
//! Owns the one queue of what is to come, in order of time and, at one moment, of when it was decided. What a
//! deed does is in [`deeds`], what an engine's outputs do in [`perform`], how nodes come, go and meet in
//! [`fleet`], and what is demanded once all faults are over in [`ending`].

mod deeds;
mod ending;
mod finding;
mod fleet;
mod loads;
mod lying;
mod marking;
mod outage;
mod perform;
mod returning;
mod rights;
mod watching;

pub(crate) use marking::Mark;

use crate::{
    figures::Figures,
    ledger::{Ledger, Rule, Violation},
    meter::Meter,
    network::{Frame, Network},
    node::{Arrival, Node, State, peer_id},
    origin::{Call, Origin},
    plan::{Deed, Plan, Victim},
    random::Random,
    transcript::Transcript,
    watch::Watch,
};
use cache_core::{PeerId, RequestId, freshness::Directives};
use returning::Returning;
use rights::Heard;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

/// A fleet, its network, its origin, and the clock of them all.
pub struct World {
    plan: Plan,
    now: Duration,
    queue: BinaryHeap<Reverse<Scheduled>>,
    scheduled_last: u64,
    nodes: Vec<Node>,
    numbers: BTreeMap<PeerId, usize>,
    network: Network,
    origin: Origin,
    ledger: Ledger,
    watch: Watch,
    /// Nodes that mean harm at some time.
    liars: BTreeSet<usize>,
    /// Nodes whose line to the origin is broken at some time.
    broken_lines: BTreeSet<usize>,
    /// Whether any client forgets everything, or hears invalidations that are not counted.
    clears: bool,
    figures: Figures,
    meter: Meter,
    transcript: Transcript,
    random: Random,
    calls: BTreeMap<u64, Call>,
    call_last: u64,
    /// The node that was last asked to coordinate each key.
    coordinators: BTreeMap<usize, usize>,
    /// The nodes that faults with an end have hit.
    victims: BTreeMap<usize, usize>,
    /// Until when one cache shared by all would have had each key.
    ideal_until: BTreeMap<usize, Duration>,
    /// Which version of each body it would have, whatever credential it was given to.
    ideal_versions: BTreeMap<usize, u64>,
    /// Whose refusal a node is hearing at this moment.
    refused: Option<RequestId>,
    /// The key of the answer that a node is hearing at this moment, and when the call for it began.
    landing: Option<(usize, Duration)>,
    /// How many waits for members or the disk a node has just given up.
    unconfirmed: u64,
    /// What each process found when it started.
    returning: BTreeMap<usize, Returning>,
    /// What nodes have heard of the rights of credentials.
    heard: Heard,
    /// Longest that a request may take where nothing fails.
    prompt: Option<Duration>,
    /// Nodes that take it that the origin cannot be reached.
    held: BTreeSet<usize>,
    is_healed: bool,
    violation: Option<Violation>,
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Report {
    /// A digest of all that happened: equal for equal plans.
    pub digest: u128,
    /// The first rule that was broken.
    pub violation: Option<Violation>,
    /// What the run cost so far.
    pub figures: Figures,
}

/// Something that is to come.
struct Scheduled {
    at: Duration,
    number: u64,
    happening: Happening,
}

enum Happening {
    /// A call reaches the origin.
    Call(u64),
    /// The connections of a node that has left are closed.
    Close(Vec<(usize, usize, u64)>),
    Deed(usize),
    /// A deed that lasts is over.
    End(usize),
    /// A second later, the flood goes on.
    Flood {
        number: usize,
        liar: usize,
        victim: usize,
    },
    Frame(Frame),
    /// A connection has been silent for as long as it may, if it still is.
    Idle {
        a: usize,
        b: usize,
        connection: u64,
    },
    Arrive {
        node: usize,
        run: u32,
        /// Boxed, since it is far larger than the others, and the queue moves what is in it.
        arrival: Box<Arrival>,
    },
    Start {
        node: usize,
    },
    Wake {
        node: usize,
        run: u32,
    },
}

/// Runs `plan` to its end, or to the first rule broken. `prints`: every event, on standard error.
pub fn run(plan: &Plan, prints: bool) -> Report {
    let mut world = World::new(plan.clone(), prints);
    let panicked = catch_unwind(AssertUnwindSafe(|| world.run())).err();
    if let Some(panic) = panicked {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.violate(Rule::Panicked, text.unwrap_or_default());
    }
    world.report()
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(plan: Plan, prints: bool) -> Self {
        let nodes: Vec<Node> = (0..plan.nodes).map(|number| Node::new(number, &plan)).collect();
        Self {
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            scheduled_last: 0,
            numbers: (0..plan.nodes).map(|number| (peer_id(number), number)).collect(),
            nodes,
            network: Network::new(plan.network.clone(), plan.nodes, plan.seed),
            origin: Origin::new(plan.origin.clone(), plan.resources + 1, plan.seed),
            ledger: Ledger::new(&plan),
            watch: Watch::default(),
            liars: plan.liars(),
            broken_lines: plan.broken_lines(),
            clears: plan
                .events
                .iter()
                .any(|event| matches!(event.deed, Deed::Clear { .. } | Deed::Lie { .. })),
            figures: Figures::default(),
            meter: Meter::new(plan.nodes),
            transcript: if plan.goes_on { Transcript::silent() } else { Transcript::new(prints) },
            random: Random::new(plan.seed, WORLD_STREAM),
            calls: BTreeMap::new(),
            call_last: 0,
            coordinators: BTreeMap::new(),
            victims: BTreeMap::new(),
            ideal_until: BTreeMap::new(),
            ideal_versions: BTreeMap::new(),
            refused: None,
            landing: None,
            unconfirmed: 0,
            returning: BTreeMap::new(),
            heard: Heard::default(),
            prompt: None,
            held: BTreeSet::new(),
            is_healed: false,
            violation: None,
            plan,
        }
    }

    /// Lets everything happen: the start, the events of the plan, and what must come right afterwards.
    pub fn run(&mut self) {
        self.begin();
        self.run_until(STARTING + self.plan.ends_at());
        self.check_demands();
        if self.plan.heals {
            self.end();
        }
        self.figures.lasted = self.now;
        self.figures.calls = self.origin.calls;
        self.figures.calls_paid = self.origin.calls_paid;
        self.figures.calls_by_second = self.origin.calls_by_second.clone();
        self.figures.calls_vain = self.origin.calls_vain;
        self.figures.calls_excess = self.origin.secondary.excess;
        self.figures.entries = self.nodes.iter().map(|node| node.engine.entries_count() as u64).sum();
    }

    /// Has everything that the plan says come at its time.
    pub(crate) fn begin(&mut self) {
        self.prompt = self.longest_wait();
        for node in 0..self.plan.nodes_at_start.min(self.plan.nodes) {
            self.schedule(Duration::from_millis(node as u64 % 50), Happening::Start { node });
        }
        for number in 0..self.plan.events.len() {
            self.schedule(STARTING + self.plan.events[number].at, Happening::Deed(number));
        }
    }

    /// How it went so far.
    pub fn report(&self) -> Report {
        Report {
            digest: self.transcript.digest(),
            violation: self.violation.clone(),
            figures: self.figures.clone(),
        }
    }

    /// Calls to the origin so far for one key.
    pub fn calls_for(&self, key: usize) -> u64 {
        self.origin.calls_by_key.get(&key).copied().unwrap_or(0)
    }

    /// Lets everything happen that comes by `end`.
    pub(crate) fn run_until(&mut self, end: Duration) {
        while self.violation.is_none()
            && let Some(Reverse(next)) = self.queue.peek()
            && next.at <= end
        {
            let Some(Reverse(next)) = self.queue.pop() else { break };
            self.now = next.at;
            self.happen(next.happening);
        }
        self.now = self.now.max(end);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrive { node, run, arrival } => self.arrive(node, run, *arrival),
            Happening::Call(number) => self.on_call(number),
            Happening::Close(connections) => {
                for (from, to, connection) in connections {
                    if self.network.connection(from, to) == Some(connection) {
                        self.break_off(from, to, Duration::ZERO);
                    }
                }
            }
            Happening::Deed(number) => self.perform_deed(number),
            Happening::End(number) => self.end_deed(number),
            Happening::Flood { number, liar, victim } => self.flood(number, liar, victim),
            Happening::Frame(frame) => {
                if self.network.is_current(&frame) {
                    let (node, run) = (frame.to, self.nodes[frame.to].run);
                    self.arrive(node, run, Arrival::Frame(frame));
                }
            }
            Happening::Idle { a, b, connection } => self.on_idle(a, b, connection),
            Happening::Start { node } => self.start(node),
            Happening::Wake { node, run } => self.wake(node, run),
        }
    }

    fn schedule(&mut self, at: Duration, happening: Happening) {
        self.scheduled_last += 1;
        let number = self.scheduled_last;
        self.queue.push(Reverse(Scheduled { at: at.max(self.now), number, happening }));
    }

    fn schedule_arrival(&mut self, at: Duration, node: usize, arrival: Arrival) {
        let run = self.nodes[node].run;
        self.schedule(at, Happening::Arrive { node, run, arrival: Box::new(arrival) });
    }

    /// Counts a request as one cache without delay would serve it.
    fn count_request(&mut self, key: usize, credential: usize, directives: &Directives) {
        self.figures.requests += 1;
        let until = self.ideal_until.get(&key).copied().unwrap_or_default();
        if !directives.only_if_cached && (until <= self.now || directives.no_cache) {
            self.figures.calls_ideal += 1;
            self.ideal_until.insert(key, self.now + self.plan.origin.freshness.lifetime);
            let (source, version) = (self.origin.source(key, credential), self.origin.version(self.now, key));
            let is_new = self.ideal_versions.insert(source, version) != Some(version);
            self.figures.calls_ideal_paid += u64::from(is_new);
        }
    }

    fn node_hit(&self, victim: Victim) -> Option<usize> {
        let keys = self.plan.resources.max(1) * self.plan.domains.max(1);
        match victim {
            Victim::Coordinator(key) => self.coordinators.get(&self.key(key % keys)).copied(),
            Victim::Holder(key) => {
                let key = self.key(key % keys);
                let call = self.calls.values().find(|call| call.key == key && self.is_awaited(call));
                call.map(|call| call.node)
            }
            Victim::Node(node) => Some(node % self.plan.nodes),
        }
    }

    fn is_awaited(&self, call: &Call) -> bool {
        let node = &self.nodes[call.node];
        node.run == call.run && node.calls.contains(&call.fetch)
    }

    /// The key that events mean by a number: no event means the resource that the ending keeps for itself.
    fn key(&self, number: usize) -> usize {
        let (resources, domains) = (self.plan.resources.max(1), self.plan.domains.max(1));
        number / resources % domains * (self.plan.resources + 1) + number % resources
    }

    /// The credential that events mean by a number, for the key that they mean by it.
    fn credential(&self, number: usize) -> usize {
        let (keys, credentials) = (self.plan.keys_count().max(1), self.plan.credentials.max(1));
        self.key(number) / (self.plan.resources + 1) * credentials + number / keys % credentials
    }

    fn violate(&mut self, rule: Rule, text: String) {
        let at = self.now;
        self.transcript.note(format_args!("violation {rule:?} {text}"));
        if self.plan.goes_on {
            *self.figures.broken.entry(rule).or_default() += 1;
            return;
        }
        self.violation.get_or_insert(Violation { rule, at, text });
    }

    fn is_up(&self, node: usize) -> bool {
        self.nodes[node].state != State::Down
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Scheduled {}

/// Time in which the fleet comes together before the first event.
pub(crate) const STARTING: Duration = Duration::from_secs(3);

const WORLD_STREAM: u64 = 5;
