//! The dashboard: a page for people, at an address of its own, off by default.
//!
//! Shows how quotas stand, which clients use them, what was saved, the fleet, the latest refusals and what the doctor finds.
//! Holds no answer of the API and no credential, and changes nothing. All that a browser loads is part of the program
//! ([`assets`]); what changes comes over one stream of events ([`stream`]). One task reads what is shown ([`collector`]),
//! every [`TICK`](collector::TICK) while somebody looks and every [`SAMPLE_EVERY`](history::SAMPLE_EVERY) for the history
//! while nobody does, so that the doors notice nothing.

mod assets;
mod board;
mod collector;
mod departed;
mod history;
mod service;
mod shapes;
mod stream;

use super::about::Shown;
use crate::{
    door::{self, DoorLimits, EventLoops, Front, Hosts, Running},
    exit::CommandError,
    settings::Settings,
};
use board::Board;
use collector::Collector;
use service::PageService;
use std::{convert::Infallible, future::pending, net::SocketAddr, sync::Arc, time::Duration};
use stream::Places;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// The address of the page, open but not yet served: browsers wait in the system's backlog.
pub(super) struct Dashboard {
    listener: TcpListener,
    address: SocketAddr,
}

impl Dashboard {
    /// Opens the address that `settings` name, if they name one.
    ///
    /// # Errors
    ///
    /// When the port is in use, or the address is not this machine's.
    pub(super) fn open(settings: &Settings) -> Result<Option<Self>, CommandError> {
        let Some(wanted) = settings.dashboard else { return Ok(None) };
        let listener = door::listen(wanted, ("dashboard", &settings.sources))?;
        let told = listener.local_addr();
        let address = told.map_err(|error| CommandError::failed("cannot tell the port", error))?;
        Ok(Some(Self { listener, address }))
    }

    /// Where browsers reach it.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to serve the page of what `front` does, as one more of `serving`; what is given back keeps it up to date.
    pub(super) fn serve(
        self,
        settings: &Settings,
        (front, shown): (&Arc<Front>, watch::Receiver<Shown>),
        (running, loops): (&Running, &Arc<EventLoops>),
        serving: &mut JoinSet<()>,
    ) -> Keeper {
        let (board, told) = watch::channel(Board::default());
        let places = Places::new();
        let hosts = Hosts::new(&settings.origin, &settings.hosts, &[]);
        let service = PageService::new(hosts, told, places.clone(), running.clone());
        let limits = DoorLimits { connections_max: CONNECTIONS_MAX, drain_timeout: DRAIN_TIMEOUT };
        let service = move |_user| service.clone();
        serving.spawn(door::serve(self.listener, service, limits, Arc::clone(loops), running.clone()));
        Keeper(Some(Collector::new(Arc::clone(front), shown, settings.reserves, (board, places))))
    }
}

/// What keeps the page up to date, where there is one.
#[derive(Default)]
pub(super) struct Keeper(Option<Collector>);

impl Keeper {
    /// Keeps the page up to date for as long as it is awaited.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends it; streams that are open end with the daemon.
    pub(super) async fn keep(self) -> Infallible {
        match self.0 {
            Some(collector) => collector.keep().await,
            None => pending().await,
        }
    }
}

/// Most connections at once: all streams, and a few browsers that load the page meanwhile. Further ones wait in the
/// system's backlog.
const CONNECTIONS_MAX: usize = stream::STREAMS_MAX + 16;
/// Time that answers under way may take once the daemon stops; streams end at once.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
