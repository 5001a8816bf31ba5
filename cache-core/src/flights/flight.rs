//! One lookup in progress: which requests it is for, how far it has got, and what it has had to do with other
//! members.
//!
//! Any holder of a flight may read it; it changes only by the verbs of [`Flight`]. Its stage and its waiters are kept
//! in step with the indices of [`super::Flights`], which changes those.

use crate::{
    AskId, Bucket, Candidate, Content, Entry, FetchError, FetchId, ForwardReason, Key, LoadId, Payer, PeerId,
    Priority, Reader, RequestId, Timestamp,
    message::{Role, Verdict},
};
use alloc::{sync::Arc, vec::Vec};
use core::mem;

/// One lookup in progress and its waiters.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(super) key: Key,
    /// The kind of caller that it is for. All waiters of one flight are alike in this; requests that follow it need
    /// not be.
    pub(super) caller: Caller,
    pub(super) stage: Stage,
    /// Why the origin is asked.
    pub(super) reason: ForwardReason,
    /// The entry to ask the origin about, or to serve in its stead.
    pub(super) stale: Option<Arc<Entry>>,
    /// Whether the origin is being asked about what belongs to another domain.
    pub(super) borrows: bool,
    /// The engine's count of invalidations when the flight began.
    pub(super) generation: u64,
    /// Whether the result may be kept: not after the key was invalidated or put meanwhile.
    pub(super) keep: Keep,
    /// What it has had to do with other members.
    pub(super) consulted: Consulted,
    /// A request that was served stale and whose means to fetch are kept for the renewal.
    pub(super) renewer: Option<RequestId>,
    /// Waiters in the order in which they came.
    pub(super) waiting: Vec<RequestId>,
    /// Requests that demand a call made after they came; they take off together when this flight lands.
    pub(super) followers: Vec<RequestId>,
    pub(super) leaders_count: usize,
    /// What its waiters get if none of them can lead any more.
    pub(super) last_resort: LastResort,
}

impl Flight {
    /// The payer of its calls.
    pub(crate) fn payer(&self) -> Payer {
        self.caller.reader.payer(self.key.domain())
    }

    /// Whether what is kept or fetched for others answers none of its waiters.
    pub(crate) fn is_proving(&self) -> bool {
        matches!(self.caller.reader, Reader::Unproven(_))
    }
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The kind of caller that it is for.
    pub(crate) fn caller(&self) -> Caller {
        self.caller
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it does nothing but wait for other calls, here or at a member.
    pub(crate) fn waits_for_another(&self) -> bool {
        matches!(
            self.stage,
            Stage::Asking { .. } | Stage::Waiting { .. } | Stage::Kin { .. } | Stage::Affording { .. }
        )
    }

    /// Whether the origin is being called.
    pub(crate) fn is_fetching(&self) -> bool {
        matches!(self.stage, Stage::Fetching { .. })
    }

    /// Why the origin is asked.
    pub(crate) fn reason(&self) -> ForwardReason {
        self.reason
    }

    /// The entry to ask the origin about, or to serve in its stead.
    pub(crate) fn stale(&self) -> Option<&Arc<Entry>> {
        self.stale.as_ref()
    }

    /// Whether the origin is being asked about what belongs to another domain.
    pub(crate) fn borrows(&self) -> bool {
        self.borrows
    }

    /// The origin is asked about `candidate`.
    pub(crate) fn ask_about(&mut self, candidate: Option<&Candidate>) {
        self.borrows = candidate.is_some_and(|candidate| candidate.borrowed().is_some());
    }

    /// The engine's count of invalidations that its result takes account of.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether its result may become an entry.
    pub(crate) fn keep(&self) -> Keep {
        self.keep
    }

    /// What it has had to do with other members.
    pub(crate) fn consulted(&self) -> &Consulted {
        &self.consulted
    }

    /// Whether it goes on without waiters, to renew what was served stale.
    pub(crate) fn renews(&self) -> bool {
        self.renewer.is_some()
    }

    /// Makes `request`, which was served stale, lend its means to fetch.
    pub(crate) fn renew_by(&mut self, request: RequestId) {
        self.renewer = Some(request);
    }

    /// Takes the request that lent its means to fetch.
    pub(crate) fn take_renewer(&mut self) -> Option<RequestId> {
        self.renewer.take()
    }

    /// The origin is asked for this `reason`, as is known by now.
    pub(crate) fn ask_because(&mut self, reason: ForwardReason) {
        self.reason = reason;
    }

    /// `entry` is what the origin will be asked about.
    pub(crate) fn learn(&mut self, entry: Arc<Entry>) {
        self.stale = Some(entry);
    }

    /// `coordinator` has granted the lease.
    pub(crate) fn hold_lease_of(&mut self, coordinator: PeerId) {
        self.consulted.lease = Some(coordinator);
    }

    /// Takes the lease, to give it back or to say what came of it.
    pub(crate) fn take_lease(&mut self) -> Option<PeerId> {
        self.consulted.lease.take()
    }

    /// Members that ask this node for it wait for this flight from now on.
    pub(crate) fn claim(&mut self) {
        self.consulted.claims = true;
    }

    /// No member waits for this flight any more. Returns whether any might have.
    pub(crate) fn take_claim(&mut self) -> bool {
        mem::take(&mut self.consulted.claims)
    }

    /// `peer` said nothing when it was asked.
    pub(crate) fn note_silent(&mut self, peer: PeerId) {
        self.consulted.silent.push(peer);
    }

    /// `peer` has not got it.
    pub(crate) fn note_missed(&mut self, peer: PeerId) {
        self.consulted.missed.push(peer);
    }

    /// What its waiters get if none of them can lead any more, be it at once or after a wait in which those that could
    /// went away.
    pub(crate) fn fall_back_on(&mut self, last_resort: LastResort) {
        self.last_resort = last_resort;
    }

    /// Takes what the waiters get, since none of them can lead.
    pub(crate) fn take_last_resort(&mut self) -> LastResort {
        mem::take(&mut self.last_resort)
    }

    /// What to tell the coordinator if the flight ends with nothing to share.
    pub(crate) fn conclude(&mut self, verdict: Verdict) {
        self.consulted.verdict = Some(verdict);
    }
}

/// The reader that asks, the allowance that a call for it draws on, and how much it matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Caller {
    pub(crate) bucket: Bucket,
    pub(crate) priority: Priority,
    pub(crate) reader: Reader,
    /// Until when to wait for a call for another domain, if the origin may be asked about what that was given.
    pub(crate) kin_until: Option<Timestamp>,
}

/// What a flight has had to do with other members.
#[derive(Debug, Default)]
pub(crate) struct Consulted {
    /// How many were asked.
    pub(crate) asks: usize,
    /// Whether one was asked that may have the entry without coordinating it.
    pub(crate) holder_asked: bool,
    /// The member that granted the lease under which this flight fetches; it may be this node.
    pub(crate) lease: Option<PeerId>,
    /// Whether members that ask us for it wait for this flight, as for one that holds a lease of ours.
    pub(crate) claims: bool,
    /// When the last of them was asked.
    pub(crate) asked_at: Timestamp,
    /// As what the last of them was asked.
    pub(crate) role: Option<Role>,
    /// The members that said nothing.
    pub(crate) silent: Vec<PeerId>,
    /// The members that do not have it.
    pub(crate) missed: Vec<PeerId>,
    /// What to tell the coordinator if the flight ends with nothing to share.
    pub(crate) verdict: Option<Verdict>,
}

impl Consulted {
    /// One more is asked at `now`, as `role`.
    pub(super) fn begin(&mut self, role: Role, now: Timestamp) {
        self.asks += 1;
        self.asked_at = now;
        self.holder_asked |= role == Role::Holder;
        self.role = Some(role);
    }

    /// Of those that were asked, the one that was asked at `asked_at`, as `role`, is waited for first.
    pub(super) fn lead(&mut self, role: Role, asked_at: Timestamp) {
        (self.role, self.asked_at) = (Some(role), asked_at);
    }
}

/// How far a flight has got: `Loading → Gathering → Asking → Waiting → Affording → Kin → Fetching`. It may skip or end at any stage,
/// and go back to asking when the member that it waits for is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// No member is being asked; a flight is in this stage only within one input.
    Begun,
    /// The disk was asked; silence until `until` counts as nothing found.
    Loading { load: LoadId, until: Timestamp },
    /// The fleet is being looked for; that comes to an end for all flights at once.
    Gathering,
    /// A peer was asked; silence until `until` counts as its absence, and at `hedge_at` another is asked as well.
    Asking { ask: AskId, peer: PeerId, until: Timestamp, hedge_at: Option<Timestamp> },
    /// Another holds the lease that `peer` granted; at `until` we fetch for ourselves.
    Waiting { ask: AskId, peer: PeerId, until: Timestamp },
    /// The origin is being called for the same resource on behalf of another domain; at `until` we call for ourselves.
    Kin { until: Timestamp },
    /// Too many calls are under way for what is left of the allowance; at `until` that is looked at again.
    Affording { until: Timestamp },
    /// The origin was called with the credential of `leader`; the call is given up at `until`.
    Fetching { fetch: FetchId, leader: RequestId, until: Timestamp },
}

/// What the waiters of a flight get when none of them can call the origin any more.
#[derive(Debug, Default)]
pub(crate) enum LastResort {
    /// Each makes its own call, outside the cache.
    #[default]
    Pass,
    /// What `leader` was told by the last call.
    Relay { leader: RequestId, content: Content },
    /// The error of the last call.
    Fail(FetchError),
}

/// Whether the result of a flight may become an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keep {
    No,
    Yes,
}
