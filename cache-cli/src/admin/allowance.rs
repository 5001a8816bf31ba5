//! How one allowance stands, as `GET /stats` tells it and as the dashboard shows it, and which needs a look first.

use fleet_cache::github::DomainQuota;
use serde::{Deserialize, Serialize};

/// One allowance of one payer. Moments are in seconds since the Unix epoch.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct AllowanceLine {
    /// Whose it is, as `quota` names payers.
    pub(crate) domain: String,
    /// Others that draw on it, by their names.
    #[serde(default)]
    pub(crate) also: Vec<String>,
    /// Which of the payer's allowances, in GitHub's words.
    pub(crate) resource: String,
    /// Calls that each window allows.
    pub(crate) limit: u64,
    /// Calls left, as was told last.
    pub(crate) remaining: u64,
    /// Calls made in the window.
    pub(crate) used: u64,
    /// When the next window begins.
    pub(crate) reset: u64,
    /// How many calls an hour are being spent; `None` if that cannot be told yet.
    pub(crate) per_hour: Option<u64>,
    /// When all will be spent at that rate; `None` if the window ends before.
    pub(crate) spent_at: Option<u64>,
    /// Until when no call is made.
    pub(crate) paused_until: Option<u64>,
    /// Why: `window` or `pace`.
    pub(crate) paused_by: Option<String>,
    /// What the payer's writes come to.
    #[serde(default)]
    pub(crate) writes: WritesLine,
}

/// What the writes of a payer come to over the fleet, as `GET /stats` tells it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct WritesLine {
    /// Those begun within a minute.
    pub(crate) in_minute: u64,
    /// Those begun within an hour.
    pub(crate) in_hour: u64,
    /// Those that wait for their turn at this node.
    pub(crate) waiting: u64,
}

/// How soon a person should look, the most urgent first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Urgency {
    /// No calls are made now.
    Held,
    /// All is spent, or will be before the window ends.
    RunsOut,
    /// The window goes on, and what is left lasts.
    Lasts,
    /// Its window is over, and nothing was called since.
    Over,
}

impl AllowanceLine {
    /// How urgent it is at `now`.
    pub(crate) fn urgency(&self, now: u64) -> Urgency {
        match (self.paused_until, self.spent_at) {
            (Some(until), _) if until > now => Urgency::Held,
            _ if self.reset <= now => Urgency::Over,
            (_, Some(_)) => Urgency::RunsOut,
            _ if self.remaining == 0 => Urgency::RunsOut,
            (_, None) => Urgency::Lasts,
        }
    }

    /// By what lines are sorted: the most urgent first, among these the one of which the least is left.
    pub(crate) fn rank(&self, now: u64) -> (Urgency, u64, String, String) {
        let left = self.remaining.saturating_mul(1000) / self.limit.max(1);
        (self.urgency(now), left, self.domain.clone(), self.resource.clone())
    }

    /// What is left at `now`: all of it once the window is over.
    pub(crate) fn left(&self, now: u64) -> u64 {
        if self.reset <= now { self.limit } else { self.remaining }
    }
}

impl From<&DomainQuota> for AllowanceLine {
    fn from(it: &DomainQuota) -> Self {
        Self {
            domain: it.domain.clone(),
            also: it.also.clone(),
            resource: it.quota.resource.to_string(),
            limit: it.quota.limit,
            remaining: it.quota.remaining,
            used: it.quota.used,
            reset: it.quota.reset,
            per_hour: it.per_hour,
            spent_at: it.spent_at,
            paused_until: it.paused_until,
            paused_by: it.paused_by.map(str::to_owned),
            writes: WritesLine {
                in_minute: it.writes.in_minute,
                in_hour: it.writes.in_hour,
                waiting: it.writes.waiting,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(more: &serde_json::Value) -> AllowanceLine {
        let mut line = json!({
            "domain": "ci", "resource": "core", "limit": 5000, "remaining": 100, "used": 4900, "reset": 4600,
        });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn what_is_held_comes_first_then_what_runs_out_then_the_least_that_is_left() {
        let mut lines = [
            line(&json!({ "reset": 900, "remaining": 0 })),
            line(&json!({ "remaining": 4000 })),
            line(&json!({ "remaining": 50 })),
            line(&json!({ "spent_at": 2000, "remaining": 3000 })),
            line(&json!({ "remaining": 0 })),
            line(&json!({ "paused_until": 1060, "paused_by": "pace" })),
        ];
        lines.sort_by_key(|line| line.rank(1000));
        let order = lines.map(|line| (line.urgency(1000), line.remaining));
        use Urgency::*;
        assert_eq!(
            order,
            [(Held, 100), (RunsOut, 0), (RunsOut, 3000), (Lasts, 50), (Lasts, 4000), (Over, 0)]
        );
    }

    #[test]
    fn a_window_that_is_over_leaves_all_of_the_next() {
        let line = line(&json!({}));
        assert_eq!((line.left(4599), line.left(4600)), (100, 5000));
    }
}
