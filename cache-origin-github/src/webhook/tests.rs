//! Real payloads of GitHub's, and what each ends.

use super::*;
use cache_core::{Domain, Key, Manner, SETTLE_MAX, message::SCOPES_MAX};
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;

#[derive(Deserialize)]
struct Sample {
    event: String,
    action: Option<String>,
    payload: Box<RawValue>,
}

fn samples() -> Vec<Sample> {
    let text = include_str!("../../tests/webhooks/payloads.json");
    serde_json::from_str(text).expect("the file holds payloads")
}

fn ended(event: &str, payload: &str) -> Reach {
    let github = GitHub::builder().build().unwrap();
    match github.ended_by_event(event, payload.as_bytes()) {
        Ok(Event::Known(reach)) => reach,
        other => panic!("{event}: {other:?}"),
    }
}

/// What the sample of `event` with `action` does to what is kept under `resource`.
fn manner(event: &str, action: &str, resource: &str) -> Option<Manner> {
    let is_meant = |it: &Sample| it.event == event && it.action.as_deref().unwrap_or_default() == action;
    let sample = samples().into_iter().find(is_meant).expect("there is such a payload");
    let reach = ended(event, sample.payload.get()).bounded();
    reach.manner(&Key::new(&format!("api.github.com{resource}"), Domain::ANONYMOUS), 200)
}

#[test]
fn every_payload_is_of_a_known_event_and_ends_something_unless_it_is_a_ping() {
    let samples = samples();
    assert!(samples.len() >= 40);
    for Sample { event, action, payload } in samples {
        let reach = ended(&event, payload.get());
        assert_eq!(reach.is_empty(), event == "ping", "{event} {action:?}");
        assert_eq!(reach.settle.is_zero(), event == "ping", "{event} {action:?}");
        // Beyond that neighbours become one scope, which may mean all repositories.
        for scopes in [&reach.forgotten, &reach.doubted] {
            assert!(scopes.len() <= SCOPES_MAX, "{event} {action:?}: {} scopes", scopes.len());
        }
    }
}

#[test]
fn an_event_ends_what_a_write_of_its_kind_ends() {
    let github = GitHub::builder().build().unwrap();
    for (event, action, method, path) in [
        ("push", "", Method::PUT, "/contents/README.md"),
        ("create", "", Method::POST, "/git/refs"),
        ("pull_request", "closed", Method::PUT, "/pulls/2/merge"),
        ("issues", "opened", Method::POST, "/issues"),
        ("issue_comment", "created", Method::POST, "/issues/1/comments"),
        ("check_run", "completed", Method::POST, "/check-runs"),
        ("status", "", Method::POST, "/statuses/6113728f"),
        ("release", "published", Method::POST, "/releases"),
        ("label", "created", Method::POST, "/labels"),
        ("member", "added", Method::PUT, "/collaborators/octocat"),
        ("fork", "", Method::POST, "/forks"),
        ("deployment_status", "created", Method::POST, "/deployments/1/statuses"),
        ("pull_request_review", "submitted", Method::POST, "/pulls/2/reviews"),
    ] {
        let is_meant = |it: &Sample| it.event == event && it.action.as_deref().unwrap_or_default() == action;
        let sample = samples().into_iter().find(is_meant).unwrap_or_else(|| panic!("{event} {action}"));
        let reach = ended(event, sample.payload.get());
        let payload: serde_json::Value = serde_json::from_str(sample.payload.get()).unwrap();
        let name = payload["repository"]["full_name"].as_str().unwrap();
        let written = github.touched_by(&method, &format!("/repos/{name}{path}").parse().unwrap());
        for scope in &written.forgotten {
            let Scope::Prefix { prefix, .. } = scope else { panic!("{scope:?}") };
            let key = Key::new(&format!("{prefix}of-any-kind"), Domain::ANONYMOUS);
            assert_eq!(reach.manner(&key, 200), Some(Manner::Forget), "{event} {action} leaves {prefix}");
        }
    }
}

#[test]
fn an_event_ends_what_shows_it_and_nothing_of_others() {
    let forget = Some(Manner::Forget);
    for (event, action, resource, expected) in [
        ("push", "", "/repos/codertocat/hello-world/commits?sha=main json", forget),
        ("push", "", "/repos/codertocat/hello-world/branches json", forget),
        ("push", "", "/repos/codertocat/hello-world/contents/a.txt json", forget),
        ("push", "", "/repos/codertocat/hello-world json", forget),
        ("push", "", "/repositories/186853002/commits?page=2 json", Some(Manner::Doubt)),
        ("push", "", "/repositories/17/commits?page=2 json", None),
        ("push", "", "/repos/codertocat/hello-world2/commits json", None),
        ("push", "", "/repos/codertocat/hello-world/hooks json", None),
        ("push", "", "/graphql?of=codertocat/hello-world&rules=lists&query=00", forget),
        ("push", "", "/graphql?of=-&rules=lists&query=00", forget),
        ("push", "", "/graphql?of=acme/site&rules=lists&query=00", None),
        ("star", "created", "/repos/codertocat/hello-world json", forget),
        ("star", "created", "/repos/codertocat/hello-world/contents/a json", None),
        ("repository", "privatized", "/repos/codertocat/hello-world/contents/a.txt json", forget),
        ("repository", "privatized", "/repos/codertocat/hello-world/hooks json", forget),
        ("repository", "privatized", "/user/repos json", forget),
        ("repository", "privatized", "/repos/codertocat/other json", None),
        ("repository", "transferred", "/repos/octocat/hello-world/contents/a json", forget),
        ("repository", "transferred", "/repos/octocoders/hello-world/contents/a json", forget),
        ("member", "added", "/repos/codertocat/hello-world/contents/a json", forget),
        ("membership", "removed", "/repos/octocoders/anything/contents/a json", forget),
        ("membership", "removed", "/repos/acme/anything json", None),
        ("membership", "removed", "/graphql?of=octocoders/anything&rules=lists&query=00", forget),
        ("team", "removed_from_repository", "/repos/octocoders/hello-world/contents/a json", forget),
        ("organization", "renamed", "/repos/octocoders/hello-world/contents/a json", forget),
        ("installation", "deleted", "/repos/octocat/hello-world/contents/a json", forget),
        ("installation", "deleted", "/installation/repositories json", forget),
        ("installation", "suspend", "/repos/codertocat/anything json", forget),
        ("installation_repositories", "removed", "/repos/octocat/hello-world/contents/a json", forget),
        ("issues", "transferred", "/repos/octo-org/octo-repo/issues json", forget),
    ] {
        assert_eq!(manner(event, action, resource), expected, "{event} {action} {resource}");
    }
}

#[test]
fn a_repository_has_its_old_name_too() {
    let payload = r#"{"action": "renamed", "repository": {"id": 7, "full_name": "Acme/New"},
        "changes": {"repository": {"name": {"from": "Old"}}}}"#;
    let reach = ended("repository", payload);
    for name in ["new", "old"] {
        let key = Key::new(&format!("api.github.com/repos/acme/{name}/issues json"), Domain::ANONYMOUS);
        assert_eq!(reach.manner(&key, 200), Some(Manner::Forget), "{name}");
    }
}

#[test]
fn of_more_repositories_than_are_ended_one_by_one_all_of_the_account_goes() {
    let listed: Vec<String> = (0..=payload::REPOSITORIES_MAX)
        .map(|number| format!(r#"{{"full_name": "acme/r{number}"}}"#))
        .collect();
    let payload = format!(
        r#"{{"action": "removed", "installation": {{"account": {{"login": "acme"}}}}, "repositories_removed": [{}]}}"#,
        listed.join(",")
    );
    let reach = ended("installation_repositories", &payload);
    let key = |path: &str| Key::new(&format!("api.github.com{path} json"), Domain::ANONYMOUS);
    assert_eq!(reach.manner(&key("/repos/acme/anything/contents/a"), 200), Some(Manner::Forget));
    assert_ne!(reach.manner(&key("/repos/other/anything"), 200), Some(Manner::Forget));
}

#[test]
fn what_is_not_a_payload_is_refused_and_an_unknown_event_is_not_even_read() {
    let github = GitHub::builder().build().unwrap();
    for payload in [
        "",
        "garbage",
        "[]",
        r#"{"repository": "acme/site"}"#,
        r#"{"repository": {"full_name": "site"}}"#,
        r#"{"repository": {"full_name": "acme/../user"}}"#,
        r#"{"repository": {"full_name": "../user"}}"#,
        r#"{"repository": {"full_name": "acme/si te"}}"#,
        r#"{"repository": {"full_name": "/"}}"#,
    ] {
        assert_eq!(github.ended_by_event("push", payload.as_bytes()), Err(PayloadError), "{payload}");
    }
    let deep = "[".repeat(1_000_000);
    assert_eq!(github.ended_by_event("push", deep.as_bytes()), Err(PayloadError));
    assert_eq!(github.ended_by_event("next_years_event", b"garbage"), Ok(Event::Unknown));
}

#[test]
fn what_an_event_ends_settles_as_what_a_write_ends_does() {
    let settle = |time| {
        let github = GitHub::builder().settle(time).build().unwrap();
        let payload = br#"{"repository": {"full_name": "acme/site"}}"#;
        match github.ended_by_event("push", payload) {
            Ok(Event::Known(reach)) => reach.settle,
            other => panic!("{other:?}"),
        }
    };
    for time in [Duration::ZERO, Duration::from_secs(2), SETTLE_MAX] {
        assert_eq!(settle(time), time);
    }
}
