//! What happens to a fleet while it is read from: writes, clients that hang up, and a member that is killed.

use super::super::{
    members::{Fleet, Member},
    reader::Reads,
};
use crate::web;
use anyhow::{Context as _, Result, ensure};
use std::{
    fmt,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A fleet of three, of which the last member is killed again and again.
pub(super) struct Turmoil<'a> {
    fleet: &'a Fleet<'a>,
    seen: Counts,
    /// Writes that failed, or that could not be read back, in words.
    failed: Mutex<Vec<String>>,
    began: Instant,
    is_over: AtomicBool,
}

/// What came of it.
#[derive(Debug, Default)]
struct Counts {
    kills: AtomicU64,
    hang_ups: AtomicU64,
    writes: AtomicU64,
    /// Reads elsewhere, begun after a write was answered, that showed what had been before it.
    old_reads: AtomicU64,
}

impl<'a> Turmoil<'a> {
    pub(super) fn new(fleet: &'a Fleet<'a>) -> Self {
        Self {
            fleet,
            seen: Counts::default(),
            failed: Mutex::default(),
            began: Instant::now(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Makes turmoil for as long as `meanwhile` takes, in addition to what `reads` does; an error if a member does
    /// not come back.
    pub(super) fn around<T>(
        &self,
        members: &mut [Member],
        reads: &Reads,
        meanwhile: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let doors: Vec<_> = members.iter().map(|member| member.door).collect();
        let (last, standing) = members.split_last_mut().context("a fleet has members")?;
        let standing = &*standing;
        thread::scope(|scope| {
            let _over = Over(&self.is_over);
            scope.spawn(|| self.write(&doors[..standing.len()]));
            // Told at once: the end of a long run is hours away.
            let killer = scope.spawn(|| {
                self.kill(last, standing, reads).inspect_err(|error| println!("a killed member: {error:#}"))
            });
            scope.spawn(|| self.hang_up(&doors));
            let outcome = meanwhile();
            self.is_over.store(true, Ordering::Relaxed);
            killer.join().expect("the killer does not panic").context("a killed member")?;
            outcome
        })
    }

    /// An error where a write failed, or more reads after an answered write were old than `unconfirmed` writes were
    /// counted.
    pub(super) fn judge(&self, unconfirmed: u64) -> Result<()> {
        let failed = self.failed.lock().expect(UNBROKEN);
        ensure!(failed.is_empty(), "{} writes failed: {}", failed.len(), failed.join("; "));
        let old = self.seen.old_reads.load(Ordering::Relaxed);
        ensure!(
            old <= unconfirmed,
            "{old} reads after a write were old, and {unconfirmed} writes unconfirmed"
        );
        Ok(())
    }

    /// Changes a repository through one door and reads it at the next, which has read it before.
    fn write(&self, doors: &[SocketAddr]) {
        for round in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let (writer, reader) = (doors[round % doors.len()], doors[(round + 1) % doors.len()]);
            let path = format!("/repos/acme/widget-{}", WRITTEN_FIRST + round % WRITTEN_COUNT);
            match write_and_read(writer, reader, &path) {
                Ok(is_new) => {
                    self.seen.writes.fetch_add(1, Ordering::Relaxed);
                    self.seen.old_reads.fetch_add(u64::from(!is_new), Ordering::Relaxed);
                }
                Err(error) => {
                    let minutes = self.began.elapsed().as_secs() / 60;
                    self.failed.lock().expect(UNBROKEN).push(format!("{error:#} after {minutes} min"));
                }
            }
            thread::sleep(WRITE_PERIOD);
        }
    }

    /// Kills `last` and starts it again, until it is enough.
    fn kill(&self, last: &mut Member, standing: &[Member], reads: &Reads) -> Result<()> {
        let number = standing.len();
        while self.slept(KILL_PERIOD) {
            reads.leave_out(number);
            last.kill();
            self.fleet.start(last, &standing[0].addresses()?)?;
            last.until_connected(number as u64).with_context(|| views(standing))?;
            reads.take_in(number);
            self.seen.kills.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Sleeps for `length`, or until it is enough. Returns whether there is more to do.
    fn slept(&self, length: Duration) -> bool {
        let end = Instant::now() + length;
        while Instant::now() < end && !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(TICK);
        }
        !self.is_over.load(Ordering::Relaxed)
    }

    /// Breaks off requests in every way there is, at every door, also at one where nothing listens just now.
    fn hang_up(&self, doors: &[SocketAddr]) {
        for round in 0_usize.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let repository = HUNG_UP_FIRST + round % HUNG_UP_COUNT;
            let (method, length) = if round.is_multiple_of(2) { ("GET", 0) } else { ("POST", 20) };
            let path = format!("/repos/acme/widget-{repository}/issues");
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: api.github.com\r\nAuthorization: token ghp_alice\r\n\
                 Content-Length: {length}\r\n\r\n"
            );
            let whole = format!("{head}{}", &"{\"title\": \"broken\"}  "[..length]);
            let sent = match round % 3 {
                0 => head.len() / 2,
                1 => whole.len() - length / 2,
                _all => whole.len(),
            };
            // The door may be that of the member that is dead.
            if let Ok(mut stream) = TcpStream::connect(doors[round % doors.len()]) {
                let _gone_already = stream.write_all(&whole.as_bytes()[..sent]);
                if round.is_multiple_of(5) {
                    let _nothing_came = stream.set_read_timeout(Some(TICK));
                    let _nothing_came = stream.read(&mut [0; 16]);
                }
                self.seen.hang_ups.fetch_add(1, Ordering::Relaxed);
            }
            thread::sleep(HANG_UP_PERIOD);
        }
    }
}

/// The peers that each of `members` knows, for a member that does not find all of them.
fn views(members: &[Member]) -> String {
    let view = |member: &Member| {
        format!("{} knows of\n{}", member.listen, member.peers().unwrap_or_else(|error| error.to_string()))
    };
    members.iter().map(view).collect()
}

/// Writes `path` at one door and reads it at another, which had it before. Returns whether that reads what was
/// written.
fn write_and_read(writer: SocketAddr, reader: SocketAddr, path: &str) -> Result<bool> {
    web::get(reader, path, HEADERS)?;
    let answer = web::send(writer, "PATCH", path, HEADERS, b"{\"description\": \"new\"}")?;
    ensure!(answer.status == 200, "PATCH {path}: answered {}", answer.status);
    let answer: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let revision = answer["revision"].as_u64().context("a write tells the revision it made")?;
    let read = String::from_utf8(web::get(reader, path, HEADERS)?)?;
    Ok(read.contains(&format!("revision {revision}\"")))
}

impl fmt::Display for Turmoil<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kills, hang_ups, writes, old_reads] =
            [&self.seen.kills, &self.seen.hang_ups, &self.seen.writes, &self.seen.old_reads]
                .map(|count| count.load(Ordering::Relaxed));
        write!(f, "{kills} kills, {hang_ups} requests broken off, {writes} writes read back, {old_reads} old")
    }
}

/// Ends it, also when what it accompanies fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const UNBROKEN: &str = "nobody panics with the lock held";
const HEADERS: &[(&str, &str)] = &[("Authorization", "token ghp_alice")];
const WRITE_PERIOD: Duration = Duration::from_millis(200);
const HANG_UP_PERIOD: Duration = Duration::from_millis(100);
const KILL_PERIOD: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(50);
/// First number of the repositories that only this check reads.
const WRITTEN_FIRST: usize = 30;
const WRITTEN_COUNT: usize = 30;
const HUNG_UP_FIRST: usize = 60;
const HUNG_UP_COUNT: usize = 30;
