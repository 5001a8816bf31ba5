//! A fleet of an earlier release is upgraded node by node, under load.
//!
//! Needs the program of that release: `cargo xtask upgrade --from REVISION` builds it and runs this.

use crate::support::{EITHER, Over, PROGRAM, fleet_running, shown, until_connected};
use bytes::Bytes;
use cache_tests::{
    SOON,
    daemon::Daemon,
    http::{Client, ClientError, Reply},
    origin::{Counts, ModelOrigin},
    until,
};
use std::{
    collections::BTreeMap,
    env,
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the program of an earlier release; `cargo xtask upgrade` runs it"]
async fn three_daemons_are_replaced_one_by_one_under_load_without_an_error() {
    let earlier = env::var_os(PREVIOUS).map(PathBuf::from);
    let earlier = earlier.unwrap_or_else(|| panic!("{PREVIOUS} must name the program of an earlier release"));
    for over in EITHER {
        let origin = ModelOrigin::start();
        let mut daemons = fleet_running(&earlier, &origin, over, DAEMONS).await;
        let mut probes = Probes { origin: &origin, over, next: FIRST_PROBED };
        let load = Load::start(&daemons);
        let mut replaced = 0..0;
        probes.run(&daemons, replaced.clone(), &load).await;
        let kept = probes.last_paths();
        for at in 0..DAEMONS {
            assert_no_offence(over, &daemons).await;
            load.leave(at).await;
            let status = daemons[at].terminate(SOON);
            assert!(status.success(), "{over:?}: {status}: {}", daemons[at].stderr());
            let daemon = daemons.remove(at).restart_as(PROGRAM);
            daemons.insert(at, daemon);
            for daemon in &daemons {
                until_connected(daemon, DAEMONS - 1).await;
            }
            load.enter(at);
            replaced.end += 1;
            probes.run(&daemons, replaced.clone(), &load).await;
        }
        // What the earlier release fetched is still known to all.
        let calls = calls_to(&origin, &kept);
        for (daemon, path) in daemons.iter().flat_map(|daemon| kept.iter().map(move |path| (daemon, path))) {
            ask(&daemon.unix_client(), path, TOKENS[0], None).await.expect("it answers");
        }
        assert_eq!(calls_to(&origin, &kept), calls, "{over:?}");
        load.end().await;
        assert_no_offence(over, &daemons).await;
    }
}

/// What is shared, measured with resources that nobody has asked for yet.
struct Probes<'a> {
    origin: &'a ModelOrigin,
    over: Over,
    next: usize,
}

impl Probes<'_> {
    /// Counts what resources cost that are asked for at one daemon after the other, and prints it. The daemons in `replaced`
    /// are of this release.
    async fn run(&mut self, daemons: &[Daemon], replaced: Range<usize>, load: &Load) {
        let mut same = Vec::new();
        let mut named = Vec::new();
        let mut tokens = Vec::new();
        for first in 0..DAEMONS {
            let order: Vec<_> = (0..DAEMONS).map(|step| &daemons[(first + step) % DAEMONS]).collect();
            same.push(self.probe(&order, |_| (TOKENS[0], None)).await.total);
            named.push(self.probe(&order, |at| (TOKENS[0], (at > 0).then_some(VERSION))).await.total);
            tokens.push(self.probe(&order, |at| (TOKENS[at], None)).await.paid);
        }
        println!(
            "{:?}, {} of {DAEMONS} replaced: calls of one token {same:?}, with and without a version {named:?}; paid by three \
             tokens {tokens:?}; {}",
            self.over,
            replaced.len(),
            load.phase(self.origin).await,
        );
        // Whatever the releases are, one call serves the members for one credential.
        assert_eq!(same, [1; DAEMONS], "{:?}, {replaced:?}", self.over);
        if replaced.len() == DAEMONS {
            assert_eq!((named, tokens), (vec![1; DAEMONS], vec![1; DAEMONS]), "{:?}", self.over);
        }
    }

    /// What one resource costs that is asked for at each of `order`, with the token and the version that its place gives.
    async fn probe(
        &mut self,
        order: &[&Daemon],
        as_by: impl Fn(usize) -> (&'static str, Option<&'static str>),
    ) -> Counts {
        let path = path(self.next);
        self.next += 1;
        for (at, daemon) in order.iter().enumerate() {
            let (token, version) = as_by(at);
            let reply = ask(&daemon.unix_client(), &path, token, version).await.expect("it answers");
            assert_eq!(reply.status, 200, "{:?}: {reply:?}", self.over);
        }
        let counts = self.origin.counts_by_path();
        *counts.get(&path).expect("somebody asked the origin")
    }

    fn last_paths(&self) -> Vec<String> {
        (FIRST_PROBED..self.next).step_by(3).map(path).collect()
    }
}

/// Clients that read at all daemons in service, and go on to new resources all the time.
struct Load {
    service: Arc<Service>,
    readers: Vec<JoinHandle<()>>,
}

struct Service {
    doors: Vec<Client>,
    /// Which daemons are to be asked.
    is_open: Vec<AtomicBool>,
    /// Requests to each of them.
    under_way: Vec<AtomicUsize>,
    is_over: AtomicBool,
    answered: AtomicU64,
    newest: AtomicUsize,
    bodies: parking_lot::Mutex<BTreeMap<String, Bytes>>,
}

impl Load {
    fn start(daemons: &[Daemon]) -> Self {
        let service = Arc::new(Service {
            doors: daemons.iter().map(Daemon::unix_client).collect(),
            is_open: daemons.iter().map(|_| AtomicBool::new(true)).collect(),
            under_way: daemons.iter().map(|_| AtomicUsize::new(0)).collect(),
            is_over: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            newest: AtomicUsize::new(0),
            bodies: parking_lot::Mutex::default(),
        });
        let readers = (0..READERS).map(|reader| tokio::spawn(Arc::clone(&service).read(reader))).collect();
        Self { service, readers }
    }

    /// Takes daemon `at` out of service, and waits until it has answered what is under way: what the system has not yet
    /// handed to a process is lost when that ends.
    async fn leave(&self, at: usize) {
        self.service.is_open[at].store(false, Ordering::SeqCst);
        let under_way = &self.service.under_way[at];
        until("what is under way is answered", async || under_way.load(Ordering::SeqCst) == 0).await;
    }

    fn enter(&self, at: usize) {
        self.service.is_open[at].store(true, Ordering::SeqCst);
    }

    /// Waits for [`PHASE_READS`] more reads, and tells what new resources cost meanwhile.
    async fn phase(&self, origin: &ModelOrigin) -> String {
        let answered = || self.service.answered.load(Ordering::Relaxed);
        let resource = || self.service.newest.load(Ordering::Relaxed) / READS_EACH;
        let (first, since) = (resource() + 1, answered());
        until("the load has gone on", async || answered() >= since + PHASE_READS).await;
        let read = first..resource();
        let counts = origin.counts_by_path();
        let paid: u64 = read.clone().filter_map(|number| counts.get(&path(number))).map(|it| it.paid).sum();
        format!("{} resources under load: {paid} paid; {} reads", read.len(), answered())
    }

    async fn end(self) {
        self.service.is_over.store(true, Ordering::Relaxed);
        for reader in self.readers {
            reader.await.expect("no read failed");
        }
        assert!(self.service.answered.load(Ordering::Relaxed) > 0);
    }
}

impl Service {
    /// Panics at the first answer that is an error, is missing, or differs from what others were given.
    async fn read(self: Arc<Self>, reader: usize) {
        let mut door = reader;
        let mut pace = tokio::time::interval(PAUSE);
        while !self.is_over.load(Ordering::Relaxed) {
            let path = path(self.newest.fetch_add(1, Ordering::Relaxed) / READS_EACH);
            let reply = loop {
                door = (door + 1) % self.doors.len();
                self.under_way[door].fetch_add(1, Ordering::SeqCst);
                // Counted first, so that a daemon that leaves misses none.
                let is_open = self.is_open[door].load(Ordering::SeqCst);
                let asked = ask(&self.doors[door], &path, TOKENS[reader % TOKENS.len()], None);
                let reply = if is_open { Some(asked.await) } else { None };
                self.under_way[door].fetch_sub(1, Ordering::SeqCst);
                match reply {
                    Some(Ok(reply)) => break reply,
                    Some(Err(error)) => panic!("{path} at {door}: {error:?}"),
                    None => {}
                }
            };
            assert_eq!(reply.status, 200, "{path} at {door}: {reply:?}");
            let body = reply.identity_body();
            let first = self.bodies.lock().entry(path.clone()).or_insert_with(|| body.clone()).clone();
            assert_eq!(first, body, "{path} at {door}");
            self.answered.fetch_add(1, Ordering::Relaxed);
            pace.tick().await;
        }
    }
}

async fn ask(door: &Client, path: &str, token: &str, version: Option<&str>) -> Result<Reply, ClientError> {
    let draft = door.get(path).token(token);
    let draft =
        version.into_iter().fold(draft, |draft, version| draft.header("x-github-api-version", version));
    draft.send().await
}

/// Holds that the releases understand each other.
async fn assert_no_offence(over: Over, daemons: &[Daemon]) {
    for daemon in daemons {
        let stats = shown(daemon, "/stats").await;
        assert_eq!(stats["aggregate"]["rejected_frames"], 0, "{over:?}: {}", daemon.stderr());
    }
}

/// How many calls there were for any of `paths`.
fn calls_to(origin: &ModelOrigin, paths: &[String]) -> u64 {
    paths.iter().map(|path| origin.calls_to(path)).sum()
}

/// A resource that every token may read and that has one body.
fn path(number: usize) -> String {
    format!("/repos/acme/widget-{number}/readme")
}

const PREVIOUS: &str = "FLEET_CACHE_PREVIOUS";
const DAEMONS: usize = 3;
const READERS: usize = 6;
const TOKENS: [&str; 3] = ["ghp_alice", "ghp_bob", "ghs_acme1"];
/// The version that the origin gives to those that name none.
const VERSION: &str = "2022-11-28";
/// How often the load reads each resource.
const READS_EACH: usize = 60;
/// Between two reads of one client, so that a small machine has time for daemons as well.
const PAUSE: Duration = Duration::from_millis(5);
/// How long each phase is, in reads of the load.
const PHASE_READS: u64 = 600;
/// The load stays below.
const FIRST_PROBED: usize = 9000;
