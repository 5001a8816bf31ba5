//! What people are told about peers.

use super::{Ban, DialFailure};
use crate::{PeerId, Timestamp, port::Side};
use alloc::boxed::Box;

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
