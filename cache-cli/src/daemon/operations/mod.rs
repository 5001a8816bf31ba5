//! The operations address: for probes and for Prometheus, apart from the doors.
//!
//! Opens before the node does and closes after it, so that it can say "starting" and "draining" while the doors
//! cannot. Answers `GET /healthz`, `GET /readyz` and `GET /metrics`. Holds no answer of the API.

mod exposition;
mod metrics;
mod service;

use crate::{
    door::{self, DoorLimits, EventLoops, Hosts, Running},
    exit::CommandError,
    settings::Settings,
};
use fleet_cache::Node;
use service::OperationsService;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet};

/// Where the daemon is in its life.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// The node is being opened.
    Starting,
    /// The doors accept requests.
    Serving(Node),
    /// Requests in progress may end, others are refused.
    Draining(Node),
}

/// The operations address, if there is one, and what is told there.
pub(crate) struct Operations {
    address: Option<SocketAddr>,
    phase: watch::Sender<Phase>,
    stop: watch::Sender<bool>,
    serving: JoinSet<()>,
}

impl Operations {
    /// Opens the address that `settings` name and tells there that the daemon is starting.
    ///
    /// Must be called on a runtime.
    ///
    /// # Errors
    ///
    /// When the port is in use, or the address is not this machine's.
    pub(crate) fn start(settings: &Settings, loops: &Arc<EventLoops>) -> Result<Self, CommandError> {
        let (phase, told) = watch::channel(Phase::Starting);
        let (stop, running) = Running::new();
        let mut serving = JoinSet::new();
        let mut address = None;
        if let Some(wanted) = settings.metrics_listen {
            let listener = door::listen(wanted, ("metrics-listen", &settings.sources))?;
            let told_port = listener.local_addr();
            address = Some(told_port.map_err(|error| CommandError::failed("cannot tell the port", error))?);
            let service = OperationsService::new(told, Hosts::new(&settings.origin, &settings.hosts, &[]));
            let limits =
                DoorLimits { connections_max: CONNECTIONS_MAX, drain_timeout: OPERATIONS_DRAIN_TIMEOUT };
            let service = move |_user| service.clone();
            serving.spawn(door::serve(listener, service, limits, Arc::clone(loops), running));
        }
        Ok(Self { address, phase, stop, serving })
    }

    /// The address on which it listens, if it does.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Tells `phase` from here on.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Closes the address, after the answers under way were given.
    pub(crate) async fn close(mut self) {
        self.stop.send_replace(true);
        while self.serving.join_next().await.is_some() {}
    }
}

/// Most connections at once: a few Prometheus servers and probes. Further ones wait in the system's backlog.
const CONNECTIONS_MAX: usize = 32;
/// Time that answers under way may take once everything else has ended; each is a few kilobytes.
const OPERATIONS_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
