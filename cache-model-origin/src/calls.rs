//! What the origin was asked: exact counts of everything, and the latest calls in full.

use http::{HeaderMap, Method, StatusCode};
use std::collections::{BTreeMap, VecDeque};

/// One call, as it arrived and as it was answered.
///
/// A fault that spoils the answer on its way leaves `status` as it was meant.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method of the call.
    pub method: Method,
    /// Path and query, as the call named them.
    pub path: String,
    /// The token without its scheme; `anonymous` if there was none.
    pub token: String,
    /// The status of the answer.
    pub status: StatusCode,
    /// Whether the call counted against a quota.
    pub paid: bool,
    /// What it cost in points, if it was one of `/graphql`.
    pub points: u64,
    /// The operation that its body asks for, if it was one of `/graphql` and can be told.
    pub operation: Option<Operation>,
    /// All headers of the request.
    pub headers: HeaderMap,
}

/// What a document asks for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Operation {
    /// `query` or `mutation`.
    pub kind: String,
    /// Its name, or nothing.
    pub name: String,
}

/// How often the same call was made.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Tally {
    /// The method of the calls.
    pub method: String,
    /// Path and query, as the calls named them.
    pub path: String,
    /// The token without its scheme; `anonymous` if there was none.
    pub token: String,
    /// The status that was answered.
    pub status: u16,
    /// How many there were.
    pub count: u64,
}

/// How many calls there were, and how they ended, in numbers of calls.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// All of them, whatever became of them.
    pub total: u64,
    /// The calls that counted against a quota. As at GitHub, a 304 for a known token, bad credentials, a spent quota
    /// and `/rate_limit` are free.
    pub paid: u64,
    /// Those answered 304. An anonymous one is among the paid as well, as at GitHub.
    pub not_modified: u64,
    /// What those of `/graphql` cost together, penalties included.
    pub points: u64,
}

impl Counts {
    fn count(&mut self, call: &Call) {
        self.total += 1;
        self.paid += u64::from(call.paid);
        self.not_modified += u64::from(call.status == StatusCode::NOT_MODIFIED);
        self.points += call.points;
    }

    fn add(&mut self, other: &Self) {
        let Self { total, paid, not_modified, points } = other;
        self.total += total;
        self.paid += paid;
        self.not_modified += not_modified;
        self.points += points;
    }
}

/// The record of all calls since the start or the last reset.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// By method, path, token and status.
    alike: BTreeMap<(String, String, String, u16), Counts>,
    all: Counts,
    by_operation: BTreeMap<Operation, Counts>,
    latest: VecDeque<Call>,
}

impl Calls {
    pub(super) fn record(&mut self, call: Call) {
        let method = call.method.to_string();
        let alike = (method, call.path.clone(), call.token.clone(), call.status.as_u16());
        self.alike.entry(alike).or_default().count(&call);
        self.all.count(&call);
        if let Some(operation) = &call.operation {
            self.by_operation.entry(operation.clone()).or_default().count(&call);
        }
        if self.latest.len() == LATEST_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back(call);
    }

    pub(super) fn tallies(&self) -> Vec<Tally> {
        let tally =
            |((method, path, token, status), counts): (&(String, String, String, u16), &Counts)| Tally {
                method: method.clone(),
                path: path.clone(),
                token: token.clone(),
                status: *status,
                count: counts.total,
            };
        self.alike.iter().map(tally).collect()
    }

    pub(super) fn latest(&self) -> Vec<Call> {
        self.latest.iter().cloned().collect()
    }

    pub(super) fn counts(&self) -> Counts {
        self.all
    }

    pub(super) fn counts_by_operation(&self) -> BTreeMap<Operation, Counts> {
        self.by_operation.clone()
    }

    pub(super) fn counts_by_path(&self) -> BTreeMap<String, Counts> {
        let mut by_path = BTreeMap::<String, Counts>::new();
        for ((_method, path, _token, _status), counts) in &self.alike {
            by_path.entry(path.clone()).or_default().add(counts);
        }
        by_path
    }
}

/// Calls kept in full: enough for the longest test that looks at headers, little enough for a benchmark.
const LATEST_MAX: usize = 5_000;
