//! The words in which the engine is answered.

use super::{Ban, TrafficLimits};
use crate::{PeerId, Timestamp, port::Side};
use alloc::boxed::Box;

/// The limits on connections.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerSettings {
    /// Most connections, and as many are wanted: a full mesh of a fleet up to this size plus one.
    pub connections_max: usize,
    /// What a peer may send.
    pub traffic: TrafficLimits,
}

impl Default for PeerSettings {
    /// 256 connections, as many as the transports hold.
    fn default() -> Self {
        Self { connections_max: 256, traffic: TrafficLimits::default() }
    }
}

/// What the driver shall do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PeerDecision {
    /// Connect with whoever is at `address`.
    Dial {
        /// A multiaddr.
        address: Box<str>,
    },
    /// End the connection with `peer`.
    Disconnect {
        /// With whom.
        peer: PeerId,
    },
}

/// Whether a connection is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Welcome {
    /// Yes.
    Keep,
    /// No; nothing is to be sent or read on it.
    Refuse(Refusal),
}

/// Why a connection is not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// The peer is banned.
    Banned(Ban),
    /// There are [`PeerSettings::connections_max`] others.
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
    /// Yes.
    Within,
}

/// A connection that is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Connection {
    /// Where the other side is; to be dialled only if we dialled it.
    pub(crate) address: Box<str>,
    /// Who dialled.
    pub(crate) side: Side,
    /// Since when.
    pub(crate) since: Timestamp,
}
