//! The daemon: opens the doors, keeps them open until it is told to stop, and leaves in order.

mod about;
mod admin;
mod check;
mod dashboard;
mod doors;
mod examine;
mod interception;
mod joining;
mod lock;
mod logging;
mod node;
mod operations;
mod own_origin;
mod peers;
mod pulse;
mod reload;
mod signal;
mod supervisor;
mod surrogate;
mod usage;
mod webhook;

pub(crate) use {
    check::check,
    lock::InstanceLock,
    logging::start as start_logging,
    reload::Reading,
    signal::{Hangups, StopSignals},
};

use crate::{
    door::{
        AccessLog, ApiUrls, EventLoops, Front, Hosts, Interception, Refusals, RenderedReplies, Running, Users,
    },
    exit::CommandError,
    settings::{AccessLogTarget, Settings},
};
use about::{About, Shown};
use admin::AdminService;
use arc_swap::ArcSwapOption;
use dashboard::Dashboard;
use doors::Doors;
use fleet_cache::Node;
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
    sync::watch,
    task::{JoinError, JoinSet},
};
use tracing::{info, warn};
use webhook::WebhookDoor;

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
    let lock = InstanceLock::acquire(&settings.cache_dir, Some(&settings.sources))?;
    let loops = EventLoops::start().map(Arc::new);
    let loops = loops.map_err(|error| CommandError::failed("no threads for the doors", error))?;
    let operations = Operations::start(&settings, &loops)?;
    let doors = Doors::open(&settings).await?;
    let webhooks = WebhookDoor::open(&settings)?;
    let dashboard = Dashboard::open(&settings)?;
    let addresses = doors.addresses(&settings)?;
    own_origin::refuse(&settings, doors.port().as_slice()).await?;
    // Asking `gh` takes a while; clients that connect meanwhile wait in the backlog.
    settings.find_secret().await;
    warn_of(&settings);
    let node = node::start(&settings).await?;
    let page = dashboard.as_ref().map(Dashboard::address);
    let about = About::of(&settings, addresses, (operations.address(), webhooks.address()?, page));
    surrogate::begin(&node, &settings).await?;
    let (access_log, interception) = (access_log(&settings)?, interception::open(&settings)?);
    announce(&about, &node.addresses());
    let (stop, running) = Running::new();
    let (shown, showing) = watch::channel(Shown { report, about });
    let front = front(&settings, &node, (access_log.clone(), interception));
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
    let admin = AdminService::new(Arc::clone(&front), showing.clone());
    let (mut serving, sockets) = doors.serve(&settings, &front, admin, &running, &loops);
    webhooks.serve(&settings, &node, &running, &loops, &mut serving);
    let shown =
        dashboard.map(|page| page.serve(&settings, (&front, showing), (&running, &loops), &mut serving));
    operations.enter(Phase::Serving(node.clone()));
    let supervisor = Supervisor::of_environment();
    supervisor.ready();
    let outcome = tokio::select! {
        () = signals.first() => Ok(()),
        never = follow(&mut hangups, &mut reloader, supervisor) => match never {},
        never = supervisor.watch(&node) => match never {},
        never = surrogate::keep(&node) => match never {},
        never = usage::keep(&node) => match never {},
        never = shown.unwrap_or_default().keep() => match never {},
        Some(ended) = serving.join_next() => Err(ended),
    };
    supervisor.stopping();
    operations.enter(Phase::Draining(node.clone()));
    // The sockets go first: a client that connects from here on is refused at once.
    drop(sockets);
    stop.send_replace(true);
    tokio::select! {
        () = drain(&mut serving, &node, operations) => {}
        _never = signals.second() => {}
    }
    drop(lock);
    info!("stopped");
    outcome.map_err(closed)
}

/// What is said of a door that ended before it was told to.
fn closed(ended: Result<(), JoinError>) -> CommandError {
    let reason = ended.err().map_or_else(|| "it ended by itself".to_owned(), |error| error.to_string());
    CommandError::failed("a door closed unexpectedly", reason)
}

fn warn_of(settings: &Settings) {
    for warning in &settings.warnings {
        warn!("{warning}");
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

/// Ends the doors, then the node, and tells of it to the last.
async fn drain(serving: &mut JoinSet<()>, node: &Node, operations: Operations) {
    while serving.join_next().await.is_some() {}
    node.shutdown().await;
    operations.close().await;
}

fn front(
    settings: &Settings,
    node: &Node,
    (access_log, interception): (Option<AccessLog>, Option<Arc<Interception>>),
) -> Arc<Front> {
    Arc::new(Front {
        node: node.clone(),
        hosts: Hosts::new(&settings.origin, &settings.hosts, &settings.detours),
        api: ApiUrls::of_origin(&settings.origin),
        rendered: RenderedReplies::new(),
        client_token: ArcSwapOption::from_pointee(settings.client_token.clone()),
        access_log,
        refusals: Refusals::default(),
        users: Users::of_host(),
        naming: settings.unix_client,
        web_origins: settings.web_origins.clone(),
        interception,
        http: node::http_cache(settings, node),
    })
}

fn access_log(settings: &Settings) -> Result<Option<AccessLog>, CommandError> {
    let start = |target: &AccessLogTarget| {
        AccessLog::start(target.clone()).map_err(|error| {
            let source = &settings.access_log_source;
            let remedy = "name a file where the daemon's user may write, or `-` for standard output";
            CommandError::Usage(
                format!("access-log {target} ({source}) cannot be opened: {error}; {remedy}").into(),
            )
        })
    };
    settings.access_log.as_ref().map(start).transpose()
}

/// Tells the person that started the daemon, or the script that reads its output, where it is.
fn announce(about: &About, peer_addresses: &[String]) {
    let mut out = io::stdout();
    for address in &about.doors {
        info!(%address, "listening");
        // Standard output may be closed; the log has the address too.
        drop(writeln!(out, "listening on {address}"));
    }
    for address in peer_addresses {
        drop(writeln!(out, "other nodes reach this one at {address}"));
    }
    if let Some(address) = &about.operations {
        info!(%address, "health and metrics");
        drop(writeln!(out, "health and metrics on {address}"));
    }
    if let Some(address) = &about.webhook_address {
        info!(%address, "webhooks");
        drop(writeln!(out, "webhooks on {address}"));
    }
    if let Some(address) = &about.dashboard {
        info!(%address, "dashboard");
        drop(writeln!(out, "dashboard on {address}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Defaults, Given, Source, definition};

    #[test]
    fn a_file_that_is_opened_at_the_start_and_cannot_be_is_named_with_its_option_the_cause_and_what_to_name()
    {
        let settings = |name: &'static str| {
            let mut given = Given::default();
            given.put(definition(name), vec!["/nope/nothing".to_owned()], Source::Flag(name));
            let defaults = Defaults { cache_dir: Some("/d".into()), ..Defaults::default() };
            Settings::resolve(&given, &defaults).unwrap()
        };
        let certificates = node::github(&settings("ca-file")).map(drop);
        let log = access_log(&settings("access-log")).map(drop);
        for (fault, name, done) in [(certificates, "ca-file", "used"), (log, "access-log", "opened")] {
            let fault = fault.unwrap_err().to_string();
            let begins = format!("{name} \"/nope/nothing\" (flag --{name}) cannot be {done}: ");
            assert!(fault.starts_with(&begins), "{fault}");
            assert!(fault.contains("No such file") && fault.contains("; name a file"), "{fault}");
        }
    }
}
