//! Daemons of one fleet, each a process with a directory of its own, on 127.0.0.1.

use cache_tests::{
    daemon::{Daemon, Setup},
    http::Client,
    origin::ModelOrigin,
    until,
};
use fleet_cache::FleetSecret;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fleet-cache-under-test");
pub(crate) const TOKEN: &str = "ghp_alice";

/// Which transport the daemons use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    Libp2p,
    Quic,
}

/// The tests run over both.
pub(crate) const EITHER: [Over; 2] = [Over::Libp2p, Over::Quic];

impl Over {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Libp2p => "libp2p",
            Self::Quic => "quic",
        }
    }

    /// An address to listen on, at a port that the system chooses.
    pub(crate) fn any_port(self) -> &'static str {
        match self {
            Self::Libp2p => "/ip4/127.0.0.1/tcp/0",
            Self::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
        }
    }
}

/// A secret as users write it into their settings.
pub(crate) fn new_secret() -> String {
    let secret = FleetSecret::generate().expect("the system has entropy");
    secret.to_text().expect("a generated secret has a text").to_string()
}

/// A daemon that is to share by `secret`, knowing `contacts`.
pub(crate) fn member(origin: &ModelOrigin, over: Over, secret: &str, contacts: &[String]) -> Setup {
    member_running(PROGRAM.as_ref(), origin, over, secret, contacts)
}

/// The same of another program.
pub(crate) fn member_running(
    program: &Path,
    origin: &ModelOrigin,
    over: Over,
    secret: &str,
    contacts: &[String],
) -> Setup {
    let setup = Setup::new(program, &origin.url())
        .with_peers()
        .env("CACHE_P2P_SHARED_SECRET", secret)
        .arg("--transport")
        .arg(over.name())
        .arg("--p2p-listen")
        .arg(over.any_port());
    contacts.iter().fold(setup, |setup, contact| setup.arg("--bootstrap").arg(contact))
}

/// `count` daemons that know the first alone to begin with, connected with one another.
pub(crate) async fn fleet(origin: &ModelOrigin, over: Over, count: usize) -> Vec<Daemon> {
    fleet_running(PROGRAM.as_ref(), origin, over, count).await
}

/// The same of another program.
pub(crate) async fn fleet_running(
    program: &Path,
    origin: &ModelOrigin,
    over: Over,
    count: usize,
) -> Vec<Daemon> {
    fleet_of(program, &[], origin, over, count).await
}

/// The same with more flags.
pub(crate) async fn fleet_with(
    flags: &[&'static str],
    origin: &ModelOrigin,
    over: Over,
    count: usize,
) -> Vec<Daemon> {
    fleet_of(PROGRAM.as_ref(), flags, origin, over, count).await
}

async fn fleet_of(
    program: &Path,
    flags: &[&'static str],
    origin: &ModelOrigin,
    over: Over,
    count: usize,
) -> Vec<Daemon> {
    let secret = new_secret();
    let mut daemons = Vec::new();
    for _ in 0..count {
        let contacts = match daemons.first() {
            Some(first) => addresses(first).await,
            None => Vec::new(),
        };
        let setup = member_running(program, origin, over, &secret, &contacts);
        daemons.push(flags.iter().fold(setup, Setup::arg).start());
    }
    for daemon in &daemons {
        until_connected(daemon, count - 1).await;
    }
    daemons
}

/// What the admin socket shows under `path`.
pub(crate) async fn shown(daemon: &Daemon, path: &str) -> Value {
    let admin = Client::unix(&daemon.directory().join("cache/admin.sock"));
    admin.get(path).send().await.expect("the admin socket answers").json()
}

/// Where other nodes reach `daemon`.
pub(crate) async fn addresses(daemon: &Daemon) -> Vec<String> {
    let stats = shown(daemon, "/stats").await;
    let addresses = stats["addresses"].as_array().expect("there is a list of addresses");
    addresses.iter().map(|address| address.as_str().expect("it is text").to_owned()).collect()
}

pub(crate) async fn peer_id(daemon: &Daemon) -> String {
    shown(daemon, "/stats").await["peer_id"].as_str().expect("it shares").to_owned()
}

pub(crate) async fn until_connected(daemon: &Daemon, peers: usize) {
    until("as many peers are connected", async || shown(daemon, "/stats").await["connected_peers"] == peers)
        .await;
}

/// The body that `daemon` gives for repository `number`, which every client may read.
pub(crate) async fn body(daemon: &Daemon, number: usize) -> bytes::Bytes {
    let path = format!("/repos/acme/widget-{number}");
    // By the unix socket: the TCP door puts its own address into bodies.
    let reply = daemon.unix_client().get(&path).token(TOKEN).send().await.expect("the door answers");
    assert_eq!(reply.status, 200);
    reply.body
}

/// How a command ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a command of the program against the daemon of `cache_dir`.
pub(crate) async fn command(cache_dir: PathBuf, arguments: &[&str]) -> Ended {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--cache-dir").arg(cache_dir);
    command.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.output());
    let output = run.await.expect("it runs to its end").expect("the program under test may be run");
    Ended {
        code: output.status.code().expect("it ended by itself"),
        stdout: String::from_utf8(output.stdout).expect("it is text"),
        stderr: String::from_utf8(output.stderr).expect("it is text"),
    }
}

/// [`command`] for the directory of `daemon`.
pub(crate) async fn ask(daemon: &Daemon, arguments: &[&str]) -> Ended {
    command(daemon.directory().join("cache"), arguments).await
}
