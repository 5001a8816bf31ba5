//! For how long the origin wants to be left alone.
//!
//! Owns the moments until which calls are held back, for each payer and allowance. Knows nothing of
//! headers: the origin adapter reads those.

use crate::{Bucket, Domain, Timestamp};
use alloc::collections::BTreeMap;
use core::{fmt, time::Duration};

/// The owner of the allowances that a call draws on: a digest of its credential, or this host for calls without one.
///
/// An origin counts the calls of each credential, whichever others may read the same answers. So pauses are the
/// payer's, and members tell one another of them by the digest.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Payer([u8; 16]);

impl Payer {
    /// Calls without a credential, which an origin counts by the address that they come from. Every host is another
    /// payer then, so no other member is told of its pauses, or believed about them.
    pub const HOST: Self = Self([0; 16]);

    /// The payer with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<Domain> for Payer {
    /// The payer of a domain that has one credential, or none, for all its readers.
    fn from(domain: Domain) -> Self {
        Self(*domain.as_bytes())
    }
}

impl fmt::Display for Payer {
    /// The first eight digits: enough to tell payers apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::HOST => f.write_str("this host"),
            Self(bytes) => bytes[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl fmt::Debug for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payer({self})")
    }
}

/// Why an origin wants to be left alone by a payer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shortage {
    /// Too many calls at once, or in a short time, whatever is left of the window's allowance.
    Pace,
    /// The window's allowance is spent.
    Window {
        /// Calls that the window allows.
        limit: u64,
        /// Calls made in it.
        used: u64,
    },
}

/// A moment until which calls are held back, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pause {
    pub(crate) until: Timestamp,
    pub(crate) shortage: Shortage,
}

/// The allowances that are spent, and when they return.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    spent: BTreeMap<(Payer, Bucket), Pause>,
}

impl Quotas {
    /// Holds calls back for `time`, at most [`PAUSE_MAX`], or for longer if that was asked for before.
    ///
    /// Among more than [`SPENT_MAX`], the allowance that returns first is forgotten.
    pub(crate) fn hold(
        &mut self,
        payer: Payer,
        bucket: Bucket,
        now: Timestamp,
        time: Duration,
        shortage: Shortage,
    ) {
        let pause = Pause { until: now.saturating_add(time.min(PAUSE_MAX)), shortage };
        let held = self.spent.entry((payer, bucket)).or_insert(pause);
        if held.until < pause.until {
            *held = pause;
        }
        if self.spent.len() > SPENT_MAX {
            let first = self.spent.iter().min_by_key(|(_, pause)| pause.until).map(|(spent, _)| *spent);
            self.spent.remove(&first.expect("the map has more than SPENT_MAX elements"));
        }
    }

    /// The moment until which the allowance is spent; `None` if calls are free to go.
    pub(crate) fn held(&mut self, payer: Payer, bucket: Bucket, now: Timestamp) -> Option<Pause> {
        let pause = *self.spent.get(&(payer, bucket))?;
        if pause.until <= now {
            self.spent.remove(&(payer, bucket));
            return None;
        }
        Some(pause)
    }
}

/// Most spent allowances that are remembered: forgetting one costs a refused call.
const SPENT_MAX: usize = 1024;

/// Longest pause that an origin is granted. GitHub's windows are an hour; a minute is for clocks apart.
const PAUSE_MAX: Duration = Duration::from_secs(3660);
