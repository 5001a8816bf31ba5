//! Guests: nodes that ask and fetch and coordinate nothing, and the members that host them.
//!
//! Owns as what this node takes part, which peers are guests, and when either is to be looked at. Sends nothing.

use crate::{Member, PeerId, Timestamp};
use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// Whether a node is a guest of its fleet: it asks and fetches through one or two members, coordinates nothing, and is not
/// told of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Guest {
    /// For as long as it runs, unless there is no member that hosts it.
    Always,
    /// For its first two minutes, in a fleet of 32 members or more.
    Auto,
    /// Never: it is a member from the start.
    #[default]
    Never,
}

/// Why a node that may be a guest is a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Joining {
    /// It has been here for a while.
    Grown,
    /// A peer, of an older build, does not know guests.
    OlderPeer,
    /// All peers that it meets are guests.
    OnlyGuests,
    /// The fleet is so small that everybody is a member.
    SmallFleet,
    /// No member that it found has room for one more guest.
    NoRoom,
}

/// Guests, as far as a node has to do with them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GuestReport {
    /// What it was told to be.
    pub setting: Guest,
    /// Whether it is a guest now.
    pub is_guest: bool,
    /// Why it is a member, if it may be a guest and is none.
    pub joined: Option<Joining>,
    /// The members that host it, in order; at most [`HOSTS_MAX`].
    pub hosts: Vec<PeerId>,
    /// The guests that it hosts, in order; at most [`Self::guests_max`].
    pub guests: Vec<PeerId>,
    /// Most guests that it hosts.
    pub guests_max: usize,
}

/// What a connected peer that came as a guest is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    /// It has not said.
    Unsaid,
    /// A guest: one that this node hosts, or, if this node is a guest too, a fellow.
    Guest,
    /// A guest that was told to look elsewhere.
    Refused,
    Member,
}

/// As what this node takes part, and which peers are guests.
#[derive(Debug)]
pub(crate) struct Guests {
    setting: Guest,
    is_guest: bool,
    joined: Option<Joining>,
    began: Option<Timestamp>,
    /// Connected peers that came as guests.
    peers: BTreeMap<PeerId, Standing>,
    guests_max: usize,
    /// Where the members that host this guest can be reached, by what they say; none is kept that is gone.
    members: BTreeMap<PeerId, Member>,
    /// Members of the fleet, as far as this guest was told; zero if it was not.
    fleet_members: u64,
    /// Members that had no room, since one had.
    refusals: u8,
    /// When this guest joins, unless it has found a member by then.
    lonely_until: Option<Timestamp>,
    /// When guests are told of members again.
    tell_at: Option<Timestamp>,
}

impl Guests {
    pub(crate) fn new(setting: Guest, connections_max: usize) -> Self {
        Self {
            setting,
            is_guest: setting != Guest::Never,
            joined: None,
            began: None,
            peers: BTreeMap::new(),
            members: BTreeMap::new(),
            guests_max: (connections_max / GUESTS_SHARE).max(1),
            fleet_members: 0,
            refusals: 0,
            lonely_until: None,
            tell_at: None,
        }
    }

    /// Whether this node may be a guest, which it says of itself to each peer.
    pub(crate) fn is_marked(&self) -> bool {
        self.setting != Guest::Never
    }

    pub(crate) fn is_guest(&self) -> bool {
        self.is_guest
    }

    pub(crate) fn setting(&self) -> Guest {
        self.setting
    }

    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.began.get_or_insert(now);
    }

    /// This node is a member from now on.
    pub(crate) fn join(&mut self, why: Joining) {
        (self.is_guest, self.joined, self.lonely_until) = (false, Some(why), None);
    }

    /// `peer`, which came as a guest, is connected.
    pub(crate) fn on_connected(&mut self, peer: PeerId) {
        self.peers.insert(peer, Standing::Unsaid);
    }

    pub(crate) fn on_gone(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        self.members.remove(&peer);
        if self.peers.is_empty() {
            (self.tell_at, self.lonely_until) = (None, None);
        }
    }

    /// `peer` says that it is a guest. `false` if it is not its place to say so.
    pub(crate) fn on_stays(&mut self, peer: PeerId) -> bool {
        let standing = self.peers.get_mut(&peer).filter(|standing| **standing == Standing::Unsaid);
        standing.map(|standing| *standing = Standing::Guest).is_some()
    }

    /// `peer` says that it is a member. `false` if it was known, or is not its place to say.
    pub(crate) fn on_joins(&mut self, peer: PeerId) -> bool {
        let standing = self.peers.get_mut(&peer).filter(|standing| **standing != Standing::Member);
        standing.map(|standing| *standing = Standing::Member).is_some()
    }

    /// There is no room for `peer`, which is a guest.
    pub(crate) fn refuse(&mut self, peer: PeerId) {
        self.peers.insert(peer, Standing::Refused);
    }

    /// Whether this node hosts more guests than it may.
    pub(crate) fn is_over(&self) -> bool {
        self.hosted().count() > self.guests_max
    }

    /// The guests that this node hosts; its fellows if it is a guest itself.
    pub(crate) fn hosted(&self) -> impl Iterator<Item = PeerId> {
        self.peers.iter().filter(|(_, standing)| **standing == Standing::Guest).map(|(peer, _)| *peer)
    }

    pub(crate) fn hosts(&self, peer: PeerId) -> bool {
        !self.is_guest && self.peers.get(&peer) == Some(&Standing::Guest)
    }

    /// Whether `peer`, which is connected, is no member: it asks, and is not asked.
    pub(crate) fn is_no_member(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|standing| *standing != Standing::Member)
    }

    /// Whether names are asked for on behalf of guests here.
    pub(crate) fn is_concerned(&self) -> bool {
        self.is_guest || self.hosted().next().is_some()
    }

    /// The peer that is `member` says where it can be reached.
    pub(crate) fn on_member_told(&mut self, member: &Member) {
        self.members.insert(member.peer(), member.clone());
    }

    pub(crate) fn member(&self, peer: PeerId) -> Option<&Member> {
        self.members.get(&peer)
    }

    /// A member told how large the fleet is.
    pub(crate) fn on_fleet_told(&mut self, members: u64) {
        self.fleet_members = members;
    }

    /// Members of the fleet, as far as this guest was told; `None` if it was not, or is a member itself.
    pub(crate) fn fleet_members(&self) -> Option<u64> {
        Some(self.fleet_members).filter(|members| self.is_guest && *members > 0)
    }

    /// Whether everybody is a member of a fleet as small as this.
    pub(crate) fn is_fleet_small(&self) -> bool {
        self.setting == Guest::Auto && self.fleet_members < GUESTS_FROM
    }

    /// A member hosts this node.
    pub(crate) fn on_hosted(&mut self) {
        (self.refusals, self.lonely_until) = (0, None);
    }

    /// A member has no room for this node. Returns whether that happened too often since one had.
    pub(crate) fn on_turned_away(&mut self) -> bool {
        self.refusals = self.refusals.saturating_add(1);
        self.refusals >= REFUSALS_MAX
    }

    /// This guest, which no member hosts, has met another.
    pub(crate) fn on_lonely(&mut self, now: Timestamp) {
        self.lonely_until.get_or_insert(now.saturating_add(LONELY_FOR));
    }

    /// Guests are to be told of members from time to time.
    pub(crate) fn tell_later(&mut self, now: Timestamp) {
        self.tell_at = Some(now.saturating_add(TOLD_EVERY));
    }

    /// Whether guests are to be told of members by now.
    pub(crate) fn is_telling_due(&self, now: Timestamp) -> bool {
        !self.is_guest && self.tell_at.is_some_and(|at| at <= now)
    }

    /// Why this guest joins by now, if it does.
    pub(crate) fn reason_to_join(&self, now: Timestamp) -> Option<Joining> {
        if !self.is_guest {
            return None;
        }
        let is_grown = self.grown_at().is_some_and(|at| at <= now);
        let is_lonely = self.lonely_until.is_some_and(|until| until <= now);
        is_grown.then_some(Joining::Grown).or(is_lonely.then_some(Joining::OnlyGuests))
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        if !self.is_guest {
            return self.tell_at;
        }
        self.grown_at().into_iter().chain(self.lonely_until).min()
    }

    fn grown_at(&self) -> Option<Timestamp> {
        let began = self.began.filter(|_began| self.setting == Guest::Auto)?;
        Some(began.saturating_add(GUEST_FOR))
    }

    /// What there is to know, with the `hosts` of a guest.
    pub(crate) fn report(&self, hosts: Vec<PeerId>) -> GuestReport {
        let (hosts, guests) =
            if self.is_guest { (hosts, Vec::new()) } else { (Vec::new(), self.hosted().collect()) };
        GuestReport {
            setting: self.setting,
            is_guest: self.is_guest,
            joined: self.joined,
            hosts,
            guests,
            guests_max: self.guests_max,
        }
    }
}

/// Members that host one guest: two, so that the other is there when one goes.
pub const HOSTS_MAX: usize = 2;

/// Of how many of its connections a member keeps one for guests: what a full district leaves of the default limit.
const GUESTS_SHARE: usize = 4;

/// Members from which on a fleet has guests of a while: to a smaller one everybody is of use at once.
const GUESTS_FROM: u64 = 32;

/// Time for which a node is a guest unless told otherwise. Most jobs of a pipeline are over by then, and a node that is still here
/// will coordinate for a while.
const GUEST_FOR: Duration = Duration::from_secs(120);

/// Members without room after which a guest that none hosts joins: where three have none, few have.
const REFUSALS_MAX: u8 = 3;

/// Time for which a guest that has met guests alone looks for a member: several times what a connection takes within a region.
const LONELY_FOR: Duration = Duration::from_millis(500);

/// How often guests are told of members, which they look for when their hosts go.
const TOLD_EVERY: Duration = Duration::from_secs(60);
