//! How allowances stood in the last hour: a bounded number of points for a bounded number of allowances.

use crate::admin::AllowanceLine;
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// What was left of each allowance, every [`SAMPLE_EVERY`] for an hour.
#[derive(Debug, Default)]
pub(super) struct History {
    buckets: BTreeMap<Bucket, VecDeque<Point>>,
    latest: Option<u64>,
}

/// A payer and one of its allowances.
type Bucket = (String, String);

/// A moment, in seconds since the Unix epoch, and what was left then.
type Point = (u64, u64);

/// All points of one allowance, the earliest first.
#[derive(Debug, Serialize)]
pub(super) struct Curve<'a> {
    domain: &'a str,
    resource: &'a str,
    points: &'a VecDeque<Point>,
}

impl History {
    /// Whether the next point is due at `now`.
    pub(super) fn is_due(&self, now: u64) -> bool {
        // A clock that was set back is no reason to wait.
        self.latest.is_none_or(|latest| now < latest || now - latest >= SAMPLE_EVERY.as_secs())
    }

    /// Takes the point of `now` of the first [`BUCKETS_MAX`] of `lines`; what is not among them is forgotten.
    pub(super) fn note(&mut self, lines: &[AllowanceLine], now: u64) {
        self.latest = Some(now);
        let mut before = std::mem::take(&mut self.buckets);
        for line in lines.iter().take(BUCKETS_MAX) {
            let bucket = (line.domain.clone(), line.resource.clone());
            let mut points = before.remove(&bucket).unwrap_or_default();
            if points.len() == POINTS_MAX {
                points.pop_front();
            }
            points.push_back((now, line.left(now)));
            self.buckets.insert(bucket, points);
        }
    }

    /// Everything, for a page that opens.
    pub(super) fn curves(&self) -> Vec<Curve<'_>> {
        self.buckets.iter().map(|((domain, resource), points)| Curve { domain, resource, points }).collect()
    }

    /// The latest points, for pages that have the others: payer, allowance, moment and what was left.
    pub(super) fn sample(&self) -> Vec<(&str, &str, u64, u64)> {
        self.buckets
            .iter()
            .filter_map(|((domain, resource), points)| {
                let (at, left) = *points.back()?;
                Some((domain.as_str(), resource.as_str(), at, left))
            })
            .collect()
    }
}

/// Time between two points.
pub(super) const SAMPLE_EVERY: Duration = Duration::from_secs(30);
/// How far back points go.
const HISTORY: Duration = Duration::from_secs(3600);
/// Most points of one allowance: both ends of the hour are among them.
const POINTS_MAX: usize = (HISTORY.as_secs() / SAMPLE_EVERY.as_secs()) as usize + 1;
/// Most allowances that are shown and have a history: with all points of each, some 130 KiB.
pub(super) const BUCKETS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(domain: usize, remaining: u64) -> AllowanceLine {
        let line = json!({
            "domain": format!("d{domain}"), "resource": "core", "limit": 5000, "remaining": remaining, "used": 0,
            "reset": 1_000_000,
        });
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn a_point_is_due_every_half_minute_and_after_the_clock_was_set_back() {
        let mut history = History::default();
        assert!(history.is_due(100));
        history.note(&[], 100);
        assert!(!history.is_due(129) && history.is_due(130) && history.is_due(50));
    }

    #[test]
    fn an_hour_of_points_is_kept_and_no_more() {
        let mut history = History::default();
        for number in 0..1000 {
            history.note(&[line(0, number)], 30 * number);
        }
        let curves = history.curves();
        let points = curves[0].points;
        assert_eq!(points.len(), 121);
        assert_eq!((points[0], points[120]), ((30 * 879, 879), (30 * 999, 999)));
        assert_eq!(history.sample(), [("d0", "core", 30 * 999, 999)]);
    }

    #[test]
    fn so_many_allowances_have_a_history_and_one_that_is_gone_has_none() {
        let mut history = History::default();
        let lines: Vec<AllowanceLine> = (0..200).map(|number| line(number, 1)).collect();
        history.note(&lines, 0);
        assert_eq!(history.curves().len(), BUCKETS_MAX);
        history.note(&lines[150..], 30);
        assert_eq!(history.curves().len(), 50);
        assert!(history.curves().iter().all(|curve| curve.points.len() == 1));
    }
}
