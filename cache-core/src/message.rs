//! What members say to one another.
//!
//! Owns the messages and the limits of their parts. [`crate::codec`] writes them, and the engine draws the
//! consequences. Moments never travel: ages do, and the time since something happened (RFC 9111's answer to clocks
//! that disagree).

pub use crate::digest::{DIGEST_SUMS_MAX, Digest, Salt};
pub use crate::invalidation::{
    Invalidation, InvalidationId, Manner, Notice, REACH_BYTES_MAX, Reach, SCOPES_MAX, SETTLE_MAX, Scope,
    is_signpost,
};

use crate::{
    Allowance, Bucket, CallNumbers, Draft, Entry, Features, Key, Member, Name, Payer, PeerId, Shortage,
    Timestamp, Validators, freshness::Freshness,
};
use alloc::{boxed::Box, vec::Vec};
use bytes::Bytes;
use core::time::Duration;

/// One thing that a member says to another.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// How allowances of payers stand; at most [`ALLOWANCES_TOLD_MAX`].
    Allowances(Vec<Allowance>),
    /// An entry is new: whole where it is short or the receiver is its coordinator, else by name.
    Announce(Announced),
    /// What became of an ask. An ask may get [`Answer::Wait`] and then, later, one more answer.
    Answer {
        /// The number that the asker gave.
        ask: AskId,
        /// What the receiver has to say.
        answer: Answer,
    },
    /// Have you got this, or may I fetch it?
    Ask {
        /// The asker's number for the answer.
        ask: AskId,
        /// The name of the entry.
        name: Name,
        /// The role in which the receiver is asked.
        role: Role,
        /// How long the asker would wait for a call for another domain, if it can use what one brings; `None` if it
        /// cannot. For a coordinator.
        kin_wait: Option<Duration>,
    },
    /// The numbers that an origin's count gave to calls; at most [`CALL_NUMBERS_TOLD_MAX`].
    CallNumbers(Vec<CallNumbers>),
    /// I hold the lease for this name from a coordinator that is gone; take note of it.
    Claim {
        /// The name of the entry that is being fetched.
        name: Name,
    },
    /// What the sender remembers of invalidations, said to one that it meets: the answer is what it may lack.
    Digest(Digest),
    /// What the sender counted so far, for sums over the fleet.
    Figures(Figures),
    /// No reader here is served what the receiver's notice means, or only once the origin was asked.
    Forgotten {
        /// The number from the notice.
        receipt: u64,
    },
    /// What a node that came as a guest is, or is told as one.
    Guest(GuestWord),
    /// Forget or doubt what these mean. One when it happens; when two members meet, those that the receiver may lack.
    Invalidate(Notice),
    /// Which nodes are in the fleet: bytes of the membership protocol.
    Membership(Bytes),
    /// In which district of the fleet the sender is, and some members that it knows.
    District(Surroundings),
    /// Whether the sender reaches an origin.
    Origin {
        /// The host of the origin, as keys begin; at most [`ORIGIN_BYTES_MAX`] bytes.
        host: Box<str>,
        /// What the sender has found, or is about to find out.
        word: OriginWord,
    },
    /// Asks whether the receiver is there.
    Ping {
        /// A number that comes back in the answer.
        token: u64,
    },
    /// The answer to a ping.
    Pong {
        /// The number from the ping.
        token: u64,
        /// The sender's wall clock, to diagnose clocks that disagree. Nothing is decided by it.
        clock: Timestamp,
    },
    /// The origin wants to be left alone.
    Quota {
        /// The payer that the origin refused.
        payer: Payer,
        /// The allowance that is spent.
        bucket: Bucket,
        /// How long to leave the origin alone.
        pause: Duration,
        /// What is spent, or exceeded.
        shortage: Shortage,
    },
    /// The lease for this name is not used, or came to nothing.
    Release {
        /// The name that was leased.
        name: Name,
        /// What that means for its waiters.
        verdict: Verdict,
    },
    /// I am new here: send what is read most.
    WarmUp {
        /// How many entries were received this way before.
        skip: u32,
    },
    /// A batch of warm-up entries was sent.
    WarmedUp {
        /// How many entries were sent so far, if there are more; `None` if that was all.
        next: Option<u32>,
    },
    /// How many writes a member has begun for a payer.
    Writes(Writes),
}

impl Message {
    /// The part of the protocol that this message belongs to: a peer that lacks it is not told.
    pub fn needs(&self) -> Features {
        match self {
            Self::Allowances(_) => Features::LEDGER,
            Self::CallNumbers(_) => Features::CALL_NUMBERS,
            Self::Digest(_) => Features::DIGESTS,
            Self::Figures(_) => Features::FIGURES,
            Self::Writes(_) => Features::WRITES,
            Self::WarmUp { .. } | Self::WarmedUp { .. } => Features::WARM_UP,
            Self::District(_) => Features::DISTRICTS,
            Self::Guest(_) => Features::GUESTS,
            Self::Origin { .. } => Features::OUTAGES,
            Self::Ask { kin_wait: Some(_), .. } => Features::KINSHIP,
            Self::Announce(Announced::ToPassOn(_)) => Features::READERS,
            Self::Invalidate(notice) if notice.settles() => Features::SETTLING,
            Self::Announce(Announced::Named { .. } | Announced::Whole(_))
            | Self::Answer { .. }
            | Self::Ask { kin_wait: None, .. }
            | Self::Claim { .. }
            | Self::Forgotten { .. }
            | Self::Invalidate(_)
            | Self::Membership(_)
            | Self::Ping { .. }
            | Self::Pong { .. }
            | Self::Quota { .. }
            | Self::Release { .. } => Features::NONE,
        }
    }
}

/// What a member says of an origin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OriginWord {
    /// Its calls do not get through, one after the other.
    Failing {
        /// How long ago the first of them failed.
        since: Duration,
    },
    /// A call of its own got through.
    Reached {
        /// How long ago that began.
        since: Duration,
    },
    /// It makes a call to find out whether the origin can be reached again. Others need not.
    Trying,
}

/// What is said between a node that came as a guest and a member.
///
/// A guest asks and fetches as members do, through one or two members, its hosts. It coordinates nothing, and nobody else is
/// told of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GuestWord {
    /// From a member: it hosts as many guests as it may; look elsewhere.
    Full,
    /// From the node that came: it is a member from now on.
    Joins,
    /// From the node that came: it is a guest.
    Stays,
}

/// How many writes one member has begun for one payer. Said by that member, and told on to those that cannot hear it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Writes {
    /// Whose quota they draw on.
    pub payer: Payer,
    /// The member that has begun them.
    pub writer: PeerId,
    /// Its writes for the payer in all, counted on from a number that no earlier run of the member has come to.
    pub total: u64,
    /// Those of the last hour, by age: of each of [`AGES`](Self::AGES) and more, and less than the next.
    pub by_age: [u32; Self::AGES.len()],
}

impl Writes {
    /// The ages by which writes are told: a minute, and what is beyond by five. An hour is the last.
    pub const AGES: [Duration; 13] = {
        let mut ages = [Duration::from_secs(60); 13];
        ages[0] = Duration::ZERO;
        let mut at = 2;
        while at < ages.len() {
            ages[at] = Duration::from_secs(300 * (at as u64 - 1));
            at += 1;
        }
        ages
    };
}

/// Numbers an ask; chosen by the asker.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct AskId(pub u64);

impl Answer {
    /// Bytes of the body in it.
    pub(crate) fn body_bytes(&self) -> usize {
        match self {
            Self::Hit(parcel) | Self::Lease { stale: Some(parcel), .. } => parcel.draft.content.body.len(),
            Self::Failed | Self::Lease { stale: None, .. } | Self::Miss | Self::Wait => 0,
        }
    }
}

/// The role in which a peer is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// It grants the leases for this name.
    Coordinator,
    /// It may have the entry; it answers hit or miss.
    Holder,
}

/// What a member says of its surroundings.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Surroundings {
    /// How many bits the places of its district have in common; zero while the fleet is one district.
    pub depth: u8,
    /// How many members its district has, with itself.
    pub members_count: u32,
    /// Whether it would like to hear of members of other districts.
    pub wants_others: bool,
    /// Itself and some members that it knows, at most [`KNOWN_TOLD_MAX`].
    pub known: Vec<Known>,
}

/// A member that another knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Known {
    /// Which it is, and where it can be reached.
    pub member: Member,
    /// The depth of its district.
    pub depth: u8,
    /// How many members its district has.
    pub members_count: u32,
    /// How long ago it was heard from.
    pub age: Duration,
}

/// What an ask is answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Earlier fetches had no success, and repeating them now will bring none.
    Failed,
    /// The entry, whole.
    Hit(Box<Parcel>),
    /// Fetch it yourself, for all members that wait here.
    Lease {
        /// The name that is leased.
        name: Name,
        /// The former answer, if there is one, to be revalidated at no cost.
        stale: Option<Box<Parcel>>,
    },
    /// Not here. Fetch it for yourself.
    Miss,
    /// Another member is fetching it; you will be told.
    Wait,
}

/// Why a lease is given back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The origin gave no usable answer.
    Failed,
    /// The answer concerns the fetcher's own credential or may not be kept: each fetches for itself.
    Unshareable,
    /// No request waits any more where the lease was granted; the next waiter may have it.
    Unused,
}

/// A new entry as it is told to others.
#[derive(Clone, Debug, PartialEq)]
pub enum Announced {
    /// The sender has the entry, and can be asked for it.
    Named {
        /// The name of the entry.
        name: Name,
        /// For how long it is fresh from now.
        remaining: Duration,
        /// How old its content is.
        age: Duration,
        /// Which content it is.
        edition: Option<Edition>,
    },
    /// The entry, whole, for a member that coordinates its name: to be passed on to those that read it, which the sender has
    /// not told.
    ToPassOn(Box<Parcel>),
    /// The entry, whole.
    Whole(Box<Parcel>),
}

/// An entry on its way from one member to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    /// What it is filed under.
    pub key: Key,
    /// The entry, with its age when it was sent.
    pub draft: Draft,
    /// The invalidations of its key that the sender knew: the entry was fetched after them.
    pub after: Vec<InvalidationId>,
    /// Which content it is, if that is known.
    pub edition: Option<Edition>,
}

/// One content of a key, numbered by the member that put or fetched it. It keeps its edition when it is renewed
/// unchanged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Edition {
    /// A digest of the node that issued it, and of the node's run.
    pub issuer: u64,
    /// Of two contents of one issuer the higher count is the later.
    pub count: u64,
}

impl Edition {
    /// Whether this content is later than `other`; `None` if the two do not tell.
    pub(crate) fn is_after(self, other: Self) -> Option<bool> {
        (self.issuer == other.issuer && self.count != other.count).then_some(self.count > other.count)
    }
}

impl Parcel {
    /// `entry` as it is at `now`.
    pub(crate) fn of(entry: &Entry, after: Vec<InvalidationId>, now: Timestamp) -> Self {
        Self { key: entry.key().clone(), draft: entry.draft(now), after, edition: entry.edition() }
    }
}

/// What a member counted since it started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Calls made to the origin.
    pub api_calls: u64,
    /// Look-ups answered by entries of the member's own.
    pub hits: u64,
    /// Look-ups answered by a peer's entry.
    pub peer_hits: u64,
    /// Look-ups for which the origin was called, or that got no answer.
    pub misses: u64,
    /// How many entries are in memory.
    pub entries: u64,
}

/// The most that a parcel from elsewhere may claim: our own policy (RFC 9111 leaves it to each cache).
///
/// Its date is dropped: unlike a tag it says nothing of the body, and one in the future makes an origin
/// call any body current.
pub(crate) fn clamped(draft: Draft, most: Freshness) -> Draft {
    let Draft { content, freshness, validators, age } = draft;
    let validators = Validators { last_modified: None, ..validators };
    let freshness = Freshness {
        lifetime: freshness.lifetime.min(most.lifetime),
        while_revalidating: freshness.while_revalidating.min(most.while_revalidating),
        if_error: freshness.if_error.min(most.if_error),
    };
    Draft { content, freshness, validators, age }
}

/// Longest host of an origin, in bytes: a name in the DNS has 253, and a port six.
pub const ORIGIN_BYTES_MAX: usize = 260;

/// Most allowances told of in one message: six kilobytes.
pub const ALLOWANCES_TOLD_MAX: usize = 48;

/// Most payers whose calls' numbers are told of in one message: five kilobytes.
pub const CALL_NUMBERS_TOLD_MAX: usize = 32;

/// Most members told of in one message: three kilobytes.
pub const KNOWN_TOLD_MAX: usize = 24;

/// Most invalidations that a parcel names: the latest of those that cover its key.
pub const AFTER_MAX: usize = 16;

/// Most invalidations in one message. Longer lists go in several.
pub const INVALIDATIONS_MAX: usize = 64;

/// Most bytes that the texts of the invalidations in one message come to: any one of them fits, and all that usual
/// writes need.
pub const NOTICE_BYTES_MAX: usize = 2 * REACH_BYTES_MAX;
