//! A credential that reads nothing private asks for clients that send none.

use crate::support::{ALICE, PRIVATE, answer, ask, bare, builder, get, get_by, github, send};
use cache_tests::origin::{Fault, FaultKind, ModelOrigin, Quota, Resource};
use fleet_cache::{
    GitHub, Node, Provenance,
    github::{Credential, SurrogateFault, SurrogateState},
};
use http::{Method, Request};
use std::time::Duration;

const README: &str = "/repos/acme/widget-1/readme";
const READER: &str = "ghp_reader";

fn asking_as(origin: &ModelOrigin, token: &str) -> GitHub {
    let credential = Credential::from_token(token).expect("a token of the model");
    github(origin).anonymous_as(credential).build().expect("the tests' settings are in range")
}

/// A node that asks with `ghp_reader` for clients that send no credential. Its calls so far are forgotten.
async fn reading(origin: &ModelOrigin, lifetime: Duration) -> Node {
    let credential = Credential::from_token(READER).expect("a token of the model");
    let github = github(origin).anonymous_as(credential).default_lifetime(lifetime).build();
    let github = github.expect("the tests' settings are in range");
    let node = Node::builder(None, github).start().await.expect("a node starts");
    let news = node.examine_if_due().await.expect("it is time");
    assert_eq!((news.state, news.is_news), (SurrogateState::Used, true), "{news:?}");
    origin.reset_calls();
    node
}

/// The tokens of the calls so far, in order.
fn askers(origin: &ModelOrigin) -> Vec<String> {
    origin.latest_calls().into_iter().map(|call| call.token).collect()
}

const LONG: Duration = Duration::from_secs(300);

#[tokio::test]
async fn clients_that_send_no_credential_revalidate_for_free_and_have_a_users_quota() {
    let origin = ModelOrigin::start();
    let node = reading(&origin, Duration::ZERO).await;
    for _ in 0..5 {
        let got = answer(&node, get(README)).await;
        assert_eq!((got.status.as_u16(), got.header("x-ratelimit-limit")), (200, "5000"));
    }
    let counts = origin.counts();
    assert_eq!((counts.total, counts.paid, counts.not_modified), (5, 1, 4));
    assert!(askers(&origin).iter().all(|token| token == READER));
    assert_eq!(origin.quota("anonymous", Resource::Core).used, 0);
    let stats = node.stats().await.unwrap().origin;
    assert_eq!(stats.anonymous_as, Some(SurrogateState::Used));
    assert_eq!(stats.quotas.last().unwrap().domain, "anonymous-as");
}

#[tokio::test]
async fn what_it_was_given_is_lent_by_proof_and_is_nobodys_own() {
    let origin = ModelOrigin::start();
    let node = reading(&origin, LONG).await;
    assert_eq!(answer(&node, get(README)).await.status, 200);
    assert!(answer(&node, get(README)).await.is_hit());
    // Not even the same credential, sent by a client, is in its domain.
    for token in [ALICE, READER] {
        let lent = answer(&node, get_by(token, README)).await;
        assert!(lent.forward().is_some_and(|forward| forward.is_proof()), "{token}: {lent:?}");
    }
    assert_eq!(origin.paid_calls(), 1);
    // It borrows as well.
    let other = "/repos/acme/widget-2/readme";
    assert_eq!(answer(&node, get_by(ALICE, other)).await.status, 200);
    assert!(answer(&node, get(other)).await.forward().is_some_and(|forward| forward.is_proof()));
}

#[tokio::test]
async fn nothing_of_the_credential_shows_to_those_that_it_asks_for() {
    let origin = ModelOrigin::start();
    origin.reset_calls();
    let credential = Credential::from_token("github_pat_public").unwrap();
    let github = github(&origin).anonymous_as(credential).body_bytes_max(64 * 1024);
    let node = Node::builder(None, github.build().unwrap()).start().await.unwrap();
    assert!(node.examine_if_due().await.unwrap().fault.is_none());
    origin.reset_calls();
    // Kept, from memory, too long to keep, and not there.
    let too_long = "/repos/acme/widget-1/contents/big-100000.bin";
    for path in [README, README, too_long, "/repos/acme/widget-1/nothing", "/repos/acme/widget-1/stats/x"] {
        let got = answer(&node, get(path)).await;
        assert_eq!(got.provenance == Provenance::Oversize, path == too_long, "{got:?}");
        for name in
            ["github-authentication-token-expiration", "x-accepted-github-permissions", "x-oauth-scopes"]
        {
            assert_eq!(got.header(name), "", "{path}: {got:?}");
        }
    }
    assert!(askers(&origin).iter().all(|token| token == "github_pat_public"));
    let shown = format!("{:?} {:?}", node.github(), node.stats().await.unwrap());
    assert!(!shown.contains("github_pat_public"), "{shown}");
}

#[tokio::test]
async fn what_concerns_a_credential_and_what_passes_by_is_asked_for_anonymously() {
    let origin = ModelOrigin::start();
    let node = reading(&origin, LONG).await;
    for path in [
        "/user",
        "/USER",
        "/user/repos?visibility=private",
        "/notifications",
        "/installation/repositories",
        "/gists",
        "/gists/1/star",
        "/orgs/acme/issues",
        "/users/reader/events",
        "/repos/acme/widget-1/subscription",
    ] {
        assert_ne!(answer(&node, get(path)).await.status, 200, "{path}");
    }
    assert_eq!(answer(&node, get("/rate_limit")).await.status, 200);
    assert_eq!(answer(&node, get("/search/issues?q=author%3A@me")).await.status, 200);
    assert_eq!(answer(&node, get(README).header("cache-control", "no-store")).await.status, 200);
    for (method, path) in [(Method::POST, "/graphql"), (Method::PATCH, "/repos/acme/widget-1")] {
        send(&node, bare(Request::builder().method(method).uri(path))).await.unwrap();
    }
    let askers = askers(&origin);
    assert!(askers.len() >= 13 && askers.iter().all(|token| token == "anonymous"), "{askers:?}");
}

#[tokio::test]
async fn nothing_private_is_shown_whoever_has_read_it() {
    let origin = ModelOrigin::start();
    let node = reading(&origin, LONG).await;
    let secret = format!("{PRIVATE}/readme");
    assert_eq!(answer(&node, get_by(ALICE, &secret)).await.status, 200);
    assert_eq!(answer(&node, get(&secret)).await.status, 404);
}

#[tokio::test]
async fn a_credential_that_reads_more_than_anybody_may_is_not_used_and_the_fault_says_what_it_reads() {
    let origin = ModelOrigin::start();
    let rows = [
        (ALICE, "it has the scopes `repo, read:org, workflow`"),
        ("ghp_bob", "it has the scopes `public_repo`"),
        ("github_pat_carol", "it reads private repositories"),
        ("github_pat_mail", "it reads the private addresses"),
        ("ghs_acme1", "it reads private repositories"),
        ("ghs_x", "it is of an installation"),
        ("ghp_revoked", "the API does not know it"),
    ];
    for (token, expected) in rows {
        let github = asking_as(&origin, token);
        let mut forgotten = false;
        let news = github.examine_if_due(|_domain| forgotten = true).await.unwrap();
        assert!(forgotten, "{token}");
        let fault = news.fault.unwrap();
        assert!(fault.is_final() && fault.to_string().starts_with(expected), "{token}: {fault}");
        assert!(!format!("{fault} {fault:?}").contains(token), "{fault:?}");
        assert_eq!(github.surrogate_state(), Some(SurrogateState::Refused));
        let node = Node::builder(None, github).start().await.unwrap();
        origin.reset_calls();
        assert_eq!(answer(&node, get(README)).await.status, 200);
        assert_eq!(askers(&origin), ["anonymous"], "{token}");
    }
}

#[tokio::test]
async fn while_the_origin_has_not_shown_what_it_reads_it_is_not_used() {
    let origin = ModelOrigin::start();
    let unclear =
        [FaultKind::Status(502), FaultKind::Reset, FaultKind::SecondaryLimit { retry_after_seconds: 1 }];
    for kind in unclear {
        let github = asking_as(&origin, READER);
        for path in ["/user", "/user/repos", "/installation", "/user/emails"] {
            origin.fault(Fault { path_contains: path.to_owned(), ..Fault::new(kind.clone(), 5) });
            let rules = github_rules(&origin, READER);
            let outcome = github.examine(&rules, |_domain| panic!("{kind:?} {path}")).await;
            assert!(outcome.is_err_and(|fault| !fault.is_final()), "{kind:?} {path}");
            origin.clear_faults();
        }
        assert_eq!(github.surrogate_state(), Some(SurrogateState::Unexamined));
        let node = Node::builder(None, github).start().await.unwrap();
        origin.reset_calls();
        assert_eq!(answer(&node, get(README)).await.status, 200);
        assert_eq!(askers(&origin), ["anonymous"]);
    }
}

fn github_rules(origin: &ModelOrigin, token: &str) -> fleet_cache::github::Rules {
    let credential = Credential::from_token(token).expect("a token of the model");
    github(origin).anonymous_as(credential).rules().expect("the tests' settings are in range")
}

#[tokio::test]
async fn once_it_is_revoked_clients_are_asked_for_anonymously_and_none_gets_the_401() {
    let origin = ModelOrigin::start();
    let node = reading(&origin, Duration::ZERO).await;
    assert_eq!(answer(&node, get(README)).await.status, 200);
    origin.revoke(READER);
    origin.reset_calls();
    let asked: Vec<_> = (0..10)
        .map(|_| {
            let node = node.clone();
            tokio::spawn(async move { ask(&node, get(README)).await })
        })
        .collect();
    for task in asked {
        assert_eq!(task.await.unwrap().unwrap().status, 200);
    }
    assert_eq!(node.github().surrogate_state(), Some(SurrogateState::Refused));
    origin.reset_calls();
    assert_eq!(answer(&node, get("/repos/acme/widget-3/readme")).await.status, 200);
    assert_eq!(askers(&origin), ["anonymous"]);
    assert!(node.examine_if_due().await.is_none(), "it is not asked about at once");
}

#[tokio::test]
async fn what_is_for_applications_alone_says_nothing_of_it() {
    let origin = ModelOrigin::start();
    let node = reading(&origin, LONG).await;
    for path in
        ["/repos/acme/widget-1/installation", "/orgs/acme/installation", "/users/acme/installation", "/app"]
    {
        assert_ne!(answer(&node, get(path)).await.status, 200, "{path}");
        assert_eq!(node.github().surrogate_state(), Some(SurrogateState::Used), "{path}");
    }
    assert!(askers(&origin).iter().all(|token| token == "anonymous"));
    assert_eq!(answer(&node, get(README)).await.status, 200);
    assert_eq!(askers(&origin).last().map(String::as_str), Some(READER));
}

#[tokio::test]
async fn what_it_was_given_by_rights_that_an_examination_has_seen_does_not_outlive_them() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let secret = format!("{PRIVATE}/readme");
    let start = async || {
        let credential = Credential::from_token(READER).unwrap();
        let node = builder(github(&origin).anonymous_as(credential).default_lifetime(LONG));
        let node = node.cache_dir(directory.path()).start().await.unwrap();
        let news = node.examine_if_due().await.unwrap();
        (node, news.fault)
    };
    let (node, fault) = start().await;
    assert!(fault.is_none(), "{fault:?}");
    // Rights that it is given later show at the next examination.
    origin.set_rights(READER, u32::MAX);
    assert_eq!(answer(&node, get(&secret)).await.status, 200);
    node.shutdown().await;
    let (node, fault) = start().await;
    assert!(matches!(fault, Some(SurrogateFault::Private)), "{fault:?}");
    assert_eq!(answer(&node, get(&secret)).await.status, 404);
    node.shutdown().await;
    origin.set_rights(READER, 0);
    let (node, fault) = start().await;
    assert!(fault.is_none(), "{fault:?}");
    assert_eq!(answer(&node, get(&secret)).await.status, 404);
    node.shutdown().await;
}

#[tokio::test]
async fn rules_with_a_credential_that_may_not_be_used_end_what_was_kept_for_it() {
    let origin = ModelOrigin::start();
    let node = reading(&origin, LONG).await;
    assert_eq!(answer(&node, get(README)).await.status, 200);
    node.adopt(github_rules(&origin, "ghp_reader2"));
    origin.set_rights(READER, u32::MAX);
    let private = github_rules(&origin, READER);
    assert!(matches!(node.examine(&private).await, Err(SurrogateFault::Private)));
    assert_eq!(node.stats().await.unwrap().cache_size, 0);
}

#[tokio::test]
async fn what_it_is_forbidden_is_asked_for_anonymously_and_it_is_used_on() {
    let origin = ModelOrigin::start();
    let node = reading(&origin, LONG).await;
    assert_eq!(answer(&node, get("/repos/acme/widget-1/actions/runners")).await.status, 403);
    assert_eq!(askers(&origin), [READER, "anonymous"]);
    assert_eq!(node.github().surrogate_state(), Some(SurrogateState::Used));
    // A spent quota is no refusal: it is the client's to wait.
    let spent = Quota { limit: 5000, used: 5000, reset_unix_seconds: 4_000_000_000 };
    origin.set_quota("reader", Resource::Core, spent);
    origin.reset_calls();
    let told = answer(&node, get(README)).await;
    let words: serde_json::Value = serde_json::from_slice(&told.body).unwrap();
    // The number of the reader's account is not the client's to know.
    assert_eq!((told.status.as_u16(), &words["message"]), (403, &"API rate limit exceeded.".into()));
    assert_eq!(askers(&origin), [READER]);
}

#[tokio::test]
async fn rules_with_the_same_credential_go_on_with_it_and_with_another_one_once_that_was_examined() {
    let origin = ModelOrigin::start();
    let node = reading(&origin, LONG).await;
    node.adopt(github_rules(&origin, READER));
    assert_eq!(node.github().surrogate_state(), Some(SurrogateState::Used));
    assert_eq!(origin.calls_total(), 0);
    let others = github_rules(&origin, "ghp_reader2");
    node.examine(&others).await.unwrap();
    node.adopt(others);
    origin.reset_calls();
    assert_eq!(answer(&node, get(README)).await.status, 200);
    assert_eq!(askers(&origin), ["ghp_reader2"]);
    let private = github_rules(&origin, ALICE);
    assert!(matches!(node.examine(&private).await, Err(SurrogateFault::Scopes(_))));
    node.adopt(private);
    origin.reset_calls();
    assert_eq!(answer(&node, get("/repos/acme/widget-3/readme")).await.status, 200);
    assert_eq!(askers(&origin), ["anonymous"], "it is not used, though it is in the rules");
}
