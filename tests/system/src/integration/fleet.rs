//! Daemons that share: calls saved, members that come, go and die, and time-outs on the way.

use super::{
    addresses, hosts,
    members::{Fleet, Member, get_at_once, until},
    stub::Stub,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// What a check of a fleet finds.
#[derive(Debug)]
pub(super) struct FleetSetting<'a> {
    pub(super) stub: &'a Stub,
    pub(super) program: &'a Path,
    pub(super) transport: &'static str,
}

impl FleetSetting<'_> {
    fn fleet(&self) -> Result<Fleet<'_>> {
        Fleet::new(self.program, self.stub.url(), self.transport)
    }

    pub(super) fn calls(&self, path: &str) -> Result<u64> {
        Ok(self.stub.calls(path)?.total)
    }
}

/// A check, which returns the figures that it saw.
pub(super) type FleetCheck = fn(&FleetSetting<'_>) -> Result<String>;

pub(super) const CHECKS: &[(&str, FleetCheck)] = &[
    ("5 daemons read 3 repositories in turn: 3 calls", in_turn),
    ("5 daemons read 3 repositories all at once: 3 calls", at_once),
    ("2, 5 and 20 daemons ask one key at once: 1 call", one_key),
    ("the coordinator is killed during the call: at most 2 calls, no error", coordinator_killed),
    ("the holder of the lease is killed during the call: at most 2 calls, no error", holder_killed),
    ("a late joiner is served by peers within 2 s of its start", late_joiner),
    ("a restarted node keeps its identity and is found again", restart),
    ("a crash, a leave and a join are seen", comings_and_goings),
    (
        "node 1 of a star is killed: the rest goes on, and a newcomer finds it by one live contact of ten",
        star,
    ),
    ("how large a node with 33 entries is", small),
    ("five hosts, 20 ms and 2 % loss, and a partition for 10 s", hosts::slow_line_and_partition),
    ("five hosts, 20 ms and 2 % loss, and a line that carries one way only for 10 s", hosts::one_way_cut),
    ("addresses: two behind translators share what a third coordinates", addresses::behind_translators),
    ("addresses: two behind translators, with published ports", addresses::behind_published_ports),
    ("addresses: three on IPv6 alone", addresses::ipv6_alone),
    ("addresses: one on IPv4 and one on IPv6 share what one on both coordinates", addresses::both_families),
    ("addresses: three hosts with several interfaces", addresses::several_interfaces),
];

const REPOSITORIES: [&str; 3] = ["/repos/acme/widget-1", "/repos/acme/widget-2", "/repos/acme/widget-3"];

fn in_turn(setting: &FleetSetting<'_>) -> Result<String> {
    let members = setting.fleet()?.grown(5)?;
    for path in REPOSITORIES {
        let bodies: Result<Vec<Vec<u8>>> = members.iter().map(|member| member.body(path)).collect();
        let bodies = bodies?;
        ensure!(bodies.iter().all(|body| *body == bodies[0]), "bodies differ");
    }
    let calls = setting.calls("/repos")?;
    ensure!(calls == 3, "{calls} calls");
    Ok(format!("{calls} calls for 15 reads"))
}

fn at_once(setting: &FleetSetting<'_>) -> Result<String> {
    let members = setting.fleet()?.grown(5)?;
    setting.stub.configure("latency_ms=200")?;
    let all: Vec<&Member> = members.iter().collect();
    thread::scope(|scope| {
        let reads: Vec<_> = REPOSITORIES.iter().map(|path| scope.spawn(|| get_at_once(&all, path))).collect();
        reads.into_iter().try_for_each(|read| read.join().expect("a reader does not panic").map(drop))
    })?;
    let calls = setting.calls("/repos")?;
    ensure!(calls == 3, "{calls} calls");
    Ok(format!("{calls} calls for 15 reads at once"))
}

fn one_key(setting: &FleetSetting<'_>) -> Result<String> {
    let mut figures = Vec::new();
    for count in [2, 5, 20] {
        setting.stub.reset()?;
        let members = setting.fleet()?.grown(count)?;
        setting.stub.configure("latency_ms=300")?;
        let all: Vec<&Member> = members.iter().collect();
        let (_bodies, longest) = get_at_once(&all, REPOSITORIES[0])?;
        let calls = setting.calls(REPOSITORIES[0])?;
        ensure!(calls == 1, "{calls} calls by {count} daemons");
        figures.push(format!("{count} daemons: {calls} call, all answered after {} ms", longest.as_millis()));
    }
    Ok(figures.join("; "))
}

fn coordinator_killed(setting: &FleetSetting<'_>) -> Result<String> {
    killed(setting, |member| {
        Ok(member.figure("aggregate.leases")? > 0 && member.figure("api_calls_made")? == 0)
    })
}

fn holder_killed(setting: &FleetSetting<'_>) -> Result<String> {
    killed(setting, |member| Ok(member.figure("api_calls_made")? > 0))
}

/// Kills, while the origin takes its time, the one member for which `victim` holds; all others ask.
fn killed(setting: &FleetSetting<'_>, victim: fn(&Member) -> Result<bool>) -> Result<String> {
    const LATENCY: Duration = Duration::from_secs(3);
    for number in 1..=PATHS_TRIED {
        setting.stub.reset()?;
        let mut members = setting.fleet()?.grown(5)?;
        setting.stub.configure(&format!("latency_ms={}", LATENCY.as_millis()))?;
        let path = format!("/repos/acme/widget-{number}");
        // The first asks nothing: it can be the coordinator, which then dies with no request waiting at its door.
        let mut idle = members.remove(0);
        let began = Instant::now();
        let outcome = thread::scope(|scope| {
            let askers: Vec<_> =
                members.iter().map(|member| (member, scope.spawn(|| member.curl().get(&path)))).collect();
            until(|| Ok(setting.calls(&path)? == 1))?;
            let idle_is_it = victim(&idle)?;
            if idle_is_it {
                idle.kill();
            }
            let mut victims = Vec::new();
            for (member, _asker) in &askers {
                let is_it = !idle_is_it && victim(member)?;
                if is_it {
                    member.kill_by_id()?;
                }
                victims.push(is_it);
            }
            let mut statuses = Vec::new();
            for ((_member, asker), is_victim) in askers.into_iter().zip(victims) {
                let reply = asker.join().expect("a reader does not panic");
                // The client of the one that was killed goes down with it.
                statuses.push(if is_victim { 0 } else { reply?.status });
            }
            Ok::<_, anyhow::Error>((idle_is_it, statuses))
        });
        let (idle_is_it, statuses) = outcome?;
        let killed = usize::from(idle_is_it) + statuses.iter().filter(|status| **status == 0).count();
        if killed != 1 {
            continue;
        }
        let errors = statuses.iter().filter(|status| !matches!(status, 0 | 200)).count();
        let calls = setting.calls(&path)?;
        ensure!(calls <= 2 && errors == 0, "{calls} calls, statuses {statuses:?}");
        let added = began.elapsed().saturating_sub(LATENCY);
        return Ok(format!("{calls} calls, no error, {} ms beyond one call", added.as_millis()));
    }
    anyhow::bail!("in {PATHS_TRIED} tries nobody could be made out as the one to kill")
}

fn late_joiner(setting: &FleetSetting<'_>) -> Result<String> {
    let fleet = setting.fleet()?;
    let members = fleet.grown(3)?;
    for path in REPOSITORIES {
        members[1].curl().get(path)?;
    }
    let mut late = fleet.member()?;
    let began = Instant::now();
    fleet.start(&mut late, &members[0].addresses()?)?;
    late.until_connected(3)?;
    let joined = began.elapsed();
    for path in REPOSITORIES {
        ensure!(late.curl().get(path)?.status == 200, "{path}");
    }
    let served = began.elapsed();
    let calls = setting.calls("/repos")?;
    ensure!(calls == 3, "{calls} calls");
    ensure!(served < Duration::from_secs(2), "served after {served:?}");
    Ok(format!("connected with 3 after {} ms, served after {} ms", joined.as_millis(), served.as_millis()))
}

fn restart(setting: &FleetSetting<'_>) -> Result<String> {
    let fleet = setting.fleet()?;
    let mut members = fleet.grown(3)?;
    let before = members[2].peer_id()?;
    members[2].kill();
    let contacts = members[0].addresses()?;
    let began = Instant::now();
    fleet.start(&mut members[2], &contacts)?;
    for member in &members {
        member.until_connected(2)?;
    }
    ensure!(members[2].peer_id()? == before, "another identity");
    let found = began.elapsed();
    members[2].curl().get(REPOSITORIES[0])?;
    members[1].curl().get(REPOSITORIES[0])?;
    ensure!(setting.calls(REPOSITORIES[0])? == 1, "not shared after the restart");
    Ok(format!("the same id, connected with all again after {} ms", found.as_millis()))
}

fn comings_and_goings(setting: &FleetSetting<'_>) -> Result<String> {
    let fleet = setting.fleet()?;
    let mut members = fleet.grown(5)?;
    let contacts = members[0].addresses()?;
    let mut gone = members.pop().context("there are five")?;
    gone.kill();
    let crash = all_see(&members, 3)?;
    let began = Instant::now();
    fleet.start(&mut gone, &contacts)?;
    members.push(gone);
    all_see(&members, 4)?;
    let join = began.elapsed();
    let mut gone = members.pop().context("there are five")?;
    gone.end()?;
    let leave = all_see(&members, 3)?;
    ensure!(crash < Duration::from_secs(5), "the crash was seen after {crash:?}");
    ensure!(join < Duration::from_secs(2), "the join was seen after {join:?}");
    ensure!(leave < Duration::from_secs(1), "the leave was seen after {leave:?}");
    let [crash, join, leave] = [crash, join, leave].map(|time| time.as_millis());
    Ok(format!("crash seen after {crash} ms, join {join} ms, leave {leave} ms"))
}

/// Waits until each of `members` is connected with `count` peers.
fn all_see(members: &[Member], count: u64) -> Result<Duration> {
    let began = Instant::now();
    for member in members {
        member.until_connected(count)?;
    }
    Ok(began.elapsed())
}

fn star(setting: &FleetSetting<'_>) -> Result<String> {
    let fleet = setting.fleet()?;
    let mut members = fleet.grown(4)?;
    members[2].curl().get(REPOSITORIES[0])?;
    for member in &members {
        ensure!(member.curl().get(REPOSITORIES[0])?.status == 200, "not served");
    }
    members.remove(0).kill();
    all_see(&members, 2)?;
    members[0].curl().get(REPOSITORIES[1])?;
    members[2].curl().get(REPOSITORIES[1])?;
    let mut newcomer = fleet.member()?;
    // Nine that answer nothing: members that were never started.
    let mut contacts = Vec::new();
    for _ in 0..9 {
        contacts.extend(fleet.member()?.addresses()?);
    }
    contacts.extend(members[1].addresses()?);
    let began = Instant::now();
    fleet.start(&mut newcomer, &contacts)?;
    newcomer.until_connected(3)?;
    let joined = began.elapsed();
    newcomer.curl().get(REPOSITORIES[1])?;
    let calls = setting.calls("/repos")?;
    ensure!(calls == 2, "{calls} calls");
    ensure!(joined < Duration::from_secs(15), "joined after {joined:?}");
    Ok(format!("{calls} calls for 7 reads, joined after {} ms", joined.as_millis()))
}

fn small(setting: &FleetSetting<'_>) -> Result<String> {
    let fleet = setting.fleet()?;
    let members = fleet.grown(2)?;
    for number in 1..=33 {
        members[0].curl().get(&format!("/repos/acme/widget-1/issues/{number}"))?;
    }
    until(|| Ok(members[1].figure("cache_size")? >= 33))?;
    let mib = members[0].resident_kib()? as f64 / 1024.0;
    Ok(format!("{mib:.1} MiB resident with 33 entries and a peer"))
}

/// Repositories tried until the one to kill can be made out.
const PATHS_TRIED: usize = 6;
