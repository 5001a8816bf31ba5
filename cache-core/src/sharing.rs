//! How a node shares with its fleet: what it is told at the start, and the parts that decide about it.
//!
//! Owns the leases that this node grants, what was invalidated lately, and which members have what. The engine draws
//! the consequences.

mod acquaintances;
mod editions;
mod guests;
mod handed;
mod hedging;
mod holders;
mod invalidations;
mod leases;
#[cfg(test)]
mod meetings;
mod patience;
mod readers;
mod receipts;
mod recollection;
mod ring;
mod searches;
mod shelf;

pub(crate) use {
    acquaintances::{Acquaintances, Greeting},
    editions::Editions,
    guests::Guests,
    handed::Handed,
    hedging::Hedging,
    holders::Holders,
    invalidations::Invalidations,
    leases::{Asker, Leases, Next, Turn},
    patience::Patience,
    readers::Readers,
    receipts::{Owed, Receipts, Settled, Teller, Wait},
    recollection::Recollection,
    ring::Ring,
    searches::{Query, Searches},
    shelf::{Ownership, Shelf},
};
pub use {
    guests::{Guest, GuestReport, HOSTS_MAX, Joining},
    recollection::REMEMBERED_MAX,
    shelf::SHELF_MAX,
};

use crate::{Contact, Key, Member, Naming, PeerId, PeerSettings, digest::Salts, freshness::Freshness};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{fmt, time::Duration};

/// What an engine is told about its fleet when it is made.
#[derive(Clone, Debug)]
pub struct Sharing {
    /// The identity of this node.
    pub local: PeerId,
    /// Which start of the node this is; grows from one to the next, as its wall clock in milliseconds does.
    pub boot: u64,
    /// Where others can reach us.
    pub own_addresses: Vec<Box<str>>,
    /// The peers to try first.
    pub contacts: Vec<Contact>,
    /// The members when the last process ended, as its last [`Output::Remember`](crate::Output::Remember) said. They
    /// are tried as well as the contacts, the first [`REMEMBERED_MAX`] of them.
    pub remembered: Vec<Member>,
    /// How many connections to hold, and how much to take from one.
    pub peers: PeerSettings,
    /// The most that an entry from a peer is granted, by its key.
    pub ceiling: Arc<dyn Ceiling>,
    /// Gives keys the names by which members speak of them.
    pub naming: Arc<dyn Naming>,
    /// A number that no other run of any node has: entropy for jitter and for numbering invalidations.
    pub seed: u64,
    /// What digests of invalidations are salted with.
    pub salts: Salts,
    /// The limits to keep.
    pub limits: SharingLimits,
}

/// The most that a node grants an entry from a peer, whatever the peer says of it.
pub trait Ceiling: fmt::Debug + Send + Sync {
    /// For how long an entry under `key` may be fresh, and then stale, by our own rules; `None` if they do not
    /// let it be kept at all.
    fn most(&self, key: &Key) -> Option<Freshness>;
}

/// The limits of sharing. Every field has a default with a reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SharingLimits {
    /// Longest time in which a peer that was asked must say something. It is given four times what nearly all of its
    /// answers took, or those of other peers before its first, and at least a quarter of a second.
    ///
    /// A second: fifty round trips of 20 ms, and a lost frame or two repeated by the connection.
    pub ask_timeout: Duration,
    /// How many peers one lookup asks before it calls the origin.
    ///
    /// Three: a holder, the coordinator, and the next coordinator when that one is silent.
    pub asks_max: usize,
    /// Largest body that is sent to members that have not asked for it, in bytes.
    ///
    /// Most answers of GitHub's API are smaller (a page of 30 issues is the exception); a larger one goes to its coordinator,
    /// to the member that granted the lease for it and to those that wait for it, and by name to the others.
    pub attached_bytes_max: usize,
    /// Most members of a district. A larger fleet is divided into districts, each of which is a full mesh.
    ///
    /// 192: what each member pays for the others, idle connections and announcements, stays that of a fleet of 64 to
    /// 192.
    pub district_max: usize,
    /// How long an entry from a peer may be fresh or stale, whatever the peer and the [`Ceiling`] say.
    pub freshness_max: Freshness,
    /// Longest time for which a member is let wait, as coordinator, for a call for another domain.
    ///
    /// A second: most of GitHub's answers take less, and a member that waits in vain has lost no more than that.
    pub kin_wait_max: Duration,
    /// How many times a lease passes on because its holder's call failed, before all waiters are told.
    ///
    /// One: the call is repeated once, with another's credential.
    pub lease_failures_max: u8,
    /// How long a lease holds. Longer than the 10 s after which GitHub ends a request itself.
    pub lease_term: Duration,
    /// Most leases granted at once. One more asker is told to fetch for itself.
    pub leases_max: usize,
    /// Bytes in a second by which this node may tell members of new entries that do not concern them, all in all. Two minutes'
    /// worth of it may go out at once. If it is zero, an entry goes to its coordinator, a deputy and those that asked for it
    /// before; of what a program puts all hear by name, whatever the budget.
    ///
    /// 64 KiB: of entries of 8 KB, eight in a second to one other member, and one in a second to eight; what comes in from all
    /// members together is no more than that either, however many there are. Two minutes' worth is 7.5 MiB, about what a
    /// newcomer is sent: in a fleet of ten, the hundred entries with which a job begins.
    pub unasked_bytes_per_second: u64,
    /// Time for which a lookup waits for another member's fetch before it fetches for itself.
    pub wait_timeout: Duration,
    /// Most members that wait for one lease. One more is told to fetch for itself.
    pub lease_waiters_max: usize,
    /// Most entries, and bytes of them, that a new member is sent.
    pub warm_up: crate::port::Budget,
}

impl Default for SharingLimits {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        Self {
            ask_timeout: Duration::from_secs(1),
            asks_max: 3,
            attached_bytes_max: 16 * 1024,
            district_max: 192,
            freshness_max: Freshness { lifetime: 24 * hour, while_revalidating: hour, if_error: 24 * hour },
            kin_wait_max: Duration::from_secs(1),
            lease_failures_max: 1,
            lease_term: Duration::from_secs(12),
            leases_max: 16 * 1024,
            unasked_bytes_per_second: 64 * 1024,
            wait_timeout: Duration::from_secs(15),
            lease_waiters_max: 2048,
            warm_up: crate::port::Budget { entries_max: 512, bytes_max: 8 * 1024 * 1024 },
        }
    }
}
