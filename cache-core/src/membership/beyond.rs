//! Members without a connection, of which there are some wherever a fleet is larger than its members' connections.
//!
//! foca assumes that every member can speak to every other. A node that holds as many connections as it makes by
//! itself vouches for the members it is not connected with, so that foca need not doubt them: the members that are
//! connected with them probe them. There are two exceptions. If a connection was lost, its member is probed for as
//! long as it takes to find out together whether it lives. And one member in [`VOUCHED_IN_A_ROW`] is probed, since we
//! know some members by hearsay alone. News for a member that we cannot reach goes to another.

use super::wire::MembershipCodec;
use super::{Member, member::Identity};
use crate::{PeerId, Timestamp};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use bytes::Bytes;
use core::{mem, ops::Bound, time::Duration};
use foca::Codec as _;

/// What is known of members without a connection.
#[derive(Debug)]
pub(super) struct Beyond {
    /// Connections from which on a node vouches for members.
    connections_wanted: usize,
    /// How many members we have vouched for since one was probed all the same.
    vouched_in_a_row: u32,
    /// When a connection was lost, or could not be made, and with which member; only while that says something.
    lost: BTreeMap<PeerId, Timestamp>,
    /// Probes of members that others are to find dead or alive.
    vouched: Vec<(Identity, foca::ProbeNumber)>,
    /// The member that was told news last in place of another.
    told: Option<PeerId>,
}

/// What happens to a message for a member without a connection.
#[derive(Debug)]
pub(super) enum Way {
    /// It stays as it is, and is lost unless a connection comes up.
    Direct,
    /// It goes to another, so changed.
    Instead { to: PeerId, bytes: Bytes },
    /// It is not sent.
    None,
}

impl Beyond {
    pub(super) fn new(connections_wanted: usize) -> Self {
        let (lost, vouched) = (BTreeMap::new(), Vec::new());
        Self { connections_wanted, vouched_in_a_row: 0, lost, vouched, told: None }
    }

    /// A connection with `peer` was lost, or could not be made.
    pub(super) fn on_lost(&mut self, now: Timestamp, peer: PeerId) {
        self.lost.retain(|_peer, at| now.saturating_since(*at) < LOST_FOR);
        self.lost.insert(peer, now);
    }

    /// A connection with `peer` stands, or it is a member no longer.
    pub(super) fn on_found(&mut self, peer: PeerId) {
        self.lost.remove(&peer);
    }

    /// The way of the message `data`, meant for `to`, which is not connected.
    pub(super) fn way(
        &mut self,
        now: Timestamp,
        to: &Identity,
        data: &[u8],
        alive: &BTreeMap<PeerId, Member>,
        connected: &BTreeSet<PeerId>,
    ) -> Way {
        if connected.len() < self.connections_wanted {
            return Way::Direct;
        }
        let mut rest = data;
        let Ok(mut header) = MembershipCodec.decode_header(&mut rest) else { return Way::Direct };
        match header.message {
            foca::Message::Ping(number) => {
                let is_lost =
                    self.lost.get(&to.0.peer()).is_some_and(|at| now.saturating_since(*at) < LOST_FOR);
                if is_lost || self.vouched.len() >= VOUCHED_MAX || self.vouched_in_a_row >= VOUCHED_IN_A_ROW {
                    self.vouched_in_a_row = 0;
                    return Way::Direct;
                }
                self.vouched_in_a_row += 1;
                self.vouched.push((to.clone(), number));
                Way::None
            }
            foca::Message::Gossip => {
                let Some(other) = self.next_told(alive, connected) else { return Way::Direct };
                header.dst = Identity(other.clone());
                let mut bytes = Vec::with_capacity(data.len());
                if MembershipCodec.encode_header(&header, &mut bytes).is_err() {
                    return Way::Direct;
                }
                bytes.extend_from_slice(rest);
                Way::Instead { to: other.peer(), bytes: bytes.into() }
            }
            foca::Message::Ack(_)
            | foca::Message::Announce
            | foca::Message::Broadcast
            | foca::Message::Feed
            | foca::Message::ForwardedAck { .. }
            | foca::Message::IndirectAck { .. }
            | foca::Message::IndirectPing { .. }
            | foca::Message::PingReq { .. }
            | foca::Message::TurnUndead => Way::Direct,
        }
    }

    /// The probes to be taken as answered.
    pub(super) fn take_vouched(&mut self) -> Vec<(Identity, foca::ProbeNumber)> {
        mem::take(&mut self.vouched)
    }

    /// The connected member whose turn it is.
    fn next_told<'a>(
        &mut self,
        alive: &'a BTreeMap<PeerId, Member>,
        connected: &BTreeSet<PeerId>,
    ) -> Option<&'a Member> {
        let after = self.told.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = connected.range((after, Bound::Unbounded));
        let next = behind.chain(connected).find_map(|peer| alive.get(peer))?;
        self.told = Some(next.peer());
        Some(next)
    }
}

/// Time for which a member whose connection was lost is probed as if there were one. In a fleet of a thousand, its
/// former neighbours probe it some seventy times meanwhile.
const LOST_FOR: Duration = Duration::from_secs(30);

/// Members vouched for until one is probed all the same: in a fleet of hundreds a few suspicions a second among all,
/// and a member that never was is found out within minutes.
const VOUCHED_IN_A_ROW: u32 = 64;

/// Probes that one input can begin.
const VOUCHED_MAX: usize = 16;
