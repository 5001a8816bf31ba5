//! What a door does for clients that take it for a proxy to everything (`HTTPS_PROXY`): it ends TLS for the hosts that
//! this cache serves, and lets everything else through unseen.
//!
//! A connection for which a client sent `CONNECT` takes another [`Course`] then, in the place that it had: the same
//! bounds hold for it.

mod addresses;
mod course;
mod places;
mod tunnel;

pub(super) use course::{Course, Stream, Turn};

use super::{host::Hosts, problem::DoorError};
use crate::ca::{HostNames, Leaves};
use cache_origin_github::Proxy;
use http::{StatusCode, uri::Authority};
use places::Places;
use std::{
    net::Ipv6Addr,
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
    places: Places,
    /// One for each name that may be looked up at once.
    lookups: Arc<Semaphore>,
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
        let (places, lookups) = (Places::new(tunnels.count_max), Arc::new(Semaphore::new(LOOKUPS_MAX)));
        Self { hosts: leaves.hosts(), leaves, tunnels, places, lookups, warned_at: AtomicU64::new(0) }
    }

    /// Judges a `CONNECT` to `target`; `api` are the hosts that lead to the API.
    pub(super) fn judge(&self, target: Option<&Authority>, api: &Hosts) -> Result<Judgement, DoorError> {
        let malformed = || {
            let text = "CONNECT has to name a host and its port, such as api.github.com:443";
            DoorError::new(StatusCode::BAD_REQUEST, "connect-target", text)
        };
        let (host, port) = target.and_then(host_and_port).ok_or_else(malformed)?;
        let is_served = || bracketed(&host, port).is_some_and(|target| api.serves(&target));
        if self.hosts.contains(&host) && port != HTTP && is_served() {
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
        let place = self.places.take().await.ok_or_else(|| {
            let text = format!("this door has {} tunnels open and takes no more", self.tunnels.count_max);
            DoorError::new(StatusCode::SERVICE_UNAVAILABLE, "tunnels", text)
                .with_remedy("raise --max-connections, half of which may be tunnels, or end some")
        })?;
        tunnel::open((host, port), &self.tunnels, &self.lookups, place).await
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

/// The host, in lower case and without brackets or a dot at its end, and the port that `target` names, if it is written as
/// such a target may be. The dot means the same to resolvers, and would be another name to everything else.
fn host_and_port(target: &Authority) -> Option<(String, u16)> {
    let written = target.port()?;
    let digits = written.as_str();
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| is_number && *port != 0)?;
    let host = target.host().to_ascii_lowercase();
    let is_whole = target.as_str().len() == target.host().len() + 1 + digits.len();
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|address| address.parse::<Ipv6Addr>().is_ok())?,
        None => host.strip_suffix('.').unwrap_or(&host),
    };
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_name = host.contains(':') || host.split('.').all(is_label);
    (is_whole && is_name).then(|| (host.to_owned(), port))
}

/// `port` of `host` as a target is written.
fn bracketed(host: &str, port: u16) -> Option<Authority> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("{host}:{port}").parse().ok()
}

fn listed(ports: &[u16]) -> String {
    let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
    ports.join(", ")
}

const HTTP: u16 = 80;
/// Most names that are looked up at once: each has a thread of the system's resolver, which nothing stops.
const LOOKUPS_MAX: usize = 32;
/// How often it is said that clients break off, in milliseconds.
const WARNED_EVERY: u64 = Duration::from_secs(60).as_millis() as u64;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: &str) -> Option<(String, u16)> {
        host_and_port(&target.parse().ok()?)
    }

    #[test]
    fn a_target_is_one_host_in_one_spelling() {
        let api = Some(("api.github.com".to_owned(), 443));
        for target in ["api.github.com:443", "API.GitHub.com:443", "api.github.com.:443"] {
            assert_eq!(read(target), api, "{target}");
        }
        assert_eq!(read("[::1]:8443"), Some(("::1".to_owned(), 8443)));
        for target in [
            "api.github.com",
            "api.github.com:",
            "api.github.com:0",
            "api.github.com:+443",
            "api.github.com:99999",
            "user@api.github.com:443",
            "api.github.com..:443",
            "127.0.0.1..:443",
            ".:443",
            "[127.0.0.1]:443",
            "[api.github.com]:443",
            "[fe80::1%25eth0]:443",
            "a%2eb:443",
        ] {
            assert_eq!(read(target), None, "{target}");
        }
    }
}
