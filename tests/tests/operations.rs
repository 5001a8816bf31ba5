//! What operators of the daemon see of it: health, readiness, counts, word to the service manager.

use cache_tests::{
    daemon::{Daemon, Setup},
    eventually,
    http::{Client, Reply},
    origin::ModelOrigin,
};
use std::{os::unix::net::UnixDatagram, time::Duration};

const REPOSITORY: &str = "/repos/acme/widget-1";
const TOKEN: &str = "ghp_alice";
/// Longest wait for another process on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn setup(origin: &ModelOrigin) -> Setup {
    Setup::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"), &origin.url())
        .arg("--metrics-listen")
        .arg("127.0.0.1:0")
}

/// A client of the operations address, which the admin socket knows.
async fn operations(daemon: &Daemon) -> Client {
    let admin = Client::unix(&daemon.directory().join("cache/admin.sock"));
    let stats = admin.get("/stats").send().await.expect("the admin socket answers").json();
    let url = stats["operations"].as_str().expect("the daemon has an operations address").to_owned();
    let address = url.strip_prefix("http://").expect("it is an address of HTTP");
    Client::tcp(address.parse().expect("it is an IP address and a port"))
}

async fn got(client: &Client, path: &str) -> Reply {
    client.get(path).send().await.expect("the address answers")
}

async fn open_metrics(client: &Client) -> Reply {
    let request = client.get("/metrics").header("accept", "application/openmetrics-text;version=1.0.0");
    request.send().await.expect("the address answers")
}

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).expect("the answer is text")
}

#[tokio::test]
async fn a_daemon_tells_that_it_is_alive_and_ready_and_what_it_counted() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let operations = operations(&daemon).await;
    for _miss_then_hit in 0..2 {
        let reply = daemon.client().get(REPOSITORY).token(TOKEN).send().await.expect("the door answers");
        assert_eq!(reply.status, 200);
    }
    assert_eq!(got(&operations, "/healthz").await.status, 200);
    assert_eq!(got(&operations, "/readyz").await.status, 200);
    let plain = got(&operations, "/metrics").await;
    assert_eq!(plain.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "# TYPE fleet_cache_hits_total counter",
        "# TYPE fleet_cache_build_info gauge",
        "fleet_cache_hits_total 1",
    ] {
        assert!(text(&plain).lines().any(|found| found == line), "{line} is missing in {}", text(&plain));
    }
    assert!(!text(&plain).contains("# UNIT") && !text(&plain).contains("# EOF"));
    let reply = open_metrics(&operations).await;
    assert_eq!(reply.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let metrics = text(&reply);
    for line in [
        "fleet_cache_hits_total 1",
        "fleet_cache_misses_total 1",
        "fleet_cache_api_calls_made_total 1",
        "fleet_cache_api_calls_saved_total 1",
        "fleet_cache_entries 1",
        "fleet_cache_entries_max 1000",
        "# UNIT fleet_cache_memory_bytes bytes",
        "# TYPE fleet_cache_build info",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in {metrics}");
    }
    let quota = metrics.lines().find(|line| line.starts_with("fleet_cache_quota_remaining{domain="));
    assert!(quota.is_some_and(|line| line.contains("resource=\"core\"")), "{metrics}");
    assert!(!metrics.contains(TOKEN) && !metrics.contains("widget"));
}

/// By the rules of the format: a family is described before its samples, once; nothing follows the end.
#[tokio::test]
async fn every_sample_belongs_to_the_family_described_before_it() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let reply = open_metrics(&operations(&daemon).await).await;
    let mut described = Vec::new();
    let (body, rest) = text(&reply).split_once("# EOF\n").expect("the text has an end");
    assert!(rest.is_empty());
    for line in body.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match *words.as_slice() {
            ["#", "TYPE", family, kind] => {
                assert!(!described.iter().any(|(known, _kind)| *known == family), "{family} comes twice");
                described.push((family, kind));
            }
            ["#", "HELP" | "UNIT", ..] => {}
            [..] => {
                let name = line.split(['{', ' ']).next().expect("a split has a first part");
                let (family, kind) = *described.last().expect("a description comes first");
                let suffix = match kind {
                    "counter" => "_total",
                    "info" => "_info",
                    _gauge => "",
                };
                assert_eq!(name, format!("{family}{suffix}"));
                assert!(name.starts_with("fleet_cache_"), "{name}");
                let value = words.last().expect("a sample has a value");
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
    }
    assert!(described.len() > 20, "{described:?}");
}

#[tokio::test]
async fn a_daemon_that_drains_is_alive_but_not_ready() {
    let origin = ModelOrigin::start();
    let mut daemon = setup(&origin).start();
    let operations = operations(&daemon).await;
    origin.hold(REPOSITORY);
    let asking = tokio::spawn(daemon.client().get(REPOSITORY).token(TOKEN).send());
    assert!(eventually(PATIENCE, || origin.calls_to(REPOSITORY) == 1).await);
    daemon.ask_to_end();
    let not_ready = async {
        loop {
            let told = got(&operations, "/readyz").await;
            if told.status != 200 {
                return told;
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, not_ready).await.expect("the daemon notices the signal");
    assert_eq!(told.status, 503);
    assert!(text(&told).starts_with("draining"), "{}", text(&told));
    assert_eq!(got(&operations, "/healthz").await.status, 200);
    assert_eq!(got(&operations, "/metrics").await.status, 200);
    origin.release();
    let reply = asking.await.expect("the task ends").expect("the request in progress is answered");
    assert_eq!(reply.status, 200);
    assert!(daemon.wait(PATIENCE).success(), "{}", daemon.stderr());
}

/// The next words to the service manager that contain a line which begins so.
fn told(supervisor: &UnixDatagram, line: &str) -> String {
    let mut buffer = [0; 4096];
    loop {
        let length = supervisor.recv(&mut buffer).expect("the daemon goes on telling");
        let words = String::from_utf8_lossy(&buffer[..length]);
        if words.lines().any(|found| found.starts_with(line)) {
            return words.into_owned();
        }
    }
}

#[test]
fn the_supervisor_hears_of_readiness_of_life_and_of_the_end() {
    let origin = ModelOrigin::start();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).expect("the directory takes a socket");
    supervisor.set_read_timeout(Some(PATIENCE)).expect("the time is not zero");
    let mut daemon = setup(&origin).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000").start();
    told(&supervisor, "READY=1");
    for _beat in 0..3 {
        let words = told(&supervisor, "WATCHDOG=1");
        assert!(words.contains("STATUS=0 entries"), "{words}");
    }
    daemon.ask_to_end();
    told(&supervisor, "STOPPING=1");
    assert!(daemon.wait(PATIENCE).success(), "{}", daemon.stderr());
}
