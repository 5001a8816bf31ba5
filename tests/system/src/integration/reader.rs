//! Clients that read all the time, at a steady rate, while something else happens.
//!
//! They note errors, the longest answer, and answers that are older than the policy permits: one repository is
//! changed every second, and its answers tell their revision.

use super::stub::Stub;
use crate::web::{self, Answer};
use anyhow::{Result, ensure};
use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Which repositories are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Diet {
    /// Twenty repositories again and again, the changing one, and some that were not read of late.
    Mixed,
    /// Twenty repositories again and again, which do not change.
    Known,
}

/// Reads at `doors`, one read in `period` at each, for as long as `meanwhile` takes.
///
/// The daemons behind have to keep answers for [`LIFETIME`].
pub(super) fn reading<T>(
    stub: &Stub,
    doors: &[SocketAddr],
    diet: Diet,
    period: Duration,
    meanwhile: impl FnOnce(&Reads) -> Result<T>,
) -> Result<(T, Seen)> {
    let reads = &Reads::new(doors);
    let outcome = thread::scope(|scope| {
        let _over = Over(&reads.is_over);
        for door in &reads.doors {
            scope.spawn(move || reads.read(door, diet, period));
        }
        if diet == Diet::Mixed {
            scope.spawn(move || reads.change(stub));
        }
        meanwhile(reads)
    })?;
    let seen = reads.seen().clone();
    Ok((outcome, seen))
}

/// Reads while they go on.
#[derive(Debug)]
pub(super) struct Reads {
    doors: Vec<Door>,
    is_over: AtomicBool,
    /// How many of those there were.
    new: AtomicU64,
    /// Revisions, and when each had come to be.
    revisions: Mutex<Vec<(u64, Instant)>>,
    seen: Mutex<Seen>,
}

impl Reads {
    fn new(doors: &[SocketAddr]) -> Self {
        let door = |address: &SocketAddr| Door { address: *address, is_in_service: Mutex::new(true) };
        Self {
            doors: doors.iter().map(door).collect(),
            is_over: AtomicBool::new(false),
            new: AtomicU64::new(0),
            revisions: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// Stops reading at door `number` once the read in progress has ended, as a load balancer would.
    pub(super) fn leave_out(&self, number: usize) {
        *self.doors[number].is_in_service.lock().expect(UNBROKEN) = false;
    }

    /// Reads there again, as before.
    pub(super) fn take_in(&self, number: usize) {
        *self.doors[number].is_in_service.lock().expect(UNBROKEN) = true;
    }

    /// Waits until `count` more reads have been made at whichever doors.
    pub(super) fn more(&self, count: u64) -> Result<()> {
        let (end, target) = (Instant::now() + PATIENCE, self.seen().reads + count);
        while self.seen().reads < target {
            ensure!(Instant::now() < end, "{count} reads have not been made in {PATIENCE:?}");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect(UNBROKEN)
    }

    fn read(&self, door: &Door, diet: Diet, period: Duration) {
        for number in 0_u64.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let began = Instant::now();
            {
                let is_in_service = door.is_in_service.lock().expect(UNBROKEN);
                if *is_in_service {
                    let path = self.path(number, diet);
                    let answer = web::fetch(door.address, &path, &[("Authorization", "token ghp_alice")]);
                    self.note(&path, began, answer);
                }
            }
            thread::sleep(period.saturating_sub(began.elapsed()));
        }
    }

    fn path(&self, number: u64, diet: Diet) -> String {
        match (diet, number % 5) {
            (Diet::Mixed, 0) => WATCHED.to_owned(),
            (Diet::Mixed, 1) => {
                let new = self.new.fetch_add(1, Ordering::Relaxed);
                format!("/repos/acme/widget-{}", FIRST_NEW + new % NEW_MAX)
            }
            (Diet::Known | Diet::Mixed, _) => format!("/repos/acme/widget-{}", 1 + number % 20),
        }
    }

    /// Changes the watched repository every second.
    fn change(&self, stub: &Stub) {
        while !self.is_over.load(Ordering::Relaxed) {
            // An origin that does not answer has changed nothing that could be told.
            if let Ok(revision) = stub.mutate("acme/widget-0") {
                self.revisions.lock().expect(UNBROKEN).push((revision, Instant::now()));
            }
            thread::sleep(Duration::from_secs(1));
        }
    }

    fn note(&self, path: &str, began: Instant, answer: Result<Answer>) {
        let took = began.elapsed();
        let mut seen = self.seen();
        seen.reads += 1;
        seen.longest = seen.longest.max(took);
        let error = match answer {
            Ok(answer) if answer.status == 200 => {
                if answer.cache_status.contains("; ttl=-") {
                    seen.stale += 1;
                } else if path == WATCHED {
                    let outdated = self.outdated(&answer.body, began);
                    seen.outdated += u64::from(!outdated.is_zero());
                    seen.oldest = seen.oldest.max(outdated);
                }
                return;
            }
            Ok(answer) => format!("{path}: {}, {}", answer.status, answer.cache_status),
            Err(error) => format!("{path}: {error:#}"),
        };
        seen.errors += 1;
        if seen.examples.len() < EXAMPLES_MAX {
            seen.examples.push(format!("{error} after {} ms", took.as_millis()));
        }
    }

    /// By how much `body`, asked for at `began`, is older than the policy permits.
    fn outdated(&self, body: &[u8], began: Instant) -> Duration {
        let text = String::from_utf8_lossy(body);
        let revision = text
            .split("revision ")
            .nth(1)
            .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok());
        let revisions = self.revisions.lock().expect(UNBROKEN);
        let replaced =
            revisions.iter().find(|(number, _)| revision.is_some_and(|revision| *number > revision));
        let age = replaced.map_or(Duration::ZERO, |(_, at)| began.saturating_duration_since(*at));
        age.saturating_sub(LIFETIME + SLACK)
    }
}

/// One door that is read from.
#[derive(Debug)]
struct Door {
    address: SocketAddr,
    /// Held during a read, so that a door is left out between two.
    is_in_service: Mutex<bool>,
}

/// Ends the reads, also when what they accompany panics.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the readers saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) reads: u64,
    /// Answers other than 200, and reads without an answer.
    pub(super) errors: u64,
    /// The first errors, in words.
    pub(super) examples: Vec<String>,
    pub(super) longest: Duration,
    /// Answers from the cache that say that they are stale, which the policy permits while the origin fails.
    pub(super) stale: u64,
    /// Answers that had been replaced for longer than their lifetime, and did not say so.
    pub(super) outdated: u64,
    /// The longest past that lifetime.
    pub(super) oldest: Duration,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reads, errors, longest, stale, outdated, .. } = self;
        let longest = longest.as_millis();
        write!(
            f,
            "{reads} reads, {errors} errors, {outdated} outdated, {stale} marked stale, longest {longest} ms"
        )
    }
}

const UNBROKEN: &str = "nobody panics with the lock held";
const WATCHED: &str = "/repos/acme/widget-0";
/// Repositories from here on are read once each, and then once more.
const FIRST_NEW: u64 = 100;
/// How many there are.
const NEW_MAX: u64 = 9_900;
/// How long daemons that are read from keep answers: short, so that old ones show soon.
pub(super) const LIFETIME: Duration = Duration::from_secs(2);
/// What dates of whole seconds leave open.
const SLACK: Duration = Duration::from_secs(1);
const EXAMPLES_MAX: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads of a repository whose second revision came `ago`.
    fn changed(ago: Duration) -> Reads {
        let reads = Reads::new(&[]);
        let at = Instant::now().checked_sub(ago).expect("the machine has run for longer");
        reads.revisions.lock().unwrap().extend([(1, at), (2, at + Duration::from_secs(1))]);
        reads
    }

    fn answered(reads: &Reads, revision: u64, cache_status: &str) -> Seen {
        let body = format!("{{\"description\": \"synthetic repository, revision {revision}\"}}").into_bytes();
        let answer = Answer { status: 200, cache_status: cache_status.to_owned(), body };
        reads.note(WATCHED, Instant::now(), Ok(answer));
        reads.seen().clone()
    }

    #[test]
    fn an_answer_replaced_longer_ago_than_its_lifetime_is_outdated() {
        let reads = changed(LIFETIME + SLACK + Duration::from_millis(100));
        let seen = answered(&reads, 0, "fleet-cache; hit; ttl=1");
        assert_eq!((seen.outdated, seen.errors), (1, 0));
        assert!(seen.oldest >= Duration::from_millis(100));
    }

    #[test]
    fn an_answer_within_its_lifetime_and_the_newest_one_are_not() {
        let reads = changed(LIFETIME);
        assert_eq!(answered(&reads, 0, "fleet-cache; hit; ttl=1").outdated, 0);
        let reads = changed(Duration::from_secs(60));
        assert_eq!(answered(&reads, 2, "fleet-cache; hit; ttl=1").outdated, 0);
    }

    #[test]
    fn an_answer_that_says_that_it_is_stale_is_counted_as_that() {
        let reads = changed(Duration::from_secs(60));
        let seen = answered(&reads, 0, "fleet-cache; fwd=stale; ttl=-58; detail=stale-if-error");
        assert_eq!((seen.outdated, seen.stale), (0, 1));
    }

    #[test]
    fn another_status_and_no_answer_are_errors() {
        let reads = Reads::new(&[]);
        let refused = Answer { status: 502, cache_status: String::new(), body: Vec::new() };
        reads.note("/a", Instant::now(), Ok(refused));
        reads.note("/b", Instant::now(), Err(anyhow::anyhow!("refused")));
        assert_eq!(reads.seen().errors, 2);
        assert_eq!(reads.seen().examples.len(), 2);
    }
}
