//! Five hosts with a slow line between them, which is cut for a while, both ways or one way.

use super::{
    fleet::FleetSetting,
    members::{Fleet, until},
    network::{Direction, HOSTS, HUB, Network, ORIGIN_PORT, address, inside},
};
use crate::process::{Background, output};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The same counts over 20 ms and 2 % loss; then a partition for 10 s, during which an entry is invalidated.
pub(super) fn slow_line_and_partition(setting: &FleetSetting<'_>) -> Result<String> {
    let world = World::new(setting)?;
    let formed = all_connected(&world.hosts).context("before the partition")?;
    for path in ["/repos/acme/widget-1", "/repos/acme/widget-2", "/repos/acme/widget-3"] {
        for host in &world.hosts {
            host.get(path)?;
        }
    }
    let in_turn = world.network.calls()?;
    thread::scope(|scope| {
        let reads: Vec<_> = world
            .hosts
            .iter()
            .flat_map(|host| (4..=6).map(move |number| (host, number)))
            .map(|(host, number)| scope.spawn(move || host.get(&format!("/repos/acme/widget-{number}"))))
            .collect();
        reads.into_iter().try_for_each(|read| read.join().expect("a reader does not panic").map(drop))
    })?;
    let at_once = world.network.calls()? - in_turn;
    ensure!((in_turn, at_once) == (3, 3), "{in_turn} calls in turn, {at_once} at once");
    let cut = world.cut(Direction::Both, HEAL_MAX)?;
    let formed = formed.as_millis();
    Ok(format!("formed in {formed} ms; {in_turn} calls in turn, {at_once} at once; {cut}"))
}

/// A line that carries one way only for 10 s.
pub(super) fn one_way_cut(setting: &FleetSetting<'_>) -> Result<String> {
    let world = World::new(setting)?;
    all_connected(&world.hosts).context("before the cut")?;
    world.hosts[3].get("/repos/acme/widget-1")?;
    world.cut(Direction::Inwards, ONE_WAY_HEAL_MAX)
}

/// The hosts and what is between them.
struct World {
    hosts: Vec<Host>,
    _origin: Background,
    /// Last, as it goes when all that is inside has gone.
    network: Network,
}

impl World {
    fn new(setting: &FleetSetting<'_>) -> Result<Self> {
        let network = Network::new()?;
        let origin = network.origin(setting.stub.script())?;
        let fleet = Fleet::new(setting.program, format!("http://{HUB}:{ORIGIN_PORT}"), setting.transport)?;
        let mut hosts = Vec::new();
        for number in 1..=HOSTS {
            hosts.push(Host::start(&fleet, number, hosts.first())?);
        }
        Ok(Self { hosts, _origin: origin, network })
    }

    /// Cuts hosts 4 and 5 off for a while; meanwhile all hosts are read from, and host 1 forgets what has changed.
    ///
    /// No reader may get an error, all are one fleet again soon after, and then nothing is outdated.
    fn cut(&self, direction: Direction, heal_max: Duration) -> Result<String> {
        const PATH: &str = "/repos/acme/widget-1";
        let Self { hosts, network, .. } = self;
        let old = hosts[3].get(PATH)?;
        network.cut(direction);
        let end = Instant::now() + CUT;
        network.control("mutate?repo=acme/widget-1")?;
        hosts[0].command(&["invalidate", PATH])?;
        let new = hosts[0].get(PATH)?;
        ensure!(new != old, "the change is not to be seen");
        let (mut reads, mut longest) = (0, Duration::ZERO);
        while Instant::now() < end {
            for host in hosts {
                let began = Instant::now();
                host.get(&format!("/repos/acme/widget-1/issues/{}", 10 + reads / hosts.len()))?;
                longest = longest.max(began.elapsed());
                reads += 1;
            }
        }
        network.line.mend();
        let began = Instant::now();
        all_connected(hosts).context("after the cut")?;
        let healed = began.elapsed();
        ensure!(healed <= heal_max, "one fleet again {healed:?} after the cut, {heal_max:?} is allowed");
        for host in hosts {
            until(|| Ok(host.get(PATH)? == new)).context("the old state is still served")?;
        }
        let renewed = began.elapsed();
        ensure!(renewed <= heal_max, "something outdated {renewed:?} after the cut, {heal_max:?} is allowed");
        Ok(format!(
            "{reads} reads during the cut, the longest {} ms, no error; one fleet again {} ms after it, nothing outdated \
             {} ms after it; the line: {}",
            longest.as_millis(),
            healed.as_millis(),
            renewed.as_millis(),
            network.line.figures()
        ))
    }
}

/// Waits until all hosts are connected with all.
fn all_connected(hosts: &[Host]) -> Result<Duration> {
    let began = Instant::now();
    for host in hosts {
        until(|| {
            let stats: Value = serde_json::from_str(&host.command(&["stats", "--json"])?)?;
            Ok(stats["connected_peers"].as_u64() == Some(u64::from(HOSTS) - 1))
        })
        .with_context(|| format!("host {} is not connected with all", host.number))?;
    }
    Ok(began.elapsed())
}

/// One host and its daemon.
struct Host {
    number: u8,
    directory: TempDir,
    program: String,
    listen: String,
    _daemon: Background,
}

impl Host {
    fn start(fleet: &Fleet<'_>, number: u8, first: Option<&Self>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let listen = match fleet.transport {
            "quic" => format!("/ip4/{}/udp/9100/quic-v1", address(number)),
            _libp2p => format!("/ip4/{}/tcp/9100", address(number)),
        };
        let program = fleet.program.to_str().context("a plain path")?.to_owned();
        let mut command = inside(number, &program);
        command
            .args(["serve", "--transport", fleet.transport, "--p2p-listen", &listen])
            .args(["--listen", DOOR, "--origin", &fleet.origin, "--cache-dir"])
            .arg(directory.path())
            .env("CACHE_P2P_SHARED_SECRET", &fleet.secret)
            .stderr(Stdio::null());
        if let Some(first) = first {
            let contact = first.command(&["id", "--p2p-listen", &first.listen])?;
            command.args(["--bootstrap", contact.lines().next().context("id prints an address")?]);
        }
        let daemon = Background::start("fleet-cache", &mut command)?;
        let host = Self { number, directory, program, listen, _daemon: daemon };
        until(|| Ok(host.command(&["stats", "--json"]).is_ok())).context("the daemon does not start")?;
        Ok(host)
    }

    /// Runs a command of the program on the host.
    fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = inside(self.number, &self.program);
        output(command.args(arguments).arg("--cache-dir").arg(self.directory.path()))
    }

    /// The body of `path`, which has to be answered with 200.
    fn get(&self, path: &str) -> Result<String> {
        let mut command = inside(self.number, "curl");
        let token = "Authorization: token ghp_alice";
        command.args(["-sS", "--fail", "--max-time", "30", "-H", token, &format!("http://{DOOR}{path}")]);
        output(&mut command).with_context(|| format!("host {}: {path}", self.number))
    }
}

const DOOR: &str = "127.0.0.1:8484";
/// How long a cut lasts.
const CUT: Duration = Duration::from_secs(10);
/// Longest time after a partition until all are one fleet and nothing is outdated.
const HEAL_MAX: Duration = Duration::from_secs(5);
/// The same where the two were heard all along: 4 to 8 s pause after a departure, and a dial.
const ONE_WAY_HEAL_MAX: Duration = Duration::from_secs(10);
