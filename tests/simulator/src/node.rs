//! One node: an engine, and in place of its driver, disk and read index something simple.

use crate::{
    desk::Desk,
    network::Frame,
    origin::Call,
    plan::{Dialing, Lie, Plan},
    random::Random,
};
use cache_core::{
    Allowance, Ceiling, Contact, Disk, Domain, Doubted, Doubts, Engine, Entry, FetchId, Fetched, Input, Key,
    LoadId, Member, Name, Naming, PeerId, PeerSettings, RequestId, Salts, Sharing, Timestamp, codec,
    freshness::{Directives, Freshness},
    message::{Reach, Scope},
};
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::Hasher as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A node of the fleet, whether it is up or not.
pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) peer: PeerId,
    pub(crate) engine: Engine,
    pub(crate) state: State,
    /// Counts the times it started, so that nothing meant for an earlier process reaches a later one.
    pub(crate) run: u32,
    /// How far the wall clock is from the true time, in microseconds.
    pub(crate) wall: i64,
    /// How far the engine's time is from the true time: the error of the wall clock when the process started.
    clock: i64,
    /// How far entries on disk may be misdated, because the clock was set between two runs.
    pub(crate) misdated: Duration,
    /// Connections that the engine knows of.
    pub(crate) connected: BTreeMap<usize, u64>,
    pub(crate) published: BTreeMap<Key, Arc<Entry>>,
    pub(crate) disk: BTreeMap<Key, Vec<u8>>,
    /// What is in doubt, as the disk keeps it; empty if nothing is.
    pub(crate) doubts: Vec<u8>,
    /// The members that the next process is to look for, besides the contacts.
    pub(crate) remembered: Vec<Member>,
    /// What is gone from the disk and would be back after a crash, by the number of the removal.
    limbo: BTreeMap<u64, Limbo>,
    pub(crate) loads: BTreeMap<LoadId, Key>,
    pub(crate) calls: BTreeSet<FetchId>,
    /// Requests that were answered, but whose means to fetch are kept: the key and the credential.
    pub(crate) retained: BTreeMap<RequestId, (usize, usize)>,
    /// What it knows of credentials.
    pub(crate) desk: Desk,
    /// What came while the process was stopped or busy.
    pub(crate) inbox: VecDeque<Arrival>,
    pub(crate) busy_until: Duration,
    pub(crate) delay: Duration,
    /// How long requests were held up by the process being stopped or busy, all in all.
    pub(crate) held_up: Duration,
    /// When the engine is to be woken, and how often it was at one moment.
    pub(crate) wake_at: Option<Duration>,
    pub(crate) wakes: (Duration, u32),
    /// How far it has got in changing the fleet's secret.
    pub(crate) stage: u64,
    /// The generations of secrets by which this process names entries, the one it speaks by first.
    called: Arc<Mutex<Vec<u64>>>,
    /// Whether it took part as a member in any of its runs.
    pub(crate) was_member: bool,
    /// Connections that were made with it before it started last.
    pub(crate) handshakes_before: u64,
    /// How it answers asks, if not as its engine would.
    pub(crate) manner: Option<Lie>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Down,
    Paused,
    Up,
}

/// What reaches a node, in order.
#[derive(Debug)]
pub(crate) enum Arrival {
    Connected { peer: usize, connection: u64, dialed: bool },
    Disconnected { peer: usize, connection: u64 },
    Fetched { fetched: Fetched, call: Call, allowance: Option<Allowance> },
    Frame(Frame),
    Input(Input),
    Wish(Wish),
}

/// What a client or a program wants of a node. It counts as asked when the node deals with it.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    AskPeer { peer: usize, key: usize },
    Cancel { pick: usize },
    Clear,
    Count,
    Get { key: usize, credential: usize, directives: Directives },
    Invalidate(Reach),
    Ping { peer: usize },
    Put { key: usize },
    Refuse { domain: Domain, prefix: Box<str> },
}

impl Node {
    pub(crate) fn new(number: usize, plan: &Plan) -> Self {
        let mut random = Random::new(plan.seed, CLOCK_STREAMS + number as u64);
        let skew = random.up_to(2 * plan.skew_max).as_micros() as i64 - plan.skew_max.as_micros() as i64;
        // Even clocks that agree do not tick together.
        let wall = skew + random.below(1000) as i64;
        Self {
            number,
            peer: peer_id(number),
            engine: Engine::new(plan.settings.clone()),
            state: State::Down,
            run: 0,
            wall,
            clock: wall,
            misdated: Duration::ZERO,
            connected: BTreeMap::new(),
            published: BTreeMap::new(),
            disk: BTreeMap::new(),
            doubts: Vec::new(),
            remembered: Vec::new(),
            limbo: BTreeMap::new(),
            loads: BTreeMap::new(),
            calls: BTreeSet::new(),
            retained: BTreeMap::new(),
            desk: Desk::default(),
            inbox: VecDeque::new(),
            busy_until: Duration::ZERO,
            delay: Duration::ZERO,
            held_up: Duration::ZERO,
            wake_at: None,
            wakes: (Duration::ZERO, 0),
            stage: 0,
            called: Arc::default(),
            was_member: false,
            handshakes_before: 0,
            manner: None,
        }
    }

    /// Goes on to the next step in changing the secret while it runs; knows the former names until the next step.
    pub(crate) fn rename(&mut self) {
        let former = generations(self.stage);
        self.stage += 1;
        let mut names = generations(self.stage);
        let left: Vec<u64> = former.into_iter().filter(|generation| !names.contains(generation)).collect();
        names.extend(left);
        *known(&self.called) = names;
    }

    /// By how many names it knows each entry.
    pub(crate) fn names_count(&self) -> usize {
        known(&self.called).len()
    }

    /// Starts a process. Returns what it finds on disk.
    pub(crate) fn start(&mut self, plan: &Plan, now: Duration) -> (Vec<Entry>, Doubts) {
        self.stop();
        self.run += 1;
        self.state = State::Up;
        self.misdated += Duration::from_micros(self.wall.abs_diff(self.clock));
        self.clock = self.wall;
        let is_dialing = plan.dialing == Dialing::Ordered;
        let contacts = (0..plan.contacts.min(plan.nodes)).filter(|_| is_dialing);
        let sharing = Sharing {
            local: self.peer,
            // As programs have it: by the wall clock, which may have been set back.
            boot: self.timestamp(now).as_unix_millis(),
            own_addresses: if is_dialing { vec![address(self.number)] } else { Vec::new() },
            remembered: self.remembered.clone(),
            contacts: contacts.map(|number| Contact::new(address(number))).collect(),
            peers: PeerSettings { guest: plan.guest(self.number), ..plan.peers.clone() },
            ceiling: Arc::new(Most(plan.ceiling)),
            naming: Arc::new(Digests(Arc::clone(&self.called))),
            seed: issuer(self.number, self.run),
            salts: Salts::new(issuer(self.number, self.run).into()),
            limits: plan.limits.clone(),
        };
        *known(&self.called) = generations(self.stage);
        self.engine = Engine::sharing(plan.settings.clone(), sharing);
        match plan.settings.disk {
            Disk::Absent => (Vec::new(), Doubts::default()),
            Disk::Present => {
                let entries = self.disk.values().map(|bytes| decoded(bytes)).collect();
                let noted = Some(&self.doubts).filter(|noted| !noted.is_empty());
                let doubts = noted
                    .map(|noted| codec::decode_doubts(noted).expect("the disk gives back what was written"));
                (entries, doubts.unwrap_or_default())
            }
        }
    }

    /// Forgets on disk what `scopes` mean, and notes what is `doubted` there; both are durable with
    /// [`on_durable`](Self::on_durable), or at once if nothing waits for it.
    ///
    /// Where nothing of it is on disk, or could come back, there is nothing to do, and nothing else becomes durable by it.
    pub(crate) fn remove(&mut self, removal: Option<u64>, scopes: &[Scope], doubted: Option<&Doubted>) {
        let ended = || scopes.iter().chain(doubted.iter().flat_map(|doubted| &doubted.scopes));
        let lost = || self.limbo.values().flat_map(|limbo| limbo.records.iter().map(|(key, _)| key));
        let mut there = self.disk.keys().chain(lost());
        if !there.any(|key| ended().any(|scope| scope.covers_key(key))) {
            return;
        }
        let is_meant = |key: &Key| scopes.iter().any(|scope| scope.covers_key(key));
        let records = self.disk.extract_if(.., |key, _| is_meant(key)).collect();
        let doubts = doubted.map(|doubted| codec::encode_doubts(&doubted.all));
        match removal {
            Some(removal) => drop(self.limbo.insert(removal, Limbo { records, doubts })),
            None => self.note_at_once(doubts),
        }
    }

    /// Notes `doubts`, which are all that there are, so that what is noted before and has yet to be durable is no news.
    fn note_at_once(&mut self, doubts: Option<Vec<u8>>) {
        let Some(doubts) = doubts else { return };
        self.doubts = doubts;
        self.limbo.values_mut().for_each(|limbo| limbo.doubts = None);
    }

    /// What was removed under this number, and before, is gone for good.
    pub(crate) fn on_durable(&mut self, removal: u64) {
        if self.limbo.contains_key(&removal) {
            self.settle(removal);
        }
    }

    fn settle(&mut self, removal: u64) {
        let later = self.limbo.split_off(&(removal + 1));
        for limbo in std::mem::replace(&mut self.limbo, later).into_values() {
            self.doubts = limbo.doubts.unwrap_or_else(|| std::mem::take(&mut self.doubts));
        }
    }

    /// Makes everything durable that was written.
    pub(crate) fn flush(&mut self) {
        self.settle(u64::MAX - 1);
    }

    /// The disk is lost, with all on it.
    pub(crate) fn lose_disk(&mut self) {
        self.disk.clear();
        self.doubts.clear();
        self.remembered.clear();
    }

    /// Ends the process; all it knew is gone except the disk.
    pub(crate) fn stop(&mut self) {
        // The earliest comes last: what was there first was replaced.
        for limbo in std::mem::take(&mut self.limbo).into_values().rev() {
            for (key, record) in limbo.records {
                self.disk.entry(key).or_insert(record);
            }
        }
        self.state = State::Down;
        self.connected.clear();
        self.published.clear();
        self.loads.clear();
        self.calls.clear();
        self.retained.clear();
        self.desk = Desk::default();
        self.inbox.clear();
        self.delay = Duration::ZERO;
        self.wake_at = None;
    }

    /// What the engine is told when the true time is `now`.
    pub(crate) fn timestamp(&self, now: Duration) -> Timestamp {
        let micros = EPOCH_MICROS + now.as_micros() as i64 + self.clock;
        Timestamp::from_unix_millis(micros.max(0) as u64 / 1000)
    }

    /// The true time at which the engine's clock shows `timestamp`, or zero if that is before the run.
    pub(crate) fn true_time(&self, timestamp: Timestamp) -> Duration {
        let micros = i64::try_from(timestamp.as_unix_millis().saturating_mul(1000)).unwrap_or(i64::MAX);
        Duration::from_micros(micros.saturating_sub(EPOCH_MICROS + self.clock).max(0) as u64)
    }

    /// Whether readers see anything that `reach` means and that is not in doubt already.
    pub(crate) fn shows_as_certain(&self, reach: &Reach) -> bool {
        let mut shown = self.published.values();
        shown.any(|entry| reach.covers(entry.key(), entry.content().status) && !entry.is_doubted())
    }

    /// Whether readers see anything that `reach` means.
    pub(crate) fn shows(&self, reach: &Reach) -> bool {
        self.published.values().any(|entry| reach.covers(entry.key(), entry.content().status))
    }

    pub(crate) fn load(&self, key: &Key) -> Option<Box<Entry>> {
        self.disk.get(key).map(|bytes| Box::new(decoded(bytes)))
    }
}

/// What one removal took from the disk, and what it noted there.
struct Limbo {
    records: Vec<(Key, Vec<u8>)>,
    doubts: Option<Vec<u8>>,
}

fn decoded(bytes: &[u8]) -> Entry {
    codec::decode_entry(bytes).expect("the disk gives back what was written")
}

/// The identity of node `number`. No order of numbers shows in the order of identities.
pub(crate) fn peer_id(number: usize) -> PeerId {
    let mut key = [0; 32];
    key[..16].copy_from_slice(&digest(&number.to_string(), 0)[..16]);
    key[24..].copy_from_slice(&(number as u64).to_le_bytes());
    PeerId::from_public_key(key)
}

/// The issuer of invalidations in one run of a node.
pub(crate) fn issuer(number: usize, run: u32) -> u64 {
    (number as u64) << 32 | u64::from(run)
}

/// Where node `number` listens.
pub(crate) fn address(number: usize) -> Box<str> {
    format!("{ADDRESS_START}{number}").into()
}

/// Which node listens at `address`.
pub(crate) fn number_at(address: &str) -> Option<usize> {
    let rest = address.strip_prefix(ADDRESS_START)?;
    rest.split('/').next()?.parse().ok()
}

fn known(called: &Mutex<Vec<u64>>) -> MutexGuard<'_, Vec<u64>> {
    called.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same for every key.
#[derive(Debug)]
struct Most(Freshness);

impl Ceiling for Most {
    fn most(&self, _key: &Key) -> Option<Freshness> {
        Some(self.0)
    }
}

/// Names by a digest that is not keyed, since there are no outsiders here. The secrets of a node that has got as far
/// as `stage` in changing them: one, the next as well, both the other way round, and so on.
#[derive(Debug)]
struct Digests(Arc<Mutex<Vec<u64>>>);

/// The generations of secrets by which a node at `stage` goes, the one it speaks by first.
pub(crate) fn generations(stage: u64) -> Vec<u64> {
    let old = stage / 3;
    match stage % 3 {
        0 => vec![old],
        1 => vec![old, old + 1],
        _two => vec![old + 1, old],
    }
}

impl Naming for Digests {
    fn names(&self, key: &Key) -> Vec<Name> {
        known(&self.0).iter().map(|generation| name(key, *generation)).collect()
    }
}

/// What members call `key` by the secret of `generation`.
pub(crate) fn name(key: &Key, generation: u64) -> Name {
    Name::of(digest(key.resource(), generation), digest(key.as_str(), generation))
}

fn digest(text: &str, generation: u64) -> [u8; 32] {
    let mut hasher = SipHasher13::new_with_keys(generation, 0);
    hasher.write(text.as_bytes());
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&hasher.finish128().as_u128().to_le_bytes());
    bytes
}

/// When runs begin, in microseconds since 1970: late enough that no clock shows less than nothing.
const EPOCH_MICROS: i64 = EPOCH_MILLIS as i64 * 1000;

/// The same in milliseconds, which clocks show when a run begins.
pub(crate) const EPOCH_MILLIS: u64 = 1_700_000_000_000;

const ADDRESS_START: &str = "/memory/";

/// How many secrets there are in a run at most.
pub(crate) const GENERATIONS_MAX: u64 = 4;

const CLOCK_STREAMS: u64 = 1 << 32;
