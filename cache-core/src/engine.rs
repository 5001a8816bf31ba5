//! The engine: every input, and every output that follows from it.
//!
//! Only the engine writes outputs. The parts it rests on ([`crate::cache`], [`crate::flight`], [`crate::ledger`],
//! [`crate::freshness`], [`crate::sharing`]) return decisions. The engine puts these together, in one file for each
//! part of a request's way.

mod fleet;
mod forgetting;
mod keeping;
mod request;

use crate::{
    AccountReport, Counters, Deadline, Entry, FetchError, Fetched, Figures, Input, Key, Member, OutageReport,
    Outcome, Output, PeerId, PeerReport, Reached, RequestId, Served, Settings, Sharing, Timestamp,
    cache::Cache,
    doubts::Doubts,
    flights::{Caller, Flights},
    ledger::Ledger,
    outage::Outage,
    settling::Settling,
    sharing::Receipts,
};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use fleet::Fleet;
use request::Passing;

/// The state of one node: what is cached, which requests wait, what the origin allows.
///
/// Sans-IO: [`handle`](Self::handle) puts an event in, [`poll_output`](Self::poll_output) takes orders out
/// until there are none, [`poll_timeout`](Self::poll_timeout) says when to come back with
/// [`Input::Tick`]. Equal inputs at equal moments give equal outputs.
///
/// ```
/// # use cache_core::{*, freshness::Directives};
/// let mut engine = Engine::new(Settings::default());
/// let now = Timestamp::from_unix_millis(1_000);
/// let (request, key) = (RequestId(1), Key::new("api.github.com/user", Domain::ANONYMOUS));
/// let (bucket, priority, reader) = (Bucket(0), Priority::Normal, Reader::Admitted);
/// let directives = Directives::default();
/// engine.handle(now, Input::Get { request, key, directives, bucket, priority, reader, kin_wait: None });
/// // Nothing is cached, so the origin is called on behalf of the request.
/// let Some(Output::Fetch { leader, candidate: None, .. }) = engine.poll_output() else { panic!() };
/// assert_eq!(leader, request);
/// assert_eq!(engine.poll_output(), None);
/// ```
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    now: Timestamp,
    cache: Cache,
    flights: Flights,
    ledger: Ledger,
    /// Whether the origin can be reached.
    outage: Outage,
    passing: Passing,
    generation: u64,
    /// The generation at which all signposts were ended last.
    signposts_ended: u64,
    doubts: Doubts,
    settling: Settling,
    /// What was restored and is not served before the first peer has told what it knows.
    withheld: Vec<Entry>,
    /// What is on disk besides, which members are told of no sooner; those stored last first.
    catalogued: Vec<Key>,
    receipts: Receipts,
    counters: Counters,
    /// What there is to know of other members; `None` for a node that keeps to itself.
    fleet: Option<Box<Fleet>>,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// An engine that holds nothing yet and keeps to itself.
    pub fn new(settings: Settings) -> Self {
        Self {
            cache: Cache::new(settings.budget, settings.retention),
            ledger: ledger(&settings, None),
            outage: Outage::new(settings.hold_off, 0),
            settings,
            now: Timestamp::default(),
            flights: Flights::default(),
            passing: Passing::default(),
            generation: 0,
            signposts_ended: 0,
            doubts: Doubts::default(),
            settling: Settling::default(),
            withheld: Vec::new(),
            catalogued: Vec::new(),
            receipts: Receipts::default(),
            counters: Counters::default(),
            fleet: None,
            outputs: VecDeque::new(),
        }
    }

    /// An engine that holds nothing yet and shares with its fleet.
    pub fn sharing(settings: Settings, sharing: Sharing) -> Self {
        let ledger = ledger(&settings, Some(sharing.local));
        let outage = Outage::new(settings.hold_off, sharing.seed);
        Self { fleet: Some(Box::new(Fleet::new(sharing))), ledger, outage, ..Self::new(settings) }
    }

    /// Takes note of `input`, which happens at `now`. Cannot fail.
    ///
    /// What has become due by `now` is dealt with first. A `now` before an earlier one counts as that.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.now = self.now.max(now);
        self.begin_gathering();
        self.on_due();
        match input {
            Input::AskPeer { request, peer, key } => self.on_ask_peer(request, peer, &key),
            Input::Cancel { request } => {
                self.flights.leave(request);
            }
            Input::Catalogued { keys } => self.on_catalogued(keys),
            Input::Clear { order } => self.on_clear(order),
            Input::Connected { peer, address, side, features } => {
                self.on_connected(peer, &address, side, features);
            }
            Input::Counted { figures } => self.on_counted(figures),
            Input::DialFailed { address, failure } => self.on_dial_failed(&address, failure),
            Input::Disconnected { peer } => self.on_disconnected(peer),
            Input::Fetched { fetch, fetched, reached, allowance } => {
                self.note_allowance(allowance, fetched.is_counted());
                self.on_fetched(fetch, fetched, reached);
            }
            Input::Found { way, contacts } => self.on_found(way, &contacts),
            Input::Get { request, key, directives, bucket, priority, reader, kin_wait } => {
                let kin_until = kin_wait.map(|wait| self.now.saturating_add(wait));
                self.on_get(request, key, directives, Caller { bucket, priority, reader, kin_until });
            }
            Input::GivenUp { order } => self.give_up_pass(order),
            Input::Invalidate { order, reach } => self.on_invalidate(order, reach),
            Input::Leave => self.on_leave(),
            Input::Loaded { load, entry } => {
                self.on_loaded(load, entry.filter(|entry| self.is_useful(entry)));
            }
            Input::Misbehaved { peer, offence } => self.on_offence(peer, offence),
            Input::Passed { order, reach, reached, refused, allowance, is_counted, pause } => {
                self.end_write(order);
                self.end_pass(order, reached, pause);
                self.note_allowance(allowance, is_counted);
                self.on_passed(order, reach, refused);
            }
            Input::PaceWrites { pace } => self.on_write_pace(pace),
            Input::Pass { order, payer, bucket, kind, priority } => {
                self.on_pass(order, (payer, bucket), (kind, priority));
            }
            Input::Ping { order, peer } => self.on_ping_wanted(order, peer),
            Input::Put { order, key, draft } => self.on_put(order, key, draft),
            Input::Received { from, message, bytes } => self.on_received(from, message, bytes),
            Input::Refused { domain, refusal, fetch } => self.on_refused(domain, refusal, fetch),
            Input::Removed { removal } => self.on_removed(removal),
            Input::Renamed => self.on_renamed(),
            Input::Restored { doubts, entries } => self.on_restored(doubts, entries),
            Input::Skipped { from, bytes } => {
                self.admits(from, bytes);
            }
            Input::Tick => {}
        }
        self.order_connections();
        self.end_gathering();
        self.free_kin();
    }

    /// The next thing to do, in order; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back at the latest, and what will be due then.
    pub fn poll_timeout(&self) -> Option<(Timestamp, Deadline)> {
        let removal = self.cache.next_removal().map(|date| (date, Deadline::Removal));
        let fleet = self.fleet.as_ref().and_then(|fleet| fleet.next_deadline());
        let receipt = self.receipts.next_deadline().map(|date| (date, Deadline::Receipt));
        let ledger = self.ledger.next_due().map(|date| (date, Deadline::Ledger));
        let passes = self.passing.next_deadline().map(|date| (date, Deadline::Passes));
        let outage = self.outage.next_telling().map(|date| (date, Deadline::Outage));
        let own = self.flights.next_deadline().into_iter().chain(removal).chain(receipt).chain(outage);
        own.chain(fleet).chain(ledger).chain(passes).min()
    }

    /// Members that names are shared out among, ourselves left out, in order.
    pub fn members(&self) -> Vec<PeerId> {
        self.fleet.as_ref().map_or_else(Vec::new, |fleet| fleet.ring.others().collect())
    }

    /// How many [`Self::members`] there are.
    pub fn members_count(&self) -> usize {
        self.fleet.as_ref().map_or(0, |fleet| fleet.ring.others_count())
    }

    /// How many peers are connected, those of other districts among them.
    pub fn links_count(&self) -> usize {
        self.fleet.as_ref().map_or(0, |fleet| fleet.peers.connected().len())
    }

    /// Whether `peer`, as a member, would be one of this node's district.
    pub fn is_neighbour(&self, peer: PeerId) -> bool {
        self.fleet.as_ref().is_some_and(|fleet| fleet.districts.is_neighbour(peer))
    }

    /// Whether this node's district is the one that looks after `key`, as far as it knows.
    pub fn is_home_of(&self, key: &Key) -> bool {
        self.fleet.as_ref().is_none_or(|fleet| fleet.districts.is_home_of(&fleet.name(key)))
    }

    /// The peers that we know, and how we stand with each.
    pub fn peers(&self) -> Vec<PeerReport> {
        self.fleet.as_ref().map_or_else(Vec::new, |fleet| fleet.peers.report(self.now))
    }

    /// The members of the fleet as far as we know, without ourselves, in order.
    pub fn fleet_members(&self) -> Vec<Member> {
        self.fleet.as_ref().map_or_else(Vec::new, |fleet| fleet.membership.members().cloned().collect())
    }

    /// Number of leases that are granted.
    pub fn leases_count(&self) -> usize {
        self.fleet.as_ref().map_or(0, |fleet| fleet.leases.len())
    }

    /// Number of entries that are being looked for on behalf of members.
    pub fn searches_count(&self) -> usize {
        self.fleet.as_ref().map_or(0, |fleet| fleet.searches.len())
    }

    /// Number of names by which members may ask for entries in memory.
    pub fn names_count(&self) -> usize {
        self.fleet.as_ref().map_or(0, |fleet| fleet.names.len())
    }

    /// What each peer said last that it had counted.
    pub fn peer_figures(&self) -> Vec<(PeerId, Figures)> {
        let fleet = self.fleet.iter().flat_map(|fleet| fleet.figures.iter());
        fleet.map(|(peer, figures)| (*peer, *figures)).collect()
    }

    /// How the allowances of all payers stand, as far as this node and those that have told it know; those with the latest
    /// news last.
    pub fn accounts(&self) -> Vec<AccountReport> {
        let mut accounts = self.ledger.report(self.now);
        for account in &mut accounts {
            account.writes.waiting = self.writes_waiting_for(account.allowance.payer);
        }
        accounts
    }

    /// Since when the origin cannot be reached, and by whose word; `None` if nothing speaks against it.
    pub fn outage(&self) -> Option<OutageReport> {
        self.outage.report()
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The entries in memory whose key's text begins with `prefix`, in the order of their keys, at most `most`.
    pub fn entries_from(&self, prefix: &str, most: usize) -> Vec<Arc<Entry>> {
        self.cache.entries_from(prefix).take(most).map(Arc::clone).collect()
    }

    /// Number of entries in memory.
    pub fn entries_count(&self) -> usize {
        self.cache.len()
    }

    /// Bytes that the entries in memory weigh.
    pub fn entries_bytes(&self) -> usize {
        self.cache.weight_bytes()
    }

    /// Number of lookups in progress.
    pub fn flights_count(&self) -> usize {
        self.flights.len()
    }

    fn on_due(&mut self) {
        while let Some((due, deadline)) = self.poll_timeout().filter(|(date, _)| *date <= self.now) {
            match deadline {
                Deadline::Affording(flight) => self.on_affording_due(flight),
                Deadline::Ask(ask) => self.on_ask_timed_out(ask),
                Deadline::District => self.on_district_due(),
                Deadline::Errand(ask) => self.on_errand_timed_out(ask),
                Deadline::Fetch(fetch) => {
                    self.outputs.push_back(Output::CancelFetch { fetch });
                    self.on_fetched(fetch, Fetched::Failed(FetchError::TimedOut), Reached::No);
                }
                Deadline::Gathering => self.stop_gathering(),
                Deadline::Guests => self.on_guests_due(),
                Deadline::Hedge(ask) => self.on_hedge_due(ask, due),
                Deadline::Kin(flight) => self.on_kin_due(flight),
                Deadline::Ledger => self.on_ledger_due(),
                Deadline::Outage => self.on_outage_due(),
                Deadline::Passes => self.on_passes_due(),
                Deadline::Lease => self.on_lease_due(),
                Deadline::Load(load) => self.on_loaded(load, None),
                Deadline::Membership => self.on_membership_due(),
                Deadline::Peers => self.on_peers_due(),
                Deadline::Recollection => self.remember(),
                Deadline::Inquiry(ask) => self.on_inquiry_timed_out(ask),
                Deadline::Receipt => self.on_receipt_due(),
                Deadline::Removal => {
                    for key in self.cache.remove_outdated(self.now) {
                        self.hide(key);
                    }
                }
                Deadline::Request(request) => self.on_request_timed_out(request),
                Deadline::Search => self.on_search_due(),
            }
        }
    }

    /// Lets readers see `entry`, and members ask for it.
    fn publish(&mut self, entry: Arc<Entry>) {
        if let Some(fleet) = &mut self.fleet {
            fleet.learn_names(entry.key());
            fleet.shelf.take(entry.key());
        }
        self.outputs.push_back(Output::Publish { entry });
    }

    /// Hides `key` from readers and members.
    fn hide(&mut self, key: Key) {
        if let Some(fleet) = &mut self.fleet {
            fleet.forget_names(&key);
        }
        self.outputs.push_back(Output::Retract { key });
    }

    fn answer(&mut self, request: RequestId, entry: &Arc<Entry>, served: Served) {
        self.complete(request, Outcome::Answered { entry: Arc::clone(entry), served });
    }

    /// Answers a look-up and counts how it ended.
    fn complete(&mut self, request: RequestId, outcome: Outcome) {
        self.counters.count(&outcome);
        self.conclude(request, outcome);
    }

    /// Answers `request`, whether it waited or not. The only place that does.
    fn conclude(&mut self, request: RequestId, outcome: Outcome) {
        self.flights.leave(request);
        self.outputs.push_back(Output::Complete { request, outcome });
    }
}

/// The ledger of a node that keeps `settings`, as member `local` of a fleet or by itself.
fn ledger(settings: &Settings, local: Option<PeerId>) -> Ledger {
    let mut ledger = Ledger::new(settings.reserves, settings.calls_at_once, local);
    ledger.set_write_pace(settings.writes);
    ledger
}
