//! Each setting that SIGHUP takes over, and that it holds at once for what is kept already.

use crate::support::{Configured, REPOSITORY, reply, status};
use cache_tests::{
    http::Draft,
    origin::{Fault, FaultKind, ModelOrigin, Quota, Resource},
    until,
};
use std::fs;
use tempfile::NamedTempFile;

/// The settings with a test in this file or, as far as they are about secrets, in `fleet_daemons/rotation.rs`.
const TRIED: [&str; 26] = [
    "default-ttl",
    "stale-if-error",
    "stale-while-revalidate",
    "max-stale",
    "settle",
    "route",
    "priority",
    "writes-per-minute",
    "writes-per-hour",
    "write-wait",
    "graphql",
    "no-graphql",
    "forward-header",
    "respect-max-age",
    "domain",
    "anonymous-as",
    "body-max",
    "pretty-print",
    "pushed",
    "client-token",
    "client-token-file",
    "shared-secret",
    "shared-secret-file",
    "accept-secret",
    "accept-secret-file",
    "log",
];

#[test]
fn every_setting_that_the_manual_says_is_taken_over_is_tried() {
    let page = include_str!("../../../docs/settings.md");
    let rows = page.lines().filter(|line| line.starts_with("| `--"));
    let columns = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    let marked: Vec<_> = columns.filter(|row| row[4] == "yes").map(|row| row[1].trim_matches('`')).collect();
    assert_eq!(marked, TRIED);
}

#[tokio::test]
async fn a_shorter_lifetime_holds_at_once_for_what_is_kept() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "default-ttl = 300");
    host.status().await;
    assert!(host.status().await.contains("hit; ttl=300"));
    host.change("default-ttl = 0").await;
    assert!(host.status().await.contains("fwd=request; fwd-status=304"));
    assert!(host.status().await.contains("fwd=stale; fwd-status=304"));
    host.change("default-ttl = 200").await;
    assert!(host.status().await.contains("fwd=stale; fwd-status=304"));
    assert!(host.status().await.contains("hit; ttl=200"));
}

#[tokio::test]
async fn what_is_pushed_is_kept_for_as_long_as_the_settings_say_by_now() {
    let origin = ModelOrigin::start();
    let secret = NamedTempFile::new().expect("a temporary file can be made");
    fs::write(secret.path(), "0123456789abcdef").expect("a file can be written");
    let webhooks = format!("webhook-listen = \"127.0.0.1:0\"\nwebhook-secret-file = {:?}\n", secret.path());
    let host = Configured::start(&origin, &format!("{webhooks}pushed = [\"/repos/acme/** = 1h\"]"));
    host.status().await;
    assert!(host.status().await.contains("hit; ttl=3600"));
    host.change(&format!("{webhooks}pushed = [\"/repos/acme/** = 2h\"]\nroute = [\"/repos/*/* = 100s\"]"))
        .await;
    assert!(host.status().await.contains("fwd-status=304"), "there are other rules now");
    let is_kept = async |ttl: &str| host.status().await.contains(ttl);
    until("a rule for a route comes first", async || is_kept("hit; ttl=100").await).await;
    host.change(&webhooks).await;
    assert!(host.status().await.contains("fwd-status=304"), "the rules that are gone leave a doubt");
    until("the usual lifetime holds again", async || is_kept("hit; ttl=300").await).await;
}

#[tokio::test]
async fn what_is_written_settles_for_as_long_as_the_settings_say_by_now() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "settle = 0");
    let write = async || {
        let draft = host.daemon.unix_client().request(http::Method::PATCH, REPOSITORY).token("ghp_alice");
        assert_eq!(draft.body("{}").send().await.expect("the door answers").status, 200);
    };
    write().await;
    host.status().await;
    assert!(host.status().await.contains("hit"));
    host.change("settle = \"60s\"").await;
    write().await;
    for _ in 0..2 {
        assert!(host.status().await.contains("detail=settling"));
    }
    host.change("settle = 0").await;
    assert!(host.status().await.contains("detail=settling"), "what was written before settles on");
}

#[tokio::test]
async fn as_many_writes_are_made_as_the_settings_say_by_now() {
    let origin = ModelOrigin::start();
    let paced = |minute: &str, hour: &str, wait: &str| {
        format!("writes-per-minute = {minute}\nwrites-per-hour = {hour}\nwrite-wait = {wait}\n")
    };
    let host = Configured::start(&origin, &paced("1", "\"off\"", "0"));
    let write = async || {
        let draft = host.daemon.unix_client().request(http::Method::PATCH, REPOSITORY).token("ghp_alice");
        let answer = draft.body("{}").send().await.expect("the door answers");
        (answer.status, answer.header("cache-status").to_owned())
    };
    assert_eq!(write().await.0, 200);
    let (status, told) = write().await;
    assert!(status == 403 && told.contains("detail=paced"), "{status} {told}");
    host.change(&paced("2", "\"off\"", "0")).await;
    assert_eq!(write().await.0, 200, "one more may be made");
    assert_eq!(write().await.0, 403);
    host.change(&paced("\"off\"", "2", "0")).await;
    assert_eq!(write().await.0, 403, "the hour's are the same");
    host.change(&paced("\"off\"", "2", "\"1h\"")).await;
    let mut waiting = std::pin::pin!(write());
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), waiting.as_mut()).await;
    assert!(early.is_err(), "it waits for its turn");
    host.change(&paced("\"off\"", "\"off\"", "0")).await;
    assert_eq!(waiting.await.0, 200, "those that wait are let go");
}

#[tokio::test]
async fn a_request_matters_as_much_as_the_settings_say_by_now() {
    let origin = ModelOrigin::start();
    let spent = Quota { limit: 100, used: 60, reset_unix_seconds: 4_000_000_000 };
    origin.set_quota("alice", Resource::Core, spent);
    let matters = |class: &str| {
        format!("default-ttl = 0\nreserve = [\"batch=50%\"]\npriority = [\"/repos/** = {class}\"]\n")
    };
    let host = Configured::start(&origin, &matters("normal"));
    for _ in 0..2 {
        assert!(host.status().await.contains("fwd="));
    }
    host.change(&matters("batch")).await;
    assert!(host.status().await.contains("detail=stale-reserved"));
    host.change(&matters("critical")).await;
    assert!(host.status().await.contains("fwd=stale; fwd-status=304"));
    host.change(&matters("critical").replace("priority = [", "priority = [\"client:* = batch\", ")).await;
    assert!(host.status().await.contains("detail=stale-reserved"), "a client's rule comes first");
}

#[tokio::test]
async fn a_route_that_is_never_kept_any_more_is_not_served_from_what_is_kept() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "");
    host.status().await;
    assert!(host.status().await.contains("hit"));
    host.change("route = [\"/repos/*/* = never\"]").await;
    for calls in [2, 3] {
        assert!(
            host.status().await.contains("fwd=bypass; fwd-status=200; detail=\"a rule of the operator\"")
        );
        assert_eq!(origin.calls_total(), calls);
    }
    host.change("").await;
    assert!(host.status().await.contains("fwd-status=304"), "the rule that is gone leaves a doubt");
}

#[tokio::test]
async fn answers_to_queries_are_kept_as_the_settings_say_by_now() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "");
    let query = r#"{"query":"{ repository(owner: \"acme\", name: \"widget-1\") { id } }"}"#;
    let asked = || status(host.daemon.unix_client().post("/graphql", query).token("ghp_alice"));
    asked().await;
    assert!(asked().await.contains("hit; ttl=300"));
    host.change("graphql = [\"repositories = 100s\"]").await;
    assert!(asked().await.contains("hit; ttl=100"));
    host.change("[graphql]\nrepositories = \"never\"").await;
    assert!(asked().await.contains("fwd=bypass; fwd-status=200; detail=\"a rule of the operator\""));
    host.change("no-graphql = true").await;
    assert!(asked().await.contains("fwd=method; fwd-status=200"));
    host.change("").await;
    assert!(asked().await.contains("hit; ttl=300"));
    assert_eq!(origin.calls_total(), 3);
}

#[tokio::test]
async fn what_a_domain_kept_is_served_to_nobody_without_a_proof_once_it_is_gone() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "domain = [\"ci=ghs_*\"]");
    let by = |token: &str| host.daemon.unix_client().get(REPOSITORY).token(token);
    assert!(status(by("ghs_acme1")).await.contains("fwd=uri-miss; fwd-status=200"));
    assert!(status(by("ghs_x")).await.contains("fwd-status=304"), "they share what is kept");
    assert!(status(by("ghs_x")).await.contains("hit"));
    host.change("").await;
    for token in ["ghs_acme1", "ghs_x"] {
        assert!(
            status(by(token)).await.contains("fwd=uri-miss; fwd-status=304; stored; detail=proof"),
            "{token}"
        );
    }
}

#[tokio::test]
async fn what_a_trusted_domain_kept_takes_a_proof_once_it_is_trusted_no_more() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "domain = [\"ci=ghs_*,trusted\"]");
    let private = |token: &str| host.daemon.unix_client().get("/repos/acme/secret-1").token(token);
    assert!(status(private("ghs_acme1")).await.contains("fwd=uri-miss; fwd-status=200"));
    for taken_at_its_word in ["ghs_acme2", "ghs_x", "ghs_"] {
        assert!(status(private(taken_at_its_word)).await.contains("hit"), "{taken_at_its_word}");
    }
    assert!(host.daemon.stderr().contains("SERVED PRIVATE ANSWERS"), "{}", host.daemon.stderr());
    host.change("domain = [\"ci=ghs_*\"]").await;
    for (token, expected) in [("ghs_acme2", 200), ("ghs_x", 404), ("ghs_", 401)] {
        let reply = reply(private(token)).await;
        assert_eq!(reply.status, expected, "{token}");
        assert!(!reply.header("cache-status").contains("hit"), "{token}");
    }
    // What one was given itself it has proven, whatever its domain was then.
    assert!(status(private("ghs_acme1")).await.contains("hit"));
}

/// A file with `token`, readable by its owner alone.
fn token_file(token: &str) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a temporary file can be made");
    fs::write(file.path(), token).expect("a file can be written");
    file
}

#[tokio::test]
async fn another_credential_for_clients_without_one_is_used_once_it_has_shown_that_it_reads_nothing_private()
{
    let origin = ModelOrigin::start();
    let file = token_file("ghp_reader\n");
    let setting = format!("anonymous-as = {:?}", file.path());
    let host = Configured::start(&origin, &setting);
    let path = |number: usize| format!("/repos/acme/widget-{number}/readme");
    let asker_of = async |number: usize| {
        origin.reset_calls();
        let asked = reply(host.daemon.unix_client().get(&path(number))).await;
        assert_eq!(asked.status, 200);
        origin.latest_calls().pop().map(|call| call.token)
    };
    assert_eq!(asker_of(1).await.as_deref(), Some("ghp_reader"));
    fs::write(file.path(), "ghp_reader2").unwrap();
    host.hang_up("SIGHUP: new settings are in force").await;
    assert_eq!(asker_of(2).await.as_deref(), Some("ghp_reader2"));
    fs::write(file.path(), "ghp_alice").unwrap();
    host.hang_up("it has the scopes `repo, read:org, workflow`").await;
    assert_eq!(asker_of(3).await.as_deref(), Some("ghp_reader2"), "the one in force stays");
    fs::write(file.path(), "two words").unwrap();
    host.hang_up("cannot be used: the credential cannot be sent").await;
    origin.revoke("ghp_reader2");
    assert_eq!(asker_of(4).await.as_deref(), Some("anonymous"));
    host.change("").await;
    assert_eq!(asker_of(5).await.as_deref(), Some("anonymous"));
    let said = host.daemon.stderr();
    assert!(said.contains("no longer knows the credential of anonymous-as"), "{said}");
    assert!(!said.contains("ghp_"), "{said}");
}

#[tokio::test]
async fn a_domain_is_not_trusted_and_proven_at_once() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "");
    let twice = "domain = [\"ci=ghs_*\", \"ci=gho_*,trusted\"]";
    host.reload(twice, "domain `ci` is trusted in one place and not in another").await;
    host.reload("domain = [\"ci=ghs_*,trust\"]", "has `trust`, which is neither a prefix nor `trusted`")
        .await;
}

#[tokio::test]
async fn the_times_past_a_lifetime_hold_at_once() {
    let origin = ModelOrigin::start();
    let file = |setting: &str| format!("default-ttl = 0\n{setting}");

    let host = Configured::start(&origin, &file("stale-while-revalidate = \"1h\""));
    host.status().await;
    assert!(host.status().await.contains("detail=stale-while-revalidate"));
    host.change(&file("stale-while-revalidate = 0")).await;
    assert!(host.status().await.contains("fwd=stale"));

    let host = Configured::start(&origin, &file("max-stale = \"1h\""));
    let content = || host.get().header("cache-control", "max-stale=3600");
    host.status().await;
    assert!(status(content()).await.contains("detail=max-stale"));
    host.change(&file("max-stale = 0")).await;
    assert!(status(content()).await.contains("fwd=stale"));

    let host = Configured::start(&origin, &file("stale-if-error = \"1h\""));
    host.status().await;
    origin.fault(Fault::always(FaultKind::Status(503)));
    assert!(host.status().await.contains("detail=stale-if-error"));
    host.change(&file("stale-if-error = 0")).await;
    assert_eq!(reply(host.get()).await.status, 503);
}

#[tokio::test]
async fn the_origins_own_lifetime_counts_from_the_change_on() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "respect-max-age = false");
    host.status().await;
    assert!(host.status().await.contains("hit; ttl=300"));
    host.change("respect-max-age = true").await;
    assert!(host.status().await.contains("fwd=request; fwd-status=304"));
    until("what is newer than the rules is a hit again", async || {
        let status = host.status().await;
        assert!(!status.contains("hit") || status.contains("ttl=60") || status.contains("ttl=5"), "{status}");
        status.contains("hit")
    })
    .await;
}

#[tokio::test]
async fn a_header_reaches_the_origin_and_parts_requests_from_the_change_on() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "");
    let by = |shard: &str| host.get().header("x-shard", shard);
    status(by("a")).await;
    assert!(status(by("b")).await.contains("hit"));
    host.change("forward-header = [\"X-Shard\"]").await;
    for shard in ["a", "b"] {
        assert!(status(by(shard)).await.contains("fwd=uri-miss"));
        let calls = origin.latest_calls();
        assert_eq!(
            calls.last().and_then(|call| call.headers.get("x-shard")),
            Some(&shard.parse().expect("it is text"))
        );
    }
}

#[tokio::test]
async fn bodies_are_kept_and_laid_out_as_the_settings_say_by_now() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "");
    let by_curl = |path: &str| -> Draft {
        let draft = host.daemon.unix_client().get(path).token("ghp_alice");
        draft.without("user-agent").header("user-agent", "curl/8.5.0")
    };
    let plain = reply(by_curl(REPOSITORY)).await.body;
    host.change("pretty-print = true\nbody-max = 64").await;
    let pretty = reply(by_curl(REPOSITORY)).await.body;
    assert!(pretty.len() > plain.len() && pretty.starts_with(b"{\n  "), "{pretty:?}");
    assert!(status(by_curl("/repos/acme/widget-2")).await.contains("detail=oversize"));
}

#[tokio::test]
async fn another_client_token_opens_the_door_and_the_former_one_does_not() {
    let origin = ModelOrigin::start();
    let file = NamedTempFile::new().expect("a file can be made");
    let token = |text: &str| fs::write(file.path(), text).expect("a file can be written");
    token("sesame");
    let named = format!("client-token-file = {:?}", file.path());
    let host = Configured::start(&origin, &named);
    let mut connection = host.daemon.client().connect().await.expect("the door is open");
    let mut status = async |token: &str| {
        let draft = host.daemon.client().get(REPOSITORY).header("x-fleet-cache-token", token);
        connection.send(draft).await.expect("the door answers").status.as_u16()
    };
    assert_eq!((status("sesame").await, status("open").await), (200, 407));
    token("open");
    host.change(&named).await;
    assert_eq!((status("sesame").await, status("open").await), (407, 200));
    host.change("client-token = \"third\"").await;
    assert_eq!((status("open").await, status("third").await), (407, 200));
    host.change("").await;
    assert_eq!(status("").await, 200);
}

#[tokio::test]
async fn the_log_tells_more_or_less_from_the_change_on() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "log = \"info\"");
    host.change("log = \"debug\"").await;
    host.status().await;
    until("the log tells more", async || host.daemon.stderr().contains("DEBUG")).await;
}
