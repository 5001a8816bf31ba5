//! Many credentials of different rights read the same resources, and what one was given is lent to the others: no answer
//! is one that the origin would not have given to the credential that got it, to the last header.

use crate::support::{ALICE, Answer, BOB, ask, builder, github};
use cache_tests::{
    http::Client,
    origin::{EtagMode, Fault, FaultKind, ModelOrigin, Quota, Resource, Visibility},
};
use fleet_cache::{Node, RequestError, Settings};
use http::{Method, Request, StatusCode, header, request};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

const SEED: u64 = 0x1501_a7ed;
const AT_ONCE: usize = 40;
/// For each of [`STATES`].
const ROUNDS: usize = 28;
/// How late the coarse clock may notice that a lifetime is over, and a busy machine with it.
const SLACK: Duration = Duration::from_millis(250);

/// Credentials that ask, and none. They differ in what they may read, in the headers that they are given, and in their allowance.
const ASKERS: [Option<&str>; 9] = [
    Some(ALICE),
    Some("ghp_alice2"),
    Some(BOB),
    Some("github_pat_carol"),
    Some("ghs_acme1"),
    Some(REVOKED_LATER),
    Some("ghp_stranger"),
    Some("made-up"),
    None,
];
const REVOKED_LATER: &str = "ghs_acme2";

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
type Change = fn(&ModelOrigin);

/// How the origin comes into each of its states, and whether it fails in it.
const STATES: [(Change, bool); 6] = [
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
struct State {
    answers: BTreeMap<Asked, cache_tests::http::Reply>,
    ended: Option<Instant>,
}

/// All states of the origin so far, the present one last.
#[derive(Default)]
struct History {
    states: Vec<State>,
    limits: BTreeMap<usize, String>,
}

impl History {
    async fn enter(&mut self, origin: &ModelOrigin, change: Change) {
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
    async fn tell_accounts_apart(&mut self, origin: &ModelOrigin) {
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

    fn now(&self, asked: Asked) -> &cache_tests::http::Reply {
        &self.states.last().expect("there is a present state").answers[&asked]
    }
}

/// One request, drawn at random.
#[derive(Clone, Debug)]
struct Draw {
    asked: Asked,
    accept: Option<&'static str>,
    demand: Option<&'static str>,
    head: bool,
    scheme: &'static str,
    if_none_match: Option<String>,
}

impl Draw {
    fn new(random: &mut StdRng, history: &History) -> Self {
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

    fn request(&self) -> request::Builder {
        let method = if self.head { Method::HEAD } else { Method::GET };
        let (asker, path, _) = self.asked;
        let authorization = ASKERS[asker].map(|token| format!("{} {token}", self.scheme));
        let fields = [
            ("authorization", authorization.as_deref()),
            ("accept", self.accept),
            ("cache-control", self.demand),
            ("if-none-match", self.if_none_match.as_deref()),
        ];
        let request = Request::builder().method(method).uri(PATHS[path]);
        let given = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.fold(request, |request, (name, value)| request.header(name, value))
    }

    fn demands(&self, demand: &str) -> bool {
        self.demand.is_some_and(|demands| demands.contains(demand))
    }

    /// Fails unless the origin would have given `answer` to this asker, in a state that was not over for longer than
    /// answers live when the request began, or in any if the answer says that it is stale.
    fn check(&self, answer: &Answer, history: &History, (begun, lifetime): (Instant, Duration)) {
        let is_recent = |state: &&State| {
            answer.is_stale()
                || state.ended.is_none_or(|ended| {
                    // What is asked about again cannot be older than the call. Beside a validator `no-cache` forces none.
                    let is_asked = self.demands("no-cache") && self.if_none_match.is_none();
                    let grace = if is_asked { Duration::ZERO } else { lifetime + SLACK };
                    begun < ended + grace
                })
        };
        let mut recent = history.states.iter().filter(is_recent);
        let fits = recent.any(|state| self.is_answered(answer, &state.answers[&self.asked]));
        assert!(
            fits,
            "{self:?} by {:?}\n{answer:?}\nnow: {:?}",
            ASKERS[self.asked.0],
            history.now(self.asked)
        );
        let limit = answer.header("x-ratelimit-limit");
        assert!(limit.is_empty() || limit == history.limits[&self.asked.0], "{self:?}\n{answer:?}");
        // A refusal says of no call but the one that was refused.
        if answer.status.as_u16() >= 400 {
            let forwarded = answer.forward();
            assert!(forwarded.is_none_or(|forward| forward.status == answer.status), "{self:?}\n{answer:?}");
        }
    }

    fn is_answered(&self, answer: &Answer, by_origin: &cache_tests::http::Reply) -> bool {
        let tag = strong(by_origin.header("etag"));
        let is_unchanged = answer.status == StatusCode::NOT_MODIFIED
            && by_origin.status == StatusCode::OK
            && self.if_none_match.as_deref().is_some_and(|tags| strong(tags) == tag);
        let is_whole = answer.status == by_origin.status
            && if self.head { answer.body.is_empty() } else { answer.body == by_origin.identity_body() };
        let mut fields = answer.headers.iter().filter(|(name, _)| {
            let name = name.as_str();
            !OF_ONE_CALL.contains(&name) && !name.starts_with("x-ratelimit-")
        });
        (is_unchanged || is_whole)
            && fields.all(|(name, value)| match name {
                &header::ETAG => value.to_str().is_ok_and(|given| strong(given) == tag),
                name => by_origin.headers.get_all(name).iter().any(|of_origin| of_origin == value),
            })
    }
}

/// Fields that differ between two answers to the very same request.
const OF_ONE_CALL: [&str; 4] = ["content-length", "date", "x-github-request-id", "age"];

fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Asks the questions of one state, [`AT_ONCE`] at a time, and checks every answer. Returns how many came.
async fn ask_all(
    node: &Node,
    random: &mut StdRng,
    history: &Arc<History>,
    (lifetime, fails): (Duration, bool),
) -> usize {
    let mut answered = 0;
    for _ in 0..ROUNDS {
        let one = |draw: Draw| {
            let (node, history) = (node.clone(), Arc::clone(history));
            async move {
                let begun = Instant::now();
                match ask(&node, draw.request()).await {
                    Ok(failed) if fails && failed.status == StatusCode::BAD_GATEWAY => 0,
                    Ok(answer) => {
                        draw.check(&answer, &history, (begun, lifetime));
                        1
                    }
                    Err(RequestError::NotCached) if draw.demands("only-if-cached") => 0,
                    Err(_outage) if fails => 0,
                    Err(error) => panic!("{draw:?}: {error}"),
                }
            }
        };
        let batch: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(one(Draw::new(random, history)))).collect();
        for task in batch {
            answered += task.await.expect("no answer is one that its asker may not have");
        }
    }
    answered
}

async fn isolation(mode: EtagMode, lifetime: Duration) -> (u64, usize) {
    let origin = ModelOrigin::start();
    origin.set_etag_mode(mode);
    let settings = Settings {
        fetch_timeout: Duration::from_millis(200),
        hold_off: Duration::from_millis(20),
        ..Settings::default()
    };
    let node = builder(github(&origin).default_lifetime(lifetime))
        .settings(settings)
        .start()
        .await
        .expect("a node starts");
    let mut random = StdRng::seed_from_u64(SEED);
    let (mut history, mut answered) = (History::default(), 0);
    history.tell_accounts_apart(&origin).await;
    for (change, fails) in STATES {
        history.enter(&origin, change).await;
        let shared = Arc::new(history);
        if fails {
            for (kind, times) in [(FaultKind::Hang, 4), (FaultKind::Reset, 40), (FaultKind::Status(502), 200)]
            {
                origin.fault(Fault::new(kind, times));
            }
        }
        answered += ask_all(&node, &mut random, &shared, (lifetime, fails)).await;
        origin.clear_faults();
        history = Arc::into_inner(shared).expect("every request has ended");
    }
    (node.stats().await.expect("the node runs").proofs, answered)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lent_among_nine_askers_is_what_the_origin_gives_to_each() {
    for lifetime in [50, 300] {
        let (proofs, answered) = isolation(EtagMode::Recipe, Duration::from_millis(lifetime)).await;
        assert!(proofs > 20, "only {proofs} answers were lent");
        assert!(answered > STATES.len() * ROUNDS * AT_ONCE * 7 / 10, "{answered}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_anything_cross_where_tags_are_the_same_for_everybody() {
    let (proofs, answered) = isolation(EtagMode::Body, Duration::from_millis(150)).await;
    assert_eq!(proofs, 0, "no tag is made by the recipe");
    assert!(answered > STATES.len() * ROUNDS * AT_ONCE * 7 / 10, "{answered}");
}
