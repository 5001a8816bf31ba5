//! A domain of many credentials with different rights: none reads what the origin would not have let it read.

use crate::support::{ALICE, Answer, BOB, PRIVATE, PUBLIC, SOON, answer, ask, builder, get_by, github, node};
use cache_tests::{
    isolation::ASKERS,
    origin::{Fault, FaultKind, ModelOrigin, Quota, Resource, Visibility},
};
use fleet_cache::{Budget, GitHubBuilder, Node, RequestError};
use http::{Method, Request, request};
use rand::{
    Rng as _, SeedableRng as _,
    rngs::StdRng,
    seq::{IndexedRandom as _, IteratorRandom as _},
};
use std::time::{Duration, Instant};

/// What a credential of the domain may read: private repositories below a number. None means that the origin does not
/// know it.
fn private_below(token: &str) -> Option<u32> {
    match token {
        "ghp_alice" | "ghp_alice2" => Some(u32::MAX),
        "github_pat_carol" => Some(1),
        "ghs_acme1" | "ghs_acme2" => Some(5),
        "ghp_bob" | "ghp_stranger" => Some(0),
        _ => None,
    }
}

fn tokens() -> impl Iterator<Item = &'static str> {
    ASKERS.into_iter().flatten()
}

/// Short, so that entries are asked about again all the time.
const LIFETIME: Duration = Duration::from_millis(300);
const ROUNDS: usize = 40;
const AT_ONCE: usize = 40;

fn named(origin: &ModelOrigin) -> GitHubBuilder {
    github(origin).named_domain("everybody", ["*"])
}

/// What changed, and when: for one lifetime after it either answer is right.
#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    alice_revoked: Option<Instant>,
    widget_private: Option<Instant>,
    outage: bool,
}

#[derive(Clone, Debug)]
struct Draw {
    token: &'static str,
    family: &'static str,
    number: u32,
    rest: &'static str,
    head: bool,
    accept: Option<&'static str>,
    cache_control: Option<&'static str>,
}

impl Draw {
    fn new(random: &mut StdRng) -> Self {
        let accepts = [None, Some("*/*"), Some("application/vnd.github.raw")];
        let demands = [
            None,
            None,
            None,
            Some("no-cache"),
            Some("max-age=0"),
            Some("max-stale"),
            Some("only-if-cached"),
        ];
        let rests = ["", "/contents/a.txt", "/issues?per_page=5"];
        Self {
            token: tokens().choose(random).expect("there are some"),
            family: ["widget", "secret"].choose(random).expect("there are some"),
            number: random.random_range(0..2),
            rest: rests.choose(random).expect("there are some"),
            head: random.random_bool(0.2),
            accept: *accepts.choose(random).expect("there are some"),
            cache_control: *demands.choose(random).expect("there are some"),
        }
    }

    fn request(&self) -> request::Builder {
        let method = if self.head { Method::HEAD } else { Method::GET };
        let path = format!("/repos/acme/{}-{}{}", self.family, self.number, self.rest);
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let fields = [("accept", self.accept), ("cache-control", self.cache_control)];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.fold(request, |request, (name, value)| request.header(name, value))
    }

    /// Whether the origin lets it be read once `changes` are a lifetime old, or before.
    fn may_read(&self, changes: &Changes, asked: Instant) -> bool {
        let is_over = |change: Option<Instant>| change.is_some_and(|since| asked > since + LIFETIME);
        let is_revoked = self.token == ALICE && is_over(changes.alice_revoked);
        let is_private = self.family == "secret" || (self.number == 1 && is_over(changes.widget_private));
        match private_below(self.token) {
            None => false,
            Some(_) if is_revoked => false,
            Some(below) => !is_private || self.number < below,
        }
    }

    /// Fails if `answer` is one that the origin would not have given, nor a lifetime before.
    fn check(&self, answer: &Result<Answer, RequestError>, changes: &Changes, asked: Instant) {
        let may_read = self.may_read(changes, asked);
        let Ok(answer) = answer else {
            assert!(changes.outage || self.cache_control == Some("only-if-cached"), "{self:?}: {answer:?}");
            return;
        };
        let is_private = self.family == "secret" || changes.widget_private.is_some();
        if answer.status == 200 {
            assert!(may_read, "{self:?} {changes:?}\n{answer:?}");
        } else if !is_private && private_below(self.token).is_some() && changes.alice_revoked.is_none() {
            assert!(changes.outage, "{self:?} {changes:?}\n{answer:?}");
        }
        if !may_read {
            let shows = answer.body.windows(6).any(|text| text == b"secret");
            assert!(!shows, "{self:?}\n{answer:?}");
        }
    }
}

/// At least `rounds` of requests, and until what was read before has outlived its time twice.
async fn mix(node: &Node, random: &mut StdRng, changes: Changes, rounds: usize) {
    let (begun, mut round) = (Instant::now(), 0);
    while round < rounds || begun.elapsed() < LIFETIME * 2 {
        round += 1;
        let draws = (0..AT_ONCE).map(|_| Draw::new(random));
        let asked: Vec<_> = draws
            .map(|draw| {
                let node = node.clone();
                tokio::spawn(async move {
                    let asked = Instant::now();
                    let answer = ask(&node, draw.request()).await;
                    draw.check(&answer, &changes, asked);
                })
            })
            .collect();
        for task in asked {
            task.await.expect("no answer is one that its reader may not have");
        }
    }
}

fn widen_quotas(origin: &ModelOrigin) {
    let quota = Quota { limit: u64::MAX, used: 0, reset_unix_seconds: 4_000_000_000 };
    for payer in ["alice", "bob", "carol", "acme-app", "anonymous"].into_iter().chain(tokens()) {
        origin.set_quota(payer, Resource::Core, quota);
    }
}

/// Requests of all kinds in quiet times, while a repository turns private, a credential is revoked, and the origin fails.
async fn live_through_changes(node: &Node, origin: &ModelOrigin, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut changes = Changes::default();
    mix(node, &mut random, changes, ROUNDS).await;
    changes.outage = true;
    origin.fault(Fault::always(FaultKind::Status(502)));
    mix(node, &mut random, changes, ROUNDS / 4).await;
    origin.clear_faults();
    changes.outage = false;
    // A stale answer stands in for a while for what failed just now; in a domain of many, none does.
    changes.widget_private = Some(Instant::now());
    origin.set_visibility("acme/widget-1", Visibility::Private);
    mix(node, &mut random, changes, ROUNDS).await;
    changes.alice_revoked = Some(Instant::now());
    origin.revoke(ALICE);
    mix(node, &mut random, changes, ROUNDS).await;
    changes.outage = true;
    origin.fault(Fault::always(FaultKind::Reset));
    mix(node, &mut random, changes, ROUNDS / 4).await;
    origin.clear_faults();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reads_what_the_origin_would_not_have_let_it_read() {
    let origin = ModelOrigin::start();
    widen_quotas(&origin);
    let node = node(named(&origin).default_lifetime(LIFETIME)).await;
    live_through_changes(&node, &origin, 1).await;
    let stats = node.stats().await.unwrap();
    assert!(stats.hits > 100 && stats.revalidated > 100, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_when_most_entries_come_from_disk() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    widen_quotas(&origin);
    let budget = Budget { entries_max: 8, bytes_max: 1 << 20 };
    let builder = builder(named(&origin).default_lifetime(LIFETIME));
    let node = builder.cache_dir(directory.path()).budget(budget).start().await.unwrap();
    live_through_changes(&node, &origin, 2).await;
    node.shutdown().await;
}

#[tokio::test]
async fn a_credential_is_served_what_others_fetched_once_the_origin_has_said_that_it_may_read_it() {
    let origin = ModelOrigin::start();
    let node = node(named(&origin)).await;
    assert_eq!(answer(&node, get_by(ALICE, PRIVATE)).await.status, 200);
    // The first time each asks, which costs nothing; after that it is served.
    for (token, status) in [("ghs_acme1", 200), ("ghs_acme2", 200), (BOB, 404), ("ghp_revoked", 401)] {
        for round in 0..2 {
            let answer = answer(&node, get_by(token, PRIVATE)).await;
            let is_hit = status == 200 && round > 0;
            assert_eq!((answer.status.as_u16(), answer.is_hit()), (status, is_hit), "{token} {round}");
        }
    }
    let paid =
        origin.calls().iter().filter(|tally| tally.status == 200).map(|tally| tally.count).sum::<u64>();
    assert_eq!(paid, 1, "{:?}", origin.calls());
    // What one was refused stays the others' answer.
    assert!(answer(&node, get_by(ALICE, PRIVATE)).await.is_hit());
}

#[tokio::test]
async fn what_one_credential_of_a_trusted_domain_was_given_answers_whoever_fits_its_pattern() {
    let origin = ModelOrigin::start();
    let trusted = github(&origin).trusted_domain("apps", ["ghs_acme*", "ghs_"]);
    let node = node(trusted.named_domain("all", ["*"])).await;
    assert_eq!(answer(&node, get_by("ghs_acme1", PRIVATE)).await.status, 200);
    let calls = origin.calls_total();
    for taken_at_its_word in ["ghs_acme2", "ghs_acme_made_up", "ghs_"] {
        assert!(answer(&node, get_by(taken_at_its_word, PRIVATE)).await.is_hit(), "{taken_at_its_word}");
    }
    assert_eq!(origin.calls_total(), calls);
    // Those of the domain behind it prove what they read.
    assert_eq!(answer(&node, get_by(BOB, PRIVATE)).await.status, 404);
    // What concerns a credential itself is its own.
    assert_eq!(answer(&node, get_by("ghs_", "/user")).await.status, 401);
}

#[tokio::test]
async fn what_the_origin_refuses_to_one_credential_of_a_trusted_domain_is_kept_for_the_others() {
    let origin = ModelOrigin::start();
    let node = node(github(&origin).trusted_domain("apps", ["ghs_*"])).await;
    assert_eq!(answer(&node, get_by("ghs_acme1", PRIVATE)).await.status, 200);
    let refusals = [("ghs_", 401), ("ghs_x", 404)];
    for (token, status) in refusals {
        let asked_anew = get_by(token, PRIVATE).header("cache-control", "no-cache");
        assert_eq!(answer(&node, asked_anew).await.status, status, "{token}");
    }
    assert!(answer(&node, get_by("ghs_acme2", PRIVATE)).await.is_hit());
}

#[tokio::test]
async fn a_herd_of_credentials_costs_one_whole_answer() {
    let origin = ModelOrigin::start();
    let node = node(named(&origin)).await;
    origin.hold("");
    let tokens = (0..20).map(|number| format!("ghp_herd{number}"));
    let asked: Vec<_> = tokens
        .map(|token| {
            let node = node.clone();
            tokio::spawn(async move { ask(&node, get_by(&token, PUBLIC)).await })
        })
        .collect();
    origin.wait_in_flight(1).await;
    origin.release();
    for task in asked {
        assert_eq!(task.await.unwrap().unwrap().status, 200);
    }
    assert_eq!(origin.paid_calls(), 1);
}

#[tokio::test]
async fn what_is_about_a_credential_is_its_own_in_a_domain_of_many() {
    let origin = ModelOrigin::start();
    let node = node(named(&origin)).await;
    for (token, login) in [(BOB, "bob"), (ALICE, "alice"), (BOB, "bob"), (ALICE, "alice")] {
        let answer = answer(&node, get_by(token, "/user")).await;
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["login"], login);
    }
    assert_eq!(origin.calls_total(), 2);
}

#[tokio::test]
async fn what_a_304_proves_to_one_credential_says_nothing_of_what_another_sees() {
    let origin = ModelOrigin::start();
    let node = node(named(&origin)).await;
    let page = "/orgs/acme/repos?per_page=2";
    let alice = answer(&node, get_by(ALICE, page)).await;
    assert!(alice.header("link").contains("page=9"), "{alice:?}");
    for token in [BOB, BOB, ALICE, BOB, ALICE] {
        let got = answer(&node, get_by(token, page)).await;
        let sees_more = token == ALICE;
        assert_eq!((got.body == alice.body, !got.header("link").is_empty()), (true, sees_more), "{got:?}");
        let other = if sees_more { "bob" } else { "alice" };
        assert_ne!(got.header("x-something-new"), other, "{token}: {got:?}");
    }
}

#[tokio::test]
async fn a_304_of_another_credential_brings_the_links_that_this_one_sees() {
    let origin = ModelOrigin::start();
    let node = node(named(&origin)).await;
    let page = "/orgs/acme/repos?per_page=2";
    let first = answer(&node, get_by(ALICE, page)).await;
    let other = answer(&node, get_by("github_pat_carol", page)).await;
    assert_eq!((other.body == first.body, other.header("link")), (true, first.header("link")));
    assert_eq!(origin.paid_calls(), 1);
    assert!(answer(&node, get_by(ALICE, page)).await.is_hit(), "both were given the very same");
}

#[tokio::test]
async fn one_credentials_spent_allowance_stops_no_other() {
    let origin = ModelOrigin::start();
    let node = node(named(&origin)).await;
    let spent = Quota { limit: 5000, used: 5000, reset_unix_seconds: 4_000_000_000 };
    origin.set_quota("alice", Resource::Core, spent);
    assert_eq!(answer(&node, get_by(ALICE, PUBLIC)).await.status, 403);
    let error = ask(&node, get_by(ALICE, PUBLIC)).await.unwrap_err();
    let RequestError::Throttled { quota: Some(quota), resource: "core", .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!((quota.limit, quota.remaining, quota.used, quota.reset), (5000, 0, 5000, 4_000_000_000));
    assert_eq!(answer(&node, get_by(BOB, PUBLIC)).await.status, 200);
    // Its own answers and those it may read go on being served.
    origin.set_quota("alice", Resource::Core, Quota { used: 0, ..spent });
}

#[tokio::test]
async fn a_revoked_credential_is_told_so_within_a_lifetime_however_fresh_others_keep_the_entry() {
    let origin = ModelOrigin::start();
    let node = node(named(&origin).default_lifetime(LIFETIME)).await;
    for token in [ALICE, "ghs_acme1"] {
        assert_eq!(answer(&node, get_by(token, PRIVATE)).await.status, 200);
    }
    origin.revoke("ghs_acme1");
    let revoked = Instant::now();
    while answer(&node, get_by("ghs_acme1", PRIVATE)).await.status == 200 {
        assert!(revoked.elapsed() < LIFETIME + SOON, "a revoked credential reads on");
        assert_eq!(answer(&node, get_by(ALICE, PRIVATE)).await.status, 200);
    }
    let stale = get_by("ghs_acme1", PRIVATE).header("cache-control", "max-stale");
    assert_eq!(answer(&node, stale).await.status, 401);
}

#[tokio::test]
async fn the_first_401_of_a_credential_ends_all_that_is_kept_for_it() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let builder = builder(github(&origin).default_lifetime(LIFETIME)).cache_dir(directory.path());
    let node = builder.start().await.unwrap();
    for path in [PRIVATE, PUBLIC] {
        assert_eq!(answer(&node, get_by(ALICE, path)).await.status, 200);
        assert_eq!(answer(&node, get_by(BOB, PUBLIC)).await.status, 200);
    }
    origin.revoke(ALICE);
    let lenient = |token, path| get_by(token, path).header("cache-control", "max-stale");
    let refused = get_by(ALICE, PUBLIC).header("cache-control", "no-cache");
    assert_eq!(answer(&node, refused).await.status, 401);
    for path in [PRIVATE, PUBLIC] {
        assert_eq!(answer(&node, lenient(ALICE, path)).await.status, 401, "{path}");
    }
    // Others keep theirs.
    assert_eq!(answer(&node, lenient(BOB, PUBLIC)).await.forward(), None);
    node.shutdown().await;
}

#[tokio::test]
async fn a_repository_that_is_taken_from_a_credential_is_gone_with_all_that_lies_under_it() {
    let origin = ModelOrigin::start();
    let node = node(github(&origin).default_lifetime(LIFETIME)).await;
    let paths = [PUBLIC, "/repos/acme/widget-1/issues", "/repos/acme/widget-1/languages"];
    for path in paths.into_iter().chain(["/repos/acme/widget-10"]) {
        assert_eq!(answer(&node, get_by(BOB, path)).await.status, 200);
    }
    origin.set_visibility("acme/widget-1", Visibility::Private);
    let refused = get_by(BOB, paths[1]).header("cache-control", "no-cache");
    assert_eq!(answer(&node, refused).await.status, 404);
    let lenient = |path| get_by(BOB, path).header("cache-control", "max-stale");
    for path in paths {
        assert_eq!(answer(&node, lenient(path)).await.status, 404, "{path}");
    }
    assert_eq!(answer(&node, lenient("/repos/acme/widget-10")).await.forward(), None);
}
