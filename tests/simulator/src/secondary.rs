//! What an origin bears besides its quota: so many calls at once, and so many in a minute, of each domain.
//!
//! GitHub's secondary limits. They count calls that cost no quota as well.

use crate::plan::SecondaryPlan;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Watches over the limits of a plan.
pub(crate) struct Secondary {
    plan: Option<SecondaryPlan>,
    /// For how long the origin works on a call.
    works_for: Duration,
    /// When each domain's calls of the last minute came that were borne.
    borne: BTreeMap<usize, VecDeque<Duration>>,
    /// Calls that were refused.
    pub(crate) excess: u64,
    /// When the first pause that it asked for has ended, of each domain.
    returns: BTreeMap<usize, Duration>,
    /// Calls so far by the second after that in which they came, for the first minute.
    pub(crate) returned: BTreeMap<u64, u64>,
}

impl Secondary {
    pub(crate) fn new(plan: Option<SecondaryPlan>, works_for: Duration) -> Self {
        Self {
            plan,
            works_for,
            borne: BTreeMap::new(),
            excess: 0,
            returns: BTreeMap::new(),
            returned: BTreeMap::new(),
        }
    }

    /// For how long a domain that makes one more call at `now` is asked to make none; `None` if the call is borne.
    ///
    /// A call that is refused is not counted against the next, and a caller that goes on all the same is not
    /// punished: GitHub may do both.
    pub(crate) fn refuse(&mut self, now: Duration, domain: usize) -> Option<Duration> {
        let plan = self.plan?;
        let since = self.returns.get(&domain).and_then(|returns| now.checked_sub(*returns));
        if let Some(since) = since.filter(|since| *since < MINUTE) {
            *self.returned.entry(since.as_secs()).or_default() += 1;
        }
        let borne = self.borne.entry(domain).or_default();
        while borne.front().is_some_and(|first| *first + MINUTE <= now) {
            borne.pop_front();
        }
        let concurrent = borne.iter().rev().take_while(|at| **at + self.works_for > now).count();
        if concurrent >= plan.concurrent_max || borne.len() >= plan.minute_max {
            self.excess += 1;
            self.returns.entry(domain).or_insert(now + plan.pause);
            return Some(plan.pause);
        }
        borne.push_back(now);
        None
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn refusals(concurrent_max: usize, minute_max: usize, calls_millis: &[u64]) -> Vec<bool> {
        let plan = SecondaryPlan { concurrent_max, minute_max, pause: MINUTE };
        let mut secondary = Secondary::new(Some(plan), Duration::from_millis(80));
        let calls = calls_millis.iter().map(|at| Duration::from_millis(*at));
        calls.map(|at| secondary.refuse(at, 0).is_some()).collect()
    }

    #[test]
    fn a_call_beyond_those_at_one_moment_is_refused_until_one_has_ended() {
        assert_eq!(refusals(2, 100, &[0, 10, 79, 80]), [false, false, true, false]);
    }

    #[test]
    fn a_call_beyond_those_of_a_minute_is_refused_until_the_first_is_a_minute_old() {
        assert_eq!(refusals(100, 2, &[0, 1_000, 59_999, 60_000]), [false, false, true, false]);
    }
}
