//! Whether the origin can be reached, as this node and its neighbours find.
//!
//! Owns what is believed, and when this node may try again. What a call came to is handed in, and so is what neighbours say;
//! what they are to hear comes out as [`OriginWord`]s. Makes no call and sends nothing.
//!
//! An origin that cannot be reached would be found out by each member for itself, and for each entry. So a member whose call
//! does not get through says so, and [`WITNESSES_NEEDED`] that say so, this one among them or not, are believed, unless a call
//! that began later got through somewhere. A member by itself believes as many calls of its own, one after the other. Then no
//! call is made but by the first whose time has come: it says that it tries, and the others wait for what it finds.
//!
//! No single member can stop the others, whatever it says: it is one witness, and it may put them off for its own trial once in
//! [`Outage::heed_again_after`]. Nobody has to believe that all is well again: those whose own calls failed in turn try.

use crate::{PeerId, Timestamp, message::OriginWord, peers::Jitter};
use alloc::collections::BTreeMap;
use core::time::Duration;

/// What is known of whether the origin can be reached.
#[derive(Debug)]
pub(crate) struct Outage {
    /// For how long a node makes no call after one that failed. Zero: each call is tried.
    hold_off: Duration,
    jitter: Jitter,
    /// When the latest call of this node's began that got through.
    succeeded: Option<Timestamp>,
    /// The same of any member, as far as is known.
    reached: Option<Timestamp>,
    /// The same, as far as neighbours know.
    reached_told: Option<Timestamp>,
    /// This node's calls that did not get through, one after the other.
    streak: Option<Streak>,
    /// Neighbours whose calls did not, by what they said last: at most [`WITNESSES_MAX`].
    witnesses: BTreeMap<PeerId, Witness>,
    /// When neighbours said last that they try: at most [`TRIERS_MAX`].
    tries: BTreeMap<PeerId, Timestamp>,
    /// When neighbours were told last that calls of this node fail.
    told: Option<Timestamp>,
    /// When this node's calls that had failed as all members' did were last taken to be over.
    forgiven: Option<Timestamp>,
    /// When to contradict those that say that the origin cannot be reached.
    contradict_at: Option<Timestamp>,
    down: Option<Down>,
}

/// Calls that did not get through, one after the other.
#[derive(Clone, Copy, Debug)]
struct Streak {
    /// When the first of them failed that says something of now.
    since: Timestamp,
    /// When the latest of them failed.
    last: Timestamp,
    /// Calls that began after the one before had failed.
    count: u32,
    /// They failed while none got through anywhere, and one has since. They say nothing of now.
    is_over: bool,
}

/// A neighbour whose calls do not get through.
#[derive(Clone, Copy, Debug)]
struct Witness {
    since: Timestamp,
    heard: Timestamp,
}

/// The origin is taken to be out of reach.
#[derive(Clone, Copy, Debug)]
struct Down {
    /// Since when calls fail, as far as is known.
    since: Timestamp,
    /// When this node may try.
    attempt_at: Timestamp,
    /// How many trials have failed.
    round: u32,
    trial: Option<Trial>,
    /// When this node, whose own calls fail, was last told that others' do not.
    encouraged: Option<Timestamp>,
}

/// A call by which a member finds out whether the origin is back.
#[derive(Clone, Copy, Debug)]
enum Trial {
    Ours { begun: Timestamp },
    Theirs(PeerId),
}

/// Whether a call to the origin may be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Passage {
    /// No: the origin cannot be reached.
    Closed,
    /// Yes, perhaps to find out whether it can be reached.
    Open,
    /// A call is under way that will tell.
    Tried,
}

/// What a call is that begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Begun {
    /// One that finds out whether the origin is back.
    Trial {
        /// Sent to all neighbours. It concerns those that cannot reach the origin either.
        word: OriginWord,
    },
    /// A call while nothing speaks against the origin, or one that is made all the same.
    Usual,
}

/// Since when the origin cannot be reached, and by whose word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutageReport {
    /// Since when calls fail, as far as this node knows.
    pub since: Timestamp,
    /// Calls of this node's own that failed, one after the other.
    pub own_failures: u32,
    /// Other members that said that their calls fail.
    pub witnesses: usize,
    /// When this node may try again, unless it hears more by then.
    pub attempt_at: Timestamp,
}

impl Outage {
    pub(crate) fn new(hold_off: Duration, seed: u64) -> Self {
        Self {
            hold_off,
            jitter: Jitter::new(seed ^ OUTAGE_STREAM),
            succeeded: None,
            reached: None,
            reached_told: None,
            streak: None,
            witnesses: BTreeMap::new(),
            tries: BTreeMap::new(),
            told: None,
            forgiven: None,
            contradict_at: None,
            down: None,
        }
    }

    /// Whether a call may be made. One that `insists` is made for as long as none of this node's own has failed.
    pub(crate) fn passage(&self, now: Timestamp, insists: bool) -> Passage {
        match self.down {
            None => Passage::Open,
            Some(_) if insists && self.own(now).is_none() => Passage::Open,
            Some(down) if down.attempt_at <= now => Passage::Open,
            Some(Down { trial: Some(_), .. }) => Passage::Tried,
            Some(Down { trial: None, .. }) => Passage::Closed,
        }
    }

    /// A call begins, perhaps to find out whether the origin is back.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Begun {
        if self.down.is_none_or(|down| down.attempt_at > now) {
            return Begun::Usual;
        }
        let wait = self.trial_time();
        if let Some(down) = &mut self.down {
            down.trial = Some(Trial::Ours { begun: now });
            down.attempt_at = now.saturating_add(wait);
        }
        Begun::Trial { word: OriginWord::Trying }
    }

    /// A call that began at `begun` got through. Returns what all are to hear if the origin was taken to be out of reach.
    pub(crate) fn on_reached(&mut self, begun: Timestamp, now: Timestamp) -> Option<OriginWord> {
        self.succeeded = self.succeeded.max(Some(begun));
        self.note_reached(begun);
        if self.streak.is_some_and(|streak| begun > streak.since) {
            self.streak = None;
        }
        self.down.filter(|down| begun > down.since)?;
        self.down = None;
        Some(self.say_reached(begun, now))
    }

    /// A call that began at `begun` did not get through, in a district of so many `members`. Returns what neighbours are to
    /// hear of that.
    ///
    /// If one that began later did, this one tells of what it was for alone.
    pub(crate) fn on_unreached(
        &mut self,
        begun: Timestamp,
        now: Timestamp,
        members: usize,
    ) -> Option<OriginWord> {
        if self.succeeded > Some(begun) {
            self.on_unknown(begun, now);
            return None;
        }
        let since = self.lengthen_streak(begun, now);
        let was_trial = self.end_trial(begun, now, Ended::InVain);
        self.conclude(now, members);
        let is_enough = self.valid_witnesses(now) >= WITNESSES_NEEDED;
        let was_told = self.told.is_some_and(|told| now.saturating_since(told) < TELL_EVERY);
        // A member that knows of others that got through since hears in it no more than that the trial has ended.
        if !was_trial && (is_enough || was_told || self.is_contradicted(now)) {
            return None;
        }
        self.told = Some(now);
        Some(OriginWord::Failing { since: now.saturating_since(since) })
    }

    /// Of a call that began at `begun` nothing is known: it was given up, or broke off.
    pub(crate) fn on_unknown(&mut self, begun: Timestamp, now: Timestamp) {
        self.end_trial(begun, now, Ended::Unknown);
    }

    /// Neighbour `from`, one of so many `members` of the district, has a word to say. Returns whether it is news that the
    /// origin can be reached. A member of another district may say that alone.
    pub(crate) fn on_told(&mut self, from: PeerId, word: OriginWord, now: Timestamp, members: usize) -> bool {
        match word {
            OriginWord::Failing { since } => {
                self.on_failing(from, now.saturating_sub(since), now, members);
                false
            }
            OriginWord::Reached { since } => self.on_reached_elsewhere(from, now.saturating_sub(since), now),
            OriginWord::Trying => {
                self.on_trying(from, now);
                false
            }
        }
    }

    /// Neighbour `peer` is gone, perhaps with its trial.
    pub(crate) fn on_gone(&mut self, peer: PeerId, now: Timestamp) {
        if !self.is_tried_by(peer) {
            return;
        }
        // Its link alone may have given way to another, and its trial go on: requests wait a little longer for what it finds.
        let replaced_at = now.saturating_add(self.pause(0));
        if let Some(down) = &mut self.down {
            down.attempt_at = down.attempt_at.min(replaced_at);
        }
    }

    /// What a neighbour that has just come is to hear.
    pub(crate) fn present(&self, now: Timestamp) -> Option<OriginWord> {
        let own = self.own(now).filter(|_| !self.is_contradicted(now));
        let since = self.down.and(own)?.since;
        Some(OriginWord::Failing { since: now.saturating_since(since) })
    }

    /// When neighbours are to be told something.
    pub(crate) fn next_telling(&self) -> Option<Timestamp> {
        self.contradict_at
    }

    /// Takes what neighbours are to be told by now.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<OriginWord> {
        self.contradict_at.take_if(|at| *at <= now)?;
        let succeeded = self.succeeded.filter(|succeeded| self.reached_told < Some(*succeeded))?;
        Some(self.say_reached(succeeded, now))
    }

    /// Since when the origin cannot be reached, and by whose word; `None` if nothing speaks against it.
    pub(crate) fn report(&self) -> Option<OutageReport> {
        self.down.map(|down| OutageReport {
            since: down.since,
            own_failures: self.streak.map_or(0, |streak| streak.count),
            witnesses: self.witnesses.len(),
            attempt_at: down.attempt_at,
        })
    }

    /// Whether all members, and not this one alone, find that the origin cannot be reached.
    pub(crate) fn is_of_all(&self, now: Timestamp) -> bool {
        self.down.is_some() && !self.is_contradicted(now) && !self.witnesses.is_empty()
    }

    fn on_failing(&mut self, from: PeerId, since: Timestamp, now: Timestamp, members: usize) {
        if self.is_tried_by(from) {
            self.try_later(now, Ended::InVain);
        }
        if self.reached >= Some(since) {
            // A word that all know by now needs no second one.
            if self.succeeded >= Some(since) && self.reached_told < Some(since) {
                let wait = self.jitter.scatter(CONTRADICT_WITHIN);
                self.contradict_at.get_or_insert(now.saturating_add(wait));
            }
            return;
        }
        if self.witnesses.len() >= WITNESSES_MAX && !self.witnesses.contains_key(&from) {
            self.witnesses.retain(|_, witness| now.saturating_since(witness.heard) < BELIEVED_FOR);
        }
        if self.witnesses.len() < WITNESSES_MAX || self.witnesses.contains_key(&from) {
            self.witnesses.insert(from, Witness { since, heard: now });
        }
        self.conclude(now, members);
    }

    fn on_reached_elsewhere(&mut self, from: PeerId, begun: Timestamp, now: Timestamp) -> bool {
        let is_trial = self.is_tried_by(from);
        if self.is_of_all(now) && self.down.is_some_and(|down| begun > down.since) {
            self.forgive(now);
        }
        self.note_reached(begun);
        self.reached_told = self.reached_told.max(Some(begun));
        let fails_alone = self.streak.is_some_and(|streak| streak.count >= CALLS_NEEDED);
        let Some(down) = self.down.as_mut().filter(|down| begun > down.since) else { return false };
        if !fails_alone {
            self.down = None;
            return true;
        }
        // Whatever others find, this node's own calls fail. One more call will tell, at once if this one was waited for.
        let is_new = is_trial || down.encouraged.is_none_or(|at| now.saturating_since(at) >= self.hold_off);
        if is_new && !matches!(down.trial, Some(Trial::Ours { .. })) {
            (down.encouraged, down.attempt_at, down.trial) = (Some(now), now, None);
        }
        is_new
    }

    fn on_trying(&mut self, from: PeerId, now: Timestamp) {
        let again_after = self.heed_again_after();
        let Some(mut down) = self.down.filter(|down| !matches!(down.trial, Some(Trial::Ours { .. }))) else {
            return;
        };
        self.tries.retain(|_, tried| now.saturating_since(*tried) < again_after);
        if self.tries.contains_key(&from) || self.tries.len() >= TRIERS_MAX {
            return;
        }
        self.tries.insert(from, now);
        (down.trial, down.attempt_at) = (Some(Trial::Theirs(from)), now.saturating_add(self.trial_time()));
        self.down = Some(down);
    }

    /// This node's calls failed as all members' did, and somewhere one has got through. They are no sign that its own line is
    /// broken: if the next fails, members are to hear of it as of the first. Where lines of several are broken, they are
    /// heard so only once in [`Self::heed_again_after`].
    fn forgive(&mut self, now: Timestamp) {
        let is_early = self.forgiven.is_some_and(|at| now.saturating_since(at) < self.heed_again_after());
        if let Some(streak) = self.streak.as_mut().filter(|_| !is_early) {
            streak.is_over = true;
            self.forgiven = Some(now);
        }
    }

    /// Notes that a call did not get through. Returns since when none does.
    fn lengthen_streak(&mut self, begun: Timestamp, now: Timestamp) -> Timestamp {
        let streak = match self.streak.filter(|streak| self.is_recent(streak, now)) {
            // Calls that were under way together tell no more than one of them.
            Some(streak) if begun < streak.last => return streak.since,
            Some(streak) => {
                let since = if streak.is_over { now } else { streak.since };
                Streak { since, last: now, count: streak.count.saturating_add(1), is_over: false }
            }
            None => Streak { since: now, last: now, count: 1, is_over: false },
        };
        self.streak = Some(streak);
        streak.since
    }

    /// Ends this node's trial if the call that began at `begun` was it. Returns whether it was.
    fn end_trial(&mut self, begun: Timestamp, now: Timestamp, ended: Ended) -> bool {
        let trial = self.down.and_then(|down| down.trial);
        let is_it = matches!(trial, Some(Trial::Ours { begun: since }) if begun >= since);
        if is_it {
            self.try_later(now, ended);
        }
        is_it
    }

    /// The trial under way has ended, and did not get through.
    fn try_later(&mut self, now: Timestamp, ended: Ended) {
        let Some(mut down) = self.down else { return };
        let pause = match ended {
            Ended::InVain => {
                down.round = down.round.saturating_add(1);
                self.pause(down.round)
            }
            Ended::Unknown => self.pause(0),
        };
        (down.trial, down.attempt_at) = (None, now.saturating_add(pause));
        self.down = Some(down);
    }

    fn is_tried_by(&self, peer: PeerId) -> bool {
        let trial = self.down.and_then(|down| down.trial);
        matches!(trial, Some(Trial::Theirs(trying)) if trying == peer)
    }

    /// Believes that the origin cannot be reached, if there are enough that say so.
    fn conclude(&mut self, now: Timestamp, members: usize) {
        if self.down.is_some() || self.hold_off.is_zero() {
            return;
        }
        let own = self.own(now);
        let fails_alone = own.is_some_and(|streak| streak.count >= CALLS_NEEDED);
        let counts = own.filter(|_| !self.is_contradicted(now));
        let count = self.valid_witnesses(now) + usize::from(counts.is_some());
        if !fails_alone && (members <= 1 || count < WITNESSES_NEEDED.min(members)) {
            return;
        }
        let others = self.witnesses.values().map(|witness| witness.since);
        let since = others.chain(own.map(|streak| streak.since)).min().unwrap_or(now);
        let attempt_at = now.saturating_add(self.pause(0));
        self.down = Some(Down { since, attempt_at, round: 0, trial: None, encouraged: None });
    }

    /// A call that began at `begun` got through somewhere: those whose calls failed before say nothing of now.
    fn note_reached(&mut self, begun: Timestamp) {
        self.reached = self.reached.max(Some(begun));
        self.witnesses.retain(|_, witness| witness.since > begun);
    }

    fn say_reached(&mut self, begun: Timestamp, now: Timestamp) -> OriginWord {
        self.reached_told = self.reached_told.max(Some(begun));
        OriginWord::Reached { since: now.saturating_since(begun) }
    }

    /// Neighbours whose word counts.
    fn valid_witnesses(&self, now: Timestamp) -> usize {
        let is_recent = |witness: &&Witness| now.saturating_since(witness.heard) < BELIEVED_FOR;
        self.witnesses.values().filter(is_recent).count()
    }

    /// This node's calls that say something of now.
    fn own(&self, now: Timestamp) -> Option<Streak> {
        self.streak.filter(|streak| !streak.is_over && self.is_recent(streak, now))
    }

    /// Whether a call got through elsewhere since this node's own fail: then it is this node's line that is broken.
    fn is_contradicted(&self, now: Timestamp) -> bool {
        self.own(now).is_some_and(|own| self.reached > Some(own.since))
    }

    fn is_recent(&self, streak: &Streak, now: Timestamp) -> bool {
        now.saturating_since(streak.last) < self.hold_off.saturating_mul(STREAK_HOLDS)
    }

    /// How long to make no call after so many trials that failed: longer each time, never longer than the whole hold-off, and
    /// by a different time at each member.
    fn pause(&mut self, round: u32) -> Duration {
        let longest = FIRST_PAUSE.saturating_mul(1 << round.min(16)).min(self.hold_off);
        self.jitter.scatter(longest)
    }

    /// How long a trial is waited for before another may try.
    fn trial_time(&mut self) -> Duration {
        self.jitter.scatter(self.hold_off)
    }

    /// After what time a neighbour that says again that it tries is heeded again, and this node's failures count once more
    /// though others get through.
    fn heed_again_after(&self) -> Duration {
        self.hold_off.saturating_mul(3)
    }
}

/// How a trial has ended that did not get through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    InVain,
    Unknown,
}

/// So many members whose calls do not get through are believed, or all if there are fewer: a line or two that are broken say
/// nothing of the origin.
const WITNESSES_NEEDED: usize = 3;

/// So many calls of its own, one after the other, a node believes whatever others say.
const CALLS_NEEDED: u32 = 3;

/// Most neighbours whose word that their calls fail is kept.
const WITNESSES_MAX: usize = 16;

/// Most neighbours that are remembered as having tried lately. Of more, none is waited for.
const TRIERS_MAX: usize = 64;

/// For how long a neighbour that says that its calls fail counts.
const BELIEVED_FOR: Duration = Duration::from_secs(10);

/// For how many hold-offs the last failure of a streak is held against the next call.
const STREAK_HOLDS: u32 = 6;

/// How often a node says that its calls fail.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Within this time a node contradicts, unless another does before it.
const CONTRADICT_WITHIN: Duration = Duration::from_millis(200);

/// How long after the origin was found out of reach the first trial is made, at most. What is over after a moment is to be
/// found over soon.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// Tells the chances of this part from those of others.
const OUTAGE_STREAM: u64 = 0x6f75_7461_6765;

#[cfg(test)]
mod tests;
