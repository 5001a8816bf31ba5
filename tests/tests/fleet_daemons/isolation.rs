//! Many credentials of different rights ask real daemons at random, while tokens are revoked, repositories become private,
//! the origin fails and a member is killed: no answer is one that the origin would not have given that credential.
//!
//! One episode is in every run of the tests; [`a_hundred_thousand_requests_of_eleven_askers_show_nobody_what_is_not_its_own`]
//! plays many, in fleets of one to three, over both transports.

use crate::support::{EITHER, Over, addresses, member, new_secret, until_connected};
use cache_tests::{
    daemon::{Daemon, Setup},
    http::{Client, ClientError, Reply},
    isolation::{Bounds, Draw, History, STATES, Seen, Tags},
    origin::{EtagMode, Fault, FaultKind, ModelOrigin},
};
use http::StatusCode;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    collections::BTreeMap,
    ops::AddAssign,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How a fleet is set up, and how much it is asked.
#[derive(Clone, Copy, Debug)]
struct Episode {
    seed: u64,
    members: usize,
    over: Over,
    domain: Option<&'static str>,
    etags: EtagMode,
    /// How long answers are fresh: a short one lets much be asked about, a long one lets much be remembered.
    lifetime: Duration,
    /// At least so many requests in each state of the origin.
    requests: usize,
}

/// What came of an episode.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    requests: usize,
    /// Answers that were compared with the origin's.
    compared: usize,
    hits: usize,
    proofs: usize,
    stale: usize,
    kills: usize,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.compared += other.compared;
        self.hits += other.hits;
        self.proofs += other.proofs;
        self.stale += other.stale;
        self.kills += other.kills;
    }
}

/// A request that came to its end, or was broken off with the daemon.
struct Asked {
    draw: Draw,
    /// The socket of the daemon that was asked.
    daemon: PathBuf,
    begun: Instant,
    ended: Instant,
    reply: Result<Reply, ClientError>,
}

/// When which daemon told which credential that the origin refuses it a path, or everything.
#[derive(Default)]
struct Refusals(BTreeMap<Refused, Vec<Instant>>);

/// The socket of the daemon, the token that was refused, and the path, if it was not everything.
type Refused = (PathBuf, Option<&'static str>, Option<&'static str>);

impl Refusals {
    fn note(&mut self, asked: &Asked) {
        let status = asked.reply.as_ref().map(|reply| reply.status.as_u16());
        let path = match status {
            // That something cannot be read without a token says nothing of what can.
            Ok(401) if asked.draw.token().is_some() => None,
            Ok(401 | 404) => Some(asked.draw.path()),
            Ok(_) | Err(_) => return,
        };
        let about = (asked.daemon.clone(), asked.draw.token(), path);
        self.0.entry(about).or_default().push(asked.ended);
    }

    /// The last one that was told before `asked` began.
    fn before(&self, asked: &Asked) -> Option<Instant> {
        let of = |path| self.0.get(&(asked.daemon.clone(), asked.draw.token(), path));
        let all = [of(None), of(Some(asked.draw.path()))].into_iter().flatten().flatten();
        all.filter(|refused| **refused < asked.begun).max().copied()
    }

    /// A daemon that is killed may not have forgotten on its disk what it was refused just now.
    fn forget(&mut self, daemon: &Daemon) {
        self.0.retain(|(socket, _, _), _| *socket != daemon.socket());
    }
}

impl Episode {
    /// A daemon of the fleet that knows `contacts`.
    fn setup(&self, origin: &ModelOrigin, secret: &str, contacts: &[String]) -> Setup {
        let seconds = |time: Duration| format!("{}ms", time.as_millis());
        let setup = member(origin, self.over, secret, contacts)
            .arg(format!("--default-ttl={}", seconds(self.lifetime)))
            .arg(format!("--stale-if-error={}", seconds(STALE_MAX)))
            .arg(format!("--max-stale={}", seconds(STALE_MAX)));
        match self.domain {
            Some(domain) => setup.arg("--domain").arg(domain),
            None => setup,
        }
    }

    fn bounds(&self) -> Bounds {
        let tags = if self.domain.is_some() { Tags::OfDomain } else { Tags::Own };
        Bounds { lifetime: self.lifetime, stale: Some(STALE_MAX), slack: SLACK, tags }
    }

    async fn start(&self, origin: &ModelOrigin) -> Vec<Daemon> {
        let (secret, mut daemons) = (new_secret(), Vec::<Daemon>::new());
        for _ in 0..self.members {
            let contacts = match daemons.first() {
                Some(first) => addresses(first).await,
                None => Vec::new(),
            };
            daemons.push(self.setup(origin, &secret, &contacts).start());
        }
        for daemon in &daemons {
            until_connected(daemon, self.members - 1).await;
        }
        daemons
    }

    /// Plays it through. Fails with the first answer that its asker should not have got.
    async fn play(&self) -> Result<Figures, String> {
        let origin = ModelOrigin::start();
        origin.set_etag_mode(self.etags);
        let mut random = StdRng::seed_from_u64(self.seed);
        let (mut history, mut figures) = (History::default(), Figures::default());
        let mut refusals = Refusals::default();
        history.tell_accounts_apart(&origin).await;
        history.enter(&origin, STATES[0].0).await;
        let mut daemons = self.start(&origin).await;
        // Longer than anything from the state before may be served.
        let state_min = self.lifetime + STALE_MAX + SLACK + Duration::from_millis(100);
        for (at, (_, fails)) in STATES.iter().enumerate() {
            if *fails {
                for (kind, times) in [(FaultKind::Reset, 60), (FaultKind::Status(502), u32::MAX)] {
                    origin.fault(Fault::new(kind, times));
                }
            }
            // What was kept in the state before outlives its time in this one.
            let (begun, mut asked) = (Instant::now(), 0);
            while asked < self.requests || begun.elapsed() < state_min {
                let batch = ask_at_once(&daemons, &mut random, &history, 1);
                asked += figures.take(&batch.await, (&history, self.bounds()), &mut refusals)?;
            }
            origin.clear_faults();
            let Some((change, _)) = STATES.get(at + 1) else { break };
            // The origin changes, and a member is killed, while requests are under way.
            let doomed = random.random_range(0..daemons.len());
            let batch = ask_at_once(&daemons, &mut random, &history, IN_A_ROW);
            let batch = tokio::spawn(batch);
            let mut is_killed = false;
            if at % 2 == 1 {
                daemons[doomed].kill();
                figures.kills += 1;
                is_killed = true;
            }
            history.enter(&origin, *change).await;
            figures.take(
                &batch.await.expect("asking does not fail"),
                (&history, self.bounds()),
                &mut refusals,
            )?;
            if is_killed {
                let killed = daemons.remove(doomed);
                refusals.forget(&killed);
                daemons.push(killed.restart());
            }
        }
        Ok(figures)
    }
}

/// Starts [`AT_ONCE`] rows of requests, drawn at random, to daemons at random. They go on while the future is not polled.
fn ask_at_once(
    daemons: &[Daemon],
    random: &mut StdRng,
    history: &History,
    in_a_row: usize,
) -> impl Future<Output = Vec<Asked>> + Send + use<> {
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let row: Vec<_> = (0..in_a_row)
                .map(|_| {
                    (daemons[random.random_range(0..daemons.len())].socket(), Draw::new(random, history))
                })
                .collect();
            tokio::spawn(async move {
                let mut asked = Vec::new();
                for (daemon, draw) in row {
                    asked.push(ask(daemon, draw).await);
                }
                asked
            })
        })
        .collect();
    async move {
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.expect("asking does not fail"));
        }
        all
    }
}

async fn ask(daemon: PathBuf, draw: Draw) -> Asked {
    let client = Client::unix(&daemon);
    let request = client.request(draw.method(), draw.path()).without("user-agent");
    let request = request.header("user-agent", "isolation");
    let request = draw.fields().fold(request, |request, (name, value)| request.header(name, &value));
    let begun = Instant::now();
    let reply = request.send().await;
    Asked { draw, daemon, begun, ended: Instant::now(), reply }
}

impl Figures {
    /// Compares a batch with what the origin said. Returns how many were asked.
    fn take(
        &mut self,
        batch: &[Asked],
        (history, bounds): (&History, Bounds),
        refusals: &mut Refusals,
    ) -> Result<usize, String> {
        batch.iter().for_each(|asked| refusals.note(asked));
        for asked in batch {
            let Asked { draw, begun, reply, .. } = asked;
            self.requests += 1;
            // A daemon that is killed, an origin that is down and `only-if-cached` leave requests without an answer.
            let Some(reply) = reply.as_ref().ok().filter(|reply| !reply.status.is_server_error()) else {
                continue;
            };
            let status = reply.header("cache-status");
            let is_stale = status.contains("ttl=-");
            let seen = Seen {
                status: reply.status,
                headers: &reply.headers,
                body: &reply.identity_body(),
                is_stale,
                // What stands in for a fault tells of the fault.
                forwarded: forwarded(status).filter(|_| !is_stale),
                begun: *begun,
                refused: refusals.before(asked),
            };
            draw.check(&seen, history, bounds)?;
            self.compared += 1;
            self.hits += usize::from(status.contains("; hit"));
            self.proofs += usize::from(status.contains("detail=proof"));
            self.stale += usize::from(seen.is_stale);
        }
        Ok(batch.len())
    }
}

/// The status that the origin gave, as `Cache-Status` tells it.
fn forwarded(status: &str) -> Option<StatusCode> {
    let (_, rest) = status.split_once("fwd-status=")?;
    rest.get(..3)?.parse().ok()
}

/// Requests under way at once.
const AT_ONCE: usize = 32;
/// Requests in a row while the origin changes: they take longer than writing down what it says then.
const IN_A_ROW: usize = 12;
/// How late a busy machine may notice that a lifetime is over.
const SLACK: Duration = Duration::from_millis(400);
/// How long past its lifetime an answer is served to clients that accept it, or while the origin is down.
const STALE_MAX: Duration = Duration::from_millis(200);
const SHORT: Episode = Episode {
    seed: 1,
    members: 2,
    over: Over::Quic,
    domain: Some("ci=ghs_*"),
    etags: EtagMode::Recipe,
    lifetime: Duration::from_millis(200),
    requests: 200,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_daemon_of_a_fleet_shows_a_credential_what_the_origin_would_not_have_shown_it() {
    let figures = SHORT.play().await.unwrap_or_else(|leak| panic!("{leak}"));
    assert!(figures.compared > figures.requests / 2 && figures.kills == 2, "{figures:?}");
    assert!(figures.proofs > 20 && figures.hits > 100, "{figures:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_domain_shows_what_no_proof_allows_and_is_noticed() {
    let trusted = Episode { members: 1, domain: Some("ci=ghs_*,trusted"), ..SHORT };
    let leak = trusted.play().await.expect_err("a typed-in prefix is served what others fetched");
    assert!(leak.contains("ghs_"), "{leak}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; CONTRIBUTING.md names the command"]
async fn a_hundred_thousand_requests_of_eleven_askers_show_nobody_what_is_not_its_own() {
    let domains = [None, Some("ci=ghs_*"), Some("everybody=all")];
    let mut all = Figures::default();
    for seed in 0.. {
        let pick = usize::try_from(seed).expect("there are few episodes");
        let etags = if seed % 5 == 4 { EtagMode::Body } else { EtagMode::Recipe };
        let (members, over, domain) = (1 + pick % 3, EITHER[pick / 3 % 2], domains[pick / 2 % 3]);
        let lifetime = Duration::from_millis(if seed % 2 == 0 { 200 } else { 1000 });
        let episode = Episode { seed, members, over, domain, etags, lifetime, requests: 1500 };
        let figures = episode.play().await.unwrap_or_else(|leak| panic!("{episode:?}\n{leak}"));
        println!("{episode:?}: {figures:?}");
        all += figures;
        if all.compared >= REQUESTS_MIN && pick >= 11 {
            break;
        }
    }
    println!("{all:?}: no answer that the origin would not have given");
}

/// Answers that are compared at least.
const REQUESTS_MIN: usize = 100_000;
