//! What the engine counts.

use crate::{Outcome, Served, Source};

/// Events since the engine began. Never reset, so that a difference of two readings is a rate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Requests answered fresh from the cache by the engine. Hits in the read index never reach it.
    pub hits: u64,
    /// Requests answered fresh by what a peer had, or fetched, or had sent before; counted like `hits`.
    pub peer_hits: u64,
    /// Requests answered by a stale entry without waiting for the origin's answer, or in its stead.
    pub stale_hits: u64,
    /// Requests answered by what was fetched for another.
    pub collapsed: u64,
    /// Requests for which the origin was called, or that got no answer.
    pub misses: u64,
    /// Calls that the origin answered with "not modified".
    pub revalidated: u64,
    /// Of these, calls by which a reader was shown to be given the same as a reader of another domain.
    pub proofs: u64,
    /// Requests that found an entry past its lifetime.
    pub expirations: u64,
    /// Entries that left memory because a budget was full.
    pub evictions: u64,
    /// Entries forgotten on request.
    pub invalidations: u64,
    /// Waits for a member or the disk to have forgotten that were given up, since it took too long.
    pub forgettings_unconfirmed: u64,
    /// Calls to the origin.
    pub fetches: u64,
    /// Calls to the origin that brought no whole answer, or a fault of the origin's own.
    pub fetches_failed: u64,
    /// Calls that a spent quota, or what is kept of one for others, kept from being made.
    pub fetches_withheld: u64,
    /// Calls that were not made since the origin cannot be reached.
    pub fetches_held_off: u64,
    /// Calls that were made to find out whether the origin can be reached again.
    pub origin_trials: u64,
    /// Asks that were sent to peers.
    pub asks: u64,
    /// Asks to which a peer said nothing in time.
    pub asks_unanswered: u64,
    /// Asks that were sent to another peer as well, since the first said nothing for longer than nearly all answers take.
    pub hedges: u64,
    /// Asks of peers that were answered with an entry.
    pub answers: u64,
    /// Leases granted, to ourselves too.
    pub leases: u64,
    /// Leases that passed on because their holder failed, went, or took too long.
    pub leases_passed: u64,
    /// Bans that were begun.
    pub bans: u64,
    /// Messages dropped unread, since their sender had sent more than it may, or was not connected.
    pub messages_dropped: u64,
    /// New entries of which members that had not asked for them were told by name alone, for want of bytes.
    pub announcements_cut: u64,
    /// New entries of which such members were not told at all, for want of bytes.
    pub announcements_withheld: u64,
    /// Guests that this node took in, and that it told to look elsewhere, since it hosted as many as it may.
    pub guests_hosted: u64,
    /// See [`Self::guests_hosted`].
    pub guests_refused: u64,
    /// Entries passed on to members that had asked for them before, once for each member.
    pub entries_passed_on: u64,
    /// Entries received from peers and kept.
    pub entries_received: u64,
    /// Entries received from peers and dropped: no younger than ours, or older than an invalidation.
    pub entries_refused: u64,
}

impl Counters {
    /// Counts how a look-up ended.
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Answered { served: Served::Hit, entry } => match entry.source() {
                Source::Own => self.hits += 1,
                Source::Peer => self.peer_hits += 1,
            },
            Outcome::Answered { served: Served::Peer, .. } => self.peer_hits += 1,
            Outcome::Answered { served: Served::Stale(_), .. } => self.stale_hits += 1,
            Outcome::Answered { served: Served::Forwarded(forward), .. }
            | Outcome::Relayed { forward, .. } => {
                self.collapsed += u64::from(forward.collapsed);
                self.misses += u64::from(!forward.collapsed);
            }
            Outcome::Absent | Outcome::Failed(_) | Outcome::Pass => self.misses += 1,
        }
    }
}
