//! A daemon with a page, and a program that listens to its stream as a browser would.

use cache_tests::{
    daemon::{Daemon, Setup},
    http::Client,
    origin::ModelOrigin,
    until,
};
use fleet_cache::FleetSecret;
use serde_json::Value;
use std::{net::SocketAddr, process::Command, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fleet-cache-under-test");
pub(crate) const TOKEN: &str = "ghp_alice";
/// Longest wait for anything that comes with one of the next ticks.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon that has a page, at a port that the system chooses.
pub(crate) fn setup(origin: &ModelOrigin) -> Setup {
    Setup::new(PROGRAM, &origin.url()).arg("--dashboard").arg("127.0.0.1:0")
}

/// Three members of one fleet, each with a page.
pub(crate) async fn fleet(origin: &ModelOrigin) -> Vec<Daemon> {
    let secret = FleetSecret::generate().expect("the system has entropy");
    let secret = secret.to_text().expect("a generated secret has a text").to_string();
    let mut daemons: Vec<Daemon> = Vec::new();
    for _ in 0..3 {
        let setup = Setup::new(PROGRAM, &origin.url())
            .with_peers()
            .env("CACHE_P2P_SHARED_SECRET", &secret)
            .env("CACHE_P2P_LISTEN", "/ip4/127.0.0.1/tcp/0")
            .env("CACHE_DASHBOARD", "127.0.0.1:0")
            .env("CACHE_DEFAULT_TTL", "2")
            .arg("--reserve")
            .arg("batch=20%")
            .arg("--reserve")
            .arg("normal=5%");
        let contact = match daemons.first() {
            Some(first) => Some(stats(first).await["addresses"][0].as_str().expect("it shares").to_owned()),
            None => None,
        };
        daemons
            .push(contact.iter().fold(setup, |setup, contact| setup.arg("--bootstrap").arg(contact)).start());
    }
    for daemon in &daemons {
        until("all are connected", async || stats(daemon).await["connected_peers"] == 2).await;
    }
    daemons
}

/// What the daemon tells of itself.
pub(crate) async fn stats(daemon: &Daemon) -> Value {
    let admin = Client::unix(&daemon.directory().join("cache/admin.sock"));
    admin.get("/stats").send().await.expect("the admin socket answers").json()
}

/// Where the page is.
pub(crate) async fn page(daemon: &Daemon) -> SocketAddr {
    let stats = stats(daemon).await;
    let url = stats["dashboard"].as_str().expect("it has a page");
    let address = url.strip_prefix("http://").and_then(|url| url.strip_suffix('/'));
    address.expect("it is a URL").parse().expect("it is an address")
}

/// What a command prints about the daemon.
pub(crate) fn command(daemon: &Daemon, arguments: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--cache-dir").arg(daemon.directory().join("cache")).env_clear();
    let output = command.output().expect("the program can be run");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the output is text")
}

/// What a command prints for programs.
pub(crate) fn told(daemon: &Daemon, arguments: &[&str]) -> Value {
    serde_json::from_str(&command(daemon, &[arguments, &["--json"]].concat())).expect("it is JSON")
}

/// Reads `path` as a client called `client` does. Returns the status.
pub(crate) async fn read(daemon: &Daemon, client: &str, path: &str, fields: &[(&str, &str)]) -> u16 {
    let request = daemon.client().get(path).token(TOKEN).header("x-fleet-client", client);
    let request = fields.iter().fold(request, |request, (name, value)| request.header(name, value));
    request.send().await.expect("the door answers").status.as_u16()
}

/// One listener, and all that it was told.
pub(crate) struct Events {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Events {
    /// Asks for the stream of the page at `address`.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("the page's address is open");
        let request = format!("GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("a request is taken");
        let mut events = Self { stream, bytes: Vec::new() };
        events.until("a head", |text| text.contains("\r\n\r\n")).await;
        events
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> u16 {
        let text = self.text();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("{text}"))
    }

    /// All that came, from the head of the answer on.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Listens until `holds` does of all that came.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&str) -> bool) {
        let waiting = async {
            while !holds(&self.text()) {
                assert!(self.stream.read_buf(&mut self.bytes).await.expect("it can be read") > 0, "it ended");
            }
        };
        if timeout(PATIENCE, waiting).await.is_err() {
            panic!("{what} did not come: {}", self.text());
        }
    }

    /// Listens until the latest event `name` is as `holds` says. Returns what it tells.
    pub(crate) async fn until_told(&mut self, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.until(name, |text| latest(text, name).is_some_and(|told| holds(&told))).await;
        latest(&self.text(), name).expect("it was waited for")
    }

    /// Listens until the stream ends. Returns all that came.
    pub(crate) async fn ended(mut self) -> String {
        let reading = self.stream.read_to_end(&mut self.bytes);
        timeout(PATIENCE, reading).await.expect("it ends").expect("it ends in order");
        self.text()
    }
}

/// What the last whole event `name` in `text` tells.
pub(crate) fn latest(text: &str, name: &str) -> Option<Value> {
    let whole = &text[..text.rfind("\n\n")?];
    let data = whole.rsplit_once(&format!("event: {name}\ndata: "))?.1.lines().next()?;
    Some(serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}")))
}
