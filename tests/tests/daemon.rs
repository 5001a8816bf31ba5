//! The daemon as a process: doors open, hits after a restart, an orderly end.

use cache_tests::{
    daemon::Setup,
    eventually,
    http::Client,
    origin::{Fault, FaultKind, ModelOrigin},
    until,
};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::Command,
    time::Duration,
};
use tempfile::NamedTempFile;

const REPOSITORY: &str = "/repos/acme/widget-1";

fn setup(origin: &ModelOrigin) -> Setup {
    Setup::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"), &origin.url())
}

async fn body(client: &Client) -> bytes::Bytes {
    let reply = client.get(REPOSITORY).token("ghp_alice").send().await.expect("the door answers");
    assert_eq!(reply.status, 200);
    reply.body
}

/// A file with `token`, with permission bits `mode`.
fn token_file(token: &str, mode: u32) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a temporary file can be made");
    fs::write(file.path(), token).expect("a file can be written");
    fs::set_permissions(file.path(), Permissions::from_mode(mode)).expect("it is ours");
    file
}

#[tokio::test]
async fn a_credential_for_clients_without_one_that_reads_what_is_private_keeps_the_daemon_from_starting() {
    let origin = ModelOrigin::start();
    for (token, fault) in [
        ("ghp_alice", "it has the scopes"),
        ("ghs_x", "of an installation"),
        ("ghp_revoked", "does not know it"),
    ] {
        let (file, home) = (token_file(token, 0o600), tempfile::tempdir().unwrap());
        let ended = Command::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"))
            .args(["serve", "--no-p2p", "--listen", "127.0.0.1:0", "--origin", &origin.url()])
            .arg("--anonymous-as")
            .arg(file.path())
            .env_clear()
            .env("HOME", home.path())
            .output();
        let ended = ended.expect("the program can be run");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(
            said.contains(fault) && said.contains("--anonymous-as") && said.contains("without scopes"),
            "{said}"
        );
        assert!(!said.contains(token), "{said}");
    }
}

#[tokio::test]
async fn an_api_that_is_down_keeps_no_daemon_from_starting_and_its_credential_is_examined_later() {
    let origin = ModelOrigin::start();
    origin.fault(Fault::always(FaultKind::Status(502)));
    let file = token_file("ghp_reader", 0o644);
    let daemon = setup(&origin).arg("--anonymous-as").arg(file.path()).start();
    for words in
        ["holds a credential for the API and has mode 0644", "has not shown what its credential reads"]
    {
        until(words, async || daemon.stderr().contains(words)).await;
    }
    origin.clear_faults();
    let asker = async || {
        origin.reset_calls();
        let got = daemon.unix_client().get(REPOSITORY).header("cache-control", "no-cache").send().await;
        got.expect("the door answers");
        origin.latest_calls().pop().map(|call| call.token)
    };
    until("the credential asks for clients that send none", async || {
        asker().await.as_deref() == Some("ghp_reader")
    })
    .await;
    assert!(!daemon.stderr().contains("ghp_"), "{}", daemon.stderr());
}

#[tokio::test]
async fn both_doors_answer_from_one_call() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let over_socket = body(&daemon.unix_client()).await;
    let over_tcp = body(&daemon.client().named("api.github.com")).await;
    assert_eq!(over_socket, over_tcp);
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn a_daemon_that_is_asked_to_end_does_so_with_success_and_is_back_with_its_entries() {
    let origin = ModelOrigin::start();
    let mut daemon = setup(&origin).start();
    let before = body(&daemon.unix_client()).await;
    let status = daemon.terminate(Duration::from_secs(20));
    assert!(status.success(), "{status}: {}", daemon.stderr());
    let daemon = daemon.restart();
    assert_eq!(body(&daemon.unix_client()).await, before);
    assert_eq!(origin.calls_total(), 1, "{}", daemon.stderr());
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_no_answer() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).arg("--log").arg("trace").start();
    let client = daemon.unix_client();
    let unread = daemon.hold_stderr();
    for number in 0..LINES_OF_A_PIPE {
        let path = format!("/repos/acme/widget-{}", number % 1000);
        let reply = tokio::time::timeout(PATIENCE, client.get(&path).token("ghp_alice").send()).await;
        assert_eq!(reply.expect("nothing hangs").expect("the door answers").status, 200);
    }
    drop(unread);
    let told = eventually(Duration::from_secs(20), || daemon.stderr().len() > PIPE_BYTES).await;
    assert!(told, "the log was too short to fill a pipe");
}

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a pipe holds unread on Linux.
const PIPE_BYTES: usize = 64 * 1024;
/// Requests that are logged in more than that.
const LINES_OF_A_PIPE: usize = 300;

#[tokio::test]
async fn a_daemon_that_is_killed_starts_again() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let before = body(&daemon.unix_client()).await;
    let daemon = daemon.restart();
    assert_eq!(body(&daemon.unix_client()).await, before);
}

/// Runs `serve` with `arguments` to its end, which must come by itself. Returns how it ended and what it printed.
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"));
    command.arg("serve").args(arguments).env_clear().env("HOME", home.path());
    let output = command.envs(environment.iter().copied()).output().expect("the program can be run");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_second_daemon_on_one_directory_is_refused_with_the_pid_of_the_first() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let directory = daemon.directory().join("cache");
    let (code, words) =
        refused(&["--listen", "127.0.0.1:0", "--cache-dir", directory.to_str().expect("it is text")], &[]);
    assert_eq!(code, Some(4), "{words}");
    assert!(words.contains(&daemon.pid().to_string()), "{words}");
    assert_eq!(body(&daemon.unix_client()).await, body(&daemon.unix_client()).await);
}

#[tokio::test]
async fn a_second_daemon_on_one_port_is_refused_with_the_port() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let (code, words) = refused(&["--listen", &daemon.address().to_string()], &[]);
    assert_eq!(code, Some(4), "{words}");
    assert!(words.contains(&daemon.address().port().to_string()), "{words}");
}

/// Arguments, a variable and its value; how the daemon ends, and what it says is to be done.
type Place<'a> = (&'a [&'a str], (&'a str, &'a str), Option<i32>, &'a str);

#[test]
fn a_place_that_cannot_be_opened_is_named_with_its_setting_and_where_that_came_from() {
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let file = home.path().join("file");
    fs::write(&file, "no socket").expect("it is writable");
    let (file, own) = (file.to_str().expect("it is text"), home.path().join("admin.sock"));
    let own = own.to_str().expect("it is text");
    let listening = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = listening.local_addr().expect("it listens").to_string();
    let table: [Place<'_>; 8] = [
        (&[], ("CACHE_UNIX", "/nowhere/s"), Some(2), "may write"),
        (&[], ("CACHE_UNIX", file), Some(2), "is not a socket; remove it"),
        (
            &["--cache-dir", home.path().to_str().expect("it is text")],
            ("CACHE_UNIX", own),
            Some(2),
            "another --unix",
        ),
        (&[], ("CACHE_UNIX", &"/x".repeat(80)), Some(2), "give a shorter one"),
        (&[], ("CACHE_DIR", file), Some(2), "may write"),
        (&[], ("CACHE_METRICS_LISTEN", &taken), Some(4), "another --metrics-listen"),
        (&[], ("CACHE_DASHBOARD", &taken), Some(4), "another --dashboard"),
        (
            &["--allow-remote"],
            ("CACHE_METRICS_LISTEN", "192.0.2.1:80"),
            Some(2),
            "an address of this machine",
        ),
    ];
    for (arguments, (variable, value), ended, remedy) in table {
        let arguments = [&["--no-p2p", "--listen", "127.0.0.1:0"], arguments].concat();
        let (code, words) = refused(&arguments, &[(variable, value)]);
        assert_eq!(code, ended, "{variable} {value}: {words}");
        for part in [value, remedy, &format!("(environment {variable})")] {
            assert!(words.contains(part), "{variable} {value}: {words}");
        }
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_name_and_a_remedy() {
    let table = [
        (["--default-ttl", "soon"], "soon"),
        (["--listen", "0.0.0.0:0"], "--allow-remote"),
        (["--origin", "ftp://example.com"], "ftp://example.com"),
        (["--route", "/x"], "/x"),
    ];
    for (arguments, named) in table {
        let (code, words) = refused(&arguments, &[]);
        assert_eq!(code, Some(2), "{arguments:?}: {words}");
        assert!(words.contains(named), "{arguments:?}: {words}");
    }
    let (code, words) = refused(&[], &[("SSLKEYLOGFILE", "/nowhere")]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("SSLKEYLOGFILE"), "{words}");
}
