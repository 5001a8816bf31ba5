//! What a door does for clients that take it for a proxy to everything (`HTTPS_PROXY`): it ends TLS for the hosts that
//! this cache serves, and lets everything else through unseen.
//!
//! A connection for which a client sent `CONNECT` takes another [`Course`] then, in the place that it had: the same
//! bounds hold for it.

mod addresses;
mod course;
mod tunnel;

pub(super) use course::{Course, Stream, Turn};

use super::{host::Hosts, problem::DoorError};
use crate::ca::{HostNames, Leaves};
use cache_origin_github::Proxy;
use http::{StatusCode, uri::Authority};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;
use tracing::warn;
use tunnel::Tunnel;

/// What a door intercepts, and where its tunnels may lead.
pub(crate) struct Interception {
    leaves: Leaves,
    /// The hosts whose TLS ends here.
    hosts: HostNames,
    tunnels: TunnelRules,
    /// One for each tunnel that may be open.
    places: Arc<Semaphore>,
    warned_at: AtomicU64,
}

/// Where tunnels may lead.
#[derive(Clone, Debug)]
pub(crate) struct TunnelRules {
    /// The ports of other hosts.
    pub(crate) ports: Vec<u16>,
    /// Whether addresses are permitted that are not the public internet's.
    pub(crate) private: bool,
    /// The proxy of this machine's own network, for hosts that it leads to.
    pub(crate) proxy: Option<Proxy>,
    /// Most tunnels at once.
    pub(crate) count_max: usize,
}

/// What is to be done about a `CONNECT`.
#[derive(Debug, PartialEq)]
pub(super) enum Judgement {
    /// TLS ends at this door.
    Intercept {
        /// The host, as certificates name it.
        host: String,
    },
    /// It is let through.
    Tunnel {
        /// The host, or its address without brackets.
        host: String,
        /// The port on that host.
        port: u16,
    },
}

impl Interception {
    /// Of the hosts that `leaves` are for.
    pub(crate) fn new(leaves: Leaves, tunnels: TunnelRules) -> Self {
        let places = Arc::new(Semaphore::new(tunnels.count_max));
        Self { hosts: leaves.hosts(), leaves, tunnels, places, warned_at: AtomicU64::new(0) }
    }

    /// Judges a `CONNECT` to `target`; `api` are the hosts that lead to the API.
    pub(super) fn judge(&self, target: Option<&Authority>, api: &Hosts) -> Result<Judgement, DoorError> {
        let malformed = || {
            let text = "CONNECT has to name a host and its port, such as api.github.com:443";
            DoorError::new(StatusCode::BAD_REQUEST, "connect-target", text)
        };
        let target = target.filter(|target| !target.as_str().contains('@')).ok_or_else(malformed)?;
        let port = target.port_u16().filter(|port| *port != 0).ok_or_else(malformed)?;
        let host = target.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        // The name with a dot at its end is the same to resolvers, and would be another to everything else.
        let host = host.strip_suffix('.').unwrap_or(&host).to_owned();
        if host.is_empty() {
            return Err(malformed());
        }
        if self.hosts.contains(&host) && port != HTTP && api.serves(target) {
            return Ok(Judgement::Intercept { host });
        }
        if !self.tunnels.ports.contains(&port) {
            let text =
                format!("no tunnel leads to port {port} of {host}: only to {}", listed(&self.tunnels.ports));
            return Err(DoorError::new(StatusCode::FORBIDDEN, "tunnel-port", text)
                .with_remedy(format!("start the daemon with --tunnel-port {port} if clients need it")));
        }
        Ok(Judgement::Tunnel { host, port })
    }

    /// Opens a tunnel to `port` of `host`.
    ///
    /// # Errors
    ///
    /// When there is no room, the address is not permitted, or the host gives no connection.
    pub(super) async fn open(&self, host: &str, port: u16) -> Result<Tunnel, DoorError> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let text = format!("this door has {} tunnels open and takes no more", self.tunnels.count_max);
            return Err(DoorError::new(StatusCode::SERVICE_UNAVAILABLE, "tunnels", text)
                .with_remedy("raise --max-connections, half of which may be tunnels, or end some"));
        };
        tunnel::open((host, port), &self.tunnels, place).await
    }

    /// Says, once a minute at most, that a client of `host` broke off before TLS was there. `now` is the door's time.
    fn note_broken_off(&self, host: &str, error: &std::io::Error, now: u64) {
        let last = self.warned_at.load(Ordering::Relaxed);
        // The first is said whenever it comes.
        let now = now.saturating_add(WARNED_EVERY);
        if now.saturating_sub(last) >= WARNED_EVERY && self.warned_at.swap(now, Ordering::Relaxed) == last {
            warn!(
                host,
                %error,
                "a client gave up on TLS with this door: if it does not trust the door's certificates, start it by \
                 `fleet-cache run -- COMMAND`, or have it trust the file that `fleet-cache ca path` names"
            );
        }
    }
}

fn listed(ports: &[u16]) -> String {
    let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
    ports.join(", ")
}

const HTTP: u16 = 80;
/// How often it is said that clients break off, in milliseconds.
const WARNED_EVERY: u64 = Duration::from_secs(60).as_millis() as u64;
