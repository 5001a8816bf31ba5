//! How a node is set up and started.

use crate::{
    Discover, Node, OpenTransport, StartError,
    command::Command,
    discovery::Finder,
    driver::{Driver, FiguresFn},
    joining::{Joined, Wishes},
    links::Links,
    secrets::{Secrets, sealer},
    shared::{Access, Shared},
    webhooks::WebhookCounters,
};
use cache_core::{
    Disk, Doubts, Engine, Entry, Figures, Guest, PeerSettings, Settings, SharingLimits, Timestamp,
    TrafficLimits,
    port::{Budget, Store},
};
use cache_crypto::{FleetSecret, NodeKey, StorageSealer};
use cache_origin_github::GitHub;
use cache_store::{
    CoarseClock, DISK_BUDGET, MembersFile, ReadIndex, RedbStore, WriteBehind, WriteBehindSettings,
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};
use tokio::sync::{Semaphore, mpsc, watch};

/// A node that is being set up. Made by [`Node::builder`]; [`start`](Self::start) makes it run.
///
/// Settings can be made in any order, and none undoes another. `start` reports what is wrong with any of them.
///
/// ```
/// # use {fleet_cache::{Budget, GitHub, Node, Settings}, std::time::Duration};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path();
/// let node = Node::builder(None, GitHub::builder().build()?)
///     .cache_dir(directory)
///     .budget(Budget { entries_max: 10_000, bytes_max: 256 << 20 })
///     .settings(Settings { request_timeout: Duration::from_secs(5), ..Settings::default() })
///     .start()
///     .await?;
/// assert_eq!(node.stats().await?.max_cache_size, 10_000);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a node runs only once it is started"]
pub struct NodeBuilder {
    secret: Option<FleetSecret>,
    github: GitHub,
    settings: Settings,
    /// Replaces the budget in `settings`.
    budget: Option<Budget>,
    directory: Option<PathBuf>,
    disk_budget: Budget,
    write_behind: WriteBehindSettings,
    transport: Option<Arc<dyn OpenTransport>>,
    accepted: Vec<FleetSecret>,
    bootstrap: Vec<String>,
    discover: Vec<Discover>,
    sharing_limits: SharingLimits,
    peers: PeerSettings,
    advertised: Vec<String>,
}

impl NodeBuilder {
    pub(crate) fn new(secret: Option<FleetSecret>, github: GitHub) -> Self {
        Self {
            secret,
            github,
            settings: Settings::default(),
            budget: None,
            directory: None,
            disk_budget: DISK_BUDGET,
            write_behind: WriteBehindSettings::default(),
            transport: None,
            accepted: Vec::new(),
            bootstrap: Vec::new(),
            discover: Vec::new(),
            sharing_limits: SharingLimits::default(),
            peers: PeerSettings::default(),
            advertised: Vec::new(),
        }
    }

    /// Shares with the fleet over `transport`: [`Quic`](crate::Quic), [`Libp2p`](crate::Libp2p), or your own.
    ///
    /// Without a secret the transport is not opened, and the node keeps to itself.
    ///
    /// ```no_run
    /// # #[cfg(feature = "quic")]
    /// # fn example(builder: fleet_cache::NodeBuilder) -> fleet_cache::NodeBuilder {
    /// use fleet_cache::Quic;
    ///
    /// builder.transport(Quic::listen("0.0.0.0:9100"))
    /// # }
    /// ```
    pub fn transport(mut self, transport: impl OpenTransport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Nodes to contact first, as multiaddrs. Others are learned from them. Default: none.
    ///
    /// If an address ends in a peer id, that peer must answer there; at others any peer may that proves that it has
    /// the secret. The first ten are used, each node once, and never this one. While none of them can be reached the
    /// node works alone and tries again.
    ///
    /// ```
    /// # use fleet_cache::{FleetSecret, GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (github, secret) = (GitHub::builder().build()?, FleetSecret::generate()?);
    /// let builder = Node::builder(secret, github).bootstrap(["/dns4/ci-1.example/udp/9100/quic-v1"]);
    /// # let _not_started = builder;
    /// # Ok(()) }
    /// ```
    pub fn bootstrap<A: Into<String>>(mut self, contacts: impl IntoIterator<Item = A>) -> Self {
        self.bootstrap.extend(contacts.into_iter().map(Into::into));
        self
    }

    /// Finds other nodes by `way` too, for as long as this one runs. May be called for up to sixteen ways. Default: none.
    ///
    /// While the node has fewer than three peers it looks again after a second, and then less and less often, down to twice
    /// in a minute; else every few minutes.
    ///
    /// ```
    /// # use fleet_cache::{FleetSecret, GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (github, secret) = (GitHub::builder().build()?, FleetSecret::generate()?);
    /// use fleet_cache::Discover;
    ///
    /// let builder = Node::builder(secret, github).discover(Discover::file("/etc/fleet-cache/nodes"));
    /// # let _not_started = builder;
    /// # Ok(()) }
    /// ```
    pub fn discover(mut self, way: Discover) -> Self {
        self.discover.push(way);
        self
    }

    /// Most nodes to be connected with at once: one or more. Default: 256.
    ///
    /// In a fleet of more members, each is connected with some of the others, and finds the rest through them. At the
    /// limit a newcomer takes the place of the node that no look-up needed for longest.
    ///
    /// ```
    /// # use fleet_cache::{FleetSecret, GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (github, secret) = (GitHub::builder().build()?, FleetSecret::generate()?);
    /// let builder = Node::builder(secret, github).max_peers(64);
    /// # let _not_started = builder;
    /// # Ok(()) }
    /// ```
    pub fn max_peers(mut self, count: usize) -> Self {
        self.peers.connections_max = count;
        self
    }

    /// Whether the node takes part in its fleet as a guest, which asks and fetches through one or two members and coordinates
    /// nothing. Default: [`Guest::Never`].
    ///
    /// A node that lives for a minute or two costs its fleet least as a guest: two connections, and nobody else hears of it. It
    /// becomes a member by itself where there is no member to host it, or one that does not know guests; the log says so.
    ///
    /// ```
    /// # use fleet_cache::{FleetSecret, GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (github, secret) = (GitHub::builder().build()?, FleetSecret::generate()?);
    /// use fleet_cache::Guest;
    /// let builder = Node::builder(secret, github).guest(Guest::Always);
    /// # let _not_started = builder;
    /// # Ok(()) }
    /// ```
    pub fn guest(mut self, guest: Guest) -> Self {
        self.peers.guest = guest;
        self
    }

    /// What one peer may send before it is taken for a flood, and banned for a while. Default:
    /// [`TrafficLimits::default`].
    ///
    /// ```
    /// # use fleet_cache::{FleetSecret, GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (github, secret) = (GitHub::builder().build()?, FleetSecret::generate()?);
    /// use fleet_cache::TrafficLimits;
    ///
    /// let limits = TrafficLimits { burst_messages: 50_000, ..TrafficLimits::default() };
    /// let builder = Node::builder(secret, github).traffic_limits(limits);
    /// # let _not_started = builder;
    /// # Ok(()) }
    /// ```
    pub fn traffic_limits(mut self, limits: TrafficLimits) -> Self {
        self.peers.traffic = limits;
        self
    }

    /// Addresses at which others reach this node, as multiaddrs, if those that it listens on do not lead to it, for
    /// example because it is behind a published port. Others try them first. Default: none.
    ///
    /// ```
    /// # use fleet_cache::{FleetSecret, GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (github, secret) = (GitHub::builder().build()?, FleetSecret::generate()?);
    /// let builder = Node::builder(secret, github).advertise(["/dns4/ci-1.example/udp/19100/quic-v1"]);
    /// # let _not_started = builder;
    /// # Ok(()) }
    /// ```
    pub fn advertise<A: Into<String>>(mut self, addresses: impl IntoIterator<Item = A>) -> Self {
        self.advertised.extend(addresses.into_iter().map(Into::into));
        self
    }

    /// Lets members in by `secret` too, while the fleet changes from one secret to another.
    ///
    /// With more than [`SECRETS_MAX`](crate::SECRETS_MAX) in all, [`start`](Self::start) fails. Each also opens what
    /// is on disk.
    ///
    /// ```
    /// # use fleet_cache::{FleetSecret, GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (github, secret) = (GitHub::builder().build()?, FleetSecret::generate()?);
    /// let (current, former) = (secret, FleetSecret::generate()?);
    /// let builder = Node::builder(current, github).accepting(former);
    /// # let _not_started = builder;
    /// # Ok(()) }
    /// ```
    pub fn accepting(mut self, secret: FleetSecret) -> Self {
        self.accepted.push(secret);
        self
    }

    /// The limits of sharing: how long peers are waited for, and how much is sent to them. Default:
    /// [`SharingLimits::default`].
    ///
    /// ```
    /// # use fleet_cache::{FleetSecret, GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (github, secret) = (GitHub::builder().build()?, FleetSecret::generate()?);
    /// use fleet_cache::SharingLimits;
    /// use std::time::Duration;
    ///
    /// let patient = SharingLimits { ask_timeout: Duration::from_secs(3), ..SharingLimits::default() };
    /// let builder = Node::builder(secret, github).sharing_limits(patient);
    /// # let _not_started = builder;
    /// # Ok(()) }
    /// ```
    pub fn sharing_limits(mut self, limits: SharingLimits) -> Self {
        self.sharing_limits = limits;
        self
    }

    /// Keeps entries in `directory` too, sealed, so that they outlive the process. Default: memory only.
    ///
    /// The directory is made if it is missing, readable by its owner alone. One process may use it at a time. It also
    /// keeps the node's identity, without which every run is another peer to the fleet, and the addresses of the 16
    /// members that were connected last: after a restart they are contacted as well as
    /// [`bootstrap`](Self::bootstrap).
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let github = GitHub::builder().build()?;
    /// # let kept = tempfile::tempdir()?;
    /// # let directory = kept.path();
    /// let node = Node::builder(None, github).cache_dir(directory).start().await?;
    /// assert!(node.stats().await?.disk.is_some());
    /// # Ok(()) }
    /// ```
    pub fn cache_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// How many entries, and how many bytes of them, are held in memory. Default: 1000 and 64 MiB.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let github = GitHub::builder().build()?;
    /// use fleet_cache::Budget;
    ///
    /// let budget = Budget { entries_max: 50_000, bytes_max: 512 << 20 };
    /// let node = Node::builder(None, github).budget(budget).start().await?;
    /// assert_eq!(node.stats().await?.max_cache_size, 50_000);
    /// # Ok(()) }
    /// ```
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// How many records, and how many bytes of them, are kept on disk. Default: [`DISK_BUDGET`].
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let github = GitHub::builder().build()?;
    /// use fleet_cache::Budget;
    ///
    /// let builder = Node::builder(None, github)
    ///     .cache_dir("/var/cache/my-bot")
    ///     .disk_budget(Budget { entries_max: 100_000, bytes_max: 2 << 30 });
    /// # let _not_started = builder;
    /// # Ok(()) }
    /// ```
    pub fn disk_budget(mut self, budget: Budget) -> Self {
        self.disk_budget = budget;
        self
    }

    /// When what is kept must survive a crash. Default: within a second.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let github = GitHub::builder().build()?;
    /// use fleet_cache::{Durability, WriteBehindSettings};
    ///
    /// let at_once = WriteBehindSettings { durability: Durability::Immediate, ..WriteBehindSettings::default() };
    /// let builder = Node::builder(None, github).cache_dir("/var/cache/my-bot").write_behind(at_once);
    /// # let _not_started = builder;
    /// # Ok(()) }
    /// ```
    pub fn write_behind(mut self, settings: WriteBehindSettings) -> Self {
        self.write_behind = settings;
        self
    }

    /// The engine's limits and time-outs.
    ///
    /// A [`budget`](Self::budget) that is set overrides the one in `settings`, and whether there is a disk follows
    /// from [`cache_dir`](Self::cache_dir).
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let github = GitHub::builder().build()?;
    /// use fleet_cache::Settings;
    /// use std::time::Duration;
    ///
    /// let impatient = Settings { request_timeout: Duration::from_secs(5), ..Settings::default() };
    /// let node = Node::builder(None, github).settings(impatient).start().await?;
    /// # node.shutdown().await;
    /// # Ok(()) }
    /// ```
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Starts the node on the present Tokio runtime, with what its directory holds.
    ///
    /// Does not wait for peers: the node serves at once, and contacts them meanwhile. The first use of a secret that
    /// is a passphrase or a token takes some tenths of a second.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let github = GitHub::builder().build()?;
    /// let node = Node::builder(None, github).start().await?;
    /// # node.shutdown().await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing runs then, and nothing on disk was lost.
    ///
    /// # Cancellation
    ///
    /// Dropping the future may leave the directory, and where the node listens, in use for a moment, until they are
    /// closed again.
    pub async fn start(self) -> Result<Node, StartError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_absent| StartError::NoRuntime)?;
        self.check()?;
        let wishes = Wishes {
            secret: self.secret.clone(),
            accepted: self.accepted.clone(),
            transport: self.transport,
            bootstrap: self.bootstrap,
            discover: self.discover,
            limits: self.sharing_limits,
            peers: self.peers,
            advertised: self.advertised,
            directory: self.directory.clone(),
        };
        let secrets = Secrets::new(self.secret.as_ref(), &self.accepted, self.directory.clone());
        let clock = Arc::new(CoarseClock::start());
        let (now, budget) = (clock.now(), self.budget.unwrap_or(self.settings.budget));
        let (disk, restored, members) = match self.directory {
            Some(directory) => {
                let (known, disk_budget) = ((self.secret, self.accepted), self.disk_budget);
                let open = move || open_store(&directory, &known, disk_budget, budget, now);
                let task = runtime.spawn_blocking(open);
                let (store, restored, members) = task.await??;
                let disk = WriteBehind::start(Box::new(store), self.write_behind);
                (Some(disk.map_err(StartError::Thread)?), Some(restored), Some(members))
            }
            None => (None, None, None),
        };
        let presence = if disk.is_some() { Disk::Present } else { Disk::Absent };
        let origin = self.github.origin().host().into();
        let settings = Settings { budget, disk: presence, origin, ..self.settings };
        let (load_timeout, index) = (settings.load_timeout, Arc::new(ReadIndex::new()));
        let (commands, inbox) = mpsc::channel::<Command>(COMMANDS_MAX);
        let (sharing, joined) = wishes.join(self.github.clone(), now, members).await?;
        let (engine, links, finder) = parts(settings, joined);
        let figures = figures_of(self.github.clone(), Arc::clone(&index));
        let shared_parts = (Arc::clone(&clock), Arc::clone(&index), disk.clone());
        let mut driver = Driver::new(engine, shared_parts, links, figures, (inbox, load_timeout));
        if let Some(finder) = finder {
            driver.find_by(finder);
        }
        driver.restore(restored.unwrap_or_default());
        let (running, ended) = watch::channel(());
        // Ends by itself once the last handle is dropped; what holds `running` tells when it has.
        let driving = async move {
            driver.run().await;
            drop(running);
        };
        drop(runtime.spawn(driving));
        Ok(Node::from_shared(Shared {
            access: Access::default(),
            github: self.github,
            runtime,
            index,
            clock,
            disk,
            commands,
            ended,
            passes: Arc::new(Semaphore::new(PASSES_MAX)),
            request_next: AtomicU64::new(0),
            started: Instant::now(),
            entries_max: budget.entries_max,
            bytes_max: budget.bytes_max,
            sharing,
            secrets,
            webhooks: WebhookCounters::default(),
        }))
    }
}

impl NodeBuilder {
    /// Refuses settings with which a node could give no answer, or serve no client.
    fn check(&self) -> Result<(), StartError> {
        let numbers = [
            ("max_peers", self.peers.connections_max),
            ("settings.flights_max", self.settings.flights_max),
            ("settings.waiters_max", self.settings.waiters_max),
            ("settings.leaders_max", self.settings.leaders_max),
        ];
        let times = [
            ("settings.fetch_timeout", self.settings.fetch_timeout),
            ("settings.request_timeout", self.settings.request_timeout),
        ];
        let numbers = numbers.into_iter().filter(|(_, number)| *number == 0).map(|(name, _)| name);
        let times = times.into_iter().filter(|(_, time)| time.is_zero()).map(|(name, _)| name);
        match numbers.chain(times).next() {
            Some(setting) => Err(StartError::Setting { setting }),
            None => Ok(()),
        }
    }
}

/// What the loop drives: an engine, and what a place in the fleet adds.
fn parts(settings: Settings, joined: Option<Joined>) -> (Engine, Option<Links>, Option<Finder>) {
    let Some(Joined { transport, sharing, recollection, finder }) = joined else {
        return (Engine::new(settings), None, None);
    };
    let contacts = sharing.contacts.iter().map(|contact| contact.address.to_string()).collect();
    let links = Links::new(transport, contacts, recollection);
    (Engine::sharing(settings, sharing), Some(links), Some(finder))
}

/// What this node tells its peers that it counted. Part of it is not the engine's.
fn figures_of(github: GitHub, index: Arc<ReadIndex>) -> FiguresFn {
    Box::new(move |engine| {
        let (counters, origin) = (engine.counters(), github.stats(&[]));
        Figures {
            api_calls: origin.calls + origin.forwarded,
            hits: counters.hits + index.hits(),
            peer_hits: counters.peer_hits + index.peer_hits(),
            misses: counters.misses,
            entries: engine.entries_count() as u64,
        }
    })
}

/// A store that was opened, what it held, and the file of the members of the last run.
type Opened = (RedbStore, (Vec<Entry>, Doubts), MembersFile);

fn open_store(
    directory: &Path,
    (secret, accepted): &(Option<FleetSecret>, Vec<FleetSecret>),
    disk_budget: Budget,
    memory_budget: Budget,
    now: Timestamp,
) -> Result<Opened, StartError> {
    // Before the key is put into it: an empty directory is made private, one that others write to refused.
    RedbStore::prepare(directory).map_err(StartError::Open)?;
    let node_key = NodeKey::load_or_create(directory).map_err(StartError::NodeKey)?;
    let sealer = sealer(&node_key, secret.as_ref(), accepted.iter());
    // Under a key of this node's own: other secrets leave it as it is.
    let members = MembersFile::new(directory, Arc::new(StorageSealer::from_node_key(&node_key)));
    let mut store = RedbStore::open(directory, sealer, disk_budget).map_err(StartError::Open)?;
    let entries = store.restore(now, memory_budget).map_err(StartError::Restore)?;
    let doubts = store.doubts(now).map_err(StartError::Restore)?;
    Ok((store, (entries, doubts), members))
}

/// Most calls that pass the cache by and wait for their answer's head. One more waits for its turn.
const PASSES_MAX: usize = 4096;

// Writes that wait for their turn leave room for others.
const _: () = assert!(2 * cache_core::WRITES_WAITING_MAX <= PASSES_MAX);

/// Most orders to the driver that wait. One more makes its giver wait, which is how load pushes back.
const COMMANDS_MAX: usize = 1024;
