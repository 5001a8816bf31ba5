//! A model of `api.github.com`: an HTTP/1.1 server on the loopback interface that counts what it is asked.
//!
//! It owns the rules by which GitHub answers, as far as a cache can tell: what each token sees, ETags and 304s,
//! quotas, pages, redirects, and failure. The program that starts it steers it by the methods of [`ModelOrigin`] and
//! reads figures from it; clients see nothing of that. The same calls get the same bytes on every run, except for
//! `Date` and the ends of quota windows.

#![forbid(unsafe_code)]

mod access;
mod answer;
mod asked;
mod calls;
mod checks;
pub mod client;
mod fault;
mod frame;
mod gate;
#[cfg(feature = "graphql")]
mod graphql;
mod issues;
mod quota;
mod repository;
mod routes;
mod server;
mod subject;
#[cfg(test)]
mod tests;
mod world;
mod writes;

pub use {
    calls::{Call, Counts, Operation, Tally},
    fault::{Fault, FaultKind},
    quota::{Quota, Resource},
    subject::{Change, ReviewState, Ruling},
};

use gate::Gate;
use parking_lot::Mutex;
use repository::Repository;
use server::Shared;
use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{runtime, sync::oneshot};
use world::World;

/// A running origin; dropping it ends it and every connection to it.
///
/// It runs on a thread of its own, so that it serves tests under any runtime or none.
///
/// | path | answer |
/// |---|---|
/// | `/repos/acme/widget-N`, `/repos/acme/secret-N` | a public, a private repository, N up to 9999; also as `/repositories/{id}` |
/// | `/repos/acme/oldwidget-N` | 301 to `/repositories/{id}` of `widget-N`; 307 for writes |
/// | below: `issues`, `issues/N` | 230 to begin with, open and closed unless `state` says otherwise; `Link` names `/repositories/{id}/issues` |
/// | `actions/runs`, `actions/runs/N`, `.../jobs`, `actions/workflows`, `actions/runners` | lists in an object |
/// | `contents/PATH`, `readme` | raw, HTML or JSON by `Accept`; `contents/big-N.bin` has N bytes |
/// | `pulls`, `pulls/N`, `.../commits`, `.../reviews` | the numbers up to 40, which are issues as well; diff, patch or JSON by `Accept` |
/// | `issues/N/comments`, `issues/N/labels`, `labels` | of an issue or pull request, or of the repository |
/// | `tarball/REF`, `actions/runs/N/logs` | 302 to another host, signed anew each time |
/// | `stats/KIND` | 202 at first, then 200 |
/// | `commits/REF`, `.../check-runs`, `.../status` | of a commit, by its name or that of a branch: `main`, `topic-N` |
/// | `languages`, `releases`, `releases/latest`, `collaborators/USER` | small answers |
/// | `/user`, `/users/LOGIN`, `/search/KIND`, `/rate_limit` | as at GitHub: the last two without ETag |
/// | `/user/repos?visibility=private`, `/user/emails`, `/installation/repositories` | what tells of the token's rights |
/// | `/orgs/NAME/repos` | two public repositories, and 16 more for accounts that see private ones |
/// | `/orgs/NAME/installation`, also of users and repositories | 401: no token of these is an App's |
/// | `POST /graphql` | with the feature `graphql`: what gh asks for, from the schema in `src/graphql`, for points |
/// | `DELETE /installation/token` | 204, and the token, one of an installation, is nobody's from then on |
/// | `POST .../issues` | 201, and the issue is in lists from then on |
/// | `PATCH .../issues/N`, `POST .../comments`, `.../labels`, `.../reviews`, `.../check-runs`, `.../statuses/SHA`, `PUT pulls/N/merge` | as at GitHub |
/// | other writes | an echo; every write changes all bodies of its repository |
///
/// | token | user | sees |
/// |---|---|---|
/// | `ghp_alice`, `ghp_alice2` | `alice` | everything |
/// | `ghp_bob` | `bob` | what is public |
/// | `github_pat_carol` | `carol` | also `secret-0` |
/// | `ghp_reader`, `ghp_reader2` | `reader`, without scopes | what is public |
/// | `github_pat_public`, `github_pat_mail` | `public`, `mail` | what is public; the second its addresses too |
/// | `ghs_acme1`, `ghs_acme2` | `acme-app` | also `secret-0` to `secret-4` |
/// | any other well-formed one | a user of its own | what is public |
/// | `ghp_revoked`, malformed ones | none | 401 |
#[derive(Debug)]
pub struct ModelOrigin {
    address: SocketAddr,
    runtime: runtime::Handle,
    shared: Arc<Shared>,
    /// Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ModelOrigin {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If the machine has no port, thread or descriptor left.
    pub fn start() -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into()).expect("the loopback interface has a free port")
    }

    /// Starts at `address`, for example where another origin has just ended.
    ///
    /// # Errors
    ///
    /// When the address is taken, or a thread cannot be had. Nothing runs then.
    pub fn start_at(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        // Signed addresses lead to another host name, as they do at GitHub, though not to another server.
        let world = World::new(format!("http://localhost:{}", address.port()));
        let shared =
            Arc::new(Shared { connections: AtomicU64::new(0), gate: Gate::open(), world: Mutex::new(world) });
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = thread::Builder::new().name("model-origin".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)
                    .expect("a listener that does not block suits the runtime");
                tokio::select! {
                    () = server::serve(listener, served) => {}
                    _sender_dropped = stopped => {}
                }
            });
        })?;
        Ok(Self { address, runtime: handle, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Makes every answer to targets that contain `path_contains` wait for [`Self::release`].
    ///
    /// What the answer says is decided before it waits. An empty text holds everything.
    pub fn hold(&self, path_contains: &str) {
        self.shared.gate.hold(path_contains);
    }

    /// Lets all held answers go, and later ones pass.
    pub fn release(&self) {
        self.shared.gate.release();
    }

    /// Waits until at least `count` calls are under way, that is decided, counted, and not yet answered.
    ///
    /// # Panics
    ///
    /// If that takes more than [`WAIT_MAX`].
    pub async fn wait_in_flight(&self, count: usize) {
        self.wait_for(move |in_flight| in_flight >= count, format!("at least {count}")).await;
    }

    /// Waits until no call is under way, because all were answered or their clients left.
    ///
    /// # Panics
    ///
    /// If that takes more than [`WAIT_MAX`].
    pub async fn wait_idle(&self) {
        self.wait_for(|in_flight| in_flight == 0, "none".to_owned()).await;
    }

    /// Adds a failure; the first that applies to a call is used.
    pub fn fault(&self, fault: Fault) {
        self.shared.world.lock().faults.push(fault);
    }

    /// Forgets all failures to come.
    pub fn clear_faults(&self) {
        self.shared.world.lock().faults.clear();
    }

    /// Changes every body of `repository`, such as `acme/widget-1`, as a push would.
    ///
    /// # Panics
    ///
    /// If the model has no such repository.
    pub fn mutate(&self, repository: &str) {
        self.shared.world.lock().bump(Repository::known(repository));
    }

    /// Lets reads lag behind writes: while they do, repositories are shown as they were when this began.
    pub fn set_lagging(&self, lags: bool) {
        self.shared.world.lock().set_lagging(lags);
    }

    /// Changes one issue or pull request of `repository`, and nothing else there.
    ///
    /// # Panics
    ///
    /// If the model has no such repository, or it has no issue or pull request with this number.
    pub fn change(&self, repository: &str, number: u64, change: Change) {
        self.shared.world.lock().change(Repository::known(repository), number, change);
    }

    /// Changes which tokens see `repository`.
    ///
    /// # Panics
    ///
    /// If the model has no such repository.
    pub fn set_visibility(&self, repository: &str, visibility: Visibility) {
        let repository = Repository::known(repository);
        self.shared.world.lock().set_visibility(repository, visibility);
    }

    /// Lets `token`, one of the table above, see the private repositories with a number below `private_below`.
    pub fn set_rights(&self, token: &str, private_below: u32) {
        self.shared.world.lock().access.set_rights(token, private_below);
    }

    /// Makes `token` one that belongs to no account.
    pub fn revoke(&self, token: &str) {
        self.shared.world.lock().access.revoke(token);
    }

    /// Sets what `payer`, a login or `anonymous`, may still call.
    pub fn set_quota(&self, payer: &str, resource: Resource, quota: Quota) {
        *self.shared.world.lock().quotas.of(payer, resource) = quota;
    }

    /// Sets what addresses in bodies, `Link` and `Location` begin with, without a slash at the end.
    ///
    /// To begin with it is `https://api.github.com`, wherever the origin is.
    pub fn set_public_url(&self, url: &str) {
        self.shared.world.lock().public_url = url.to_owned();
    }

    /// Sets how long every answer takes from now on, so that calls made together overlap.
    ///
    /// To begin with it is zero. Calls under way keep the delay they came with; all wait side by side, one
    /// for each connection. What an answer says is decided and counted before, and failures are delayed
    /// as well: [`FaultKind::Delay`] comes on top. A client that leaves ends its wait.
    pub fn set_answer_delay(&self, delay: Duration) {
        self.shared.world.lock().answer_delay = delay;
    }

    /// Sets what goes into an ETag.
    pub fn set_etag_mode(&self, mode: EtagMode) {
        self.shared.world.lock().etag_mode = mode;
    }

    /// Sets the version of the API that those get that name none; `None` for an origin that has but one, and names it
    /// nowhere.
    ///
    /// To begin with it is `2022-11-28`. Under any other an object has the field `api_version`, which names it.
    pub fn set_usual_version(&self, version: Option<&str>) {
        self.shared.world.lock().usual_version = version.map(str::to_owned);
    }

    /// Forgets all calls, and nothing else.
    pub fn reset_calls(&self) {
        self.shared.world.lock().calls = calls::Calls::default();
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a base for requests, such as `http://127.0.0.1:4711`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every call so far, counted by method, path, token and status. A call counts once it is decided.
    pub fn calls(&self) -> Vec<Tally> {
        self.shared.world.lock().calls.tallies()
    }

    /// How many calls there were, to all paths together.
    pub fn counts(&self) -> Counts {
        self.shared.world.lock().calls.counts()
    }

    /// How many calls there were to each path that was called, query included, by whatever method.
    ///
    /// A path that was never called is absent. [`Self::counts`] returns the sum over all paths.
    pub fn counts_by_path(&self) -> BTreeMap<String, Counts> {
        self.shared.world.lock().calls.counts_by_path()
    }

    /// How many calls there were.
    pub fn calls_total(&self) -> u64 {
        self.counts().total
    }

    /// How many calls there were to `path`, query included, by whatever method.
    pub fn calls_to(&self, path: &str) -> u64 {
        let calls = self.calls();
        calls.iter().filter(|tally| tally.path == path).map(|tally| tally.count).sum()
    }

    /// How many calls counted against a quota.
    pub fn paid_calls(&self) -> u64 {
        self.counts().paid
    }

    /// How many calls of `/graphql` there were for each operation, and what they cost. Those without a name have an empty
    /// one.
    pub fn counts_by_operation(&self) -> BTreeMap<Operation, Counts> {
        self.shared.world.lock().calls.counts_by_operation()
    }

    /// The latest calls in full, oldest first; the last few thousand at most.
    pub fn latest_calls(&self) -> Vec<Call> {
        self.shared.world.lock().calls.latest()
    }

    /// What `payer`, a login or `anonymous`, may still call.
    pub fn quota(&self, payer: &str, resource: Resource) -> Quota {
        *self.shared.world.lock().quotas.of(payer, resource)
    }

    /// How many calls carried a credential to a signed address, which no client should.
    pub fn credential_leaks(&self) -> u64 {
        self.shared.world.lock().leaks()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many calls are decided and not yet answered.
    pub fn in_flight(&self) -> usize {
        self.shared.gate.in_flight()
    }

    /// The wait runs on the origin's own runtime: the caller's may have no timer.
    async fn wait_for(&self, holds: impl Fn(usize) -> bool + Send + Sync + 'static, wanted: String) {
        let mut in_flight = self.shared.gate.watch();
        let wait = async move {
            let reached = in_flight.wait_for(|count| holds(*count));
            tokio::time::timeout(WAIT_MAX, reached).await.is_ok()
        };
        let reached = self.runtime.spawn(wait).await.expect("the wait itself cannot panic");
        assert!(reached, "{} calls under way after {WAIT_MAX:?}, wanted {wanted}", self.in_flight());
    }
}

impl Drop for ModelOrigin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the serving thread has been printed; a second one here would hide the test's own.
            let _printed = thread.join();
        }
    }
}

/// What goes into an ETag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EtagMode {
    /// The body alone, so that every token is given the same one.
    Body,
    /// The resource does not exist.
    None,
    /// As observed at GitHub: the values of `Accept`, `Authorization` and `Cookie`, if sent, each followed
    /// by a colon, then the body.
    Recipe,
}

/// Which tokens see a repository.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Visibility {
    /// No token sees it.
    Deleted,
    /// Those whose token sees private repositories of its number.
    Private,
    /// Every token sees it, and so do requests without one.
    Public,
}

/// Longest wait for calls to arrive: far beyond any machine's slowness, short of a hung test run.
pub const WAIT_MAX: Duration = Duration::from_secs(20);
