//! What the engine orders. The driver performs outputs in the order in which they come.

use crate::{
    Candidate, Doubted, Entry, Failure, Joining, Key, Member, Message, OrderId, Outcome, PeerId, RequestId,
    Scope, Timestamp,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};

/// One call to the origin, numbered by the engine.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FetchId(pub u64);

/// One look-up on disk, numbered by the engine.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LoadId(pub u64);

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Abandon a fetch; its result is no longer wanted.
    CancelFetch {
        /// The fetch to abandon.
        fetch: FetchId,
    },
    /// Answer a look-up. Comes exactly once for each.
    Complete {
        /// The request to answer.
        request: RequestId,
        /// How the look-up ended.
        outcome: Outcome,
    },
    /// Make the call that passes the cache by; comes at most once for each [`Input::Pass`](crate::Input::Pass), and is
    /// followed by [`Input::Passed`](crate::Input::Passed).
    Depart {
        /// The number of that.
        order: OrderId,
    },
    /// Connect with the peer at `address`.
    Dial {
        /// The address to dial.
        address: Box<str>,
    },
    /// End the connection with a peer.
    Disconnect {
        /// The peer to leave.
        peer: PeerId,
    },
    /// Call the origin as `leader` would, and report [`Input::Fetched`](crate::Input::Fetched).
    Fetch {
        /// The number to report under.
        fetch: FetchId,
        /// The request whose credential pays.
        leader: RequestId,
        /// The entry to ask about, if there is one.
        candidate: Option<Candidate>,
    },
    /// The renewal for which a request was retained does not take place.
    Forget {
        /// The request that was retained.
        request: RequestId,
    },
    /// Note for people that this node, which may be a guest, is a member from now on.
    Joined {
        /// What has made it join.
        why: Joining,
    },
    /// Look a key up on disk and report [`Input::Loaded`](crate::Input::Loaded).
    Load {
        /// The number to report under.
        load: LoadId,
        /// What to look up.
        key: Key,
    },
    /// Keep an entry on disk.
    Persist {
        /// The entry to keep.
        entry: Arc<Entry>,
    },
    /// Report that a peer answered, or did not; comes exactly once for each [`Input::Ping`](crate::Input::Ping).
    Ponged {
        /// The ping's number.
        order: OrderId,
        /// What the peer's wall clock said.
        clock: Result<Timestamp, Failure>,
    },
    /// Let readers see an entry.
    Publish {
        /// The entry; it takes the place of any other under its key.
        entry: Arc<Entry>,
    },
    /// Keep these beyond the life of the process in place of what was kept before, for the next one's
    /// [`Sharing::remembered`](crate::Sharing). Comes every ten seconds at most, and before the node stops.
    Remember {
        /// The members connected last, the latest first.
        members: Vec<Member>,
    },
    /// Forget on disk what these mean, and note there what is in doubt, in one go and durably. No scope is
    /// [`Scope::Signposts`]: no signpost is on disk.
    Remove {
        /// The number to report [`Input::Removed`](crate::Input::Removed) under when it is durable; `None` if nothing
        /// waits for that.
        removal: Option<u64>,
        /// The entries to forget.
        scopes: Vec<Scope>,
        /// What is doubted, if anything is.
        doubted: Option<Doubted>,
    },
    /// Report that what was to be forgotten or doubted is so, here and at every member, or has taken too long; comes
    /// exactly once for each [`Input::Clear`](crate::Input::Clear), [`Input::Invalidate`](crate::Input::Invalidate)
    /// and [`Input::Passed`](crate::Input::Passed).
    Removed {
        /// The number of that.
        order: OrderId,
        /// How many entries left this node's memory.
        entries: usize,
    },
    /// Keep the means by which a request fetches, though the request will be complete before it is decided
    /// whether they are needed. Followed by [`Output::Fetch`] with that leader, or [`Output::Forget`].
    Retain {
        /// The request to retain.
        request: RequestId,
    },
    /// Hide a key from readers.
    Retract {
        /// The key to hide.
        key: Key,
    },
    /// Look for contacts by every way of discovery there is, and report [`Input::Found`](crate::Input::Found) for each,
    /// found or not. A way that still looks need not begin anew. Comes once in half a second at most.
    Seek,
    /// Say this to peers.
    Send {
        /// The peers to send it to.
        to: Vec<PeerId>,
        /// The message to send.
        message: Message,
    },
    /// Report that a value is kept; comes exactly once for each [`Input::Put`](crate::Input::Put).
    Stored {
        /// The put's number.
        order: OrderId,
    },
    /// Tell people that two nodes go by one identity, which may be this node's. Comes again for as long as they do.
    Twins {
        /// The identity that both use.
        peer: PeerId,
    },
    /// Refuse the call that passes the cache by; comes in place of [`Output::Depart`], and nothing follows.
    Withheld {
        /// The number of that.
        order: OrderId,
        /// Why it is not made.
        failure: Failure,
    },
}
