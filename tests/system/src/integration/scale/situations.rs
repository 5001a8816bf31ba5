//! The situations that a fleet of long-lived daemons is put into.

use super::{
    Line,
    clients::Clients,
    daemon::{Daemon, Daemons, until_mesh},
    machine::loopback,
    paid_calls,
};
use crate::integration::stub::Stub;
use anyhow::Result;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// All start at once and know the first alone.
pub(super) fn join(daemons: &mut Daemons<'_>, nodes: usize) -> Result<Line> {
    let mut first = daemons.daemon(&[], LIFETIME)?;
    first.start()?;
    first.until_ready()?;
    daemons.all.push(first);
    let contact = [daemons.contact(0)?];
    let began = Instant::now();
    for _ in 1..nodes {
        let mut daemon = daemons.daemon(&contact, LIFETIME)?;
        daemon.start()?;
        daemons.all.push(daemon);
    }
    let line = until_joined(daemons, began, nodes - 1)?;
    let mut processor = Duration::ZERO;
    for daemon in &daemons.all {
        processor += daemon.processor_time()?;
    }
    Ok(line.with("processor_s", seconds(processor)))
}

/// Nothing is asked of anybody.
pub(super) fn idle(daemons: &Daemons<'_>) -> Result<Line> {
    let used = || daemons.all.iter().map(Daemon::processor_time).sum::<Result<Duration>>();
    thread::sleep(SETTLE);
    let (before, sent_before, began) = (used()?, loopback()?, Instant::now());
    thread::sleep(IDLE);
    let (after, sent, took) = (used()?, loopback()?, began.elapsed().as_secs_f64());
    let of_each = |figure: f64| figure / took / daemons.all.len() as f64;
    let kib: u64 = daemons.all.iter().map(Daemon::resident_kib).sum::<Result<u64>>()?;
    let processor = of_each((after - before).as_secs_f64()) * 100.0;
    Ok(Line::default()
        .with("processor_percent_each", (processor * 1000.0).round() / 1000.0)
        .with("sent_bytes_s_each", of_each((sent.0 - sent_before.0) as f64).round())
        .with("sent_packets_s_each", of_each((sent.1 - sent_before.1) as f64).round())
        .with("resident_mib_each", (kib as f64 / 1024.0 / daemons.all.len() as f64).round()))
}

/// Many are killed at once, and in the 5 s after that three of the others each want resources that nobody has.
pub(super) fn kill(daemons: &mut Daemons<'_>, stub: &Stub) -> Result<Line> {
    let killed = daemons.all.len() * KILLED_PERCENT / 100;
    let left = daemons.all.len() - killed;
    let (living, dead) = daemons.all.split_at_mut(left);
    for daemon in dead.iter() {
        daemon.signal("KILL")?;
    }
    let clients = Clients::new(LIFETIME);
    let living: Vec<&Daemon> = living.iter().collect();
    let (forgotten, incomplete) = thread::scope(|scope| {
        for number in 0..COLD {
            let readers = (0..3).map(|reader| living[(number * 7 + reader * 13) % living.len()]);
            for daemon in readers {
                let clients = &clients;
                scope.spawn(move || {
                    thread::sleep(COLD_PERIOD * u32::try_from(number).unwrap_or(u32::MAX));
                    clients.read(daemon.door(), &format!("/repos/acme/widget-3{number:03}"), TOKEN)
                });
            }
        }
        until_mesh(&living, living.len() - 1)
    });
    let line = Line::default()
        .with("killed", killed)
        .with("forgotten_s", seconds(forgotten))
        .with("incomplete", incomplete)
        .with("calls", paid_calls(stub, "/repos/acme/widget-3")?)
        .with("ideal", clients.ideal());
    let line = clients.tell(line);
    for daemon in dead.iter_mut() {
        daemon.kill();
        daemon.start()?;
    }
    let all = daemons.all.len() - 1;
    let began = Instant::now();
    until_joined(daemons, began, all)?;
    Ok(line.with("back_after_s", seconds(began.elapsed())))
}

/// The only contact is dead while others join, and then comes back.
pub(super) fn dead_contact(daemons: &mut Daemons<'_>) -> Result<Line> {
    let contact = [daemons.contact(0)?];
    daemons.all[0].kill();
    let began = daemons.all.len();
    for _ in 0..NEWCOMERS {
        let mut daemon = daemons.daemon(&contact, LIFETIME)?;
        daemon.start()?;
        daemons.all.push(daemon);
    }
    for daemon in &daemons.all[began..] {
        daemon.until_ready()?;
    }
    thread::sleep(ALONE);
    let alone = daemons.all[began..].iter().filter(|daemon| daemon.peers_count().ok() == Some(0)).count();
    daemons.all[0].start()?;
    let (back, all) = (Instant::now(), daemons.all.len() - 1);
    let line = until_joined(daemons, back, all)?;
    Ok(line.with("newcomers", NEWCOMERS).with("alone_meanwhile", alone))
}

/// One after the other is restarted, under reads.
pub(super) fn rolling_restart(daemons: &mut Daemons<'_>, stub: &Stub) -> Result<Line> {
    let clients = Clients::new(LIFETIME);
    let before = paid_calls(stub, WARM)?;
    let began = Instant::now();
    for number in 0..daemons.all.len() {
        let reader = (number + daemons.all.len() / 2) % daemons.all.len();
        daemons.all[number].signal("TERM")?;
        let door = daemons.all[reader].door().to_owned();
        read_while(&clients, &door, || {
            daemons.all[number].end_begun()?;
            daemons.all[number].start()?;
            daemons.all[number].until_ready()
        })?;
    }
    let took = began.elapsed();
    let all = daemons.all.len() - 1;
    let line = until_joined(daemons, Instant::now(), all)?;
    let calls = paid_calls(stub, WARM)? - before;
    Ok(clients.tell(line.with("took_s", seconds(took)).with("calls", calls).with("ideal", clients.ideal())))
}

/// All are killed and start at once; then all want the same ten resources at once.
pub(super) fn herd_restart(daemons: &mut Daemons<'_>, stub: &Stub) -> Result<Line> {
    for daemon in &mut daemons.all {
        daemon.kill();
    }
    let began = Instant::now();
    for daemon in &mut daemons.all {
        daemon.start()?;
    }
    let all = daemons.all.len() - 1;
    let line = until_joined(daemons, began, all)?;
    let clients = Clients::new(LIFETIME);
    thread::scope(|scope| {
        for daemon in &daemons.all {
            let clients = &clients;
            scope.spawn(move || {
                for number in 0..HERD {
                    clients.read(daemon.door(), &format!("/repos/acme/widget-4{number:03}"), TOKEN);
                }
            });
        }
    });
    let calls = paid_calls(stub, "/repos/acme/widget-4")?;
    Ok(clients.tell(line.with("calls", calls).with("ideal", clients.ideal())))
}

/// Waits until all of `daemons` run and each is connected with `count`.
fn until_joined(daemons: &Daemons<'_>, began: Instant, count: usize) -> Result<Line> {
    for daemon in &daemons.all {
        daemon.until_ready()?;
    }
    let up = began.elapsed();
    let (_took, incomplete) = until_mesh(&daemons.all.iter().collect::<Vec<_>>(), count);
    Ok(Line::default()
        .with("up_s", seconds(up))
        .with("mesh_s", seconds(began.elapsed()))
        .with("incomplete", incomplete))
}

/// Reads twenty resources at `door` again and again for as long as `meanwhile` takes.
fn read_while(
    clients: &Clients,
    door: &std::path::Path,
    meanwhile: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in (0..20).cycle() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                clients.read(door, &format!("{WARM}{number:03}"), TOKEN);
                thread::sleep(READ_PERIOD);
            }
        });
        let outcome = meanwhile();
        is_over.store(true, Ordering::Relaxed);
        outcome
    })
}

/// `time` in tenths of a second, as far as figures of a busy machine go.
pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

const TOKEN: &str = "ghp_alice";
/// What is read under a rolling restart.
const WARM: &str = "/repos/acme/widget-5";
/// Longer than any situation but the one with guests of its own.
const LIFETIME: Duration = Duration::from_secs(120);
/// Of a hundred daemons, how many are killed at once: of eighty, thirty.
const KILLED_PERCENT: usize = 38;
/// Resources that nobody has read when many are killed, and how far apart they are wanted.
const COLD: usize = 100;
const COLD_PERIOD: Duration = Duration::from_millis(50);
const NEWCOMERS: usize = 5;
/// How long newcomers look for a dead contact.
const ALONE: Duration = Duration::from_secs(10);
/// What a herd wants at once.
const HERD: usize = 10;
const READ_PERIOD: Duration = Duration::from_millis(20);
/// For what joining has left to do.
const SETTLE: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(15);
