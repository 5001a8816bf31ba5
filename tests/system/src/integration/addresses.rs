//! Members at addresses as fleets have them: behind translators of addresses, on IPv6, on several interfaces.

mod world;

use super::fleet::FleetSetting;
use anyhow::{Result, ensure};
use std::thread;
use world::{Family, Host, World};

/// Two members that nobody can dial, and that cannot reach each other, share what a third coordinates.
pub(super) fn behind_translators(setting: &FleetSetting<'_>) -> Result<String> {
    let mut world = World::new(setting, &[Family::Ipv4; 3])?;
    world.translate(&[1, 2])?;
    world.start(3, &[], &[])?;
    for hidden in [1, 2] {
        world.start(hidden, &[3], &[])?;
    }
    world.until_connected(&[(1, 1), (2, 1), (3, 2)])?;
    world.until_known(&[(1, 2), (2, 2), (3, 2)])?;
    shared_through_a_third(&world)
}

/// The same where the two have published ports, at which others reach them.
pub(super) fn behind_published_ports(setting: &FleetSetting<'_>) -> Result<String> {
    let mut world = World::new(setting, &[Family::Ipv4; 3])?;
    world.translate(&[1, 2])?;
    world.start(3, &[], &[])?;
    for hidden in [1, 2] {
        let published = world.publish(hidden)?;
        world.start(hidden, &[3], &["--p2p-advertise", &published])?;
    }
    world.until_connected(&[(1, 2), (2, 2), (3, 2)])?;
    let calls = read_at_once(&world, &world.hosts()?, RESOURCES)?;
    ensure!(calls == RESOURCES, "{RESOURCES} resources that all want cost {calls} calls");
    Ok(format!("{calls} calls for {RESOURCES} resources that all want, each connected with all"))
}

/// Hosts that reach one another by IPv6 alone, with what a node listens at unless it is told otherwise.
pub(super) fn ipv6_alone(setting: &FleetSetting<'_>) -> Result<String> {
    let mut world = World::new(setting, &[Family::Ipv6; 3])?;
    all_of_one_fleet(&mut world, setting)
}

/// One host on both families, and one on each: the two meet by the third.
pub(super) fn both_families(setting: &FleetSetting<'_>) -> Result<String> {
    let mut world = World::new(setting, &[Family::Ipv4, Family::Ipv6, Family::Both])?;
    world.start(3, &[], &[])?;
    for host in [1, 2] {
        world.start(host, &[3], &[])?;
    }
    world.until_connected(&[(1, 1), (2, 1), (3, 2)])?;
    world.until_known(&[(1, 2), (2, 2), (3, 2)])?;
    shared_through_a_third(&world)
}

/// Hosts with more interfaces than a member has addresses, most of which lead nowhere: as container hosts have them.
pub(super) fn several_interfaces(setting: &FleetSetting<'_>) -> Result<String> {
    let mut world = World::with_dead_ends(setting, &[Family::Ipv4; 3], 5)?;
    all_of_one_fleet(&mut world, setting)
}

/// Starts all of `world`, the first being the contact of all others, and reads the same from all at once.
fn all_of_one_fleet(world: &mut World<'_>, setting: &FleetSetting<'_>) -> Result<String> {
    world.start(1, &[], &[])?;
    for host in [2, 3] {
        world.start(host, &[1], &[])?;
    }
    world.until_connected(&[(1, 2), (2, 2), (3, 2)])?;
    let told = world.host(1)?.addresses()?;
    ensure!(!told.iter().any(|address| address.contains("/fe80:")), "told are {told:?}");
    let calls = read_at_once(world, &world.hosts()?, RESOURCES)?;
    ensure!(calls == RESOURCES, "{RESOURCES} resources that all want cost {calls} calls");
    Ok(format!("{} told {}; {calls} calls for {RESOURCES} resources", setting.transport, told.join(" ")))
}

/// Reads the same from hosts 1 and 2, which do not reach each other. What neither of them coordinates, a third of all if
/// there are three, costs one call; the rest may cost two.
fn shared_through_a_third(world: &World<'_>) -> Result<String> {
    let calls = read_at_once(world, &[world.host(1)?, world.host(2)?], MANY)?;
    ensure!((MANY..2 * MANY).contains(&calls), "{MANY} resources that both want cost {calls} calls");
    Ok(format!("{calls} calls for {MANY} resources that the two want"))
}

/// Reads so many `resources` from all `hosts` at once. Returns the calls that it took.
fn read_at_once(world: &World<'_>, hosts: &[&Host], resources: u64) -> Result<u64> {
    let paths: Vec<String> = (1..=resources).map(|number| format!("/repos/acme/widget-{number}")).collect();
    let bodies: Result<Vec<Vec<String>>> = thread::scope(|scope| {
        let readers: Vec<_> = hosts
            .iter()
            .map(|host| scope.spawn(|| paths.iter().map(|path| host.get(path)).collect()))
            .collect();
        readers.into_iter().map(|reader| reader.join().expect("a reader does not panic")).collect()
    });
    let bodies = bodies?;
    ensure!(bodies.iter().all(|read| *read == bodies[0]), "bodies differ");
    world.calls()
}

/// How many resources are read from hosts that share.
const RESOURCES: u64 = 10;
/// The same where some of them are coordinated by a third: enough that it is never none of them.
const MANY: u64 = 30;
