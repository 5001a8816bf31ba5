//! One run of the suite: its server, the daemon before that, and its client.

use super::verdict::Test;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

/// The tests of `suite` that its client runs against a shared cache.
pub(super) fn tests(suite: &Path) -> Result<Vec<Test>> {
    let listed = crate::cargo::output(node(suite).args(["--input-type=module", "--eval", LIST]))?;
    let tests: Vec<Test> =
        serde_json::from_str(&listed).context("the suite lists its tests otherwise than known")?;
    ensure!(!tests.is_empty(), "the suite lists no tests");
    Ok(tests)
}

/// What the suite's client says of each test, by its id.
pub(super) fn results(root: &Path, suite: &Path) -> Result<BTreeMap<String, Value>> {
    let place = crate::cargo::target_directory(root)?.join("conformance").join("run");
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&place)?;
    let port = free_port()?;
    let mut server = node(suite);
    server
        .arg("server/server.mjs")
        .env("npm_config_protocol", "http")
        .env("npm_config_port", port.to_string());
    server.env("npm_config_pidfile", place.join("server.pid"));
    let _server = Ended::begin(&mut server, "Listening on ")?;
    let (_daemon, door) = Ended::begin(&mut daemon(root, &place, port)?, "listening on ")?;
    let mut client = node(suite);
    client
        .arg("cli.mjs")
        .env("npm_config_base", &door)
        .env("npm_config_id", "")
        .env("npm_package_config_id", "");
    let told = crate::cargo::output(&mut client)?;
    serde_json::from_str(&told).with_context(|| format!("the suite's client told no results but {told:?}"))
}

fn daemon(root: &Path, place: &Path, port: u16) -> Result<Command> {
    let built = crate::cargo::cargo(root).args(["build", "--quiet", "--package", "cache-cli"]).status()?;
    ensure!(built.success(), "the daemon does not build");
    let mut daemon = Command::new(crate::cargo::target_directory(root)?.join("debug").join("fleet-cache"));
    daemon.args(["serve", "--profile", "rfc9111", "--no-p2p", "--listen", "127.0.0.1:0", "--cache-dir"]);
    daemon.arg(place.join("cache")).arg("--origin").arg(format!("http://127.0.0.1:{port}"));
    daemon.env_clear().env("HOME", place);
    Ok(daemon)
}

fn node(suite: &Path) -> Command {
    let mut node = Command::new("node");
    node.arg("--no-warnings").current_dir(suite);
    node
}

/// A port that nobody listens on just now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A program that runs until this is dropped.
struct Ended(Child);

impl Ended {
    /// Starts `program` and waits until it prints a line that begins with `ready`; returns what follows that.
    fn begin(program: &mut Command, ready: &str) -> Result<(Self, String)> {
        let name = program.get_program().to_owned();
        let child = program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut running =
            Self(child.with_context(|| format!("not run: {} cannot be started", name.display()))?);
        let output = running.0.stdout.take().context("its output was asked to be piped")?;
        let mut lines = BufReader::new(output).lines();
        for line in lines.by_ref() {
            if let Some(rest) = line?.strip_prefix(ready) {
                let rest = rest.to_owned();
                // What it prints later is of no use, but must not hold it up.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok((running, rest));
            }
        }
        bail!("{} ended with {} before it was ready", name.display(), running.0.wait()?)
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Lists the tests that the suite's client runs where it is no browser, in JSON.
const LIST: &str = "
import tests from './tests/index.mjs'
import surrogate from './tests/surrogate-control.mjs'
const listed = [...tests, surrogate].flatMap(suite => suite.tests.filter(test => !test.browser_only).map(test => ({
  suite: suite.id, id: test.id, kind: test.kind || 'required', depends_on: test.depends_on || []
})))
console.log(JSON.stringify(listed))
";
