//! What happens in a run: every size, every speed and every event.
//!
//! A plan is data. Equal plans give equal runs, and one that leaves events out is a plan too, which is what
//! makes shrinking simple.

use cache_core::{
    Features, Guest, PeerSettings, Priority, Settings, SharingLimits,
    freshness::{Directives, Freshness},
};
use std::{collections::BTreeSet, ops::Range, time::Duration};

/// Everything that decides a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For the chances of the network and the origin, a stream for each of their parts.
    pub seed: u64,
    /// Nodes that can be up; the first [`Plan::nodes_at_start`] of them are from the beginning.
    pub nodes: usize,
    /// Nodes that are up before the first event.
    pub nodes_at_start: usize,
    /// Resources of the origin, numbered.
    pub resources: usize,
    /// Domains, each of which sees every resource as its own.
    pub domains: usize,
    /// Credentials that share each domain.
    pub credentials: usize,
    /// Largest difference of a node's wall clock from the true time.
    pub skew_max: Duration,
    /// How messages travel between nodes.
    pub network: NetworkPlan,
    /// How the origin answers calls.
    pub origin: OriginPlan,
    /// Every node's settings.
    pub settings: Settings,
    /// How much all requests matter.
    pub priority: Priority,
    /// Every node's limits of sharing.
    pub limits: SharingLimits,
    /// What every node allows its peers.
    pub peers: PeerSettings,
    /// Which nodes may be guests, by number, and when they are.
    pub guests: (Range<usize>, Guest),
    /// What every node's own rules grant an answer, whatever a peer says of it.
    pub ceiling: Freshness,
    /// One look at a disk in so many, and one removal from it, takes seconds, perhaps longer than any request waits.
    pub disk_stuck_one_in: u64,
    /// Which nodes dial which.
    pub dialing: Dialing,
    /// How many nodes, the first ones, all know of from the beginning, if they dial by themselves.
    pub contacts: usize,
    /// What is demanded beyond what always is.
    pub demands: Demands,
    /// What happens, in order of time.
    pub events: Vec<Event>,
    /// Whether messages cross links as bytes. Slower, but the codec is part of what is tried.
    pub encodes: bool,
    /// Whether a rule that is broken is counted, and the run goes on. To be fast in large fleets, such a run does not judge
    /// the ages of answers, and has no digest.
    pub goes_on: bool,
    /// Whether all faults end after the last event, and it is then demanded that everything comes right.
    pub heals: bool,
}

/// Which nodes dial which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialing {
    /// No node dials: each is alone.
    Nobody,
    /// Engines order their dials themselves. All have the same contacts: the first [`Plan::contacts`] nodes.
    Ordered,
}

/// What is demanded of a plan beyond what always is, up to a minute after its last event.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    /// Greatest age at which anything is served.
    pub age_max: Option<Duration>,
    /// Of the window of the quota with the most calls that count: fewest and most of them.
    pub spent: Option<(u64, u64)>,
    /// Most calls to the origin, in hundredths of what one cache shared by all would have made.
    pub calls_percent_max: Option<u64>,
    /// Least requests that are answered from the memory of the node where they come, in hundredths of all.
    pub hits_percent_min: Option<u64>,
    /// Whether, in the end, every node must know the last value that a node put.
    pub last_puts: bool,
    /// Most calls that an origin with secondary limits may have to refuse.
    pub excess_max: Option<u64>,
    /// Fewest and most calls in each second after the origin wanted to be left alone for the first time.
    pub returning: Vec<(u64, u64)>,
    /// Most calls in vain while the origin cannot be reached.
    pub vain_max: Option<u64>,
    /// Most connections that may be made with a node that was never a member.
    pub handshakes_max: Option<u64>,
    /// Most waits for others to forget something that may end because their time is up.
    pub unconfirmed_max: Option<u64>,
    /// Whether, in the end, each name must be at home in one district alone.
    pub one_home: bool,
    /// How soon all nodes must know that the origin is back.
    pub back_within: Option<Duration>,
    /// Most requests that others' broken lines may stop, where the origin never fails.
    pub stopped_max: Option<u64>,
    /// Longest that a request may take at a node that is not stopped itself.
    pub wait_max: Option<Duration>,
}

/// How many nodes all know of from the beginning, unless a plan has it otherwise.
const CONTACTS: usize = 3;

/// How messages travel between nodes.
#[derive(Clone, Debug)]
pub struct NetworkPlan {
    /// Least time from one node to another.
    pub latency: Duration,
    /// What comes on top on average.
    pub jitter: Duration,
    /// Frames in a thousand that are lost once and sent again.
    pub loss_per_mille: u16,
    /// Bytes that a link carries in a second.
    pub bandwidth: u64,
    /// Silence after which a connection counts as broken.
    pub idle_timeout: Duration,
}

/// How the origin answers calls.
#[derive(Clone, Debug)]
pub struct OriginPlan {
    /// Least time that a call takes.
    pub latency: Duration,
    /// What comes on top on average.
    pub jitter: Duration,
    /// What every answer may be used for.
    pub freshness: Freshness,
    /// How often a resource changes; zero means never.
    pub change_period: Duration,
    /// Largest body, in bytes. Most are far shorter.
    pub body_bytes_max: usize,
    /// Calls that a domain may pay for in each window; `None` means any number.
    pub quota: Option<(u64, Duration)>,
    /// What the origin bears besides the quota; `None` means anything.
    pub secondary: Option<SecondaryPlan>,
    /// Of so many resources one has a body that differs for each credential; zero means none.
    pub personal_one_in: usize,
    /// When its tags cease to be what the recipe makes of a body and a credential; `None` means never.
    pub tags_change_at: Option<Duration>,
    /// Pairs of a credential and a resource, in a thousand, that are refused until that is changed.
    pub withheld_per_mille: u16,
    /// Whether it answers "not modified".
    pub revalidates: bool,
    /// Pairs of a node and a resource, in a thousand, that are refused: that node's credential may not read it.
    pub refused_per_mille: u16,
    /// Answers in a thousand that may not be kept.
    pub unstorable_per_mille: u16,
    /// Calls in a thousand that fail for no reason.
    pub failing_per_mille: u16,
}

/// How many calls of a domain an origin bears, whether they are paid for or not.
#[derive(Clone, Copy, Debug)]
pub struct SecondaryPlan {
    /// Calls that it works on at one moment.
    pub concurrent_max: usize,
    /// Calls in any minute.
    pub minute_max: usize,
    /// For how long it asks a caller that makes one more call to leave it alone.
    pub pause: Duration,
}

/// Something that happens at a moment of the run.
#[derive(Clone, Debug)]
pub struct Event {
    /// When, from the beginning of the run.
    pub at: Duration,
    /// What happens at that moment.
    pub deed: Deed,
}

/// What happens. Nodes and keys are numbers, taken modulo how many there are.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say `node` and `key` over and over")]
pub enum Deed {
    /// A node asks another for diagnosis.
    AskPeer { node: usize, peer: usize, key: usize },
    /// The connection between two nodes breaks; each notices in its own time.
    Break { a: usize, b: usize, notice_max: Duration },
    /// The client of a request that waits gives up.
    Cancel { node: usize, pick: usize },
    /// A node forgets everything.
    Clear { node: usize },
    /// A node's wall clock is set; it shows when the process starts the next time.
    ClockStep { node: usize, by_millis: i64 },
    /// A node tells what it counted.
    Count { node: usize },
    /// A node's line to the origin is broken.
    CutOff { node: usize, lasts: Duration },
    /// Many clients of one node ask for one key at once.
    Crowd { node: usize, key: usize, clients: usize },
    /// A node ends without notice, and is back after a while.
    Crash { victim: Victim, down_for: Duration, keeps_disk: bool },
    /// A client asks for a resource.
    Get { node: usize, key: usize, directives: Directives },
    /// A client writes to all resources whose number begins so, and the end of the write is unknown.
    Doubt { node: usize, key: usize, letters: usize, every_domain: bool },
    /// The origin lets a credential read a resource, or no longer.
    Grant { credential: usize, key: usize, is_given: bool },
    /// Clients of all nodes ask for one key within a while.
    Herd { key: usize, within: Duration },
    /// A client writes to one resource.
    Invalidate { node: usize, key: usize },
    /// A client writes to all resources whose number begins so.
    InvalidatePrefix { node: usize, key: usize, letters: usize, every_domain: bool },
    /// A node that is down starts.
    Join { node: usize },
    /// Each credential asks for one resource at some node within a while.
    Kin { key: usize, within: Duration },
    /// A node ends in an orderly way.
    Leave { node: usize },
    /// A malicious member lies to another, or to all.
    Lie { liar: usize, victim: usize, lie: Lie },
    /// The origin does not work.
    Outage { kind: OutageKind, lasts: Duration },
    /// Some nodes, bit by bit, are cut off from the others; `one_way`: they can still be heard.
    Partition { side: u64, one_way: bool, lasts: Duration },
    /// A node's process is stopped and goes on later.
    Pause { victim: Victim, lasts: Duration },
    /// A node pings another.
    Ping { node: usize, peer: usize },
    /// A program keeps a value.
    Put { node: usize, key: usize },
    /// The origin refuses a write to all resources of one domain whose number begins so.
    Refuse { node: usize, key: usize, letters: usize },
    /// From now on the origin lets one credential alone read a resource.
    Restrict { credential: usize, key: usize },
    /// The origin no longer knows a credential.
    Revoke { credential: usize },
    /// A node starts anew with the next of the settings by which the fleet changes its secret, unless another has yet
    /// to come so far.
    Rotate { node: usize },
    /// A node takes long for everything.
    Slow { node: usize, delay: Duration, lasts: Duration },
}

/// The node that a fault hits.
#[derive(Clone, Copy, Debug)]
pub enum Victim {
    /// The node that was last asked to coordinate this key.
    Coordinator(usize),
    /// The node that is calling the origin for this key.
    Holder(usize),
    /// The node with this number.
    Node(usize),
}

/// How a malicious member lies. Its engine goes on as others do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lie {
    /// Sends all what it has as if it were new and good for ever.
    Ages,
    /// Sends answers that no node asked for.
    Answers,
    /// Asks for everything as if it were to fetch it, and fetches nothing.
    Asks,
    /// Says that it is fetching everything.
    Claims,
    /// Sends one member more than any may, for some seconds.
    Flood,
    /// Sends one member what is not a message.
    Garbage,
    /// Announces made-up answers as those of a domain of its own.
    Forgeries,
    /// Invalidates more than any node remembers.
    Invalidations,
    /// From now on answers all asks with what was not asked for.
    Keys,
    /// Sends one member what is not news of members.
    Rumours,
    /// From now on answers no ask.
    Silence,
    /// From now on tells all askers to wait.
    Waits,
    /// Wants to be warmed up again and again.
    WarmUps,
}

/// How the origin does not work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutageKind {
    /// It answers with a fault of its own.
    Fault,
    /// Connections are refused at once.
    Refused,
    /// It does not answer at all.
    Silent,
}

impl Plan {
    /// A fleet of `nodes` on one network, an origin with `resources`, and nothing that happens yet.
    pub fn calm(seed: u64, nodes: usize, resources: usize) -> Self {
        let second = Duration::from_secs(1);
        Self {
            seed,
            nodes,
            nodes_at_start: nodes,
            resources,
            domains: 1,
            credentials: 1,
            skew_max: Duration::ZERO,
            network: NetworkPlan {
                latency: Duration::from_micros(200),
                jitter: Duration::from_micros(100),
                loss_per_mille: 0,
                bandwidth: 125_000_000,
                idle_timeout: 5 * second,
            },
            origin: OriginPlan {
                latency: Duration::from_millis(80),
                jitter: Duration::from_millis(40),
                freshness: Freshness { lifetime: 300 * second, ..Freshness::default() },
                change_period: Duration::ZERO,
                body_bytes_max: 4096,
                quota: None,
                secondary: None,
                personal_one_in: 0,
                tags_change_at: None,
                withheld_per_mille: 0,
                revalidates: true,
                refused_per_mille: 0,
                unstorable_per_mille: 0,
                failing_per_mille: 0,
            },
            settings: Settings::default(),
            priority: Priority::Normal,
            limits: SharingLimits::default(),
            peers: PeerSettings::default(),
            guests: (0..0, Guest::Never),
            ceiling: Freshness {
                lifetime: Duration::MAX,
                while_revalidating: Duration::MAX,
                if_error: Duration::MAX,
            },
            disk_stuck_one_in: 64,
            dialing: Dialing::Ordered,
            contacts: CONTACTS,
            demands: Demands::default(),
            events: Vec::new(),
            encodes: true,
            goes_on: false,
            heals: true,
        }
    }

    /// Whether node `number` is a guest.
    pub(crate) fn guest(&self, number: usize) -> Guest {
        if self.guests.0.contains(&number) { self.guests.1 } else { Guest::Never }
    }

    /// What node `number` tells others of itself.
    pub(crate) fn features(&self, number: usize) -> Features {
        let mark = if self.guest(number) == Guest::Never { Features::NONE } else { Features::GUEST };
        Features::ALL.union(mark)
    }

    /// Adds an event to the plan.
    #[must_use]
    pub fn with(mut self, at: Duration, deed: Deed) -> Self {
        self.events.push(Event { at, deed });
        self
    }

    /// The same in a fleet of another size. If some nodes come later, as many as before are there from the beginning.
    #[must_use]
    pub fn with_nodes(mut self, nodes: usize) -> Self {
        let comes_later = self.nodes_at_start < self.nodes;
        self.nodes_at_start = if comes_later { self.nodes_at_start.min(nodes) } else { nodes };
        self.nodes = nodes;
        self
    }

    /// Whether the origin may refuse a credential what it does not refuse to others.
    pub(crate) fn judges(&self) -> bool {
        let changes = |event: &Event| {
            matches!(event.deed, Deed::Grant { .. } | Deed::Restrict { .. } | Deed::Revoke { .. })
        };
        self.origin.withheld_per_mille > 0 || self.events.iter().any(changes)
    }

    /// Nodes whose line to the origin is broken at some time.
    pub(crate) fn broken_lines(&self) -> BTreeSet<usize> {
        let broken = |event: &Event| match event.deed {
            Deed::CutOff { node, .. } => Some(node % self.nodes),
            _ => None,
        };
        self.events.iter().filter_map(broken).collect()
    }

    /// How many keys there are: every resource in every domain.
    pub fn keys_count(&self) -> usize {
        self.resources * self.domains
    }

    /// Nodes that mean harm at some time.
    pub(crate) fn liars(&self) -> BTreeSet<usize> {
        let liar = |event: &Event| match event.deed {
            Deed::Lie { liar, .. } => Some(liar % self.nodes),
            _ => None,
        };
        self.events.iter().filter_map(liar).collect()
    }

    /// When the last event is over.
    pub(crate) fn ends_at(&self) -> Duration {
        self.events.iter().map(|event| event.at + event.deed.lasts()).max().unwrap_or_default()
    }
}

impl Deed {
    /// Whether requests may fail or be held up by it.
    pub(crate) fn is_fault(&self) -> bool {
        match self {
            Self::Break { .. }
            | Self::ClockStep { .. }
            | Self::Crash { .. }
            | Self::CutOff { .. }
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::Lie { .. }
            | Self::Outage { .. }
            | Self::Partition { .. }
            | Self::Pause { .. }
            | Self::Rotate { .. }
            | Self::Slow { .. } => true,
            Self::AskPeer { .. }
            | Self::Cancel { .. }
            | Self::Clear { .. }
            | Self::Count { .. }
            | Self::Crowd { .. }
            | Self::Doubt { .. }
            | Self::Get { .. }
            | Self::Grant { .. }
            | Self::Herd { .. }
            | Self::Invalidate { .. }
            | Self::InvalidatePrefix { .. }
            | Self::Kin { .. }
            | Self::Ping { .. }
            | Self::Put { .. }
            | Self::Refuse { .. }
            | Self::Restrict { .. }
            | Self::Revoke { .. } => false,
        }
    }

    /// How long it goes on.
    pub(crate) fn lasts(&self) -> Duration {
        match self {
            Self::Crash { down_for: lasts, .. }
            | Self::CutOff { lasts, .. }
            | Self::Herd { within: lasts, .. }
            | Self::Kin { within: lasts, .. }
            | Self::Outage { lasts, .. }
            | Self::Partition { lasts, .. }
            | Self::Pause { lasts, .. }
            | Self::Slow { lasts, .. } => *lasts,
            Self::Lie { .. } => LIE_LASTS,
            Self::AskPeer { .. }
            | Self::Break { .. }
            | Self::Cancel { .. }
            | Self::Clear { .. }
            | Self::ClockStep { .. }
            | Self::Count { .. }
            | Self::Crowd { .. }
            | Self::Doubt { .. }
            | Self::Get { .. }
            | Self::Grant { .. }
            | Self::Invalidate { .. }
            | Self::InvalidatePrefix { .. }
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::Ping { .. }
            | Self::Put { .. }
            | Self::Refuse { .. }
            | Self::Restrict { .. }
            | Self::Revoke { .. }
            | Self::Rotate { .. } => Duration::ZERO,
        }
    }
}

/// How long a flood goes on: longer than any node bears it.
pub(crate) const LIE_LASTS: Duration = Duration::from_secs(12);
