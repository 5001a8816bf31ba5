//! What `peers`, `ping` and `doctor` say of a fleet that works, and of one that does not.

use crate::support::{
    EITHER, Ended, Over, PROGRAM, addresses, ask, command, fleet, member, new_secret, peer_id, shown,
};
use cache_tests::{daemon::Setup, origin::ModelOrigin, until};
use serde_json::Value;
use std::{
    fs,
    time::{Duration, Instant},
};

/// The check of that name in what `doctor --json` wrote.
fn check(ended: &Ended, name: &str) -> Value {
    let report = ended.json();
    let checks = report["checks"].as_array().expect("there is a list of checks");
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no check {name}: {ended:?}")).clone()
}

#[tokio::test]
async fn peers_lists_who_is_connected_and_ping_tells_how_soon_they_answer() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let daemons = fleet(&origin, over, 2).await;
        let (own, other) = (peer_id(&daemons[0]).await, peer_id(&daemons[1]).await);
        let listed = ask(&daemons[0], &["peers", "--json"]).await;
        assert_eq!(listed.code, 0, "{listed:?}");
        let listed = listed.json();
        assert_eq!((&listed["peer_id"], &listed["transport"]), (&own.into(), &over.name().into()));
        let peer = &listed["peers"][0];
        assert_eq!((&peer["id"], &peer["state"]), (&other.clone().into(), &"connected".into()), "{over:?}");
        assert_eq!(peer["score"], 0);
        assert!(peer["received_bytes"].as_u64() > Some(0), "{peer}");

        let table = ask(&daemons[0], &["peers"]).await.stdout;
        let line = table.lines().find(|line| line.contains(&other)).expect("the peer has a line");
        assert!(line.starts_with("connected"), "{line}");

        for name in [other.as_str(), &other[other.len() - 8..]] {
            let pinged = ask(&daemons[0], &["ping", name, "--json"]).await;
            assert_eq!(pinged.code, 0, "{over:?}: {pinged:?}");
            let pinged = pinged.json();
            assert_eq!((&pinged["peer"], &pinged["outcome"]), (&other.clone().into(), &"answered".into()));
            assert!(pinged["round_trip_micros"].as_u64() > Some(0), "{pinged}");
            let skew = pinged["skew_millis"].as_i64().expect("it is a number");
            assert!(skew.abs() < 5_000, "both are on one machine: {skew}");
        }
        let text = ask(&daemons[0], &["ping", &other]).await.stdout;
        assert!(text.starts_with(&format!("{other} answers in ")), "{text}");
    }
}

#[tokio::test]
async fn a_ping_of_somebody_who_is_away_or_unknown_fails_with_the_reason() {
    let origin = ModelOrigin::start();
    let mut daemons = fleet(&origin, Over::Quic, 2).await;
    let other = peer_id(&daemons[1]).await;
    let unknown = ask(&daemons[0], &["ping", "nobody"]).await;
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.stderr.contains("no known peer's id is, or ends in, \"nobody\""), "{unknown:?}");
    daemons.remove(1);
    until("the peer is missed", async || shown(&daemons[0], "/stats").await["connected_peers"] == 0).await;
    let away = ask(&daemons[0], &["ping", &other]).await;
    assert_eq!(away.code, 7, "{away:?}");
    assert!(away.stderr.contains("no connection with that peer"), "{away:?}");
}

#[tokio::test]
async fn the_doctor_finds_nothing_wrong_with_a_fleet_that_shares() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let daemons = fleet(&origin, over, 3).await;
        for daemon in &daemons {
            let asked = Instant::now();
            let ended = ask(daemon, &["doctor", "--json"]).await;
            assert!(asked.elapsed() < Duration::from_secs(5), "{over:?}: {:?}", asked.elapsed());
            assert_eq!(ended.code, 0, "{over:?}: {ended:?}");
            for name in ["daemon", "sharing", "secret", "peers", "clocks", "probe"] {
                assert_eq!(check(&ended, name)["state"], "ok", "{over:?}: {ended:?}");
            }
        }
        let text = ask(&daemons[0], &["doctor"]).await;
        assert!(text.stdout.contains("was given back by"), "{text:?}");
        assert_eq!(origin.calls_total(), 0, "nobody's quota is spent");
        let stats = shown(&daemons[0], "/stats").await;
        assert_eq!(stats["cache_size"], 0, "no probe is left");
        assert_eq!(stats["total_requests"], 0, "nor is one counted as a look-up");
    }
}

#[tokio::test]
async fn the_doctor_finds_that_a_node_has_another_secret_from_either_side() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let first = member(&origin, over, &new_secret(), &[]).start();
        let other_secret = new_secret();
        let stranger = member(&origin, over, &other_secret, &addresses(&first).await).start();
        until("the stranger was refused", async || {
            let peers = shown(&stranger, "/peers").await;
            peers["peers"][0]["reason"].as_str().is_some()
        })
        .await;
        for daemon in [&stranger, &first] {
            let ended = ask(daemon, &["doctor", "--json"]).await;
            assert_eq!(ended.code, 11, "{over:?}: {ended:?}");
            let secret = check(&ended, "secret");
            assert_eq!((&secret["state"], &secret["cause"]), (&"failed".into(), &"other-secret".into()));
            let remedy = secret["remedy"].as_str().expect("there is something to do");
            assert!(remedy.contains("fleet-cache secret fingerprint"), "{remedy}");
            assert!(!ended.stdout.contains(&other_secret), "the secret itself is not told");
        }
    }
}

#[tokio::test]
async fn the_doctor_names_contacts_that_cannot_be_reached() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let secret = new_secret();
        let away = member(&origin, over, &secret, &[]).start();
        let contacts = addresses(&away).await;
        drop(away);
        let alone = member(&origin, over, &secret, &contacts).start();
        let asked = Instant::now();
        let ended = ask(&alone, &["doctor"]).await;
        assert!(asked.elapsed() < Duration::from_secs(5), "{over:?}: {:?}", asked.elapsed());
        assert_eq!(ended.code, 12, "{over:?}: {ended:?}");
        assert!(ended.stdout.contains(&contacts[0]), "{ended:?}");
        assert!(ended.stdout.contains("remedy: look whether a node runs there"), "{ended:?}");
    }
}

#[tokio::test]
async fn the_doctor_warns_of_what_a_domain_gives_away_and_says_whether_a_credential_for_others_is_used() {
    let origin = ModelOrigin::start();
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let file = home.path().join("reader");
    fs::write(&file, "ghp_reader").expect("a file can be written");
    let setup = Setup::new(PROGRAM, &origin.url()).arg("--anonymous-as").arg(&file);
    let daemon = setup.arg("--domain=ci=ghs_*,trusted").arg("--domain=late=ghs_0*").start();
    let ended = ask(&daemon, &["doctor", "--json"]).await;
    assert_eq!(check(&ended, "anonymous-as")["state"], "ok", "{ended:?}");
    for words in ["is SERVED PRIVATE ANSWERS", "`ghs_0*` has no effect: domain `ci` stands before it"] {
        assert!(ended.stdout.contains(words), "{words}: {ended:?}");
    }
    origin.revoke("ghp_reader");
    let asked = daemon.unix_client().get("/repos/acme/widget-1").send().await.expect("the door answers");
    assert_eq!(asked.status, 200);
    let ended = ask(&daemon, &["doctor", "--json"]).await;
    assert_eq!(check(&ended, "anonymous-as")["state"], "warning", "{ended:?}");
    let stats = ask(&daemon, &["stats", "--json"]).await;
    assert_eq!(stats.json()["origin"]["anonymous_as"], "refused", "{stats:?}");
    assert!(!format!("{ended:?} {stats:?} {}", daemon.stderr()).contains("ghp_"));
}

#[tokio::test]
async fn the_doctor_tells_a_daemon_alone_one_without_a_secret_and_none_at_all_apart() {
    let origin = ModelOrigin::start();
    let alone = member(&origin, Over::Libp2p, &new_secret(), &[]).start();
    let ended = ask(&alone, &["doctor", "--json"]).await;
    assert_eq!(ended.code, 12, "{ended:?}");
    assert_eq!(check(&ended, "secret")["state"], "ok");

    let without_secret = Setup::new(PROGRAM, &origin.url()).with_peers().start();
    let ended = ask(&without_secret, &["doctor", "--json"]).await;
    assert_eq!(ended.code, 10, "{ended:?}");
    let remedy = check(&ended, "sharing")["remedy"].as_str().map(str::to_owned);
    assert!(remedy.is_some_and(|remedy| remedy.contains("fleet-cache secret generate")), "{ended:?}");

    let switched_off = Setup::new(PROGRAM, &origin.url()).start();
    let ended = ask(&switched_off, &["doctor"]).await;
    assert_eq!(ended.code, 10, "{ended:?}");
    assert!(ended.stdout.contains("--no-p2p"), "{ended:?}");

    let nowhere = tempfile::tempdir().expect("a temporary directory can be made");
    let ended = command(nowhere.path().into(), &["doctor", "--json"]).await;
    assert_eq!(ended.code, 3, "{ended:?}");
    assert_eq!(check(&ended, "daemon")["cause"], "not-running");
}
