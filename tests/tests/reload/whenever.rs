//! SIGHUP when a daemon is not ready for it.

use crate::support::{Configured, REPOSITORY, SOON};
use cache_tests::{eventually, eventually_blocking, origin::ModelOrigin};
use std::{
    fs::OpenOptions,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

/// The start is held up where the daemon reads its settings, by a file that is a pipe.
#[test]
fn a_hangup_while_the_daemon_starts_does_not_end_it() {
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let pipe = home.path().join("token");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo can be run").success());
    let mut child = Command::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"))
        .args(["serve", "--no-p2p", "--listen", "127.0.0.1:0", "--origin", "http://127.0.0.1:1"])
        .arg("--cache-dir")
        .arg(home.path().join("cache"))
        .arg("--client-token-file")
        .arg(&pipe)
        .env_clear()
        .env("HOME", home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program can be run");
    // Opens as soon as the daemon has opened the other end.
    let mut writer = OpenOptions::new().write(true).open(&pipe).expect("the daemon reads");
    let signal = |name: &str, pid: u32| {
        let sent = Command::new("kill").args([name, &pid.to_string()]).status();
        assert!(sent.expect("kill can be run").success());
    };
    signal("-HUP", child.id());
    writer.write_all(b"sesame\n").expect("the daemon is there");
    drop(writer);
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let first = lines.next().expect("it goes on").expect("it is text");
    assert!(first.starts_with("listening on"), "{first}");

    // It now reads the settings again, and waits for the pipe: neither another SIGHUP nor the end waits with it.
    signal("-HUP", child.id());
    signal("-TERM", child.id());
    let mut status = None;
    eventually_blocking(SOON, || {
        status = child.try_wait().expect("a child can be waited for");
        status.is_some()
    });
    if status.is_none() {
        child.kill().expect("it runs");
    }
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
}

#[tokio::test]
async fn a_hangup_while_the_daemon_drains_does_not_end_it() {
    let origin = ModelOrigin::start();
    let mut host = Configured::start(&origin, "drain = 60");
    origin.hold(REPOSITORY);
    let reading = tokio::spawn(host.get().send());
    origin.wait_in_flight(1).await;
    host.daemon.ask_to_end();
    let stopping =
        eventually(SOON, || host.daemon.stderr().contains("stopping: requests in progress may end"));
    assert!(stopping.await, "{}", host.daemon.stderr());
    for _ in 0..3 {
        host.daemon.signal("-HUP");
    }
    origin.release();
    let reply = reading.await.expect("no panic").expect("the request in progress ends");
    assert_eq!(reply.status, 200);
    let status = host.daemon.wait(SOON);
    assert!(status.success(), "{status}: {}", host.daemon.stderr());
}
