//! What people are told about peers.
//!
//! Owns no state; reads that of [`Peers`].

use super::{
    Ban, Peers, Way,
    candidate::{Candidate, KnownBy, Stage},
};
use crate::{
    PeerId, Timestamp,
    port::{DialError, Side},
};
use alloc::{boxed::Box, vec::Vec};

impl Peers {
    /// Every peer that there is something to say about, by id; contacts that have not answered come last.
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
            self.report_on(now, Some(peer), candidates.min_by_key(|candidate| candidate.known_by))
        });
        known.chain(strangers).collect()
    }

    fn report_on(&self, now: Timestamp, peer: Option<PeerId>, candidate: Option<&Candidate>) -> PeerReport {
        let connection = peer.and_then(|peer| self.connected.get(&peer));
        let next = candidate.and_then(|candidate| candidate.addresses.get(candidate.next));
        let state = if let Some(ban) = peer.and_then(|peer| self.conduct.ban(now, peer)) {
            PeerState::Banned(ban)
        } else if let (Some(connection), Some(peer)) = (connection, peer) {
            let is_silent = self.conduct.is_silent(now, peer);
            PeerState::Connected { since: connection.since, side: connection.side, is_silent }
        } else {
            candidate.map_or(PeerState::Known, state_of)
        };
        PeerReport {
            peer,
            address: connection.map(|connection| &connection.address).or(next).cloned(),
            source: candidate.map_or(PeerSource::Itself, |candidate| match candidate.known_by {
                KnownBy::Contact { .. } => PeerSource::Contact,
                KnownBy::Found { way, .. } => PeerSource::Found(way),
                KnownBy::Membership | KnownBy::Outsider => PeerSource::Membership,
                KnownBy::Remembered => PeerSource::Remembered,
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
    /// The peer's id; `None` for a contact that names no peer and has not answered yet.
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
    pub last_failure: Option<DialError>,
}

/// How a peer came to be known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PeerSource {
    /// The settings name it.
    Contact,
    /// Discovery found it, first by this way.
    Found(Way),
    /// It connected with us.
    Itself,
    /// Membership says that it lives.
    Membership,
    /// It was a member when the last process ended.
    Remembered,
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
        /// When the connection began.
        since: Timestamp,
        /// The side that this node is.
        side: Side,
        /// It left an ask unanswered and has said nothing since; for some seconds others are asked instead.
        is_silent: bool,
    },
    /// A dial is under way.
    Dialing {
        /// When the dial began.
        since: Timestamp,
    },
    /// It is known and has not been dialled yet.
    Known,
}

fn state_of(candidate: &Candidate) -> PeerState {
    match candidate.stage {
        Stage::Dialing { since } => PeerState::Dialing { since },
        Stage::Waiting { until } if candidate.failures > 0 => PeerState::BackingOff { until },
        Stage::Leaving | Stage::Settled | Stage::Waiting { .. } => PeerState::Known,
    }
}
