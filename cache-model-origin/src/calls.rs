//! What the origin was asked: exact counts of everything, and the latest calls in full.

use http::{HeaderMap, Method, StatusCode};
use std::collections::{BTreeMap, VecDeque};

/// One call, as it arrived and as it was answered.
///
/// A fault that spoils the answer on its way leaves `status` as it was meant.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The token without its scheme; `anonymous` if there was none.
    pub token: String,
    /// The status of the answer.
    pub status: StatusCode,
    /// Whether the call was taken off somebody's quota.
    pub paid: bool,
    /// All headers of the request.
    pub headers: HeaderMap,
}

/// How often calls that are alike were made.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Tally {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The token without its scheme; `anonymous` if there was none.
    pub token: String,
    /// The status of the answers.
    pub status: u16,
    /// How many there were.
    pub count: u64,
}

/// The record of all calls since the start or the last reset.
#[derive(Debug, Default)]
pub(super) struct Calls {
    counts: BTreeMap<(String, String, String, u16), u64>,
    latest: VecDeque<Call>,
    paid: u64,
}

impl Calls {
    pub(super) fn record(&mut self, call: Call) {
        let method = call.method.to_string();
        let alike = (method, call.path.clone(), call.token.clone(), call.status.as_u16());
        *self.counts.entry(alike).or_default() += 1;
        self.paid += u64::from(call.paid);
        if self.latest.len() == LATEST_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back(call);
    }

    pub(super) fn tallies(&self) -> Vec<Tally> {
        let tally = |((method, path, token, status), count): (&(String, String, String, u16), &u64)| Tally {
            method: method.clone(),
            path: path.clone(),
            token: token.clone(),
            status: *status,
            count: *count,
        };
        self.counts.iter().map(tally).collect()
    }

    pub(super) fn latest(&self) -> Vec<Call> {
        self.latest.iter().cloned().collect()
    }

    pub(super) fn paid(&self) -> u64 {
        self.paid
    }
}

/// Calls kept in full: enough for the longest test that looks at headers, little enough for a benchmark.
const LATEST_MAX: usize = 5_000;
