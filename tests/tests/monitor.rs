//! `fleet-cache monitor` beside a running daemon.

use cache_tests::{daemon::Setup, origin::ModelOrigin};
use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_fleet-cache-under-test");

fn monitor(cache: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("monitor").args(arguments).arg("--cache-dir").arg(cache);
    command.env_clear().stdin(Stdio::null()).output().expect("the program can be run")
}

fn written(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("the output is text")
}

#[tokio::test]
async fn the_monitor_shows_the_counts_of_the_daemon_that_runs() {
    let origin = ModelOrigin::start();
    let daemon = Setup::new(PROGRAM, &origin.url()).start();
    for _miss_then_hits in 0..4 {
        let reply = daemon.client().get("/repos/acme/widget-1").token("ghp_alice").send().await;
        assert_eq!(reply.expect("the door answers").status, 200);
    }
    let cache = daemon.directory().join("cache");
    let page = written(&monitor(&cache, &["--once"]));
    for line in [
        format!("fleet-cache {}, pid {}, up ", env!("CARGO_PKG_VERSION"), daemon.pid()),
        "  requests         4\n".to_owned(),
        "  local hits       3\n".to_owned(),
        "  misses           1\n".to_owned(),
        "  hit rate         75.0 %\n".to_owned(),
        "  API reduction    75.0 %\n".to_owned(),
        "  time saved       0.6 s, at 0.2 s a call\n".to_owned(),
        "\nP2P NETWORKING\n  enabled          no\n".to_owned(),
        "  impact           nothing is shared".to_owned(),
    ] {
        assert!(page.contains(&line), "{line:?} is missing in {page}");
    }
    let line = written(&monitor(&cache, &["--once", "--json"]));
    assert_eq!(line.lines().count(), 1, "{line}");
    let reading: serde_json::Value = serde_json::from_str(&line).expect("the line is JSON");
    assert_eq!(reading["cache"]["requests"], 4);
    assert_eq!(reading["performance"]["calls_saved"], 3);
    assert_eq!(reading["daemon"]["pid"], daemon.pid());
}

#[test]
fn without_a_daemon_the_monitor_says_so_and_fails() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let output = monitor(directory.path(), &["--once"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("no fleet-cache is running"), "{words}");
}

#[test]
fn a_monitor_that_repeats_counts_its_updates_and_ends_with_the_daemon() {
    use std::io::{BufRead as _, BufReader};
    let origin = ModelOrigin::start();
    let mut daemon = Setup::new(PROGRAM, &origin.url()).start();
    let mut monitor = Command::new(PROGRAM)
        .args(["monitor", "--json", "--interval", "1", "--cache-dir"])
        .arg(daemon.directory().join("cache"))
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program can be run");
    let mut lines = BufReader::new(monitor.stdout.take().expect("it was asked to be piped")).lines();
    for update in 1..=2 {
        let line = lines.next().expect("there is another update").expect("it is text");
        let reading: serde_json::Value = serde_json::from_str(&line).expect("the line is JSON");
        assert_eq!(reading["update"], update);
    }
    daemon.kill();
    assert!(lines.all(|line| line.is_ok()), "the output ends in order");
    let status = monitor.wait().expect("a child can be waited for");
    assert_eq!(status.code(), Some(3));
}
