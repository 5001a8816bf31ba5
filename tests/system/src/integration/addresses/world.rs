//! Hosts, each a network namespace with a line of its own to a router, which forwards, translates or refuses.
//!
//! Needs root, `ip` and, for translators, `nft`. Where these are missing, checks are skipped.

use super::super::{fleet::FleetSetting, members::Fleet, members::until, skipped::Skipped};
use crate::process::{Background, output};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{
    fs::File,
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// The hosts, their router, and the stand-in, which runs at the router.
pub(super) struct World<'a> {
    fleet: Fleet<'a>,
    families: Vec<Family>,
    hosts: Vec<Option<Host>>,
    _origin: Background,
    /// Last, as it goes when all that is inside has gone.
    _namespaces: Namespaces,
}

/// By which addresses a host reaches the others. Each reaches the origin by IPv4.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    Both,
    Ipv4,
    Ipv6,
}

impl<'a> World<'a> {
    /// A host for each of `families`, numbered from 1, on which nothing runs yet.
    pub(super) fn new(setting: &FleetSetting<'a>, families: &[Family]) -> Result<Self> {
        Self::with_dead_ends(setting, families, 0)
    }

    /// The same, where each host has `dead_ends` interfaces that lead nowhere, and which the system lists before the one
    /// that does not.
    pub(super) fn with_dead_ends(
        setting: &FleetSetting<'a>,
        families: &[Family],
        dead_ends: u8,
    ) -> Result<Self> {
        let namespaces = Namespaces::new(families.len())?;
        inside(ROUTER, "sysctl", &["-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])?;
        for (number, family) in (1..).zip(families) {
            (1..=dead_ends).try_for_each(|end| add_dead_end(number, end))?;
            connect(number, *family)?;
        }
        let mut command = command_inside(ROUTER, "python3");
        command
            .arg(setting.stub.script())
            .args(["--bind", "0.0.0.0", "--port", ORIGIN_PORT])
            .stderr(Stdio::null());
        let origin = Background::start("the stand-in", &mut command)?;
        until(|| Ok(control("counts?summary=1").is_ok())).context("the stand-in does not answer")?;
        let fleet = Fleet::new(setting.program, format!("http://{PUBLIC}:{ORIGIN_PORT}"), setting.transport)?;
        let hosts = families.iter().map(|_| None).collect();
        Ok(Self { fleet, families: families.to_vec(), hosts, _origin: origin, _namespaces: namespaces })
    }

    /// Puts `hosts` behind a translator of addresses: they reach others, and nobody begins to talk to them.
    pub(super) fn translate(&self, hosts: &[u8]) -> Result<()> {
        let rules = "add table ip t; add chain ip t out { type nat hook postrouting priority 100; }; \
                     add chain ip t in { type nat hook prerouting priority -100; }; \
                     add chain ip t through { type filter hook forward priority 0; }; \
                     add rule ip t through ct state established,related accept; \
                     add rule ip t through ct status dnat accept;";
        nft(rules).map_err(|error| Skipped(format!("no translator of addresses: {error:#}")))?;
        for host in hosts {
            nft(&format!(
                "add rule ip t out ip saddr {NET}.{host}.0/24 masquerade; \
                 add rule ip t through oifname \"h{host}\" drop"
            ))?;
        }
        Ok(())
    }

    /// Publishes the peer port of `host` at the router. Returns the address at which others reach it.
    pub(super) fn publish(&self, host: u8) -> Result<String> {
        let port = 9200 + u16::from(host);
        for carrier in ["tcp", "udp"] {
            nft(&format!(
                "add rule ip t in ip daddr {PUBLIC} {carrier} dport {port} dnat to {NET}.{host}.2:{PEER_PORT}"
            ))?;
        }
        Ok(match self.fleet.transport {
            "quic" => format!("/ip4/{PUBLIC}/udp/{port}/quic-v1"),
            _libp2p => format!("/ip4/{PUBLIC}/tcp/{port}"),
        })
    }

    /// Starts the daemon of host `number` with further `arguments`. It knows `contacts`.
    pub(super) fn start(&mut self, number: u8, contacts: &[u8], arguments: &[&str]) -> Result<()> {
        let mut known = Vec::new();
        for contact in contacts {
            let family = self.families[usize::from(number) - 1];
            known.push(self.address(*contact, family));
        }
        let host = Host::start(&self.fleet, number, &known, arguments)?;
        self.hosts[usize::from(number) - 1] = Some(host);
        Ok(())
    }

    /// Where a host of `family` finds host `number`.
    fn address(&self, number: u8, family: Family) -> String {
        let place = match family {
            Family::Ipv6 => format!("/ip6/{NET6}:{number}::2"),
            Family::Both | Family::Ipv4 => format!("/ip4/{NET}.{number}.2"),
        };
        match self.fleet.transport {
            "quic" => format!("{place}/udp/{PEER_PORT}/quic-v1"),
            _libp2p => format!("{place}/tcp/{PEER_PORT}"),
        }
    }

    pub(super) fn host(&self, number: u8) -> Result<&Host> {
        self.hosts[usize::from(number) - 1].as_ref().with_context(|| format!("host {number} runs"))
    }

    pub(super) fn hosts(&self) -> Result<Vec<&Host>> {
        (1..).zip(&self.hosts).map(|(number, _)| self.host(number)).collect()
    }

    /// Waits until hosts are connected with so many others.
    pub(super) fn until_connected(&self, wanted: &[(u8, u64)]) -> Result<()> {
        for (number, count) in wanted {
            let host = self.host(*number)?;
            until(|| Ok(host.stats()?["connected_peers"].as_u64() == Some(*count)))
                .with_context(|| format!("host {number} is not connected with {count}: {}", host.peers()))?;
        }
        Ok(())
    }

    /// Waits until hosts know of so many members, connected or not.
    pub(super) fn until_known(&self, wanted: &[(u8, usize)]) -> Result<()> {
        for (number, count) in wanted {
            let host = self.host(*number)?;
            until(|| Ok(host.known()? == *count))
                .with_context(|| format!("host {number} does not know {count}: {}", host.peers()))?;
        }
        Ok(())
    }

    pub(super) fn calls(&self) -> Result<u64> {
        control("counts?prefix=/repos")?["total"].as_u64().context("counts have a total")
    }
}

/// One host and its daemon.
pub(super) struct Host {
    number: u8,
    directory: TempDir,
    program: String,
    _daemon: Background,
}

impl Host {
    fn start(fleet: &Fleet<'_>, number: u8, contacts: &[String], arguments: &[&str]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let program = fleet.program.to_str().context("a plain path")?.to_owned();
        let mut command = command_inside(number, &program);
        command
            .args(["serve", "--transport", fleet.transport, "--p2p-port", PEER_PORT, "--listen", DOOR])
            .args(["--origin", &fleet.origin, "--cache-dir"])
            .arg(directory.path())
            .args(contacts.iter().flat_map(|contact| ["--bootstrap", contact]))
            .args(arguments)
            .env("CACHE_P2P_SHARED_SECRET", &fleet.secret)
            .stderr(File::create(directory.path().join("log"))?);
        let daemon = Background::start("fleet-cache", &mut command)?;
        let host = Self { number, directory, program, _daemon: daemon };
        until(|| Ok(host.stats().is_ok()))
            .with_context(|| format!("host {number} does not start: {}", host.log()))?;
        Ok(host)
    }

    /// The body of `path`, which has to be answered with 200.
    pub(super) fn get(&self, path: &str) -> Result<String> {
        let token = "Authorization: token ghp_alice";
        let url = format!("http://{DOOR}{path}");
        inside(self.number, "curl", &["-sS", "--fail", "--max-time", "30", "-H", token, &url])
            .with_context(|| format!("host {}: {path}", self.number))
    }

    /// Where it says that others reach it.
    pub(super) fn addresses(&self) -> Result<Vec<String>> {
        let stats = self.stats()?;
        let addresses = stats["addresses"].as_array().context("stats name addresses")?;
        Ok(addresses.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    fn stats(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.command(&["stats", "--json"])?)?)
    }

    /// How many members it knows of, without itself.
    fn known(&self) -> Result<usize> {
        let report: Value = serde_json::from_str(&self.command(&["peers", "--json"])?)?;
        Ok(report["peers"].as_array().context("`peers` lists members")?.len())
    }

    fn peers(&self) -> String {
        let table = self.command(&["peers"]).unwrap_or_else(|error| error.to_string());
        format!("it knows of\n{table}\n{}", self.log())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Runs a command of the program on the host.
    fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = command_inside(self.number, &self.program);
        output(command.args(arguments).arg("--cache-dir").arg(self.directory.path()))
    }
}

/// The namespaces; dropping them removes them, and all that is in them.
struct Namespaces(Vec<String>);

impl Namespaces {
    fn new(hosts: usize) -> Result<Self> {
        let names = (ROUTER..).take(hosts + 1).map(name).collect();
        let namespaces = Self(names);
        namespaces.remove();
        for name in &namespaces.0 {
            ip(&format!("netns add {name}"))
                .map_err(|error| Skipped(format!("no network namespaces: {error:#}")))?;
            ip(&format!("-n {name} link set lo up"))?;
        }
        Ok(namespaces)
    }

    fn remove(&self) {
        for name in &self.0 {
            // There is nothing to remove, as a rule.
            let _absent = ip(&format!("netns del {name}"));
        }
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Lays a line from host `number` to the router, by which it reaches others through `family` alone.
fn connect(number: u8, family: Family) -> Result<()> {
    let (host, router) = (name(number), name(ROUTER));
    ip(&format!("link add h{number} netns {router} type veth peer name eth0 netns {host}"))
        .map_err(|error| Skipped(format!("no lines between namespaces: {error:#}")))?;
    for (place, device, last) in [(&router, format!("h{number}"), 1), (&host, "eth0".to_owned(), 2)] {
        ip(&format!("-n {place} addr add {NET}.{number}.{last}/24 dev {device}"))?;
        if family != Family::Ipv4 {
            ip(&format!("-n {place} addr add {NET6}:{number}::{last}/64 dev {device} nodad"))?;
        }
        ip(&format!("-n {place} link set {device} up"))?;
    }
    if family == Family::Ipv6 {
        // For the origin alone, whose address is part of what members call an entry.
        ip(&format!("-n {host} route add {PUBLIC} via {NET}.{number}.1"))?;
    } else {
        ip(&format!("-n {host} route add default via {NET}.{number}.1"))?;
    }
    if family != Family::Ipv4 {
        ip(&format!("-n {host} -6 route add default via {NET6}:{number}::1"))?;
    }
    Ok(())
}

/// Gives `host` an interface that leads nowhere, with an address that is the same on all hosts, as bridges of containers
/// have it.
fn add_dead_end(host: u8, number: u8) -> Result<()> {
    let (near, far, host) = (format!("dead{number}"), format!("end{number}"), name(host));
    ip(&format!("-n {host} link add {near} type veth peer name {far}"))?;
    ip(&format!("-n {host} addr add 10.1.{number}.1/24 dev {near}"))?;
    ip(&format!("-n {host} link set {near} up"))?;
    ip(&format!("-n {host} link set {far} up"))
}

fn control(command: &str) -> Result<Value> {
    let url = format!("http://127.0.0.1:{ORIGIN_PORT}/_ctl/{command}");
    Ok(serde_json::from_str(&inside(ROUTER, "curl", &["-sS", &url])?)?)
}

fn nft(rules: &str) -> Result<()> {
    inside(ROUTER, "nft", &[rules]).map(drop)
}

fn ip(arguments: &str) -> Result<()> {
    output(Command::new("ip").args(arguments.split(' '))).map(drop)
}

fn inside(number: u8, program: &str, arguments: &[&str]) -> Result<String> {
    output(command_inside(number, program).args(arguments))
}

/// `program`, to be run on host `number`.
fn command_inside(number: u8, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &name(number), program]);
    command
}

fn name(number: u8) -> String {
    format!("fleet-cache-at-{number}")
}

/// The number of the router among the hosts.
const ROUTER: u8 = 0;
/// The first two bytes of all IPv4 addresses; the third is the host's number.
const NET: &str = "10.79";
/// The first 32 bits of all IPv6 addresses; the next 16 are the host's number.
const NET6: &str = "fd79:1";
/// The router, as all hosts can reach it whatever their line.
const PUBLIC: &str = "10.79.3.1";
const ORIGIN_PORT: &str = "8080";
const PEER_PORT: &str = "9100";
const DOOR: &str = "127.0.0.1:8484";
