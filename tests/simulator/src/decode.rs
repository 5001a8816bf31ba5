//! Plans from bytes: any bytes are a plan.
//!
//! So a fuzzer's bytes are scenarios, and a seed is one as the bytes that it gives. Bytes that are missing count
//! as zero; the events go on for as long as there are bytes.

use crate::{
    plan::{Deed, Event, Lie, NetworkPlan, OriginPlan, OutageKind, Plan, Victim},
    random::Random,
};
use cache_core::{
    Disk, PeerSettings, Settings, SharingLimits, TrafficLimits,
    freshness::{Directives, Freshness},
    port::Budget,
};
use std::{ops::RangeInclusive, time::Duration};

impl Plan {
    /// The plan of a seed: a fleet of five to twenty nodes and some hundred events.
    pub fn from_seed(seed: u64) -> Self {
        Self::from_seed_in(seed, None)
    }

    /// The same in another sort of world than the seed itself would choose.
    pub fn from_seed_in(seed: u64, sort: Option<Sort>) -> Self {
        let mut random = Random::new(seed, PLAN_STREAM);
        let length = HEAD_BYTES + EVENT_BYTES * random.below(EVENTS_MAX);
        let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        Self { seed, ..Self::from_bytes_in(&bytes, sort) }
    }

    /// The plan that `bytes` mean, whatever they are.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::from_bytes_in(bytes, None)
    }

    fn from_bytes_in(bytes: &[u8], sort: Option<Sort>) -> Self {
        let mut bytes = Bytes(bytes);
        let nodes = bytes.number(NODES);
        let resources = bytes.of(&[1, 2, 3, 8, 40, 200]);
        let seed = bytes.number(0..=255);
        let sort = sort.unwrap_or_else(|| Sort::of(seed));
        let mut plan = Self {
            seed: seed as u64,
            nodes_at_start: nodes - bytes.number(0..=nodes / 4),
            domains: bytes.of(&[1, 1, 2, 3]),
            skew_max: Duration::from_secs(bytes.of(&[0, 0, 5, 3600])),
            network: network(&mut bytes),
            origin: origin(&mut bytes),
            settings: settings(&mut bytes),
            limits: limits(&mut bytes),
            encodes: true,
            ..Self::calm(0, nodes, resources)
        };
        plan.limits.unasked_bytes_per_second = [64 * 1024, 0, 100][(seed + nodes) % 3];
        plan.be(sort, seed);
        let (pace, is_faulty) = (bytes.of(&[5, 60, 500, 4000]), bytes.number(0..=7) > 1);
        if !is_faulty {
            plan.be_reliable();
        }
        let mut at = Duration::ZERO;
        while !bytes.0.is_empty() && plan.events.len() < EVENTS_MAX as usize {
            at += Duration::from_millis(bytes.number(0..=255) as u64 * pace / 128);
            let deed = if is_faulty { any_deed(&mut bytes, sort) } else { peaceful_deed(&mut bytes) };
            plan.events.push(Event { at, deed });
        }
        if sort == Sort::Rights && !seed.is_multiple_of(4) {
            // Where one member means harm, less is demanded of the others.
            plan.events.retain(|event| !matches!(event.deed, Deed::Lie { .. }));
        }
        plan
    }
}

impl Plan {
    /// Makes the plan one of a world of this sort. What else there is to choose, `seed` does.
    fn be(&mut self, sort: Sort, seed: usize) {
        let pick = seed / Sort::ALL.len();
        match sort {
            Sort::Plain => {}
            Sort::Districts => self.divide(DISTRICT_MAX),
            Sort::Dialing => self.peers.connections_max = [256, 3, 5, 2][pick % 4],
            Sort::Returning => {
                self.settings.disk = Disk::Present;
                self.contacts = [self.contacts, 1][pick % 2];
            }
            Sort::Changing => {
                let lifetime = Duration::from_secs([5, 60][pick % 2]);
                self.limits.freshness_max.lifetime = lifetime;
                self.settings.retention = Duration::from_secs([0, 20][pick / 2 % 2]);
            }
            Sort::Rights => {
                self.resources = self.resources.min(RIGHTS_RESOURCES_MAX);
                self.domains = [3, 5, 12][seed % 3];
                self.credentials = [1, 1, 3][seed / 3 % 3];
                self.settings.disk = [Disk::Absent, Disk::Present][seed / 9 % 2];
                self.origin.personal_one_in = [0, 0, 3][seed / 2 % 3];
                self.origin.withheld_per_mille = [0, 200, 500][seed / 4 % 3];
                let change = Duration::from_secs(seed as u64 % 120);
                self.origin.tags_change_at = (seed / 2).is_multiple_of(5).then_some(change);
                self.origin.refused_per_mille = 0;
                if self.credentials > 1 {
                    self.origin.quota = None;
                }
            }
            Sort::Lying => {
                self.ceiling = self.origin.freshness;
                let traffic =
                    TrafficLimits { burst_messages: 2_000, messages_per_milli: 1, ..<_>::default() };
                self.peers = PeerSettings { traffic, ..PeerSettings::default() };
            }
        }
    }

    /// As many nodes as a seed may have, in districts of `most` at most.
    fn divide(&mut self, most: usize) {
        let late = self.nodes - self.nodes_at_start;
        self.nodes = *NODES.end();
        self.nodes_at_start = self.nodes - late;
        self.limits.district_max = most;
    }

    /// Nothing fails by itself, and no request is refused anything.
    fn be_reliable(&mut self) {
        self.nodes_at_start = self.nodes;
        self.network.loss_per_mille = 0;
        self.origin.quota = None;
        self.origin.refused_per_mille = 0;
        self.origin.unstorable_per_mille = 0;
        self.origin.failing_per_mille = 0;
        self.settings.flights_max = Settings::default().flights_max;
        self.settings.waiters_max = Settings::default().waiters_max;
    }
}

fn network(bytes: &mut Bytes<'_>) -> NetworkPlan {
    let latency = Duration::from_micros(bytes.of(&[50, 200, 2_000, 20_000, 90_000]));
    NetworkPlan {
        latency,
        jitter: latency * bytes.of(&[0, 1, 1, 3]) / 2,
        loss_per_mille: bytes.of(&[0, 0, 5, 50]),
        bandwidth: bytes.of(&[125_000_000, 12_500_000, 1_250_000]),
        idle_timeout: Duration::from_millis(bytes.of(&[500, 3_000, 5_000, 15_000])),
    }
}

fn origin(bytes: &mut Bytes<'_>) -> OriginPlan {
    let seconds = |bytes: &mut Bytes<'_>, choices: &[u64]| Duration::from_secs(bytes.of(choices));
    let latency = Duration::from_millis(bytes.of(&[20, 80, 300, 2_000, 9_000]));
    OriginPlan {
        latency,
        jitter: latency * bytes.of(&[0, 1, 1, 2]) / 2,
        freshness: Freshness {
            lifetime: seconds(bytes, &[300, 60, 10, 2, 3600, 0]),
            while_revalidating: seconds(bytes, &[0, 0, 10, 60]),
            if_error: seconds(bytes, &[0, 60, 3600]),
        },
        change_period: seconds(bytes, &[0, 5, 60, 600]),
        body_bytes_max: bytes.of(&[4_000, 30_000, 200_000, 1_048_576]),
        quota: bytes.of(&[
            None,
            None,
            Some((20, Duration::from_secs(30))),
            Some((3, Duration::from_secs(120))),
        ]),
        secondary: None,
        personal_one_in: bytes.of(&[0, 1]),
        tags_change_at: None,
        withheld_per_mille: 0,
        revalidates: bytes.number(0..=3) > 0,
        refused_per_mille: bytes.of(&[0, 0, 100, 500]),
        unstorable_per_mille: bytes.of(&[0, 0, 0, 100]),
        failing_per_mille: bytes.of(&[0, 0, 0, 20, 300]),
    }
}

fn settings(bytes: &mut Bytes<'_>) -> Settings {
    let defaults = Settings::default();
    Settings {
        budget: Budget {
            entries_max: bytes.of(&[1000, 1000, 1000, 20, 3, 0]),
            bytes_max: bytes.of(&[64 << 20, 64 << 20, 3 << 20, 20_000]),
        },
        disk: bytes.of(&[Disk::Absent, Disk::Present]),
        flights_max: bytes.of(&[4096, 4096, 4096, 4096, 8, 1]),
        fetch_timeout: Duration::from_secs(bytes.of(&[20, 20, 20, 5])),
        hold_off: Duration::from_secs(bytes.of(&[10, 10, 1, 0])),
        leaders_max: bytes.of(&[2, 2, 2, 1]),
        request_timeout: Duration::from_secs(bytes.of(&[30, 30, 30, 10])),
        waiters_max: bytes.of(&[10_000, 10_000, 10_000, 2]),
        ..defaults
    }
}

fn limits(bytes: &mut Bytes<'_>) -> SharingLimits {
    let defaults = SharingLimits::default();
    SharingLimits {
        asks_max: bytes.of(&[3, 3, 3, 1, 0]),
        attached_bytes_max: bytes.of(&[16 * 1024, 16 * 1024, 500, 0]),
        lease_failures_max: bytes.of(&[1, 1, 0, 3]),
        lease_term: Duration::from_secs(bytes.of(&[12, 12, 2])),
        leases_max: bytes.of(&[16 * 1024, 16 * 1024, 16 * 1024, 1]),
        lease_waiters_max: bytes.of(&[2048, 2048, 2048, 1]),
        wait_timeout: Duration::from_secs(bytes.of(&[15, 15, 3])),
        ..defaults
    }
}

fn any_deed(bytes: &mut Bytes<'_>, sort: Sort) -> Deed {
    let which = bytes.number(0..=63);
    match sort {
        Sort::Changing if which >= 60 => return changing_deed(bytes),
        Sort::Lying if which >= 60 => return lie(bytes),
        Sort::Returning if which >= 54 => return returning_deed(bytes),
        Sort::Rights if which >= 52 => return rights_deed(bytes),
        Sort::Changing
        | Sort::Dialing
        | Sort::Districts
        | Sort::Lying
        | Sort::Plain
        | Sort::Returning
        | Sort::Rights
            if which >= 20 =>
        {
            return peaceful_deed(bytes);
        }
        Sort::Changing
        | Sort::Dialing
        | Sort::Districts
        | Sort::Lying
        | Sort::Plain
        | Sort::Returning
        | Sort::Rights => {}
    }
    let node = bytes.byte();
    let lasts = Duration::from_millis(bytes.of(&[50, 400, 2_000, 8_000, 30_000]));
    match which {
        0..=3 => Deed::Crash { victim: victim(bytes), down_for: lasts, keeps_disk: bytes.number(0..=2) > 0 },
        4..=6 => Deed::Pause { victim: victim(bytes), lasts },
        7..=9 => {
            let side = 1 << (node % 64) | 1 << (bytes.number(0..=19)) | 1 << (bytes.number(0..=19));
            Deed::Partition { side, one_way: bytes.number(0..=2) == 0, lasts }
        }
        10 | 11 => Deed::Outage {
            kind: bytes.of(&[OutageKind::Fault, OutageKind::Refused, OutageKind::Silent]),
            lasts,
        },
        12..=14 => Deed::Break { a: node, b: bytes.byte(), notice_max: lasts / 4 },
        15 => Deed::Slow { node, delay: Duration::from_millis(bytes.of(&[1, 20, 300])), lasts },
        16 => Deed::ClockStep { node, by_millis: bytes.of(&[-3_600_000, -2_000, 500, 86_400_000]) },
        17 => Deed::Leave { node },
        18 | 19 => Deed::Join { node },
        _more => unreachable!("dealt with above"),
    }
}

fn changing_deed(bytes: &mut Bytes<'_>) -> Deed {
    let node = bytes.byte();
    match bytes.number(0..=1) {
        0 => Deed::Rotate { node },
        _crowd => Deed::Crowd { node, key: skewed(bytes), clients: bytes.of(&[2, 10, 40]) },
    }
}

fn returning_deed(bytes: &mut Bytes<'_>) -> Deed {
    let (node, key) = (bytes.byte(), skewed(bytes));
    let (letters, every_domain) = (bytes.number(1..=4), bytes.number(0..=1) == 0);
    match bytes.number(0..=7) {
        0..=2 => Deed::Doubt { node, key, letters, every_domain },
        3 | 4 => Deed::Refuse { node, key, letters },
        5 | 6 => {
            let down_for = Duration::from_millis(bytes.of(&[1, 400, 2_000, 8_000]));
            Deed::Crash { victim: Victim::Node(node), down_for, keeps_disk: true }
        }
        _contact => Deed::Leave { node: key },
    }
}

fn rights_deed(bytes: &mut Bytes<'_>) -> Deed {
    let (credential, key) = (bytes.byte(), skewed(bytes));
    match bytes.number(0..=15) {
        0..=2 => Deed::Grant { credential, key, is_given: false },
        3 => Deed::Restrict { credential, key },
        4..=6 => Deed::Grant { credential, key, is_given: true },
        7 => Deed::Revoke { credential },
        8..=10 => Deed::Kin { key, within: Duration::from_millis(bytes.of(&[0, 50, 2_000])) },
        11 => Deed::Get { node: credential, key, directives: accepting_stale(bytes) },
        12 => Deed::Lie { liar: 1, victim: 0, lie: Lie::Forgeries },
        _write => Deed::Invalidate { node: credential, key },
    }
}

fn accepting_stale(bytes: &mut Bytes<'_>) -> Directives {
    Directives { max_stale: bytes.of(&[Duration::MAX, Duration::from_secs(100)]), ..<_>::default() }
}

/// One node is malicious, always the same.
fn lie(bytes: &mut Bytes<'_>) -> Deed {
    let lie = bytes.of(&[
        Lie::Ages,
        Lie::Answers,
        Lie::Asks,
        Lie::Claims,
        Lie::Flood,
        Lie::Garbage,
        Lie::Invalidations,
        Lie::Keys,
        Lie::Rumours,
        Lie::Silence,
        Lie::Waits,
        Lie::WarmUps,
    ]);
    Deed::Lie { liar: 1, victim: bytes.byte(), lie }
}

fn peaceful_deed(bytes: &mut Bytes<'_>) -> Deed {
    let (node, key) = (bytes.byte(), skewed(bytes));
    match bytes.number(0..=31) {
        0 => Deed::AskPeer { node, peer: bytes.byte(), key },
        1 => Deed::Cancel { node, pick: bytes.byte() },
        2 => bytes.of(&[Deed::Clear { node }, Deed::Count { node }, Deed::Ping { node, peer: key }]),
        3..=5 => Deed::Herd { key, within: Duration::from_millis(bytes.of(&[0, 5, 50, 1_000])) },
        6 | 7 => Deed::Invalidate { node, key },
        8 => Deed::InvalidatePrefix {
            node,
            key,
            letters: bytes.number(1..=4),
            every_domain: bytes.number(0..=1) == 0,
        },
        9 => Deed::Put { node, key },
        10..=12 => Deed::Get { node, key, directives: directives(bytes) },
        _most => Deed::Get { node, key, directives: Directives::default() },
    }
}

fn victim(bytes: &mut Bytes<'_>) -> Victim {
    let number = skewed(bytes);
    bytes.of(&[Victim::Node(number), Victim::Coordinator(number), Victim::Holder(number)])
}

/// A number of which the small ones are frequent, nearly as Zipf has it.
fn skewed(bytes: &mut Bytes<'_>) -> usize {
    let widest = [1, 2, 4, 8, 32, 256][bytes.number(0..=5)];
    bytes.byte() % widest
}

fn directives(bytes: &mut Bytes<'_>) -> Directives {
    let seconds = |bytes: &mut Bytes<'_>| Duration::from_secs(bytes.of(&[0, 1, 10, 100]));
    let plain = Directives::default();
    match bytes.number(0..=4) {
        0 => Directives { no_cache: true, ..plain },
        1 => Directives { only_if_cached: true, ..plain },
        2 => Directives { max_age: Some(seconds(bytes)), ..plain },
        3 => Directives { max_stale: seconds(bytes), ..plain },
        _last => Directives {
            min_fresh: seconds(bytes),
            max_age: Some(seconds(bytes)),
            no_cache: bytes.number(0..=3) == 0,
            only_if_cached: bytes.number(0..=3) == 0,
            ..plain
        },
    }
}

/// A sort of world, beyond what fails in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Sort {
    /// The fleet changes its secret, clients come in crowds, and little is kept for long.
    Changing,
    /// Engines order their dials themselves.
    Dialing,
    /// Twenty nodes have districts of four.
    Districts,
    /// One member is malicious.
    Lying,
    /// None of the others.
    Plain,
    /// Many credentials read the same resources, and what each may read changes.
    Rights,
    /// Disks outlive processes, the end of some writes is unknown, and contacts go for good.
    Returning,
}

impl Sort {
    /// Every sort but [`Rights`](Self::Rights), which one world in six is, and [`Districts`](Self::Districts), which none is
    /// that does not ask for it. A third of the others are plain.
    const ALL: [Self; 6] =
        [Self::Plain, Self::Plain, Self::Returning, Self::Dialing, Self::Changing, Self::Lying];

    fn of(number: usize) -> Self {
        if number >= RIGHTS_FROM {
            return Self::Rights;
        }
        Self::ALL[number % Self::ALL.len()]
    }
}

/// Bytes that are read from the front; behind their end there are zeros.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    fn number(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + self.byte() % (range.end() - range.start() + 1)
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.byte() % choices.len()].clone()
    }
}

/// Most resources of a world in which many credentials read the same.
const RIGHTS_RESOURCES_MAX: usize = 8;

/// From which of 256 numbers on a world is one of rights.
const RIGHTS_FROM: usize = 216;

/// Most members of a district where there are to be several.
const DISTRICT_MAX: usize = 4;

/// Sizes of fleets, in nodes.
const NODES: RangeInclusive<usize> = 2..=20;

/// Most events of a plan.
const EVENTS_MAX: u64 = 400;

/// Bytes that an event takes, more or less, and those before the first.
const EVENT_BYTES: u64 = 5;
const HEAD_BYTES: u64 = 64;

const PLAN_STREAM: u64 = 6;
