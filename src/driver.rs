//! The one loop that performs what the engine decides.
//!
//! Owns the engine, the running fetches and the way to the disk. Decides nothing: every output has exactly
//! one action here.

mod orders;
mod passes;
#[cfg(test)]
mod world;

use crate::{
    command::{
        BrokenOff, Command, Completion, Departing, EngineStats, FetchFn, FetchReply, FleetStats, Passed,
        PeerStats, Private,
    },
    discovery::{Finder, Found},
    links::Links,
};
use cache_core::{
    Candidate, Doubted, Doubts, Engine, Entry, FetchError, FetchId, Fetched, Figures, Input, Joining, LoadId,
    OrderId, Output, PeerReport, RequestId, SHELF_MAX, Scope,
    port::{Change, StoreError, Transport, TransportEvent},
};
use cache_store::{CLOSE_TIMEOUT, CoarseClock, ReadIndex, WriteBehind};
use orders::Orders;
use std::{collections::HashMap, ops::ControlFlow, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::{AbortHandle, JoinSet},
    time::MissedTickBehavior,
};
use tracing::{debug, info, trace, warn};

/// Performs outputs until every handle is gone or a shutdown is asked for.
pub(crate) struct Driver {
    engine: Engine,
    clock: Arc<CoarseClock>,
    index: Arc<ReadIndex>,
    disk: Option<WriteBehind>,
    links: Option<Links>,
    /// Finds other nodes, if there are ways to.
    finder: Option<Finder>,
    /// Whether the transport may have events.
    is_linked: bool,
    /// Calls to the origin that [`crate::node`] counts outside of the engine.
    figures: FiguresFn,
    commands: mpsc::Receiver<Command>,
    requests: HashMap<RequestId, Waiting>,
    /// The means to fetch of requests that are complete but may yet be renewed.
    retained: HashMap<RequestId, Option<FetchFn>>,
    /// The callers that wait for the end of an order.
    orders: Orders,
    fetches: JoinSet<EndedFetch>,
    aborts: HashMap<FetchId, AbortHandle>,
    passes: JoinSet<Passed>,
    /// What each of `passes` leaves behind if it is broken off.
    under_way: HashMap<tokio::task::Id, (OrderId, BrokenOff)>,
    /// Those that the engine has yet to let go.
    departing: HashMap<OrderId, Departing>,
    /// What the store's thread reports. Its side never waits: there are no more reports than orders that wait for
    /// one.
    reports: (mpsc::UnboundedSender<DiskReport>, mpsc::UnboundedReceiver<DiskReport>),
    /// Time after which the engine no longer wants the answer to a look-up.
    load_timeout: Duration,
    /// Look-ups on disk that have not been reported on, at most [`LOADS_MAX`].
    loads_count: usize,
    /// Look-ups that were one too many: the engine is told that they found nothing.
    refused_loads: Vec<LoadId>,
}

impl Driver {
    pub(crate) fn new(
        engine: Engine,
        (clock, index, disk): (Arc<CoarseClock>, Arc<ReadIndex>, Option<WriteBehind>),
        links: Option<Links>,
        figures: FiguresFn,
        (commands, load_timeout): (mpsc::Receiver<Command>, Duration),
    ) -> Self {
        Self {
            engine,
            clock,
            index,
            disk,
            is_linked: links.is_some(),
            links,
            finder: None,
            figures,
            commands,
            requests: HashMap::new(),
            retained: HashMap::new(),
            orders: Orders::default(),
            fetches: JoinSet::new(),
            aborts: HashMap::new(),
            passes: JoinSet::new(),
            under_way: HashMap::new(),
            departing: HashMap::new(),
            reports: mpsc::unbounded_channel(),
            load_timeout,
            loads_count: 0,
            refused_loads: Vec::new(),
        }
    }

    /// Has `finder` look for other nodes when the engine asks for that.
    pub(crate) fn find_by(&mut self, finder: Finder) {
        self.finder = Some(finder);
    }

    /// Takes in what the disk held, before the first request.
    pub(crate) fn restore(&mut self, (entries, doubts): (Vec<Entry>, Doubts)) {
        self.handle(Input::Restored { doubts, entries });
        if let Some(disk) = self.disk.as_ref().filter(|_| self.is_linked) {
            let keys = disk.latest(SHELF_MAX);
            self.handle(Input::Catalogued { keys });
        }
    }

    /// Runs until the last handle is dropped or [`Command::Shutdown`] comes; leaves the disk flushed.
    pub(crate) async fn run(mut self) {
        let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = tokio::time::interval(COUNT_INTERVAL);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let transport = self.links.as_ref().map(|links| Arc::clone(links.transport()));
        let told = loop {
            let timeout = self.time_left();
            let is_linked = self.is_linked;
            let wake = tokio::select! {
                command = self.commands.recv() => Wake::Command(command),
                Some(ended) = self.fetches.join_next() => Wake::Fetch(ended),
                Some(ended) = self.passes.join_next_with_id() => Wake::Pass(Box::new(ended)),
                event = next_event(transport.as_deref()), if is_linked => Wake::Transport(event),
                _ = count.tick(), if is_linked => Wake::Count,
                found = next_found(self.finder.as_mut()), if is_linked => Wake::Found(found),
                Some(report) = self.reports.1.recv() => Wake::Report(report),
                () = tokio::time::sleep(timeout) => Wake::Time,
                _ = sweep.tick() => Wake::Sweep,
            };
            if let ControlFlow::Break(told) = self.turn(wake) {
                break told;
            }
        };
        self.stop().await;
        if let Some(done) = told {
            // The caller that asked for the shutdown may have gone; it is done all the same.
            let _gone = done.send(());
        }
    }

    /// One turn of the loop. Breaks when the loop is to end, with the caller to tell.
    fn turn(&mut self, wake: Wake) -> ControlFlow<Option<oneshot::Sender<()>>> {
        match wake {
            Wake::Command(None) => return ControlFlow::Break(None),
            Wake::Command(Some(Command::Shutdown { done })) => return ControlFlow::Break(Some(done)),
            Wake::Command(Some(command)) => self.on_command(command),
            Wake::Count => self.count(),
            Wake::Fetch(ended) => self.on_fetch_ended(ended),
            Wake::Found(found) => self.handle(found.into()),
            Wake::Pass(ended) => self.on_pass_ended(*ended),
            Wake::Report(report) => self.on_report(report),
            Wake::Sweep => self.sweep(),
            Wake::Time => {
                self.clock.catch_up();
                self.handle(Input::Tick);
            }
            Wake::Transport(Some(event)) => self.on_event(event),
            Wake::Transport(None) => self.is_linked = false,
        }
        ControlFlow::Continue(())
    }

    async fn stop(&mut self) {
        self.commands.close();
        self.requests.clear();
        self.index.clear();
        self.break_off().await;
        self.finder = None;
        self.handle(Input::Leave);
        if let Some(links) = &mut self.links {
            links.shutdown().await;
        }
        self.fetches.shutdown().await;
        if let Some(disk) = self.disk.take() {
            // Nothing is read from the disk any more.
            self.reports.1.close();
            let (done, flushed) = oneshot::channel();
            disk.shutdown(move |result| {
                let _gone = done.send(result);
            });
            match tokio::time::timeout(CLOSE_TIMEOUT, flushed).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => warn!(%error, "the last entries could not be written to disk"),
                Ok(Err(_ended)) => warn!("the disk writer ended without a last flush"),
                Err(_elapsed) => warn!("the disk did not take the last entries in time; they are given up"),
            }
        }
        // What was written was carried out, whether its caller heard of it or not, and what it ended is not back
        // after a restart.
        self.orders.answer_passed();
    }

    /// Time until the engine wants to be woken, rounded up to what the coarse clock can tell apart.
    fn time_left(&self) -> Duration {
        let left = self.engine.poll_timeout().map(|(date, _)| date.saturating_since(self.clock.now()));
        left.unwrap_or(IDLE_WAKE).clamp(CLOCK_GRAIN, IDLE_WAKE)
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::AskPeer { request, peer, key, done } => {
                self.requests.insert(request, Waiting { done, fetch: None, private: None });
                self.handle(Input::AskPeer { request, peer, key });
            }
            Command::Cancel { request } => {
                self.requests.remove(&request);
                self.handle(Input::Cancel { request });
            }
            Command::Clear { done } => {
                let order = self.orders.removal(done);
                self.handle(Input::Clear { order });
            }
            Command::Flush { done } => self.flush(done),
            Command::Get { request, key, directives, bucket, priority, reader, kin_wait, fetch, done } => {
                self.requests.insert(request, Waiting { done, fetch: Some(fetch), private: None });
                self.handle(Input::Get { request, key, directives, bucket, priority, reader, kin_wait });
            }
            Command::Invalidate { reach, done } => {
                let order = self.orders.removal(done);
                self.handle(Input::Invalidate { order, reach });
            }
            Command::Left => self.give_up_left(),
            Command::PaceWrites { pace } => self.handle(Input::PaceWrites { pace }),
            Command::Pass { purse, kind, priority, call } => self.on_pass(purse, (kind, priority), call),
            Command::Peers { done } => {
                let _gone = done.send(self.peers());
            }
            Command::Ping { peer, done } => {
                let order = self.orders.ping(done);
                self.handle(Input::Ping { order, peer });
            }
            Command::Kept { prefix, most, done } => {
                let _gone = done.send(self.engine.entries_from(&prefix, most));
            }
            Command::Put { key, draft, done } => {
                let order = self.orders.put(done);
                self.handle(Input::Put { order, key, draft });
            }
            Command::Rotated { done } => {
                self.handle(Input::Renamed);
                if let Some(links) = &mut self.links {
                    links.end_revoked();
                }
                let _gone = done.send(());
            }
            Command::Shutdown { done } => drop(done),
            Command::Stats { done } => {
                let _gone = done.send(self.stats());
            }
        }
    }

    fn on_event(&mut self, event: TransportEvent) {
        let input = self.links.as_mut().and_then(|links| links.on_event(event));
        if let Some(input) = input {
            self.handle(input);
        }
    }

    fn count(&mut self) {
        let figures = (self.figures)(&self.engine);
        self.handle(Input::Counted { figures });
    }

    fn on_fetch_ended(&mut self, ended: Result<EndedFetch, tokio::task::JoinError>) {
        match ended {
            Ok((fetch, leader, reply)) => {
                self.aborts.remove(&fetch);
                if let Some(waiting) = self.requests.get_mut(&leader) {
                    waiting.private = Some(reply.private);
                }
                if let Some((domain, refusal)) = reply.refused {
                    self.handle(Input::Refused { domain, refusal, fetch: Some(fetch) });
                }
                let FetchReply { fetched, reached, allowance, .. } = *reply;
                self.handle(Input::Fetched { fetch, fetched, reached, allowance });
            }
            Err(error) if error.is_cancelled() => {}
            // Panics are caught inside the task, so that its number is not lost.
            Err(error) => warn!(%error, "a fetch ended without a result"),
        }
    }

    fn on_report(&mut self, report: DiskReport) {
        match report {
            DiskReport::Removed { removal } => self.handle(Input::Removed { removal }),
            DiskReport::Loaded { load, entry } => {
                self.loads_count -= 1;
                self.handle(Input::Loaded { load, entry });
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.handle_one(input);
        while let Some(load) = self.refused_loads.pop() {
            self.handle_one(Input::Loaded { load, entry: None });
        }
    }

    fn handle_one(&mut self, input: Input) {
        trace!(?input, "input");
        self.engine.handle(self.clock.now(), input);
        while let Some(output) = self.engine.poll_output() {
            trace!(?output, "output");
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::CancelFetch { fetch } => {
                if let Some(abort) = self.aborts.remove(&fetch) {
                    abort.abort();
                }
            }
            Output::Complete { request, outcome } => {
                if let Some(waiting) = self.requests.remove(&request) {
                    if let Some(retained) = self.retained.get_mut(&request) {
                        *retained = waiting.fetch;
                    }
                    // A client that has just gone needs no answer.
                    let _gone = waiting.done.send(Completion { outcome, private: waiting.private });
                }
            }
            Output::Ponged { order, clock } => self.orders.on_ponged(order, clock),
            Output::Removed { order, entries } => self.orders.on_removed(order, entries),
            Output::Stored { order } => self.orders.on_stored(order),
            Output::Depart { order } => self.depart(order),
            Output::Withheld { order, failure } => self.withhold(order, failure),
            Output::Dial { address } => {
                if let Some(links) = &self.links {
                    links.transport().dial(&address);
                }
            }
            Output::Disconnect { peer } => {
                if let Some(links) = &self.links {
                    links.transport().disconnect(peer);
                }
            }
            Output::Fetch { fetch, leader, candidate } => self.fetch(fetch, leader, candidate),
            Output::Forget { request } => {
                self.retained.remove(&request);
            }
            Output::Load { load, key } => self.load(load, key),
            Output::Persist { entry } => {
                if let Some(disk) = &self.disk {
                    disk.put(entry);
                }
            }
            Output::Publish { entry } => self.index.publish(entry),
            Output::Remember { members } => {
                if let Some(links) = &self.links {
                    links.remember(members);
                }
            }
            Output::Remove { removal, scopes, doubted } => self.remove(removal, scopes, doubted),
            Output::Retain { request } => {
                self.retained.insert(request, None);
            }
            Output::Retract { key } => self.index.retract(&key),
            Output::Seek => {
                if let Some(finder) = &self.finder {
                    finder.seek();
                }
            }
            Output::Send { to, message } => {
                if let Some(links) = &mut self.links {
                    links.send(&to, &message);
                }
            }
            Output::Joined { why } => log_joined(why),
            Output::Twins { peer } => {
                if let Some(links) = &mut self.links {
                    links.on_twins(peer);
                }
            }
        }
    }

    fn fetch(&mut self, fetch: FetchId, leader: RequestId, candidate: Option<Candidate>) {
        let waiting = self.requests.get_mut(&leader).and_then(|waiting| waiting.fetch.take());
        let call = waiting.or_else(|| self.retained.remove(&leader).flatten());
        let task = async move {
            let reply = match call {
                Some(call) => guarded(call, candidate).await,
                None => FetchReply::failed(FetchError::FetcherGone),
            };
            (fetch, leader, Box::new(reply))
        };
        self.aborts.insert(fetch, self.fetches.spawn(task));
    }

    fn load(&mut self, load: LoadId, key: cache_core::Key) {
        let Some(disk) = self.disk.as_ref().filter(|_| self.loads_count < LOADS_MAX) else {
            self.refused_loads.push(load);
            return;
        };
        self.loads_count += 1;
        let reports = self.reports.0.clone();
        let until = tokio::time::Instant::now().into_std() + self.load_timeout;
        disk.load(key, until, move |entry| {
            // A loop that has ended wants no report.
            let _ended = reports.send(DiskReport::Loaded { load, entry: entry.map(Box::new) });
        });
    }

    fn remove(&self, removal: Option<u64>, scopes: Vec<Scope>, doubted: Option<Doubted>) {
        let Some(disk) = &self.disk else { return };
        let removals = scopes.into_iter().filter_map(Change::forgetting);
        let changes = removals.chain(doubted.map(Change::Doubt)).collect();
        let reports = self.reports.0.clone();
        disk.remove(changes, move |removed| {
            if let Err(error) = removed {
                warn!(%error, "cannot note on disk what was invalidated; it may be back after a restart");
            }
            if let Some(removal) = removal {
                let _ended = reports.send(DiskReport::Removed { removal });
            }
        });
    }

    fn sweep(&self) {
        if let Some(disk) = &self.disk {
            disk.sweep(self.clock.now(), |swept| match swept {
                Ok(records) => debug!(records, "swept the disk"),
                Err(error) => warn!(%error, "cannot sweep the disk"),
            });
        }
    }

    fn flush(&mut self, done: oneshot::Sender<Result<(), StoreError>>) {
        match &self.disk {
            Some(disk) => disk.flush(move |result| {
                let _gone = done.send(result);
            }),
            None => {
                let _gone = done.send(Ok(()));
            }
        }
    }

    fn stats(&self) -> EngineStats {
        EngineStats {
            counters: self.engine.counters(),
            accounts: self.engine.accounts(),
            outage: self.engine.outage(),
            entries_count: self.engine.entries_count(),
            entries_bytes: self.engine.entries_bytes(),
            flights_count: self.engine.flights_count(),
            writes_waiting: self.engine.writes_waiting(),
            fleet: self.links.as_ref().map(|links| FleetStats {
                gathering: self.engine.is_gathering(),
                connected: self.engine.members_count(),
                leases_count: self.engine.leases_count(),
                guests: self.engine.guests(),
                links: links.counts(),
                has_twin: links.are_twins(links.transport().local_peer()),
                others: self.engine.peer_figures().into_iter().map(|(_, figures)| figures).collect(),
            }),
        }
    }

    fn peers(&self) -> Vec<PeerStats> {
        let Some(links) = &self.links else { return Vec::new() };
        let now = self.clock.now();
        let with_figures = |report: PeerReport| {
            let figures = report.peer.map(|peer| links.figures(peer)).unwrap_or_default();
            let is_twin = report.peer.is_some_and(|peer| links.are_twins(peer));
            PeerStats { report, figures, is_twin, now }
        };
        self.engine.peers().into_iter().map(with_figures).collect()
    }
}

/// The next event of `transport`; never one if there is none.
async fn next_event(transport: Option<&dyn Transport>) -> Option<TransportEvent> {
    match transport {
        Some(transport) => transport.next_event().await,
        None => std::future::pending().await,
    }
}

/// What is found next; never anything if nothing is looked for.
async fn next_found(finder: Option<&mut Finder>) -> Found {
    match finder {
        Some(finder) => finder.next().await,
        None => std::future::pending().await,
    }
}

/// What this node counted so far, with the engine's part given.
pub(crate) type FiguresFn = Box<dyn Fn(&Engine) -> Figures + Send>;

/// Says that this node, which may be a guest, is a member from now on.
fn log_joined(why: Joining) {
    let what = "this node is a member of its fleet from now on";
    match why {
        Joining::Grown => info!("{what}: it has been a guest for two minutes"),
        Joining::SmallFleet => info!("{what}: the fleet has fewer than 32 members"),
        Joining::OlderPeer => {
            info!("{what}, not a guest: a peer is of an older build, which knows no guests");
        }
        Joining::OnlyGuests => warn!(
            "{what}, not a guest: all nodes that it meets are guests; start those that stay with `--guest never`"
        ),
        Joining::NoRoom => warn!(
            "{what}, not a guest: no member has room for one more; start more nodes that stay, or raise their --max-peers"
        ),
    }
}

/// Runs a fetch so that a panic in it, for example in a closure of the embedding program, is a failed
/// fetch and not a lost one.
async fn guarded(call: FetchFn, candidate: Option<Candidate>) -> FetchReply {
    use futures::FutureExt as _;
    let call = AssertUnwindSafe(async move { call(candidate).await });
    call.catch_unwind().await.unwrap_or_else(|_panic| {
        warn!("a fetch panicked");
        FetchReply::failed(FetchError::FetcherGone)
    })
}

impl FetchReply {
    pub(crate) fn failed(error: FetchError) -> Self {
        Self::of(Fetched::Failed(error))
    }
}

/// A call that has ended: its number, its request, and what it brought.
type EndedFetch = (FetchId, RequestId, Box<FetchReply>);

/// What a turn of the loop is about.
enum Wake {
    /// An order, or `None`: no handle is left to give any.
    Command(Option<Command>),
    /// Our figures are due.
    Count,
    /// A fetch ended, well or not.
    Fetch(Result<EndedFetch, tokio::task::JoinError>),
    /// Other nodes were looked for.
    Found(Found),
    /// A call that passes the cache by ended.
    Pass(Box<Result<(tokio::task::Id, Passed), tokio::task::JoinError>>),
    /// The disk has something to tell.
    Report(DiskReport),
    /// A sweep of the disk is due.
    Sweep,
    /// The engine wants to be woken, or was told the time long ago.
    Time,
    /// Something happened to a connection, or `None`: nothing will any more.
    Transport(Option<TransportEvent>),
}

/// A request that waits in the driver.
struct Waiting {
    done: oneshot::Sender<Completion>,
    fetch: Option<FetchFn>,
    private: Option<Private>,
}

/// What the store's thread tells the loop.
enum DiskReport {
    /// A look-up ended.
    Loaded { load: LoadId, entry: Option<Box<Entry>> },
    /// What was to be forgotten will not be back.
    Removed { removal: u64 },
}

/// Most look-ups on disk in progress: as many as there are flights by default. One beyond finds nothing.
const LOADS_MAX: usize = 4096;

/// Time between two sweeps of the disk. Records that they remove do no harm while they are there; they only take
/// room.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// Time between two reports of this node's figures to the peers: a screenful of sums need not be newer.
const COUNT_INTERVAL: Duration = Duration::from_secs(10);

/// Longest sleep of the loop: even an idle engine is told the time now and then.
const IDLE_WAKE: Duration = Duration::from_secs(60);

/// Shortest sleep of the loop, and the grain of Linux's coarse clock at its coarsest setting (100 Hz).
const CLOCK_GRAIN: Duration = Duration::from_millis(10);
