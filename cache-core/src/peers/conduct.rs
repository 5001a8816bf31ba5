//! How peers behave: offences, what they cost, and bans.
//!
//! Owns every [`Standing`]. Scores begin at zero and fall; time and usefulness raise them again. Does not know which
//! peers are connected; the caller acts on what is returned.

use super::traffic::{Remainder, TrafficLimits};
use crate::{PeerId, Timestamp};
use alloc::collections::BTreeMap;
use core::{fmt, time::Duration};

/// Something that a peer must not do.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Offence {
    /// An entry that proved to be forged or damaged.
    BadEntry,
    /// More messages or bytes than any use calls for.
    Flood,
    /// What it says of itself contradicts what the handshake proved.
    LiesAboutItself,
    /// A message that opens but does not decode.
    Malformed,
    /// An ask that it left unanswered.
    Silent,
    /// A frame that does not open, or that came before.
    Unopened,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadEntry => "sent an entry that is forged or damaged",
            Self::Flood => "sent too much",
            Self::LiesAboutItself => "says of itself what the handshake disproves",
            Self::Malformed => "sent frames that are not messages",
            Self::Silent => "left asks unanswered",
            Self::Unopened => "sent what does not open",
        })
    }
}

/// A peer that this node does not connect with for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ban {
    /// When the ban ends.
    pub until: Timestamp,
    /// The offence that filled the measure.
    pub offence: Offence,
}

/// The standing of every peer that there is something to say about.
#[derive(Debug)]
pub(super) struct Conduct {
    standings: BTreeMap<PeerId, Standing>,
    /// Most peers that anything is held against, banned ones among them: all that can be connected, several times
    /// over. Beyond, the mildest is forgotten, and among bans the one that ends first.
    standings_max: usize,
}

impl Conduct {
    pub(super) fn new(standings_max: usize) -> Self {
        Self { standings: BTreeMap::new(), standings_max }
    }

    /// Counts an offence. Returns the ban that it brings. A banned peer cannot be banned again.
    pub(super) fn offend(&mut self, now: Timestamp, peer: PeerId, offence: Offence) -> Option<Ban> {
        self.make_room(now, peer);
        self.standings.entry(peer).or_default().offend(now, offence)
    }

    /// The peer sent something useful.
    pub(super) fn heard(&mut self, now: Timestamp, peer: PeerId) {
        if let Some(standing) = self.standings.get_mut(&peer) {
            standing.heard(now);
        }
    }

    /// Takes a message of `bytes` from the peer's allowance, and ends its silence. Returns whether the message was
    /// within the allowance.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        bytes: usize,
        limits: &TrafficLimits,
    ) -> bool {
        self.make_room(now, peer);
        let standing = self.standings.entry(peer).or_default();
        standing.silent_until = None;
        standing.remainder.get_or_insert_with(|| Remainder::full(now, limits)).take(now, bytes, limits)
    }

    /// Forgets whatever is as good as new.
    pub(super) fn tidy(&mut self, now: Timestamp, limits: &TrafficLimits) {
        self.standings.retain(|_peer, standing| {
            let is_spent = standing.remainder.as_ref().is_some_and(|left| !left.is_full(now, limits));
            is_spent
                || standing.is_silent(now)
                || standing.penalty(now) > 0
                || standing.bans_forgotten_at() > now
        });
    }

    /// The ban in force.
    pub(super) fn ban(&self, now: Timestamp, peer: PeerId) -> Option<Ban> {
        self.standings.get(&peer)?.ban.filter(|ban| ban.until > now)
    }

    /// Every ban in force.
    pub(super) fn bans(&self, now: Timestamp) -> impl Iterator<Item = (PeerId, Ban)> {
        let bans = self.standings.iter().filter_map(|(peer, standing)| Some((*peer, standing.ban?)));
        bans.filter(move |(_peer, ban)| ban.until > now)
    }

    /// Zero for a peer without fault, down to -[`PENALTY_MAX`].
    pub(super) fn score(&self, now: Timestamp, peer: PeerId) -> i32 {
        let penalty = self.standings.get(&peer).map_or(0, |standing| standing.penalty(now));
        -i32::try_from(penalty / MILLI).expect("a penalty is at most PENALTY_MAX")
    }

    /// Whether an ask was left unanswered less than [`SILENT_FOR`] ago, and nothing has come since.
    pub(super) fn is_silent(&self, now: Timestamp, peer: PeerId) -> bool {
        self.standings.get(&peer).is_some_and(|standing| standing.is_silent(now))
    }

    /// Every peer that is silent.
    pub(super) fn silent(&self, now: Timestamp) -> impl Iterator<Item = PeerId> {
        self.standings.iter().filter(move |(_peer, standing)| standing.is_silent(now)).map(|(peer, _)| *peer)
    }

    /// The connection has ended; on the next one the peer is asked again.
    pub(super) fn end_silence(&mut self, peer: PeerId) {
        if let Some(standing) = self.standings.get_mut(&peer) {
            standing.silent_until = None;
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.standings.len()
    }

    /// Before `peer` becomes one too many, forgets the standing that weighs least.
    fn make_room(&mut self, now: Timestamp, peer: PeerId) {
        if self.standings.len() < self.standings_max || self.standings.contains_key(&peer) {
            return;
        }
        let weight = |standing: &Standing| {
            let banned_until = standing.ban.map(|ban| ban.until).filter(|until| *until > now);
            (banned_until, standing.penalty(now))
        };
        let least = self.standings.iter().min_by_key(|(_peer, standing)| weight(standing));
        let Some(least) = least.map(|(peer, _standing)| *peer) else { return };
        self.standings.remove(&least);
    }
}

/// What is held against one peer.
#[derive(Debug, Default)]
struct Standing {
    /// In thousandths of a point, as of `counted_at`.
    penalty_milli: u64,
    counted_at: Timestamp,
    /// The last ban, in force or not.
    ban: Option<Ban>,
    /// How many bans in a row, each twice as long as the one before.
    bans: u32,
    /// When a flood or something useful was last counted.
    flooded_at: Option<Timestamp>,
    heard_at: Option<Timestamp>,
    /// The moment until which others are asked instead.
    silent_until: Option<Timestamp>,
    remainder: Option<Remainder>,
}

impl Standing {
    fn offend(&mut self, now: Timestamp, offence: Offence) -> Option<Ban> {
        if self.ban.is_some_and(|ban| ban.until > now) {
            return None;
        }
        self.settle(now);
        if self.bans_forgotten_at() <= now {
            self.bans = 0;
        }
        let most = match offence {
            Offence::Silent => {
                self.silent_until = Some(now.saturating_add(SILENT_FOR));
                SILENCE_MAX
            }
            Offence::Flood => {
                if self.flooded_at.is_some_and(|at| now.saturating_since(at) < FLOOD_INTERVAL) {
                    return None;
                }
                self.flooded_at = Some(now);
                PENALTY_MAX
            }
            Offence::BadEntry | Offence::LiesAboutItself | Offence::Malformed | Offence::Unopened => {
                PENALTY_MAX
            }
        };
        let raised = (self.penalty_milli + weight(offence) * MILLI).min(most * MILLI);
        self.penalty_milli = raised.max(self.penalty_milli);
        if self.penalty_milli < PENALTY_MAX * MILLI {
            return None;
        }
        let time = BAN_TIME_MIN.saturating_mul(1 << self.bans.min(16)).min(BAN_TIME_MAX);
        self.bans = self.bans.saturating_add(1);
        self.penalty_milli = PENALTY_AFTER_BAN * MILLI;
        let ban = Ban { until: now.saturating_add(time), offence };
        self.counted_at = ban.until;
        self.ban = Some(ban);
        Some(ban)
    }

    fn heard(&mut self, now: Timestamp) {
        if self.heard_at.is_some_and(|at| now.saturating_since(at) < HEARD_INTERVAL) {
            return;
        }
        self.heard_at = Some(now);
        self.settle(now);
        self.penalty_milli = self.penalty_milli.saturating_sub(MILLI);
    }

    fn is_silent(&self, now: Timestamp) -> bool {
        self.silent_until.is_some_and(|until| until > now)
    }

    /// Brings the penalty up to date. It does not decay during a ban, which ends with `counted_at`.
    fn settle(&mut self, now: Timestamp) {
        self.penalty_milli = self.penalty(now);
        self.counted_at = self.counted_at.max(now);
    }

    /// In thousandths of a point.
    fn penalty(&self, now: Timestamp) -> u64 {
        let elapsed = now.saturating_since(self.counted_at).as_millis();
        let decayed = elapsed / DECAY_INTERVAL.as_millis().div_ceil(MILLI.into());
        self.penalty_milli.saturating_sub(u64::try_from(decayed).unwrap_or(u64::MAX))
    }

    /// When the next ban would be a first one again.
    fn bans_forgotten_at(&self) -> Timestamp {
        self.ban.map_or(Timestamp::default(), |ban| ban.until.saturating_add(BAN_MEMORY))
    }
}

/// What an offence costs, in points of [`PENALTY_MAX`].
const fn weight(offence: Offence) -> u64 {
    match offence {
        // No peer contradicts its own handshake by accident.
        Offence::LiesAboutItself => 100,
        // A damaged disk can do this once; a peer that does it twice in two minutes would poison the fleet.
        Offence::BadEntry => 60,
        // Counted once in FLOOD_INTERVAL: four seconds of it is no burst.
        Offence::Flood => 25,
        // A version that errs in one kind of message may be useful in the others.
        Offence::Malformed => 20,
        // Transports deliver in order, but a secret that is being changed, or a frame that was overtaken by a
        // whole replay window, is honest.
        Offence::Unopened => 10,
        // A busy peer; see SILENCE_MAX.
        Offence::Silent => 5,
    }
}

/// Points at which a peer is banned.
pub(super) const PENALTY_MAX: u64 = 100;

/// Most points that silence alone brings: a ban would cut a peer off for a minute because it is a second late.
/// Membership says when a peer is dead.
const SILENCE_MAX: u64 = 50;

/// How long a peer that kept silent is passed over, unless it says something before: membership finds out within
/// this time whether it is dead.
pub(super) const SILENT_FOR: Duration = Duration::from_secs(5);

/// Points with which a peer returns from a ban: half a chance, not a whole one.
const PENALTY_AFTER_BAN: u64 = 50;

/// Time in which one point is forgiven: a full measure in ten minutes.
const DECAY_INTERVAL: Duration = Duration::from_secs(6);

/// Usefulness forgives one point in this time, so that it cannot pay for a stream of offences.
const HEARD_INTERVAL: Duration = Duration::from_secs(6);

/// Floods count once in this time, however many messages were too many.
const FLOOD_INTERVAL: Duration = Duration::from_secs(1);

/// Duration of the first ban.
pub(super) const BAN_TIME_MIN: Duration = Duration::from_secs(60);

/// The longest ban: what was repaired is back within the hour.
pub(super) const BAN_TIME_MAX: Duration = Duration::from_secs(3600);

/// Time after a ban in which another one is twice as long.
const BAN_MEMORY: Duration = Duration::from_secs(3600);

/// Penalties are kept in thousandths, so that decay does not depend on how often it is computed.
const MILLI: u64 = 1000;
