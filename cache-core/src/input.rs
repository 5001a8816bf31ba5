//! What goes into the engine: past facts ([`Input::Fetched`]) and wishes ([`Input::Get`]).

use crate::{
    Allowance, Contact, Content, Domain, Doubts, Draft, Entry, Features, FetchId, Figures, Key, LoadId,
    Message, Offence, Payer, PeerId, Priority, Reach, Shortage, Way, WritePace,
    freshness::Directives,
    port::{DialError, Side},
};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

/// One request of a client, numbered by the driver; every number is used once.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId(pub u64);

/// One order that is not a look-up, numbered by the driver; every number is used once.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OrderId(pub u64);

/// Which of the origin's allowances a call draws on, numbered by the origin adapter.
///
/// GitHub counts searches, GraphQL points and everything else apart; when one is spent the others go on.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Bucket(pub u8);

/// What a call that passes the cache by may do at the origin.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PassKind {
    /// It may change something, and is none of which the origin bears only so many.
    Change,
    /// It leaves what is at the origin as it is.
    Read,
    /// It changes something, and the origin bears only so many of those in a time ([`WritePace`]).
    Write,
}

impl PassKind {
    /// Whether the call may change something.
    pub(crate) fn changes(self) -> bool {
        self != Self::Read
    }
}

/// What a reader may be served, within the domain that is part of the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reader {
    /// A reader that may read all that the domain holds: all readers of the domain send the same credential, or none.
    Admitted,
    /// One of several credentials of the domain. The origin has yet to say what this one may read, so nothing that is
    /// kept or fetched for others answers it; a kept entry merely spares the origin sending the same again.
    Unproven(Payer),
}

impl Reader {
    /// The payer of a call that `self` makes for a key of `domain`.
    pub fn payer(self, domain: Domain) -> Payer {
        match self {
            Self::Admitted => Payer::from(domain),
            Self::Unproven(payer) => payer,
        }
    }
}

/// What happens to the engine.
#[derive(Debug)]
pub enum Input {
    /// Ask one peer, and it alone, whether it has the entry under `key`, and take the entry if so; answered by
    /// [`Outcome::Answered`](crate::Outcome::Answered), [`Outcome::Absent`](crate::Outcome::Absent), or a failure
    /// when the peer keeps silent. For diagnosis.
    AskPeer {
        /// The request to complete.
        request: RequestId,
        /// The peer to ask.
        peer: PeerId,
        /// The key of the entry.
        key: Key,
    },
    /// The client of `request` no longer waits. A fetch that it leads goes on for the others.
    Cancel {
        /// The request given up.
        request: RequestId,
    },
    /// What is on disk when the process begins, said at most once. What is in memory by then may be among it. Members that
    /// ask this node for it are given it from there.
    Catalogued {
        /// Its keys, those stored last first; of more than are remembered the rest is left out.
        keys: Vec<Key>,
    },
    /// Forget every entry; reported by [`Output::Removed`](crate::Output::Removed).
    Clear {
        /// The number under which it is reported.
        order: OrderId,
    },
    /// A peer was let in.
    Connected {
        /// The peer that was let in.
        peer: PeerId,
        /// The address of the peer.
        address: Box<str>,
        /// The side of the connection that this node is.
        side: Side,
        /// Which parts of the protocol it speaks as we do.
        features: Features,
    },
    /// What this node counted so far. Due now and then, since some of it is counted outside the engine; the
    /// peers are told.
    Counted {
        /// The counts since the node started.
        figures: Figures,
    },
    /// A dial failed, and there is no connection.
    DialFailed {
        /// The address as it was ordered.
        address: Box<str>,
        /// Why the dial failed.
        failure: DialError,
    },
    /// A connection with a peer has ended.
    Disconnected {
        /// The peer that is gone.
        peer: PeerId,
    },
    /// A fetch has ended, well or not.
    Fetched {
        /// The number from [`Output::Fetch`](crate::Output::Fetch).
        fetch: FetchId,
        /// What the fetch brought.
        fetched: Fetched,
        /// Whether its call got through to the origin; [`Fetched::reached`] unless more is known of it.
        reached: Reached,
        /// What the answer showed of the caller's allowance, if there was an answer and it did.
        allowance: Option<Allowance>,
    },
    /// A way of discovery has looked for contacts, or has come upon some unasked. Due after each
    /// [`Output::Seek`](crate::Output::Seek), though nothing was found.
    Found {
        /// How they were found.
        way: Way,
        /// Where other nodes may be; those that are known already, or too many, are passed over. Nothing shows that they
        /// belong to the fleet before they have proved it.
        contacts: Vec<Contact>,
    },
    /// A client wants the answer under `key`.
    Get {
        /// The number under which [`Output::Complete`](crate::Output::Complete) will come, exactly once.
        request: RequestId,
        /// What is wanted, and for which domain.
        key: Key,
        /// What the client demands of a stored answer.
        directives: Directives,
        /// The allowance that a call for it would draw on.
        bucket: Bucket,
        /// How much the request matters.
        priority: Priority,
        /// What the client may be served.
        reader: Reader,
        /// For how long to wait for a call for another domain, if the origin may be asked about what that was given; `None`
        /// if it may not. The adapter knows where that can be answered, and where it pays.
        kin_wait: Option<Duration>,
    },
    /// Forget and doubt what `reach` means, here and at every member; reported by
    /// [`Output::Removed`](crate::Output::Removed).
    Invalidate {
        /// The number under which it is reported.
        order: OrderId,
        /// The entries that are meant.
        reach: Reach,
    },
    /// The client of a call that passes the cache by has gone before the call began.
    GivenUp {
        /// The number from [`Input::Pass`].
        order: OrderId,
    },
    /// The node is about to stop: give back what others wait for, and say goodbye.
    Leave,
    /// A look-up on disk ended.
    Loaded {
        /// The number from [`Output::Load`](crate::Output::Load).
        load: LoadId,
        /// What was there. Boxed, since most look-ups find nothing.
        entry: Option<Box<Entry>>,
    },
    /// A peer did what no member does.
    Misbehaved {
        /// The peer that misbehaved.
        peer: PeerId,
        /// What the peer did.
        offence: Offence,
    },
    /// Writes are bounded in another way from now on.
    PaceWrites {
        /// What bounds them, those that wait too.
        pace: WritePace,
    },
    /// A client wants the origin to be called past the cache; reported by [`Output::Depart`](crate::Output::Depart) when
    /// that may be done, or by [`Output::Withheld`](crate::Output::Withheld). Ends with [`Input::Passed`] of the same number,
    /// or, if its client has gone before it began, with [`Input::GivenUp`].
    Pass {
        /// The number under which it is reported.
        order: OrderId,
        /// The payer whose allowance the call draws on.
        payer: Payer,
        /// The allowance that the call draws on.
        bucket: Bucket,
        /// Whether the call may change something. Then it is made though other members say that the origin cannot be
        /// reached, as long as no call of this node's own has failed.
        kind: PassKind,
        /// How much the request matters.
        priority: Priority,
    },
    /// A call to the origin that passes the cache by ended, or broke off; reported by
    /// [`Output::Removed`](crate::Output::Removed) when what it leaves behind is forgotten and doubted here and at
    /// every member.
    Passed {
        /// The number under which it is reported.
        order: OrderId,
        /// What it leaves behind: nothing, for a read.
        reach: Reach,
        /// Whether it got through.
        reached: Reached,
        /// What the origin refused, and to which domain.
        refused: Option<(Domain, Refusal)>,
        /// What the answer showed of the caller's allowance, if there was an answer and it did.
        allowance: Option<Allowance>,
        /// Whether the answer shows a use that the call itself has made the latest of.
        is_counted: bool,
        /// For how long the origin wants to be left alone by the payer, and why, if it said so.
        pause: Option<(Duration, Shortage)>,
    },
    /// Ask a peer whether it answers; reported by [`Output::Ponged`](crate::Output::Ponged).
    Ping {
        /// The number under which it is reported.
        order: OrderId,
        /// The peer to ask.
        peer: PeerId,
    },
    /// Keep this value; reported by [`Output::Stored`](crate::Output::Stored).
    Put {
        /// The number under which it is reported.
        order: OrderId,
        /// The key to keep it under.
        key: Key,
        /// The value, with its lifetime.
        draft: Draft,
    },
    /// A peer said something.
    Received {
        /// The peer that sent it.
        from: PeerId,
        /// The message, decoded.
        message: Message,
        /// Bytes that it took on its way, seal included.
        bytes: usize,
    },
    /// The origin refused something to the readers of `domain`, which all have one credential.
    Refused {
        /// The domain whose right has ended.
        domain: Domain,
        /// What the origin refused.
        refusal: Refusal,
        /// The fetch that it was refused to, if it was one. What others fetch was granted before.
        fetch: Option<FetchId>,
    },
    /// The disk has made it durable: what was to be forgotten will not be back after a crash, and what is in doubt
    /// will still be in doubt. Or the disk refused, and owes it.
    Removed {
        /// The number from [`Output::Remove`](crate::Output::Remove).
        removal: u64,
    },
    /// [`Naming`](crate::Naming) gives keys other names from now on. The former name of a key must still be among its
    /// names, for members that use it.
    Renamed,
    /// What outlived the previous process. The entries are ignored once anything was invalidated: they may have been
    /// read before that.
    Restored {
        /// What was in doubt.
        doubts: Doubts,
        /// What was read, the most recently stored first.
        entries: Vec<Entry>,
    },
    /// A peer said something that a later version of the protocol has added. It counts as a message, and is not an
    /// offence.
    Skipped {
        /// The peer that sent it.
        from: PeerId,
        /// Bytes that it took on its way, seal included.
        bytes: usize,
    },
    /// Time has passed; due whenever [`Engine::poll_timeout`](crate::Engine::poll_timeout) has come.
    Tick,
}

/// What a fetch came back with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fetched {
    /// An answer to keep.
    Fresh(Draft),
    /// The key's own entry, which was asked about, still holds; here it is with its headers and lifetime renewed.
    NotModified(Draft),
    /// The reader would be given what another domain was given; here it is, as an entry of the key's own.
    Proven(Draft),
    /// A whole answer that may be handed on but not kept: `audience` says to which requests.
    Unstorable {
        /// The answer to hand on.
        content: Content,
        /// The requests that may have it.
        audience: Audience,
    },
    /// The answer is too long to hold: the leader alone receives it as a stream, outside the engine.
    Oversize,
    /// The origin answers with a fault of its own (5xx). A stale entry is preferred to it.
    Fault {
        /// The answer, if there is no better one.
        content: Content,
    },
    /// The origin refuses because an allowance is spent. A stale entry is preferred to it.
    Throttled {
        /// The refusal, if there is no better answer.
        content: Content,
        /// For how long the origin wants to be left alone.
        retry_after: Duration,
        /// Which allowance is spent.
        shortage: Shortage,
    },
    /// There was no whole answer. A stale entry stands in.
    Failed(FetchError),
    /// There was no whole answer, and the call must not be made again for those that wait: it has cost, and would cost
    /// again. No stale entry stands in. The content is what those are told that wait at other members.
    Spent(FetchError, Content),
}

impl Fetched {
    /// Whether the call, as far as this tells, was one that the origin counts, and its answer one that shows so.
    pub(crate) fn is_counted(&self) -> bool {
        match self {
            Self::Fresh(_) | Self::Oversize => true,
            Self::Unstorable { content, .. } => content.status != NOT_MODIFIED && content.status < 500,
            Self::Failed(_)
            | Self::Fault { .. }
            | Self::NotModified(_)
            | Self::Proven(_)
            | Self::Spent(..)
            | Self::Throttled { .. } => false,
        }
    }
}

/// An answer that costs nothing (RFC 9110, section 15.4.5).
const NOT_MODIFIED: u16 = 304;

/// Whether a call got through to the origin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reached {
    /// It could not be connected with, or said nothing, in time or before it closed.
    No,
    /// No call was made, or it was given up, or broke off under way, which says nothing of other calls.
    Unknown,
    /// It answered, whatever it said.
    Yes,
}

impl Reached {
    /// Whether a call got through that failed for this reason.
    pub const fn failing(error: FetchError) -> Self {
        match error {
            FetchError::ConnectFailed | FetchError::TimedOut => Self::No,
            FetchError::BodyDamaged
            | FetchError::ConnectionLost
            | FetchError::FetcherFailed
            | FetchError::FetcherGone
            | FetchError::FleetFailed
            | FetchError::HeadTooLong
            | FetchError::Malformed
            | FetchError::OriginDown => Self::Unknown,
        }
    }
}

impl Fetched {
    /// Whether the call that brought this got through, as far as this tells.
    ///
    /// A fault of the origin's own is an answer: it may concern one resource. A query that took too long is slow, perhaps.
    pub const fn reached(&self) -> Reached {
        match self {
            Self::Failed(error) => Reached::failing(*error),
            Self::Spent(..) => Reached::Unknown,
            Self::Fault { .. }
            | Self::Fresh(_)
            | Self::NotModified(_)
            | Self::Oversize
            | Self::Proven(_)
            | Self::Throttled { .. }
            | Self::Unstorable { .. } => Reached::Yes,
        }
    }
}

/// The requests that may have an answer that is not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Audience {
    /// The one whose credential fetched it: refusals concern that credential alone.
    Leader,
    /// All requests of the same domain that wait for it here.
    Domain,
    /// All requests of the same domain that wait for it, at other members as well: the origin must not be asked again for
    /// their sake.
    Fleet,
}

/// Why the origin gave no whole answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The body broke off or its coding is damaged.
    #[error("the origin's body broke off or is damaged")]
    BodyDamaged,
    /// The connection could not be made.
    #[error("the origin cannot be reached")]
    ConnectFailed,
    /// The connection broke before the answer was complete.
    #[error("the origin closed the connection before its answer was complete")]
    ConnectionLost,
    /// The embedding program's own fetch gave an error.
    #[error("the fetch failed")]
    FetcherFailed,
    /// Other members of the fleet called the origin just now, to no avail.
    #[error("the origin gave no usable answer to other members either")]
    FleetFailed,
    /// The fetcher was dropped without a result.
    #[error("the fetch was given up")]
    FetcherGone,
    /// The head of the answer is longer than an answer's head may be.
    #[error("the head of the origin's answer is too long")]
    HeadTooLong,
    /// The answer is not HTTP as we understand it.
    #[error("the origin's answer is malformed")]
    Malformed,
    /// No call was made: the last ones could not reach the origin, and it is tried again from time to time.
    #[error("the origin cannot be reached, and is tried again within seconds")]
    OriginDown,
    /// No whole answer came in time.
    #[error("the origin did not answer in time")]
    TimedOut,
}

/// What the origin refused to a domain of one credential, and so what that domain may not be served any more. If any
/// of it is in memory here, disk and all members forget it too.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It refused to change something. That does not say whether it may still be read, so everything that begins with
    /// a prefix is in doubt.
    Change {
        /// How the resources begin.
        prefixes: Vec<Box<str>>,
    },
    /// It refused everything: it no longer knows the credential. All that the domain holds is forgotten.
    Credential,
    /// It refused to read everything that begins with a prefix, which is forgotten.
    Read {
        /// How the resources begin.
        prefixes: Vec<Box<str>>,
    },
    /// It refused to read one resource. If the domain holds an answer that shows that it could, everything that begins
    /// with a prefix is forgotten; otherwise the resource may never have been there, and nothing follows.
    ReadOf {
        /// How the answers begin that show it.
        forms: Box<[Box<str>]>,
        /// How the resources begin.
        prefixes: Vec<Box<str>>,
    },
}
