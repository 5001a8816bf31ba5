//! The commands around interception: `run`, `env` and `ca`, as a person at a shell uses them.

use crate::proxy::{authority, intercepting};
use crate::support::{PATIENCE, setup};
use cache_tests::{daemon::Daemon, eventually_blocking, origin::ModelOrigin};
use serde_json::Value;
use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    process::{Command, Output, Stdio},
};

fn command(daemon: &Daemon, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"));
    let (name, rest) = arguments.split_first().expect("a command has a name");
    command.arg(name);
    if *name == "ca" {
        command.arg(rest[0]);
    }
    command.arg("--cache-dir").arg(daemon.directory().join("cache"));
    command.args(&rest[usize::from(*name == "ca")..]);
    command
        .env_clear()
        .env("HOME", daemon.directory())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn output(daemon: &Daemon, arguments: &[&str]) -> Output {
    command(daemon, arguments).output().expect("the program under test can be run")
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_program_runs_with_the_proxy_and_the_certificates_set() {
    let (_origin, daemon) = intercepting(&[]);
    let shown =
        output(&daemon, &["run", "--", "sh", "-c", "echo $HTTPS_PROXY $https_proxy; cat $SSL_CERT_FILE"]);
    let text = printed(&shown);
    let door = format!("http://{}", daemon.address());
    assert!(text.starts_with(&format!("{door} {door}\n")), "{text}");
    assert!(text.contains(&authority(&daemon)), "the bundle has the daemon's own certificate");
    let own = output(&daemon, &["run", "--", "sh", "-c", "cat $NODE_EXTRA_CA_CERTS"]);
    assert_eq!(printed(&own), authority(&daemon));
}

#[test]
fn the_exit_code_and_the_signal_of_a_program_are_those_of_run() {
    let (_origin, daemon) = intercepting(&[]);
    assert_eq!(output(&daemon, &["run", "--", "sh", "-c", "exit 42"]).status.code(), Some(42));
    assert_eq!(output(&daemon, &["run", "--", "sh", "-c", "kill -TERM $$"]).status.signal(), Some(15));
    assert_eq!(output(&daemon, &["run", "--", "no-such-program"]).status.code(), Some(127));
    let folder = daemon.directory().to_str().unwrap();
    assert_eq!(output(&daemon, &["run", "--", folder]).status.code(), Some(126));
    let mut sleeping = command(&daemon, &["run", "--", "sleep", "600"]).stdin(Stdio::null()).spawn().unwrap();
    let is_asleep =
        || fs::read_to_string(format!("/proc/{}/comm", sleeping.id())).unwrap_or_default() == "sleep\n";
    eventually_blocking(PATIENCE, is_asleep);
    let sent = Command::new("kill").args(["-INT", &sleeping.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(sleeping.wait().unwrap().signal(), Some(2));
}

#[test]
fn arguments_of_the_program_are_left_as_they_are() {
    let (_origin, daemon) = intercepting(&[]);
    let shown = output(&daemon, &["run", "--", "printf", "%s|", "--config", "-1", "--help", "--", "-h"]);
    assert_eq!(printed(&shown), "--config|-1|--help|--|-h|");
}

#[test]
fn a_client_token_goes_to_the_proxy_and_into_no_message() {
    let token = "sesame-sesame-sesame-sesame-sesame";
    let (_origin, daemon) = intercepting(&["--client-token", token]);
    let with = output(
        &daemon,
        &["run", "--client-token", token, "--", "sh", "-c", "echo $HTTPS_PROXY $GITHUB_API_URL"],
    );
    assert_eq!(printed(&with), format!("http://fleet:{token}@{}\n", daemon.address()));
}

#[test]
fn a_shell_takes_what_env_prints() {
    let (_origin, daemon) = intercepting(&[]);
    let program = env!("CARGO_BIN_EXE_fleet-cache-under-test");
    let script = format!(
        "eval \"$({program} env --cache-dir {}/cache)\"; echo $HTTPS_PROXY",
        daemon.directory().display()
    );
    let shown = Command::new("sh").args(["-c", &script]).env("HOME", daemon.directory()).output().unwrap();
    assert_eq!(printed(&shown), format!("http://{}\n", daemon.address()));
    let github = printed(&output(&daemon, &["env", "--shell", "github"]));
    assert!(github.contains(&format!("HTTPS_PROXY=http://{}\n", daemon.address())), "{github}");
    let json: Value = serde_json::from_str(&printed(&output(&daemon, &["env", "--json"]))).unwrap();
    assert_eq!(json["HTTPS_PROXY"], format!("http://{}", daemon.address()));
    assert_eq!(json.as_object().unwrap().len(), github.lines().count());
}

#[test]
fn without_a_daemon_that_intercepts_the_remedy_is_said() {
    let origin = ModelOrigin::start();
    let mut daemon = setup(&origin).start();
    let refused = output(&daemon, &["run", "--", "true"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("fleet-cache serve --intercept"));
    daemon.kill();
    for arguments in [&["run", "--", "true"][..], &["env"]] {
        let refused = output(&daemon, arguments);
        assert_eq!(refused.status.code(), Some(3), "{arguments:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("fleet-cache serve"));
    }
}

#[test]
fn the_authority_is_shown_renewed_and_removed_but_not_under_a_daemon() {
    let (_origin, mut daemon) = intercepting(&[]);
    let shown: Value = serde_json::from_str(&printed(&output(&daemon, &["ca", "show", "--json"]))).unwrap();
    assert_eq!(shown["hosts"], serde_json::json!(["127.0.0.1", "api.github.com"]));
    let path = printed(&output(&daemon, &["ca", "path"]));
    assert_eq!(fs::read_to_string(path.trim_end()).unwrap(), authority(&daemon));
    for order in ["renew", "remove"] {
        let refused = output(&daemon, &["ca", order]);
        assert_eq!(refused.status.code(), Some(4), "{order}");
    }
    daemon.kill();
    let before = authority(&daemon);
    let renewed = printed(&output(&daemon, &["ca", "renew"]));
    assert!(renewed.contains("127.0.0.1, api.github.com"), "{renewed}");
    assert_ne!(authority(&daemon), before);
    assert!(printed(&output(&daemon, &["ca", "remove"])).starts_with("removed"));
    assert_eq!(printed(&output(&daemon, &["ca", "remove"])), "there was none\n");
    let missing = output(&daemon, &["ca", "show"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("serve --intercept"));
}

#[test]
fn a_key_that_others_could_have_read_keeps_the_daemon_from_starting() {
    let (_origin, mut daemon) = intercepting(&[]);
    daemon.kill();
    let key = daemon.directory().join("cache/ca/key.pem");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let refused = output(&daemon, &["serve", "--intercept", "--listen", "127.0.0.1:0", "--no-p2p"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("key.pem") && said.contains("ca renew"), "{said}");
    assert!(printed(&output(&daemon, &["ca", "renew"])).contains("api.github.com"));
}
