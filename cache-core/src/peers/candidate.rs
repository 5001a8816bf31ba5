//! One peer or address that may be dialled: its addresses, its failures, and when it is next due.
//!
//! Owns back-off. Does not know how many dials are in flight nor which peers are connected.

use super::{contact::Way, jitter::Jitter};
use crate::{Timestamp, port::DialError};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

/// One peer or contact to dial.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Where to dial, at most [`ADDRESSES_MAX`](super::ADDRESSES_MAX); what worked last comes first.
    pub(super) addresses: Vec<Box<str>>,
    /// Which address is next.
    pub(super) next: usize,
    pub(super) known_by: KnownBy,
    pub(super) stage: Stage,
    /// How often in a row all addresses failed, or a connection did not last.
    pub(super) failures: u32,
    pub(super) last_failure: Option<DialError>,
    /// Whether membership says that it lives, so that others lead to it as well.
    pub(super) lives: bool,
}

/// How a candidate came to be known.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum KnownBy {
    /// Configured, at this place of the list; never forgotten.
    Contact { place: usize },
    /// Discovery found it, last at `at`, and first by `way`.
    Found { way: Way, at: Timestamp },
    /// Membership says that it lives.
    Membership,
    /// A member of another district. It is dialed when there is something to say to it.
    Outsider,
    /// It was a member when the last process ended. No member has said yet whether it still is.
    Remembered,
}

/// Where a candidate stands. `Waiting → Dialing → Settled → Waiting`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Dialled at `until`, or when there is room.
    Waiting { until: Timestamp },
    /// A dial is under way.
    Dialing { since: Timestamp },
    /// There is a connection: nothing to do.
    Settled,
    /// There is a connection, but membership says that the peer is gone: it will end.
    Leaving,
}

impl Candidate {
    pub(super) fn new(addresses: Vec<Box<str>>, known_by: KnownBy, until: Timestamp) -> Self {
        let stage = Stage::Waiting { until };
        Self { addresses, next: 0, known_by, stage, failures: 0, last_failure: None, lives: false }
    }

    /// Begins a dial of the next address and returns that; `None` if there is none.
    pub(super) fn begin(&mut self, now: Timestamp) -> Option<Box<str>> {
        let address = self.addresses.get(self.next).or_else(|| self.addresses.first())?.clone();
        self.stage = Stage::Dialing { since: now };
        Some(address)
    }

    /// A dial failed: the next address follows at once, after the last one a pause.
    pub(super) fn failed(&mut self, now: Timestamp, failure: DialError, jitter: &mut Jitter) {
        self.last_failure = Some(failure);
        self.next += 1;
        self.go_on(now, jitter);
    }

    /// A dial failed for good: as [`Self::failed`], but `address` is never tried again.
    pub(super) fn failed_for_good(&mut self, now: Timestamp, address: &str, jitter: &mut Jitter) {
        if let Some(place) = self.addresses.iter().position(|known| **known == *address) {
            self.addresses.remove(place);
        }
        self.go_on(now, jitter);
    }

    /// A connection came up at `address`, which need not be one of ours.
    pub(super) fn settle(&mut self, address: &str) {
        if let Some(place) = self.addresses.iter().position(|known| **known == *address) {
            self.addresses[..=place].rotate_right(1);
        }
        self.next = 0;
        self.last_failure = None;
        self.stage = Stage::Settled;
    }

    /// A connection that stood for `stood` has ended. `courtesy` is time left to the other side to dial.
    pub(super) fn lost(&mut self, now: Timestamp, stood: Duration, courtesy: Duration, jitter: &mut Jitter) {
        self.failures = if stood >= STEADY_AFTER { 1 } else { self.failures.saturating_add(1) };
        match self.stage {
            Stage::Dialing { .. } => {}
            Stage::Leaving => self.gone(now, jitter),
            Stage::Settled | Stage::Waiting { .. } => {
                let pause = jitter.scatter(self.pause()).saturating_add(courtesy);
                self.stage = Stage::Waiting { until: now.saturating_add(pause) };
            }
        }
    }

    /// There is no other connection: the peer let us in, and has room again soon.
    pub(super) fn hurry(&mut self, now: Timestamp) {
        if let Stage::Waiting { until } = self.stage {
            self.stage = Stage::Waiting { until: until.min(now.saturating_add(ROOM_PAUSE_MAX)) };
        }
    }

    /// We ended the connection for want of room; the peer did nothing wrong. A lookup may need it before `until`.
    pub(super) fn gave_way(&mut self, until: Timestamp) {
        if !matches!(self.stage, Stage::Dialing { .. }) {
            (self.failures, self.stage) = (0, Stage::Waiting { until });
        }
    }

    /// Membership says that the peer is gone, and there is no connection: no haste.
    pub(super) fn gone(&mut self, now: Timestamp, jitter: &mut Jitter) {
        self.failures = self.failures.max(GONE_FAILURES);
        self.stage = Stage::Waiting { until: now.saturating_add(jitter.scatter(self.pause())) };
    }

    /// Whether it was never dialled, and is not to be for a while yet.
    pub(super) fn is_put_off(&self, now: Timestamp) -> bool {
        let is_untried = self.failures == 0 && self.last_failure.is_none();
        is_untried && matches!(self.stage, Stage::Waiting { until } if until > now)
    }

    /// Dialed now, and if that fails, treated as one for which there is little hope.
    pub(super) fn try_once(&mut self, now: Timestamp) {
        (self.failures, self.stage) = (TRIES_MAX, Stage::Waiting { until: now });
    }

    fn go_on(&mut self, now: Timestamp, jitter: &mut Jitter) {
        if self.next < self.addresses.len() {
            self.stage = Stage::Waiting { until: now };
            return;
        }
        self.next = 0;
        self.failures = self.failures.saturating_add(1);
        let until = now.saturating_add(jitter.scatter(self.pause()));
        self.stage = Stage::Waiting { until };
    }

    /// The pause that the failures so far call for, before it is scattered.
    fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        let doubled = |first: Duration, most: Duration| first.saturating_mul(1 << doublings).min(most);
        let is_contact = matches!(self.known_by, KnownBy::Contact { .. });
        let is_persistent = self.failures >= TRIES_MAX && !is_contact;
        match self.last_failure {
            Some(DialError::BadAddress | DialError::Itself | DialError::WrongPeer) => BOOTSTRAP_INTERVAL,
            Some(DialError::OtherVersion | DialError::Refused) => {
                doubled(REFUSED_PAUSE_MIN, BOOTSTRAP_INTERVAL)
            }
            Some(DialError::TooMany) => doubled(PAUSE_MIN, ROOM_PAUSE_MAX),
            Some(
                DialError::AlreadyConnected { .. }
                | DialError::ShutDown
                | DialError::TimedOut
                | DialError::Unreachable,
            )
            | None => {
                if is_persistent {
                    BOOTSTRAP_INTERVAL
                } else {
                    doubled(PAUSE_MIN, PAUSE_MAX)
                }
            }
        }
    }
}

/// Pause after the first failure: a peer that restarts is back about then.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(1);

/// Longest pause while there is hope: a host that boots is found within a minute.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Longest pause where there was no room: newcomers are let in within seconds, and connections give way.
pub(super) const ROOM_PAUSE_MAX: Duration = Duration::from_secs(4);

/// First pause after a refusal: secrets are changed by people, who take longer than machines.
pub(super) const REFUSED_PAUSE_MIN: Duration = Duration::from_secs(30);

/// Longest pause of all, and so the time between two rounds over all contacts while one is not connected.
/// The specification's figure.
pub(super) const BOOTSTRAP_INTERVAL: Duration = Duration::from_secs(300);

/// Failures in a row after which there is little hope for a peer that is no contact: by then 1 + 2 + 4 + 8 + 16
/// seconds have passed. It is tried again every [`BOOTSTRAP_INTERVAL`], and makes room for another member.
pub(super) const TRIES_MAX: u32 = 6;

/// Failures that a departure counts for: 2 to 4 s, in which a host restarts its service. Not longer, since a node
/// that was itself away, as when its host slept, takes all others for gone, and only its contacts lead it back.
const GONE_FAILURES: u32 = 3;

/// A connection that stood for this long ends the run of failures; one that breaks off sooner adds to it.
pub(super) const STEADY_AFTER: Duration = Duration::from_secs(30);
