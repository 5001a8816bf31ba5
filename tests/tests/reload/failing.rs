//! Settings that do not fit, and those that take a restart.

use crate::support::{Configured, REPOSITORY, SOON, setup};
use cache_tests::{eventually, origin::ModelOrigin};
use std::process::Command;

const STAY: &str = "SIGHUP: the settings do not fit, so those in force stay";

#[tokio::test]
async fn settings_that_do_not_fit_change_nothing_and_are_named_with_their_source() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "default-ttl = 300");
    host.status().await;
    let table: [(&str, &[&str]); 9] = [
        ("log = \"loud\"", &["loud", "line 2", "error, warn, info"]),
        ("route = [\"/x\"]", &["/x", "line 2", "it has no `=`"]),
        ("domain = [\"ci=ghp_0123456789012345678901234567890123456789\"]", &["domain", "line 2"]),
        ("max-stale = \"soon\"", &["soon", "line 2"]),
        ("lisen = 1", &["lisen", "line 2"]),
        ("metrics-listen = \"0.0.0.0:0\"", &["metrics-listen", "--allow-remote"]),
        ("forward-header = [\"Host\"]", &["Host", "line 2"]),
        ("log = \"loud\"\nlog-format = \"xml\"", &["loud", "line 2", "xml", "line 3"]),
        ("log = ", &["config.toml line 2"]),
    ];
    for (bad, words) in table {
        // The good change beside the bad one is not taken over either.
        host.reload(&format!("default-ttl = 0\n{bad}"), STAY).await;
        let stderr = host.daemon.stderr();
        let line = stderr.lines().rfind(|line| line.contains(STAY)).expect("it was waited for");
        assert!(line.contains("ERROR") && !line.contains("ghp_0123456789"), "{line}");
        for word in words {
            assert!(line.contains(word), "{word:?} is missing in {line}");
        }
        assert!(host.status().await.contains("hit"), "{bad}");
    }
    host.remove_file();
    host.hang_up(STAY).await;
    assert!(host.status().await.contains("hit"));
    assert_eq!(origin.calls_total(), 1);
    // Once they fit again all is well.
    host.change("default-ttl = 0").await;
    assert!(host.status().await.contains("fwd="));
}

#[tokio::test]
async fn what_takes_a_restart_is_named_each_time_until_it_is_as_it_was() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "drain = 10");
    host.hang_up("SIGHUP: no setting has changed").await;

    let words = "SIGHUP: changed, but needs a restart: max-entries, drain";
    host.reload("drain = 11\nmax-entries = 11\ndefault-ttl = 7", words).await;
    host.hang_up(words).await;
    let shown = config(&host);
    assert_eq!(shown["needs_restart"], serde_json::json!(["max-entries", "drain"]));
    let lines = shown["settings"].as_array().expect("it is a list");
    let values =
        |name: &str| lines.iter().find(|line| line["name"] == name).expect("it is there")["values"].clone();
    assert_eq!(values("max-entries"), serde_json::json!(["1000"]), "what is in force is shown");
    assert_eq!(values("default-ttl"), serde_json::json!(["7"]));

    host.reload("drain = 10\ndefault-ttl = 7", "SIGHUP: no setting has changed").await;
    assert_eq!(config(&host)["needs_restart"], serde_json::json!([]));
}

#[tokio::test]
async fn a_door_keeps_its_token_as_long_as_it_keeps_its_address() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "client-token = \"sesame and more of it\"");
    // A door that other machines reach must not lose its token because it is to be closed to them at the next start.
    let words = "SIGHUP: changed, but needs a restart: allow-remote, client-token";
    host.reload("allow-remote = true", words).await;
    let reply = host.daemon.client().get(REPOSITORY).send().await.expect("the door answers");
    assert_eq!(reply.status, 407);
}

#[tokio::test]
async fn nobody_who_reads_notices_that_settings_change() {
    let origin = ModelOrigin::start();
    let host = Configured::start(&origin, "");
    let client = host.daemon.unix_client();
    let (end, ended) = tokio::sync::watch::channel(false);
    let readers: Vec<_> = (0..6)
        .map(|number| {
            let (client, ended) = (client.clone(), ended.clone());
            tokio::spawn(async move {
                let mut connection = client.connect().await.expect("the door is open");
                let mut reads = 0_u32;
                while !*ended.borrow() {
                    let path = if reads.is_multiple_of(3) { "/repos/acme/widget-2" } else { REPOSITORY };
                    let token = if number % 2 == 0 { "ghs_acme1" } else { "ghs_x" };
                    let reply =
                        connection.send(client.get(path).token(token)).await.expect("an answer comes");
                    assert_eq!(reply.status, 200, "{:?}", reply.body);
                    reads += 1;
                }
                reads
            })
        })
        .collect();
    for round in 0..10 {
        let text = match round % 3 {
            0 => "domain = [\"ci=ghs_*\"]\ndefault-ttl = 0",
            1 => "route = [\"/repos/** = never\"]\nforward-header = [\"X-Shard\"]",
            _last => "stale-while-revalidate = 60\ndefault-ttl = 1",
        };
        host.change(text).await;
        host.reload("route = [\"/x\"]", STAY).await;
    }
    end.send_replace(true);
    for reader in readers {
        assert!(reader.await.expect("no read failed") > 0);
    }
}

#[tokio::test]
async fn whoever_supervises_is_told_when_a_reload_begins_and_ends() {
    let origin = ModelOrigin::start();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("notify.sock");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket can be made");
    socket.set_nonblocking(true).expect("it can be told not to wait");
    let host = Configured::start_with(setup(&origin).env("NOTIFY_SOCKET", &path), "");
    host.reload("default-ttl = 7", "SIGHUP: new settings are in force").await;
    let mut told = Vec::new();
    let mut buffer = [0; 4096];
    let heard = eventually(SOON, || {
        while let Ok(length) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            told.extend(
                text.lines()
                    .map(str::to_owned)
                    .filter(|line| !line.starts_with("STATUS") && line != "WATCHDOG=1"),
            );
        }
        told.iter().filter(|line| *line == "READY=1").count() == 2
    });
    assert!(heard.await, "{told:?}");
    let words: Vec<_> = told.iter().map(|line| line.split('=').next().unwrap_or_default()).collect();
    assert_eq!(words, ["READY", "RELOADING", "MONOTONIC_USEC", "READY"]);
}

fn config(host: &Configured) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"));
    command.args(["config", "--json", "--cache-dir"]).arg(host.daemon.directory().join("cache"));
    let output = command.output().expect("the program can be run");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}
