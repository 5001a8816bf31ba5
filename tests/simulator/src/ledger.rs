//! What is known of a run from outside: which requests were made, what every answer states, which members were told
//! what.
//!
//! The reference model. It was written without a look at the engine's own code: a request is asked and answered, a
//! fact was true at one moment, an invalidation makes all earlier facts about its keys untrue for a node that knows
//! of it. [`checks`] has what follows from that.

mod checks;
mod durable;
mod floors;

pub(crate) use checks::{Circumstances, longest_age};
pub(crate) use floors::Floor;

use self::durable::{Durable, Ended};
use crate::{
    node::{GENERATIONS_MAX, Node, issuer, name},
    origin::FACT_HEADER,
    plan::Plan,
};
use cache_core::{
    Content, Domain, Key, Message, Name, RequestId,
    freshness::{Directives, Freshness},
    message::{Announced, Answer, Invalidation, InvalidationId, Notice, Parcel, Reach, Scope},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

/// A rule that must hold.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Rule {
    /// Every request is answered once.
    AnsweredOnce,
    /// Every ask is answered, and no ask is answered twice, except one that was told to wait.
    AskAnswered,
    /// A node that offends again and again is banned, and is told nothing while it is banned.
    Banned,
    /// Entries, bytes, flights, leases and what follows from one input keep to their limits.
    Bounds,
    /// Every request is answered in time.
    Deadline,
    /// What a node confirmed to have forgotten is not on its disk after a crash, nor certain what it doubted.
    Durable,
    /// What was put in doubt is served only once the origin was asked about it, or because it failed.
    Doubted,
    /// No node dials itself, or dials again and again where nothing answers.
    Dialing,
    /// Calls to the origin are as few as the plan says.
    Economy,
    /// Few nodes ask one node for one name at the same time: those of its district, and one of each other.
    FanIn,
    /// No node takes a guest for a member, hosts more guests than it may, and a guest has few connections.
    Guests,
    /// An invalidation hides nothing but what it means.
    HidesMore,
    /// Of what one node put under one key, no node takes the earlier for the later.
    InOrder,
    /// What was invalidated answers no request that comes after the node was told.
    Invalidated,
    /// No node has more connections than it may, or is alone for long while others can be reached, including those
    /// that it remembers from its last run.
    Links,
    /// Where nothing fails, all that are told of a write say in time that they have forgotten what it ended.
    Confirmed,
    /// In a fleet that is divided, each name is at home in one district, whichever node one asks.
    Districts,
    /// Once faults end, everything comes to its end and every node can be asked.
    Liveness,
    /// A node that says nothing for long is not a member.
    Membership,
    /// What is held does not give way to what is older.
    Newest,
    /// An origin that cannot be reached is found out by the fleet and tried by few, and a line that is broken stops its own
    /// node alone.
    Outage,
    /// No more calls of one payer come at once, or soon after a pause, than the origin bears.
    Pace,
    /// The engine does not panic, whatever happens.
    Panicked,
    /// The origin is left alone for as long as it wants to be.
    Quota,
    /// Requests leave of a quota what is kept from them, but for a call of each node, and spend the rest.
    Reserve,
    /// What the fleet forgot or doubted while a node was down is not served by it as soon as it starts.
    Restored,
    /// What is kept beyond its request is used or given up.
    Retained,
    /// Without any fault, no request waits for longer than a few calls take.
    Prompt,
    /// A credential is served what the origin gave to that credential, no later than it may be served then, and nothing that
    /// it was refused since.
    Rights,
    /// The origin is asked only about whole answers of its own, with a tag, for the same resource.
    Lent,
    /// No node sends another an entry unasked that it sent it before.
    Share,
    /// Members are told only what concerns a connected node.
    SentToNobody,
    /// What concerns all members is told to all of them.
    Told,
    /// Engines ask to be woken at moments to come.
    Timers,
    /// No answer is older than its lifetime, and the grace that it grants, allow.
    TooOld,
    /// As many requests as the plan says are answered from memory.
    Warm,
    /// A refusal that concerns one credential reaches no other.
    WrongAudience,
    /// An answer is about the key, and so the domain, that was asked for.
    WrongKey,
    /// A request ends in a way that is one for its kind.
    WrongOutcome,
}

/// A rule that was broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The rule that is broken.
    pub rule: Rule,
    /// When, from the beginning of the run.
    pub at: Duration,
    /// How it is broken, in words.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}: {}", self.rule, self.at, self.text)
    }
}

/// Everything known from outside.
pub(crate) struct Ledger {
    pub(crate) keys: Vec<Key>,
    index: BTreeMap<Key, usize>,
    names: BTreeMap<Name, usize>,
    facts: Vec<Fact>,
    /// Which node put a fact, and in which run.
    puts: BTreeMap<u64, (usize, u32)>,
    pub(crate) requests: BTreeMap<RequestId, Asked>,
    request_last: u64,
    /// By how much a node may take a fact to be younger than it is, because it travelled.
    errors: BTreeMap<(usize, u64), Duration>,
    /// Whether [`Ledger::errors`] are noted: they are as many as all nodes have heard facts. If not, no age is judged.
    follows: bool,
    /// For each node and key, since when a fact must be to be served: the last invalidation that the node knows.
    floors: Vec<BTreeMap<usize, Floor>>,
    /// Nodes that mean harm.
    liars: BTreeSet<usize>,
    issued: Vec<Issued>,
    ids: BTreeMap<InvalidationId, usize>,
    /// What must not be back after a crash.
    pub(crate) durable: Durable,
    /// By how much entries on disk may be misdated, all in all.
    pub(crate) misdated: Duration,
    /// Credentials that share each domain, and whether any may be refused what it asks for.
    credentials: usize,
    judges: bool,
}

/// What an answer states, and since when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact {
    pub(crate) key: usize,
    /// The credential that the origin said it to.
    pub(crate) credential: usize,
    /// What it is of, and which version.
    pub(crate) source: usize,
    pub(crate) version: u64,
    /// When the origin said so, or a program put it.
    pub(crate) at: Duration,
    pub(crate) means: Means,
    pub(crate) freshness: Freshness,
}

/// How a fact came about, and so which requests may be told it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Means {
    Entry,
    Put,
    Refusal,
    RefusalFor(RequestId),
    Unstorable,
}

/// A request as its client knows it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) node: usize,
    pub(crate) at: Duration,
    pub(crate) wanted: Wanted,
    /// Since when a fact must be to answer it.
    pub(crate) floor: Floor,
    /// How long requests of that node had been held up by then.
    pub(crate) held_up: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    Entry { key: usize, credential: usize, directives: Directives },
    PeersEntry { key: usize },
    Pong,
    Written,
}

struct Issued {
    issuer: u64,
    at: Duration,
    reach: Reach,
}

impl Ledger {
    pub(crate) fn new(plan: &Plan) -> Self {
        let domains = 0..plan.domains;
        let keys: Vec<Key> = domains
            .flat_map(|domain| (0..=plan.resources).map(move |resource| key(resource, domain)))
            .collect();
        Self {
            index: keys.iter().cloned().zip(0..).collect(),
            names: (0..GENERATIONS_MAX)
                .flat_map(|generation| keys.iter().map(move |key| name(key, generation)).zip(0..))
                .collect(),
            keys,
            facts: Vec::new(),
            puts: BTreeMap::new(),
            requests: BTreeMap::new(),
            request_last: 0,
            errors: BTreeMap::new(),
            follows: !plan.goes_on,
            floors: vec![BTreeMap::new(); plan.nodes],
            liars: plan.liars(),
            issued: Vec::new(),
            ids: BTreeMap::new(),
            durable: Durable::new(plan.nodes),
            misdated: Duration::ZERO,
            credentials: plan.credentials,
            judges: plan.judges() || plan.credentials > 1,
        }
    }

    /// Whether several credentials share each domain.
    pub(crate) fn has_shared_domains(&self) -> bool {
        self.credentials > 1
    }

    /// Gives a number to a request.
    pub(crate) fn ask(&mut self, node: &Node, now: Duration, wanted: Wanted) -> RequestId {
        self.request_last += 1;
        let key = match wanted {
            Wanted::Entry { key, .. } | Wanted::PeersEntry { key } => Some(key),
            Wanted::Pong | Wanted::Written => None,
        };
        let floor = key.map(|key| self.floor(node.number, key, now)).unwrap_or_default();
        let asked = Asked { node: node.number, at: now, wanted, floor, held_up: node.held_up };
        self.requests.insert(RequestId(self.request_last), asked);
        RequestId(self.request_last)
    }

    /// Since when a fact must be that `node` may serve at `now`.
    pub(crate) fn floor(&self, node: usize, key: usize, now: Duration) -> Floor {
        self.floors[node].get(&key).copied().unwrap_or_default().remembered(now)
    }

    /// Gives a number to a fact.
    pub(crate) fn learn_fact(&mut self, fact: Fact) -> u64 {
        self.facts.push(fact);
        self.facts.len() as u64 - 1
    }

    /// Notes that `node` put `fact`.
    pub(crate) fn on_put(&mut self, fact: u64, node: &Node) {
        self.puts.insert(fact, (node.number, node.run));
    }

    /// Whether one node put both facts in one run, `fact` before `other`.
    pub(crate) fn is_overtaken(&self, fact: u64, other: u64) -> bool {
        let putter = self.puts.get(&fact);
        let is_same_key = || self.facts[fact as usize].key == self.facts[other as usize].key;
        putter.is_some() && putter == self.puts.get(&other) && fact < other && is_same_key()
    }

    /// What `content` states.
    pub(crate) fn fact(&self, content: &Content) -> Option<(u64, Fact)> {
        let number: u64 = content.headers.get_str(FACT_HEADER)?.parse().ok()?;
        self.facts.get(usize::try_from(number).ok()?).map(|fact| (number, *fact))
    }

    /// Whose refusal `content` is, if it is one that concerns a single credential.
    pub(crate) fn refused(&self, content: &Content) -> Option<RequestId> {
        match self.fact(content)?.1.means {
            Means::RefusalFor(leader) => Some(leader),
            Means::Entry | Means::Put | Means::Refusal | Means::Unstorable => None,
        }
    }

    pub(crate) fn key_number(&self, key: &Key) -> Option<usize> {
        self.index.get(key).copied()
    }

    pub(crate) fn key_named(&self, name: &Name) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// Forgets what a process that has ended knew. Returns how many of its requests are lost.
    pub(crate) fn on_stopped(&mut self, node: usize) -> u64 {
        self.floors[node].clear();
        let before = self.requests.len();
        self.requests.retain(|_, asked| asked.node != node);
        (before - self.requests.len()) as u64
    }

    /// `node` forgets and doubts what `reach` means, on behalf of the client whose `request` it is, if it is one's.
    pub(crate) fn on_issued(
        &mut self,
        node: usize,
        issuer: u64,
        now: Duration,
        (request, reach): (Option<RequestId>, Reach),
    ) {
        let ended = self.raise_floor(node, &reach, now);
        if let Some(request) = request {
            self.durable.on_asked(node, request, ended);
        }
        self.issued.push(Issued { issuer, at: now, reach });
    }

    /// An engine says `message`: what it issued a moment ago gets the number by which others speak of it.
    pub(crate) fn on_said(&mut self, node: &Node, issuer: u64, now: Duration, message: &Message) {
        let Message::Invalidate(notice) = message else { return };
        for Invalidation { id, reach, age } in &notice.invalidations {
            if id.issuer != issuer || self.ids.contains_key(id) {
                continue;
            }
            let at = now.saturating_sub(*age);
            let near = |issued: &Issued| {
                issued.issuer == issuer
                    && issued.reach == *reach
                    && node.timestamp(issued.at) <= node.timestamp(at)
            };
            if let Some(number) = self.issued.iter().rposition(near) {
                self.ids.insert(*id, number);
            }
        }
    }

    /// How many invalidations of what `asked` wants were issued since it was asked.
    pub(crate) fn writes_since(&self, asked: &Asked) -> u32 {
        let Wanted::Entry { key, .. } = asked.wanted else { return 0 };
        self.writes_of(key, asked.at)
    }

    /// How many invalidations of `key` were issued since `since`.
    fn writes_of(&self, key: usize, since: Duration) -> u32 {
        let later = self.issued.iter().rev().take_while(|issued| issued.at >= since);
        later.filter(|issued| issued.reach.covers(&self.keys[key], OK)).count() as u32
    }

    /// How many requests for `key` wait at `node`, and how many they may be if a flight has `waiters_max`: each write
    /// may have set one flight apart, and a request that follows one flight takes the next together with those that
    /// wait for it.
    pub(crate) fn waiting(&self, node: usize, key: usize, waiters_max: usize) -> (usize, usize) {
        let here = |asked: &&Asked| {
            asked.node == node && matches!(asked.wanted, Wanted::Entry { key: wanted, .. } if wanted == key)
        };
        let waiting = || self.requests.values().filter(here);
        let since = waiting().map(|asked| asked.at).min().unwrap_or_default().saturating_sub(TOLD_WITHIN);
        let flights = 1 + self.writes_of(key, since) as usize + self.puts_of(key, since);
        // One whose right is in doubt has a flight of its own.
        let askers = if self.judges { 1 + self.credentials } else { 1 };
        (waiting().count(), 2 * flights * askers * waiters_max.max(1))
    }

    fn puts_of(&self, key: usize, since: Duration) -> usize {
        let later = self.facts.iter().rev().take_while(|fact| fact.at >= since);
        later.filter(|fact| fact.key == key && fact.means == Means::Put).count()
    }

    /// `node` receives what another said at `sent`.
    pub(crate) fn on_heard(
        &mut self,
        from: usize,
        node: usize,
        sent: Duration,
        now: Duration,
        message: &Message,
    ) {
        let parcel = match message {
            Message::Announce(Announced::ToPassOn(parcel) | Announced::Whole(parcel)) => Some(&**parcel),
            Message::Answer { answer: Answer::Hit(parcel), .. } => Some(&**parcel),
            Message::Answer { answer: Answer::Lease { stale, .. }, .. } => stale.as_deref(),
            // A node that hears more than it can remember forgets what else was invalidated.
            Message::Invalidate(_) if self.liars.contains(&from) => {
                self.durable.forget(node);
                return self.floors[node].clear();
            }
            Message::Invalidate(notice) => return self.on_told((from, node), now, notice),
            Message::Announce(Announced::Named { .. })
            | Message::Answer { .. }
            | Message::Ask { .. }
            | Message::Claim { .. }
            | Message::Digest(_)
            | Message::District(_)
            | Message::Guest(_)
            | Message::Figures(_)
            | Message::Forgotten { .. }
            | Message::Membership(_)
            | Message::Origin { .. }
            | Message::Ping { .. }
            | Message::Pong { .. }
            | Message::Allowances(_)
            | Message::CallNumbers(_)
            | Message::Quota { .. }
            | Message::Release { .. }
            | Message::WarmUp { .. }
            | Message::WarmedUp { .. }
            | Message::Writes(_) => None,
        };
        let Some(Parcel { draft, .. }) = parcel.filter(|_| self.follows) else { return };
        if let Some((fact, known)) = self.fact(&draft.content) {
            // What a liar says of its age may be anything.
            let told_by_liar = self.liars.contains(&from).then(|| now - known.at);
            let travelled =
                self.error(from, fact) + (now - sent).max(told_by_liar.unwrap_or_default()) + ROUNDING;
            let error = self.errors.entry((node, fact)).or_default();
            *error = travelled.max(*error);
        }
    }

    /// By how much `node` may take a fact to be younger than it is.
    pub(crate) fn error(&self, node: usize, fact: u64) -> Duration {
        if !self.follows {
            return ANY_ERROR;
        }
        self.errors.get(&(node, fact)).copied().unwrap_or_default()
    }

    /// A node that is up, of `nodes`, and has not heard of what another one, which is still up, invalidated lately.
    pub(crate) fn untold(&self, nodes: &[&Node], now: Duration) -> Option<String> {
        let issuers: BTreeSet<u64> = nodes.iter().map(|node| issuer(node.number, node.run)).collect();
        let matters = |issued: &&Issued| now - issued.at < REMEMBERED_FOR && issuers.contains(&issued.issuer);
        for issued in self.issued.iter().filter(matters) {
            let manner = |key: usize| Some((key, issued.reach.manner(&self.keys[key], OK)?));
            let (key, manner) = (0..self.keys.len()).find_map(manner)?;
            let knows = |node: &&&Node| {
                let floor = self.floors[node.number].get(&key);
                floor.is_some_and(|floor| floor.of(manner) >= issued.at)
            };
            if let Some(node) = nodes.iter().find(|node| !knows(node)) {
                return Some(format!("n{} was not told of {:?}", node.number, issued.reach));
            }
        }
        None
    }

    fn on_told(&mut self, (from, node): (usize, usize), now: Duration, notice: &Notice) {
        for invalidation in &notice.invalidations {
            let Some(issued) = self.ids.get(&invalidation.id).map(|number| &self.issued[*number]) else {
                continue;
            };
            if now - issued.at < REMEMBERED_FOR {
                let (reach, at) = (issued.reach.clone(), issued.at);
                let ended = self.raise_floor(node, &reach, at);
                // Several that are passed on have no number of their own, and nothing waits for them.
                if notice.receipt != PASSED_ON {
                    self.durable.on_told(node, (from, notice.receipt), ended);
                }
            }
        }
    }

    /// Returns which keys that is about, and what becomes of them.
    fn raise_floor(&mut self, node: usize, reach: &Reach, at: Duration) -> Vec<Ended> {
        let keys = match (&reach.forgotten[..], &reach.doubted[..]) {
            ([Scope::Key(key)], []) => {
                let key = self.key_number(key);
                key.map_or(0..0, |key| key..key + 1)
            }
            _ => 0..self.keys.len(),
        };
        let covered: Vec<Ended> =
            keys.filter_map(|key| Some((key, reach.manner(&self.keys[key], OK)?, at))).collect();
        for (key, manner, at) in &covered {
            self.floors[node].entry(*key).or_default().raise(*manner, *at);
        }
        covered
    }
}

/// The key of a resource for a domain. The number of the resource is written so that prefixes mean something.
pub(crate) fn key(resource: usize, domain: usize) -> Key {
    let domain = Domain::from_bytes([domain as u8 + 1; 16]);
    Key::new(&format!("GET api.github.com/repos/acme/{resource:04}"), domain)
}

/// How the resources begin whose number begins with the first `letters` digits of `resource`.
pub(crate) fn prefix(resource: usize, letters: usize) -> String {
    let number = format!("{resource:04}");
    format!("GET api.github.com/repos/acme/{}", &number[..letters.min(number.len())])
}

/// How long an invalidation counts: what the fleet remembers, less what messages take.
const REMEMBERED_FOR: Duration = Duration::from_secs(530);

/// The number of a notice that its sender passes on.
const PASSED_ON: u64 = 0;

/// An error that excuses every age.
const ANY_ERROR: Duration = Duration::from_secs(u32::MAX as u64);

/// The status of an entry.
pub(crate) const OK: u16 = 200;

/// Clocks show whole milliseconds.
pub(crate) const ROUNDING: Duration = Duration::from_millis(2);

/// How late a node may hear of a write, because it was stopped or cut off.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
