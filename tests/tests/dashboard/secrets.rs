//! What clients send and are sent is in no byte that the daemon shows.

use crate::support::{Events, command, page, setup, stats};
use cache_tests::{
    daemon::Daemon,
    http::Client,
    origin::{ModelOrigin, Quota, Resource},
};
use std::fs;

/// Tokens, secrets, a body, a query, and names of what is private.
const SECRETS: [&str; 11] = [
    "ghp_alice",
    "ghp_bob",
    "ghs_acme1",
    "github_pat_carol",
    "Z2hwX2JvYg",
    "sesame-sesame-1234",
    "passphrase of this fleet",
    "hunter2-in-a-body",
    "hunter2-in-a-query",
    "secret-0",
    "widget-1",
];

/// What clients of this daemon present.
const DOOR: (&str, &str) = ("x-fleet-cache-token", "sesame-sesame-1234");

/// Every kind of request that carries a credential, some of them refused.
async fn requests(daemon: &Daemon) -> u64 {
    let client = daemon.client();
    let mut count = 0;
    for authorization in [
        "token ghp_alice",
        "Bearer ghp_bob",
        "Basic eDpnaHBfYm9i",
        "Bearer ghs_acme1",
        "Bearer github_pat_carol",
    ] {
        let token = authorization.split(' ').nth(1).unwrap_or_default();
        for path in [
            "/repos/acme/widget-1",
            "/repos/acme/secret-0/issues",
            "/user",
            "/search/code?q=hunter2-in-a-query",
        ] {
            for name in ["ci", token] {
                let request = client.get(path).header("authorization", authorization);
                let request =
                    request.without("user-agent").header("user-agent", token).header(DOOR.0, DOOR.1);
                request.header("x-fleet-client", name).send().await.expect("the door answers");
                count += 1;
            }
        }
        let body = r#"{"title":"hunter2-in-a-body"}"#;
        let request =
            client.request("PATCH".parse().expect("it is a method"), "/repos/acme/widget-1/issues/1");
        let request =
            request.header("authorization", authorization).header("content-type", "application/json");
        let request = request.header(DOOR.0, DOOR.1);
        request.body(body).send().await.expect("the door answers");
        count += 1;
    }
    count
}

#[tokio::test]
async fn nothing_secret_is_in_the_page_its_stream_the_metrics_the_logs_or_what_commands_print() {
    let origin = ModelOrigin::start();
    // Bob's allowance is spent, so that refusals are told too.
    let bob = origin.quota("bob", Resource::Core);
    origin.set_quota("bob", Resource::Core, Quota { used: bob.limit, ..bob });
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let log = directory.path().join("access.log");
    let daemon = setup(&origin)
        .with_peers()
        .env("CACHE_P2P_SHARED_SECRET", "passphrase of this fleet")
        .env("CACHE_CLIENT_TOKEN", "sesame-sesame-1234")
        .env("CACHE_P2P_LISTEN", "/ip4/127.0.0.1/tcp/0")
        .arg("--metrics-listen")
        .arg("127.0.0.1:0")
        .arg("--log")
        .arg("debug")
        .arg("--domain")
        .arg("ci=ghs_*")
        .arg("--access-log")
        .arg(&log)
        .start();
    let count = requests(&daemon).await;
    let address = page(&daemon).await;
    let mut events = Events::open(address).await;
    events.until_told("usage", |usage| usage["total"]["requests"] == count).await;
    events.until_told("refusals", |refusals| refusals[0]["count"].as_u64() > Some(0)).await;
    events.until_told("doctor", |_| true).await;
    let log = || fs::read_to_string(&log).unwrap_or_default();
    cache_tests::until("all is logged", async || log().lines().count() as u64 >= count).await;
    let mut shown = vec![("stream", events.text()), ("log", daemon.stderr())];
    for path in ["/", "/page.js", "/quota.js", "/style.css", "/missing"] {
        let reply = Client::tcp(address).get(path).send().await.expect("it answers");
        shown.push(("page", String::from_utf8_lossy(&reply.body).into_owned()));
    }
    shown.push(("metrics", metrics(&daemon).await));
    for arguments in [
        &["quota"][..],
        &["quota", "--json"],
        &["top"],
        &["top", "--json"],
        &["top", "--by", "route", "--json"],
        &["top", "--by", "payer", "--json"],
        &["stats", "--json"],
        &["monitor", "--once"],
        &["monitor", "--once", "--json"],
    ] {
        shown.push(("command", command(&daemon, arguments)));
    }
    for (what, text) in &shown {
        for secret in SECRETS {
            // The log names repositories on purpose, at a level for those that look for faults.
            let is_name = matches!(secret, "secret-0" | "widget-1") && *what == "log";
            assert!(is_name || !text.contains(secret), "{secret} is in what the {what} shows: {text}");
        }
    }
    let tokens = &SECRETS[..9];
    assert!(tokens.iter().all(|secret| !log().contains(secret)), "{}", log());
}

/// What the daemon tells Prometheus.
async fn metrics(daemon: &Daemon) -> String {
    let stats = stats(daemon).await;
    let address = stats["operations"].as_str().and_then(|url| url.strip_prefix("http://"));
    let operations = Client::tcp(address.expect("it is told").parse().expect("it is an address"));
    let reply = operations.get("/metrics").send().await.expect("it answers");
    String::from_utf8_lossy(&reply.body).into_owned()
}
