//! What each of many credentials may be told, by asking the origin itself, and requests that are drawn at random.
//!
//! Every answer of a cache is compared with what the origin gave the very same credential, to the last header. Knows
//! nothing of the cache but how it says that an answer is stale.

use crate::{
    http::{Client, Reply},
    origin::{ModelOrigin, Quota, Resource, Visibility},
};
use http::{HeaderMap, Method, StatusCode, header};
use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Credentials that ask, and none. They differ in what they may read, in the headers that they are given, and in their
/// allowance. The origin does not know the last three tokens.
pub const ASKERS: [Option<&str>; 11] = [
    Some("ghp_alice"),
    Some("ghp_alice2"),
    Some("ghp_bob"),
    Some("github_pat_carol"),
    Some("ghs_acme1"),
    Some(REVOKED_LATER),
    Some("ghp_stranger"),
    Some("made-up"),
    Some("ghs_"),
    Some("ghp_revoked"),
    None,
];
/// The one that the origin forgets in the second state.
pub const REVOKED_LATER: &str = "ghs_acme2";

const PATHS: [&str; 13] = [
    "/repos/acme/widget-0",
    "/repos/acme/widget-0/readme",
    "/repos/acme/widget-0/contents/a.txt",
    "/repos/acme/widget-1/issues?per_page=5",
    "/repos/acme/widget-1/issues?page=46&per_page=5",
    "/repos/acme/widget-1/actions/runners",
    "/repos/acme/widget-2/readme",
    "/repos/acme/oldwidget-0/readme",
    "/repos/acme/secret-0/readme",
    "/repos/acme/secret-3",
    "/repos/acme/secret-3/issues?page=2&per_page=5",
    "/repos/acme/secret-7/languages",
    "/user",
];
/// What clients accept, and what the origin is asked for in its stead.
const ACCEPTS: [(Option<&str>, &str); 3] = [
    (None, "application/vnd.github+json"),
    (Some("*/*"), "application/vnd.github+json"),
    (Some("application/vnd.github.raw"), "application/vnd.github.raw"),
];
const DEMANDS: [Option<&str>; 9] = [
    None,
    None,
    None,
    None,
    Some("no-cache"),
    Some("max-age=0"),
    Some("max-stale"),
    Some("only-if-cached"),
    Some("only-if-cached, max-stale"),
];

/// What brings the origin into another state.
pub type Change = fn(&ModelOrigin);

/// How the origin comes into each of its states, and whether it fails in it.
pub const STATES: [(Change, bool); 6] = [
    (|_origin| {}, false),
    (|origin| origin.revoke(REVOKED_LATER), false),
    (|origin| origin.set_visibility("acme/widget-2", Visibility::Private), false),
    (|_origin| {}, true),
    (|origin| ["acme/widget-1", "acme/secret-3"].into_iter().for_each(|name| origin.mutate(name)), false),
    (|origin| origin.set_visibility("acme/secret-3", Visibility::Public), false),
];

/// What is asked, but for how: the number of an asker, of a path, and what the origin is to be asked for.
type Asked = (usize, usize, &'static str);

/// What the origin says to everybody in one of its states.
#[derive(Debug)]
struct State {
    answers: BTreeMap<Asked, Reply>,
    ended: Option<Instant>,
}

/// All states of the origin so far, the present one last.
#[derive(Debug, Default)]
pub struct History {
    states: Vec<State>,
    limits: BTreeMap<usize, String>,
}

impl History {
    /// Brings `origin` into a state and writes down what it says to everybody then.
    ///
    /// # Panics
    ///
    /// If the origin does not answer.
    pub async fn enter(&mut self, origin: &ModelOrigin, change: Change) {
        change(origin);
        let now = Instant::now();
        if let Some(last) = self.states.last_mut() {
            last.ended = Some(now);
        }
        let mut answers = BTreeMap::new();
        let mut connection = Client::tcp(origin.address()).connect().await.expect("the origin listens");
        for (asker, token) in ASKERS.iter().enumerate() {
            for (path_number, path) in PATHS.iter().enumerate() {
                for accept in ["application/vnd.github+json", "application/vnd.github.raw"] {
                    let draft = Client::tcp(origin.address()).get(path).header("accept", accept);
                    let draft = match token {
                        Some(token) => draft.header("authorization", &format!("Bearer {token}")),
                        None => draft,
                    };
                    let reply = connection.send(draft).await.expect("the origin answers");
                    answers.insert((asker, path_number, accept), reply);
                }
            }
        }
        self.states.push(State { answers, ended: None });
    }

    /// Gives each account an allowance of a size of its own, which no test exhausts.
    ///
    /// # Panics
    ///
    /// If the origin does not answer.
    pub async fn tell_accounts_apart(&mut self, origin: &ModelOrigin) {
        for (asker, token) in ASKERS.iter().enumerate() {
            let draft = Client::tcp(origin.address()).get("/user");
            let draft = match token {
                Some(token) => draft.token(token),
                None => draft,
            };
            let login = draft.send().await.expect("the origin answers").json()["login"]
                .as_str()
                .unwrap_or("anonymous")
                .to_owned();
            let limit = 1_000_000 + 1_000 * u64::from(login.bytes().map(u32::from).sum::<u32>());
            let quota = Quota { limit, used: 0, reset_unix_seconds: 4_000_000_000 };
            origin.set_quota(&login, Resource::Core, quota);
            self.limits.insert(asker, limit.to_string());
        }
    }

    fn now(&self, asked: Asked) -> &Reply {
        &self.states.last().expect("there is a present state").answers[&asked]
    }
}

/// For how long answers may lag behind the origin.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long an answer is fresh.
    pub lifetime: Duration,
    /// How long past that one may be served that says that it is stale; `None` for ever.
    pub stale: Option<Duration>,
    /// How late a busy machine may notice that a lifetime is over.
    pub slack: Duration,
    /// Under whose tag an answer may be.
    pub tags: Tags,
}

/// Under whose tag an answer may be: the origin gives each credential another for the same body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tags {
    /// The asker's own.
    Own,
    /// That of any credential that is given the very same body, since several share one entry.
    OfDomain,
}

impl History {
    /// The tags under which `answer`, the origin's to what was `asked`, may be given.
    fn tags<'a>(&'a self, answer: &'a Reply, (_, path, accept): Asked, tags: Tags) -> Vec<&'a str> {
        let mut all = vec![answer];
        if tags == Tags::OfDomain {
            // The one that fetched it first may not read it any more.
            let askers =
                |state: &'a State| (0..ASKERS.len()).map(|asker| &state.answers[&(asker, path, accept)]);
            let of_all = self.states.iter().flat_map(askers);
            all.extend(of_all.filter(|other| other.status == answer.status && other.body == answer.body));
        }
        all.into_iter().map(|reply| strong(reply.header("etag"))).collect()
    }
}

/// An answer of the cache, as far as it matters here.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The status of the answer.
    pub status: StatusCode,
    /// Those of the cache among them.
    pub headers: &'a HeaderMap,
    /// The body, without a coding.
    pub body: &'a [u8],
    /// Whether the cache says that it is stale.
    pub is_stale: bool,
    /// The status that the origin gave for it, if it was asked.
    pub forwarded: Option<StatusCode>,
    /// When the request for it began.
    pub begun: Instant,
    /// When the same cache had last told the asker that the origin refuses it this: it may be granted nothing from before.
    pub refused: Option<Instant>,
}

/// One request, drawn at random.
#[derive(Clone, Debug)]
pub struct Draw {
    asked: Asked,
    accept: Option<&'static str>,
    demand: Option<&'static str>,
    head: bool,
    scheme: &'static str,
    if_none_match: Option<String>,
}

impl Draw {
    /// The next one. Some have tags that the origin gave to the asker, or to another.
    ///
    /// # Panics
    ///
    /// If the origin has entered no state yet.
    pub fn new(random: &mut StdRng, history: &History) -> Self {
        let (asker, path) = (random.random_range(0..ASKERS.len()), random.random_range(0..PATHS.len()));
        let (accept, asked_for) = *ACCEPTS.choose(random).expect("there are some");
        let tag_for = |asker: usize| history.now((asker, path, asked_for)).header("etag").to_owned();
        let if_none_match = match random.random_range(0..10) {
            0 => Some(tag_for(asker)),
            1 => Some(tag_for(random.random_range(0..ASKERS.len()))),
            2 => Some("\"made-up\"".to_owned()),
            _ => None,
        };
        Self {
            asked: (asker, path, asked_for),
            accept,
            demand: *DEMANDS.choose(random).expect("there are some"),
            head: random.random_bool(0.2),
            scheme: ["Bearer", "token"].choose(random).expect("there are some"),
            if_none_match: if_none_match.filter(|tag| !tag.is_empty()),
        }
    }

    /// What is done with the path: it is read.
    pub fn method(&self) -> Method {
        if self.head { Method::HEAD } else { Method::GET }
    }

    /// What it is for.
    pub fn path(&self) -> &'static str {
        PATHS[self.asked.1]
    }

    /// The token that asks, if one does.
    pub fn token(&self) -> Option<&'static str> {
        ASKERS[self.asked.0]
    }

    /// The headers of the request.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> {
        let given = [
            ("authorization", self.token().map(|token| format!("{} {token}", self.scheme))),
            ("accept", self.accept.map(str::to_owned)),
            ("cache-control", self.demand.map(str::to_owned)),
            ("if-none-match", self.if_none_match.clone()),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// Whether its `Cache-Control` holds `demand`.
    pub fn demands(&self, demand: &str) -> bool {
        self.demand.is_some_and(|demands| demands.contains(demand))
    }

    /// Whether the origin would have given what was `seen` to this asker, in a state that was not over for longer than
    /// answers live when the request began.
    ///
    /// # Errors
    ///
    /// Says what was asked and seen, and what the origin gives now.
    ///
    /// # Panics
    ///
    /// If the origin has entered no state yet.
    pub fn check(&self, seen: &Seen<'_>, history: &History, bounds: Bounds) -> Result<(), String> {
        let mut recent = history.states.iter().filter(|state| self.is_recent(seen, state.ended, bounds));
        let fits = recent.any(|state| {
            let by_origin = &state.answers[&self.asked];
            self.is_answered(seen, by_origin, &history.tags(by_origin, self.asked, bounds.tags))
        });
        let limit = seen.headers.get("x-ratelimit-limit").map_or(&b""[..], |value| value.as_bytes());
        let is_own_limit = limit.is_empty() || limit == history.limits[&self.asked.0].as_bytes();
        // A refusal says of no call but the one that was refused.
        let is_own_refusal =
            seen.status.as_u16() < 400 || seen.forwarded.is_none_or(|forwarded| forwarded == seen.status);
        if fits && is_own_limit && is_own_refusal {
            return Ok(());
        }
        let (token, now) = (self.token(), history.now(self.asked));
        Err(format!("{self:?} by {token:?} for {}\n{seen:?}\nnow: {now:?}", self.path()))
    }

    fn is_recent(&self, seen: &Seen<'_>, ended: Option<Instant>, bounds: Bounds) -> bool {
        let Some(ended) = ended else { return true };
        // That there is no such thing is kept for a moment, and may be said again.
        let is_granted = seen.status.as_u16() < 400;
        if is_granted && seen.refused.is_some_and(|refused| ended <= refused) {
            return false;
        }
        // What is asked about again cannot be older than the call. Beside a validator `no-cache` forces none.
        let is_asked = self.demands("no-cache") && self.if_none_match.is_none();
        let fresh = if is_asked { Duration::ZERO } else { bounds.lifetime + bounds.slack };
        let stale = if seen.is_stale { bounds.stale } else { Some(Duration::ZERO) };
        stale.is_none_or(|stale| seen.begun < ended + fresh + stale)
    }

    fn is_answered(&self, seen: &Seen<'_>, by_origin: &Reply, tags: &[&str]) -> bool {
        let is_unchanged = seen.status == StatusCode::NOT_MODIFIED
            && by_origin.status == StatusCode::OK
            && self.if_none_match.as_deref().is_some_and(|tag| tags.contains(&strong(tag)));
        let is_whole = seen.status == by_origin.status
            && if self.head { seen.body.is_empty() } else { seen.body == by_origin.identity_body() };
        let mut fields = seen.headers.iter().filter(|(name, _)| {
            let name = name.as_str();
            !OF_ONE_CALL.contains(&name) && !name.starts_with("x-ratelimit-")
        });
        (is_unchanged || is_whole)
            && fields.all(|(name, value)| match name {
                &header::ETAG => value.to_str().is_ok_and(|given| tags.contains(&strong(given))),
                name => by_origin.headers.get_all(name).iter().any(|of_origin| of_origin == value),
            })
    }
}

/// Fields that differ between two answers to the very same request, or that a cache adds.
const OF_ONE_CALL: [&str; 5] = ["content-length", "date", "x-github-request-id", "age", "cache-status"];

fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}
