//! Where GitHub delivers webhooks, apart from the doors.
//!
//! Answers `POST /webhook` and nothing else. Holds no answer of the API, and says nothing about the cache: a stranger
//! learns only that its signature is not genuine.

mod body;
mod service;

use crate::{
    door::{self, DoorLimits, EventLoops, Running},
    exit::CommandError,
    settings::Settings,
};
use fleet_cache::Node;
use service::WebhookService;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

/// The address for webhooks, open but not yet served: deliveries wait in the system's backlog.
pub(super) struct WebhookDoor(Option<TcpListener>);

impl WebhookDoor {
    /// Opens the address that `settings` name, if they name one.
    ///
    /// # Errors
    ///
    /// When the port is in use, or the address is not this machine's.
    pub(super) fn open(settings: &Settings) -> Result<Self, CommandError> {
        let address = settings.webhook.as_ref().map(|webhook| webhook.listen);
        Ok(Self(
            address
                .map(|address| door::listen(address, ("webhook-listen", &settings.sources)))
                .transpose()?,
        ))
    }

    /// The address on which it listens, if it does.
    ///
    /// # Errors
    ///
    /// When the system cannot tell.
    pub(super) fn address(&self) -> Result<Option<SocketAddr>, CommandError> {
        let address = self.0.as_ref().map(TcpListener::local_addr).transpose();
        address.map_err(|error| CommandError::failed("cannot tell the port", error))
    }

    /// Begins to serve among `serving`.
    pub(super) fn serve(
        self,
        settings: &Settings,
        node: &Node,
        running: &Running,
        loops: &Arc<EventLoops>,
        serving: &mut JoinSet<()>,
    ) {
        let Some((listener, webhook)) = self.0.zip(settings.webhook.as_ref()) else { return };
        let service = WebhookService::new(node.webhooks(webhook.secret.clone()));
        let limits = DoorLimits { connections_max: CONNECTIONS_MAX, drain_timeout: DRAIN_TIMEOUT };
        let service = move |_user| service.clone();
        serving.spawn(door::serve(listener, service, limits, Arc::clone(loops), running.clone()));
    }
}

/// Most connections at once. GitHub makes one for each delivery; further ones wait in the system's backlog.
const CONNECTIONS_MAX: usize = 64;
/// Time that deliveries under way may take once the daemon stops: longer than an invalidation waits for members and disk.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
