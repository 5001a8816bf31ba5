//! The decisions that the engine gets.

use super::{Ban, TrafficLimits};
use crate::{Guest, HOSTS_MAX, PeerId, Timestamp, port::Side};
use alloc::boxed::Box;

/// Which connections a node makes, and how many.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerSettings {
    /// Most connections. A district of up to this size plus one is a full mesh; in a larger one every member makes three
    /// quarters of them by itself and leaves the others to members that dial it. At the limit a connection with another
    /// district that is not in use gives way, or else the one that served no lookup for longest.
    pub connections_max: usize,
    /// Whether this node takes part as a guest, which has few connections.
    pub guest: Guest,
    /// What a peer may send.
    pub traffic: TrafficLimits,
    /// By how many ways the driver finds contacts; if there are any, it is told to [seek](crate::Output::Seek).
    pub ways: u8,
}

impl Default for PeerSettings {
    /// At most 256 connections.
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            guest: Guest::Never,
            traffic: TrafficLimits::default(),
            ways: 0,
        }
    }
}

impl PeerSettings {
    /// Connections that a node makes by itself where not all members can be connected. The rest is for members that
    /// dial it, so that few of them cost another its place.
    pub(crate) fn connections_wanted(&self) -> usize {
        (self.connections_max - self.connections_max.div_ceil(4)).max(1)
    }

    /// Connections below which contacts are sought without delay: with three, hardly any part of a fleet is alone for
    /// long, and few nodes are asked for. A guest has no more than its hosts.
    pub(crate) fn connections_sought(&self) -> usize {
        let most = if self.guest == Guest::Never { SOUGHT } else { HOSTS_MAX };
        most.min(self.connections_max)
    }

    /// Most members, peers and standings that a node remembers: several times as many as it is connected with.
    pub(crate) fn known_max(&self) -> usize {
        self.connections_max.saturating_mul(KNOWN_PER_CONNECTION).max(KNOWN_MIN)
    }
}

/// A default that suits fleets of hundreds: 20 MiB for the connections of a full mesh.
const CONNECTIONS_MAX: usize = 256;

/// See [`PeerSettings::connections_sought`].
const SOUGHT: usize = 3;

/// With the default limit, this gives [`KNOWN_MIN`].
const KNOWN_PER_CONNECTION: usize = 4;

/// Members and peers that are remembered however few connections there may be.
pub(crate) const KNOWN_MIN: usize = 1024;

/// What the driver shall do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PeerDecision {
    /// Connect with the peer at `address`.
    Dial {
        /// The address to dial, a multiaddr.
        address: Box<str>,
    },
    /// End the connection with `peer`.
    Disconnect {
        /// The peer to leave.
        peer: PeerId,
    },
    /// Look for contacts by all ways.
    Seek,
}

/// Whether a connection is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Welcome {
    /// Yes, and the connection with another, which is at its end, has given way.
    Keep {
        /// The peer that has given way.
        instead_of: Option<PeerId>,
    },
    /// No; nothing is to be sent or read on it.
    Refuse(Unwelcome),
}

/// Why a connection is not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unwelcome {
    /// The peer is banned.
    Banned(Ban),
    /// There are [`PeerSettings::connections_max`] others, of which none may give way yet.
    Full,
    /// It is this node.
    Itself,
}

/// Whether a message may be looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Traffic {
    /// No: the peer sends too much.
    Over {
        /// The ban that this brought.
        ban: Option<Ban>,
    },
    /// Yes: the peer keeps to its allowance.
    Within,
}

/// A connection that is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Connection {
    /// Where the other side is; to be dialled only if we dialled it.
    pub(crate) address: Box<str>,
    /// The side that this node is.
    pub(crate) side: Side,
    /// When the connection began.
    pub(crate) since: Timestamp,
    /// When something was last said or heard for a lookup, if it ever was.
    pub(crate) used_at: Option<Timestamp>,
    /// Whether the peer belongs to another district of the fleet, or is a guest as this node is: the connection is there to be
    /// used, and else ends.
    pub(crate) is_outside: bool,
}
