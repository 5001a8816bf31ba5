//! The daemon: opens the doors, keeps them open until it is told to stop, and leaves in order.

mod admin;
mod examine;
mod joining;
mod lock;
mod logging;
mod operations;
mod own_origin;
mod peers;
mod pulse;
mod reload;
mod signal;
mod supervisor;

pub(crate) use {
    logging::start as start_logging,
    reload::Reading,
    signal::{Hangups, StopSignals},
};

use crate::{
    door::{
        self, AccessLog, ApiUrls, Door, DoorLimits, EventLoops, Exchange, Front, Hosts, RenderedReplies,
        Running,
    },
    exit::CommandError,
    settings::{AccessLogTarget, FleetReport, Limits, Settings, domain_warnings},
    socket::{self, Access, Socket},
};
use admin::{About, AdminService, Shown};
use arc_swap::ArcSwapOption;
use cache_origin_github::{ConfigError, Timeouts};
use fleet_cache::{
    Budget, GitHub, GitHubBuilder, Node, OpenError, StartError, WriteBehindSettings, github::Rules,
};
use lock::InstanceLock;
use logging::Logging;
use operations::{Operations, Phase};
use reload::{ReadAgain, Reloader};
use std::{
    convert::Infallible,
    io::{self, Write},
    sync::Arc,
};
use supervisor::Supervisor;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
    task::JoinSet,
};
use tracing::{info, warn};

/// Runs the daemon until it is told to stop.
///
/// # Errors
///
/// When it cannot start; nothing is left open then.
pub(crate) async fn run(
    reading: Reading,
    mut hangups: Hangups,
    (logging, read_again): (Logging, ReadAgain),
) -> Result<(), CommandError> {
    let Reading { mut settings, report, imprint } = reading;
    let mut signals =
        StopSignals::take_over().map_err(|error| CommandError::failed("cannot take over signals", error))?;
    let lock = InstanceLock::acquire(&settings.cache_dir)?;
    let loops =
        EventLoops::start().map_err(|error| CommandError::failed("no threads for the doors", error))?;
    let loops = Arc::new(loops);
    let operations = Operations::start(&settings, &loops)?;
    let doors = Doors::open(&settings).await?;
    let addresses = doors.addresses(&settings)?;
    let tcp = doors.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok());
    own_origin::refuse(&settings, tcp.as_slice()).await?;
    // Asking `gh` takes a while; clients that connect meanwhile wait in the backlog.
    settings.find_secret().await;
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    let node = start_node(&settings).await?;
    let about = about(&settings, addresses, &operations);
    announce(&about, &node.addresses());
    let (stop, running) = Running::new();
    let access_log = access_log(&settings)?;
    let (shown, showing) = watch::channel(Shown { report, about });
    let front = front(&settings, &node, access_log.clone());
    let mut reloader = Reloader {
        read_again,
        imprint,
        warnings: settings.warnings.clone(),
        secrets: settings.fleet.secrets(),
        logging,
        node: node.clone(),
        access_log,
        front: Arc::clone(&front),
        shown,
    };
    let (mut serving, sockets) =
        doors.serve(&settings, &front, AdminService::new(Arc::clone(&front), showing), &running, &loops);
    operations.enter(Phase::Serving(node.clone()));
    let supervisor = Supervisor::of_environment();
    supervisor.ready();
    let outcome = tokio::select! {
        () = signals.first() => Ok(()),
        never = follow(&mut hangups, &mut reloader, supervisor) => match never {},
        never = supervisor.watch(&node) => match never {},
        Some(ended) = serving.join_next() => Err(ended),
    };
    supervisor.stopping();
    operations.enter(Phase::Draining(node.clone()));
    // The sockets go first: whoever connects from here on is told at once that nobody listens.
    drop(sockets);
    stop.send_replace(true);
    tokio::select! {
        () = drain(&mut serving, &node, operations) => {}
        _never = signals.second() => {}
    }
    drop(lock);
    info!("stopped");
    outcome.map_err(|ended| {
        let reason = ended.err().map_or_else(|| "it ended by itself".to_owned(), |error| error.to_string());
        CommandError::failed("a door closed unexpectedly", reason)
    })
}

/// What the daemon says of itself at its start.
fn about(settings: &Settings, doors: Vec<String>, operations: &Operations) -> About {
    About {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION"),
        doors,
        operations: operations.address().map(|address| format!("http://{address}")),
        fleet: FleetReport::of(&settings.fleet),
        secret: settings.fleet.secret.found().cloned(),
        domains: domain_warnings(&settings.domains),
        warnings: settings.warnings.clone(),
    }
}

/// Has the settings read again at each SIGHUP.
async fn follow(hangups: &mut Hangups, reloader: &mut Reloader, supervisor: Supervisor) -> Infallible {
    loop {
        hangups.next().await;
        supervisor.reloading();
        reloader.reload().await;
        supervisor.ready();
    }
}

/// Sees whether a daemon could be made from `settings`, without opening anything.
///
/// # Errors
///
/// [`CommandError::Usage`], saying what does not fit.
pub(crate) async fn check(settings: &Settings) -> Result<(), CommandError> {
    has_a_door(settings)?;
    if let Some(path) = &settings.unix {
        socket::check_nameable(path)?;
    }
    own_origin::refuse(settings, settings.listen.as_slice()).await?;
    github(settings).map(drop)
}

fn has_a_door(settings: &Settings) -> Result<(), CommandError> {
    if settings.listen.is_none() && settings.unix.is_none() {
        let text = "there is nowhere to listen; give --listen ADDR:PORT or --unix PATH";
        return Err(CommandError::Usage(text.into()));
    }
    Ok(())
}

/// The doors, open but not yet served: connections wait in the system's backlog.
struct Doors {
    admin: (Socket, UnixListener),
    unix: Option<(Socket, UnixListener)>,
    tcp: Option<TcpListener>,
}

impl Doors {
    /// Opens the unix sockets before the port, so that whoever sees the port finds the sockets too.
    async fn open(settings: &Settings) -> Result<Self, CommandError> {
        has_a_door(settings)?;
        let admin = Socket::listen(&crate::admin::socket_path(&settings.cache_dir), Access::OWNER).await?;
        let unix = match &settings.unix {
            Some(path) => {
                socket::check_nameable(path)?;
                Some(Socket::listen(path, settings.unix_access).await?)
            }
            None => None,
        };
        let tcp = settings.listen.map(|address| door::listen(address, "listen")).transpose()?;
        Ok(Self { admin, unix, tcp })
    }

    fn addresses(&self, settings: &Settings) -> Result<Vec<String>, CommandError> {
        let mut addresses = Vec::new();
        if let Some(tcp) = &self.tcp {
            let address =
                tcp.local_addr().map_err(|error| CommandError::failed("cannot tell the port", error))?;
            addresses.push(format!("http://{address}"));
        }
        addresses.extend(settings.unix.iter().map(|path| format!("unix:{}", path.display())));
        Ok(addresses)
    }

    /// Begins to serve; the sockets are removed from the file system when the second value is dropped.
    fn serve(
        self,
        settings: &Settings,
        front: &Arc<Front>,
        service: AdminService,
        running: &Running,
        loops: &Arc<EventLoops>,
    ) -> (JoinSet<()>, Vec<Socket>) {
        let limits =
            DoorLimits { connections_max: settings.connections_max, drain_timeout: settings.drain_timeout };
        let exchange = |door| {
            let front = Arc::clone(front);
            move || Exchange::new(Arc::clone(&front), door)
        };
        let mut serving = JoinSet::new();
        let mut sockets = Vec::new();
        let (socket, listener) = self.admin;
        sockets.push(socket);
        serving.spawn(door::serve(
            listener,
            move || service.clone(),
            limits,
            Arc::clone(loops),
            running.clone(),
        ));
        if let Some((socket, listener)) = self.unix {
            sockets.push(socket);
            serving.spawn(door::serve(
                listener,
                exchange(Door::UNIX),
                limits,
                Arc::clone(loops),
                running.clone(),
            ));
        }
        if let Some(listener) = self.tcp {
            serving.spawn(door::serve(
                listener,
                exchange(Door::TCP),
                limits,
                Arc::clone(loops),
                running.clone(),
            ));
        }
        (serving, sockets)
    }
}

/// Ends the doors, then the node, and tells of it to the last.
async fn drain(serving: &mut JoinSet<()>, node: &Node, operations: Operations) {
    while serving.join_next().await.is_some() {}
    node.shutdown().await;
    operations.close().await;
}

async fn start_node(settings: &Settings) -> Result<Node, CommandError> {
    let budget = |limits: Limits| Budget { entries_max: limits.entries_max, bytes_max: limits.bytes_max };
    let secret = settings.fleet.secret.found().map(|found| found.secret.clone());
    let write_behind =
        WriteBehindSettings { durability: settings.durability, ..WriteBehindSettings::default() };
    joining::take_part(Node::builder(secret, github(settings)?), &settings.fleet)?
        .cache_dir(&settings.cache_dir)
        .budget(budget(settings.memory))
        .disk_budget(budget(settings.disk))
        .write_behind(write_behind)
        .start()
        .await
        .map_err(|error| match error {
            StartError::Environment { .. } | StartError::Origin(_) => CommandError::Usage(error.into()),
            StartError::Open(OpenError::InUse { .. }) => CommandError::InUse(error.into()),
            other => CommandError::failed("cannot start the node", other),
        })
}

fn github(settings: &Settings) -> Result<GitHub, CommandError> {
    github_builder(settings).and_then(GitHubBuilder::build).map_err(|error| CommandError::Usage(error.into()))
}

/// The rules by which requests are judged, for a node that runs.
///
/// # Errors
///
/// [`CommandError::Usage`], saying what does not fit.
pub(crate) fn rules(settings: &Settings) -> Result<Rules, CommandError> {
    github_builder(settings).and_then(GitHubBuilder::rules).map_err(|error| CommandError::Usage(error.into()))
}

fn github_builder(settings: &Settings) -> Result<GitHubBuilder, ConfigError> {
    let mut github = GitHub::builder()
        .origin(&settings.origin.to_string())?
        .default_lifetime(settings.default_lifetime)
        .if_error(settings.if_error)
        .max_stale(settings.max_stale)
        .while_revalidating(settings.while_revalidating)
        .body_bytes_max(settings.body_bytes_max)
        .respect_origin_max_age(settings.respect_max_age)
        .pretty_print(settings.pretty_print)
        .proxy(settings.proxy.clone())
        .pseudonym(&pseudonym())
        .timeouts(Timeouts {
            head: settings.origin_timeout,
            body_idle: settings.origin_timeout,
            ..Timeouts::default()
        });
    if let Some(path) = &settings.certificates {
        github = github.certificates(path);
    }
    for rule in &settings.routes {
        github = github.route(rule)?;
    }
    for name in &settings.forwarded_headers {
        github = github.forward_header(name)?;
    }
    for domain in &settings.domains {
        github = github.named_domain(&domain.name, domain.members.iter().map(String::as_str))?;
    }
    Ok(github)
}

fn front(settings: &Settings, node: &Node, access_log: Option<AccessLog>) -> Arc<Front> {
    Arc::new(Front {
        node: node.clone(),
        hosts: Hosts::new(&settings.origin, &settings.hosts, &settings.detours),
        api: ApiUrls::of_origin(&settings.origin),
        rendered: RenderedReplies::new(),
        client_token: ArcSwapOption::from_pointee(settings.client_token.clone()),
        access_log,
        web_origins: settings.web_origins.clone(),
    })
}

fn access_log(settings: &Settings) -> Result<Option<AccessLog>, CommandError> {
    let start = |target: &AccessLogTarget| {
        AccessLog::start(target.clone())
            .map_err(|error| CommandError::failed("cannot open the access log", error))
    };
    settings.access_log.as_ref().map(start).transpose()
}

/// A name for `Via` that tells nobody which machine this is, and that a daemon that starts again does not share.
fn pseudonym() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    format!("fleet-cache-{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// Tells the person who started the daemon, or the script that reads its output, where it is.
fn announce(about: &About, peer_addresses: &[String]) {
    let mut out = io::stdout();
    for address in &about.doors {
        info!(%address, "listening");
        // Nobody may be reading; the log has it too.
        drop(writeln!(out, "listening on {address}"));
    }
    for address in peer_addresses {
        drop(writeln!(out, "other nodes reach this one at {address}"));
    }
    if let Some(address) = &about.operations {
        info!(%address, "health and metrics");
        drop(writeln!(out, "health and metrics on {address}"));
    }
}
