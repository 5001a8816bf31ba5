//! What a fleet of any size goes through, and when.

use crate::{
    plan::{Deed, Event, Plan, Victim},
    random::Random,
    scenarios::{Ranks, get},
};
use cache_core::freshness::Freshness;
use std::{ops::Range, time::Duration};

/// The moments at which the phases of a run end, from its first event on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// All nodes have started a minute ago.
    pub(super) formed: Duration,
    /// Nothing was read so far.
    pub(super) idle: Duration,
    /// When the newcomers start.
    pub(super) newcomers: Duration,
    /// Nodes have read, and none has gone.
    pub(super) calm: Duration,
    /// All have read one cold name.
    pub(super) herd: Duration,
    /// Nodes have read while others went and came.
    pub(super) rough: Duration,
}

impl Schedule {
    /// The schedule of a run of so many minutes, [`MINUTES_MIN`] at least.
    pub(super) fn of(minutes: u64) -> Self {
        let minute = Duration::from_secs(60);
        let (formed, idle, rough) = (2 * minute, 3 * minute, minute * minutes.max(MINUTES_MIN) as u32);
        let calm = Duration::from_secs((idle + rough).as_secs() / 2);
        Self { formed, idle, newcomers: calm - WATCHED - SLACK, calm, herd: calm + HERD_FOR, rough }
    }
}

/// The plan of a fleet of `nodes`, in which each has the settings that a user gets.
pub(super) fn plan(seed: u64, nodes: usize, minutes: u64) -> Plan {
    let schedule = Schedule::of(minutes);
    let rough_minutes = (schedule.rough - schedule.herd).as_secs().div_ceil(60) as usize;
    let contacts = if nodes < CONTACTS_FROM { 1 } else { CONTACTS };
    let late = nodes..nodes + newcomers(nodes);
    let later = late.end..late.end + (nodes * rough_minutes).div_ceil(GONE_IN_MINUTES * GONE_ONE_IN);
    let mut plan = Plan::calm(seed, later.end, resources(nodes) + 1);
    plan.nodes_at_start = contacts;
    plan.contacts = contacts;
    plan.origin.freshness = Freshness { lifetime: LIFETIME, ..Freshness::default() };
    plan.origin.body_bytes_max = BODY_BYTES_MAX;
    plan.heals = false;
    plan.goes_on = true;
    let mut life = Life {
        random: Random::new(seed, SCALE_STREAM),
        up: (0..contacts).collect(),
        ranks: Ranks::new(resources(nodes)),
        events: Vec::new(),
    };
    for node in contacts..nodes {
        life.join(FORMING * (node - contacts) as u32 / (nodes - contacts) as u32, node);
    }
    life.read(schedule.idle..schedule.newcomers);
    late.for_each(|node| life.join(schedule.newcomers, node));
    life.read(schedule.newcomers..schedule.calm);
    let herd = Deed::Herd { key: resources(nodes), within: HERD };
    life.events.push(Event { at: schedule.calm, deed: herd });
    life.read_rough(schedule.herd..schedule.rough, contacts, later);
    plan.events = life.events;
    plan.events.sort_by_key(|event| event.at);
    plan
}

/// How many nodes a fleet of `nodes` gets in its calm phase.
pub(super) fn newcomers(nodes: usize) -> usize {
    (nodes / 100).clamp(1, 10)
}

/// How many resources a fleet of `nodes` reads: as many teams have as many repositories.
pub(super) fn resources(nodes: usize) -> usize {
    (RESOURCES_EACH * nodes).max(RESOURCES_MIN)
}

/// A fleet as its plan is made: which nodes are up, and what they do.
struct Life {
    random: Random,
    up: Vec<usize>,
    ranks: Ranks,
    events: Vec<Event>,
}

impl Life {
    fn join(&mut self, at: Duration, node: usize) {
        self.up.push(node);
        self.events.push(Event { at, deed: Deed::Join { node } });
    }

    /// Each node reads once in [`READS_EVERY`] on average, at moments that have nothing to do with one another.
    fn read(&mut self, span: Range<Duration>) {
        let mut at = span.start;
        loop {
            at += self.random.up_to(2 * READS_EVERY / self.up.len() as u32);
            if at >= span.end {
                return;
            }
            let node = self.up[self.random.below(self.up.len() as u64) as usize];
            self.events.push(Event { at, deed: get(node, self.ranks.pick(&mut self.random)) });
        }
    }

    /// The same, while at `gone` moments a node that is no contact ends, and another starts that was never there.
    fn read_rough(&mut self, span: Range<Duration>, contacts: usize, newcomers: Range<usize>) {
        let mut moments: Vec<Duration> =
            newcomers.clone().map(|_| span.start + self.random.up_to(span.end - span.start)).collect();
        moments.sort_unstable();
        let mut from = span.start;
        for (at, newcomer) in moments.into_iter().zip(newcomers) {
            self.read(from..at);
            from = at;
            let others = (self.up.len() - contacts) as u64;
            let node = self.up.swap_remove(contacts + self.random.below(others) as usize);
            let victim = Victim::Node(node);
            let deed = match newcomer % 2 {
                0 => Deed::Leave { node },
                _odd => Deed::Crash { victim, down_for: FOR_GOOD, keeps_disk: false },
            };
            self.events.push(Event { at, deed });
            self.join(at, newcomer);
        }
        self.read(from..span.end);
    }
}

/// The least length of a run, in minutes: three for the fleet to form and to be idle, and two and a half for each phase
/// in which it is busy, since newcomers are watched for two.
pub const MINUTES_MIN: u64 = 8;

/// For how long newcomers are watched.
pub(super) const WATCHED: Duration = Duration::from_secs(120);

/// Time from the last look at newcomers to the herd.
const SLACK: Duration = Duration::from_secs(5);

/// Time in which all nodes start but the contacts, one after the other, as an autoscaler has it.
const FORMING: Duration = Duration::from_secs(60);

/// Time between two reads of one node: a runner that does some work between them. The reads of a fleet are spread over
/// nodes and time, since what all want at once is measured by the herd.
const READS_EVERY: Duration = Duration::from_secs(5);

/// Resources for each node, and in the smallest fleets: what is read grows with the fleet, as teams bring repositories
/// of their own. All nodes read all of them, by Zipf's law.
const RESOURCES_EACH: usize = 2;
const RESOURCES_MIN: usize = 20;

/// For how long an answer is fresh: short, so that all but the rarest are renewed several times in each phase.
const LIFETIME: Duration = Duration::from_secs(60);

/// Longest body: a long page of a list.
const BODY_BYTES_MAX: usize = 100_000;

/// All nodes of a herd ask within this time, and are then given [`HERD_FOR`] to be answered.
const HERD: Duration = Duration::from_millis(999);
const HERD_FOR: Duration = Duration::from_secs(10);

/// In so many minutes of the rough phase, one node in so many ends; half of these say goodbye.
const GONE_IN_MINUTES: usize = 3;
const GONE_ONE_IN: usize = 10;

/// Longer than any run.
const FOR_GOOD: Duration = Duration::from_secs(7 * 24 * 3600);

/// How many nodes all know of from the beginning, and the size from which on there are so many: below, there is one.
const CONTACTS: usize = 3;
const CONTACTS_FROM: usize = 10;

const SCALE_STREAM: u64 = 27;
