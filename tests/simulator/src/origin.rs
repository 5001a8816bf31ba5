//! The origin: resources with versions, quotas, refusals, and days on which nothing works.

use crate::{
    ledger::{Fact, Ledger, Means},
    plan::{OriginPlan, OutageKind},
    random::{Random, micros},
    secondary::Secondary,
};
use cache_core::{
    Audience, Candidate, Content, Draft, FetchError, FetchId, Fetched, Headers, RequestId, Shortage,
    Validators,
};
use std::{collections::BTreeMap, time::Duration};

/// The model of the API that the fleet spares.
pub(crate) struct Origin {
    plan: OriginPlan,
    seed: u64,
    random: Random,
    outages: BTreeMap<usize, OutageKind>,
    windows: BTreeMap<usize, Window>,
    /// What each domain has called lately.
    pub(crate) secondary: Secondary,
    resources: usize,
    /// How many calls were made so far.
    pub(crate) calls: u64,
    /// Calls that were counted against a quota.
    pub(crate) calls_paid: u64,
    /// Calls so far by the second in which they came.
    pub(crate) calls_by_second: BTreeMap<u64, u64>,
    /// Calls so far by key.
    pub(crate) calls_by_key: BTreeMap<usize, u64>,
    /// Quotas and chance failures are over.
    pub(crate) is_healed: bool,
}

/// A call under way.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) node: usize,
    pub(crate) run: u32,
    pub(crate) fetch: FetchId,
    pub(crate) leader: RequestId,
    pub(crate) key: usize,
    pub(crate) candidate: Option<Candidate>,
    pub(crate) begun: Duration,
}

struct Window {
    ends: Duration,
    spent: u64,
}

impl Origin {
    pub(crate) fn new(plan: OriginPlan, resources: usize, seed: u64) -> Self {
        Self {
            secondary: Secondary::new(plan.secondary, plan.latency),
            plan,
            seed,
            random: Random::new(seed, ORIGIN_STREAM),
            outages: BTreeMap::new(),
            windows: BTreeMap::new(),
            resources,
            calls: 0,
            calls_paid: 0,
            calls_by_second: BTreeMap::new(),
            calls_by_key: BTreeMap::new(),
            is_healed: false,
        }
    }

    pub(crate) fn fail(&mut self, number: usize, kind: OutageKind) {
        self.outages.insert(number, kind);
    }

    pub(crate) fn recover(&mut self, number: usize) {
        self.outages.remove(&number);
    }

    /// How long half of a call takes.
    pub(crate) fn travel(&mut self) -> Duration {
        self.random.long_tailed(self.plan.latency, self.plan.jitter) / 2
    }

    /// Answers a call that arrives at `now`; `None` if nothing is ever heard of it.
    pub(crate) fn answer(&mut self, now: Duration, call: &Call, ledger: &mut Ledger) -> Option<Fetched> {
        self.calls += 1;
        *self.calls_by_second.entry(now.as_secs()).or_default() += 1;
        *self.calls_by_key.entry(call.key).or_default() += 1;
        let fails = !self.is_healed && self.random.happens(self.plan.failing_per_mille);
        match self.outages.values().next() {
            Some(OutageKind::Silent) => return None,
            Some(OutageKind::Refused) => return Some(Fetched::Failed(FetchError::ConnectFailed)),
            Some(OutageKind::Fault) => {}
            None if fails => return Some(Fetched::Failed(FetchError::ConnectionLost)),
            None => {
                if let Some(retry_after) = self.refusal(now, call) {
                    let content = self.say(now, call, Means::Refusal, 403, ledger);
                    return Some(Fetched::Throttled { content, retry_after, shortage: Shortage::Pace });
                }
                return Some(self.serve(now, call, ledger));
            }
        }
        Some(Fetched::Fault { content: self.say(now, call, Means::Refusal, 502, ledger) })
    }

    fn serve(&mut self, now: Duration, call: &Call, ledger: &mut Ledger) -> Fetched {
        if !self.is_healed && self.is_refused(call) {
            self.pay(call);
            let content = self.say(now, call, Means::RefusalFor(call.leader), 404, ledger);
            return Fetched::Unstorable { content, audience: Audience::Leader };
        }
        let etag = format!("\"{}-{}\"", self.source(call.key), self.version(now, call.key));
        let known = call.candidate.as_ref().and_then(|about| about.entry().validators().etag.clone());
        if self.plan.revalidates && known.as_deref() == Some(&etag) {
            return Fetched::NotModified(self.draft(now, call, etag, ledger));
        }
        self.pay(call);
        if !self.is_healed && self.random.happens(self.plan.unstorable_per_mille) {
            let content = self.say(now, call, Means::Unstorable, 200, ledger);
            return Fetched::Unstorable { content, audience: Audience::Domain };
        }
        Fetched::Fresh(self.draft(now, call, etag, ledger))
    }

    fn draft(&self, now: Duration, call: &Call, etag: String, ledger: &mut Ledger) -> Draft {
        Draft {
            content: self.say(now, call, Means::Entry, 200, ledger),
            freshness: self.plan.freshness,
            validators: Validators { etag: Some(etag.into()), ..Validators::default() },
            // The driver counts when it has the whole answer.
            age: Duration::ZERO,
        }
    }

    fn say(&self, now: Duration, call: &Call, means: Means, status: u16, ledger: &mut Ledger) -> Content {
        let served = Fact { key: call.key, at: now, means, freshness: self.plan.freshness };
        let fact = ledger.learn_fact(served);
        let version = self.version(now, call.key);
        let body_bytes = match means {
            Means::Entry | Means::Put | Means::Unstorable => self.body_bytes(call.key, version),
            Means::Refusal | Means::RefusalFor(_) => 32,
        };
        content(call.key, version, fact, status, body_bytes)
    }

    /// For how long a domain has to wait that has spent its quota.
    fn refusal(&mut self, now: Duration, call: &Call) -> Option<Duration> {
        let domain = call.key / self.resources.max(1);
        if let Some(pause) = self.secondary.refuse(now, domain).filter(|_| !self.is_healed) {
            return Some(pause);
        }
        let (most, period) = self.plan.quota.filter(|_| !self.is_healed)?;
        let window = self.windows.entry(domain).or_insert(Window { ends: now + period, spent: 0 });
        if window.ends <= now {
            *window = Window { ends: now + period, spent: 0 };
        }
        if window.spent >= most {
            return Some(window.ends - now);
        }
        None
    }

    fn pay(&mut self, call: &Call) {
        self.calls_paid += 1;
        if let Some(window) = self.windows.get_mut(&(call.key / self.resources.max(1))) {
            window.spent += 1;
        }
    }

    /// Whether the credential of the node that calls may not read what it calls for.
    pub(crate) fn is_refused(&self, call: &Call) -> bool {
        let number = (call.node as u64) << 32 | call.key as u64;
        Random::new(self.seed ^ number, REFUSAL_STREAM).happens(self.plan.refused_per_mille)
    }

    /// What is under `key`: the resource alone, if all readers are given the same.
    fn source(&self, key: usize) -> usize {
        if self.plan.lends { key % self.resources.max(1) } else { key }
    }

    fn version(&self, now: Duration, key: usize) -> u64 {
        let period = micros(self.plan.change_period);
        let phase = self.source(key) as u64 * PHASE_MICROS;
        (micros(now) + phase).checked_div(period).unwrap_or(1)
    }

    /// How long ago a resource changed when a client is told at `now` what was true at `stated`; zero if it has not
    /// changed since.
    pub(crate) fn outdated(&self, now: Duration, key: usize, stated: Duration) -> Duration {
        let stated = self.version(stated, key);
        if stated == self.version(now, key) {
            return Duration::ZERO;
        }
        let phase = self.source(key) as u64 * PHASE_MICROS;
        let period = micros(self.plan.change_period);
        now.saturating_sub(Duration::from_micros(((stated + 1) * period).saturating_sub(phase)))
    }

    /// The length of a version of the body under `key`, which may be half of that of another. Of all keys most are short, one in eight is long, one in sixteen very long.
    pub(crate) fn body_bytes(&self, key: usize, version: u64) -> usize {
        let mut random = Random::new(self.seed ^ self.source(key) as u64, BODY_STREAM);
        let most = self.plan.body_bytes_max as u64;
        let most = match random.below(16) {
            0 => most,
            1 | 2 => most.min(100_000),
            _short => most.min(6_000),
        };
        let most = 100 + random.below(most) as usize;
        if version.is_multiple_of(2) { most } else { most / 2 }
    }
}

/// An answer about `key` whose header says which fact it states.
pub(crate) fn content(key: usize, version: u64, fact: u64, status: u16, body_bytes: usize) -> Content {
    let mut body = format!("{key} {version} ").into_bytes();
    body.resize(body.len().max(body_bytes), b'x');
    let fact = fact.to_string();
    Content { status, headers: Headers::from_iter([(FACT_HEADER, fact.as_str())]), body: body.into() }
}

/// The header that says which fact an answer states.
pub(crate) const FACT_HEADER: &str = "x-fact";

/// By how much each resource changes before the one numbered one less: resources do not change together.
const PHASE_MICROS: u64 = 7_919_000;

const ORIGIN_STREAM: u64 = 2;
const REFUSAL_STREAM: u64 = 3;
const BODY_STREAM: u64 = 4;
