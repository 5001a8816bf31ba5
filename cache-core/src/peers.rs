//! Which peers to hold connections with: dialing, backing off, scoring, banning.
//!
//! Owns which peers a node knows, which it dials and when, and which are kept away. Does not know what peers say and
//! sends nothing: it returns [`PeerDecision`]s that the engine turns into outputs.
//!
//! The aim is a full mesh of the district up to [`PeerSettings::connections_max`], since a node asks the coordinator of a key
//! directly. If there are more members, a node dials until it holds three quarters of that, the one first that is due
//! first, which scattered pauses make another choice on every node. Beyond that it dials a peer that a lookup needs
//! ([`Peers::want`]), and contacts that membership does not know to live, which may lead to others. At the limit a
//! newcomer takes the place of the connection that is of least use.

mod attempts;
mod book;
mod candidate;
mod conduct;
mod contact;
mod decision;
mod giving_way;
mod hosts;
mod jitter;
mod kind;
mod outside;
#[cfg(test)]
mod properties;
mod report;
#[cfg(test)]
mod rules;
mod seeking;
mod traffic;
#[cfg(test)]
mod world;

pub(crate) use decision::{Connection, KNOWN_MIN, PeerDecision, Traffic, Unwelcome, Welcome};
pub use {
    book::FOUND_MAX,
    conduct::{Ban, Offence},
    contact::{Contact, Way},
    decision::PeerSettings,
    report::{PeerReport, PeerSource, PeerState},
    traffic::TrafficLimits,
};

use crate::{
    Member, PeerId, Timestamp,
    port::{DIAL_TIMEOUT, DialError, Side, TIE_WINDOW},
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use attempts::{Attempts, Reached};
use book::{Book, Target};
use candidate::{BOOTSTRAP_INTERVAL, Candidate, KnownBy, PAUSE_MAX, Stage};
use conduct::Conduct;
use contact::CONTACTS_MAX;
use core::time::Duration;
pub(crate) use giving_way::Stake;
use giving_way::{GivingWay, Reason, STAND_MIN};
use kind::Kind;
use seeking::Seeking;
pub(crate) use {jitter::Jitter, kind::DIALS_MAX};

/// The peers of one node.
#[derive(Debug)]
pub(crate) struct Peers {
    local: PeerId,
    settings: PeerSettings,
    book: Book,
    conduct: Conduct,
    attempts: Attempts,
    connected: BTreeMap<PeerId, Connection>,
    decisions: VecDeque<PeerDecision>,
    giving_way: GivingWay,
    seeking: Seeking,
    jitter: Jitter,
    deadline: Option<Timestamp>,
}

impl Peers {
    /// A node that knows its contacts, and the members of its last run. They are due at once: the first
    /// [`Self::on_due`] dials them.
    pub(crate) fn new(
        local: PeerId,
        own_addresses: &[Box<str>],
        contacts: &[Contact],
        remembered: &[Member],
        (settings, seed): (PeerSettings, u64),
    ) -> Self {
        let book = Book::new(local, own_addresses, contacts, remembered, settings.known_max());
        let seeking = Seeking::new(settings.ways);
        let contacts = book.candidates().next().map(|_any| Timestamp::default());
        let deadline = contacts.or(seeking.next());
        Self {
            local,
            book,
            conduct: Conduct::new(settings.known_max()),
            attempts: Attempts::default(),
            connected: BTreeMap::new(),
            decisions: VecDeque::new(),
            giving_way: GivingWay::default(),
            seeking,
            jitter: Jitter::new(seed),
            deadline,
            settings,
        }
    }

    /// Membership says that `peer` lives and can be reached at `addresses`.
    ///
    /// Of two nodes that learn of each other, the one with the smaller id dials at once and the other one
    /// [`COURTESY`] later if nothing came, so that they seldom dial each other at the same time.
    pub(crate) fn on_known(&mut self, now: Timestamp, peer: PeerId, addresses: &[Box<str>]) {
        self.book.learn(peer, addresses, now.saturating_add(self.courtesy(peer)));
        self.plan(now);
    }

    /// Membership says that `peer` has started again, or is a member once more, and can be reached at `addresses`:
    /// whatever came of earlier dials, it is dialed like a new peer.
    pub(crate) fn on_back(&mut self, now: Timestamp, peer: PeerId, addresses: &[Box<str>]) {
        let until = now.saturating_add(self.courtesy(peer));
        self.book.learn(peer, addresses, until);
        self.book.back(peer, until);
        self.plan(now);
    }

    /// Membership says that `peer` left or died. Only contacts are dialed again, and without haste.
    pub(crate) fn on_gone(&mut self, now: Timestamp, peer: PeerId) {
        self.book.gone(now, peer, self.connected.contains_key(&peer), &mut self.jitter);
        self.plan(now);
    }

    /// Membership has forgotten that `peer` ever was: it is no longer dialed, unless it is a contact or connected.
    pub(crate) fn on_forgotten(&mut self, peer: PeerId) {
        if !self.connected.contains_key(&peer) {
            self.book.forget(peer);
        }
    }

    /// The transport connected with `peer` at `address`. If the peer is refused, this also decides its `Disconnect`.
    ///
    /// Connections with peers at `stake` give way last.
    pub(crate) fn on_connected(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        (address, side): (&str, Side),
        stake: &BTreeMap<PeerId, Stake>,
    ) -> Welcome {
        let reached = (side == Side::Dialer).then(|| self.attempts.reached(peer, address)).flatten();
        let reason = match reached.as_ref().map(|reached| reached.kind) {
            Some(Kind::Wanted) => Reason::Lookup,
            Some(Kind::Contact | Kind::ContactAgain | Kind::Found | Kind::FoundAgain | Kind::Member)
            | None => Reason::Meeting,
        };
        if let Some(Reached { dialed, target, .. }) = reached {
            if peer == self.local {
                self.failed(now, target, &dialed, DialError::Itself);
            } else {
                self.book.met(target, peer);
                self.settle(target, &dialed);
            }
        }
        let refusal = if peer == self.local {
            Some(Unwelcome::Itself)
        } else {
            self.conduct.ban(now, peer).map(Unwelcome::Banned)
        };
        let is_full = !self.connected.contains_key(&peer) && self.is_full() && refusal.is_none();
        let choose = || self.giving_way.choose(now, &self.connected, reason, stake);
        let instead_of = is_full.then(choose).flatten();
        let refusal = refusal.or((is_full && instead_of.is_none()).then_some(Unwelcome::Full));
        self.withdraw_dials(peer);
        if let Some(least) = instead_of {
            self.give_way(now, least);
        }
        let verdict = match refusal {
            Some(refusal) => {
                self.disconnect(peer);
                self.put_off(now, peer, refusal);
                Welcome::Refuse(refusal)
            }
            None => {
                for target in self.book.targets_of(peer) {
                    if !self.attempts.is_dialing(target) {
                        self.settle(target, address);
                    }
                }
                let used_at = (reason == Reason::Lookup).then_some(now);
                let connection =
                    Connection { address: address.into(), side, since: now, used_at, is_outside: false };
                self.connected.insert(peer, connection);
                Welcome::Keep { instead_of }
            }
        };
        self.plan(now);
        verdict
    }

    /// A connection has ended, whether it was kept or refused.
    pub(crate) fn on_disconnected(&mut self, now: Timestamp, peer: PeerId) {
        self.decisions.retain(|decision| *decision != PeerDecision::Disconnect { peer });
        self.conduct.end_silence(peer);
        let Some(connection) = self.connected.remove(&peer) else { return };
        let stood = now.saturating_since(connection.since);
        let courtesy = self.courtesy(peer);
        for target in self.book.targets_of(peer) {
            self.book.leave_outsider(target);
            if let Some(candidate) = self.book.candidate_mut(target) {
                candidate.lost(now, stood, courtesy, &mut self.jitter);
                if connection.is_outside {
                    candidate.gave_way(now.saturating_add(self.jitter.scatter(BOOTSTRAP_INTERVAL)));
                }
                if self.connected.is_empty() {
                    candidate.hurry(now);
                }
            }
        }
        self.seek_soon(now);
        self.plan(now);
    }

    /// A dial failed. Dials that were not decided here are ignored.
    pub(crate) fn on_dial_failed(&mut self, now: Timestamp, address: &str, failure: DialError) {
        if let Some(target) = self.attempts.failed(address) {
            self.failed(now, target, address, failure);
            self.plan(now);
        }
    }

    /// `peer` did what it must not. The ban that this may bring ends the connection.
    pub(crate) fn on_offence(&mut self, now: Timestamp, peer: PeerId, offence: Offence) -> Option<Ban> {
        let ban = self.conduct.offend(now, peer, offence)?;
        self.withdraw_dials(peer);
        if self.connected.contains_key(&peer) {
            self.disconnect(peer);
        }
        self.plan(now);
        Some(ban)
    }

    /// Something was said to `peer`, or heard from it, for a lookup: others give way before it.
    pub(crate) fn on_used(&mut self, now: Timestamp, peer: PeerId) {
        if let Some(connection) = self.connected.get_mut(&peer) {
            connection.used_at = Some(now);
        }
    }

    /// A lookup needs `peer`, which is not connected: dials it now, unless a dial failed lately. Returns whether a
    /// dial is under way.
    pub(crate) fn want(&mut self, now: Timestamp, peer: PeerId) -> bool {
        if self.is_within_reach(now, peer) {
            self.dial(now, Kind::Wanted, Target::Named(peer));
            self.plan(now);
        }
        self.is_dialing(peer)
    }

    /// Whether a dial of `peer`, which is not connected, may well lead to it.
    pub(crate) fn is_within_reach(&self, now: Timestamp, peer: PeerId) -> bool {
        let has_room = self.attempts.has_room(Kind::Wanted);
        self.book.candidate(Target::Named(peer)).is_some_and(|candidate| match candidate.stage {
            Stage::Dialing { .. } => true,
            Stage::Waiting { until } => {
                // Where there is no room for all, connections end and dials are refused although all peers live.
                let is_hopeful = match candidate.last_failure {
                    None => true,
                    Some(DialError::TooMany) => until <= now,
                    Some(_nobody_answered) => until <= now && candidate.failures <= HOPEFUL_FAILURES,
                };
                has_room
                    && is_hopeful
                    && !candidate.addresses.is_empty()
                    && self.conduct.ban(now, peer).is_none()
            }
            Stage::Leaving | Stage::Settled => false,
        })
    }

    /// Whether a dial of `peer` is under way.
    pub(crate) fn is_dialing(&self, peer: PeerId) -> bool {
        self.attempts.is_dialing(Target::Named(peer))
    }

    /// Something useful came from `peer`: it is forgiven a little.
    pub(crate) fn on_heard(&mut self, now: Timestamp, peer: PeerId) {
        self.conduct.heard(now, peer);
    }

    /// A message of `bytes` came from `peer`, so it is not silent. A message beyond its allowance is to be dropped.
    pub(crate) fn on_traffic(&mut self, now: Timestamp, peer: PeerId, bytes: usize) -> Traffic {
        if self.conduct.take(now, peer, bytes, &self.settings.traffic) {
            Traffic::Within
        } else {
            Traffic::Over { ban: self.on_offence(now, peer, Offence::Flood) }
        }
    }

    /// Does what is due. Calling it early or often loses nothing.
    pub(crate) fn on_due(&mut self, now: Timestamp) {
        self.plan(now);
    }

    /// The next thing to do, in the order in which it was decided.
    pub(crate) fn poll_decision(&mut self) -> Option<PeerDecision> {
        self.decisions.pop_front()
    }

    /// When [`Self::on_due`] has something to do; `None` while only events can give it something.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// Whether one more connection is kept only in place of another.
    pub(crate) fn is_full(&self) -> bool {
        self.connected.len() >= self.settings.connections_max
    }

    /// The connections that are kept.
    pub(crate) fn connected(&self) -> &BTreeMap<PeerId, Connection> {
        &self.connected
    }

    /// The peers that left an ask unanswered and have said nothing since, for [`SILENT_FOR`](conduct::SILENT_FOR):
    /// others are asked instead.
    pub(crate) fn silent(&self, now: Timestamp) -> impl Iterator<Item = PeerId> {
        self.conduct.silent(now)
    }

    /// Whether no peer was connected yet, and a contact or a remembered member is being dialed, or about to be, for
    /// the first time. If one of them is not there, that says nothing about the others.
    pub(crate) fn awaits_first_contact(&self) -> bool {
        let contacts = || {
            let candidates = self.book.candidates().map(|(_target, candidate)| candidate);
            candidates
                .filter(|candidate| !matches!(candidate.known_by, KnownBy::Membership | KnownBy::Outsider))
        };
        let is_untried = |contact: &Candidate| {
            let is_open = match contact.stage {
                Stage::Dialing { .. } => true,
                Stage::Waiting { until } => until == Timestamp::default(),
                Stage::Leaving | Stage::Settled => false,
            };
            is_open && contact.last_failure.is_none() && contact.failures == 0
        };
        self.connected.is_empty() && (self.seeking.is_awaited() || contacts().any(is_untried))
    }

    /// Starts the dials that are due and have room, and finds out when to look again.
    fn plan(&mut self, now: Timestamp) {
        for (address, target) in self.attempts.overdue(now) {
            self.failed(now, target, &address, DialError::TimedOut);
        }
        self.conduct.tidy(now, &self.settings.traffic);
        let sought_again = self.seek(now);
        let members_wanted = if self.book.members_count() > self.settings.connections_max {
            self.settings.connections_wanted()
        } else {
            self.settings.connections_max
        };
        let due = self.due(now);
        let (due, look_again) =
            if self.is_of_guest() { (Vec::new(), self.plan_hosts(now, due)) } else { (due, None) };
        for (kind, target) in due {
            let held = self.connected.len() + self.attempts.len();
            let most = match kind {
                Kind::Member => members_wanted,
                Kind::Contact | Kind::ContactAgain | Kind::Found | Kind::FoundAgain | Kind::Wanted => {
                    self.settings.connections_max
                }
            };
            if kind.is_found() && !self.may_try_found() {
                continue;
            }
            // The peers that a full node is connected with may all be connected with one another, and with no others.
            let is_way_out = (kind.is_found() || matches!(kind, Kind::Contact | Kind::ContactAgain))
                && self.connected.len() >= most
                && self.attempts.len() == 0;
            if (held < most || is_way_out) && self.attempts.has_room(kind) {
                self.dial(now, kind, target);
            }
        }
        let pauses = self.book.candidates().filter_map(|(_target, candidate)| match candidate.stage {
            Stage::Waiting { until } => Some(until),
            Stage::Dialing { .. } | Stage::Leaving | Stage::Settled => None,
        });
        // What is due and has no room waits for an event, not for a time.
        let later = pauses.filter(|until| *until > now).chain(self.attempts.next_deadline());
        let later = later.chain(sought_again);
        self.deadline = later.chain(look_again).min();
    }

    /// The candidates whose pause is over, the most wanted first.
    fn due(&mut self, now: Timestamp) -> Vec<(Kind, Target)> {
        let waiting = self.book.candidates().filter_map(|(target, candidate)| match candidate.stage {
            Stage::Waiting { until } if until <= now => {
                Some((Kind::of(candidate), until, candidate.known_by, target))
            }
            Stage::Waiting { .. } | Stage::Dialing { .. } | Stage::Leaving | Stage::Settled => None,
        });
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_unstable();
        waiting.retain(|(_kind, _until, _known_by, target)| {
            let Some(peer) = self.book.peer_of(*target) else { return true };
            let stage = if self.connected.contains_key(&peer) {
                Stage::Settled
            } else if let Some(ban) = self.conduct.ban(now, peer) {
                Stage::Waiting { until: ban.until }
            } else {
                return true;
            };
            if let Some(candidate) = self.book.candidate_mut(*target) {
                candidate.stage = stage;
            }
            false
        });
        waiting.into_iter().map(|(kind, _until, _known_by, target)| (kind, target)).collect()
    }

    fn dial(&mut self, now: Timestamp, kind: Kind, target: Target) {
        let peer = self.book.peer_of(target);
        let is_dialed = peer.is_some_and(|peer| {
            self.book.targets_of(peer).iter().any(|target| self.attempts.is_dialing(*target))
        });
        if is_dialed {
            if kind == Kind::Wanted
                && let Some(peer) = peer
            {
                self.book.targets_of(peer).into_iter().for_each(|target| self.attempts.want(target));
            }
            return;
        }
        if let Some(address) = self.book.candidate_mut(target).and_then(|candidate| candidate.begin(now)) {
            let until = now.saturating_add(DIAL_TIMEOUT).saturating_add(DIAL_GRACE);
            self.attempts.begin(address.clone(), target, kind, until);
            self.decisions.push_back(PeerDecision::Dial { address });
        }
    }

    fn failed(&mut self, now: Timestamp, target: Target, address: &str, failure: DialError) {
        if let DialError::AlreadyConnected { peer } = failure {
            self.book.met(target, peer);
        }
        let peer = self.book.peer_of(target);
        let is_connected = peer.is_some_and(|peer| self.connected.contains_key(&peer));
        let Some(candidate) = self.book.candidate_mut(target) else { return };
        match failure {
            DialError::BadAddress | DialError::Itself | DialError::WrongPeer => {
                self.book.spoil(now, target, address, failure, &mut self.jitter);
            }
            DialError::AlreadyConnected { .. } if !is_connected => {
                // The other connection has ended in the meantime, or its peer is unknown to us.
                let pause = if peer.is_some() { TIE_WINDOW } else { PAUSE_MAX };
                let until = now.saturating_add(self.jitter.scatter(pause));
                candidate.stage = Stage::Waiting { until };
            }
            DialError::AlreadyConnected { .. } => {}
            DialError::OtherVersion
            | DialError::Refused
            | DialError::ShutDown
            | DialError::TimedOut
            | DialError::TooMany
            | DialError::Unreachable => {
                candidate.failed(now, failure, &mut self.jitter);
                if candidate.failures > 0 {
                    self.book.leave_outsider(target);
                }
                if !self.connected.is_empty() {
                    self.book.give_up(target);
                }
            }
        }
        if let (true, Some(candidate)) = (is_connected, self.book.candidate_mut(target)) {
            candidate.stage = Stage::Settled;
        }
    }

    fn settle(&mut self, target: Target, address: &str) {
        if let Some(candidate) = self.book.candidate_mut(target) {
            candidate.settle(address);
        }
    }

    /// Ends the connection with `peer` in favour of another. A mere lack of connections does not make this node dial
    /// it again.
    fn give_way(&mut self, now: Timestamp, peer: PeerId) {
        self.connected.remove(&peer);
        self.conduct.end_silence(peer);
        self.disconnect(peer);
        let until = now.saturating_add(self.jitter.scatter(PAUSE_MAX));
        for target in self.book.targets_of(peer) {
            self.book.leave_outsider(target);
            if let Some(candidate) = self.book.candidate_mut(target) {
                candidate.gave_way(until);
            }
        }
    }

    /// Leaves a peer that was refused alone for a while.
    fn put_off(&mut self, now: Timestamp, peer: PeerId, refusal: Unwelcome) {
        let pause = match refusal {
            // By then one may give way.
            Unwelcome::Full => STAND_MIN,
            Unwelcome::Banned(_) | Unwelcome::Itself => PAUSE_MAX,
        };
        let pause_end = now.saturating_add(self.jitter.scatter(pause));
        let until = self.conduct.ban(now, peer).map_or(pause_end, |ban| ban.until);
        for target in self.book.targets_of(peer) {
            if !self.attempts.is_dialing(target)
                && let Some(candidate) = self.book.candidate_mut(target)
            {
                candidate.stage = Stage::Waiting { until };
            }
        }
    }

    /// Takes back the dials of `peer` that the engine has not taken yet.
    fn withdraw_dials(&mut self, peer: PeerId) {
        let (book, attempts) = (&mut self.book, &mut self.attempts);
        self.decisions.retain(|decision| {
            let PeerDecision::Dial { address } = decision else { return true };
            let Some(target) = attempts.target(address).filter(|target| book.peer_of(*target) == Some(peer))
            else {
                return true;
            };
            attempts.failed(address);
            if let Some(candidate) = book.candidate_mut(target) {
                candidate.stage = Stage::Waiting { until: Timestamp::default() };
            }
            false
        });
    }

    fn disconnect(&mut self, peer: PeerId) {
        let decision = PeerDecision::Disconnect { peer };
        if !self.decisions.contains(&decision) {
            self.decisions.push_back(decision);
        }
    }

    /// Time that is left to `peer` to dial first.
    fn courtesy(&self, peer: PeerId) -> Duration {
        if self.local < peer { Duration::ZERO } else { COURTESY }
    }
}

/// Time that the peer with the smaller id has to dial before the other one does: two round trips around the
/// world and an admission.
const COURTESY: Duration = Duration::from_secs(2);

/// Time past the transport's own limit after which a dial counts as failed if the transport did not report on it.
const DIAL_GRACE: Duration = Duration::from_secs(5);

const _: () = assert!(CONTACTS_MAX <= DIALS_MAX);
const _: () = assert!(CONTACTS_MAX < KNOWN_MIN);

/// Failures after which a dial for a lookup would only hold it up.
const HOPEFUL_FAILURES: u32 = 2;
