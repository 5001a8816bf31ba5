//! An origin that goes away, or says nothing, and is back.

use super::{
    super::{fleet::FleetSetting, members::until, reader::Diet, stub::Stub},
    LONG,
    world::{Outcome, World},
};
use crate::process::{free_address, signal};
use anyhow::{Context as _, Result, ensure};
use std::{
    cell::RefCell,
    thread,
    time::{Duration, Instant},
};

pub(super) fn killed(setting: &FleetSetting<'_>) -> Result<Outcome> {
    let address = free_address()?;
    let script = setting.stub.script();
    let first = Stub::start_at(script, address)?;
    let running = RefCell::new(None);
    let id = first.id();
    let outcome = away(
        setting,
        &first,
        LONG,
        || signal(id, "KILL"),
        || {
            let again = until(|| Ok(std::net::TcpListener::bind(address).is_ok()));
            again.context("the port is not free")?;
            running.replace(Some(Stub::start_at(script, address)?));
            Ok(())
        },
    );
    drop(running.take());
    outcome
}

pub(super) fn silent(setting: &FleetSetting<'_>) -> Result<Outcome> {
    let stub = Stub::start_at(setting.stub.script(), free_address()?)?;
    let id = stub.id();
    away(setting, &stub, SILENT, || signal(id, "STOP"), || signal(id, "CONT"))
}

/// Takes the origin away by `go` for `time`, and brings it back.
fn away(
    setting: &FleetSetting<'_>,
    stub: &Stub,
    time: Duration,
    go: impl FnOnce() -> Result<()>,
    come_back: impl FnOnce() -> Result<()>,
) -> Result<Outcome> {
    let mut world = World::of_origin(setting, stub)?;
    world.under_reads(&[0, 1, 2], Diet::Known, |world, reads| {
        go()?;
        let began = Instant::now();
        let unknown = world.members[0].curl().get("/repos/acme/widget-5000")?;
        let took = began.elapsed();
        let cause = unknown.header("cache-status").to_owned();
        ensure!(matches!(unknown.status, 502..=504), "an unknown answer is {}", unknown.status);
        ensure!(unknown.json()?["message"].is_string(), "{} without a message", unknown.status);
        thread::sleep(time.saturating_sub(began.elapsed()));
        let stale = reads.seen().stale;
        ensure!(stale > 0, "nothing stale was served");
        come_back()?;
        let began = Instant::now();
        let served = |number: usize| {
            until(|| Ok(world.members[number].curl().get("/repos/acme/widget-5001")?.status == 200))
        };
        for number in 0..world.members.len() {
            served(number).context("no call though the origin is back")?;
        }
        let recovered = began.elapsed();
        loop {
            let before = reads.seen().stale;
            reads.more(60)?;
            if reads.seen().stale == before {
                break;
            }
            ensure!(began.elapsed() < FRESH_MAX, "stale answers {FRESH_MAX:?} after the origin is back");
        }
        Ok((
            format!(
                "{stale} stale answers; an unknown one: {} after {} ms, {cause}",
                unknown.status,
                took.as_millis()
            ),
            format!(
                "all nodes call again {} ms after, the last stale answer within {} s",
                recovered.as_millis(),
                began.elapsed().as_secs()
            ),
        ))
    })
}

/// Three time-outs of two seconds.
const SILENT: Duration = Duration::from_secs(6);
/// Longest time in which a failed call is not repeated, which is 10 s, and two looks.
const FRESH_MAX: Duration = Duration::from_secs(15);
