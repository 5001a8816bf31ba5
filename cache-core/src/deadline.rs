//! What the engine has to come back for.

use crate::{AskId, FetchId, FlightId, LoadId, RequestId};

/// What is due at a moment.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Deadline {
    /// A peer that was asked says nothing, or another member fetches for too long.
    Ask(AskId),
    /// It is time to look at the districts of the fleet.
    District,
    /// A diagnosis takes too long.
    Errand(AskId),
    /// A call to the origin takes too long.
    Fetch(FetchId),
    /// The search for the fleet has lasted long enough.
    Gathering,
    /// This node, which is a guest, may join; or guests are to be told of members.
    Guests,
    /// A peer that was asked has said nothing for longer than nearly all answers take.
    Hedge(AskId),
    /// A call for another domain, for which a look-up waits, takes too long.
    Kin(FlightId),
    /// Calls that wait until fewer are under way are to be considered again.
    Affording(FlightId),
    /// The same for calls that pass the cache by.
    Passes,
    /// Neighbours are to be told how allowances stand.
    Ledger,
    /// Neighbours are to be told that the origin can be reached.
    Outage,
    /// The term of a lease is over.
    Lease,
    /// A look-up on disk takes too long.
    Load(LoadId),
    /// The membership protocol has something to do.
    Membership,
    /// The list of the members met last is to be kept.
    Recollection,
    /// A contact is to be tried, or a ban is over.
    Peers,
    /// A member that was asked on behalf of another says nothing, or for too long.
    Inquiry(AskId),
    /// A member, or the disk, takes too long to forget.
    Receipt,
    /// An entry is too old even to be asked about.
    Removal,
    /// A request has waited too long.
    Request(RequestId),
    /// A search for a member takes too long.
    Search,
}
