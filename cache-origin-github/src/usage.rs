//! Which client uses what: requests, and the calls that they led to, by client, route and payer.
//!
//! The adapter notes the calls that it makes, each for the request that leads it; a door notes how its clients' requests were
//! answered. No decision rests on any of it.

mod class;
mod heavy;
mod label;
mod report;

pub use {
    label::{CLIENT_BYTES_MAX, CLIENT_FIELD, ClientLabel},
    report::{UsageReport, UsageRow},
};

use crate::{
    GRAPHQL, GitHub, Planned, Surrogacy, allowance, domain::Readers, resource_name, url::local_path,
};
use cache_core::{Bucket, Payer};
use class::RouteClass;
use heavy::HeavyRows;
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    array,
    ops::AddAssign,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// To what a request and its calls are attributed. Made once for each request.
///
/// ```
/// # use cache_origin_github::{ClientLabel, GitHub, Outcome};
/// # use std::time::Duration;
/// let github = GitHub::builder().build()?;
/// let (head, ()) = http::Request::get("/repos/acme/site").body(()).unwrap().into_parts();
/// let attribution = github.attribution(ClientLabel::new("triage").unwrap(), &head);
/// github.usage().note_answer(&attribution, Outcome::Hit, 6_000, Duration::from_micros(40));
/// assert_eq!(github.usage_report().by_client[0].name, "triage");
/// # Ok::<(), cache_origin_github::ConfigError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attribution {
    client: ClientLabel,
    route: RouteClass,
    readers: Readers,
    bucket: Bucket,
}

impl Attribution {
    /// For a read of `path` that the node makes by itself.
    pub(crate) fn of_node(path: &str, readers: Readers) -> Self {
        let route = RouteClass::of(&Method::GET, path);
        Self { client: ClientLabel::of_node(), route, readers, bucket: allowance(path) }
    }
}

/// An [`Attribution`] in words, as rows of a [`UsageReport`] are called.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AttributionNames {
    /// What the client is called.
    pub client: String,
    /// The route of the API, with `*` in place of every name.
    pub route: String,
    /// Whose allowance is drawn on.
    pub payer: String,
    /// Which allowance: `core`, `search`, `code_search`, `graphql`.
    pub resource: &'static str,
}

/// How a client's request was answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "each is counted in its own way")]
pub enum Outcome {
    /// By a call of its own, or not at all.
    Called,
    /// Without a call of its own: from the cache, or by a call that another request led.
    Hit,
    /// Not, since an allowance is spent or held back.
    Refused,
}

/// What was counted for one client, route or payer.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// Requests that were answered.
    pub requests: u64,
    /// Of these, those that cost no call of their own.
    pub hits: u64,
    /// Of these, those that were refused since an allowance is spent or held back.
    pub refusals: u64,
    /// Calls made to the origin.
    pub calls: u64,
    /// Of these, calls that the origin answered with "not modified", which cost nothing when they carry a credential.
    pub not_modified: u64,
    /// Points that GraphQL queries cost by GitHub's formula. One for a request whose body was not looked into.
    pub points: u64,
    /// Bytes of the bodies that clients were sent, as announced or, without that, as they went out.
    pub bytes: u64,
    /// Of these, bytes of answers that cost no call of their own. Nodes of an earlier version do not count them.
    #[serde(default)]
    pub hit_bytes: u64,
    /// From the heads of requests to the heads of their answers, in microseconds, in all.
    pub latency_micros: u64,
    /// The longest of these times, in microseconds.
    pub latency_micros_max: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        // Other nodes may tell any number.
        let Self { requests, hits, refusals, calls, not_modified, points, bytes, latency_micros, .. } = other;
        self.hit_bytes = self.hit_bytes.saturating_add(other.hit_bytes);
        self.requests = self.requests.saturating_add(requests);
        self.hits = self.hits.saturating_add(hits);
        self.refusals = self.refusals.saturating_add(refusals);
        self.calls = self.calls.saturating_add(calls);
        self.not_modified = self.not_modified.saturating_add(not_modified);
        self.points = self.points.saturating_add(points);
        self.bytes = self.bytes.saturating_add(bytes);
        self.latency_micros = self.latency_micros.saturating_add(latency_micros);
        self.latency_micros_max = self.latency_micros_max.max(other.latency_micros_max);
    }
}

/// Counts by resource: GitHub's allowances by the bucket's number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByResource([Counts; RESOURCES]);

impl AddAssign for ByResource {
    fn add_assign(&mut self, other: Self) {
        for (counts, other) in self.0.iter_mut().zip(other.0) {
            *counts += other;
        }
    }
}

/// What is counted on some of the threads.
#[derive(Debug)]
struct Shard {
    clients: HeavyRows<ClientLabel, ByResource>,
    routes: HeavyRows<RouteClass, ByResource>,
    payers: HeavyRows<Payer, OfPayer>,
}

/// The counts of a payer, and by what it is known.
#[derive(Clone, Copy, Debug, Default)]
struct OfPayer {
    readers: Option<Readers>,
    counts: ByResource,
}

impl OfPayer {
    /// Learns `readers`, unless it knows a name for them already.
    fn know(&mut self, readers: Option<Readers>) {
        if !self.readers.is_some_and(Readers::are_named) {
            self.readers = readers.or(self.readers);
        }
    }
}

impl AddAssign for OfPayer {
    fn add_assign(&mut self, other: Self) {
        self.know(other.readers);
        self.counts += other.counts;
    }
}

/// Counts of requests and calls, by client, by route and by payer; each table is bounded, and its sums are exact.
///
/// Each thread counts in a part of its own, so that none waits for another.
#[derive(Debug)]
pub struct Usage {
    shards: [Mutex<Shard>; SHARDS],
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            shards: array::from_fn(|_number| {
                Mutex::new(Shard {
                    clients: HeavyRows::new(CLIENTS_MAX),
                    routes: HeavyRows::new(ROUTES_MAX),
                    payers: HeavyRows::new(PAYERS_MAX),
                })
            }),
        }
    }
}

impl Usage {
    /// Notes that a request was answered, with a body of so many `bytes`, after the time `took`.
    pub fn note_answer(&self, attribution: &Attribution, outcome: Outcome, bytes: u64, took: Duration) {
        let micros = took.as_micros() as u64;
        self.note(attribution, |counts| {
            counts.requests += 1;
            counts.hits += u64::from(outcome == Outcome::Hit);
            counts.refusals += u64::from(outcome == Outcome::Refused);
            counts.bytes += bytes;
            counts.hit_bytes += if outcome == Outcome::Hit { bytes } else { 0 };
            counts.latency_micros += micros;
            counts.latency_micros_max = counts.latency_micros_max.max(micros);
        });
    }

    /// Notes that the client was sent so many `bytes` more of an answer that was noted before.
    pub fn note_bytes(&self, attribution: &Attribution, bytes: u64) {
        self.note(attribution, |counts| counts.bytes += bytes);
    }

    /// Notes a call, as it goes out.
    pub(crate) fn note_call(&self, attribution: &Attribution) {
        self.note(attribution, |counts| counts.calls += 1);
    }

    /// Notes that a call was answered with 304.
    pub(crate) fn note_not_modified(&self, attribution: &Attribution) {
        self.note(attribution, |counts| counts.not_modified += 1);
    }

    /// Notes that a call for a request that passes the cache by was answered with `status`.
    pub(crate) fn note_passed(&self, attribution: &Attribution, status: StatusCode) {
        match status {
            StatusCode::NOT_MODIFIED => self.note_not_modified(attribution),
            StatusCode::OK if attribution.bucket == GRAPHQL => self.note_points(attribution, 1),
            _other => {}
        }
    }

    /// Notes what a query has cost.
    pub(crate) fn note_points(&self, attribution: &Attribution, points: u64) {
        self.note(attribution, |counts| counts.points += points);
    }

    fn note(&self, attribution: &Attribution, note: impl Fn(&mut Counts)) {
        let Attribution { client, route, readers, bucket } = attribution;
        let resource = usize::from(bucket.0).min(RESOURCES - 1);
        let note = |counts: &mut ByResource| note(&mut counts.0[resource]);
        let mut shard = self.shards[own_shard()].lock();
        shard.clients.note(client, note);
        shard.routes.note(route, note);
        shard.payers.note(&readers.payer, |payer| {
            payer.know(Some(*readers));
            note(&mut payer.counts);
        });
    }
}

/// The part in which this thread counts.
fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    OWN.with(|own| *own)
}

impl GitHub {
    /// What is counted of requests and calls.
    pub fn usage(&self) -> &Usage {
        &self.counters().usage
    }

    /// Counts a call for a request whose answer may be kept, as it goes out.
    pub(crate) fn count_call(&self, attribution: &Attribution) {
        self.counters().count_call();
        self.usage().note_call(attribution);
    }

    /// What was counted of requests and calls so far.
    pub fn usage_report(&self) -> UsageReport {
        UsageReport::of(self.usage(), &self.rules())
    }

    /// The words for what a request was attributed to.
    pub fn attribution_names(&self, attribution: &Attribution) -> AttributionNames {
        let Attribution { client, route, readers, bucket } = attribution;
        AttributionNames {
            client: client.to_string(),
            route: route.to_string(),
            payer: self.rules().label(readers.domain, readers.payer),
            resource: resource_name(*bucket),
        }
    }

    /// To what a request with the head `request` is attributed, which `client` makes.
    pub fn attribution(&self, client: ClientLabel, request: &Parts) -> Attribution {
        self.attribution_with(client, request, Surrogacy::Allowed)
    }

    /// The same for a request that is forwarded as it is.
    pub(crate) fn attribution_of_forwarded(&self, request: &Parts) -> Attribution {
        self.attribution_with(client_of(request), request, Surrogacy::Forbidden)
    }

    /// The same for a request that was planned as `planned`.
    pub(crate) fn attribution_of_planned(&self, request: &Parts, planned: &Planned) -> Attribution {
        Attribution {
            client: client_of(request),
            route: RouteClass::of(&request.method, local_path(request.uri.path())),
            readers: planned.readers,
            bucket: planned.bucket,
        }
    }

    fn attribution_with(&self, client: ClientLabel, request: &Parts, surrogacy: Surrogacy) -> Attribution {
        let path = local_path(request.uri.path());
        let authorization: Option<&HeaderValue> = request.headers.get(header::AUTHORIZATION);
        let readers = self.rules().readers(authorization, false, surrogacy);
        Attribution {
            client,
            route: RouteClass::of(&request.method, path),
            // What is no token is nobody's allowance that is known here.
            readers: readers.unwrap_or(Readers::ANONYMOUS),
            bucket: allowance(path),
        }
    }
}

fn client_of(request: &Parts) -> ClientLabel {
    ClientLabel::told_by(&request.headers).unwrap_or_else(ClientLabel::unknown)
}

/// The names of the resources, in the order of [`ByResource`].
fn resources() -> [&'static str; RESOURCES] {
    array::from_fn(|number| resource_name(Bucket(number as u8)))
}

/// How many resources are told apart.
const RESOURCES: usize = 4;
/// Most clients with a row of their own: many times the bots and pipelines of a host.
const CLIENTS_MAX: usize = 256;
/// Most routes with a row of their own: a tenth of those that GitHub has.
const ROUTES_MAX: usize = 128;
/// Most payers with a row of their own.
const PAYERS_MAX: usize = 64;
/// Parts in which threads count: as many as the doors of a large host have threads, within reason. With rows of some 300
/// bytes they come to 2 MiB at most.
const SHARDS: usize = 16;

#[cfg(test)]
mod tests;
