//! Whether an entry may be served: the arithmetic of RFC 9111 and RFC 5861.
//!
//! Pure functions of an entry, what the request demands, and the moment. The origin adapter decides which lifetime an
//! answer gets, and the engine what happens when an entry may not be served.

use crate::{Entry, Timestamp};
use core::time::Duration;

/// For how long an entry may be served, counted from the moment its content had age zero.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Freshness {
    /// Time for which the entry is fresh.
    pub lifetime: Duration,
    /// Time past the lifetime in which the stale entry is served while a fetch renews it
    /// (`stale-while-revalidate`, RFC 5861 section 3).
    pub while_revalidating: Duration,
    /// Time past the lifetime in which the stale entry stands in for an origin that does not answer
    /// (`stale-if-error`, RFC 5861 section 4), and in which a request may ask for it (`max-stale`). Zero for what
    /// must be revalidated once it is stale (`must-revalidate`).
    pub if_error: Duration,
}

/// What a request may be served by the rules under which it was planned, whatever an entry that was kept under other
/// rules says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Grant {
    /// For how long an entry may be served at most, counted from the moment its content had age zero.
    pub most: Freshness,
    /// The origin is asked about what is older than this moment before it is served.
    pub born_from: Timestamp,
}

impl Grant {
    /// Grants any lifetime, without a limit.
    pub const EVERYTHING: Self =
        Self { most: Freshness::UNLIMITED, born_from: Timestamp::from_unix_millis(0) };
}

impl Default for Grant {
    fn default() -> Self {
        Self::EVERYTHING
    }
}

impl Freshness {
    /// Fresh for ever, in any case.
    pub const UNLIMITED: Self =
        Self { lifetime: Duration::MAX, while_revalidating: Duration::MAX, if_error: Duration::MAX };

    /// The freshness that both allow.
    #[must_use]
    pub fn within(self, most: Self) -> Self {
        Self {
            lifetime: self.lifetime.min(most.lifetime),
            while_revalidating: self.while_revalidating.min(most.while_revalidating),
            if_error: self.if_error.min(most.if_error),
        }
    }
}

/// What a request demands of an entry (RFC 9111, section 5.2.1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Directives {
    /// `max-age`: refuse an older entry, even a fresh one.
    pub max_age: Option<Duration>,
    /// `min-fresh`: refuse an entry that will be stale sooner.
    pub min_fresh: Duration,
    /// `max-stale`: accept an entry this long past its lifetime, within what [`Freshness::if_error`] allows.
    /// `Duration::MAX` is for the program that put the entry, and accepts whatever is there; an adapter lets no
    /// request have it.
    pub max_stale: Duration,
    /// `no-cache`: ask the origin whether the entry still holds, however fresh it is.
    pub no_cache: bool,
    /// `only-if-cached`: never ask the origin.
    pub only_if_cached: bool,
    /// What the rules of the node allow the request.
    pub grant: Grant,
}

impl Directives {
    /// Accepts whatever is there, however stale, and never asks the origin.
    pub const ANYTHING_CACHED: Self = Self {
        max_age: None,
        min_fresh: Duration::ZERO,
        max_stale: Duration::MAX,
        no_cache: false,
        only_if_cached: true,
        grant: Grant::EVERYTHING,
    };
}

/// How an entry may answer a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Usable {
    /// Serve it; nothing else is needed.
    Fresh,
    /// Serve it although it is stale, because the request says that it may be (`max-stale`).
    AcceptedStale,
    /// Serve it although it is stale, and renew it in the background.
    WhileRevalidating,
    /// Ask the origin before the entry is served.
    AfterRevalidation,
}

/// Decides how `entry` may answer a request with `directives` at `now`.
///
/// ```
/// # use {cache_core::{*, freshness::*}, core::time::Duration};
/// let second = Duration::from_secs(1);
/// let now = Timestamp::from_unix_millis(1_000_000);
/// let draft = Draft {
///     content: Content::of_value("v"),
///     freshness: Freshness { lifetime: 60 * second, ..Freshness::default() },
///     validators: Validators::default(),
///     age: Duration::ZERO,
/// };
/// let entry = Entry::new(Key::new("r", Domain::ANONYMOUS), draft, now, 0);
/// assert_eq!(usable(&entry, &Directives::default(), now.saturating_add(59 * second)), Usable::Fresh);
/// let late = now.saturating_add(60 * second);
/// assert_eq!(usable(&entry, &Directives::default(), late), Usable::AfterRevalidation);
/// ```
pub fn usable(entry: &Entry, directives: &Directives, now: Timestamp) -> Usable {
    if entry.is_doubted() || entry.born() < directives.grant.born_from {
        return Usable::AfterRevalidation;
    }
    if directives.no_cache || directives.max_age.is_some_and(|max| age(entry, now) > max) {
        return Usable::AfterRevalidation;
    }
    let end = end_within(&directives.grant.most, entry);
    let is_fresh = entry.born() <= now && now < end;
    if is_fresh && (directives.min_fresh.is_zero() || end.saturating_since(now) >= directives.min_fresh) {
        return Usable::Fresh;
    }
    let allowed = entry.freshness().within(directives.grant.most);
    let overdue = now.saturating_since(end);
    // A request that wants time to spare has no use for an entry whose time is up.
    if !directives.min_fresh.is_zero() || entry.born() > now {
        Usable::AfterRevalidation
    } else if accepts_stale(allowed, directives, overdue) {
        Usable::AcceptedStale
    } else if overdue < allowed.while_revalidating {
        Usable::WhileRevalidating
    } else {
        Usable::AfterRevalidation
    }
}

/// Whether a request accepts an entry although it is stale by `overdue`, and may have it.
///
/// The request says only that its sender accepts a stale entry, not that the sender may still read it. A sender whose
/// right has ended must not read for longer than it could if the origin failed.
fn accepts_stale(allowed: Freshness, directives: &Directives, overdue: Duration) -> bool {
    let may = overdue < allowed.if_error || directives.max_stale == Duration::MAX;
    !directives.max_stale.is_zero() && overdue <= directives.max_stale && may
}

/// Whether `entry` may stand in at `now` for an origin that does not answer, for a request with this `grant`.
pub fn stands_in(entry: &Entry, grant: &Grant, now: Timestamp) -> bool {
    let end = end_within(&grant.most, entry);
    let (overdue, if_error) =
        (now.saturating_since(end), entry.freshness().if_error.min(grant.most.if_error));
    overdue < if_error || !left_until(end, entry, now).is_zero()
}

/// Time since the content had age zero (RFC 9111, section 4.2.3).
pub fn age(entry: &Entry, now: Timestamp) -> Duration {
    now.saturating_since(entry.born())
}

/// Time for which `entry` may still be served without asking the origin, to a request with this `grant`.
pub fn time_left(entry: &Entry, grant: &Grant, now: Timestamp) -> Duration {
    if entry.is_doubted() { Duration::ZERO } else { left_until(end_within(&grant.most, entry), entry, now) }
}

/// Time for which `entry` has been stale for a request with this `grant`; zero while it is fresh.
pub fn overdue(entry: &Entry, grant: &Grant, now: Timestamp) -> Duration {
    now.saturating_since(end_within(&grant.most, entry))
}

/// Time for which `entry` may still be served without asking the origin, by what was granted when it was kept.
///
/// Zero once stale, for an entry in doubt, and for one dated after `now`, which a clock set back can produce: such an entry
/// is asked about rather than believed for longer than its lifetime.
pub fn remaining(entry: &Entry, now: Timestamp) -> Duration {
    if entry.is_doubted() { Duration::ZERO } else { left_until(entry.fresh_until(), entry, now) }
}

/// Time from `now` to `end`, in doubt or not; none for an entry dated after `now`.
fn left_until(end: Timestamp, entry: &Entry, now: Timestamp) -> Duration {
    if entry.born() > now { Duration::ZERO } else { end.saturating_since(now) }
}

/// The first moment at which `entry` is stale to readers that are granted `most`. Runs for every hit, so what the
/// entry knows of itself is not worked out again.
fn end_within(most: &Freshness, entry: &Entry) -> Timestamp {
    if most.lifetime >= entry.freshness().lifetime {
        entry.fresh_until()
    } else {
        entry.born().saturating_add(most.lifetime)
    }
}

/// Time for which `entry` has been stale; zero while it is fresh.
pub fn staleness(entry: &Entry, now: Timestamp) -> Duration {
    now.saturating_since(entry.fresh_until())
}
