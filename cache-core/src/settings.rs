//! What an engine is told about its task when it is made.

use crate::{
    ledger::{Reserves, WritePace},
    port::Budget,
};
use alloc::boxed::Box;
use core::time::Duration;

/// The limits that an engine keeps. Every field has a default with a reason; change only what you must.
///
/// ```
/// # use {cache_core::Settings, core::time::Duration};
/// let settings = Settings { request_timeout: Duration::from_secs(5), ..Settings::default() };
/// assert!(settings.fetch_timeout > Duration::ZERO);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How many entries, and how many bytes of them, are held in memory.
    pub budget: Budget,
    /// Most calls that members make for one payer at once. A call beyond waits until one has ended.
    ///
    /// GitHub refuses more than 100 at once, of all that the payer's credentials make. Eighty leave some to calls that do not
    /// go through the fleet. More members that call than this make one each.
    pub calls_at_once: u64,
    /// Whether there is a disk to ask and to keep entries on.
    pub disk: Disk,
    /// Time that one call to the origin may take as a whole.
    ///
    /// GitHub ends a request itself after 10 s; the rest is for a long body on a slow line.
    pub fetch_timeout: Duration,
    /// Most lookups in progress. A request beyond gets [`Failure::Busy`](crate::Failure::Busy).
    pub flights_max: usize,
    /// Time after a failed call in which a stale entry is served without asking again. If the origin cannot be reached, also
    /// the longest time in which no call is made at all without another finding out whether it can be again.
    ///
    /// Without it every client of a dead origin would wait for a time-out of its own.
    pub hold_off: Duration,
    /// How many waiters in turn may fetch for one flight after earlier ones failed.
    ///
    /// Two: a call that failed is repeated once, with another's credential; an origin that is down is not
    /// called by a thousand waiters one after the other.
    pub leaders_max: usize,
    /// Time that a look-up on disk may take before the origin is asked instead.
    pub load_timeout: Duration,
    /// The host of the origin that this node calls, as keys begin: members that call another say nothing of it. At most
    /// [`ORIGIN_BYTES_MAX`](crate::message::ORIGIN_BYTES_MAX) bytes, or no member is told.
    pub origin: Box<str>,
    /// What is kept of each allowance from requests that matter less.
    pub reserves: Reserves,
    /// Time for which a request waits at most. Should exceed `fetch_timeout`, so that a call that failed
    /// late leaves time for a second.
    pub request_timeout: Duration,
    /// Time past its lifetime for which an entry is kept to be revalidated.
    ///
    /// A week: a "304 Not Modified" costs no quota however old the entry is, and the budgets bound what
    /// is kept anyway.
    pub retention: Duration,
    /// How many writes all members together make for one payer in a time, and how long one waits for its turn.
    pub writes: WritePace,
    /// Most requests that wait for one lookup. One beyond gets [`Failure::Busy`](crate::Failure::Busy).
    pub waiters_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            budget: Budget { entries_max: 1000, bytes_max: 64 * 1024 * 1024 },
            calls_at_once: 80,
            disk: Disk::Absent,
            fetch_timeout: Duration::from_secs(20),
            flights_max: 4096,
            hold_off: Duration::from_secs(10),
            leaders_max: 2,
            load_timeout: Duration::from_secs(2),
            origin: Box::default(),
            reserves: Reserves::NONE,
            request_timeout: Duration::from_secs(30),
            retention: Duration::from_secs(7 * 24 * 3600),
            writes: WritePace::default(),
            waiters_max: 10_000,
        }
    }
}

/// Whether entries outlive the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disk {
    /// No: memory is all there is.
    Absent,
    /// Yes: a key that is not in memory is looked up on disk first.
    Present,
}
