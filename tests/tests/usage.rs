//! `fleet-cache top`: what it tells is what the origin counted, whatever clients call themselves.

use cache_tests::{
    daemon::{Daemon, Setup},
    http::Client,
    origin::ModelOrigin,
};
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path, process::Command};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_fleet-cache-under-test");
const QUERY: &str = r#"{"query":"{ repository(owner: \"acme\", name: \"widget-1\") { issues(first: 100) { nodes { comments(first: 20) { nodes { author { login } } } labels(first: 9) { nodes { name } } } } } }"}"#;

fn command(name: &str, arguments: &[&str], cache: &Path) -> String {
    let mut command = Command::new(PROGRAM);
    command.arg(name).args(arguments).arg("--cache-dir").arg(cache).env_clear();
    let output = command.output().expect("the program can be run");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the output is text")
}

fn cache(daemon: &Daemon) -> std::path::PathBuf {
    daemon.directory().join("cache")
}

fn top(daemon: &Daemon, by: &str) -> Value {
    let text = command("top", &["--by", by, "--json"], &cache(daemon));
    serde_json::from_str(&text).expect("it is JSON")
}

fn row(told: &Value, name: &str) -> Value {
    let rows = told["rows"].as_array().expect("there are rows");
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}: {told:#}")).clone()
}

async fn sent(client: &Client, method: &str, path: &str, fields: &[(&str, &str)], body: &'static str) -> u16 {
    let method = method.parse().expect("it is a method");
    let draft = client.request(method, path).without("user-agent").body(body);
    let draft = fields.iter().fold(draft, |draft, (name, value)| draft.header(name, value));
    draft.send().await.expect("the door answers").status.as_u16()
}

/// Reads, writes, queries and what passes by, of four clients with three tokens; some again, some at the origin's door.
async fn mixed_load(daemon: &Daemon) -> u64 {
    let (tcp, unix) = (daemon.client(), daemon.unix_client());
    let bots = [
        (&tcp, ("x-fleet-client", "triage"), "token ghp_alice"),
        (&tcp, ("user-agent", "GitHub CLI 2.83.0 Agent/codex"), "token ghp_bob"),
        (&tcp, ("user-agent", "curl/8.1"), "Bearer ghp_alice"),
        (&unix, ("user-agent", "octokit-core.js/7 Node.js/22"), "token ghs_acme1"),
    ];
    let mut requests = 0;
    for round in 0..3 {
        for (client, name, token) in bots {
            let fields = [name, ("authorization", token), ("user-agent", name.1)];
            let fields = if name.0 == "user-agent" { &fields[..2] } else { &fields[..] };
            let again = [fields, &[("cache-control", "no-cache")]].concat();
            let part = [fields, &[("range", "bytes=0-9")]].concat();
            let json = [fields, &[("content-type", "application/json")]].concat();
            for number in 0..4 {
                sent(client, "GET", &format!("/repos/acme/widget-{number}"), fields, "").await;
                sent(client, "GET", &format!("/repos/acme/widget-{number}/issues"), &again, "").await;
            }
            sent(client, "GET", "/search/issues?q=x", fields, "").await;
            sent(client, "GET", "/repos/acme/none", fields, "").await;
            sent(client, "HEAD", "/user", fields, "").await;
            sent(client, "GET", "/repos/acme/widget-9", &part, "").await;
            sent(client, "POST", "/graphql", &json, QUERY).await;
            requests += 13;
            if round == 1 {
                sent(client, "PATCH", "/repos/acme/widget-2/issues/1", &json, r#"{"title":"t"}"#).await;
                requests += 1;
            }
        }
    }
    requests
}

#[tokio::test]
async fn what_top_tells_adds_up_to_what_the_origin_counted() {
    let origin = ModelOrigin::start();
    let daemon = Setup::new(PROGRAM, &origin.url()).start();
    let requests = mixed_load(&daemon).await;
    let counted = origin.counts();
    assert!(counted.not_modified > 10 && counted.points > 15, "{counted:?}");
    for by in ["client", "route", "payer"] {
        let told = top(&daemon, by);
        let rows = told["rows"].as_array().expect("there are rows");
        for (name, expected) in [
            ("requests", requests),
            ("calls", counted.total),
            ("not_modified", counted.not_modified),
            ("points", counted.points),
        ] {
            let sum: u64 = rows.iter().map(|row| row[name].as_u64().expect("it is a count")).sum();
            assert_eq!((sum, &told["total"][name]), (expected, &Value::from(expected)), "{name} by {by}");
            let parts = |row: &Value| {
                let parts = row["resources"].as_object().expect("it has resources");
                parts.values().map(|part| part[name].as_u64().expect("it is a count")).sum::<u64>()
            };
            assert_eq!(rows.iter().map(parts).sum::<u64>(), expected, "{name} by {by} and resource");
        }
    }
    let by_client = top(&daemon, "client");
    for name in ["triage", "codex", "curl", "octokit-core.js"] {
        assert_eq!(row(&by_client, name)["requests"], requests / 4, "{by_client:#}");
    }
    assert!(row(&by_client, "curl")["hits"].as_u64() > row(&by_client, "triage")["hits"].as_u64());
    let by_route = top(&daemon, "route");
    let searches = row(&by_route, "GET /search/issues");
    assert_eq!(searches["resources"]["search"]["calls"], origin.calls_to("/search/issues?q=x"));
    assert_eq!(row(&by_route, "PATCH /repos/*/*/issues/*")["calls"], 4);
    assert_eq!(top(&daemon, "payer")["rows"].as_array().map(Vec::len), Some(3));
    let table = command("top", &[], &cache(&daemon));
    assert!(table.lines().any(|line| line.ends_with("  triage")), "{table}");
}

#[tokio::test]
async fn the_origin_never_sees_whom_a_request_is_attributed_to() {
    let origin = ModelOrigin::start();
    let daemon = Setup::new(PROGRAM, &origin.url()).start();
    mixed_load(&daemon).await;
    let calls = origin.latest_calls();
    assert!(calls.len() > 20);
    assert!(calls.iter().all(|call| !call.headers.contains_key("x-fleet-client")));
}

/// The resident memory of a process, in bytes.
fn memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).expect("the process lives");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("its pages are told") * 4096
}

async fn flood(daemon: &Daemon, numbers: std::ops::Range<u32>) {
    let mut door = TcpStream::connect(daemon.address()).await.expect("the door listens");
    for begin in numbers.step_by(500) {
        let mut requests = String::new();
        for number in begin..begin + 500 {
            write!(
                requests,
                "GET /repos/acme/widget-1 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: t\r\n\
                 Authorization: token ghp_alice\r\nIf-None-Match: *\r\nX-Fleet-Client: label {number}\r\n\r\n"
            )
            .expect("a string takes whatever is written");
        }
        let (mut reader, mut writer) = door.split();
        let mut read = Vec::new();
        let reading = async {
            let mut ends = 0;
            while ends < 500 {
                let before = read.len().saturating_sub(3);
                assert!(reader.read_buf(&mut read).await.expect("the connection lasts") > 0);
                ends += read[before..].windows(4).filter(|four| four == b"\r\n\r\n").count();
            }
        };
        let (_read, written) = tokio::join!(reading, writer.write_all(requests.as_bytes()));
        written.expect("the door reads");
    }
}

#[tokio::test]
async fn twenty_thousand_labels_take_no_more_memory_than_five_thousand_and_have_as_few_rows() {
    let origin = ModelOrigin::start();
    let daemon = Setup::new(PROGRAM, &origin.url()).arg("--metrics-listen").arg("127.0.0.1:0").start();
    let first = daemon.client().get("/repos/acme/widget-1").token("ghp_alice").send().await;
    assert_eq!(first.expect("the door answers").status, 200);
    flood(&daemon, 0..5_000).await;
    let before = memory(daemon.pid());
    flood(&daemon, 5_000..20_000).await;
    let after = memory(daemon.pid());
    assert!(after < before + (2 << 20), "{before} bytes became {after}");
    let told = top(&daemon, "client");
    assert_eq!(told["rows"].as_array().map(Vec::len), Some(257));
    assert_eq!(told["total"]["requests"], 20_001);
    assert_eq!(told["total"]["hits"], 20_000);
    let metrics = metrics(&daemon).await;
    let series =
        metrics.lines().filter(|line| line.starts_with("fleet_cache_client_requests_total{")).count();
    assert_eq!(series, 257);
}

/// What the daemon tells Prometheus.
async fn metrics(daemon: &Daemon) -> String {
    let stats: Value =
        serde_json::from_str(&command("stats", &["--json"], &cache(daemon))).expect("it is JSON");
    let address = stats["operations"].as_str().and_then(|url| url.strip_prefix("http://"));
    let operations = Client::tcp(address.expect("it is told").parse().expect("it is an address"));
    let metrics = operations.get("/metrics").send().await.expect("the address answers");
    String::from_utf8(metrics.body.to_vec()).expect("it is text")
}

fn client_of_line(line: &str) -> String {
    let line: Value = serde_json::from_str(line).expect("a line is JSON");
    line["client"].as_str().expect("it names the client").to_owned()
}

#[tokio::test]
async fn no_token_is_in_what_a_daemon_writes_or_tells_of_its_clients() {
    const TOKENS: [&str; 3] = ["ghp_alice", "ghp_bob", "ghs_acme1"];
    let origin = ModelOrigin::start();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let log = directory.path().join("access.log");
    let daemon = Setup::new(PROGRAM, &origin.url())
        .arg("--metrics-listen")
        .arg("127.0.0.1:0")
        .arg("--log")
        .arg("trace")
        .arg("--domain")
        .arg("ci=ghs_*")
        .arg("--access-log")
        .arg(&log)
        .start();
    let requests = mixed_load(&daemon).await;
    let client = daemon.client();
    for token in TOKENS {
        let authorization = format!("token {token}");
        let named = [("authorization", &*authorization), ("x-fleet-client", token), ("user-agent", token)];
        sent(&client, "GET", "/repos/acme/widget-1", &named, "").await;
        sent(&client, "PUT", "/repos/acme/widget-1/x", &named, "").await;
    }
    let log = || fs::read_to_string(&log).unwrap_or_default();
    assert!(
        cache_tests::eventually_blocking(cache_tests::SOON, || log().lines().count() as u64 == requests + 6)
    );
    let clients: BTreeSet<String> = log().lines().map(client_of_line).collect();
    assert_eq!(clients, ["codex", "curl", "octokit-core.js", "triage", "unknown"].map(str::to_owned).into());
    let cache = cache(&daemon);
    let told = [
        daemon.stderr(),
        log(),
        metrics(&daemon).await,
        command("stats", &["--json"], &cache),
        command("monitor", &["--once"], &cache),
        command("top", &[], &cache),
        command("top", &["--json"], &cache),
        command("top", &["--by", "route"], &cache),
        command("top", &["--by", "payer", "--json"], &cache),
    ];
    for text in &told {
        assert!(text.len() > 100, "{text}");
        for token in TOKENS {
            assert!(!text.contains(token), "{token} is in {text}");
        }
    }
}
