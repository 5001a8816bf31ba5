//! Daemons that share, each a process with a directory of its own.

use super::clients::Curl;
use crate::process::{Background, free_address, output, signal};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What all members of one fleet have in common.
#[derive(Debug)]
pub(super) struct Fleet<'a> {
    pub(super) program: &'a Path,
    pub(super) origin: String,
    pub(super) transport: &'static str,
    pub(super) secret: String,
    /// Further arguments of `serve` for every member.
    pub(super) arguments: Vec<String>,
}

/// One daemon of a fleet.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) directory: TempDir,
    pub(super) cache_dir: PathBuf,
    /// Where its clients reach it.
    pub(super) door: SocketAddr,
    /// Where it listens for peers, as a multiaddress.
    pub(super) listen: String,
    program: PathBuf,
    daemon: Option<Background>,
}

impl<'a> Fleet<'a> {
    pub(super) fn new(program: &'a Path, origin: String, transport: &'static str) -> Result<Self> {
        let secret = output(Command::new(program).args(["secret", "generate"]))?.trim().to_owned();
        Ok(Self { program, origin, transport, secret, arguments: Vec::new() })
    }

    /// A member that listens on a free port, not started yet.
    pub(super) fn member(&self) -> Result<Member> {
        let port = free_address()?.port();
        let listen = match self.transport {
            "quic" => format!("/ip4/127.0.0.1/udp/{port}/quic-v1"),
            _libp2p => format!("/ip4/127.0.0.1/tcp/{port}"),
        };
        let directory = tempfile::tempdir()?;
        Ok(Member {
            cache_dir: directory.path().join("cache"),
            directory,
            door: free_address()?,
            listen,
            program: self.program.to_owned(),
            daemon: None,
        })
    }

    /// Starts `member`, which knows `contacts`.
    pub(super) fn start(&self, member: &mut Member, contacts: &[String]) -> Result<()> {
        member.launch(&mut self.command(member, contacts)?)
    }

    /// The command that starts `member`, for callers that want to change something of it.
    pub(super) fn command(&self, member: &Member, contacts: &[String]) -> Result<Command> {
        let mut command = Command::new(&member.program);
        command
            .args(["serve", "--transport", self.transport, "--p2p-listen", &member.listen])
            .args(["--listen", &member.door.to_string(), "--origin", &self.origin])
            .arg("--cache-dir")
            .arg(&member.cache_dir)
            .args(contacts.iter().flat_map(|contact| ["--bootstrap", contact]))
            .args(&self.arguments)
            .env_clear()
            .env("HOME", member.directory.path())
            .env("CACHE_P2P_SHARED_SECRET", &self.secret)
            // What is tried here writes more than an origin bears. Programs of earlier versions pass over these.
            .env("CACHE_WRITES_PER_MINUTE", "off")
            .env("CACHE_WRITES_PER_HOUR", "off")
            .stderr(File::create(member.log())?);
        Ok(command)
    }

    /// `count` members that know the first alone to begin with, all connected.
    pub(super) fn grown(&self, count: usize) -> Result<Vec<Member>> {
        let mut members: Vec<Member> = Vec::new();
        for _ in 0..count {
            let contacts = members.first().map(Member::addresses).transpose()?.unwrap_or_default();
            let mut member = self.member()?;
            self.start(&mut member, &contacts)?;
            members.push(member);
        }
        for member in &members {
            member.until_connected(count as u64 - 1)?;
        }
        Ok(members)
    }
}

impl Member {
    pub(super) fn curl(&self) -> Curl {
        Curl::new(self.door, "ghp_alice", self.directory.path())
    }

    /// The body of `path`, which has to be answered with 200, as it is whatever door it came through.
    pub(super) fn body(&self, path: &str) -> Result<Vec<u8>> {
        let reply = self.curl().get(path)?;
        ensure!(reply.status == 200, "{path} is answered with {}", reply.status);
        // Links in a body lead back to the door that was asked.
        let text = String::from_utf8(reply.body)?;
        Ok(text.replace(&self.door.to_string(), "door").into_bytes())
    }

    /// Starts it by `command` and waits until it listens.
    pub(super) fn launch(&mut self, command: &mut Command) -> Result<()> {
        let mut daemon = Background::start("fleet-cache", command)?;
        daemon.wait_ready(self.door)?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// The number by which the system knows its daemon.
    pub(super) fn id(&self) -> Result<u32> {
        Ok(self.daemon.as_ref().context("it runs")?.id())
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// Where the daemon's log of this start is.
    pub(super) fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Where the others reach it, as `id` prints it.
    pub(super) fn addresses(&self) -> Result<Vec<String>> {
        let mut command = Command::new(&self.program);
        command.args(["id", "--p2p-listen", &self.listen]).arg("--cache-dir").arg(&self.cache_dir);
        command.env_clear().env("HOME", self.directory.path());
        Ok(output(&mut command)?.lines().take(1).map(str::to_owned).collect())
    }

    pub(super) fn stats(&self) -> Result<Value> {
        let mut command = Command::new(&self.program);
        command.args(["stats", "--json", "--cache-dir"]).arg(&self.cache_dir);
        Ok(serde_json::from_str(&output(&mut command)?)?)
    }

    pub(super) fn figure(&self, name: &str) -> Result<u64> {
        let stats = self.stats()?;
        let value = name.split('.').fold(&stats, |value, part| &value[part]);
        value.as_u64().with_context(|| format!("stats have no number `{name}`"))
    }

    pub(super) fn peer_id(&self) -> Result<String> {
        self.stats()?["peer_id"].as_str().map(str::to_owned).context("the member has an id")
    }

    /// Waits until it is connected with `count` peers. Returns how long that took.
    pub(super) fn until_connected(&self, count: u64) -> Result<Duration> {
        until(|| Ok(self.figure("connected_peers")? == count)).with_context(|| {
            let known = self.peers().unwrap_or_else(|error| error.to_string());
            format!("{} waits for {count} peers, and knows of\n{known}", self.listen)
        })
    }

    /// The peers that it knows, as a table.
    pub(super) fn peers(&self) -> Result<String> {
        let mut command = Command::new(&self.program);
        output(command.args(["peers", "--cache-dir"]).arg(&self.cache_dir))
    }

    pub(super) fn kill(&mut self) {
        drop(self.daemon.take());
    }

    /// The same for a member that others look at; it is dead from then on.
    pub(super) fn kill_by_id(&self) -> Result<()> {
        signal(self.id()?, "KILL")
    }

    /// Ends it as a service manager would. Returns how long that took.
    pub(super) fn end(&mut self) -> Result<Duration> {
        let began = Instant::now();
        signal(self.id()?, "TERM")?;
        self.daemon.as_mut().context("it runs")?.wait_end()?;
        self.daemon = None;
        Ok(began.elapsed())
    }

    pub(super) fn resident_kib(&self) -> Result<u64> {
        self.daemon.as_ref().context("it runs")?.resident_kib()
    }
}

/// Checks `condition` until it holds. Returns how long that took.
pub(super) fn until(mut condition: impl FnMut() -> Result<bool>) -> Result<Duration> {
    let began = Instant::now();
    while !condition()? {
        ensure!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
    Ok(began.elapsed())
}

/// GETs `path` from all `members` at once. Returns the bodies and the longest wait.
pub(super) fn get_at_once(members: &[&Member], path: &str) -> Result<(Vec<Vec<u8>>, Duration)> {
    let began = Instant::now();
    let bodies: Result<Vec<Vec<u8>>> = thread::scope(|scope| {
        let reads: Vec<_> = members.iter().map(|member| scope.spawn(move || member.body(path))).collect();
        reads.into_iter().map(|read| read.join().expect("a reader does not panic")).collect()
    });
    let bodies = bodies?;
    ensure!(bodies.iter().all(|body| *body == bodies[0]), "bodies differ");
    Ok((bodies, began.elapsed()))
}

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(40);
