//! The origin: resources with versions, quotas, refusals, and days on which nothing works.

use crate::{
    ledger::{Fact, Ledger, Means},
    node::EPOCH_MILLIS,
    plan::{OriginPlan, OutageKind},
    random::{Random, micros},
    rights::{Right, Rights},
    secondary::Secondary,
};
use bytes::Bytes;
use cache_core::{
    Allowance, Audience, Bucket, Candidate, Content, Draft, Entry, FetchError, FetchId, Fetched, Headers,
    Payer, RequestId, Shortage, Timestamp, Validators,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The model of the API that the fleet spares.
pub(crate) struct Origin {
    plan: OriginPlan,
    seed: u64,
    random: Random,
    /// What credentials may read.
    pub(crate) rights: Rights,
    outages: BTreeMap<usize, OutageKind>,
    /// Nodes whose line to it is broken, by the event that broke it.
    cut_off: BTreeMap<usize, usize>,
    /// When the last outage ended.
    pub(crate) recovered: Option<Duration>,
    /// Calls in vain: connections that were refused, or got no answer.
    pub(crate) calls_vain: u64,
    windows: BTreeMap<usize, Window>,
    /// What each domain has called lately.
    pub(crate) secondary: Secondary,
    resources: usize,
    /// How many calls were made so far.
    pub(crate) calls: u64,
    /// Calls that were counted against a quota.
    pub(crate) calls_paid: u64,
    /// The most that were in one window of one domain.
    pub(crate) spent_max: u64,
    /// Calls so far by the second in which they came.
    pub(crate) calls_by_second: BTreeMap<u64, u64>,
    /// Calls so far by key.
    pub(crate) calls_by_key: BTreeMap<usize, u64>,
    /// Quotas and chance failures are over.
    pub(crate) is_healed: bool,
}

/// As what the caller tells its engine of an entry that it is given again.
type Tell = fn(Draft) -> Fetched;

/// A call under way.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) node: usize,
    pub(crate) run: u32,
    pub(crate) fetch: FetchId,
    pub(crate) leader: RequestId,
    pub(crate) key: usize,
    pub(crate) credential: usize,
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
            rights: Rights::new(seed, plan.withheld_per_mille),
            plan,
            seed,
            random: Random::new(seed, ORIGIN_STREAM),
            outages: BTreeMap::new(),
            cut_off: BTreeMap::new(),
            recovered: None,
            calls_vain: 0,
            windows: BTreeMap::new(),
            resources,
            calls: 0,
            calls_paid: 0,
            spent_max: 0,
            calls_by_second: BTreeMap::new(),
            calls_by_key: BTreeMap::new(),
            is_healed: false,
        }
    }

    pub(crate) fn fail(&mut self, number: usize, kind: OutageKind) {
        self.outages.insert(number, kind);
    }

    pub(crate) fn recover(&mut self, number: usize, now: Duration) {
        self.recovered = self.outages.remove(&number).map(|_| now).or(self.recovered);
        self.cut_off.remove(&number);
    }

    /// The line of `node` breaks.
    pub(crate) fn cut_off(&mut self, number: usize, node: usize) {
        self.cut_off.insert(number, node);
    }

    /// Whether the line of `node` is broken.
    pub(crate) fn is_cut_off(&self, node: usize) -> bool {
        self.cut_off.values().any(|cut_off| *cut_off == node)
    }

    /// How long half of a call takes.
    pub(crate) fn travel(&mut self) -> Duration {
        self.random.long_tailed(self.plan.latency, self.plan.jitter) / 2
    }

    /// Answers a call that arrives at `now`; `None` if nothing is ever heard of it.
    pub(crate) fn answer(&mut self, now: Duration, call: &Call, ledger: &mut Ledger) -> Option<Fetched> {
        if self.is_cut_off(call.node) {
            return Some(Fetched::Failed(FetchError::ConnectFailed));
        }
        self.calls += 1;
        let outage = self.outages.values().next();
        self.calls_vain += u64::from(matches!(outage, Some(OutageKind::Refused | OutageKind::Silent)));
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
        match self.rights.at(call.credential, self.resource(call.key), now) {
            Right::Given => {}
            Right::Withheld => {
                self.pay(call);
                return self.turn_away(now, call, 403, ledger);
            }
            Right::Revoked => return self.turn_away(now, call, 401, ledger),
        }
        let etag = self.tag(now, call);
        if let Some((known, tell)) = self.unchanged(now, call, &etag) {
            let mut draft = self.draft(now, call, etag, ledger);
            // The origin sends no body: it is the candidate's.
            draft.content.body = known.content().body.clone();
            return tell(draft);
        }
        self.pay(call);
        if !self.is_healed && self.random.happens(self.plan.unstorable_per_mille) {
            let content = self.say(now, call, Means::Unstorable, 200, ledger);
            return Fetched::Unstorable { content, audience: Audience::Domain };
        }
        Fetched::Fresh(self.draft(now, call, etag, ledger))
    }

    /// Refuses to answer a credential. Others of its domain learn nothing of that.
    fn turn_away(&self, now: Duration, call: &Call, status: u16, ledger: &mut Ledger) -> Fetched {
        let audience = if ledger.has_shared_domains() { Audience::Leader } else { Audience::Domain };
        let content = self.say(now, call, Means::Refusal, status, ledger);
        Fetched::Unstorable { content, audience }
    }

    /// The tag by which the origin knows what it would answer: as GitHub's it depends on the body and the credential.
    fn tag(&self, now: Duration, call: &Call) -> String {
        let (source, version) = (self.source(call.key, call.credential), self.version(now, call.key));
        let begin = if self.agrees(now) { "\"" } else { UNKNOWN_TAG };
        format!("{begin}{}-{source}-{version}\"", call.credential)
    }

    /// Whether tags are what the recipe makes of a body and a credential.
    fn agrees(&self, now: Duration) -> bool {
        self.plan.tags_change_at.is_none_or(|at| now < at)
    }

    /// The entry that `call` is about, if it is what the origin would answer, and the caller can ask that: of what it was
    /// given itself it has the tag, and for the body of any other entry it computes the tag that it would have. Says with it
    /// as what its caller then tells of it.
    fn unchanged(&self, now: Duration, call: &Call, etag: &str) -> Option<(Arc<Entry>, Tell)> {
        let about = call.candidate.as_ref().filter(|_| self.plan.revalidates)?;
        let computes_tag = |entry: &Entry| {
            let has_one = entry.validators().etag.is_some();
            has_one && self.agrees(now) && entry.content().body == self.body(now, call)
        };
        let has_tag = |own: &Entry| own.validators().etag.as_deref() == Some(etag);
        let own = about.own().filter(|own| has_tag(own) || computes_tag(own));
        let borrowed = about.borrowed().filter(|borrowed| computes_tag(borrowed));
        let tell = |entry: &Arc<Entry>, tell: Tell| (Arc::clone(entry), tell);
        own.map(|own| tell(own, Fetched::NotModified))
            .or_else(|| borrowed.map(|borrowed| tell(borrowed, Fetched::Proven)))
    }

    /// The body that the origin gives to the caller.
    fn body(&self, now: Duration, call: &Call) -> Bytes {
        let (source, version) = (self.source(call.key, call.credential), self.version(now, call.key));
        content(source, version, 0, 200, self.body_bytes(source, version)).body
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
        let (key, credential, freshness) = (call.key, call.credential, self.plan.freshness);
        let (source, version) = (self.source(key, credential), self.version(now, key));
        let fact = ledger.learn_fact(Fact { key, credential, source, version, at: now, means, freshness });
        let body_bytes = match means {
            Means::Entry | Means::Put | Means::Unstorable => self.body_bytes(source, version),
            Means::Refusal | Means::RefusalFor(_) => 32,
        };
        content(source, version, fact, status, body_bytes)
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
            self.spent_max = self.spent_max.max(window.spent);
        }
    }

    /// How the answer to `call` shows the allowance of its domain to stand, if there is one. Where credentials share a
    /// domain, each has an allowance of its own, which the model does not count.
    pub(crate) fn shown(&self, call: &Call, ledger: &Ledger) -> Option<Allowance> {
        let (limit, _) = self.plan.quota.filter(|_| !ledger.has_shared_domains())?;
        let domain = ledger.keys[call.key].domain();
        let window = self.windows.get(&(call.key / self.resources.max(1)))?;
        let window = cache_core::Window {
            limit,
            remaining: limit.saturating_sub(window.spent),
            used: window.spent,
            reset: Timestamp::from_unix_millis(EPOCH_MILLIS).saturating_add(window.ends),
        };
        let (payer, bucket) = (Payer::from(domain), Some(Bucket(0)));
        Some(Allowance { payer, domain, resource: "core".into(), bucket, window })
    }

    /// Whether the credential of the node that calls may not read what it calls for.
    pub(crate) fn is_refused(&self, call: &Call) -> bool {
        let number = (call.node as u64) << 32 | call.key as u64;
        Random::new(self.seed ^ number, REFUSAL_STREAM).happens(self.plan.refused_per_mille)
    }

    pub(crate) fn resource(&self, key: usize) -> usize {
        key % self.resources.max(1)
    }

    /// What `credential` is given under `key`: what the resource is alone, unless each is given something of its own.
    pub(crate) fn source(&self, key: usize, credential: usize) -> usize {
        let resource = self.resource(key);
        let is_personal = resource.checked_rem(self.plan.personal_one_in) == Some(0);
        if is_personal { resource + self.resources * (1 + credential) } else { resource }
    }

    /// How often what is under `key` has changed by `now`.
    pub(crate) fn version(&self, now: Duration, key: usize) -> u64 {
        let period = micros(self.plan.change_period);
        let phase = self.resource(key) as u64 * PHASE_MICROS;
        (micros(now) + phase).checked_div(period).unwrap_or(1)
    }

    /// How long ago a resource changed when a client is told at `now` what was true at `stated`; zero if it has not
    /// changed since.
    pub(crate) fn outdated(&self, now: Duration, key: usize, stated: Duration) -> Duration {
        let stated = self.version(stated, key);
        if stated == self.version(now, key) {
            return Duration::ZERO;
        }
        let phase = self.resource(key) as u64 * PHASE_MICROS;
        let period = micros(self.plan.change_period);
        now.saturating_sub(Duration::from_micros(((stated + 1) * period).saturating_sub(phase)))
    }

    /// The length of a version of a body, which may be half of that of another. Most are short, one in eight is long, one
    /// in sixteen very long.
    pub(crate) fn body_bytes(&self, source: usize, version: u64) -> usize {
        let mut random = Random::new(self.seed ^ source as u64, BODY_STREAM);
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

/// An answer whose header says which fact it states, and whose body says what it is of.
pub(crate) fn content(source: usize, version: u64, fact: u64, status: u16, body_bytes: usize) -> Content {
    let mut body = body_begins(source, version).into_bytes();
    body.resize(body.len().max(body_bytes), b'x');
    let fact = fact.to_string();
    Content { status, headers: Headers::from_iter([(FACT_HEADER, fact.as_str())]), body: body.into() }
}

/// How the body of one version begins.
pub(crate) fn body_begins(source: usize, version: u64) -> String {
    format!("{source} {version} ")
}

/// How a tag begins that no recipe makes.
pub(crate) const UNKNOWN_TAG: &str = "\"?";

/// The header that says which fact an answer states.
pub(crate) const FACT_HEADER: &str = "x-fact";

/// By how much each resource changes before the one numbered one less: resources do not change together.
const PHASE_MICROS: u64 = 7_919_000;

const ORIGIN_STREAM: u64 = 2;
const REFUSAL_STREAM: u64 = 3;
const BODY_STREAM: u64 = 4;
