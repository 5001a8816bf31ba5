//! What others are told about peers: people in a report, peers in an exchange.
//!
//! Owns no state; reads that of [`Peers`].

use super::{
    Ban, DialFailure, Peers,
    book::{ADDRESSES_MAX, Target},
    candidate::{Candidate, Origin, Stage},
    contact::with_peer,
};
use crate::{PeerId, Timestamp, port::Side};
use alloc::{boxed::Box, vec::Vec};

impl Peers {
    /// Where peers that we are connected with can be dialled, for an exchange: at most `peers_max` of them
    /// and [`SHARED_MAX`], others every time until all had their turn. Hearsay is not passed on.
    pub(crate) fn addresses_to_share(
        &mut self,
        now: Timestamp,
        peers_max: usize,
    ) -> Vec<(PeerId, Vec<Box<str>>)> {
        let behind = |peer: &PeerId| self.shared.is_none_or(|shared| *peer > shared);
        let (later, earlier): (Vec<_>, Vec<_>) = self.connected.keys().copied().partition(behind);
        let shared: Vec<_> = later
            .into_iter()
            .chain(earlier)
            .filter(|peer| self.conduct.ban(now, *peer).is_none())
            .map(|peer| (peer, self.vouched_addresses(peer)))
            .filter(|(_peer, addresses)| !addresses.is_empty())
            .take(peers_max.min(SHARED_MAX))
            .collect();
        self.shared = shared.last().map(|(peer, _addresses)| *peer);
        shared
    }

    /// Everybody there is something to say about, by id; contacts that have not answered come last.
    pub(crate) fn report(&self, now: Timestamp) -> Vec<PeerReport> {
        let mut peers: Vec<PeerId> = self.connected.keys().copied().collect();
        peers.extend(self.conduct.bans(now).map(|(peer, _ban)| peer));
        peers.extend(self.book.candidates().filter_map(|(target, _candidate)| self.book.peer_of(target)));
        peers.sort_unstable();
        peers.dedup();
        let strangers = self.book.candidates().filter(|(target, _)| self.book.peer_of(*target).is_none());
        let strangers = strangers.map(|(_target, candidate)| self.report_on(now, None, Some(candidate)));
        let known = peers.into_iter().map(|peer| {
            let targets = self.book.targets_of(peer);
            let candidates = targets.iter().filter_map(|target| self.book.candidate(*target));
            self.report_on(now, Some(peer), candidates.min_by_key(|candidate| candidate.origin))
        });
        known.chain(strangers).collect()
    }

    /// Addresses of a connected peer that we dialled, or that it gives itself.
    fn vouched_addresses(&self, peer: PeerId) -> Vec<Box<str>> {
        let dialed = self.connected.get(&peer).filter(|connection| connection.side == Side::Dialer);
        let mut addresses: Vec<_> =
            dialed.map(|connection| with_peer(&connection.address, peer)).into_iter().collect();
        let candidate = self.book.candidate(Target::Named(peer));
        let said = candidate.filter(|candidate| !matches!(candidate.origin, Origin::Told(_)));
        addresses.extend(said.into_iter().flat_map(|candidate| candidate.addresses.iter().cloned()));
        let mut place = 0;
        while place < addresses.len() {
            let (before, rest) = addresses.split_at(place);
            if before.contains(&rest[0]) {
                addresses.remove(place);
            } else {
                place += 1;
            }
        }
        addresses.truncate(ADDRESSES_MAX);
        addresses
    }

    fn report_on(&self, now: Timestamp, peer: Option<PeerId>, candidate: Option<&Candidate>) -> PeerReport {
        let connection = peer.and_then(|peer| self.connected.get(&peer));
        let next = candidate.and_then(|candidate| candidate.addresses.get(candidate.next));
        let state = if let Some(ban) = peer.and_then(|peer| self.conduct.ban(now, peer)) {
            PeerState::Banned(ban)
        } else if let (Some(connection), Some(peer)) = (connection, peer) {
            let is_silent = self.conduct.is_silent(peer);
            PeerState::Connected { since: connection.since, side: connection.side, is_silent }
        } else {
            candidate.map_or(PeerState::Known, state_of)
        };
        PeerReport {
            peer,
            address: connection.map(|connection| &connection.address).or(next).cloned(),
            source: candidate.map_or(PeerSource::Itself, |candidate| match candidate.origin {
                Origin::Contact { .. } => PeerSource::Contact,
                Origin::Membership => PeerSource::Membership,
                Origin::Told(_) => PeerSource::Peer,
            }),
            state,
            score: peer.map_or(0, |peer| self.conduct.score(now, peer)),
            failures: candidate.map_or(0, |candidate| candidate.failures),
            last_failure: candidate.and_then(|candidate| candidate.last_failure),
        }
    }
}

/// One peer or contact, as of now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerReport {
    /// Who it is; `None` for a contact that names no peer and has not answered yet.
    pub peer: Option<PeerId>,
    /// Where it is connected, or else where it is tried next.
    pub address: Option<Box<str>>,
    /// How it came to be known.
    pub source: PeerSource,
    /// How things stand with it.
    pub state: PeerState,
    /// Zero for a peer without fault; at -100 it is banned, and returns with -50.
    pub score: i32,
    /// How often in a row it could not be reached, or a connection broke off early.
    pub failures: u32,
    /// Why the last dial came to nothing, unless a connection followed.
    pub last_failure: Option<DialFailure>,
}

/// How a peer came to be known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PeerSource {
    /// It is configured.
    Contact,
    /// It connected with us.
    Itself,
    /// Membership says that it lives.
    Membership,
    /// Another peer told of it.
    Peer,
}

/// How things stand with a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PeerState {
    /// It could not be reached and is tried again.
    BackingOff {
        /// The earliest moment for that.
        until: Timestamp,
    },
    /// It is kept away.
    Banned(Ban),
    /// There is a connection.
    Connected {
        /// Since when.
        since: Timestamp,
        /// Who dialled.
        side: Side,
        /// It left the last ask unanswered.
        is_silent: bool,
    },
    /// A dial is under way.
    Dialing {
        /// Since when.
        since: Timestamp,
    },
    /// It could not be reached and is no longer tried.
    GivenUp {
        /// When it is forgotten.
        until: Timestamp,
    },
    /// It is known and has not been dialled yet.
    Known,
}

fn state_of(candidate: &Candidate) -> PeerState {
    match candidate.stage {
        Stage::Dialing { since } => PeerState::Dialing { since },
        Stage::GivenUp { until } => PeerState::GivenUp { until },
        Stage::Waiting { until } if candidate.failures > 0 => PeerState::BackingOff { until },
        Stage::Leaving | Stage::Settled | Stage::Waiting { .. } => PeerState::Known,
    }
}

/// Most peers in one exchange. The specification's figure.
pub(crate) const SHARED_MAX: usize = 50;
