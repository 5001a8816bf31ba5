//! How one allowance of one payer stands, and when it will be gone.

use super::{Numbers, WritesReport};
use crate::{Allowance, Domain, Payer, Shortage, Timestamp, Window};
use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

/// How one allowance of one payer stands, as far as this node and those that have told it know.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(super) allowance: Allowance,
    /// When the latest word came.
    pub(super) noted: Timestamp,
    /// What was used at moments of the present window, the earliest first; at most [`SAMPLES_MAX`].
    pub(super) samples: VecDeque<(Timestamp, u64)>,
    /// The latest word that all neighbours have, as far as this node knows.
    pub(super) common: Option<Window>,
    /// When they are told of a later one.
    pub(super) tell_at: Option<Timestamp>,
    /// They are told even if they know it from another: that this member calls is news.
    pub(super) is_owed: bool,
    /// The numbers in the present window of those calls of the payer that the fleet has made, as far as this node knows.
    pub(super) numbers: Numbers,
    /// The least use that was seen of the present window.
    pub(super) used_first: u64,
    /// When the present window was first seen.
    pub(super) seen_first: Timestamp,
    /// What was used then of others that may be the same payer, or is known some seconds later.
    pub(super) used_beside: Vec<(Payer, u64)>,
    /// Of others that may be the same payer, what was used of theirs when this node had no call of this payer under way and began
    /// one: what is counted together shows more from then on.
    pub(super) floors: Vec<(Payer, u64)>,
    /// This node has made calls whose numbers no neighbour knows.
    pub(super) has_untold: bool,
    /// When neighbours are told the numbers.
    pub(super) numbers_tell_at: Option<Timestamp>,
}

impl Account {
    pub(super) fn new(allowance: Allowance, now: Timestamp) -> Self {
        let samples = VecDeque::from([(now, allowance.window.used)]);
        Self {
            used_first: allowance.window.used,
            seen_first: now,
            used_beside: Vec::new(),
            allowance,
            noted: now,
            samples,
            common: None,
            tell_at: None,
            is_owed: false,
            numbers: Numbers::default(),
            floors: Vec::new(),
            has_untold: false,
            numbers_tell_at: None,
        }
    }

    /// The latest word on it.
    pub(crate) fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    /// See [`AccountReport::per_hour`].
    pub(crate) fn per_hour(&self, now: Timestamp) -> Option<u64> {
        let (used, time) = self.spent_lately(now)?;
        let millis = u64::try_from(time.as_millis()).ok().filter(|millis| *millis > 0)?;
        Some(used.saturating_mul(3_600_000) / millis)
    }

    /// See [`AccountReport::spent_at`].
    pub(crate) fn spent_at(&self, now: Timestamp) -> Option<Timestamp> {
        let Window { remaining, reset, .. } = self.allowance.window;
        let (used, time) = self.spent_lately(now).filter(|(used, _)| *used > 0)?;
        let millis = u128::from(remaining) * time.as_millis() / u128::from(used);
        let left = Duration::from_millis(u64::try_from(millis).ok()?);
        Some(self.noted.saturating_add(left)).filter(|gone| *gone < reset)
    }

    fn spent_lately(&self, now: Timestamp) -> Option<(u64, Duration)> {
        if self.allowance.window.reset <= now {
            return None;
        }
        let since = self.noted.saturating_sub(RATE_OVER);
        let before = self.samples.iter().rev().find(|(at, _)| *at <= since);
        let (at, used) = *before.or_else(|| self.samples.front())?;
        let time = self.noted.saturating_since(at);
        let spent = self.allowance.window.used.saturating_sub(used);
        (time >= RATE_OVER_LEAST).then_some((spent, time))
    }

    /// Takes `window` if it is the later word. Returns whether it was.
    pub(super) fn join(&mut self, window: Window, now: Timestamp) -> bool {
        let before = self.allowance.window;
        let is_of_same = before.is_one_with(&window);
        if is_of_same {
            self.used_first = self.used_first.min(window.used);
        }
        if !self.allowance.window.join(window) {
            return false;
        }
        if window.reset != before.reset {
            self.samples.clear();
        }
        if !is_of_same {
            (self.used_first, self.seen_first) = (window.used, now);
            (self.numbers, self.has_untold) = (Numbers::default(), false);
            self.floors.clear();
            self.used_beside.clear();
        }
        self.noted = now;
        let is_due = self.samples.back().is_none_or(|(at, _)| now.saturating_since(*at) >= SAMPLE_EVERY);
        if is_due {
            self.samples.push_back((now, window.used));
            if self.samples.len() > SAMPLES_MAX {
                self.samples.pop_front();
            }
        }
        true
    }

    /// This node made a call whose answer showed `window`. Returns whether its number is news.
    pub(super) fn count(&mut self, window: &Window) -> bool {
        let is_news = self.allowance.window.is_one_with(window) && self.numbers.insert(window.used);
        self.has_untold |= is_news;
        is_news
    }

    /// Whether both are words on one window of two payers, which may be one.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let (own, other) = (&self.allowance, &other.allowance);
        let is_shared = own.payer != Payer::HOST && other.payer != Payer::HOST;
        is_shared
            && own.payer != other.payer
            && own.resource == other.resource
            && own.window.is_one_with(&other.window)
    }

    /// How many calls were made that neighbours have not been told of; all of them in a window they have not heard of.
    pub(super) fn unsaid(&self) -> u64 {
        let window = self.allowance.window;
        match self.common {
            Some(common) if common.reset == window.reset => window.used.saturating_sub(common.used),
            _ => window.used.max(1),
        }
    }

    /// Neighbours know `window`.
    pub(super) fn note_common(&mut self, window: Window) {
        match &mut self.common {
            Some(common) => _ = common.join(window),
            None => self.common = Some(window),
        }
        if !self.is_owed && self.common.is_some_and(|mut common| !common.join(self.allowance.window)) {
            self.tell_at = None;
        }
    }
}

/// How an account stands, for reports.
#[derive(Clone, Debug)]
pub struct AccountReport {
    /// How the allowance stands.
    pub allowance: Allowance,
    /// Other payers that draw on the present window, as the origin's answers show, and the domain of each: a user's several
    /// tokens, or the tokens that an App is given one after another.
    pub also: Vec<(Domain, Payer)>,
    /// When the latest word came.
    pub noted: Timestamp,
    /// How many calls an hour are being spent, by all that share the allowance, members or not: the mean over the last
    /// [`RATE_OVER`] of the window. `None` until some seconds were seen of it, or after it.
    pub per_hour: Option<u64>,
    /// When all will be spent if calls go on at that rate; `None` if the window ends before, or if that cannot be told.
    pub spent_at: Option<Timestamp>,
    /// Until when no call of this payer is made that would draw on it, and why.
    pub paused: Option<(Timestamp, Shortage)>,
    /// What the payer's writes come to, whichever allowance they draw on.
    pub writes: WritesReport,
}

/// Over how much time the rate of spending is taken: long enough that a job's bursts do not count as the day's habit, and
/// short enough that a forecast follows within a quarter of the usual window.
pub const RATE_OVER: Duration = Duration::from_secs(15 * 60);

/// Less time than this says nothing of a rate.
const RATE_OVER_LEAST: Duration = Duration::from_secs(5);

const SAMPLE_EVERY: Duration = Duration::from_secs(30);

/// Most samples of a window: an hour's, which is the origin's longest.
const SAMPLES_MAX: usize = 120;
