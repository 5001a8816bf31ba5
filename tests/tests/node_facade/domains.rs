//! Thousands of requests of two users and of none, mixed, left half-way, and never crossed: each reads only what it
//! may.

use crate::support::{
    ALICE, Answer, BOB, PRIVATE, PUBLIC, answer, ask, bare, builder, get_by, github, node, origin_and_node,
    post, send,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use cache_tests::origin::ModelOrigin;
use fleet_cache::{Budget, Node, RequestError};
use futures::FutureExt as _;
use http::{Method, Request, request};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use std::time::Duration;

const REQUESTS: usize = 10_000;
const AT_ONCE: usize = 50;
const SEED: u64 = 0x5eed;

/// The user that asks, if any.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asker {
    Alice,
    Bob,
    Nobody,
}

/// One request, drawn at random.
#[derive(Clone, Debug)]
struct Draw {
    asker: Asker,
    scheme: u8,
    head: bool,
    accept: Option<&'static str>,
    path: String,
    private: bool,
    cache_control: Option<&'static str>,
    left: bool,
}

impl Draw {
    fn new(random: &mut StdRng) -> Self {
        let private = random.random_bool(0.5);
        let family = if private { "secret" } else { "widget" };
        let rest = ["", "/languages", "/contents/a.txt", "/issues?per_page=5"];
        let query = ["?a=1&b=2", "?b=2&a=1"];
        let rest = rest.choose(random).expect("there are some");
        let query = if rest.contains('?') { "" } else { query.choose(random).expect("there are some") };
        let accepts =
            [None, Some("*/*"), Some("application/vnd.github+json"), Some("application/vnd.github.raw")];
        let demands = [None, None, None, Some("no-cache"), Some("max-age=0"), Some("max-stale=60")];
        Self {
            asker: *[Asker::Alice, Asker::Bob, Asker::Nobody].choose(random).expect("there are some"),
            scheme: random.random_range(0..4),
            head: random.random_bool(0.2),
            accept: *accepts.choose(random).expect("there are some"),
            path: format!("/repos/acme/{family}-{}{rest}{query}", random.random_range(0..2)),
            private,
            cache_control: *demands.choose(random).expect("there are some"),
            left: random.random_bool(0.1),
        }
    }

    fn request(&self) -> request::Builder {
        let method = if self.head { Method::HEAD } else { Method::GET };
        let mut request = Request::builder().method(method).uri(&self.path);
        let token = match self.asker {
            Asker::Alice => Some(ALICE),
            Asker::Bob => Some(BOB),
            Asker::Nobody => None,
        };
        if let Some(token) = token {
            request = request.header("authorization", authorization(token, self.scheme));
        }
        for (name, value) in [("accept", self.accept), ("cache-control", self.cache_control)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request
    }

    /// Fails unless `answer` is one that this asker may have.
    fn check(&self, answer: &Answer) {
        let expected = if self.private && self.asker != Asker::Alice { 404 } else { 200 };
        assert_eq!(answer.status, expected, "{self:?}\n{answer:?}");
        if self.head {
            assert!(answer.body.is_empty(), "{self:?}");
        } else if expected == 404 {
            assert!(!answer.body.windows(6).any(|text| text == b"secret"), "{self:?}\n{answer:?}");
        }
        let scopes = match self.asker {
            Asker::Alice => "repo, read:org, workflow",
            Asker::Bob => "public_repo",
            Asker::Nobody => "",
        };
        assert!(matches!(answer.header("x-oauth-scopes"), found if found == scopes), "{self:?}\n{answer:?}");
        let limit = if self.asker == Asker::Nobody { ["", "1000000"] } else { ["", "5000000"] };
        assert!(limit.contains(&answer.header("x-ratelimit-limit")), "{self:?}\n{answer:?}");
    }
}

fn authorization(token: &str, scheme: u8) -> String {
    match scheme {
        0 => format!("token {token}"),
        1 => format!("Bearer {token}"),
        2 => format!("bearer {token}"),
        _ => format!("Basic {}", BASE64_STANDARD.encode(format!("x-access-token:{token}"))),
    }
}

/// Makes sure that no allowance ends before the test does.
fn widen_quotas(origin: &ModelOrigin) {
    use cache_tests::origin::{Quota, Resource};
    for (payer, limit) in [("alice", 5_000_000), ("bob", 5_000_000), ("anonymous", 1_000_000)] {
        let quota = Quota { limit, used: 0, reset_unix_seconds: 4_000_000_000 };
        origin.set_quota(payer, Resource::Core, quota);
    }
}

async fn one(node: Node, draw: Draw) -> usize {
    if draw.left {
        // Polled once, so that it is under way, and dropped.
        let request = bare(draw.request());
        let mut reply = Box::pin(node.request(request));
        let _half_way = (&mut reply).now_or_never();
        return 0;
    }
    match ask(&node, draw.request()).await {
        Ok(answer) => draw.check(&answer),
        Err(error) => panic!("{draw:?}: {error}"),
    }
    1
}

async fn mix(node: &Node, seed: u64, requests: usize) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let mut answered = 0;
    for _ in 0..requests / AT_ONCE {
        let draws = (0..AT_ONCE).map(|_| Draw::new(&mut random));
        let batch: Vec<_> = draws.map(|draw| tokio::spawn(one(node.clone(), draw))).collect();
        for task in batch {
            answered += task.await.expect("no answer is one that its asker may not have");
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_mixed_requests_cross_no_domain() {
    let origin = ModelOrigin::start();
    widen_quotas(&origin);
    // Short enough that entries are asked about again all the time.
    let node = node(github(&origin).default_lifetime(Duration::from_millis(50))).await;
    let answered = mix(&node, SEED, REQUESTS).await;
    assert!(answered > REQUESTS * 8 / 10, "{answered}");
    let calls = origin.calls_total();
    let stats = node.stats().await.unwrap();
    assert!(stats.hits + stats.collapsed > 1_000, "{stats:?}");
    assert_eq!(stats.api_calls_made, calls);
    // What a client left may still be under way; nothing stays for ever.
    assert_eq!(origin.credential_leaks(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_do_they_when_most_entries_come_from_disk_and_outlive_the_node() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    widen_quotas(&origin);
    for seed in 0..4 {
        let budget = Budget { entries_max: 8, bytes_max: 1 << 20 };
        let node = builder(github(&origin)).cache_dir(directory.path()).budget(budget).start().await.unwrap();
        assert!(mix(&node, seed, REQUESTS / 20).await > REQUESTS / 25);
        assert!(node.stats().await.unwrap().evictions > 50);
        node.shutdown().await;
    }
}

#[tokio::test]
async fn the_same_credential_in_any_scheme_is_one_domain_and_one_call() {
    let (origin, node) = origin_and_node().await;
    for scheme in 0..4 {
        let asking = Request::get("/user").header("authorization", authorization(ALICE, scheme));
        assert_eq!(answer(&node, asking).await.status, 200);
    }
    assert_eq!(origin.calls_total(), 1);
    let other = answer(&node, get_by("ghp_alice2", "/user")).await;
    assert!(!other.is_hit());
}

#[tokio::test]
async fn a_refusal_of_one_is_not_served_to_another_nor_the_other_way_round() {
    let (origin, node) = origin_and_node().await;
    for round in 0..3 {
        for (token, status) in [(BOB, 404), (ALICE, 200), ("github_pat_carol", 404), ("ghs_acme1", 200)] {
            let answer = answer(&node, get_by(token, PRIVATE)).await;
            assert_eq!((answer.status.as_u16(), answer.is_hit()), (status, round > 0), "{token}");
        }
    }
    assert_eq!(origin.calls_total(), 4);
}

#[tokio::test]
async fn one_that_the_origin_refuses_leaves_the_others_of_a_named_domain_their_answer() {
    let origin = ModelOrigin::start();
    let shared = github(&origin).default_lifetime(Duration::ZERO).named_domain("both", ["ghp_*"]);
    let node = node(shared).await;
    for _ in 0..3 {
        assert_eq!(answer(&node, get_by(ALICE, PRIVATE)).await.status, 200);
        assert_eq!(answer(&node, get_by(BOB, PRIVATE)).await.status, 404);
    }
    // At once: whichever leads, each gets what the origin says to it or to a credential that may read it.
    origin.hold("");
    let ask_by = |token| {
        let node = node.clone();
        tokio::spawn(async move { ask(&node, get_by(token, PRIVATE)).await })
    };
    let (bob, alice) = (ask_by(BOB), ask_by(ALICE));
    origin.wait_in_flight(1).await;
    origin.release();
    let (bob, alice): (Result<_, RequestError>, Result<_, RequestError>) =
        (bob.await.unwrap(), alice.await.unwrap());
    assert_eq!((bob.unwrap().status.as_u16(), alice.unwrap().status.as_u16()), (404, 200));
}

#[tokio::test]
async fn every_call_tells_how_the_allowance_of_its_credential_stands() {
    let (_origin, node) = origin_and_node().await;
    let calls = [
        bare(get_by(ALICE, PUBLIC)),
        post("/repos/acme/widget-1/issues", r#"{"title":"new"}"#),
        post("/graphql", r#"{"query":"{viewer{login}}"}"#),
        bare(get_by(BOB, PUBLIC)),
    ];
    for call in calls {
        let told = send(&node, call).await.unwrap().headers;
        let told = |name: &str| told[name].to_str().unwrap().to_owned();
        let seen = node.stats().await.unwrap().origin.quotas;
        let last = &seen.last().expect("the answer shows one").quota;
        assert_eq!(*last.resource, told("x-ratelimit-resource"));
        assert_eq!(last.used.to_string(), told("x-ratelimit-used"));
    }
    let seen = node.stats().await.unwrap().origin.quotas;
    assert_eq!(seen.len(), 3, "alice's of REST and GraphQL, bob's of REST: {seen:?}");
}
