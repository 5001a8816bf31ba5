//! Many daemons of one fleet on this machine, each at a loopback address of its own.

use super::{
    super::{fleet::FleetSetting, members::Fleet},
    clients::get,
    machine,
};
use crate::process::{Background, signal};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::{
    fs::{self, File},
    net::Ipv4Addr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The daemons of one fleet, and where they have their directories.
pub(super) struct Daemons<'a> {
    fleet: Fleet<'a>,
    directory: TempDir,
    started: u32,
    pub(super) all: Vec<Daemon>,
}

impl<'a> Daemons<'a> {
    pub(super) fn new(setting: &FleetSetting<'a>) -> Result<Self> {
        let fleet = Fleet::new(setting.program, setting.stub.url(), setting.transport)?;
        Ok(Self { fleet, directory: tempfile::tempdir()?, started: 0, all: Vec::new() })
    }

    /// A daemon that knows `contacts`, not started yet. It keeps answers for `lifetime`.
    pub(super) fn daemon(&mut self, contacts: &[String], lifetime: Duration) -> Result<Daemon> {
        self.started += 1;
        let directory = self.directory.path().join(self.started.to_string());
        fs::create_dir(&directory)?;
        let ip = Ipv4Addr::from_bits(FIRST_ADDRESS.to_bits() + self.started);
        let listen = match self.fleet.transport {
            "quic" => format!("/ip4/{ip}/udp/{PEER_PORT}/quic-v1"),
            _libp2p => format!("/ip4/{ip}/tcp/{PEER_PORT}"),
        };
        let (door, cache_dir) = (directory.join("door"), directory.join("cache"));
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |name: &str, value: &str| arguments.extend([name.to_owned(), value.to_owned()]);
        add("--transport", self.fleet.transport);
        add("--p2p-listen", &listen);
        add("--listen", "none");
        add("--origin", &self.fleet.origin);
        add("--default-ttl", &lifetime.as_secs().to_string());
        add("--drain", "1");
        add("--log", "warn");
        add("--domain", "ci=ghs_*");
        contacts.iter().for_each(|contact| add("--bootstrap", contact));
        let (program, secret) = (self.fleet.program.to_owned(), self.fleet.secret.clone());
        Ok(Daemon { program, secret, directory, cache_dir, door, arguments, process: None })
    }

    /// The first address of daemon `number`, for others to contact it.
    pub(super) fn contact(&self, number: usize) -> Result<String> {
        let stats = self.all[number].stats()?;
        stats["addresses"][0].as_str().map(str::to_owned).context("a daemon that shares has an address")
    }
}

/// One daemon, running or not.
pub(super) struct Daemon {
    program: PathBuf,
    secret: String,
    directory: PathBuf,
    cache_dir: PathBuf,
    door: PathBuf,
    arguments: Vec<String>,
    process: Option<Background>,
}

impl Daemon {
    /// The same as a guest for as long as it runs.
    pub(super) fn made_guest(mut self) -> Self {
        self.arguments.extend(["--guest".to_owned(), "always".to_owned()]);
        self
    }

    /// Starts it, and returns at once.
    pub(super) fn start(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.arg("serve").args(&self.arguments).arg("--unix").arg(&self.door);
        command.arg("--cache-dir").arg(&self.cache_dir);
        command.env_clear().env("HOME", &self.directory).env("CACHE_P2P_SHARED_SECRET", &self.secret);
        command.stderr(File::create(self.directory.join("log"))?);
        self.process = Some(Background::start("fleet-cache", &mut command)?);
        Ok(())
    }

    /// Waits until it tells its figures.
    pub(super) fn until_ready(&self) -> Result<()> {
        let end = Instant::now() + START_MAX;
        while self.stats().is_err() {
            if Instant::now() >= end {
                let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                bail!("a daemon is not ready after {START_MAX:?}: {log}");
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    pub(super) fn kill(&mut self) {
        self.process = None;
    }

    /// Sends it the signal `name`, without waiting for what it does.
    pub(super) fn signal(&self, name: &str) -> Result<()> {
        signal(self.id()?, name)
    }

    /// Waits until it takes clients, though it may have failed to start.
    pub(super) fn until_listening(&self) {
        let end = Instant::now() + START_MAX;
        while UnixStream::connect(&self.door).is_err() && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it as a service manager would.
    pub(super) fn end(&mut self) -> Result<()> {
        self.signal("TERM")?;
        self.end_begun()
    }

    /// Waits until it has ended, which it was told to do.
    pub(super) fn end_begun(&mut self) -> Result<()> {
        let mut process = self.process.take().context("it runs")?;
        process.wait_end().map(drop)
    }

    pub(super) fn door(&self) -> &Path {
        &self.door
    }

    pub(super) fn stats(&self) -> Result<Value> {
        let answer = get(&self.cache_dir.join("admin.sock"), "/stats", None)?;
        ensure!(answer.status == 200, "the figures are answered with {}", answer.status);
        Ok(serde_json::from_slice(&answer.body)?)
    }

    pub(super) fn peers_count(&self) -> Result<u64> {
        self.stats()?["connected_peers"].as_u64().context("stats count peers")
    }

    /// Processor time that it has used.
    pub(super) fn processor_time(&self) -> Result<Duration> {
        machine::processor_time(self.id()?)
    }

    pub(super) fn resident_kib(&self) -> Result<u64> {
        self.process.as_ref().context("it runs")?.resident_kib()
    }

    fn id(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("it runs")?.id())
    }
}

/// Waits until each of `daemons` is connected with `count` others. Returns how long that took, and how many are not.
pub(super) fn until_mesh(daemons: &[&Daemon], count: usize) -> (Duration, usize) {
    let began = Instant::now();
    let mut open: Vec<&Daemon> = daemons.to_vec();
    while !open.is_empty() && began.elapsed() < MESH_MAX {
        // One that does not answer yet is asked again.
        open.retain(|daemon| daemon.peers_count().ok() != Some(count as u64));
        thread::sleep(Duration::from_millis(50));
    }
    (began.elapsed(), open.len())
}

/// Longest wait for one daemon to start, on a machine where many do so at once.
const START_MAX: Duration = Duration::from_secs(120);
/// Longest wait for all to be connected.
const MESH_MAX: Duration = Duration::from_secs(120);
/// Daemons have the addresses behind this one.
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);
const PEER_PORT: u16 = 9100;
