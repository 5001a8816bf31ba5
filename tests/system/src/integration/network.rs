//! Network namespaces for five hosts and a hub, and the line between them that delays and loses.
//!
//! Needs root, `ip` and `/dev/net/tun`. Everything is made for the check and taken away at its end.

use super::{
    line::{End, Line, Manner},
    members::until,
};
use crate::process::{Background, output};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{
    net::Ipv4Addr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// The namespaces and the line between them.
pub(super) struct Network {
    pub(super) line: Line,
    /// Taken away after the line, whose devices are inside.
    _namespaces: Namespaces,
}

impl Network {
    pub(super) fn new() -> Result<Self> {
        let namespaces = Namespaces::new()?;
        let slow = |number| End { namespace: name(number), address: address(number), manner: SLOW };
        let mut ends: Vec<End> = (1..=HOSTS).map(slow).collect();
        ends.push(End { namespace: format!("{PREFIX}hub"), address: HUB, manner: PERFECT });
        Ok(Self { line: Line::new(ends, SEED)?, _namespaces: namespaces })
    }

    /// A stand-in of the network's own, at the hub.
    pub(super) fn origin(&self, script: &Path) -> Result<Background> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{PREFIX}hub"), "python3"]).arg(script);
        command.args(["--bind", &HUB.to_string(), "--port", ORIGIN_PORT]).stderr(Stdio::null());
        let origin = Background::start("the stand-in", &mut command)?;
        until(|| Ok(self.control("counts?summary=1").is_ok())).context("the stand-in does not answer")?;
        Ok(origin)
    }

    pub(super) fn control(&self, command: &str) -> Result<Value> {
        let url = format!("http://{HUB}:{ORIGIN_PORT}/_ctl/{command}");
        let hub = format!("{PREFIX}hub");
        let answer = output(Command::new("ip").args(["netns", "exec", &hub, "curl", "-sS", &url]))?;
        Ok(serde_json::from_str(&answer)?)
    }

    pub(super) fn calls(&self) -> Result<u64> {
        self.control("counts?prefix=/repos")?["total"].as_u64().context("counts have a total")
    }

    /// Keeps hosts 4 and 5 from the others, in silence. All still reach the hub.
    pub(super) fn cut(&self, direction: Direction) {
        let inwards = || (1..=3).flat_map(|one| [(address(one), address(4)), (address(one), address(5))]);
        self.line.cut(inwards());
        match direction {
            Direction::Both => self.line.cut(inwards().map(|(from, to)| (to, from))),
            Direction::Inwards => {}
        }
    }
}

/// Which way nothing gets through between hosts 4 and 5 and the others.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    Both,
    /// The two hear nothing, and are heard.
    Inwards,
}

/// The hosts' network namespaces and the hub's; dropping them removes them.
struct Namespaces;

impl Namespaces {
    fn new() -> Result<Self> {
        let namespaces = Self;
        namespaces.remove();
        for name in Self::names() {
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link set lo up"))?;
        }
        Ok(namespaces)
    }

    fn names() -> impl Iterator<Item = String> {
        (1..=HOSTS).map(name).chain([format!("{PREFIX}hub")])
    }

    fn remove(&self) {
        for name in Self::names() {
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

fn ip(arguments: &str) -> Result<()> {
    output(Command::new("ip").args(arguments.split(' '))).map(drop)
}

/// `program`, to be run on host `number`.
pub(super) fn inside(number: u8, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &name(number), program]);
    command
}

/// The namespace of host `number`.
fn name(number: u8) -> String {
    format!("{PREFIX}{number}")
}

pub(super) fn address(number: u8) -> Ipv4Addr {
    let [a, b, c, _] = HUB.octets();
    Ipv4Addr::new(a, b, c, number)
}

pub(super) const HOSTS: u8 = 5;
const PREFIX: &str = "fleet-cache-";
pub(super) const HUB: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);
pub(super) const ORIGIN_PORT: &str = "8080";
/// What happens to the frames that a host sends: 40 ms there and back between two of them.
const SLOW: Manner = Manner { delay: Duration::from_millis(20), loss: 0.02 };
/// The hub adds nothing.
const PERFECT: Manner = Manner { delay: Duration::ZERO, loss: 0.0 };
const SEED: u64 = 20;
