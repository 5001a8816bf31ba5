//! Daemons that live for a minute or three, as on runners: some 25 at a time, beside two that stay.

use super::{
    super::fleet::FleetSetting,
    Line,
    clients::{Clients, told},
    daemon::{Daemon, Daemons},
    paid_calls,
};
use anyhow::Result;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// What one runner is drawn to do.
struct Job {
    number: u64,
    begins_after: Duration,
    lives: Duration,
    /// Whether it reads all that it wants at once, when it starts.
    reads_at_once: bool,
    /// Whether it is killed in the end; others leave.
    is_killed: bool,
    resources: Vec<u64>,
}

/// Lets jobs come and go for [`LASTS`], as guests of the two that stay if `are_guests`. Returns their figures.
pub(super) fn measure(setting: &FleetSetting<'_>, are_guests: bool) -> Result<Line> {
    setting.stub.reset_counts()?;
    let mut daemons = Daemons::new(setting)?;
    let mut contacts = Vec::new();
    for number in 0..2 {
        let mut daemon = daemons.daemon(&contacts, LIFETIME)?;
        daemon.start()?;
        daemon.until_ready()?;
        daemons.all.push(daemon);
        contacts.push(daemons.contact(number)?);
    }
    let mut jobs = Vec::new();
    for job in drawn(&mut StdRng::seed_from_u64(SEED)) {
        let daemon = daemons.daemon(&contacts, LIFETIME)?;
        jobs.push((if are_guests { daemon.made_guest() } else { daemon }, job));
    }
    let (count, began) = (jobs.len(), Instant::now());
    let clients = Clients::new(LIFETIME);
    let first_hits = Mutex::new(Vec::new());
    let (seen, hits) = (&clients, &first_hits);
    thread::scope(|scope| {
        let runs: Vec<_> = jobs
            .into_iter()
            .map(|(daemon, job)| scope.spawn(move || perform(daemon, &job, began, seen, hits)))
            .collect();
        runs.into_iter().try_for_each(|run| run.join().expect("a job does not panic"))
    })?;
    let mut first_hits = first_hits.into_inner().expect("no job has panicked");
    let calls = paid_calls(setting.stub, "/repos")?;
    let confirmations = setting.stub.calls("/repos")?.with_status(304);
    let ideal = clients.ideal();
    let line = Line::default()
        .with("jobs", count)
        .with("calls", calls)
        .with("ideal", ideal)
        .with("calls_of_ideal", (calls as f64 / ideal as f64 * 1000.0).round() / 1000.0)
        .with("confirmations", confirmations);
    Ok(clients.tell(told("first_hit", &mut first_hits, line)))
}

fn perform(
    mut daemon: Daemon,
    job: &Job,
    began: Instant,
    clients: &Clients,
    first_hits: &Mutex<Vec<Duration>>,
) -> Result<()> {
    thread::sleep(job.begins_after.saturating_sub(began.elapsed()));
    let started = Instant::now();
    daemon.start()?;
    daemon.until_listening();
    let token = format!("ghs_job{}", job.number);
    let mut has_hit = false;
    let period = if job.reads_at_once { Duration::ZERO } else { job.lives / (READS + 1) };
    for resource in &job.resources {
        let made = clients.read(daemon.door(), &format!("/repos/acme/widget-{resource}"), &token);
        if !has_hit && made.contains("; hit") {
            has_hit = true;
            first_hits.lock().expect("no job has panicked").push(started.elapsed());
        }
        thread::sleep(period);
    }
    thread::sleep(job.lives.saturating_sub(started.elapsed()));
    if job.is_killed {
        daemon.kill();
        return Ok(());
    }
    daemon.end()
}

fn drawn(random: &mut StdRng) -> Vec<Job> {
    let between = LIVES_MEAN / ALIVE;
    (0..)
        .map(|number: u64| Job {
            number,
            begins_after: between * u32::try_from(number).unwrap_or(u32::MAX),
            lives: random.random_range(LIVES_MIN..LIVES_MAX),
            reads_at_once: random.random_bool(0.5),
            is_killed: random.random_bool(0.5),
            resources: (0..READS).map(|_| random.random_range(0..RESOURCES)).collect(),
        })
        .take_while(|job| job.begins_after < LASTS)
        .collect()
}

/// How many jobs are alive at a time, once it has begun.
const ALIVE: u32 = 25;
const LIVES_MIN: Duration = Duration::from_secs(60);
const LIVES_MAX: Duration = Duration::from_secs(180);
const LIVES_MEAN: Duration = Duration::from_secs(120);
/// Jobs begin for so long.
const LASTS: Duration = Duration::from_secs(240);
/// Longer than it all lasts, so that nothing is renewed.
const LIFETIME: Duration = Duration::from_secs(600);
/// How many resources there are, and how many of them each job reads.
const RESOURCES: u64 = 300;
const READS: u32 = 20;
const SEED: u64 = 14;
