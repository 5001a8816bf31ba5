//! How nodes are told of one another: addresses, identities, secrets, as users of the program meet them.

use cache_tests::{
    daemon::{Daemon, Setup},
    eventually_blocking,
    origin::ModelOrigin,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fleet-cache-under-test");
const PASSPHRASE: &str = "a secret of many words";
const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

/// A machine with nothing but a home.
struct Machine {
    home: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Machine {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().expect("a temporary directory can be made"),
            environment: Vec::new(),
        }
    }

    fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// A `gh` that does what `script` says.
    fn with_gh(self, script: &str) -> Self {
        let directory = self.home.path().join("bin");
        fs::create_dir(&directory).expect("a directory can be made");
        let program = directory.join("gh");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a file can be written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
        self.env("PATH", directory.to_str().expect("it is text"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env_clear().env("HOME", self.home.path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program can be run")
    }

    /// What `arguments` print, if they succeed.
    fn printed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
        String::from_utf8(output.stdout).expect("the program prints text")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.printed(arguments)).expect("the program prints JSON")
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn setup(origin: &ModelOrigin) -> Setup {
    Setup::new(PROGRAM, &origin.url()).with_peers()
}

/// What the running daemon answers to `command`.
fn told(daemon: &Daemon, command: &str) -> Value {
    let directory = daemon.directory().join("cache");
    let directory = directory.to_str().expect("it is text");
    Machine::new().json(&[command, "--json", "--cache-dir", directory])
}

#[test]
fn a_generated_secret_is_all_that_is_printed_and_is_recognised_again() {
    let machine = Machine::new();
    let secret = machine.printed(&["secret", "generate"]);
    assert_eq!(secret.lines().count(), 1);
    assert!(secret.starts_with("fleetcache1_"));
    assert_ne!(secret, machine.printed(&["secret", "generate"]));

    let from_variable = Machine::new().env("CACHE_P2P_SHARED_SECRET", secret.trim());
    let told = from_variable.json(&["secret", "fingerprint", "--json"]);
    assert_eq!(told["kind"], "generated");
    assert_eq!(told["source"], "environment CACHE_P2P_SHARED_SECRET");

    let file = machine.home.path().join("secret");
    fs::write(&file, &secret).expect("a file can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode can be set");
    let file = file.to_str().expect("it is text");
    let from_file = machine.json(&["secret", "fingerprint", "--json", "--shared-secret-file", file]);
    assert_eq!(from_file["fingerprint"], told["fingerprint"]);

    let mut child = machine
        .command(&["secret", "fingerprint", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be run");
    child.stdin.take().expect("it is piped").write_all(secret.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let from_input: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    assert_eq!(from_input["fingerprint"], told["fingerprint"]);
    assert_eq!(from_input["source"], "standard input");

    let made = machine.json(&["secret", "generate", "--json"]);
    let again = Machine::new().env("CACHE_P2P_SHARED_SECRET", made["secret"].as_str().expect("it is text"));
    assert_eq!(again.json(&["secret", "fingerprint", "--json"])["fingerprint"], made["fingerprint"]);
}

#[test]
fn a_secret_is_looked_for_in_the_documented_order() {
    let token = |letter: &str| format!("ghp_{}", letter.repeat(36));
    let told = |machine: &Machine| machine.json(&["secret", "fingerprint", "--json"])["source"].clone();
    let gh = || Machine::new().with_gh(&format!("echo {}", token("g")));
    assert_eq!(told(&gh()), "gh auth token");
    let variable = || gh().env("GITHUB_TOKEN", token("b"));
    assert_eq!(told(&variable()), "environment GITHUB_TOKEN");
    let stronger = || variable().env("GH_TOKEN", token("a"));
    assert_eq!(told(&stronger()), "environment GH_TOKEN");
    let explicit = stronger().env("CACHE_P2P_SHARED_SECRET", PASSPHRASE);
    assert_eq!(told(&explicit), "environment CACHE_P2P_SHARED_SECRET");
    let output = stronger().run(&["secret", "fingerprint"]);
    let words = errors(&output);
    assert!(words.contains("splits the fleet") && !words.contains(&token("a")), "{words}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains(&token("a")));
}

#[test]
fn without_any_secret_the_remedy_is_told() {
    for machine in [Machine::new(), Machine::new().with_gh("exit 1")] {
        let output = machine.run(&["secret", "fingerprint"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(errors(&output).contains("fleet-cache secret generate"), "{}", errors(&output));
    }
}

#[test]
fn settings_are_checked_without_a_daemon_and_every_fault_of_every_source_is_told_at_once() {
    let machine = Machine::new().env("CACHE_MAX_ENTRIES", "none").env("CACHE_DEFUALT_TTL", "3");
    let file = machine.home.path().join("config.toml");
    fs::write(&file, "lisen = \"none\"\ndrain = \"soon\"\n").expect("a file can be written");
    let file = file.to_str().expect("it is text");
    let output = machine.run(&["config", "--check", "--config", file, "--log", "loud"]);
    assert_eq!(output.status.code(), Some(2));
    for fault in ["lisen", "drain", "CACHE_MAX_ENTRIES", "\"loud\""] {
        assert!(errors(&output).contains(fault), "{fault} is missing in {}", errors(&output));
    }

    let good = Machine::new().env("CACHE_DEFUALT_TTL", "3");
    let printed = good.printed(&["config", "--check", "--max-entries", "7", "--no-p2p"]);
    assert!(printed.contains("the settings are good") && printed.contains("flag --max-entries"), "{printed}");
    assert!(printed.contains("did you mean CACHE_DEFAULT_TTL"), "{printed}");
    assert!(!good.home.path().join(".cache").exists(), "a check makes nothing");
    let told = good.json(&["config", "--check", "--json", "--no-p2p"]);
    assert_eq!(told["warnings"].as_array().map(Vec::len), Some(1), "{told}");
}

#[test]
fn a_daemon_that_would_be_its_own_origin_does_not_start_and_says_what_to_set() {
    // None that the system gives to outgoing connections.
    let machine = Machine::new().env("GITHUB_API_URL", "http://localhost:8499");
    for command in [&["serve"][..], &["config", "--check"]] {
        let listening = [command, &["--listen", "127.0.0.1:8499", "--no-p2p"]].concat();
        let output = machine.run(&listening);
        assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
        let words = errors(&output);
        assert!(words.contains("environment GITHUB_API_URL") && words.contains("--origin"), "{words}");
    }
}

#[test]
fn an_address_is_told_before_the_first_start_and_stays_the_same() {
    let machine = Machine::new();
    let first = machine.printed(&["id"]);
    assert_eq!(machine.printed(&["id"]), first);
    for line in first.lines() {
        assert!(line.starts_with("/ip") && line.contains("9100") && line.contains("/p2p/12D3Koo"), "{line}");
        assert!(
            !line.contains("0.0.0.0") && !line.contains("/169.254.") && !line.contains("/fe80:"),
            "{line}"
        );
    }
    assert!(first.contains("/tcp/9100/p2p/") && first.contains("/udp/9100/quic-v1/p2p/"), "{first}");
    let key = machine.home.path().join(".cache/fleet-cache/identity.key");
    let mode = fs::metadata(&key).expect("the identity is kept").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let told = machine.json(&["id", "--json", "--transport", "quic", "--p2p-port", "7"]);
    let peer = told["peer_id"].as_str().expect("it is text");
    for address in told["addresses"].as_array().expect("it is a list") {
        let address = address.as_str().expect("it is text");
        assert!(address.ends_with(&format!("/udp/7/quic-v1/p2p/{peer}")), "{address}");
        assert!(first.contains(peer));
    }
    let listen = "/ip4/127.0.0.1/tcp/9";
    assert_eq!(machine.printed(&["id", "--p2p-listen", listen]), format!("{listen}/p2p/{peer}\n"));
    let refused = machine.run(&["id", "--p2p-port", "0"]);
    assert_eq!(refused.status.code(), Some(2));

    // What one node prints, another takes.
    let other = Machine::new();
    let output =
        other.run(&["serve", "--listen", "none", "--bootstrap", first.lines().next().expect("a line")]);
    assert!(errors(&output).contains("nowhere to listen"), "{}", errors(&output));
}

#[test]
fn programs_that_ask_for_a_new_identity_at_once_are_told_the_same() {
    let machine = Machine::new();
    let children: Vec<_> = (0..8)
        .map(|_| machine.command(&["id", "--json"]).stdout(Stdio::piped()).spawn().expect("it can be run"))
        .collect();
    let peers: BTreeSet<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().expect("it ends");
            let told: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
            told["peer_id"].as_str().expect("it is text").to_owned()
        })
        .collect();
    assert_eq!(peers.len(), 1, "{peers:?}");
}

#[test]
fn a_damaged_or_open_identity_is_refused_with_a_remedy() {
    let machine = Machine::new();
    machine.printed(&["id"]);
    let key = machine.home.path().join(".cache/fleet-cache/identity.key");
    let refusal = |machine: &Machine| {
        let output = machine.run(&["id"]);
        assert_eq!(output.status.code(), Some(1));
        errors(&output)
    };
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a mode can be set");
    assert!(refusal(&machine).contains("chmod 600"), "{}", refusal(&machine));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode can be set");
    fs::write(&key, b"garbage").expect("a file can be written");
    assert!(refusal(&machine).contains("remove it to begin with a new identity"), "{}", refusal(&machine));
}

#[test]
fn what_the_fleet_cannot_be_told_is_refused_before_anything_starts() {
    let contact = |address: &str| format!("{address}/p2p/{PEER}");
    let (number, port) = (contact("/ip4/256.256.256.256/tcp/1"), contact("/ip4/192.0.2.7/tcp/99999"));
    let table: [(&[&str], &[&str]); 10] = [
        (&["--bootstrap", "garbage"], &["\"garbage\"", "fleet-cache id"]),
        (&["--bootstrap", ""], &["bootstrap", "empty"]),
        (&["--bootstrap", "null"], &["\"null\""]),
        (&["--bootstrap", &number], &["256.256.256.256", "IPv4"]),
        (&["--bootstrap", &port], &["99999", "too large"]),
        (&["--bootstrap", "/ip4garbage/tcp//p2p/"], &["ip4garbage"]),
        (&["--p2p-listen", "/ip4/0.0.0.0/udp/9100"], &["/quic-v1"]),
        (&["--transport", "quic", "--p2p-listen", "/ip4/0.0.0.0/tcp/9100"], &["--transport libp2p"]),
        (&["--shared-secret", "too short"], &["9 bytes, the least is 15", "fleet-cache secret generate"]),
        (&["--accept-secret", "fleetcache1_cut-off"], &["cut off or altered"]),
    ];
    for (arguments, words) in table {
        let output = Machine::new().run(&[&["serve"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", errors(&output));
        for word in words {
            assert!(errors(&output).contains(word), "{arguments:?}: {}", errors(&output));
        }
        assert!(!errors(&output).contains("too short"), "{}", errors(&output));
    }
    let output = Machine::new().env("SSLKEYLOGFILE", "/nowhere").run(&["serve"]);
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
}

#[test]
fn a_daemon_without_a_secret_says_loudly_that_it_keeps_to_itself() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let said = eventually_blocking(Duration::from_secs(5), || daemon.stderr().contains("keeps to itself"));
    assert!(said && daemon.stderr().contains("fleet-cache secret generate"), "{}", daemon.stderr());
    let stats = told(&daemon, "stats");
    assert!(stats["warnings"][0].as_str().is_some_and(|text| text.contains("keeps to itself")), "{stats}");
    assert_eq!(told(&daemon, "config")["fleet_secret"], Value::Null);
}

#[test]
fn a_daemon_tells_which_variable_won_and_what_its_secret_is_recognised_by() {
    let origin = ModelOrigin::start();
    let contact = |address: &str| format!("{address}/p2p/{PEER}");
    let daemon = setup(&origin)
        .env("CACHE_LISTEN_PORT", "0")
        .env("P2P_LISTEN_PORT", "9000")
        .env("P2P_BOOTSTRAP_PEERS", contact("/ip4/192.0.2.1/tcp/1"))
        .env("CACHE_P2P_SHARED_SECRET", PASSPHRASE)
        .env("CACHE_P2P_ACCEPTED_SECRETS", "another secret of words,and another one of words")
        .start();
    let (stats, config) = (told(&daemon, "stats"), told(&daemon, "config"));
    assert_eq!(stats["fleet"]["listen_source"], "environment CACHE_LISTEN_PORT");
    assert_eq!(stats["fleet"]["secret_source"], "environment CACHE_P2P_SHARED_SECRET");
    assert_eq!(stats["fleet"]["accepted_secrets"], 2);
    assert!(stats["warnings"][0].as_str().is_some_and(|text| text.contains("P2P_LISTEN_PORT")), "{stats}");

    let machine = Machine::new().env("CACHE_P2P_SHARED_SECRET", PASSPHRASE);
    let expected = machine.json(&["secret", "fingerprint", "--json"]);
    assert_eq!(config["fleet_secret"], expected);
    let line = |name: &str| {
        let lines = config["settings"].as_array().expect("it is a list");
        lines.iter().find(|line| line["name"] == name).expect("the setting is there").clone()
    };
    assert_eq!(line("p2p-port")["source"], "environment CACHE_LISTEN_PORT");
    assert_eq!(line("bootstrap")["source"], "environment P2P_BOOTSTRAP_PEERS");
    for shown in [stats.to_string(), config.to_string(), daemon.stderr()] {
        assert!(!shown.contains(PASSPHRASE) && !shown.contains("another secret"), "{shown}");
    }
}

#[test]
fn a_token_that_is_rotated_leaves_the_entries_on_disk_readable() {
    let origin = ModelOrigin::start();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().to_str().expect("it is text");
    let run = |letter: &str| {
        setup(&origin)
            .arg("--cache-dir")
            .arg(path)
            .env("GH_TOKEN", format!("ghs_{}", letter.repeat(36)))
            .start()
    };
    let read = |daemon: &Daemon| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
        let reply = runtime.block_on(daemon.client().get("/repos/acme/widget-1").send());
        assert_eq!(reply.expect("the door answers").status, 200);
    };
    let mut daemon = run("a");
    read(&daemon);
    assert!(daemon.terminate(Duration::from_secs(20)).success(), "{}", daemon.stderr());
    let daemon = run("b");
    read(&daemon);
    assert_eq!(origin.calls_total(), 1, "{}", daemon.stderr());
    assert!(Path::new(path).join("node.key").exists());
}
