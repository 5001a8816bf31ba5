//! A door that clients take for a proxy: TLS ends there for the API's hosts.

use crate::{
    proxy::{ask, authority, connect, intercepting, refused, tls, tls_naming},
    support::{PATIENCE, REPOSITORY, answers, get, setup, status, told},
};
use cache_tests::origin::ModelOrigin;
use futures::future::join_all;
use std::{collections::BTreeSet, time::Duration};
use tokio::{io::AsyncReadExt as _, time::timeout};

const API: &str = "api.github.com:443";

fn to_api(target: &str, fields: &str) -> String {
    get(target, fields).replace("Host: 127.0.0.1", "Host: api.github.com")
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_take_the_door_for_a_proxy_share_one_call_to_the_api() {
    let (origin, daemon) = intercepting(&[]);
    let mut kinds = Vec::new();
    for target in [API, "API.github.com.:443"] {
        let stream = connect(&daemon, target, "").await.unwrap();
        let answer = ask(tls(stream, &daemon).await.unwrap(), to_api(REPOSITORY, "")).await;
        assert_eq!(status(&answer), 200, "{answer}");
        // URLs lead where they led: the client comes here by itself.
        assert!(answer.contains("https://api.github.com/repos/acme/widget-1"), "{answer}");
        kinds.push(answer.to_ascii_lowercase().contains("; hit"));
    }
    assert_eq!((kinds, origin.calls_total()), (vec![false, true], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_connections_at_once_lead_to_one_call() {
    let (origin, daemon) = intercepting(&[]);
    let one = || async {
        let stream = connect(&daemon, API, "").await.unwrap();
        status(&ask(tls(stream, &daemon).await.unwrap(), to_api(REPOSITORY, "")).await)
    };
    let statuses = join_all((0..50).map(|_| one())).await;
    assert_eq!(statuses.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([200]));
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_kept_apart_inside_intercepted_tls() {
    let (origin, daemon) = intercepting(&[]);
    for token in ["ghp_alice", "ghp_bob", "ghp_alice"] {
        let stream = connect(&daemon, API, "").await.unwrap();
        let request = to_api("/user", "").replace("ghp_alice", token);
        let answer = ask(tls(stream, &daemon).await.unwrap(), request).await;
        assert!(answer.contains(token.trim_start_matches("ghp_")), "{answer}");
    }
    assert_eq!((origin.calls_total(), origin.credential_leaks()), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_on_a_connection_is_for_another_host() {
    let (origin, daemon) = intercepting(&["--intercept-host", "uploads.github.com"]);
    for (target, host, expected) in [
        (REPOSITORY, "uploads.github.com", 421),
        (REPOSITORY, "localhost", 421),
        (REPOSITORY, "api.github.com@localhost", 400),
        ("https://uploads.github.com/x", "api.github.com", 421),
        (REPOSITORY, "API.GitHub.com:443", 200),
    ] {
        let stream = connect(&daemon, API, "").await.unwrap();
        let request = to_api(target, "").replace("Host: api.github.com", &format!("Host: {host}"));
        let answer = ask(tls(stream, &daemon).await.unwrap(), request).await;
        assert_eq!(status(&answer), expected, "{target} {host}: {answer}");
    }
    let stream = connect(&daemon, API, "").await.unwrap();
    let nested = format!("CONNECT {API} HTTP/1.1\r\nHost: {API}\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&ask(tls(stream, &daemon).await.unwrap(), nested).await), 405);
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_names_another_host_in_tls_gets_no_certificate() {
    let (_origin, daemon) = intercepting(&["--intercept-host", "uploads.github.com"]);
    for name in ["uploads.github.com", "github.com", "127.0.0.1"] {
        let stream = connect(&daemon, API, "").await.unwrap();
        // An address is not sent as a name (RFC 6066, section 3), so the last client names none.
        let error = tls_naming(stream, &daemon, name).await.err();
        assert!(
            error.is_some_and(
                |error| error.to_string().contains("AccessDenied") || error.to_string().contains("alert")
            ),
            "{name}"
        );
    }
    assert_eq!(authority(&daemon).matches("BEGIN CERTIFICATE").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_never_end_keep_nobody_out() {
    let (_origin, daemon) = intercepting(&["--max-connections", "4"]);
    let mut stuck = Vec::new();
    for _ in 0..4 {
        stuck.push(connect(&daemon, API, "").await.unwrap());
    }
    let served = async {
        let stream = connect(&daemon, API, "").await.unwrap();
        status(&ask(tls(stream, &daemon).await.unwrap(), to_api(REPOSITORY, "")).await)
    };
    assert_eq!(timeout(PATIENCE, served).await.expect("one of the others gives way"), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_shows_its_token_when_it_asks_for_a_connection_and_the_origin_never_sees_it() {
    let (origin, daemon) = intercepting(&["--client-token", "sesame-sesame-sesame-sesame-sesame"]);
    let answer = refused(&daemon, API, "").await;
    assert_eq!(status(&answer), 407);
    assert!(answer.contains("Basic realm") && answer.contains("Bearer realm"), "{answer}");
    // fleet:sesame-sesame-sesame-sesame-sesame
    let shown = "Proxy-Authorization: Basic ZmxlZXQ6c2VzYW1lLXNlc2FtZS1zZXNhbWUtc2VzYW1lLXNlc2FtZQ==\r\n";
    let stream = connect(&daemon, API, shown).await.unwrap();
    let answer = ask(tls(stream, &daemon).await.unwrap(), to_api(REPOSITORY, shown)).await;
    assert_eq!(status(&answer), 200);
    let calls = format!("{:?}", origin.latest_calls());
    assert!(!calls.contains("sesame") && !calls.contains("ZmxlZXQ6"), "{calls}");
    assert!(!daemon.stderr().contains("sesame"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_framed_in_two_ways_is_refused_inside_tls_as_outside() {
    let (origin, daemon) = intercepting(&[]);
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Content-Length: +5\r\n",
        "Content-Length : 5\r\n",
    ] {
        let smuggled = "0\r\n\r\nGET /user HTTP/1.1\r\nHost: api.github.com\r\n\r\n";
        let outside = answers(daemon.address(), to_api(REPOSITORY, fields) + smuggled).await;
        let stream = connect(&daemon, API, "").await.unwrap();
        let inside = ask(tls(stream, &daemon).await.unwrap(), to_api(REPOSITORY, fields) + smuggled).await;
        assert_eq!(status(&inside), status(&outside), "{fields}: {inside}");
    }
    assert_eq!(origin.calls_to("/user"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_for_the_public_api_come_to_no_enterprise_server() {
    let origin = ModelOrigin::start();
    let enterprise = format!("{}/api/v3", origin.url());
    let daemon = setup(&origin).arg("--intercept").arg("--origin").arg(enterprise).start();
    let hosts = crate::proxy::hosts(&daemon);
    assert!(hosts.contains("127.0.0.1") && !hosts.contains("api.github.com"), "{hosts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_interception_a_connect_is_refused_with_the_remedy() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let answer = refused(&daemon, API, "").await;
    assert_eq!(status(&answer), 405);
    assert!(told(&answer)["fleet_cache"]["remedy"].as_str().unwrap().contains("--intercept"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_stops_ends_what_is_being_answered_inside_tls() {
    let (origin, mut daemon) = intercepting(&[]);
    origin.hold("/user");
    let stream = connect(&daemon, API, "").await.unwrap();
    let asking = tokio::spawn(ask(tls(stream, &daemon).await.unwrap(), to_api("/user", "")));
    cache_tests::eventually_blocking(PATIENCE, || origin.in_flight() == 1);
    daemon.ask_to_end();
    cache_tests::eventually_blocking(PATIENCE, || std::net::TcpStream::connect(daemon.address()).is_err());
    origin.release();
    assert_eq!(status(&asking.await.unwrap()), 200);
    assert!(daemon.wait(PATIENCE).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_is_under_way_does_not_hold_up_a_stop() {
    let (_origin, mut daemon) = intercepting(&["--drain", "600"]);
    let mut stuck = connect(&daemon, API, "").await.unwrap();
    assert!(daemon.terminate(Duration::from_secs(30)).success());
    assert!(timeout(PATIENCE, stuck.read_u8()).await.unwrap().is_err());
}
