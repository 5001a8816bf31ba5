//! Five hosts in network namespaces, with a line between them that delays and loses.
//!
//! Needs root, `ip` and `tc`. Everything is made for the check and taken away at its end.

use super::{
    fleet::FleetSetting,
    members::{Fleet, until},
};
use crate::process::{Background, output};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The same counts over 20 ms and 2 % loss; then a partition for 10 s, during which an entry is invalidated.
pub(super) fn slow_line_and_partition(setting: &FleetSetting<'_>) -> Result<String> {
    let network = Network::new()?;
    let script = setting.stub.script();
    let _origin = network.origin(script)?;
    let fleet = Fleet::new(setting.program, format!("http://{HUB}:{ORIGIN_PORT}"), setting.transport)?;
    let mut hosts = Vec::new();
    for number in 1..=HOSTS {
        hosts.push(Host::start(&fleet, number, hosts.first())?);
    }
    let formed = all_connected(&hosts).context("before the partition")?;
    for path in ["/repos/acme/widget-1", "/repos/acme/widget-2", "/repos/acme/widget-3"] {
        for host in &hosts {
            host.get(path)?;
        }
    }
    let in_turn = network.calls()?;
    thread::scope(|scope| {
        let reads: Vec<_> = hosts
            .iter()
            .flat_map(|host| (4..=6).map(move |number| (host, number)))
            .map(|(host, number)| scope.spawn(move || host.get(&format!("/repos/acme/widget-{number}"))))
            .collect();
        reads.into_iter().try_for_each(|read| read.join().expect("a reader does not panic").map(drop))
    })?;
    let at_once = network.calls()? - in_turn;
    ensure!((in_turn, at_once) == (3, 3), "{in_turn} calls in turn, {at_once} at once");
    let healed = partition(&network, &hosts)?;
    let line =
        if network.is_slow { "20 ms and 2 % loss" } else { "no delay or loss: the kernel has no netem" };
    Ok(format!(
        "{line}; formed in {} ms; {in_turn} calls in turn, {at_once} at once; one fleet again {} ms after the partition, \
         nothing outdated",
        formed.as_millis(),
        healed.as_millis()
    ))
}

/// Cuts hosts 4 and 5 off for 10 s; meanwhile everybody is read from, and host 1 forgets what has changed.
fn partition(network: &Network, hosts: &[Host]) -> Result<Duration> {
    const PATH: &str = "/repos/acme/widget-1";
    let old = hosts[3].get(PATH)?;
    network.cut(true)?;
    let end = Instant::now() + Duration::from_secs(10);
    network.control("mutate?repo=acme/widget-1")?;
    hosts[0].command(&["invalidate", PATH])?;
    let new = hosts[0].get(PATH)?;
    ensure!(new != old, "the change is not to be seen");
    let mut number = 10;
    while Instant::now() < end {
        for host in hosts {
            host.get(&format!("/repos/acme/widget-1/issues/{number}"))?;
        }
        number += 1;
    }
    network.cut(false)?;
    let began = Instant::now();
    all_connected(hosts).context("after the partition")?;
    let healed = began.elapsed();
    for host in hosts {
        until(|| Ok(host.get(PATH)? == new)).context("the old state is still served")?;
    }
    Ok(healed)
}

fn all_connected(hosts: &[Host]) -> Result<Duration> {
    let began = Instant::now();
    for host in hosts {
        until(|| {
            let stats: Value = serde_json::from_str(&host.command(&["stats", "--json"])?)?;
            Ok(stats["connected_peers"].as_u64() == Some(HOSTS as u64 - 1))
        })
        .with_context(|| format!("host {} is not connected with all", host.number))?;
    }
    Ok(began.elapsed())
}

/// One host and its daemon.
struct Host {
    number: usize,
    directory: TempDir,
    program: String,
    listen: String,
    _daemon: Background,
}

impl Host {
    fn start(fleet: &Fleet<'_>, number: usize, first: Option<&Self>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let listen = match fleet.transport {
            "quic" => format!("/ip4/{NET}.{number}/udp/9100/quic-v1"),
            _libp2p => format!("/ip4/{NET}.{number}/tcp/9100"),
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

/// The namespaces and the lines between them.
struct Network {
    /// Whether the lines delay and lose.
    is_slow: bool,
}

impl Network {
    fn new() -> Result<Self> {
        let mut network = Self { is_slow: false };
        network.remove();
        ip(&format!("netns add {PREFIX}hub"))?;
        ip(&format!("-n {PREFIX}hub link add br0 type bridge"))?;
        ip(&format!("-n {PREFIX}hub addr add {HUB}/24 dev br0"))?;
        ip(&format!("-n {PREFIX}hub link set lo up"))?;
        ip(&format!("-n {PREFIX}hub link set br0 up"))?;
        for number in 1..=HOSTS {
            let (name, far) = (format!("{PREFIX}{number}"), format!("far{number}"));
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link add eth0 type veth peer name {far} netns {PREFIX}hub"))?;
            ip(&format!("-n {name} addr add {NET}.{number}/24 dev eth0"))?;
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!("-n {name} link set eth0 up"))?;
            ip(&format!("-n {PREFIX}hub link set {far} master br0 up"))?;
            let line = ["qdisc", "add", "dev", "eth0", "root", "netem", "delay", "20ms", "loss", "2%"];
            // A kernel without netem gives a line as it is, and the figures say so.
            network.is_slow = output(Command::new("tc").args(["-n", &name]).args(line)).is_ok();
        }
        Ok(network)
    }

    /// A stand-in of the network's own, at the hub.
    fn origin(&self, script: &Path) -> Result<Background> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{PREFIX}hub"), "python3"]).arg(script);
        command.args(["--bind", HUB, "--port", ORIGIN_PORT]).stderr(Stdio::null());
        let origin = Background::start("the stand-in", &mut command)?;
        until(|| Ok(self.control("counts?summary=1").is_ok())).context("the stand-in does not answer")?;
        Ok(origin)
    }

    fn control(&self, command: &str) -> Result<Value> {
        let url = format!("http://{HUB}:{ORIGIN_PORT}/_ctl/{command}");
        let hub = format!("{PREFIX}hub");
        let answer = output(Command::new("ip").args(["netns", "exec", &hub, "curl", "-sS", &url]))?;
        Ok(serde_json::from_str(&answer)?)
    }

    fn calls(&self) -> Result<u64> {
        self.control("counts?prefix=/repos")?["total"].as_u64().context("counts have a total")
    }

    /// Keeps hosts 4 and 5 from the others, or no longer. All still reach the hub.
    fn cut(&self, is_cut: bool) -> Result<()> {
        let verb = if is_cut { "add" } else { "del" };
        for (one, other) in [1, 2, 3].into_iter().flat_map(|one| [(one, 4), (one, 5)]) {
            for (from, to) in [(one, other), (other, one)] {
                ip(&format!("-n {PREFIX}{from} route {verb} blackhole {NET}.{to}/32"))?;
            }
        }
        Ok(())
    }

    fn remove(&self) {
        let hosts = (1..=HOSTS).map(|number| number.to_string());
        for name in hosts.chain(["hub".to_owned()]) {
            // There is nothing to remove, as a rule.
            let _absent = ip(&format!("netns del {PREFIX}{name}"));
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.remove();
    }
}

fn ip(arguments: &str) -> Result<()> {
    output(Command::new("ip").args(arguments.split(' '))).map(drop)
}

/// `program`, to be run on host `number`.
fn inside(number: usize, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &format!("{PREFIX}{number}"), program]);
    command
}

const HOSTS: usize = 5;
const PREFIX: &str = "fleet-cache-";
const NET: &str = "10.77.0";
const HUB: &str = "10.77.0.254";
const ORIGIN_PORT: &str = "8080";
const DOOR: &str = "127.0.0.1:8484";
